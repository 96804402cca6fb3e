"""Tables of positive numbers as colours: the darker the larger, on a logarithmic scale."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm

from pasdedeux.base.checks import refuse
from pasdedeux.report.picture import GREY, STYLE, Picture, picture

DARK = 0.55  # share of the colour scale above which figures are white


def heat_maps(
    named: Mapping[str, Float[np.ndarray, "N M"]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
) -> Picture:
    """Return tables side by side on one scale of colours, the number in each cell, 0 as a dot.

    Raises `ValueError` for a table of another size, or with a number below 0 or not finite.
    """
    refuse(not named, "heat_maps needs at least one table, got none.")
    for name, values in named.items():
        size = (len(rows), len(columns))
        refuse(values.shape != size, f"table {name!r} is {values.shape}, its names are {size}.")
        fine = bool((np.isfinite(values) & (values >= 0)).all())
        refuse(not fine, f"table {name!r} must be finite and at least 0 everywhere.")
    positive = np.concatenate([values[values > 0] for values in named.values()])
    refuse(not len(positive), "every number is 0; there is nothing to show.")
    norm = LogNorm(float(positive.min()), max(float(positive.max()), 1.01 * float(positive.min())))
    with mpl.rc_context(STYLE):
        wide = 0.85 * len(columns) + 0.4
        drawn = picture(wide * len(named) + 1.6, 0.36 * len(rows) + 1.3)
        grid = drawn.subplots(1, len(named), sharey=True, squeeze=False)[0]
        for axes, (name, values) in zip(grid, named.items(), strict=True):
            shown = np.where(values > 0, values, np.nan)
            axes.imshow(shown, norm=norm, cmap="Blues", aspect="auto", interpolation="nearest")
            for (row, column), value in np.ndenumerate(values):
                ink = "white" if value > 0 and norm(value) > DARK else "black"
                told = f"{value:.2g}" if value > 0 else "·"
                axes.text(column, row, told, ha="center", va="center", color=ink, fontsize=8)
            axes.set_xticks(range(len(columns)), [c.replace(" ", "\n") for c in columns])
            axes.set_yticks(range(len(rows)), rows)
            axes.tick_params(length=0, labelsize=8)
            axes.set_title(name, color=GREY)
            axes.spines[:].set_visible(False)
    return drawn
