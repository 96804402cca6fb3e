"""A ladder of dances and songs whose order is known, to ask each measure whether it sees the order.

The first rung is what was danced and played. Each of the next wanders from it: all joints turn
slowly away by angles that bring the body so many centimetres off, on average over frames and
joints, and so large a share of the song's seconds is taken from another song. Below them stand a
real dance to other music, first of the same genre, then of another one, and last a body that never
moves beside one chord held for ever. That a rung is worse than the one above is certain for the
wandering ones, and a judgement of ours for the last three.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.canonical import canonical_pose, pose_heading
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs
from pasdedeux.metrics.notes import held_chord
from pasdedeux.motion.rotation import matrix_from_axis_angle, six_from_matrix
from pasdedeux.music.features import CHROMA
from pasdedeux.nn.pose import matrices
from pasdedeux.papers import dual_evaluate
from pasdedeux.papers.dual_evaluate import Excerpts, Performed, joints_of
from pasdedeux.report.table import Measurement

TRUTH, SAME, OTHER, STILL = "truth", "other dance, same genre", "other dance, other genre", "frozen"
WANDERING: Mapping[str, tuple[float, float]] = {  # cm off, and share of the seconds replaced
    "1 cm off": (1.0, 0.1),
    "2 cm off": (2.0, 0.2),
    "4 cm off": (4.0, 0.4),
    "8 cm off": (8.0, 0.6),
}
CM = 100.0
WANDER_SECONDS = 0.4  # standard deviation of the Gaussian that smooths the angles
ROUNDS = 6  # of the secant steps that find the size of the angles
Direction = Literal["lower", "higher", "near"]
BETTER: Mapping[str, Direction] = {  # "near": the closer to what the truth has
    "distance world (mm)": "lower",
    "distance root (mm)": "lower",
    "distance pose (mm)": "lower",
    "FID kinetic": "lower",
    "FID geometric": "lower",
    "PFC": "lower",
    "frozen (%)": "near",
    "beats alignment (%)": "higher",
    "above chance (%)": "higher",
    "above chance, 2 frames (%)": "higher",
    "beat score, music": "higher",
    "beat score, dance": "higher",
    "speed (m/s)": "near",
    "acceleration (m/s^2)": "near",
    "notes accuracy": "higher",
    "notes F1": "higher",
}
AGREEMENT = ("tau, wandering", "tau, all", "right", "wrong", "tied", "ranks frozen above")


class Agreement(NamedTuple):
    """How a measure orders pairs of rungs of which one is known to be better; tau is Kendall's."""

    right: int
    wrong: int
    tied: int

    @property
    def tau(self) -> float:
        """Return (right - wrong) / pairs: 1 for the known order, -1 for its reverse."""
        return (self.right - self.wrong) / (self.right + self.wrong + self.tied)


def rungs(pairs: Pairs, most_a_genre: int) -> dict[str, Performed]:
    """Return the ladder over the test excerpts of `pairs`, best first.

    Rungs of another dance need one to take them from: a corpus with one genre has no last but one.
    """
    real = dual_evaluate.truth(pairs, most_a_genre)
    found = dual_evaluate.excerpts(pairs, most_a_genre=most_a_genre)
    ladder = {TRUTH: real}
    for name, (centimetres, share) in WANDERING.items():
        ladder[name] = real._replace(
            danced=wandered(real.danced, centimetres, seed=0),
            composed=_mixed(real.composed, share),
        )
    for name, same in ((SAME, True), (OTHER, False)):
        other = _elsewhere(found, pairs, same=same)
        if other is not None:
            ladder[name] = real._replace(danced=other[0], composed=other[1])
    held = np.zeros_like(real.composed)
    held[..., CHROMA] = held_chord(1)[0]
    still = np.repeat(real.danced[:, :1], real.danced.shape[1], axis=1)
    ladder[STILL] = real._replace(danced=still, composed=held)
    return ladder


def wandered(
    pose: Float[np.ndarray, "N S 147"], centimetres: float, *, seed: int
) -> Float[np.ndarray, "N S 147"]:
    """Return dances whose joints are on average so many centimetres from where they were.

    Every joint turns away by a smooth random walk of its own around 0; the root stays in its place.
    """
    refuse(not centimetres > 0, f"centimetres must be above 0, got {centimetres}.")
    draw = numpy_generator(seed, "wander")
    angles = draw.normal(size=(*pose.shape[:2], 24, 3))
    angles = gaussian_filter1d(angles, WANDER_SECONDS * RATE_HZ, axis=1, mode="reflect")
    angles /= np.sqrt(np.square(angles).mean())
    true, size = joints_of(pose), 0.01
    turned = _turned(pose, size * angles)
    for _ in range(ROUNDS):
        off = CM * float(np.linalg.norm(joints_of(turned) - true, axis=-1).mean())
        size *= centimetres / off  # joints move nearly in proportion to small angles
        turned = _turned(pose, size * angles)
    return turned


def _turned(
    pose: Float[np.ndarray, "N S 147"], angles: Float[np.ndarray, "N S 24 3"]
) -> Float[np.ndarray, "N S 147"]:
    given = torch.from_numpy(np.ascontiguousarray(pose)).double()
    turned = matrices(given) @ matrix_from_axis_angle(torch.from_numpy(angles))
    six = six_from_matrix(turned).flatten(-2).numpy()
    return np.concatenate([pose[..., :3], six], axis=-1).astype(np.float32)


def _mixed(music: Float[np.ndarray, "N S 53"], share: float) -> Float[np.ndarray, "N S 53"]:
    """Return songs of which `share` of the seconds come from the song half of all excerpts on.

    The seconds that a small share replaces are among those that a larger one does.
    """
    count, frames = music.shape[:2]
    other = np.roll(music, count // 2, axis=0)
    mixed = music.copy()
    for row in range(count):
        order = numpy_generator(0, "seconds", row).permutation(frames // RATE_HZ)
        for second in order[: round(share * len(order))]:
            span = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
            mixed[row, span] = other[row, span]
    return mixed


def _elsewhere(
    found: Excerpts, pairs: Pairs, *, same: bool
) -> tuple[Float[np.ndarray, "N S 147"], Float[np.ndarray, "N S 53"]] | None:
    """Return for each excerpt dance and music of another song and choreography, of the same genre
    or of another, from the next such dance in any part; None when one has none.
    """
    length, count = found.pose.shape[1], len(pairs.dances)
    poses, songs = [], []
    for number, start in zip(found.dance.tolist(), found.start.tolist(), strict=True):
        own = pairs.dances[number]
        after = (pairs.dances[(number + step) % count] for step in range(1, count))
        fit = (
            d for d in after
            if (d.genre == own.genre) == same and d.song != own.song and d.group != own.group
            and len(d.translation) >= length
        )  # fmt: skip
        other = next(fit, None)
        if other is None:
            return None
        begin = min(start, len(other.translation) - length)
        poses.append(other.pose[begin : begin + length])
        songs.append(other.music[begin : begin + length])
    pose = np.stack(poses)
    return canonical_pose(pose, pose_heading(pose)), pairs.scale.apply(np.stack(songs))


def agreement(values: Sequence[float], *, better: Direction) -> Agreement:
    """Return how many pairs of `values`, given best first, a measure puts in this order."""
    refuse(len(values) < 2, f"a ladder needs at least 2 rungs, got {len(values)}.")
    goodness = _goodness(values, better)
    signs = [np.sign(first - second) for first, second in combinations(goodness, 2)]
    return Agreement(signs.count(1), signs.count(-1), signs.count(0))


def _goodness(values: Sequence[float], better: Direction) -> list[float]:
    """Return `values` turned so that more is better."""
    if better == "near":
        return [-abs(value - values[0]) for value in values]
    return [value if better == "higher" else -value for value in values]


def levels(measured: Mapping[str, Mapping[str, float]], *, corpus: str) -> list[Measurement]:
    """Return every measure of every rung, as facts of the data."""
    return [
        Measurement(rung, column, None, numbers[column], corpus)
        for rung, numbers in measured.items()
        for column in BETTER
        if column in numbers
    ]


def agreements(measured: Mapping[str, Mapping[str, float]], *, corpus: str) -> list[Measurement]:
    """Return for every measure how well it knows the ladder, by `AGREEMENT`, as facts of the data.

    `measured` holds the numbers of each rung, best first; "ranks frozen above" counts the rungs
    that a measure calls worse than a body that never moves.
    """
    certain = [rung for rung in measured if rung == TRUTH or rung in WANDERING]
    rows = []
    for column, better in BETTER.items():
        if any(column not in numbers for numbers in measured.values()):
            continue
        every = [numbers[column] for numbers in measured.values()]
        some = agreement([measured[rung][column] for rung in certain], better=better)
        found = agreement(every, better=better)
        *moving, frozen = _goodness(every, better)
        above = sum(frozen > other for other in moving)
        told = (some.tau, found.tau, found.right, found.wrong, found.tied, above)
        rows += [
            Measurement(column, name, None, float(value), corpus)
            for name, value in zip(AGREEMENT, told, strict=True)
        ]
    return rows
