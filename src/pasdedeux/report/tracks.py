"""Columns of numbers over time or another axis, with marks for moments."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.report.picture import BLUE, GREEN, ORANGE, SEED_COLOURS, STYLE, Picture, picture

MARKS = (ORANGE, GREEN, BLUE)


def tracks(
    panels: Mapping[str, Float[np.ndarray, "_ _"]],
    x: Float[np.ndarray, " N"],
    x_label: str,
    *,
    marks: Mapping[str, Float[np.ndarray, " _"]] | None = None,
) -> Picture:
    """Return a panel for each of `panels`, side by side, with a line for each of its columns.

    `marks` are vertical lines at places of `x`, each kind with its own colour and dash, in every
    panel. Raises `ValueError` for numbers that are not finite or of another length than `x`.
    """
    refuse(not panels, "tracks needs at least one panel, got none.")
    for name, values in panels.items():
        refuse(len(values) != len(x), f"{name}: {len(values)} rows, but x has {len(x)}.")
        refuse(not np.isfinite(values).all(), f"{name}: a line needs finite numbers.")
    with mpl.rc_context(STYLE):
        wide = 8.4 if len(panels) == 1 else 3.2 * len(panels)
        drawn = picture(wide, 2.6)
        row = drawn.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, values) in zip(row, panels.items(), strict=True):
            for place, column in enumerate(values.T):
                colour = SEED_COLOURS[place % len(SEED_COLOURS)]
                axes.plot(x, column, color=colour, linewidth=1.2)
            for place, (label, where) in enumerate((marks or {}).items()):
                dash = ("-", "--", ":")[place % 3]
                for moment, at in enumerate(where):
                    named = label if moment == 0 else None
                    colour = MARKS[place % len(MARKS)]
                    axes.axvline(at, color=colour, linestyle=dash, linewidth=0.9, label=named)
            axes.set(title=name, xlabel=x_label)
        if marks:
            drawn.legend(*row[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return drawn
