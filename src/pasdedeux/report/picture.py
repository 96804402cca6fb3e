"""What every picture of the project shares: colours, type, and files equal to the byte.

Colours are those of Okabe and Ito, which people with any common colour vision can tell apart; what
a colour says is also written. Pictures stand alone: no pyplot, no global state.
"""

import io

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6A6A6A"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#E69F00"
PALE_GREEN, PALE_GREY = "#8FD4BF", "#C9C9C9"  # grounds that lines stay readable on
SEED_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, GREY)
DOTS_PER_INCH = 110
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "pasdedeux",
}


class Picture(Figure):
    """A matplotlib figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        return png(self)


def picture(width_inches: float, height_inches: float) -> Picture:
    """Return an empty picture whose parts keep clear of each other."""
    empty = Picture(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def png(figure: Figure, dots_per_inch: int = DOTS_PER_INCH) -> bytes:
    """Return `figure` as PNG bytes without date or program version."""
    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return out.getvalue()


def svg(figure: Figure) -> bytes:
    """Return `figure` as SVG bytes without date or program version."""
    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
