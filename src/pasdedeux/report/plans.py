"""Pictures of transport: plans as images, points that plans tie together, curves and histograms.

Numbers come as arrays or tensors under the names that the pictures show.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.report.picture import GREY, SEED_COLOURS, STYLE, Picture, picture

Values = Sequence[int | float] | np.ndarray | Tensor
Scale = Literal["linear", "x", "y", "both"]
MARKS = "os^Dv"
FAINTEST = 0.02  # ties below this share of the heaviest are left out


def matrices(
    shown: Mapping[str, Num[np.ndarray | Tensor, "_ _"]],
    *,
    ringed: Num[np.ndarray | Tensor, "_ _"] | None = None,
    across: int = 5,
    names: tuple[str, str] = ("row", "column"),
    one_scale: bool = False,
) -> Picture:
    """Return the matrices as images, dark where large, `across` in a line.

    Entries where `ringed` is above its mean get a ring: the plan that should be found. White is
    0 or the least entry below it; with `one_scale` equal shades mean equal numbers in all panels.
    """
    held = {name: _array(matrix) for name, matrix in shown.items()}
    refuse(not held, "matrices needs at least one matrix.")
    across = min(across, len(held))
    down = -(-len(held) // across)
    darkest = {name: float(matrix.max()) for name, matrix in held.items()}
    if one_scale:
        darkest = dict.fromkeys(held, max(darkest.values()))
    least = min(0.0, *(float(matrix.min()) for matrix in held.values()))
    with mpl.rc_context(STYLE):
        drawn = picture(2.1 * across + 0.5, 2.2 * down + 0.2)
        grid = drawn.subplots(down, across, squeeze=False)
        for axes in grid.flat[len(held) :]:
            axes.set_visible(False)
        for axes, (name, matrix) in zip(grid.flat, held.items(), strict=False):
            axes.set_title(name, fontsize=9)
            image = _image(axes, matrix, None if ringed is None else _array(ringed))
            image.set_clim(least, darkest[name])
            if not one_scale:
                drawn.colorbar(image, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)
        for axes in grid[:, 0]:
            axes.set_ylabel(names[0])
        for axes in grid.flat[max(0, len(held) - across) : len(held)]:
            axes.set_xlabel(names[1])
        if one_scale:
            drawn.colorbar(image, ax=grid, shrink=0.7).ax.tick_params(labelsize=7)
    return drawn


def _image(axes: Axes, matrix: np.ndarray, ringed: np.ndarray | None) -> AxesImage:
    image = axes.imshow(matrix, cmap="Blues", interpolation="nearest")
    axes.spines[["top", "right"]].set_visible(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
    if ringed is not None:
        i, j = np.nonzero(ringed > ringed.mean())
        size = 1500 / len(ringed) ** 1.5
        axes.scatter(j, i, s=size, facecolors="none", edgecolors=SEED_COLOURS[1])
    return image


def clouds(
    panels: Mapping[str, Mapping[str, Float[np.ndarray | Tensor, "_ 2"]]],
    *,
    ties: Mapping[str, Num[np.ndarray | Tensor, "_ _"]] | None = None,
    numbered: bool = False,
) -> Picture:
    """Return one panel a title, with one kind of mark for each named set of points in the plane.

    `ties` maps a title to a plan between its first two sets: a line for each pair, the wider the
    more mass it carries. `numbered` writes each point's place in its set beside it.
    """
    refuse(not panels, "clouds needs at least one panel.")
    every = np.concatenate([_array(points) for sets in panels.values() for points in sets.values()])
    wide, high = np.ptp(every, axis=0) + 0.1 * np.ptp(every)
    with mpl.rc_context(STYLE):
        drawn = picture(3.0 * len(panels) + 0.2, 2.7 * min(1.5, high / wide) + 0.9)
        grid = drawn.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (title, sets) in zip(grid, panels.items(), strict=True):
            held = {name: _array(points) for name, points in sets.items()}
            if ties and title in ties:
                _tie(axes, *list(held.values())[:2], _array(ties[title]))
            for place, (name, points) in enumerate(held.items()):
                style = {"marker": MARKS[place % len(MARKS)], "color": SEED_COLOURS[place]}
                axes.scatter(*points.T, s=22, label=name, zorder=3, alpha=0.85, **style)
                if numbered:
                    _number(axes, points, SEED_COLOURS[place])
            axes.set_title(title, fontsize=9)
            axes.set_aspect("equal", adjustable="box")
        _legend(drawn, list(grid))
    return drawn


def _tie(axes: Axes, left: np.ndarray, right: np.ndarray, plan: np.ndarray) -> None:
    share = plan / plan.max()
    for i, j in np.argwhere(share > FAINTEST):
        ends = np.stack([left[i], right[j]]).T
        axes.plot(*ends, color=GREY, linewidth=1.6 * share[i, j], alpha=0.7, zorder=1)


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
    dashed horizontal lines with their names, in every panel.
    """
    choice("scale", scale, ("linear", "x", "y", "both"))
    refuse(not panels, "lines needs at least one panel.")
    width = 3.3 if len(panels) > 1 else 4.6
    with mpl.rc_context(STYLE):
        drawn = picture(width * len(panels) + 0.2, 2.8)
        grid = drawn.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, curves) in zip(grid, panels.items(), strict=True):
            for place, (label, (across, up)) in enumerate(curves.items()):
                style = {"color": SEED_COLOURS[place % len(SEED_COLOURS)], "linewidth": 1.4}
                mark = MARKS[place % len(MARKS)] if marks else None
                axes.plot(_array(across), _array(up), label=label, marker=mark, ms=4, **style)
            for name, level in (levels or {}).items():
                axes.axhline(level, color=GREY, linestyle="--", linewidth=1.0, label=name)
            axes.set_xscale("log" if scale in ("x", "both") else "linear")
            axes.set_yscale("log" if scale in ("y", "both") else "linear")
            axes.set_title(title, fontsize=9)
            axes.set_xlabel(x)
            if len(axes.lines) > 1:
                axes.legend(fontsize=7.5)
    return drawn


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
        where = {"loc": "outside upper center", "ncols": min(4, len(found)), "fontsize": 8}
        drawn.legend(found.values(), found.keys(), **where)


def _array(values: Values) -> Num[np.ndarray, "..."]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
