"""Two corpora of melodies as windows of token ids, split, transposed and balanced.

`melody_pair(settings)` is what every system trains on and every metric compares with. It is built
in seconds and cached under `.cache/melodies`, keyed by the content of the corpora, the settings and
the code of this room.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Int

from pasdedeux.base import facts, paths, seeding, source
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest, whole
from pasdedeux.data import essen, sources, wjazzd
from pasdedeux.data.corpus import Corpus, Song
from pasdedeux.data.splits import SHARES, balanced, split
from pasdedeux.data.windows import windows
from pasdedeux.music import key
from pasdedeux.music.melody import BAR_QUARTERS, Melody, Vocabulary, steps

Pair = Literal["auto", "jazz-folk", "german-chinese"]
Transposition = Literal["none", "tonic", "signature"]


@dataclass(frozen=True)
class MelodySettings:
    """What the windows are made of; the defaults are this project's, `paper()` the code's grid."""

    pair: Pair = "auto"  # "auto" takes jazz when it is there, else the built-in pair
    steps_per_quarter: int = 4  # a step is a sixteenth note
    jazz_timing: wjazzd.Timing = "tempo"  # quarters of a solo's average tempo, or of 120 a minute
    transposition: Transposition = "tonic"  # tonic to C, or key signature to that of C major
    shift: key.Shift = "nearest"  # -5..+6 semitones, or -11..0
    window: int = 36  # steps
    stride: int = 16  # steps
    train_windows: int | None = 4000  # of each corpus; None takes all of the smaller one
    seed: int = 0  # of the choice of training windows
    skip_bad_files: bool = False  # leave bad songs out and tell, instead of refusing the corpus

    def __post_init__(self) -> None:
        """Refuse settings out of range, naming the setting."""
        choice("pair", self.pair, get_args(Pair))
        choice("jazz_timing", self.jazz_timing, get_args(wjazzd.Timing))
        choice("transposition", self.transposition, get_args(Transposition))
        choice("shift", self.shift, get_args(key.Shift))
        for name in ("steps_per_quarter", "window", "stride"):
            refuse(getattr(self, name) < 1, f"{name} must be above 0, got {getattr(self, name)}.")
        count = self.train_windows
        refuse(count is not None and count < 1, f"train_windows must be above 0, got {count}.")

    @classmethod
    def paper(cls) -> "MelodySettings":
        """The grid of the released code: 8 steps a quarter, jazz at 120, shifted downwards."""
        return cls(steps_per_quarter=8, jazz_timing="nominal", shift="down", train_windows=None)


@dataclass(frozen=True, eq=False)
class Domain:
    """One side of the pair: windows of token ids by split, and where they come from."""

    name: str
    corpus: str
    train: Int[np.ndarray, "N T"]
    valid: Int[np.ndarray, "M T"]
    test: Int[np.ndarray, "K T"]
    songs: Mapping[str, int]  # by split
    skipped: tuple[str, ...]  # bad input that was left out
    remarks: tuple[str, ...]  # what else was left out or passed over
    licence: str
    citation: str


@dataclass(frozen=True, eq=False)
class MelodyPair:
    """Both sides in one vocabulary; as many training windows on the one side as on the other."""

    a: Domain
    b: Domain
    vocabulary: Vocabulary
    settings: MelodySettings
    checksum: str  # SHA-256 over names, pitches and every window: all that training can see
    notice: str  # one line for captions


@dataclass(frozen=True)
class _Side:
    """How one side of a pair is read."""

    name: str
    corpus: str
    families: tuple[str, ...] | None = None  # of the Essen collection

    def files(self) -> list[Path]:
        """Return the files the songs are read from."""
        return wjazzd.files() if self.corpus == wjazzd.NAME else essen.files(self.families)

    def read(self, settings: MelodySettings) -> Corpus:
        """Return the songs."""
        skip_bad = settings.skip_bad_files
        if self.corpus == wjazzd.NAME:
            return wjazzd.corpus(settings.jazz_timing, skip_bad=skip_bad)
        return essen.corpus(self.families, skip_bad=skip_bad)


SIDES: dict[str, tuple[_Side, _Side]] = {
    "jazz-folk": (_Side("jazz", wjazzd.NAME), _Side("folk", essen.NAME)),
    "german-chinese": (
        _Side("German folk", essen.NAME, essen.GERMAN),
        _Side("Chinese folk", essen.NAME, essen.CHINESE),
    ),
}
SPLITS = tuple(SHARES)


def melody_pair(settings: MelodySettings) -> MelodyPair:
    """Return the pair that `settings` describe, from the cache when nothing has changed.

    Raises `ValueError` naming file, song and remedy when a corpus is missing or bad.
    """
    if settings.pair == "auto":
        there = sources.found(wjazzd.NAME) is not None
        pair = "jazz-folk" if there else "german-chinese"
        settings = dataclasses.replace(settings, pair=pair)
    files = [file for side in SIDES[settings.pair] for file in side.files()]
    inputs = [part for file in files for part in (file.name, file)]
    chosen = json.dumps(dataclasses.asdict(settings), sort_keys=True)
    named = digest(chosen, source.fingerprint(__name__), *inputs)
    cached = paths.cache() / "melodies" / f"{named[:24]}.npz"
    if not cached.is_file():
        _save(cached, _build(settings))
    pair = _load(cached, settings)
    names = [pair.a.name, pair.b.name]
    facts.note("data", {"corpora": names, "checksum": pair.checksum, "notice": pair.notice})
    return pair


def transposed(melody: Melody, transposition: Transposition, shift: key.Shift) -> Melody:
    """Return `melody` with its tonic, or the tonic of its key signature, on C.

    A melody whose tonic is not notated gets an estimated one (see `music.key`).
    """
    if transposition == "none":
        return melody
    found = melody.tonic
    if found is None or transposition == "signature":
        estimated = key.estimate(melody, tonic=melody.tonic)
        found = key.signature_tonic(estimated) if transposition == "signature" else estimated.tonic
    return melody.shifted(key.semitones_to_c(found, shift))


def song_values(song: Song, settings: MelodySettings) -> Int[np.ndarray, " T"]:
    """Return the song on the grid of `settings`, transposed, no silence above a bar."""
    melody = transposed(song.melody, settings.transposition, settings.shift)
    return steps(melody, settings.steps_per_quarter, longest_silence=BAR_QUARTERS)


def _build(settings: MelodySettings) -> dict[str, Any]:
    """Return arrays by "<side> <split>" and the rest of the pair under "told"."""
    sides = SIDES[settings.pair]
    corpora = [side.read(settings) for side in sides]
    values = [[song_values(song, settings) for song in corpus.songs] for corpus in corpora]
    vocabulary = Vocabulary.of([sequence for sequences in values for sequence in sequences])
    told: dict[str, Any] = {"pitches": vocabulary.pitches, "sides": []}
    arrays: dict[str, np.ndarray] = {}
    for label, corpus, sequences in zip("ab", corpora, values, strict=True):
        places = _places(corpus)
        for part in SPLITS:
            inside = [each for each, place in zip(sequences, places, strict=True) if place == part]
            cut = windows(inside, settings.window, settings.stride)
            arrays[f"{label} {part}"] = vocabulary.encode(cut)
        songs = {part: places.count(part) for part in SPLITS}
        told["sides"].append({"songs": songs, "skipped": corpus.skipped, "remarks": corpus.remarks})
    arrays |= _balanced(arrays, settings)
    return {**arrays, "told": told}


def _places(corpus: Corpus) -> list[str]:
    songs = corpus.songs
    notes = [len(song.melody.pitch) for song in songs]
    return split([song.group for song in songs], [song.stratum for song in songs], notes)


def _balanced(arrays: Mapping[str, np.ndarray], settings: MelodySettings) -> dict[str, np.ndarray]:
    """Return the training windows, equally many of both sides."""
    for name, found in arrays.items():
        refuse(
            not len(found),
            f"no {name.split()[1]} windows of {settings.window} steps for side {name[0]} of "
            f"{settings.pair}; its songs are too short or too few: take a smaller window.",
        )
    smaller = min(len(arrays["a train"]), len(arrays["b train"]))
    count = min(settings.train_windows or smaller, smaller)
    chosen = {}
    for name in ("a train", "b train"):
        generator = seeding.numpy_generator(settings.seed, "training windows", name)
        chosen[name] = arrays[name][balanced(len(arrays[name]), count, generator)]
    return chosen


def _save(path: Path, built: dict[str, Any]) -> None:
    """Write windows as bytes (ids are below 130) and everything else as one JSON text."""
    packed = {name: part.astype(np.uint8) for name, part in built.items() if name != "told"}
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, told=np.array(json.dumps(built["told"])), **packed)


def _load(path: Path, settings: MelodySettings) -> MelodyPair:
    with np.load(path) as packed:
        told = json.loads(str(packed["told"]))
        arrays = {
            name: packed[name].astype(np.int64)
            for name in (f"{label} {part}" for label in "ab" for part in SPLITS)
        }
    a, b = (
        _domain(label, side, arrays, about)
        for label, side, about in zip("ab", SIDES[settings.pair], told["sides"], strict=True)
    )
    vocabulary = Vocabulary(tuple(told["pitches"]))
    seen: list[str | bytes] = [a.name, b.name, json.dumps(vocabulary.pitches)]
    for name, ids in sorted(arrays.items()):
        seen += [name, str(ids.shape), ids.astype("<i8").tobytes()]
    return MelodyPair(a, b, vocabulary, settings, digest(*seen), _notice(a, b, settings))


def _domain(
    label: str, side: _Side, arrays: Mapping[str, np.ndarray], about: dict[str, Any]
) -> Domain:
    known = sources.source(side.corpus)
    return Domain(
        name=side.name,
        corpus=known.title,
        **{part: arrays[f"{label} {part}"] for part in SPLITS},
        songs=about["songs"],
        skipped=tuple(about["skipped"]),
        remarks=tuple(about["remarks"]),
        licence=known.licence.strip(),
        citation=known.citation.strip(),
    )


def _notice(a: Domain, b: Domain, settings: MelodySettings) -> str:
    counts = [sum(side.songs.values()) for side in (a, b)]
    grid = f"{settings.steps_per_quarter} steps a quarter"
    skipped = len(a.skipped) + len(b.skipped)
    left_out = f"; {skipped} bad songs left out" if skipped else ""
    if settings.pair == "german-chinese":
        return (
            f"two families of folk song, NOT jazz: {a.name} ({counts[0]:,} songs) and "
            f"{b.name} ({counts[1]:,} songs) of the {a.corpus}; {grid}{left_out}."
        )
    clock = {"tempo": "its average tempo", "nominal": "120 quarters a minute"}
    return (
        f"{a.name} from the {a.corpus} ({counts[0]:,} solos, timed by "
        f"{clock[settings.jazz_timing]}) and {b.name} from the {b.corpus} ({counts[1]:,} songs); "
        f"{grid}{left_out}."
    )
