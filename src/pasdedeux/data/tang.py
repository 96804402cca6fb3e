"""Dances with music of Tang et al. (2018), "Dance with Melody": 23 points at 25 frames a second.

Two public releases exist. The first has wrong frame rates (waltzes have about 6 frames a second,
rumbas and cha-chas last 0.56 to 1.5 times their true time); the second corrects them but lacks a
few dances. A dance is known as of the first release by its length: in the second, the frames are
0.978 to 0.999 of the frames of music that they span.

Time: frame k of a dance of T frames sounds with second (start + k (end - start) / T) / 25 of its
audio file, `start` and `end` from its `config.json`. The authors call both approximate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.data import sources, tang_files
from pasdedeux.data.dance import RATE_HZ, Recording
from pasdedeux.data.tang_files import Raw
from pasdedeux.data.tang_quality import SUSPECT, Quality, flags, levelled, quality

NAME, FIRST_RELEASE = "tang", "tang_first_release"  # in sources.toml
WrongRate = Literal["stretch", "refuse"]
# 36 of 37 files of the second release are within 1.7 %, T_5 is 2.2 % short; among those of the
# first release at hand the nearest to its span is 32 % off
TOLERANCE = 0.025
STRETCHED_SHARE = 0.9955  # of its span: about the median length in the second release's rumbas
PLAUSIBLE_SHARES = (0.2, 1.6)  # outside, the two files of a folder cannot belong together


@dataclass(frozen=True, eq=False)
class Take:
    """One dance: 23 points in the world (metres, y up, feet on y = 0) and the sound they go with.

    flags: what is doubtful, in words with numbers, from `quality`. files: what it was read from.
    """

    name: str
    genre: str
    points_world: Float[np.ndarray, "T 23 3"]
    recording: Recording | None  # None where the release has no audio
    flags: tuple[str, ...]
    files: tuple[Path, ...]
    quality: Quality

    @property
    def suspect(self) -> bool:
        """Whether the time base is doubtful, so that training and evaluation leave it out."""
        return any(flag.startswith(SUSPECT) for flag in self.flags)


class Takes(NamedTuple):
    """Dances by letter and number, and messages on those that were left out or changed."""

    takes: tuple[Take, ...]
    skipped: tuple[str, ...]  # bad input, left out because the caller asked for that
    remarks: tuple[str, ...]  # first-release dances: stretched, or refused for a better file


def read(
    folder: Path | None = None,
    *,
    first_release: Path | None = None,
    wrong_rate: WrongRate = "stretch",
    skip_bad: bool = False,
) -> Takes:
    """Return every dance in `folder`, and those of `first_release` that `folder` lacks.

    Where `folder` is not given, both are what `sources.found` finds: below `$PASDEDEUX_DATA`, else
    what was downloaded. A dance of wrong length is stretched to 0.9955 of the frames it spans, with
    a flag and a remark, or refused.

    Raises `ValueError` naming file, fault and remedy. With `skip_bad` a bad dance is left out and
    its message is among `skipped`; a folder that holds no good dance at all is refused all the
    same.
    """
    choice("wrong_rate", wrong_rate, get_args(WrongRate))
    place = _place(folder)
    if folder is None and first_release is None:
        first_release = sources.found(FIRST_RELEASE)
    takes: dict[str, Take] = {}
    skipped: list[str] = []
    remarks: list[str] = []
    waiting = tang_files.folders(place)
    waiting += tang_files.folders(first_release) if first_release else []
    for path in waiting:
        name = path.name.removeprefix("DANCE_")
        if name in takes:
            remarks.append(f"{path.name} of the first release is not used: the second has it.")
            continue
        try:
            takes[name] = _take(tang_files.load(path), wrong_rate)
        except ValueError as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
            continue
        remarks += _remark(takes[name])
    refuse(not takes, f"no dance in {place} can be read; the first: {' '.join(skipped[:1])}")
    ordered = sorted(takes.values(), key=lambda take: _order(take.name))
    return Takes(tuple(ordered), tuple(skipped), tuple(remarks))


def music_frames(take: Take, count: int | None = None) -> Int[np.ndarray, " T"]:
    """Return which 1/25 s of the audio file goes with each of the first `count` frames.

    round(start + k (end - start) / T): all T frames when `count` is None.
    """
    frames = len(take.points_world)
    count = frames if count is None else count
    refuse(not 0 <= count <= frames, f"count must be 0 to {frames}, got {count}.")
    if take.recording is None:
        raise ValueError(f"{take.name} has no audio; leave it out where music is needed.")
    start = take.recording.start_seconds * RATE_HZ
    span = take.recording.seconds * RATE_HZ
    return np.rint(start + np.arange(count) * span / frames).astype(int)


def songs(takes: tuple[Take, ...]) -> tuple[str, ...]:
    """Return for each dance the name of the first one with the same audio, byte for byte.

    A dance without audio is a song of its own.
    """
    first: dict[str, str] = {}
    found = []
    for take in takes:
        key = digest(take.recording.path) if take.recording else take.name
        found.append(first.setdefault(key, take.name))
    return tuple(found)


def stretched(
    points_world: Float[np.ndarray, "T 23 3"], frames: int
) -> Float[np.ndarray, "S 23 3"]:
    """Return `frames` frames on straight lines between those given, first and last kept.

    The one dance at hand in both releases (W_3) agrees better with its second version this way
    (11.8 cm rms) than with its last frame held (14.0 cm).
    """
    place = np.linspace(0, len(points_world) - 1, frames)
    before = np.minimum(place.astype(int), len(points_world) - 2)
    share = (place - before)[:, None, None]
    return points_world[before] * (1 - share) + points_world[before + 1] * share


def _place(folder: Path | None) -> Path:
    place = folder or sources.found(NAME)
    if place is None:
        raise ValueError(
            "the dances of Tang et al. are not here. Put their DANCE_* folders into "
            f"$PASDEDEUX_DATA/tang2018, or run `pasdedeux data get {NAME}`."
        )
    return Path(place)


def _take(raw: Raw, wrong_rate: WrongRate) -> Take:
    span = raw.end - raw.start
    points, share = raw.points_world, len(raw.points_world) / span
    wrong = abs(share - 1) > TOLERANCE
    told = (
        f"{raw.files[0]}: {len(points)} frames for a span of {span:g} are {share:.3f} of it, "
        f"outside {TOLERANCE:.1%}"
    )
    low, high = PLAUSIBLE_SHARES
    refuse(
        not low <= share <= high,
        f"{told} and of any release; do {tang_files.SKELETONS} and {tang_files.CONFIG} belong "
        f"together? {tang_files.ANEW}.",
    )
    refuse(
        wrong and wrong_rate == "refuse",
        f"{told}: wrong frame rate, as in the first release; take the second release's file, or "
        "wrong_rate='stretch'.",
    )
    if wrong:
        points = stretched(points, round(STRETCHED_SHARE * span))
    level = levelled(points)
    measured = quality(points, level.floor_metres, share)
    sound = Recording(raw.audio, raw.start / RATE_HZ, span / RATE_HZ) if raw.audio else None
    return Take(
        name=raw.name,
        genre=raw.genre,
        points_world=level.points_world.astype(np.float32),
        recording=sound,
        flags=flags(measured, len(points), stretched=wrong, audio=sound is not None),
        files=raw.files,
        quality=measured,
    )


def _remark(take: Take) -> list[str]:
    share = take.quality.length_share
    if abs(share - 1) <= TOLERANCE:
        return []
    return [
        f"{take.name} is of the first release, with a wrong frame rate: stretched from "
        f"{share:.3f} to {STRETCHED_SHARE} of its span."
    ]


def _order(name: str) -> tuple[str, int]:
    letter, number = name.split("_")
    return letter, int(number)
