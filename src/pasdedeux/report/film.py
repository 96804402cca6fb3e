"""Dances as films: GIF by itself, MP4 with sound where the program ffmpeg is installed.

Where the camera stands and how a dancer is drawn: `report.stage`. Frames are drawn with PIL at
twice the size and made smaller, which smooths their edges. `T` frames.
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

import numpy as np
import soundfile
from jaxtyping import Float
from PIL import Image, ImageDraw

from pasdedeux.base.checks import refuse
from pasdedeux.music.audio import RATE_HZ as SOUND_RATE_HZ
from pasdedeux.report.bodies import INK, Dancer
from pasdedeux.report.picture import GREEN, GREY, PALE_GREEN, PALE_GREY
from pasdedeux.report.stage import FINE, Panel, View, centres, letters, stage, view

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
    view: View | None = None  # films to be compared share one; that of the dancers when None

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
    dancers = shown.dancers
    beats = np.zeros(0) if beat_seconds is None else beat_seconds
    seen = settings.view or view(dancers, rate_hz=rate_hz)
    on = stage(seen, settings.height_pixels)
    panels = [
        Panel(dancer, place * on.wide, on, centres(dancer, rate_hz))
        for place, dancer in enumerate(dancers)
    ]
    words = on.words
    font = letters(words)
    for frame in shown.which:
        seconds = frame / rate_hz
        since = seconds - beats
        beating = bool(((since >= -1e-9) & (since < FLASH_SECONDS)).any())
        sheet = Image.new("RGB", (on.wide * len(dancers), on.tall), "white")
        pen = ImageDraw.Draw(sheet)
        for panel in panels:
            panel.draw(pen, int(frame), beating, font)
        pen.text((words // 2, on.tall - words // 3), f"{seconds:.1f} s", GREY, font, anchor="ls")
        yield sheet.reduce(FINE)


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
