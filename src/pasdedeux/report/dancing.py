"""Watch a dance in a notebook, with its sound, also after the notebook was saved.

The player is one HTML fragment that asks nothing of a network: joints as whole millimetres, the
sound as Ogg Vorbis, a script of our own (`dancing.js`). Where scripts do not run (an untrusted
notebook, a page of the report) the same fragment shows a film strip and a plain sound player.
"""

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.data.dance import RATE_HZ, Dance
from pasdedeux.music.audio import RATE_HZ as SOUND_RATE_HZ
from pasdedeux.music.audio import ogg
from pasdedeux.report.bodies import Dancer, dancer_of, filmstrip
from pasdedeux.report.picture import Picture, png

SCRIPT, FRAME = Path(__file__).with_name("dancing.js"), Path(__file__).with_name("dancing.html")
FARTHEST_METRES = 32.0  # whole millimetres in 16 bits
FALLBACK_POSES, FALLBACK_DOTS = 12, 80
MOST_STRETCH = 0.1  # between a dance and its sound; more is not the sound of this dance
CALM_SECONDS = 1.0  # the camera follows the mean place of this long before and after


@dataclass(frozen=True, repr=False)
class Player:
    """A dance that a notebook shows; everything it needs is in its markup."""

    title: str
    seconds: float
    strip: Picture
    markup: str

    def __repr__(self) -> str:
        return f"{self.title}: {self.seconds:.1f} s of dance"

    def _repr_html_(self) -> str:
        return self.markup


def watch(
    dancers: Dancer | Sequence[Dancer],
    title: str,
    *,
    rate_hz: float = 25.0,
    sound: Float[np.ndarray, " S"] | None = None,
    sound_rate_hz: int = SOUND_RATE_HZ,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    together: bool = False,
) -> Player:
    """Return a player for one dancer or several, side by side or `together` on one floor.

    `sound` begins with the first frame and is cut where the dance ends. Beats flash on the floor.
    Keys while the player has the focus: space, arrows (half a second; a frame with shift), Home,
    End; dragging turns the view. Raises `ValueError` for dancers of different lengths.
    """
    shown = [dancers] if isinstance(dancers, Dancer) else list(dancers)
    _check(shown, rate_hz, beat_seconds)
    frames = len(shown[0].joints_world)
    seconds = (frames - 1) / rate_hz
    beats = np.zeros(0) if beat_seconds is None else beat_seconds[beat_seconds <= seconds]
    every = max(seconds / FALLBACK_POSES, 1 / rate_hz)
    strip = filmstrip(
        shown, rate_hz=rate_hz, every_seconds=every, beat_seconds=beats, per_row=FALLBACK_POSES + 1
    )
    description = f"{title}: {seconds:.1f} s of dance by {', '.join(d.name for d in shown)}"
    description += f", {len(beats)} beats" if len(beats) else ""
    dance = _packed(shown, rate_hz=rate_hz, beats=beats, together=together)
    dance["description"] = description
    heard = "" if sound is None else _audio(sound, sound_rate_hz, (frames - 1) / rate_hz)
    written = json.dumps(dance, separators=(",", ":")).replace("<", "\\u003c")
    markup = Template(FRAME.read_text(encoding="utf-8")).substitute(
        id=digest(title, written, heard)[:12],
        title=html.escape(title),
        description=html.escape(description),
        picture=base64.b64encode(png(strip, FALLBACK_DOTS)).decode(),
        sound=heard,
        script=SCRIPT.read_text(encoding="utf-8").strip(),
        dance=written,
    )
    return Player(title, seconds, strip, markup)


def excerpt(
    dance: Dance,
    title: str = "",
    *,
    sound: Float[np.ndarray, " S"] | None = None,
    sound_rate_hz: int = SOUND_RATE_HZ,
    start_seconds: float = 0.0,
    seconds: float = 9.0,
) -> Player:
    """Return a player for `seconds` of a dance of a corpus, with `sound`, that of the whole dance.

    The sound may last a percent longer or shorter than the frames that belong to it; they are then
    shown a percent slower or faster, so that body and sound stay together.
    """
    first, total = round(start_seconds * RATE_HZ), len(dance.translation)
    count = min(total - first, round(seconds * RATE_HZ))
    told = (
        f"{dance.name} lasts {dance.seconds:.1f} s, nothing lies at {start_seconds} for {seconds}."
    )
    refuse(first < 0 or count < 1, told)
    rate_hz = float(RATE_HZ)
    if sound is not None:
        rate_hz = total * sound_rate_hz / max(1, len(sound))
        share = abs(rate_hz / RATE_HZ - 1)
        told = f"{len(sound) / sound_rate_hz:.1f} s of sound for {dance.seconds:.1f} s of dance"
        refuse(share > MOST_STRETCH, f"{dance.name}: {told}; give the sound of all its frames.")
        cut = [round(frame * len(sound) / total) for frame in (first, first + count)]
        sound = sound[cut[0] : cut[1]]
    beats = dance.beat_seconds[dance.beat_seconds >= first / RATE_HZ] - first / RATE_HZ
    return watch(
        dancer_of(dance.name, dance.joints_world[first : first + count], dance.body),
        title or f"{dance.name}, {dance.genre}",
        rate_hz=rate_hz,
        sound=sound,
        sound_rate_hz=sound_rate_hz,
        beat_seconds=beats * RATE_HZ / rate_hz,
    )


def packed(metres: Float[np.ndarray, "*any"]) -> str:
    """Return `metres` as base64 of whole millimetres, 16 bits each, least byte first."""
    farthest = float(np.abs(metres).max(initial=0.0))
    refuse(
        not farthest <= FARTHEST_METRES,
        f"joints reach {farthest:.1f} m from the origin, {FARTHEST_METRES:g} m fit; are they in "
        "metres? Else move the dance to the origin.",
    )
    return base64.b64encode(np.round(1000 * metres).astype("<i2").tobytes()).decode()


def unpacked(text: str) -> Float[np.ndarray, " N"]:
    """Return the metres that `packed` wrote, in one row."""
    return np.frombuffer(base64.b64decode(text), dtype="<i2") / 1000.0


def _check(
    dancers: Sequence[Dancer], rate_hz: float, beat_seconds: Float[np.ndarray, " N"] | None
) -> None:
    refuse(not dancers, "watch needs at least one dancer, got none.")
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    lengths = {dancer.name: len(dancer.joints_world) for dancer in dancers}
    told = f"dancers must have equally many frames, got {lengths}; cut the longer ones."
    refuse(len(set(lengths.values())) > 1, told)
    if beat_seconds is not None:
        fine = bool(np.isfinite(beat_seconds).all()) and bool((np.diff(beat_seconds) > 0).all())
        refuse(not fine, "beat_seconds must be finite and increase; are they in seconds?")


def _packed(
    dancers: Sequence[Dancer],
    *,
    rate_hz: float,
    beats: Float[np.ndarray, " N"],
    together: bool,
) -> dict[str, object]:
    """Return what the script reads; see `dancing.js`."""
    groups = [list(range(len(dancers)))] if together else [[n] for n in range(len(dancers))]
    heights = np.concatenate([dancer.joints_world[..., 1].ravel() for dancer in dancers])
    return {
        "rate_hz": rate_hz,
        "frames": len(dancers[0].joints_world),
        "floor_metres": round(float(heights.min()), 3),
        "top_metres": round(float(heights.max()) + 0.1, 3),
        "beat_seconds": [round(float(beat), 3) for beat in beats],
        "panels": [
            {
                "name": ", ".join(dancers[number].name for number in group),
                "dancers": group,
                "centres": packed(_centres([dancers[number] for number in group], rate_hz)),
            }
            for group in groups
        ],
        "dancers": [
            {
                "count": dancer.joints_world.shape[1],
                "segments": dancer.drawn,
                "head": dancer.head,
                "joints": packed(dancer.joints_world),
            }
            for dancer in dancers
        ],
    }


def _centres(dancers: Sequence[Dancer], rate_hz: float) -> Float[np.ndarray, "T 2"]:
    """Return where on the floor (x, z) the camera looks: a moving mean over all joints."""
    places = np.mean([dancer.joints_world[..., ::2].mean(axis=1) for dancer in dancers], axis=0)
    reach = round(CALM_SECONDS * rate_hz)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(places, axis=0, dtype=float)])
    frame = np.arange(len(places))
    begin, end = np.maximum(frame - reach, 0), np.minimum(frame + reach + 1, len(places))
    return (total[end] - total[begin]) / (end - begin)[:, None]


def _audio(sound: Float[np.ndarray, " S"], rate_hz: int, seconds: float) -> str:
    refuse(rate_hz < 1, f"sound_rate_hz must be above 0, got {rate_hz}.")
    cut = sound[: max(1, round(seconds * rate_hz))]
    source = base64.b64encode(ogg(cut, rate_hz)).decode()
    return (
        '<audio controls preload="auto" style="display:block" '
        f'src="data:audio/ogg;base64,{source}">This browser plays no Ogg Vorbis.</audio>\n'
    )
