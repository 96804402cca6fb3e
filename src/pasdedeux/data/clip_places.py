"""Where clips of music with dance lie: dance, frame, recording, sample and part of the split.

`data.clips` tells what they are; here they are laid out, and those that cannot be used are left
out and counted: silence, and what its recording is too short for. What is a near copy of training
is marked. `N` clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data import copies
from pasdedeux.data.copies import SMPL_HIPS, CopySettings
from pasdedeux.data.dance import RATE_HZ, Dance
from pasdedeux.data.paired import Corpus
from pasdedeux.data.recorded import Recorded
from pasdedeux.data.splits import balanced
from pasdedeux.data.windows import places

SAMPLE_RATE_HZ = 22_050  # of Jukebox, whose tokens the paper learns; 882 samples a frame
FRAME_SAMPLES = SAMPLE_RATE_HZ // RATE_HZ
TIKTOK_HZ = 30  # frames a second, as published
PEAK = 0.95  # every clip is brought to this, as in the released code
FRAMES_LATE = 1  # a clip may be moved this far to end with its recording
REASONS = ("silent", "short", "no official split")


@dataclass(frozen=True)
class ClipSettings:
    """Which dances, and how they are cut."""

    corpus: Corpus | Literal["tiktok"] = "auto"
    seconds: int = 2  # 2, 4 and 6 in Table 7 of the paper
    stride: int = 13  # frames between clips of training: about half a second
    dances_a_genre: int = (
        9  # of the synthetic corpus: three kin stay together, so three parts need 9
    )
    seed: int = 0  # of the synthetic corpus
    genres: tuple[str, ...] = ()  # only these, all when empty
    most_clips: int | None = None  # of training, drawn evenly from all
    silence: float = 1e-3  # a clip whose root mean square is below is left out
    copies: CopySettings = field(default_factory=lambda: CopySettings(frames=2 * RATE_HZ))

    def __post_init__(self) -> None:
        """Refuse lengths that near copies cannot be looked for in, and steps of nothing."""
        refuse(
            self.seconds < 1 or self.seconds * RATE_HZ % self.copies.frames,
            f"seconds must be a multiple of {self.copies.frames / RATE_HZ:g}, the length of the "
            f"pieces that `copies` compares, got {self.seconds}.",
        )
        refuse(self.stride < 1, f"stride must be at least 1 frame, got {self.stride}.")
        refuse(
            self.most_clips is not None and self.most_clips < 1,
            f"most_clips must be at least 1 or None, got {self.most_clips}.",
        )

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        return self.seconds * (TIKTOK_HZ if self.corpus == "tiktok" else RATE_HZ)

    @property
    def samples(self) -> int:
        """Samples of a clip: 44,100 for 2 s."""
        return self.seconds * SAMPLE_RATE_HZ


class Known(NamedTuple):
    """Dances with the part each is in, and whether that was decided by others.

    segments: dance and first frame of every clip where others decided that too; else they are cut
    by the settings.
    """

    dances: tuple[Dance, ...]
    split: tuple[str, ...]
    official: bool
    notice: str
    unlisted: int = 0  # dances of no part, left out already
    segments: tuple[tuple[int, int], ...] | None = None


class Places(NamedTuple):
    """Where clips lie: dance, first frame, recording and first sample; their part, and copies.

    copied: the share of a held-out clip, 2 s by 2 s, that has a near copy in training; 0 in
    training.
    """

    part: Shaped[np.ndarray, " N"]
    dance: Int[np.ndarray, " N"]
    start: Int[np.ndarray, " N"]
    recording: Int[np.ndarray, " N"]
    first: Int[np.ndarray, " N"]
    copied: Float[np.ndarray, " N"]


def arrays(
    corpora: Sequence[Known],
    settings: ClipSettings,
    files: tuple[Path, ...],
    songs: tuple[Recorded, ...],
) -> dict[str, np.ndarray]:
    """Return the fields of `Places` for all clips that are kept, and "left out" by `REASONS`.

    `files` are the recordings' paths, in the order of `songs`. Raises `ValueError` when nothing is
    left to learn from.
    """
    made, counts, before = [], np.zeros(len(REASONS), int), 0
    for corpus in corpora:
        found = _placed(corpus, settings)
        found = found._replace(copied=_copied(corpus, found, settings))
        located, short, silent = _located(corpus, found, settings, files, songs)
        keep = ~short & ~silent
        counts += [silent.sum(), short.sum(), corpus.unlisted]
        shifted = located._replace(dance=located.dance + before)
        made.append(Places(*(array[keep] for array in shifted)))
        before += len(corpus.dances)
    joined = Places(*(np.concatenate(arrays) for arrays in zip(*made, strict=True)))
    most, train = settings.most_clips, np.flatnonzero(joined.part == "train")
    refuse(
        not len(train),
        f"nothing of {settings.seconds} s is left to learn from; left out: "
        f"{dict(zip(REASONS, counts.tolist(), strict=True))}.",
    )
    if most is not None and most < len(train):
        drawn = train[balanced(len(train), most, numpy_generator(0, "training clips"))]
        rows = np.sort(np.concatenate([drawn, np.flatnonzero(joined.part != "train")]))
        joined = Places(*(array[rows] for array in joined))
    return {**joined._asdict(), "left out": counts}


def _placed(corpus: Known, settings: ClipSettings) -> Places:
    """Return every clip, with its recording, first sample and copies still open."""
    split = np.array(corpus.split, str)
    dance, start = _cut(corpus, split, settings)
    order = np.lexsort((start, dance))
    dance, start = dance[order], start[order]
    zero = np.zeros_like(start)
    return Places(split[dance], dance, start, zero, zero, zero.astype(float))


def _cut(
    corpus: Known, split: Shaped[np.ndarray, " D"], settings: ClipSettings
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    """Return dance and first frame of every clip: as told, or dense in training and apart else."""
    if corpus.segments is not None:
        told = np.array(corpus.segments, int).reshape(-1, 2)
        return told[:, 0], told[:, 1]
    lengths = [len(dance.translation) for dance in corpus.dances]
    dense = places(lengths, settings.frames, settings.stride)
    apart = places(lengths, settings.frames, settings.frames)
    train = split[dense.sequence] == "train"
    rest = split[apart.sequence] != "train"
    dance = np.concatenate([dense.sequence[train], apart.sequence[rest]])
    return dance, np.concatenate([dense.start[train], apart.start[rest]])


def _copied(corpus: Known, found: Places, settings: ClipSettings) -> Float[np.ndarray, " N"]:
    """Return how much of each held-out clip has a near copy in training, piece by piece."""
    share = np.zeros(len(found.start))
    if corpus.official:
        return share
    joints = [dance.joints_world for dance in corpus.dances]
    length = settings.copies.frames
    pieces = copies.marked(
        joints, corpus.split, stride=length, hips=SMPL_HIPS, settings=settings.copies
    )
    where = zip(pieces.dance.tolist(), pieces.start.tolist(), strict=True)
    near = dict(zip(where, (~pieces.novel).tolist(), strict=True))
    for row in np.flatnonzero(found.part != "train"):
        dance, begin = int(found.dance[row]), int(found.start[row])
        inside = range(begin, begin + settings.frames, length)
        share[row] = np.mean([near[dance, start] for start in inside])
    return share


class _Located(NamedTuple):
    places: Places
    short: Bool[np.ndarray, " N"]
    silent: Bool[np.ndarray, " N"]


def _located(
    corpus: Known,
    found: Places,
    settings: ClipSettings,
    files: tuple[Path, ...],
    songs: tuple[Recorded, ...],
) -> _Located:
    """Return the places with recording and first sample, and which have no sound."""
    S = settings.samples
    number, first = found.recording.copy(), found.first.copy()
    short, silent = np.zeros(len(first), bool), np.zeros(len(first), bool)
    for place, dance in enumerate(corpus.dances):
        mine = np.flatnonzero(found.dance == place)
        source, total = dance.recording, len(dance.translation)
        if source is None:
            raise ValueError(f"{dance.name} has no recording; choose a dance with music.")
        which = files.index(source.path)
        middle = (found.start[mine] + settings.frames / 2) / total
        seconds = source.start_seconds + middle * source.seconds
        begin = np.maximum(np.rint(seconds * SAMPLE_RATE_HZ - S / 2).astype(int), 0)
        last = len(songs[which].samples) - S
        short[mine] = (last < 0) | (begin > last + FRAMES_LATE * FRAME_SAMPLES)
        begin = np.minimum(begin, max(last, 0))
        fine = ~short[mine]
        silent[mine[fine]] = songs[which].loudness(begin[fine], S) < settings.silence
        number[mine], first[mine] = which, begin
    return _Located(found._replace(recording=number, first=first), short, silent)
