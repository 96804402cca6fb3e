"""Three seconds of dance with their three seconds of music: what the dance papers learn from.

Every window of dance is seen from where its first frame stands and faces (`data.canonical`), and
music features are on the scale of the training songs (`data.scale`). The split keeps choreographies
and songs together and holds out what is least copied. Where the publishers of a corpus tell a split
(AIST++, its lists by song and steps), theirs is kept, and what they leave out is not used. A window
of valid or test that has a near copy in training is left out of both kinds (`data.copies`). `N`
windows, `T` frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base import stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.base.source import fingerprint
from pasdedeux.data import copies
from pasdedeux.data.canonical import Heading, canonical_pose, pose_heading
from pasdedeux.data.copies import SMPL_HIPS, CopySettings
from pasdedeux.data.dance import GENRES, Dance
from pasdedeux.data.paired import Corpus, Paired, checksum, paired
from pasdedeux.data.scale import Scale
from pasdedeux.data.splits import SHARES, held_out, together
from pasdedeux.data.windows import places


@dataclass(frozen=True)
class PairSettings:
    """Which dances, and how they are cut.

    frames: T, 75 in the paper. stride: frames between windows of training; valid and test windows
    do not overlap. genres: only these, all when empty. most_windows: of training, drawn evenly from
    all; None for all.
    """

    corpus: Corpus = "auto"
    dances_a_genre: int = 3  # of the synthetic corpus
    seed: int = 0  # of the synthetic corpus
    genres: tuple[str, ...] = ()
    frames: int = 75
    stride: int = 10
    most_windows: int | None = None
    copies: CopySettings = field(default_factory=CopySettings)

    def __post_init__(self) -> None:
        refuse(
            self.frames != self.copies.frames,
            f"frames {self.frames} and those of copies {self.copies.frames} must be the same.",
        )


@dataclass(frozen=True, eq=False)
class Part:
    """The windows of one part of the split; `dance` counts in `Pairs.dances`, `start` in frames.

    heading: where each window stood in the world, for `data.canonical.world_pose`.
    """

    pose: Float[np.ndarray, "N T 147"]
    music: Float[np.ndarray, "N T 53"]
    dance: Int[np.ndarray, " N"]
    start: Int[np.ndarray, " N"]
    heading: Heading

    def __len__(self) -> int:
        return len(self.pose)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Windows for training, choosing and testing, with the dances they come from."""

    settings: PairSettings
    dances: tuple[Dance, ...]
    split: tuple[str, ...]  # of each dance
    parts: Mapping[str, Part]
    left_out: Mapping[str, int]  # windows of each part with a near copy in training
    scale: Scale
    notice: str

    @property
    def train(self) -> Part:
        """The windows to learn from."""
        return self.parts["train"]

    @property
    def valid(self) -> Part:
        """The windows to choose by."""
        return self.parts["valid"]

    @property
    def test(self) -> Part:
        """The windows to report on."""
        return self.parts["test"]

    @property
    def checksum(self) -> str:
        """A digest of everything a training can see of the data."""
        told = [repr(self.settings), *(f"{len(part)}" for part in self.parts.values())]
        rows = [part.start.tobytes() + part.dance.tobytes() for part in self.parts.values()]
        return digest(checksum(self.dances), *told, *rows)


def pairs(settings: PairSettings = PairSettings()) -> Pairs:  # noqa: B008
    """Return the windows of the dances that `settings` names, kept from earlier calls.

    Raises `ValueError` when no dance is of the genres, or none is long enough for training.
    """
    found = paired(
        settings.corpus,
        genres=settings.genres or GENRES,
        dances_a_genre=settings.dances_a_genre,
        seed=settings.seed,
        skip_bad=True,
    )
    told = [(d.genre, d.group, d.song, d.flags, d.split) for d in found.dances]
    code = fingerprint("pasdedeux.data.pairs")
    key = digest(checksum(found.dances), repr(told), repr(settings), code)
    kept = stored.arrays("pairs", key, lambda: _arrays(cut(found, settings)))
    return _from_arrays(kept, found, settings)


def _arrays(made: Pairs) -> dict[str, np.ndarray]:
    """Return all of `made` but the dances by name."""
    arrays = {"split": np.array(made.split), **made.scale.to_arrays()}
    for name, part in made.parts.items():
        fields = (part.pose, part.music, part.dance, part.start, *part.heading)
        arrays |= {f"{name} {place}": array for place, array in enumerate(fields)}
        arrays[f"{name} left out"] = np.array(made.left_out[name])
    return arrays


def _from_arrays(arrays: Mapping[str, np.ndarray], found: Paired, settings: PairSettings) -> Pairs:
    """Return what `_arrays` was given."""
    parts = {}
    for name in SHARES:
        *fields, place, left = (arrays[f"{name} {number}"] for number in range(6))
        parts[name] = Part(*fields, Heading(place, left))
    return Pairs(
        settings,
        _usable(found, settings),
        tuple(map(str, arrays["split"])),
        parts,
        {name: int(arrays[f"{name} left out"]) for name in SHARES},
        Scale.from_arrays(arrays),
        found.notice,
    )


def _usable(found: Paired, settings: PairSettings) -> tuple[Dance, ...]:
    wanted = settings.genres or GENRES
    long = [d for d in found.dances if d.genre in wanted and len(d.translation) >= settings.frames]
    return tuple(d for d in long if d.split != "")  # in no list: song or steps are on both sides


def cut(found: Paired, settings: PairSettings) -> Pairs:
    """Return the windows of the dances given."""
    dances = _usable(found, settings)
    have = sorted({d.genre for d in found.dances})
    refuse(not dances, f"no dance of {settings.genres} has {settings.frames} frames; have {have}.")
    joints = [dance.joints_world for dance in dances]
    split = _split(dances, joints, settings)
    told = "the lists that came with the corpus put no dance that is here in train"
    refuse("train" not in split, f"{told}; give the songs of more dances.")
    scale = Scale.fit(d.music for d, part in zip(dances, split, strict=True) if part == "train")
    marked = copies.marked(
        joints, split, stride=settings.frames, hips=SMPL_HIPS, settings=settings.copies
    )
    parts = {"train": _train(dances, split, settings, scale)}
    left_out = {"train": 0}
    for name in ("valid", "test"):
        mine = marked.part == name
        keep = mine & marked.novel
        parts[name] = _part(dances, marked.dance[keep], marked.start[keep], settings, scale)
        left_out[name] = int(mine.sum() - keep.sum())
    return Pairs(settings, dances, tuple(split), parts, left_out, scale, found.notice)


def _split(
    dances: tuple[Dance, ...], joints: list[np.ndarray], settings: PairSettings
) -> list[str]:
    """Return the published part of each dance that has one, and for the others one of our own."""
    split = [dance.split or "" for dance in dances]
    free = [number for number, part in enumerate(split) if not part]
    if not free:
        return split
    own, genres = [dances[number] for number in free], [dances[number].genre for number in free]
    audit = copies.audit(
        [joints[number] for number in free], genres, hips=SMPL_HIPS, settings=settings.copies
    )
    near = audit.metres < settings.copies.limit_metres
    shares = [float(near[audit.dance == place].mean()) for place in range(len(own))]
    for place, dance in enumerate(own):
        if any(flag.startswith("stretched") for flag in dance.flags):
            shares[place] = 1.0  # its own time base hides its copies: held out last of all
    found = held_out(
        together([d.group for d in own], [d.song for d in own]),
        genres,
        [len(d.translation) for d in own],
        shares,
    )
    for number, part in zip(free, found, strict=True):
        split[number] = part
    return split


def _train(
    dances: tuple[Dance, ...], split: list[str], settings: PairSettings, scale: Scale
) -> Part:
    at = places([len(d.translation) for d in dances], settings.frames, settings.stride)
    mine = np.flatnonzero(np.array(split)[at.sequence] == "train")
    most = settings.most_windows
    if most is not None and most < len(mine):
        drawn = numpy_generator(0, "training windows").choice(mine, most, replace=False)
        mine = np.sort(drawn)
    refuse(not len(mine), "no dance is left to learn from; give more dances of a genre.")
    return _part(dances, at.sequence[mine], at.start[mine], settings, scale)


def _part(
    dances: tuple[Dance, ...],
    dance: Int[np.ndarray, " N"],
    start: Int[np.ndarray, " N"],
    settings: PairSettings,
    scale: Scale,
) -> Part:
    T = settings.frames
    pose, music = np.zeros((0, T, 147), np.float32), np.zeros((0, T, 53), np.float32)
    if len(dance):
        where = list(zip(dance, start, strict=True))
        pose = np.stack([dances[d].pose[s : s + T] for d, s in where])
        music = scale.apply(np.stack([dances[d].music[s : s + T] for d, s in where]))
    heading = pose_heading(pose)
    return Part(canonical_pose(pose, heading), music, dance, start, heading)
