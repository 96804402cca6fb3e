"""Two seconds of music with the dance to it: what the discrete-diffusion paper learns from.

A clip is a place: a dance, the frame it begins with, and the first sample of its music. Sound and
motion are cut when asked for, from whole recordings (`data.recorded`) and whole dances, so that
overlapping clips cost nothing.

Split. Dances of Tang et al. and the built-in ones have the split of `data.pairs`, whatever the
length of a clip: choreographies and songs stay together. Of a held-out clip it is known how much
of its dance has a near copy in training, 2 s by 2 s (`copied`); `rows` gives those without any,
unless asked for more, which leaves few waltzes. AIST++ has its official cross-modal split, in which
copies are not looked for. It tells dances, not clips: those of the paper, 86 of them of test, are
taken where the user has its authors' lists of them (`data.aist_segments`). Held-out clips do not
overlap each other, but for the last two of a dance in the authors' lists of 6 s.

Time. Frame k of T sounds at its share k / T of the recording's span, and T frames may span up to
2.5 % more than T / 25 s. A clip of music has always the same length, so its middle is put on the
middle of the frames: the ends are off by half the difference, 0.025 s of 2 s at the most.

Memory: 2.6 MB a minute of music, of which recordings hold more than is danced to: the 37 dances of
Tang et al. take 0.3 GB here and in the cache. `N` clips, `T` frames, `S` samples, `J` joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from pasdedeux.base import stored
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.base.source import fingerprint
from pasdedeux.data import aist_segments, aistpp, sources, tiktok
from pasdedeux.data.canonical import canonical_points, canonical_pose, pose_heading
from pasdedeux.data.clip_places import (
    PEAK,
    REASONS,
    SAMPLE_RATE_HZ,
    ClipSettings,
    Known,
    Places,
    arrays,
)
from pasdedeux.data.dance import GENRES, Dance
from pasdedeux.data.paired import Corpus, checksum, paired
from pasdedeux.data.pairs import PairSettings, pairs
from pasdedeux.data.recorded import Recorded, recorded
from pasdedeux.data.splits import SHARES
from pasdedeux.motion.rotation import matrix_from_six

PARTS = tuple(SHARES)
Label = Literal["genre", "song"]


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips with their dances and recordings; everything is asked for by row numbers.

    genres: those that occur, in the order of Table 1 of the dual-learning paper; `genre` counts in
    it. left_out: how many clips for which reason (dances for "no official split").
    """

    settings: ClipSettings
    dances: tuple[Dance, ...]
    split: tuple[str, ...]  # of each dance
    recordings: tuple[Recorded, ...]
    places: Places
    left_out: Mapping[str, int]
    notice: str

    def __len__(self) -> int:
        return len(self.places.start)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that occur."""
        have = {dance.genre for dance in self.dances}
        return tuple(genre for genre in GENRES if genre in have)

    @property
    def genre(self) -> Int[np.ndarray, " N"]:
        """The place of each clip's genre in `genres`."""
        numbers = np.array([self.genres.index(dance.genre) for dance in self.dances], int)
        return numbers[self.places.dance]

    @property
    def song(self) -> Int[np.ndarray, " N"]:
        """A number for each clip, equal where the piece of music is the same."""
        names = [(dance.corpus, dance.song) for dance in self.dances]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], int)[self.places.dance]

    @property
    def checksum(self) -> str:
        """A digest of everything a training can see of the data."""
        sounds = (sound.samples for sound in self.recordings)
        arrays = (np.ascontiguousarray(array).tobytes() for array in (*self.places, *sounds))
        return digest(checksum(self.dances), repr(self.settings), *arrays)

    def rows(self, part: str, *, most_copied: float = 0.0) -> Int[np.ndarray, " M"]:
        """Return the rows of "train", "valid" or "test".

        most_copied: the share of a held-out clip's dance that may have a near copy in training; 1.0
        returns all.
        """
        choice("part", part, PARTS)
        refuse(not 0 <= most_copied <= 1, f"most_copied must lie in 0..1, got {most_copied}.")
        fine = self.places.copied <= most_copied + 1e-9
        return np.flatnonzero((self.places.part == part) & fine)

    def sound(
        self, rows: Int[np.ndarray, " M"], *, peak: float | None = PEAK
    ) -> Float[np.ndarray, "M S"]:
        """Return the music at 22,050 Hz, float32, each clip's peak at `peak`; None: as recorded."""
        made = np.zeros((len(rows), self.settings.samples), np.float32)
        which, first = self.places.recording[rows], self.places.first[rows]
        for number in np.unique(which):
            mine = which == number
            made[mine] = self.recordings[number].cut(first[mine], self.settings.samples)
        if peak is not None:
            made *= np.float32(peak) / np.abs(made).max(axis=1, keepdims=True)
        return made

    def pose(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M T 147"]:
        """Return translation and 24 rotations in the 6-D form, seen from the first frame."""
        pose = self._world_pose(rows)
        return canonical_pose(pose, pose_heading(pose))

    def joints(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M T 24 3"]:
        """Return the joints in metres, seen from the first frame as in `pose`."""
        which = self.places.dance[rows]
        world = {number: self.dances[number].joints_world for number in np.unique(which)}
        cut = [world[d][frames] for d, frames in zip(which, self._frames(rows), strict=True)]
        points = np.stack(cut) if cut else np.zeros((0, self.settings.frames, 24, 3), np.float32)
        return canonical_points(points, pose_heading(self._world_pose(rows)))

    def motion(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M T 219"]:
        """Return 24 rotation matrices, row by row, and the translation: the published layout.

        At 25 frames a second; the authors have 60.
        """
        pose = self.pose(rows)
        six = torch.from_numpy(pose[..., 3:]).unflatten(-1, (24, 6))
        flat = matrix_from_six(six).flatten(-3).numpy()
        return np.concatenate([flat, pose[..., :3]], axis=-1)

    def others(
        self,
        rows: Int[np.ndarray, " M"],
        count: int,
        generator: np.random.Generator,
        *,
        by: Label = "genre",
        part: str = "train",
    ) -> Int[np.ndarray, "M K"]:
        """Return for each row `count` rows of `part` that differ in genre, or in song.

        Each is drawn evenly from all that differ, with replacement: the inter negatives. Raises
        `ValueError` when all are the same.
        """
        choice("by", by, get_args(Label))
        refuse(count < 1, f"count must be at least 1, got {count}.")
        label = getattr(self, by)
        pool = self.rows(part, most_copied=1.0)
        pool = pool[np.argsort(label[pool], kind="stable")]
        begin, end = (np.searchsorted(label[pool], label[rows], side) for side in ("left", "right"))
        free = len(pool) - (end - begin)
        refuse((free < 1).any(), f"all clips of {part} have one {by}; negatives need another.")
        drawn = generator.integers(free[:, None], size=(len(rows), count))
        return pool[drawn + (drawn >= begin[:, None]) * (end - begin)[:, None]]

    def overlap(
        self, rows: Int[np.ndarray, " M"], others: Int[np.ndarray, " K"]
    ) -> Bool[np.ndarray, "M K"]:
        """Return which clips share some of their sound: one song, nearer than a clip's length."""
        song, first = self.song, self.places.first
        same = song[rows][:, None] == song[others][None]
        return same & (np.abs(first[rows][:, None] - first[others]) < self.settings.samples)

    def _frames(self, rows: Int[np.ndarray, " M"]) -> list[slice]:
        T = self.settings.frames
        return [slice(int(start), int(start) + T) for start in self.places.start[rows]]

    def _world_pose(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M T 147"]:
        which = self.places.dance[rows]
        whole = {number: self.dances[number].pose for number in np.unique(which)}
        cut = [whole[d][frames] for d, frames in zip(which, self._frames(rows), strict=True)]
        return np.stack(cut) if cut else np.zeros((0, self.settings.frames, 147), np.float32)


def clips(settings: ClipSettings = ClipSettings()) -> Clips | tiktok.TikTokClips:  # noqa: B008
    """Return the clips of the dances that `settings` names; what is slow is kept.

    Raises `ValueError` when no dance is of the genres, nothing is left to learn from, or AIST++ is
    there without its lists of the split; for lists of segments and TikTok what `aist_segments` and
    `tiktok.clips` raise.
    """
    if settings.corpus == "tiktok":
        return tiktok.clips(settings)
    return cut(known(settings), settings)


def known(settings: ClipSettings) -> tuple[Known, ...]:
    """Return the dances of each corpus that `settings` names, split."""
    names: Sequence[Corpus] = [settings.corpus]
    if settings.corpus == "auto":
        names = [name for name in ("tang", "aistpp") if sources.found(name)] or ["synthetic"]
    return tuple(
        _official(settings) if name == "aistpp" else _held(name, settings) for name in names
    )


def _held(corpus: Corpus, settings: ClipSettings) -> Known:
    asked = PairSettings(
        corpus=corpus,
        dances_a_genre=settings.dances_a_genre,
        seed=settings.seed,
        genres=settings.genres,
        stride=PairSettings.frames,  # only the split is used: the fewest windows will do
    )
    made = pairs(asked)
    return Known(made.dances, made.split, False, made.notice)


def _official(settings: ClipSettings) -> Known:
    told = aist_segments.read(settings.seconds)
    listed = aistpp.official_split()
    refuse(not told and not listed, f"AIST++ has no list of its split here. {aistpp.REMEDY}")
    found = paired("aistpp", genres=settings.genres or GENRES, skip_bad=True)
    if told:
        return aist_segments.known(told, found, settings)
    dances = tuple(dance for dance in found.dances if dance.name in listed)
    split = tuple(listed[dance.name] for dance in dances)
    notice = found.notice + aist_segments.without(settings.seconds)
    return Known(dances, split, True, notice, len(found.dances) - len(dances))


def cut(corpora: Sequence[Known], settings: ClipSettings) -> Clips:
    """Return the clips of the dances given; each must have a recording."""
    dances = tuple(dance for corpus in corpora for dance in corpus.dances)
    files = dict.fromkeys(dance.recording.path for dance in dances if dance.recording)
    songs = recorded(tuple(files), SAMPLE_RATE_HZ)
    code = fingerprint("pasdedeux.data.clips")
    spans = [
        (d.name, d.recording.start_seconds, d.recording.seconds) for d in dances if d.recording
    ]
    told = [(len(one.dances), one.official, one.unlisted, one.segments) for one in corpora]
    split = tuple(part for corpus in corpora for part in corpus.split)
    words = (repr(spans), repr(told), repr(split), repr(settings), code)
    key = digest(checksum(dances), *words, *files)
    kept = stored.arrays("clips", key, lambda: arrays(corpora, settings, tuple(files), songs))
    return Clips(
        settings,
        dances,
        split,
        songs,
        Places(*(kept[name] for name in Places._fields)),
        dict(zip(REASONS, kept["left out"].tolist(), strict=True)),
        " and ".join(corpus.notice for corpus in corpora),
    )


def leaks(made: Clips) -> dict[str, int]:
    """Return how many dances, choreographies, songs and recordings lie in training and outside.

    All are 0 for the split of this project. The steps of a basic dance of AIST++ are each dancer's
    own, so there a choreography is named by its dancer too, as the official split has it.
    """
    inside, outside = ({}, {})
    train = made.places.part == "train"
    for held, told in ((train, inside), (~train, outside)):
        dances = [made.dances[number] for number in np.unique(made.places.dance[held])]
        told["dances"] = {(d.corpus, d.name) for d in dances}
        told["choreographies"] = {(d.corpus, _choreography(d)) for d in dances}
        told["songs"] = {(d.corpus, d.song) for d in dances}
        told["recordings"] = set(made.places.recording[held].tolist())
    return {name: len(inside[name] & outside[name]) for name in inside}


def _choreography(dance: Dance) -> str:
    if dance.corpus != "aistpp":
        return dance.group
    told = aistpp.sequence(dance.name)
    return f"{told.group}_{told.dancer}" if told.situation == "basic" else told.group
