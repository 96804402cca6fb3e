"""Sequences of tokens as coloured cells, each with its number: a line of music a row.

`R` sequences, `L` positions.
"""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from pasdedeux.base.checks import refuse
from pasdedeux.report.picture import PALE_GREY, SEED_COLOURS, STYLE, Picture, picture

CELL_INCHES = 0.27
MOST_COLOURS = len(SEED_COLOURS) - 1  # the last one is grey, which is what MASK looks like
MOST_NUMBERED = 24  # positions; beyond that numbers do not fit their cells


def token_rows(
    panels: Mapping[str, Int[np.ndarray, "_ _"]],
    *,
    codes: int,
    rows: Sequence[str] = (),
    row_label: str = "",
) -> Picture:
    """Return one panel a title, side by side: sequences from top to bottom, MASK grey and empty.

    `codes` is K, at most 6 with a colour each, above that shades of one; MASK is class K. `rows`
    names the sequences. Raises `ValueError` for tokens outside 0 .. K.
    """
    refuse(not panels, "token_rows needs at least one panel, got none.")
    for title, tokens in panels.items():
        low, high = tokens.min(), tokens.max()
        told = f"{title!r}: tokens must lie in 0 .. {codes} ({codes} is MASK), got {low} .. {high}."
        refuse(bool(low < 0 or high > codes), told)
        fits = not rows or len(rows) == len(tokens)
        refuse(not fits, f"{title!r}: {len(tokens)} rows, but {len(rows)} names.")
    sizes = [tokens.shape for tokens in panels.values()]
    cell = CELL_INCHES if max(wide for _, wide in sizes) <= MOST_NUMBERED else CELL_INCHES / 3
    with mpl.rc_context(STYLE):
        wide = sum(size[1] for size in sizes) * cell + 0.55 * len(sizes) + 0.5
        drawn = picture(max(wide, 3.0), max(high for high, _ in sizes) * CELL_INCHES + 0.75)
        ratios = [size[1] for size in sizes]
        grid = drawn.subplots(1, len(panels), squeeze=False, width_ratios=ratios)[0]
        for axes, (title, tokens) in zip(grid, panels.items(), strict=True):
            _cells(axes, tokens, codes)
            axes.set_title(title, fontsize=9)
            first = axes is grid[0]
            axes.set_yticks(range(len(tokens)) if rows and first else [], rows if first else [])
        grid[0].set_ylabel(row_label)
    return drawn


def _cells(axes: Axes, tokens: Int[np.ndarray, "R L"], codes: int) -> None:
    colours = mpl.colormaps["viridis"](np.linspace(0, 1, codes))
    if codes <= MOST_COLOURS:
        colours = np.array([mpl.colors.to_rgba(colour) for colour in SEED_COLOURS[:codes]])
    shown = ListedColormap([*colours, mpl.colors.to_rgba(PALE_GREY)])
    axes.imshow(
        tokens, cmap=shown, vmin=-0.5, vmax=codes + 0.5, aspect="auto", interpolation="nearest"
    )
    if tokens.shape[1] <= MOST_NUMBERED and codes <= MOST_COLOURS:
        for (row, place), token in np.ndenumerate(tokens):
            if token < codes:
                axes.text(
                    place, row, str(token), ha="center", va="center", fontsize=7.5, color="white"
                )
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=8)
    for edge in np.arange(-0.5, len(tokens)):
        axes.axhline(edge, color="white", linewidth=1.0)
    axes.spines[:].set_visible(False)
