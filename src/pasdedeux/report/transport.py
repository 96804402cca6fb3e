"""Pictures of transport: plans with their marginals, distances, matched points, convergence.

Rows of a plan belong to the first measure, columns to the second. `N`, `M` points.
"""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from pasdedeux.base.checks import refuse
from pasdedeux.report.picture import BLUE, GREY, ORANGE, SEED_COLOURS, STYLE, Picture, picture

MASS, DISTANCE = "Blues", "viridis"
LEAST_SHARE = 0.02  # a plan's line below this share of the largest entry is left out
DASHES = ("-", "--", "-.", ":")
PANEL_INCHES = 2.5


def plans(
    named: Mapping[str, Float[np.ndarray, "_ _"]],
    *,
    rows: str = "points of the first",
    columns: str = "points of the second",
    shared_scale: bool = False,
) -> Picture:
    """Return plans as heat maps side by side, each with its row sums left and column sums above.

    The darkest colour is a plan's own largest entry, or with `shared_scale` that of all. Raises
    `ValueError` for a plan that is negative or not finite.
    """
    refuse(not named, "plans needs at least one plan, got none.")
    for name, plan in named.items():
        fine = plan.size > 0 and bool((np.isfinite(plan) & (plan >= 0)).all())
        refuse(not fine, f"plan {name!r} must be finite and at least 0 everywhere.")
    largest = max(float(plan.max()) for plan in named.values())
    with mpl.rc_context(STYLE):
        drawn = picture((PANEL_INCHES + 0.5) * len(named), PANEL_INCHES + 1.1)
        parts = drawn.subfigures(1, len(named), squeeze=False)[0]
        for part, (name, plan) in zip(parts, named.items(), strict=True):
            grid = part.subplots(2, 2, width_ratios=(1, 5), height_ratios=(1, 5))
            _plan(grid, plan, largest if shared_scale else float(plan.max()))
            told = f"{name}\nmass {plan.sum():.3g}, largest {plan.max():.2g}"
            grid[0, 1].set_title(told, fontsize=9)
            grid[1, 1].set_xlabel(columns)
        parts[0].axes[2].set_ylabel(rows)
    return drawn


def _plan(grid: np.ndarray, plan: Float[np.ndarray, "N M"], largest: float) -> None:
    """Fill a 2 x 2 grid: nothing, column sums; row sums, the plan."""
    grid[0, 0].axis("off")
    down, across = (np.arange(size) for size in plan.shape)
    columns, rows = plan.sum(axis=0), plan.sum(axis=1)
    grid[0, 1].bar(across, columns, width=1.0, color=ORANGE)
    grid[0, 1].set(xlim=(-0.5, plan.shape[1] - 0.5), xticks=[], ylim=(0, 1.05 * columns.max() or 1))
    grid[1, 0].barh(down, rows, height=1.0, color=BLUE)
    grid[1, 0].set(ylim=(plan.shape[0] - 0.5, -0.5), yticks=[], xlim=(1.05 * rows.max() or 1, 0))
    grid[1, 0].spines["left"].set_visible(False)
    grid[1, 1].imshow(
        plan, cmap=MASS, aspect="auto", vmin=0.0, vmax=largest or 1.0, interpolation="nearest"
    )
    for axes in (grid[0, 1], grid[1, 0]):
        axes.tick_params(labelsize=6)
    grid[0, 1].yaxis.set_major_locator(MaxNLocator(2))
    grid[1, 0].xaxis.set_major_locator(MaxNLocator(2))
    _whole_ticks(grid[1, 1])


def _whole_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(labelsize=7)


def distances(named: Mapping[str, Float[np.ndarray, "_ _"]], *, label: str = "distance") -> Picture:
    """Return distance matrices side by side on one colour scale from 0 to the largest distance."""
    refuse(not named, "distances needs at least one matrix, got none.")
    for name, matrix in named.items():
        fine = matrix.size > 0 and bool(np.isfinite(matrix).all())
        refuse(not fine, f"matrix {name!r} must be finite and not empty.")
    largest = max(float(matrix.max()) for matrix in named.values())
    with mpl.rc_context(STYLE):
        drawn = picture(PANEL_INCHES * len(named) + 0.8, PANEL_INCHES + 0.4)
        grid = drawn.subplots(1, len(named), squeeze=False)[0]
        for axes, (name, matrix) in zip(grid, named.items(), strict=True):
            shown = axes.imshow(
                matrix, cmap=DISTANCE, vmin=min(0.0, float(matrix.min())), vmax=largest or 1.0,
                interpolation="nearest",
            )  # fmt: skip
            axes.set_title(name)
            _whole_ticks(axes)
        drawn.colorbar(shown, ax=list(grid), label=label, shrink=0.85)
    return drawn


def matched(
    first: Float[np.ndarray, "N 2"],
    second: Float[np.ndarray, "M 2"],
    named: Mapping[str, Float[np.ndarray, "N M"]],
    *,
    labels: tuple[str, str] = ("first", "second"),
) -> Picture:
    """Return two clouds of points in the plane, one panel a plan: lines as dark as their mass.

    Lines below 2 % of a plan's largest entry are left out.
    """
    refuse(not named, "matched needs at least one plan, got none.")
    finite = bool(np.isfinite(first).all() and np.isfinite(second).all())
    refuse(not finite, "points must be finite.")
    extent = np.ptp(np.concatenate([first, second]), axis=0)
    height = PANEL_INCHES * float(np.clip(extent[1] / max(extent[0], 1e-12), 0.4, 1.2))
    with mpl.rc_context(STYLE):
        drawn = picture((PANEL_INCHES + 0.3) * len(named), height + 0.7)
        grid = drawn.subplots(1, len(named), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (name, plan) in zip(grid, named.items(), strict=True):
            _lines(axes, first, second, plan)
            axes.scatter(*first.T, s=18, color=BLUE, marker="o", label=labels[0], zorder=2)
            axes.scatter(*second.T, s=20, color=ORANGE, marker="^", label=labels[1], zorder=2)
            axes.set_title(name)
            axes.set_aspect("equal")
            axes.axis("off")
        handles, words = grid[0].get_legend_handles_labels()
        drawn.legend(handles, words, loc="outside lower center", ncols=2, fontsize=8)
    return drawn


def _lines(
    axes: Axes,
    first: Float[np.ndarray, "N 2"],
    second: Float[np.ndarray, "M 2"],
    plan: Float[np.ndarray, "N M"],
) -> None:
    share = plan / max(float(plan.max(initial=0.0)), 1e-300)
    row, column = np.nonzero(share >= LEAST_SHARE)
    if not len(row):
        return
    ends = np.stack([first[row], second[column]], axis=1)
    lines = LineCollection(list(ends), colors=GREY, linewidths=1.0, alpha=share[row, column])
    axes.add_collection(lines)


def convergence(
    curves: Mapping[str, Num[np.ndarray, " _"]],
    *,
    iterations: Mapping[str, Num[np.ndarray, " _"]] | None = None,
    goal: float | None = None,
    label: str = "gap (share of mass)",
    title: str = "",
) -> Picture:
    """Return how far each solve is from its end after each iteration, on a logarithmic scale.

    `curves` maps a name, for example "ε = 0.05", to one value for each iteration, the first after
    iteration 1 unless `iterations` says otherwise. Values that are exactly 0 cannot be drawn and
    end their line. `goal` is a dashed line.
    """
    refuse(not curves, "convergence needs at least one curve, got none.")
    with mpl.rc_context(STYLE):
        drawn = picture(5.2, 3.2)
        axes = drawn.subplots()
        for place, (name, values) in enumerate(curves.items()):
            told = f"curve {name!r} must have finite values of at least 0."
            refuse(not (len(values) and (np.isfinite(values) & (values >= 0)).all()), told)
            steps = np.arange(1, len(values) + 1) if iterations is None else iterations[name]
            shown = np.where(values > 0, values, np.nan)
            colour = SEED_COLOURS[place % len(SEED_COLOURS)]
            dashes = DASHES[(place // len(SEED_COLOURS)) % len(DASHES)]
            axes.plot(steps, shown, color=colour, linestyle=dashes, label=name, linewidth=1.4)
        if goal is not None:
            axes.axhline(goal, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.annotate(
                f"goal {goal:g}", (1, goal), (-2, 2), xycoords=("axes fraction", "data"),
                textcoords="offset points", fontsize=7, color=GREY, ha="right",
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set(xlabel="iteration", ylabel=label, title=title)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(color="#DDDDDD", linewidth=0.5)
        drawn.legend(loc="outside right upper", fontsize=8)
    return drawn
