"""Dances with music, ready to learn from: readers, fits and sound features joined, and kept.

Everything slow is computed once and kept by what it was made from (`base.stored`), so a second call
reads arrays. Real corpora are used where they are found, else the built-in synthetic dances.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import joblib
import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base import facts, stored
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.data import aistpp, sources, synthetic, tang
from pasdedeux.data.dance import GENRES, RATE_HZ, Dance, Recording
from pasdedeux.motion import fitting, skeleton
from pasdedeux.motion.fitting import Fit, FitSettings
from pasdedeux.music import features
from pasdedeux.music.features import BEAT, Features, FeatureSettings

Corpus = Literal["auto", "tang", "aistpp", "synthetic"]
REAL = ("tang", "aistpp")
TEMPO_BPM = {"Rumba": 100.0, "Cha Cha": 122.0, "Tango": 128.0, "Waltz": 88.0}
TEMPO_OCTAVES = 0.15  # without a narrow prior six waltzes in thirty are heard at double tempo


class Paired(NamedTuple):
    """Dances sorted by corpus, genre and name, and what people must be told about them."""

    dances: tuple[Dance, ...]
    notice: str  # which data these are, for the caption of every table
    skipped: tuple[str, ...] = ()  # bad input that was left out
    remarks: tuple[str, ...] = ()

    @property
    def checksum(self) -> str:
        """A digest of every number of every dance."""
        return checksum(self.dances)


def checksum(dances: Sequence[Dance]) -> str:
    """Return the SHA-256 over names and numbers of `dances`."""
    arrays = ("translation", "rotations", "offsets_metres", "music")
    parts = ((d.name, *(getattr(d, name).tobytes() for name in arrays)) for d in dances)
    return digest(*(part for dance in parts for part in dance))


def paired(
    corpus: Corpus = "auto", *, dances_a_genre: int = 3, seed: int = 0, skip_bad: bool = False
) -> Paired:
    """Return the dances of `corpus` with their music.

    "auto" joins all real corpora that are found, as the dual-learning paper does, and takes the
    synthetic dances where there is none; `dances_a_genre` and `seed` are for these. Dances without
    music, and those whose time base is doubtful, are left out with a remark.
    """
    choice("corpus", corpus, get_args(Corpus))
    found = [name for name in REAL if sources.found(name)] if corpus == "auto" else [corpus]
    makers = {"tang": _tang, "aistpp": _aistpp}
    parts = [makers[name](skip_bad) for name in found if name in makers]
    if not parts:
        parts = [_synthetic(dances_a_genre, seed)]
    joined = Paired(
        tuple(dance for part in parts for dance in part.dances),
        " and ".join(part.notice for part in parts),
        tuple(told for part in parts for told in part.skipped),
        tuple(told for part in parts for told in part.remarks),
    )
    facts.note("data", {joined.notice: joined.checksum})
    return joined


def in_dance_time(
    song: Features, recording: Recording, frames: int
) -> tuple[Float[np.ndarray, "T 53"], Float[np.ndarray, " N"]]:
    """Return the song's features at each of `frames` frames of a dance, and its beats.

    Frame k sounds at second start + k / `frames` * seconds of the recording. Beats come in seconds
    of the dance; the beat column is set from them, so that none is lost between two frames.
    """
    start, span = recording.start_seconds, recording.seconds
    index = np.rint((start + np.arange(frames) * (span / frames)) * RATE_HZ).astype(int)
    last = len(song.frames) - 1
    refuse(
        int(index[-1]) > last + RATE_HZ,
        f"{recording.path} lasts {last / RATE_HZ:.1f} s, but its dance ends at second "
        f"{index[-1] / RATE_HZ:.1f}; is this its music, and whole?",
    )
    music = song.frames[np.minimum(index, last)].copy()
    beats = (song.beat_seconds - start) * (frames / RATE_HZ) / span
    place = np.rint(beats * RATE_HZ).astype(int)
    inside = (place >= 0) & (place < frames)
    music[:, BEAT] = 0
    music[place[inside], BEAT] = 1
    return music, beats[inside]


def fitted(
    points_world: Sequence[Float[np.ndarray, "_ 23 3"]], settings: FitSettings = FitSettings()
) -> list[Fit]:
    """Return the fit of each dance, kept from earlier calls; several dances at the same time."""
    code = fingerprint("pasdedeux.motion.fitting")
    keys = [digest(points.tobytes(), repr(settings), code) for points in points_world]
    jobs = [
        joblib.delayed(_fitted)(key, points, settings)
        for key, points in zip(keys, points_world, strict=True)
    ]
    workers = min(len(jobs), os.cpu_count() or 1)
    made = []
    for fit in joblib.Parallel(n_jobs=workers, prefer="threads", return_as="generator")(jobs):
        made.append(fit)
        report("fitting bodies", len(made), len(jobs))
    return made


def _fitted(key: str, points: Float[np.ndarray, "T 23 3"], settings: FitSettings) -> Fit:
    return Fit(**stored.arrays("fits", key, lambda: fitting.fit(points, settings)._asdict()))


def _heard(recordings: Sequence[Recording], tempi_bpm: Sequence[float]) -> list[Features]:
    """Return the features of each recording's whole file, its tempo expected near the one given."""
    by_bpm: dict[float, list[int]] = defaultdict(list)
    for place, bpm in enumerate(tempi_bpm):
        by_bpm[bpm].append(place)
    heard: dict[int, Features] = {}
    for done, (bpm, places) in enumerate(sorted(by_bpm.items())):
        report("hearing songs", done, len(by_bpm))
        expected = FeatureSettings(start_bpm=bpm, tempo_octaves=TEMPO_OCTAVES)
        found = features.of_files([recordings[place].path for place in places], expected)
        heard |= dict(zip(places, found, strict=True))
    return [heard[place] for place in range(len(recordings))]


def _tang(skip_bad: bool) -> Paired:
    read = tang.read(skip_bad=skip_bad)
    kept, remarks = [], list(read.remarks)
    for take in read.takes:
        if take.recording is None or take.suspect:
            remarks.append(f"{take.name} is left out: {'; '.join(take.flags)}.")
        else:
            kept.append(take)
    songs = dict(zip((take.name for take in read.takes), tang.songs(read.takes), strict=True))
    heard = _heard([take.recording for take in kept], [TEMPO_BPM[take.genre] for take in kept])
    fits = fitted([take.points_world for take in kept])
    dances = []
    for take, song, fit in zip(kept, heard, fits, strict=True):
        music, beats = in_dance_time(song, take.recording, len(take.points_world))
        dances.append(
            Dance(
                name=take.name,
                corpus="tang",
                genre=take.genre,
                group=take.name,
                song=songs[take.name],
                translation=fit.translation.astype(np.float32),
                rotations=fit.rotations.astype(np.float32),
                offsets_metres=fit.offsets_metres.astype(np.float32),
                music=music,
                beat_seconds=beats,
                flags=take.flags,
                recording=take.recording,
            )
        )
    notice = f"{len(dances)} dances of Tang et al. 2018, fitted to SMPL"
    return Paired(tuple(dances), notice, read.skipped, tuple(remarks))


def _aistpp(skip_bad: bool) -> Paired:
    read = aistpp.read(skip_bad=skip_bad)
    kept = [take for take in read.takes if take.recording is not None]
    heard = _heard([take.recording for take in kept], [aistpp.song_bpm(take.song) for take in kept])
    dances = []
    for take, song in zip(kept, heard, strict=True):
        music, beats = in_dance_time(song, take.recording, len(take.translation))
        dances.append(
            Dance(
                name=take.name,
                corpus="aistpp",
                genre=take.genre,
                group=take.group,
                song=take.song,
                translation=take.translation.astype(np.float32),
                rotations=take.rotations.astype(np.float32),
                offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
                music=music,
                beat_seconds=beats,
                flags=take.flags,
                recording=take.recording,
            )
        )
    silent = len(read.takes) - len(kept)
    remarks = (*read.remarks, *([f"{silent} sequences have no song here."] if silent else []))
    return Paired(tuple(dances), f"{len(dances)} sequences of AIST++", read.skipped, remarks)
