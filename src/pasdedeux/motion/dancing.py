"""From a row of moves to a moving body: curves between keys, feet on the floor.

The dancer arrives at each key when its beat comes: speeds are lowest there, so that the kinematic
beats of the body are the beats of its clock. Between keys a value follows a cubic Hermite curve.
The pelvis is as high as the legs allow, less the bend of the knees; hips, knees, shoulders and
elbows follow from where feet and hands should be. Frame of reference: the world's, y up, metres.
`T` frames, `K` keys.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pasdedeux.motion.choreography import OUTWARD, Dancer, Row, Score, scored
from pasdedeux.motion.limbs import bent, turned
from pasdedeux.motion.moves import SIDES, Manner, Move, vocabulary
from pasdedeux.motion.skeleton import Skeleton, smpl

REACH = 0.99  # of a leg that bears weight, at most
SOFT_PER_METRE = 90.0  # how sharply the shorter leg decides the height of the pelvis
BACK_METRES = 0.04  # the balls of the feet are ahead of the pelvis
BACK_SHARE = 0.35  # of how low the pelvis is: it goes back as the knees bend
STEP_PITCH = 18.0  # degrees that the toes hang in the middle of a step
TRAILING = (0.1, 110.0, 50.0)  # a heel rises with its foot behind: metres, degrees a metre, at most


class Danced(NamedTuple):
    """A dance on the skeleton `body`: local rotations, and the place of the pelvis in the world."""

    rotations_local: Float[np.ndarray, "T 24 3 3"]
    translation: Float[np.ndarray, "T 3"]
    body: Skeleton


def sized(size: float) -> Skeleton:
    """Return SMPL's skeleton, `size` times as large."""
    body = smpl()
    return replace(body, offsets_metres=body.offsets_metres * size)


def danced(
    moves: Sequence[Move],
    manner: Manner,
    clock_beats: Float[np.ndarray, " T"],
    dancer: Dancer,
) -> Danced:
    """Return the dance of `moves`, whose first beat is beat 0, at the beats of the dancer's clock.

    `clock_beats` says for each frame which beat it is by the dancer's clock; before beat 0 and
    after the last move the dancer stands.
    """
    if dancer.mirrored:
        moves = [move.mirrored() for move in moves]
        manner = replace(manner, rest_arms=manner.rest_arms[::-1])
    score = scored(moves, manner, dancer)
    return _Frames(score, manner, clock_beats, dancer).solved()


def eased(
    row: Row, beats: Float[np.ndarray, " T"], *, flow: float = 0.0, snap: float = 0.0
) -> Float[np.ndarray, "T D"]:
    """Return the values at `beats`: at rest on each key for `flow` 0, passing through it for 1.

    Cubic Hermite curves with `flow` times the mean slope at each key. `snap` 1 bends time between
    keys by u -> u^2 (3 - 2u), so that the body waits at both ends and hurries between.
    """
    times, values = row
    if len(times) == 1:
        return np.repeat(values, len(beats), axis=0)
    place = np.clip(np.searchsorted(times, beats, side="right") - 1, 0, len(times) - 2)
    length = (times[place + 1] - times[place])[:, None]
    u = np.clip((beats - times[place])[:, None] / length, 0.0, 1.0)
    u = (1 - snap) * u + snap * u * u * (3 - 2 * u)
    slopes = np.zeros_like(values)
    slopes[1:-1] = flow * (values[2:] - values[:-2]) / (times[2:] - times[:-2])[:, None]
    square, cube = u * u, u**3
    return (
        (2 * cube - 3 * square + 1) * values[place]
        + (cube - 2 * square + u) * length * slopes[place]
        + (3 * square - 2 * cube) * values[place + 1]
        + (cube - square) * length * slopes[place + 1]
    )


class _Frames:
    """One dance, frame by frame: fills in local rotations from the root outwards."""

    def __init__(self, score: Score, manner: Manner, at: np.ndarray, dancer: Dancer) -> None:
        self.score, self.manner, self.at, self.dancer = score, manner, at, dancer
        self.body = sized(dancer.size)
        self.ease = {"flow": manner.flow, "snap": manner.snap}
        self.tracks = {n: eased(row, at, **self.ease)[:, 0] for n, row in score.body.items()}
        flow = max(manner.flow, 0.3 * (1 - manner.snap))  # who travels does not stop on the beat
        self.path = eased(score.path, at, flow=flow, snap=0.3 * manner.snap)
        self.local = np.tile(np.eye(3), (len(at), len(self.body.names), 1, 1))
        self.yaw = self.path[:, 2] + self.track("hip")
        self.pelvis = turned(self.track("pitch"), self.yaw, self.track("roll"))

    def solved(self) -> Danced:
        """Return the dance."""
        self.trunk()
        feet = {side: self.foot(side) for side in SIDES}
        ankles = {side: self.ankle(side, feet[side]) for side in SIDES}
        root = self.root(ankles)
        for side in SIDES:
            self.leg(side, root, ankles[side], feet[side])
            self.arm(side)
        return Danced(self.local, root, self.body)

    def track(self, name: str) -> np.ndarray:
        """Return a track of the body as large as this dancer makes it."""
        return self.tracks[name] * self.dancer.amplitude

    def put(self, name: str, rotations: np.ndarray) -> None:
        """Set the local rotation of a joint."""
        self.local[:, self.body.index(name)] = rotations

    def offset(self, name: str) -> np.ndarray:
        """Return where a joint is on its parent at rest."""
        return self.body.offsets_metres[self.body.index(name)]

    def trunk(self) -> None:
        """Turn pelvis, spine and head."""
        self.put("pelvis", self.pelvis)
        lean = self.track("lean") + self.dancer.stoop_degrees
        spine = turned(lean / 3, self.track("twist") / 3, -self.track("side") / 3)
        for name in ("spine1", "spine2", "spine3"):
            self.put(name, spine)
        head = turned(self.track("nod") / 2, self.track("look") / 2, -self.track("tilt") / 2)
        for name in ("neck", "head"):
            self.put(name, head)

    def foot(self, side: str) -> np.ndarray:
        """Return x, height and z of the ball of a foot, how far its heel is up, and its yaw."""
        found = eased(self.score.feet[side], self.at, snap=0.5 * self.manner.snap)
        begin, end = self.score.steps[side]
        step = np.clip(np.searchsorted(begin, self.at, side="right") - 1, 0, None)
        inside = np.clip((self.at - begin[step]) / (end[step] - begin[step]), 0, 1)
        swing = np.sin(np.pi * inside) ** 2
        jump = self.tracks["jump"] * self.dancer.energy
        lift = self.manner.step * self.dancer.energy * swing
        found[:, 1] += self.dancer.size * (lift + jump)
        ahead = np.radians(self.path[:, 2])
        away = found[:, [0, 2]] - self.path[:, :2]
        behind = -(away * np.stack([np.sin(ahead), np.cos(ahead)], axis=-1)).sum(-1)
        begin_metres, slope, most = TRAILING
        over = np.logaddexp(0, 30 * (behind / self.dancer.size - begin_metres)) / 30
        trailing = most * np.tanh(slope / most * over)
        found[:, 3] += self.tracks["rise"] + STEP_PITCH * swing + trailing
        return found

    def ankle(self, side: str, foot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the ankle is in the world, and how the foot is turned."""
        sole = turned(foot[:, 3], foot[:, 4], 0 * self.at)
        return foot[:, :3] - sole @ self.offset(f"{side}_foot"), sole

    def root(self, ankles: dict[str, tuple]) -> np.ndarray:
        """Return where the pelvis is: over the path, and as high as both legs allow."""
        dip = self.manner.bounce * self.dancer.energy * np.sin(np.pi * self.at) ** 2
        low = self.manner.knees + self.track("drop") + dip
        surge = self.track("surge") - BACK_METRES - BACK_SHARE * low
        over = np.stack([self.track("sway"), 0 * low, surge], axis=-1) * self.dancer.size
        heading = turned(0 * self.at, self.path[:, 2], 0 * self.at)
        root = (heading @ over[..., None])[..., 0]
        root[:, [0, 2]] += self.path[:, :2]
        highest = []
        for side in SIDES:
            hip = self.pelvis @ self.offset(f"{side}_hip")
            length = sum(np.linalg.norm(self.offset(f"{side}_{n}")) for n in ("knee", "ankle"))
            away = (ankles[side][0] - root - hip)[:, [0, 2]]
            square = (REACH * length) ** 2 - (away**2).sum(-1)
            highest.append(ankles[side][0][:, 1] + np.sqrt(np.maximum(square, 0.01)) - hip[:, 1])
        soft = np.logaddexp(*(-SOFT_PER_METRE * high for high in highest)) / SOFT_PER_METRE
        root[:, 1] = -soft - self.dancer.size * low
        return root

    def leg(self, side: str, root: np.ndarray, ankle: tuple, foot: np.ndarray) -> None:
        """Bend hip and knee so that the ankle is where the foot wants it; knees point ahead."""
        joint, sole = ankle
        names = [f"{side}_{n}" for n in ("hip", "knee", "ankle")]
        ahead = turned(0 * self.at, (foot[:, 4] + self.yaw) / 2, 0 * self.at)
        found = bent(
            joint - root - self.pelvis @ self.offset(names[0]),
            ahead @ np.array([0.0, 0.7, 1.0]),
            self.offset(names[1]),
            self.offset(names[2]),
            hinge=np.array([1.0, 0.0, 0.0]),
        )
        self.put(names[0], self.pelvis.swapaxes(-1, -2) @ found.upper)
        self.put(names[1], found.upper.swapaxes(-1, -2) @ found.lower)
        self.put(names[2], found.lower.swapaxes(-1, -2) @ sole)

    def arm(self, side: str) -> None:
        """Bend shoulder and elbow so that the wrist is where the arm's keys say."""
        rest = np.array(vocabulary().resting(self.manner)[side])
        keys = eased(self.score.arms[side], self.at, **self.ease)
        high, around, reach, elbow = (rest + self.dancer.amplitude * (keys - rest)).T
        elbow = elbow + self.dancer.elbows_degrees
        out = OUTWARD[side]
        high, around, elbow = (np.radians(angle) for angle in (high, around, elbow))
        ahead = _pointing(high, around, out)
        raised = _pointing(high + np.pi / 2, around, out)
        beside = _pointing(0 * high, around + np.pi / 2, out)
        pole = np.cos(elbow)[:, None] * beside + np.sin(elbow)[:, None] * raised
        names = [f"{side}_{n}" for n in ("elbow", "wrist")]
        length = sum(np.linalg.norm(self.offset(name)) for name in names)
        found = bent(
            ahead * (length * np.clip(reach, 0.25, 1.0))[:, None],
            pole,
            self.offset(names[0]),
            self.offset(names[1]),
            hinge=np.array([0.0, -out, 0.0]),
        )
        collar = turned(0 * high, 0 * high, out * (self.track("shrug") + 9 * np.sin(high)))
        self.put(f"{side}_collar", collar)
        self.put(f"{side}_shoulder", collar.swapaxes(-1, -2) @ found.upper)
        self.put(names[0], found.upper.swapaxes(-1, -2) @ found.lower)


def _pointing(high: np.ndarray, around: np.ndarray, out: float) -> np.ndarray:
    """Return the direction at `high` above the horizon and `around` from ahead to side `out`."""
    flat = np.cos(high)
    return np.stack([out * flat * np.sin(around), np.sin(high), flat * np.cos(around)], axis=-1)
