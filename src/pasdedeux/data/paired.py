"""Dances with music, ready to learn from: one corpus or several, in one form.

Real corpora are used where they are found, else the built-in synthetic dances.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from pasdedeux.base import facts, paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.data import aistpp, prepared, sources, tang
from pasdedeux.data.dance import GENRES, Dance
from pasdedeux.music import style
from pasdedeux.music.features import Features

Corpus = Literal["auto", "tang", "aistpp", "synthetic"]
TEMPO_BPM = {"Rumba": 100.0, "Cha Cha": 122.0, "Tango": 128.0, "Waltz": 88.0}
SYNTHETIC_SECONDS = 12.0  # about as long as a sequence of AIST++


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
    corpus: Corpus = "auto",
    *,
    genres: Sequence[str] = GENRES,
    dances_a_genre: int = 3,
    seed: int = 0,
    skip_bad: bool = False,
) -> Paired:
    """Return the dances of `corpus` that are of `genres`, with their music.

    "auto" joins all real corpora that are found, as the dual-learning paper does, and takes the
    synthetic dances where there is none; `dances_a_genre` and `seed` are for these. Dances without
    music, and those whose time base is doubtful, are left out with a remark. Raises `ValueError`
    for bad input, which `skip_bad` leaves out with its message, and when nothing is left.
    """
    choice("corpus", corpus, get_args(Corpus))
    for genre in genres:
        choice("genre", genre, GENRES)
    makers: Mapping[str, Callable[[], Paired]] = {
        "tang": lambda: _tang(genres, skip_bad),
        "aistpp": lambda: _aistpp(genres, skip_bad),
        "synthetic": lambda: _synthetic(genres, dances_a_genre, seed),
    }
    real = [name for name in ("tang", "aistpp") if sources.found(name)]
    wanted = [corpus] if corpus != "auto" else real or ["synthetic"]
    parts = [makers[name]() for name in wanted]
    parts = [part for part in parts if part.dances] or parts[:1]
    joined = Paired(
        tuple(dance for part in parts for dance in part.dances),
        " and ".join(part.notice for part in parts),
        tuple(_portable(told) for part in parts for told in part.skipped),
        tuple(_portable(told) for part in parts for told in part.remarks),
    )
    if not joined.dances:
        told = " ".join(joined.skipped[:1])
        raise ValueError(f"no dance of {', '.join(genres)} in the corpus {corpus!r}. {told}")
    facts.note("data", {joined.notice: joined.checksum})
    return joined


def _portable(message: str) -> str:
    """Return a message that notebooks may keep: it names no folder of this machine."""
    own = paths.data()
    return message.replace(str(own), "$PASDEDEUX_DATA") if own else message


def _tang(genres: Sequence[str], skip_bad: bool) -> Paired:
    read = tang.read(skip_bad=skip_bad)
    songs = dict(zip((take.name for take in read.takes), tang.songs(read.takes), strict=True))
    usable = [take for take in read.takes if take.recording is not None and not take.suspect]
    remarks = [
        f"{take.name} is left out: {'; '.join(take.flags)}."
        for take in read.takes
        if take not in usable
    ]
    usable = [take for take in usable if take.genre in genres]
    tempi = [TEMPO_BPM[take.genre] for take in usable]
    heard = prepared.heard([take.recording for take in usable], tempi, skip_bad=skip_bad)
    kept = [(t, s) for t, s in zip(usable, heard.songs, strict=True) if s is not None]
    fits = prepared.fitted([take.points_world for take, _ in kept])
    dances = [
        _dance("tang", take, take.name, songs[take.name], song, fit)
        for (take, song), fit in zip(kept, fits, strict=True)
    ]
    notice = f"{len(dances)} dances of Tang et al. 2018, fitted to SMPL"
    skipped = (*read.skipped, *heard.messages)
    return Paired(tuple(dances), notice, skipped, (*read.remarks, *remarks))


def _aistpp(genres: Sequence[str], skip_bad: bool) -> Paired:
    read = aistpp.read(skip_bad=skip_bad)
    usable = [take for take in read.takes if take.recording is not None]
    silent = len(read.takes) - len(usable)
    remarks = [f"{silent} sequences of AIST++ have no song here."] if silent else []
    usable = [take for take in usable if take.genre in genres]
    tempi = [aistpp.song_bpm(take.song) for take in usable]
    heard = prepared.heard([take.recording for take in usable], tempi, skip_bad=skip_bad)
    listed = any(take.split for take in read.takes)
    parts = {take.name: take.split or "" if listed else None for take in usable}
    dances = [
        _dance("aistpp", take, take.group, take.song, song, take, split=parts[take.name])
        for take, song in zip(usable, heard.songs, strict=True)
        if song is not None
    ]
    notice = f"{len(dances)} sequences of AIST++"
    if listed:
        inside = sum(bool(dance.split) for dance in dances)
        notice += f", {inside} of them in its official split"
    skipped = (*read.skipped, *heard.messages)
    return Paired(tuple(dances), notice, skipped, (*read.remarks, *remarks))


def _synthetic(genres: Sequence[str], dances_a_genre: int, seed: int) -> Paired:
    refuse(dances_a_genre < 1, f"dances_a_genre must be at least 1, got {dances_a_genre}.")
    asked = [(genre, index) for genre in genres for index in range(dances_a_genre)]
    made = prepared.built_in(asked, seed=seed, seconds=SYNTHETIC_SECONDS)
    tempi = [float(np.mean(style.styles()[genre].bpm)) for genre, _ in asked]
    heard = prepared.heard([take.recording for take in made], tempi, skip_bad=False)
    dances = [
        _dance("synthetic", take, take.group, take.song, song, take)
        for take, song in zip(made, heard.songs, strict=True)
    ]
    notice = f"{len(dances)} synthetic dances with music, built in, seed {seed}"
    return Paired(tuple(dances), notice)


def _dance(
    corpus: str,
    take: Any,
    group: str,
    song: str,
    heard: Features,
    body: Any,
    *,
    split: str | None = None,
) -> Dance:
    """Return one dance; `body` holds translation, rotations and offsets_metres."""
    music, beats = prepared.in_dance_time(heard, take.recording, len(body.translation))
    return Dance(
        name=take.name,
        corpus=corpus,
        genre=take.genre,
        group=group,
        song=song,
        translation=body.translation.astype(np.float32),
        rotations=body.rotations.astype(np.float32),
        offsets_metres=body.offsets_metres.astype(np.float32),
        music=music,
        beat_seconds=beats,
        flags=take.flags,
        recording=take.recording,
        split=split,
    )
