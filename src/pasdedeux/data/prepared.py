"""The slow steps between a recording and a dance with music, each done once and kept.

Bodies are fitted to points, songs are heard, and both are put on the time axis of the dance. What
is kept is known by what it was made from: file contents, settings and code (`base.stored`).
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import joblib
import numpy as np
import soundfile
from jaxtyping import Float

from pasdedeux.base import paths, stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest, whole
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.data import synthetic
from pasdedeux.data.dance import RATE_HZ, Dance, Recording
from pasdedeux.motion import fitting
from pasdedeux.motion.fitting import Fit, FitSettings
from pasdedeux.music import features, recording
from pasdedeux.music.features import BEAT, Features, FeatureSettings

TEMPO_OCTAVES = 0.15  # without a narrow prior every fifth waltz is heard at double tempo
_WORDS = ("name", "genre", "group", "song")
_ARRAYS = ("translation", "rotations", "offsets_metres")


class Heard(NamedTuple):
    """The features of each song, None for one that cannot be read, and the messages on these."""

    songs: list[Features | None]
    messages: tuple[str, ...]


def fitted(
    points_world: Sequence[Float[np.ndarray, "_ 23 3"]], settings: FitSettings | None = None
) -> list[Fit]:
    """Return the SMPL body fitted to each dance of points, in metres."""
    settings = FitSettings() if settings is None else settings
    code = fingerprint("pasdedeux.motion.fitting")

    def one(points: Float[np.ndarray, "T 23 3"]) -> Fit:
        key = digest(points.tobytes(), repr(settings), code)
        kept = stored.arrays("fits", key, lambda: fitting.fit(points, settings)._asdict())
        return Fit(**kept)

    return _together("fitting bodies", one, points_world)


def heard(recordings: Sequence[Recording], tempi_bpm: Sequence[float], *, skip_bad: bool) -> Heard:
    """Return the features of each recording's whole file, its tempo expected near the one given.

    Raises `ValueError` for a file that cannot be read, unless `skip_bad`.
    """
    messages = []

    def one(pair: tuple[Recording, float]) -> Features | None:
        expected = FeatureSettings(start_bpm=pair[1], tempo_octaves=TEMPO_OCTAVES)
        try:
            return features.of_files([pair[0].path], expected, workers=1)[0]
        except ValueError as error:
            if not skip_bad:
                raise
            messages.append(str(error))
            return None

    pairs = list(zip(recordings, tempi_bpm, strict=True))
    songs = _together("hearing songs", one, pairs)
    return Heard(songs, tuple(sorted(messages)))


def in_dance_time(
    song: Features, source: Recording, frames: int
) -> tuple[Float[np.ndarray, "T 53"], Float[np.ndarray, " N"]]:
    """Return the song's features at each of `frames` frames of a dance, and its beats.

    Frame k sounds at second start + k / `frames` * seconds of the recording. Beats come in seconds
    of the dance; the beat column is set from them, so that none is lost between two frames.
    """
    start, span = source.start_seconds, source.seconds
    index = np.rint((start + np.arange(frames) * (span / frames)) * RATE_HZ).astype(int)
    last = len(song.frames) - 1
    refuse(
        int(index[-1]) > last + RATE_HZ,
        f"{source.path} lasts {last / RATE_HZ:.1f} s, but its dance ends at second "
        f"{index[-1] / RATE_HZ:.1f}; is this its music, and whole?",
    )
    music = song.frames[np.minimum(index, last)].copy()
    beats = (song.beat_seconds - start) * (frames / RATE_HZ) / span
    place = np.rint(beats * RATE_HZ).astype(int)
    inside = (place >= 0) & (place < frames)
    music[:, BEAT] = 0
    music[place[inside], BEAT] = 1
    return music, beats[inside]


@dataclass(frozen=True, eq=False)
class BuiltIn:
    """A synthetic dance as it is kept: all of `synthetic.Made` but the sound, which is a file."""

    name: str
    genre: str
    group: str
    song: str
    translation: Float[np.ndarray, "T 3"]
    rotations: Float[np.ndarray, "T 24 6"]
    offsets_metres: Float[np.ndarray, "24 3"]
    recording: Recording
    flags: tuple[str, ...] = ()


def built_in(asked: Sequence[tuple[str, int]], *, seed: int, seconds: float) -> list[BuiltIn]:
    """Return the synthetic dance of each genre and index asked for."""
    code = fingerprint("pasdedeux.data.synthetic")

    def one(pair: tuple[str, int]) -> BuiltIn:
        key = digest(repr((*pair, seed, seconds)), code)
        file = paths.cache() / "synthetic" / f"{key}.flac"

        def make() -> dict[str, np.ndarray]:
            made = synthetic.dance(*pair, seed=seed, seconds=seconds)
            with whole(file) as part:
                soundfile.write(part, made.sound, made.sample_rate_hz, format="FLAC")
            return {name: np.asarray(getattr(made, name)) for name in (*_WORDS, *_ARRAYS)}

        kept = stored.arrays("synthetic", key, make)
        if not file.is_file():  # somebody has cleared a part of the cache
            make()
        words = {name: str(kept[name]) for name in _WORDS}
        arrays = {name: kept[name] for name in _ARRAYS}
        lasts = len(kept["translation"]) / RATE_HZ
        return BuiltIn(**words, **arrays, recording=Recording(file, 0.0, lasts))

    return _together("making dances", one, asked)


def sound(dance: Dance, rate_hz: int, *, start: int = 0, frames: int | None = None) -> np.ndarray:
    """Return what sounds during `frames` frames of `dance` from frame `start` on, mono float32."""
    if dance.recording is None:
        raise ValueError(f"{dance.name} has no recording; choose a dance with music.")
    total = len(dance.translation)
    frames = total - start if frames is None else frames
    refuse(
        not 0 <= start < start + frames <= total,
        f"frames {start} to {start + frames} are not within the {total} of {dance.name}.",
    )
    source = dance.recording
    begin, end = (
        round((source.start_seconds + frame / total * source.seconds) * rate_hz)
        for frame in (start, start + frames)
    )
    return recording.read(source.path, rate_hz)[begin:end]


def _together(task: str, call: Callable, items: Sequence) -> list:
    """Return `call` of every item, several at a time; they release the interpreter's lock."""
    workers = max(1, min(len(items), os.cpu_count() or 1))
    jobs = [joblib.delayed(call)(item) for item in items]
    made = []
    for result in joblib.Parallel(workers, prefer="threads", return_as="generator")(jobs):
        made.append(result)
        report(task, len(made), len(items))
    return made
