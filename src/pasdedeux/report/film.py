"""Dances as films: GIF by itself, MP4 with sound where the program ffmpeg is installed.

The camera is that of the film strip: it stands in front of a dancer who faces z, and sees x to the
right and y up, without perspective. It follows the dancer calmly along x; marks on the floor, half
a metre apart, show the way. Frames are drawn with PIL at twice the size and made smaller, which
smooths their edges. Frame of reference: the world's, metres. `T` frames.
"""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import soundfile
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from pasdedeux.base.checks import refuse
from pasdedeux.music.audio import RATE_HZ as SOUND_RATE_HZ
from pasdedeux.report.bodies import INK, Dancer
from pasdedeux.report.picture import GREEN, GREY, PALE_GREEN, PALE_GREY

FINE = 2  # drawn this much larger, then made smaller
PANEL_SHARE = 0.8  # width of a panel over its height
WORDS_SHARE = 0.05  # height of letters over that of the film
BONE_METRES, HEAD_METRES = 0.035, 0.11
MARK_METRES = 0.5
CALM_SECONDS = 1.0  # the camera follows the mean place of this long before and after
FLASH_SECONDS = 0.12  # the floor is green this long from each beat on
GIF_HZ = 25.0  # a GIF counts hundredths of a second, and browsers slow down what is faster than 50
SMOOTH = 6  # steps of each colour between ink and paper
MOST_FRAMES = 25 * 60 * 10
MOST_GIF_FRAMES = 25 * 60 * 2  # all of them are held in memory until it is written
REMEDY = "install ffmpeg (conda install ffmpeg, or your system's package), or write a .gif"
Drawn = Callable[[int, int], object]  # told: pictures drawn, pictures in all


class _Shown(NamedTuple):
    """Who is shown, and the numbers of the frames."""

    dancers: list[Dancer]
    which: np.ndarray


@dataclass(frozen=True)
class FilmSettings:
    """How a film looks; the width is 0.8 of the height for each dancer."""

    height_pixels: int = 360
    start_seconds: float = 0.0
    seconds: float | None = None  # to the end when None

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        fits = 48 <= self.height_pixels <= 2160 and self.height_pixels % 2 == 0
        told = f"height_pixels must be even and within 48..2160, got {self.height_pixels}."
        refuse(not fits, told)
        long = self.seconds is None or self.seconds > 0
        refuse(not long, f"seconds must be above 0, got {self.seconds}.")
        refuse(not self.start_seconds >= 0, f"start_seconds is {self.start_seconds}, below 0.")


def gif(
    dancers: Dancer | Sequence[Dancer],
    *,
    rate_hz: float = 25.0,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    settings: FilmSettings = FilmSettings(),  # noqa: B008
    drawn: Drawn | None = None,
) -> bytes:
    """Return a GIF that plays for ever; several dancers stand side by side.

    The same dance gives the same bytes. Frames come at 25 a second at most; of faster dances some
    are left out. `drawn` is told after each picture how many there are, and of how many. Raises
    `ValueError` for no dancer, different lengths or rates that are not above 0, and more than two
    minutes of film.
    """
    shown_hz = min(rate_hz, GIF_HZ)
    shown = _shown(dancers, rate_hz, shown_hz, settings)
    told = f"a GIF holds {MOST_GIF_FRAMES} pictures at most; choose fewer seconds"
    refuse(len(shown.which) > MOST_GIF_FRAMES, f"{told}, or write an .mp4.")
    palette, plain, indexed = _palette(), Image.Dither.NONE, []
    for picture in _told(_drawn(shown, rate_hz, beat_seconds, settings), len(shown.which), drawn):
        indexed.append(picture.quantize(palette=palette, dither=plain))
    ends = np.round(np.arange(len(indexed) + 1) * 100 / shown_hz).astype(int) * 10
    out = io.BytesIO()
    indexed[0].save(
        out, format="GIF", save_all=True, append_images=indexed[1:], loop=0, optimize=False,
        duration=np.diff(ends).tolist(), disposal=1,
    )  # fmt: skip
    return out.getvalue()


def mp4(
    dancers: Dancer | Sequence[Dancer],
    sound: Float[np.ndarray, " S"] | None = None,
    *,
    rate_hz: float = 25.0,
    sound_rate_hz: int = SOUND_RATE_HZ,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    settings: FilmSettings = FilmSettings(),  # noqa: B008
    drawn: Drawn | None = None,
) -> bytes:
    """Return an MP4 film; `sound` begins with frame 0 of the dance and is cut where it ends.

    Encoded by ffmpeg with its own choice for MP4 (H.264 and AAC in common builds). `drawn` as in
    `gif`. Raises `ValueError` as `gif` does, here for more than ten minutes, and when ffmpeg is not
    on PATH or cannot encode.
    """
    program = ffmpeg()
    refuse(sound_rate_hz < 1, f"sound_rate_hz must be above 0, got {sound_rate_hz}.")
    shown = _shown(dancers, rate_hz, rate_hz, settings)
    pictures = _told(_drawn(shown, rate_hz, beat_seconds, settings), len(shown.which), drawn)
    first = next(pictures)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heard: list[str] = []
        if sound is not None:
            begin = round(settings.start_seconds * sound_rate_hz)
            soundfile.write(folder / "sound.wav", sound[begin:], sound_rate_hz, subtype="PCM_16")
            heard = ["-i", str(folder / "sound.wav"), "-shortest"]
        command = [
            program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
            "-s", f"{first.width}x{first.height}", "-r", f"{rate_hz:g}", "-i", "-", *heard,
            "-pix_fmt", "yuv420p", "-movflags", "+faststart",
            str(folder / "film.mp4"),
        ]  # fmt: skip
        _encode(command, first, pictures, folder / "told.txt")
        return (folder / "film.mp4").read_bytes()


def ffmpeg() -> str:
    """Return the program that encodes films; raises `ValueError` with the remedy without it."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(f"an MP4 film needs the program ffmpeg, which is not on PATH; {REMEDY}.")
    return program


def _encode(
    command: list[str], first: Image.Image, rest: Iterator[Image.Image], told: Path
) -> None:
    """Give all pictures to ffmpeg; what it complains of goes to the file `told`."""
    with told.open("wb") as complaints:
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=complaints)
        try:
            with program.stdin as pipe:
                pipe.write(first.tobytes())
                for picture in rest:
                    pipe.write(picture.tobytes())
        except BrokenPipeError:
            pass  # it has ended early and told why
        finally:
            status = program.wait()
    why = told.read_text(encoding="utf-8", errors="replace").strip()[-300:]
    refuse(status != 0, f"ffmpeg could not make the film ({why or status}); {REMEDY}.")


def frames(
    dancers: Dancer | Sequence[Dancer],
    *,
    rate_hz: float = 25.0,
    shown_hz: float | None = None,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    settings: FilmSettings = FilmSettings(),  # noqa: B008
) -> Iterator[Image.Image]:
    """Return the pictures of a film in order, `shown_hz` a second (every frame unless given)."""
    shown = _shown(dancers, rate_hz, shown_hz or rate_hz, settings)
    return _drawn(shown, rate_hz, beat_seconds, settings)


def _shown(
    dancers: Dancer | Sequence[Dancer], rate_hz: float, shown_hz: float, settings: FilmSettings
) -> _Shown:
    """Return who is shown, and which frames."""
    shown = [dancers] if isinstance(dancers, Dancer) else list(dancers)
    refuse(not shown, "a film needs at least one dancer, got none.")
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    lengths = {dancer.name: len(dancer.joints_world) for dancer in shown}
    told = f"dancers must have equally many frames, got {lengths}; cut the longer ones."
    refuse(len(set(lengths.values())) > 1, told)
    total = len(shown[0].joints_world)
    begin = round(settings.start_seconds * rate_hz)
    told = f"start_seconds {settings.start_seconds} lies outside the {total / rate_hz:g} s of dance"
    refuse(begin >= total, f"{told}.")
    wanted = total if settings.seconds is None else begin + round(settings.seconds * rate_hz)
    step = rate_hz / shown_hz
    which = np.arange(begin, max(begin + 1, min(total, wanted)) - 1e-9, step).astype(int)
    told = f"{len(which)} pictures are too many for a film; choose fewer seconds."
    refuse(len(which) > MOST_FRAMES, told)
    return _Shown(shown, which)


def _told(
    pictures: Iterator[Image.Image], total: int, drawn: Drawn | None
) -> Iterator[Image.Image]:
    """Yield `pictures`, each counted."""
    for done, picture in enumerate(pictures, 1):
        if drawn is not None:
            drawn(done, total)
        yield picture


def _drawn(
    shown: _Shown,
    rate_hz: float,
    beat_seconds: Float[np.ndarray, " N"] | None,
    settings: FilmSettings,
) -> Iterator[Image.Image]:
    """Yield the picture of each frame that is shown."""
    dancers, height_pixels = shown.dancers, settings.height_pixels
    beats = np.zeros(0) if beat_seconds is None else beat_seconds
    low = min(float(dancer.joints_world[..., 1].min()) for dancer in dancers)
    high = max(float(dancer.joints_world[..., 1].max()) for dancer in dancers) + HEAD_METRES
    tall = FINE * height_pixels
    wide = FINE * 2 * round(PANEL_SHARE * height_pixels / 2)
    words = round(WORDS_SHARE * tall)
    ground = tall - 2 * words
    centres = [_centres(dancer, rate_hz) for dancer in dancers]
    reach = max(
        float(np.abs(d.joints_world[..., 0] - at[:, None]).max())
        for d, at in zip(dancers, centres, strict=True)
    )
    scale = min((ground - 2 * words) / max(high - low, 0.5), wide / 2 / (reach + HEAD_METRES))
    panels = [
        _Panel(dancer, place * wide, wide, scale, low, ground, at)
        for place, (dancer, at) in enumerate(zip(dancers, centres, strict=True))
    ]
    font = _font(words)
    for frame in shown.which:
        seconds = frame / rate_hz
        since = seconds - beats
        beating = bool(((since >= -1e-9) & (since < FLASH_SECONDS)).any())
        sheet = Image.new("RGB", (wide * len(dancers), tall), "white")
        pen = ImageDraw.Draw(sheet)
        for panel in panels:
            panel.draw(pen, int(frame), beating, font)
        pen.text((words // 2, tall - words // 3), f"{seconds:.1f} s", GREY, font, anchor="ls")
        yield sheet.reduce(FINE)


@dataclass(frozen=True, eq=False)
class _Panel:
    """Where one dancer is drawn, in fine pixels."""

    dancer: Dancer
    left: int
    wide: int
    scale: float  # pixels in a metre
    low: float  # metres of the floor
    ground: int
    centres: Float[np.ndarray, " T"]  # x in the middle of each frame

    def draw(
        self, pen: ImageDraw.ImageDraw, frame: int, beating: bool, font: ImageFont.FreeTypeFont
    ) -> None:
        """Draw floor, body and name of one frame; right limbs first, as in the film strip."""
        middle, centre = self.left + self.wide / 2, float(self.centres[frame])
        thick = max(2, round(BONE_METRES * self.scale))
        self._floor(pen, centre, beating, thick)
        joints = self.dancer.joints_world[frame]
        across = middle + (joints[:, 0] - centre) * self.scale
        down = self.ground - (joints[:, 1] - self.low) * self.scale
        points = list(zip(across.tolist(), down.tolist(), strict=True))
        for side in ("right", "middle", "left"):
            for a, b, found in self.dancer.drawn:
                if found == side:
                    pen.line((points[a], points[b]), INK[side], thick)
                    for x, y in (points[a], points[b]):  # round ends
                        pen.ellipse(_disc(x, y, thick / 2 - 0.5), INK[side])
        if self.dancer.head is not None:
            x, y = points[self.dancer.head]
            pen.ellipse(_disc(x, y, HEAD_METRES * self.scale), INK["middle"])
        name = _fitting(self.dancer.name, font, self.wide - int(font.size))
        pen.text((middle, font.size / 2), name, GREY, font, anchor="ma")

    def _floor(self, pen: ImageDraw.ImageDraw, centre: float, beating: bool, thick: int) -> None:
        """Draw the floor's line, green on a beat, and its marks."""
        y = self.ground + thick
        ends = ((self.left, y), (self.left + self.wide - 1, y))
        pen.line(ends, GREEN if beating else PALE_GREY, thick if beating else thick // 2)
        reach = self.wide / 2 / self.scale
        first = int(np.ceil((centre - reach) / MARK_METRES))
        for mark in range(first, int(np.floor((centre + reach) / MARK_METRES)) + 1):
            x = self.left + self.wide / 2 + (mark * MARK_METRES - centre) * self.scale
            pen.line(((x, y), (x, y + 2 * thick)), PALE_GREEN if beating else PALE_GREY, thick // 2)


def _disc(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return (x - radius, y - radius, x + radius, y + radius)


def _centres(dancer: Dancer, rate_hz: float) -> Float[np.ndarray, " T"]:
    """Return the x that the camera looks at in each frame: a moving mean over all joints."""
    places = dancer.joints_world[..., 0].mean(axis=1, dtype=float)
    reach = round(CALM_SECONDS * rate_hz)
    total = np.concatenate([[0.0], np.cumsum(places)])
    frame = np.arange(len(places))
    begin, end = np.maximum(frame - reach, 0), np.minimum(frame + reach + 1, len(places))
    return (total[end] - total[begin]) / (end - begin)


@cache
def _fitting(name: str, font: ImageFont.FreeTypeFont, pixels: int) -> str:
    """Return `name`, its middle left out where it is wider than so many pixels."""
    for gone in range(len(name)):
        kept = len(name) - gone
        begin = name[: -(-kept // 2)].rstrip()
        shown = f"{begin}…{name[len(name) - kept // 2 :].lstrip()}" if gone else name
        if font.getlength(shown) <= pixels:
            return shown
    return ""


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    """Return matplotlib's own letters, the same on every machine."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    layout = ImageFont.Layout.BASIC
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), pixels, layout_engine=layout)


@cache
def _palette() -> Image.Image:
    """Return the colours of a GIF: each ink in steps to white, those of a body to each other."""
    inks = [_numbers(ink) for ink in (*INK.values(), GREEN, GREY, PALE_GREEN, PALE_GREY)]
    white = np.full(3, 255.0)
    pairs = [(ink, white) for ink in inks]
    pairs += [(inks[a], inks[b]) for a in range(3) for b in range(a)]
    shares = np.arange(SMOOTH + 1) / SMOOTH
    mixed = [np.round(a + share * (b - a)) for a, b in pairs for share in shares]
    unique = np.unique(np.array(mixed, dtype=np.uint8), axis=0)
    holder = Image.new("P", (1, 1))
    holder.putpalette(unique.tobytes())
    return holder


def _numbers(colour: str) -> Float[np.ndarray, " 3"]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=float)
