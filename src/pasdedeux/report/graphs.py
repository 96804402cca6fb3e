"""Plain graphs for derivations: lines, points in the plane, histograms.

Numbers come as arrays, tensors or lists under the names that the pictures show.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.report.picture import GREY, SEED_COLOURS, STYLE, Picture, picture

Values = Sequence[int | float] | np.ndarray | Tensor
Scale = Literal["linear", "x", "y", "both"]
MARKS = "os^Dv"
NEAR = 4.0  # dots between a legend and a line
LETTERS_AN_INCH, LETTERS_OF_A_MARK = 15.0, 8  # in a legend of 8 points
FEW = 7  # places on a logarithmic axis that can all be labelled


def clouds(
    panels: Mapping[str, Mapping[str, Float[np.ndarray | Tensor, "_ 2"]]],
    *,
    numbered: bool = False,
) -> Picture:
    """Return one panel a title; a set of points in the plane keeps its mark in every panel.

    `numbered` writes each point's place in its set beside it.
    """
    refuse(not panels, "clouds needs at least one panel.")
    every = np.concatenate([_array(points) for sets in panels.values() for points in sets.values()])
    wide, high = np.ptp(every, axis=0) + 0.1 * np.ptp(every)
    with mpl.rc_context(STYLE):
        drawn = picture(3.0 * len(panels) + 0.2, 2.7 * min(1.5, high / wide) + 0.9)
        grid = drawn.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        names = list(dict.fromkeys(name for sets in panels.values() for name in sets))
        for axes, (title, sets) in zip(grid, panels.items(), strict=True):
            held = {name: _array(points) for name, points in sets.items()}
            for name, points in held.items():
                place = names.index(name)
                style = {"marker": MARKS[place % len(MARKS)], "color": SEED_COLOURS[place]}
                axes.scatter(*points.T, s=22, label=name, zorder=3, alpha=0.85, **style)
                if numbered:
                    _number(axes, points, SEED_COLOURS[place])
            axes.set_title(title, fontsize=9)
            axes.set_aspect("equal", adjustable="box")
        _legend(drawn, list(grid))
    return drawn


def _number(axes: Axes, points: np.ndarray, colour: str) -> None:
    for place, point in enumerate(points):
        axes.annotate(
            str(place), point, xytext=(4, 4), textcoords="offset points", fontsize=8, color=colour
        )


def lines(
    panels: Mapping[str, Mapping[str, tuple[Values, Values]]],
    *,
    x: str,
    scale: Scale = "linear",
    marks: bool = False,
    levels: Mapping[str, float] | None = None,
) -> Picture:
    """Return one panel for each quantity: its name above it, and a line of (x, y) for each label.

    `x` names the horizontal axis of all; `scale` says which axes are logarithmic; `levels` are
    dashed horizontal lines with their names, in every panel. A label has one colour and mark in all
    panels. A legend is not repeated; where it would lie on a line it stands above the panels.
    """
    choice("scale", scale, ("linear", "x", "y", "both"))
    refuse(not panels, "lines needs at least one panel.")
    width = 3.3 if len(panels) > 1 else 4.6
    with mpl.rc_context(STYLE):
        drawn = picture(width * len(panels) + 0.2, 2.8)
        grid, told = drawn.subplots(1, len(panels), squeeze=False)[0], []
        labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
        for axes, (title, curves) in zip(grid, panels.items(), strict=True):
            for label, (across, up) in curves.items():
                place = labels.index(label)
                style = {"color": SEED_COLOURS[place % len(SEED_COLOURS)], "linewidth": 1.4}
                mark = MARKS[place % len(MARKS)] if marks else None
                axes.plot(_array(across), _array(up), label=label, marker=mark, ms=4, **style)
            for name, level in (levels or {}).items():
                axes.axhline(level, color=GREY, linestyle="--", linewidth=1.0, label=name)
            axes.set_xscale("log" if scale in ("x", "both") else "linear")
            axes.set_yscale("log" if scale in ("y", "both") else "linear")
            axes.set_title(title, fontsize=9)
            axes.set_xlabel(x)
            if scale in ("x", "both"):
                _label_few(axes, curves)
            names = [line.get_label() for line in axes.lines]
            if len(names) > 1 and names not in told:
                axes.legend(fontsize=7.5)
            told.append(names)
        if len({tuple(names) for names in told if len(names) > 1}) == 1 and _covered(drawn):
            for axes in grid:
                axes.legend([]).remove()
            _legend(drawn, list(grid))
    return drawn


def _covered(drawn: Picture) -> bool:
    """Return whether a legend within a panel lies on one of its lines."""
    drawn.draw_without_rendering()
    return any(
        line.get_transform().transform_path(line.get_path()).intersects_bbox(box, filled=False)
        for axes in drawn.axes
        if (legend := axes.get_legend())
        for box in [legend.get_window_extent().padded(NEAR)]
        for line in axes.lines
    )


def _label_few(axes: Axes, curves: Mapping[str, tuple[Values, Values]]) -> None:
    """Label a logarithmic axis at the numbers themselves where they are few."""
    places = np.unique(np.concatenate([_array(across) for across, _ in curves.values()]))
    if len(places) <= FEW:
        axes.set_xticks(places, [f"{place:g}" for place in places], fontsize=8)
    axes.xaxis.set_minor_formatter(NullFormatter())


def histograms(
    shown: Mapping[str, Values], *, x: str, bins: int = 40, mark: float | None = None
) -> Picture:
    """Return histograms over one another on the same bins, with a dashed line at `mark`."""
    refuse(not shown, "histograms needs at least one set of numbers.")
    held = {name: _array(values) for name, values in shown.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(held.values())), bins=bins)
    with mpl.rc_context(STYLE):
        drawn = picture(6.4, 2.8)
        axes = drawn.subplots()
        for place, (name, values) in enumerate(held.items()):
            axes.hist(values, bins=edges, label=name, alpha=0.6, color=SEED_COLOURS[place])
        if mark is not None:
            axes.axvline(mark, color="black", linestyle="--", linewidth=1.0)
        axes.set_xlabel(x)
        axes.set_ylabel("count")
        axes.legend(fontsize=8)
    return drawn


def _legend(drawn: Picture, grid: Sequence[Axes]) -> None:
    """Put one legend above all panels, each name once."""
    found = {}
    for axes in grid:
        handles, names = axes.get_legend_handles_labels()
        found |= dict(zip(names, handles, strict=True))
    if len(found) > 1:
        room = drawn.get_figwidth() * LETTERS_AN_INCH
        across = int(room / (max(map(len, found)) + LETTERS_OF_A_MARK))
        where = {"loc": "outside upper center", "ncols": max(1, min(4, len(found), across))}
        drawn.legend(found.values(), found.keys(), fontsize=8, **where)


def _array(values: Values) -> Num[np.ndarray, "..."]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
