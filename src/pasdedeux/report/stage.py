"""Where dancers stand in a picture of a film, at which scale, and how one of them is drawn.

The camera is that of the film strip: it stands in front of a dancer who faces z, and sees x to the
right and y up, without perspective. It follows the dancer calmly along x; marks on the floor, half
a metre apart, show the way. Pictures are drawn at `FINE` times their size. Frame of reference: the
world's, metres. `T` frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from PIL import ImageDraw, ImageFont

from pasdedeux.base.checks import refuse
from pasdedeux.report.bodies import INK, Dancer
from pasdedeux.report.picture import GREEN, GREY, PALE_GREEN, PALE_GREY

FINE = 2  # drawn this much larger, then made smaller
PANEL_SHARE = 0.8  # width of a panel over its height
WORDS_SHARE = 0.05  # height of letters over that of the film
BONE_METRES, HEAD_METRES = 0.035, 0.11
LEAST_METRES = 0.5  # a body lower than this is not made to fill the picture
MARK_METRES = 0.5
CALM_SECONDS = 1.0  # the camera follows the mean place of this long before and after


class View(NamedTuple):
    """What has to be seen, in metres: films of one view have one scale and one floor.

    floor: where the floor is drawn, the middle (median) of the dancers' lowest points: whoever
    sinks below it is seen to, and the others do not hover. lowest, highest: of all. reach: how far
    a joint gets from the middle of the picture, along x.
    """

    floor: float
    lowest: float
    highest: float
    reach: float


def view(dancers: Sequence[Dancer], *, rate_hz: float = 25.0) -> View:
    """Return the smallest view in which each of `dancers` is whole in all of its frames."""
    refuse(not dancers, "a view needs at least one dancer, got none.")
    heights = [dancer.joints_world[..., 1] for dancer in dancers]
    low = [float(height.min()) for height in heights]
    reach = [
        float(np.abs(d.joints_world[..., 0] - centres(d, rate_hz)[:, None]).max()) for d in dancers
    ]
    highest = max(float(height.max()) for height in heights) + HEAD_METRES
    return View(float(np.median(low)), min(low), highest, max(reach) + HEAD_METRES)


class Stage(NamedTuple):
    """A view in fine pixels: the size of a panel and of letters, the scale, the floor."""

    wide: int
    tall: int
    words: int
    scale: float  # pixels in a metre
    ground: float  # row of the floor
    floor: float  # its height in metres


def stage(seen: View, height_pixels: int) -> Stage:
    """Return the largest stage on which all of `seen` fits into a picture of that height."""
    tall = FINE * height_pixels
    wide = FINE * 2 * round(PANEL_SHARE * height_pixels / 2)
    words = round(WORDS_SHARE * tall)
    bottom = tall - 2 * words
    height = max(seen.highest - seen.lowest, LEAST_METRES)
    scale = min((bottom - 2 * words) / height, wide / 2 / seen.reach)
    return Stage(wide, tall, words, scale, bottom - (seen.floor - seen.lowest) * scale, seen.floor)


@dataclass(frozen=True, eq=False)
class Panel:
    """Where one dancer is drawn, in fine pixels."""

    dancer: Dancer
    left: int
    stage: Stage
    centres: Float[np.ndarray, " T"]  # x in the middle of each frame

    def draw(
        self, pen: ImageDraw.ImageDraw, frame: int, beating: bool, font: ImageFont.FreeTypeFont
    ) -> None:
        """Draw floor, body and name of one frame; right limbs first, as in the film strip."""
        middle, centre = self.left + self.stage.wide / 2, float(self.centres[frame])
        thick = max(2, round(BONE_METRES * self.stage.scale))
        self._floor(pen, centre, beating, thick)
        joints = self.dancer.joints_world[frame]
        across = middle + (joints[:, 0] - centre) * self.stage.scale
        down = self.stage.ground - (joints[:, 1] - self.stage.floor) * self.stage.scale
        points = list(zip(across.tolist(), down.tolist(), strict=True))
        for side in ("right", "middle", "left"):
            for a, b, found in self.dancer.drawn:
                if found == side:
                    pen.line((points[a], points[b]), INK[side], thick)
                    for x, y in (points[a], points[b]):  # round ends
                        pen.ellipse(_disc(x, y, thick / 2 - 0.5), INK[side])
        if self.dancer.head is not None:
            x, y = points[self.dancer.head]
            pen.ellipse(_disc(x, y, HEAD_METRES * self.stage.scale), INK["middle"])
        name = fitting(self.dancer.name, font, self.stage.wide - int(font.size))
        pen.text((middle, font.size / 2), name, GREY, font, anchor="ma")

    def _floor(self, pen: ImageDraw.ImageDraw, centre: float, beating: bool, thick: int) -> None:
        """Draw the floor's line, green on a beat, and its marks."""
        y = self.stage.ground + thick
        ends = ((self.left, y), (self.left + self.stage.wide - 1, y))
        pen.line(ends, GREEN if beating else PALE_GREY, thick if beating else thick // 2)
        reach = self.stage.wide / 2 / self.stage.scale
        first = int(np.ceil((centre - reach) / MARK_METRES))
        for mark in range(first, int(np.floor((centre + reach) / MARK_METRES)) + 1):
            x = self.left + self.stage.wide / 2 + (mark * MARK_METRES - centre) * self.stage.scale
            pen.line(((x, y), (x, y + 2 * thick)), PALE_GREEN if beating else PALE_GREY, thick // 2)


def _disc(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return (x - radius, y - radius, x + radius, y + radius)


def centres(dancer: Dancer, rate_hz: float) -> Float[np.ndarray, " T"]:
    """Return the x that the camera looks at in each frame: a moving mean over all joints."""
    places = dancer.joints_world[..., 0].mean(axis=1, dtype=float)
    reach = round(CALM_SECONDS * rate_hz)
    total = np.concatenate([[0.0], np.cumsum(places)])
    frame = np.arange(len(places))
    begin, end = np.maximum(frame - reach, 0), np.minimum(frame + reach + 1, len(places))
    return (total[end] - total[begin]) / (end - begin)


@cache
def fitting(name: str, font: ImageFont.FreeTypeFont, pixels: int) -> str:
    """Return `name`, its middle left out where it is wider than so many pixels."""
    for gone in range(len(name)):
        kept = len(name) - gone
        begin = name[: -(-kept // 2)].rstrip()
        shown = f"{begin}…{name[len(name) - kept // 2 :].lstrip()}" if gone else name
        if font.getlength(shown) <= pixels:
            return shown
    return ""


@cache
def letters(pixels: int) -> ImageFont.FreeTypeFont:
    """Return matplotlib's own letters, the same on every machine."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    layout = ImageFont.Layout.BASIC
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), pixels, layout_engine=layout)
