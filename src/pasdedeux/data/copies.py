"""Near copies: how much of a dance is danced, almost pose by pose, in another one.

Recordings are cut and joined anew: of the waltzes of Tang et al. nearly every three seconds occur
in another file. A split by dance alone then tests what was trained on. The distance of two windows
is the root mean square, over poses 0.2 s apart and points, of the metres between them; neither
place nor heading counts, of every pose or of the first one only:

| root    | what is taken out before windows are compared   | what counts as a copy   |
|---------|-------------------------------------------------|-------------------------|
| "each"  | each pose's root (x, y, z) and heading          | the same poses          |
| "first" | the first pose's place on the floor and heading | the same poses and path |

"each" finds more, and is what this project leaves out of its tests: the files repeat the poses of
a figure to 1 or 2 cm, but not always the path.

`N`, `M` windows, `T` frames, `S` poses of a window, `J` points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data.canonical import canonical_points, points_heading
from pasdedeux.data.windows import places, views

Root = Literal["each", "first"]
LIMIT_METRES = 0.06  # a near copy is nearer: a choice, about the wobble of one marker
TANG_HIPS = (16, 7)  # left and right among the 23 points of Tang et al.
SMPL_HIPS = (1, 2)  # among the 24 joints
_ROWS = 512  # windows compared at once; bounds the memory, not the result


@dataclass(frozen=True)
class CopySettings:
    """How windows at 25 frames a second are cut and compared."""

    frames: int = 75  # of a window: 3 s
    step_frames: int = 5  # between poses of a window, and between windows: 5 Hz
    limit_metres: float = LIMIT_METRES
    root: Root = "each"

    def __post_init__(self) -> None:
        """Refuse steps that do not fit into a window, and a limit that nothing is below."""
        choice("root", self.root, get_args(Root))
        refuse(
            not 1 <= self.step_frames <= self.frames,
            f"step_frames must be 1 to frames = {self.frames}, got {self.step_frames}.",
        )
        refuse(
            not self.limit_metres > 0,
            f"limit_metres must be above 0, got {self.limit_metres}; is it in metres?",
        )


DEFAULTS = CopySettings()


class Nearest(NamedTuple):
    """For each window the nearest of the others: how far, and its index; infinity and -1: none."""

    metres: Float[np.ndarray, " N"]
    index: Int[np.ndarray, " N"]


class Row(NamedTuple):
    """One row of the audit: a genre, or one dance."""

    name: str
    dances: int
    windows: int
    near_share: float  # of the windows, those with a near copy in another dance
    median_metres: float  # of the distance to the nearest window of another dance


class Audit(NamedTuple):
    """Near copies by genre and by dance, in the order of first appearance, and the distances."""

    genres: tuple[Row, ...]
    dances: tuple[Row, ...]
    metres: Float[np.ndarray, " N"]  # of every window
    dance: Int[np.ndarray, " N"]  # which dance it is of


class Marked(NamedTuple):
    """Windows of dances that were split: where each lies, its split, and whether it is novel."""

    dance: Int[np.ndarray, " N"]
    start: Int[np.ndarray, " N"]
    part: Shaped[np.ndarray, " N"]  # "train", "valid" or "test"
    novel: Bool[np.ndarray, " N"]


def poses(
    windows: Float[np.ndarray, "N T J 3"], hips: tuple[int, int], settings: CopySettings = DEFAULTS
) -> Float[np.ndarray, "N S J 3"]:
    """Return the poses by which windows at 25 frames a second are compared, canonical."""
    refuse(
        windows.shape[1] != settings.frames,
        f"windows must hold {settings.frames} frames, got {windows.shape[1]}; cut them so, or set "
        "`frames`.",
    )
    thin = windows[:, :: settings.step_frames]
    refuse(
        not np.isfinite(thin).all(),
        "windows must be finite; leave out the dances that are not.",
    )
    if settings.root == "first":
        return canonical_points(thin, points_heading(thin, hips))
    N, S, J, _ = thin.shape
    single = thin.reshape(N * S, 1, J, 3)
    single = canonical_points(single, points_heading(single, hips))
    middle = single[:, :, list(hips)].mean(axis=2, keepdims=True)
    return (single - middle).reshape(N, S, J, 3)


def nearest(
    windows: Float[np.ndarray, "N S J 3"],
    others: Float[np.ndarray, "M S J 3"],
    *,
    owner: Int[np.ndarray, " N"] | None = None,
    others_owner: Int[np.ndarray, " M"] | None = None,
) -> Nearest:
    """Return the nearest of `others` to each window, both from `poses`; never of the same owner.

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, one matrix product for a block of windows; the distance to
    the nearest is then computed anew from the difference, so that an exact copy has distance 0.
    """
    refuse((owner is None) != (others_owner is None), "give both owners or none.")
    count, (_, S, J, _) = len(windows), windows.shape
    metres, index = np.full(count, np.inf), np.full(count, -1)
    if len(others) == 0:
        return Nearest(metres, index)
    middle = others.mean(axis=0).ravel()
    b = others.reshape(len(others), -1) - middle
    b_square = np.einsum("nc,nc->n", b, b)
    for first in range(0, count, _ROWS):
        rows = slice(first, min(first + _ROWS, count))
        a = windows[rows].reshape(-1, S * J * 3) - middle
        square = b_square - 2 * (a @ b.T)  # |a|^2 does not move the minimum
        if owner is not None:
            square[owner[rows, None] == others_owner[None]] = np.inf
        best = square.argmin(axis=1)
        free = np.isfinite(square[np.arange(len(best)), best])
        exact = np.square(a - b[best]).sum(axis=1) / (S * J)
        metres[rows] = np.where(free, np.sqrt(exact), np.inf)
        index[rows] = np.where(free, best, -1)
    return Nearest(metres, index)


def audit(
    dances: Sequence[Float[np.ndarray, "_ J 3"]],
    genres: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    hips: tuple[int, int] = TANG_HIPS,
    settings: CopySettings = DEFAULTS,
) -> Audit:
    """Return the share of windows with a near copy in a different dance, by genre and by dance.

    A dance shorter than a window has no row of its own.
    """
    names = [str(number) for number in range(len(dances))] if names is None else names
    refuse(
        not len(dances) == len(genres) == len(names),
        f"dances, genres and names must be equally long, got {len(dances)}, {len(genres)} and "
        f"{len(names)}.",
    )
    at = places([len(points) for points in dances], settings.frames, settings.step_frames)
    refuse(len(at.start) == 0, f"no dance is as long as a window of {settings.frames} frames.")
    cut = [views(points, settings.frames, settings.step_frames) for points in dances]
    every = np.concatenate([poses(windows, hips, settings) for windows in cut])
    found = nearest(every, every, owner=at.sequence, others_owner=at.sequence)
    near = found.metres < settings.limit_metres
    genre = np.array(genres)[at.sequence]
    by_genre = [
        _row(name, genre == name, near, found.metres, at.sequence) for name in dict.fromkeys(genres)
    ]
    by_dance = [
        _row(name, at.sequence == number, near, found.metres, at.sequence)
        for number, name in enumerate(names)
    ]
    return Audit(
        tuple(row for row in by_genre if row.windows),
        tuple(row for row in by_dance if row.windows),
        found.metres,
        at.sequence,
    )


def novel(
    test: Float[np.ndarray, "N T J 3"],
    train: Sequence[Float[np.ndarray, "_ J 3"]],
    *,
    hips: tuple[int, int] = TANG_HIPS,
    settings: CopySettings = DEFAULTS,
) -> Bool[np.ndarray, " N"]:
    """Return which test windows have no near copy in the dances `train`, begin it at any frame.

    Not only at every fifth frame, as in `audit`: a copy between two of those would be missed.
    """
    shown = poses(test, hips, settings)
    least = np.full(len(test), np.inf)
    for points in train:
        every = poses(views(points, settings.frames, 1), hips, settings)
        least = np.minimum(least, nearest(shown, every).metres)
    return ~(least < settings.limit_metres)


def marked(
    dances: Sequence[Float[np.ndarray, "_ J 3"]],
    parts: Sequence[str],
    *,
    stride: int,
    hips: tuple[int, int] = TANG_HIPS,
    settings: CopySettings = DEFAULTS,
) -> Marked:
    """Return all windows, `stride` frames apart, with their split, and which of them are novel.

    `parts` tells the split of each dance. A window of any split but "train" is novel when no train
    dance holds a near copy of it; every train window counts as novel.
    """
    refuse(
        len(dances) != len(parts),
        f"dances and parts must be equally long, got {len(dances)} and {len(parts)}.",
    )
    at = places([len(points) for points in dances], settings.frames, stride)
    pairs = list(zip(dances, parts, strict=True))
    train = [points for points, part in pairs if part == "train"]
    rest = [views(points, settings.frames, stride) for points, part in pairs if part != "train"]
    part = np.array(parts, str)[at.sequence]
    fresh = np.ones(len(at.start), bool)
    if rest:
        fresh[part != "train"] = novel(np.concatenate(rest), train, hips=hips, settings=settings)
    return Marked(at.sequence, at.start, part, fresh)


def _row(
    name: str,
    inside: Bool[np.ndarray, " N"],
    near: Bool[np.ndarray, " N"],
    metres: Float[np.ndarray, " N"],
    dance: Int[np.ndarray, " N"],
) -> Row:
    count = int(inside.sum())
    if count == 0:
        return Row(name, 0, 0, 0.0, np.inf)
    share, median = float(near[inside].mean()), float(np.median(metres[inside]))
    return Row(name, len(np.unique(dance[inside])), count, share, median)
