"""Pictures for notebooks and pages; every function returns one, `save` keeps it as files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pasdedeux.base.checks import nearest, refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.music.melody import Melody
from pasdedeux.report.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE_GREEN,
    PALE_GREY,
    SEED_COLOURS,
    STYLE,
    Picture,
    picture,
    png,
    svg,
)

PITCH_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
SHARPS = tuple(pitch for pitch, name in enumerate(PITCH_NAMES) if name.endswith("♯"))
Row = Mapping[str, int | float]
SYSTEMS = ("RM", "MLE", "GAN", "RL", "MC", "Fusion")


class Histograms(NamedTuple):
    """What Figure 6 shows of one set of melodies; counts or shares, each row is made to sum to 1.

    durations: notes by the number of steps they are held after their onset (0, 1, 2, ...).
    pitch_classes: notes by pitch class, 12 numbers from C.
    """

    durations: Num[np.ndarray, " C"]
    pitch_classes: Num[np.ndarray, " K"]


class Interval(NamedTuple):
    """A mean over seeds with the ends of its interval, infinite where they are unknown."""

    mean: float
    low: float
    high: float


def save(figure: Figure, folder: Path, stem: str) -> None:
    """Write `<stem>.png` and `<stem>.svg` into `folder`, the same bytes whenever drawn again."""
    write_bytes(Path(folder) / f"{stem}.png", png(figure))
    write_bytes(Path(folder) / f"{stem}.svg", svg(figure))


def _percent(counts: Num[np.ndarray, " C"], name: str) -> Float[np.ndarray, " C"]:
    total = float(np.sum(counts))
    valid = np.isfinite(counts).all() and np.min(counts, initial=0) >= 0 and total > 0
    refuse(not valid, f"histogram of {name!r} must hold counts or shares above 0, got {counts}.")
    return 100.0 * np.asarray(counts, dtype=float) / total


def figure6(
    histograms: Mapping[str, Histograms],
    *,
    domains: tuple[str, str] = ("jazz", "folk"),
    systems: Sequence[str] = SYSTEMS,
    longest: int = 12,
    step: str = "1/4 quarter",
) -> Picture:
    """Return the grid of the paper's Figure 6: durations above, pitch classes below, in percent.

    One column each for the two `domains` and for `systems`; a system without histograms says "not
    run". The outlines repeat the domains in every system's panel. Notes held for `longest` steps or
    more share the last bar; `step` tells how long a step is. Raises `ValueError` when a domain is
    missing or a histogram is empty.
    """
    for name in domains:
        told = f"figure6 needs the domain {name!r}, got {sorted(histograms)}."
        refuse(name not in histograms, told + nearest(name, histograms))
    names = [*domains, *systems]
    shares = {name: _rows(histograms[name], name, longest) for name in names if name in histograms}
    with mpl.rc_context(STYLE):
        drawn = picture(1.65 * len(names), 4.4)
        grid = drawn.subplots(2, len(names), sharey="row")
        for place, name in enumerate(names):
            for row in (0, 1):
                _panel(grid[row, place], row, name, shares, domains)
            grid[0, place].set_title(name, fontweight="bold" if name == "Fusion" else "normal")
        for axes in grid[:, 0]:
            axes.set_ylabel("notes (%)")
        _label_durations(grid[0], longest)
        told = f"above: steps held after the onset (a step = {step}); below: pitch class"
        drawn.supxlabel(told, fontsize=9)
        _legend(drawn, grid.flat)
    return drawn


def _legend(drawn: Picture, panels: Iterable[Axes]) -> None:
    """Put one legend above all panels, each label once."""
    found: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if found:
        where = {"loc": "outside upper right", "ncols": len(found), "fontsize": 8}
        drawn.legend(found.values(), found.keys(), **where)


def _rows(held: Histograms, name: str, longest: int) -> tuple[np.ndarray, np.ndarray]:
    size = len(held.pitch_classes)
    refuse(size != 12, f"pitch classes of {name!r} must be 12 numbers, got {size}.")
    durations = _percent(held.durations, name)
    short = np.zeros(longest + 1)
    short[: min(longest, len(durations))] = durations[:longest]
    short[longest] = durations[longest:].sum()
    return short, _percent(held.pitch_classes, name)


def _panel(
    axes: Axes,
    row: int,
    name: str,
    shares: Mapping[str, tuple[np.ndarray, np.ndarray]],
    domains: tuple[str, str],
) -> None:
    colours = dict(zip(domains, (BLUE, ORANGE), strict=True))
    if name not in shares:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color=GREY)
        axes.set_xticks([])
        return
    heights = shares[name][row]
    places = np.arange(len(heights))
    pale = PALE_GREEN if name == "Fusion" else PALE_GREY
    axes.bar(places, heights, width=0.9, color=colours.get(name, pale))
    if name not in colours:
        edges = np.arange(len(heights) + 1) - 0.5
        for domain, dashes in zip(domains, ("-", (0, (2.5, 1.0))), strict=True):
            axes.stairs(
                shares[domain][row], edges, baseline=None, color=colours[domain],
                linewidth=1.3, linestyle=dashes, label=f"{domain} (outline)",
            )  # fmt: skip
    if row == 1:
        naturals = [pitch for pitch in range(12) if pitch not in SHARPS]
        axes.set_xticks(naturals, [PITCH_NAMES[pitch] for pitch in naturals], fontsize=8)
        axes.set_xticks(SHARPS, minor=True)


def _label_durations(row: Iterable[Axes], longest: int) -> None:
    ticks = [*range(0, longest - 1, 3), longest]
    for axes in row:
        if axes.patches:
            axes.set_xticks(ticks, [*map(str, ticks[:-1]), f"≥{longest}"], fontsize=8)


def curves(
    logs: Mapping[int, Sequence[Row]],
    keys: Mapping[str, str],
    *,
    only: Row | None = None,
    title: str = "",
) -> Picture:
    """Return one panel for each key of the training logs: a thin line per seed, thick the mean.

    `logs` maps seed to the rows of its log, `keys` the names in a row to axis labels with units;
    `only` keeps the rows with these values (one player's, for example). Raises `ValueError` with
    the nearest name when no row holds a key.
    """
    wanted = (only or {}).items()
    kept = {
        seed: [row for row in rows if all(row.get(name) == value for name, value in wanted)]
        for seed, rows in logs.items()
    }
    known = sorted({name for rows in kept.values() for row in rows for name in row})
    with mpl.rc_context(STYLE):
        across = 2 if len(keys) in (2, 4) else min(len(keys), 3)
        down = -(-len(keys) // across)
        drawn = picture(3.2 * across, 2.4 * down + 0.3)
        grid = drawn.subplots(down, across, squeeze=False)
        for axes in grid.flat[len(keys) :]:
            axes.set_visible(False)
        for axes, (key, label) in zip(grid.flat, keys.items(), strict=False):
            refuse(key not in known, f"no row of the logs holds {key!r}.{nearest(key, known)}")
            _curve(axes, {seed: [r for r in rows if key in r] for seed, rows in kept.items()}, key)
            axes.set_ylabel(label)
            axes.set_xlabel("update")
        if len(kept) > 1:
            grid[0, 0].legend(fontsize=7, ncols=2, title="seed", title_fontsize=7)
        drawn.suptitle(title, fontsize=10)
    return drawn


def _curve(axes: Axes, rows: Mapping[int, Sequence[Row]], key: str) -> None:
    shared = set.intersection(*({row["step"] for row in held} for held in rows.values()))
    alone = len(rows) == 1
    for place, (seed, held) in enumerate(sorted(rows.items())):
        steps, values = [row["step"] for row in held], [row[key] for row in held]
        colour = SEED_COLOURS[place % len(SEED_COLOURS)]
        mark = "o" if len(steps) < 8 else None
        axes.plot(
            steps, values, color=colour, linewidth=1.4 if alone else 0.8, label=str(seed),
            alpha=1.0 if alone else 0.75, marker=mark, markersize=3,
        )  # fmt: skip
    if not alone and shared:
        at = {seed: {row["step"]: row[key] for row in held} for seed, held in rows.items()}
        steps = sorted(shared)
        mean = [float(np.mean([values[step] for values in at.values()])) for step in steps]
        axes.plot(steps, mean, color="black", linewidth=1.8, label="mean")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.02)


def piano_rolls(melodies: Mapping[str, Melody], *, quarters_per_bar: float = 4.0) -> Picture:
    """Return one piano roll below the other, time in quarters from the bar of the first note.

    Raises `ValueError` when there is no melody; a melody without notes stays an empty roll.
    """
    refuse(not melodies, "piano_rolls needs at least one melody, got none.")
    pitches = np.concatenate([melody.pitch for melody in melodies.values()])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 72)
    spans = {name: _span(melody, quarters_per_bar) for name, melody in melodies.items()}
    longest = max(end - begin for begin, end in spans.values())
    with mpl.rc_context(STYLE):
        height = max(1.0, 0.05 * (high - low + 4))
        drawn = picture(8.0, height * len(melodies) + 0.5)
        rows = drawn.subplots(len(melodies), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, melody) in zip(rows, melodies.items(), strict=True):
            _roll(axes, melody, spans[name][0], low - 2, high + 2)
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
            axes.set_xlim(0.0, longest)
        rows[-1].set_xticks(np.arange(0.0, longest + quarters_per_bar / 2, quarters_per_bar))
        rows[-1].set_xlabel("time (quarters)")
    return drawn


def _span(melody: Melody, quarters_per_bar: float) -> tuple[float, float]:
    """Return begin of the first note's bar and end of the last note, a bar apart at least."""
    if not len(melody.pitch):
        return 0.0, quarters_per_bar
    begin = float(np.floor(melody.onset_quarters[0] / quarters_per_bar)) * quarters_per_bar
    end = float((melody.onset_quarters + melody.duration_quarters).max())
    return begin, max(end, begin + quarters_per_bar)


def _roll(axes: Axes, melody: Melody, begin: float, low: int, high: int) -> None:
    for pitch in range(low, high + 1):
        if pitch % 12 in SHARPS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#EFEFEF", linewidth=0)
    notes = zip(melody.onset_quarters, melody.duration_quarters, melody.pitch, strict=True)
    for onset, duration, pitch in notes:
        axes.broken_barh(
            [(float(onset) - begin, float(duration))],
            (float(pitch) - 0.5, 1.0),
            facecolors=BLUE,
            edgecolors="white",
            linewidth=0.3,
        )
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=8)
    axes.grid(axis="x", color="#CCCCCC", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(low - 0.5, high + 0.5)


def bars_with_intervals(
    panels: Mapping[str, Mapping[str, Interval]],
    *,
    floors: Mapping[str, float] | None = None,
    printed: Mapping[str, Mapping[str, float]] | None = None,
) -> Picture:
    """Return one panel for each quantity: a bar for each row from the quantity's floor to its mean.

    `panels[quantity][row]` holds mean and interval; `floors` the smallest possible value of a
    quantity (0 unless given: a Ratio begins at 1); `printed` the paper's numbers, drawn as open
    diamonds. Raises `ValueError` when an interval does not hold its mean.
    """
    named = [*(printed or {}).values(), *panels.values()]
    rows = list(dict.fromkeys(row for panel in named for row in panel))
    refuse(not any(panels.values()), "bars_with_intervals needs at least one value, got none.")
    with mpl.rc_context(STYLE):
        drawn = picture(2.7 * len(panels) + 0.6, 0.34 * len(rows) + 1.1)
        grid = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (quantity, panel) in zip(grid, panels.items(), strict=True):
            floor = (floors or {}).get(quantity, 0.0)
            _bars(axes, rows, panel, floor, (printed or {}).get(quantity, {}))
            axes.set_xlabel(quantity)
        grid[0].set_yticks(range(len(rows)), rows)
        grid[0].invert_yaxis()
        _legend(drawn, grid)
    return drawn


def _bars(
    axes: Axes,
    rows: Sequence[str],
    panel: Mapping[str, Interval],
    floor: float,
    printed: Mapping[str, float],
) -> None:
    for place, row in enumerate(rows):
        if row in panel:
            mean, low, high = panel[row]
            told = f"{row!r}: interval [{low}, {high}] does not hold its mean {mean}."
            refuse(not low <= mean <= high, told)
            colour = GREEN if row == "Fusion" else GREY
            axes.barh(place, mean - floor, left=floor, height=0.6, color=colour, alpha=0.55)
            known = np.isfinite([low, high]).all()  # one seed has no interval
            axes.errorbar(
                mean, place, xerr=[[mean - low], [high - mean]] if known else None,
                color="black", capsize=3, marker=".", linestyle="none", label="ours, 95 % interval",
            )  # fmt: skip
        else:
            axes.text(floor, place, "  not run", va="center", color=GREY, fontsize=8)
        if row in printed:
            axes.plot(
                printed[row], place, marker="D", markersize=6, markerfacecolor="none",
                markeredgecolor=ORANGE, linestyle="none", label="paper",
            )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
