"""How a dance moves, as one vector: kinetic and geometric features of the field's FID.

Kinetic: Onuma, Faloutsos and Hodgins (2008), "FMDistance". Geometric: 32 questions after Mueller,
Roeder and Clausen (2005), "Efficient content-based retrieval of motion capture data", with the
limits of the fairmotion toolkit, which AIST++ uses. The public scripts fix a frame time of 1/60 s
(kinetic) or 1/120 s (geometric) whatever the recording; here it is 1 / `rate_hz`, so that figures
at other rates are not comparable. Frame of reference: the world's, y up, in metres; subtract the
first frame's root before comparing dances. `T` frames, `J` joints.

Two oddities of the public questions are kept, because published figures hold them. The wrists that
questions 4 and 5 are about are never read there, so that both are one question about the chest. And
where the normal is a cross product (0, 1, 14, 15), it points forward for one side of the body and
backward for the other.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from pasdedeux.base.checks import refuse
from pasdedeux.motion import skeleton
from pasdedeux.motion.beats import check
from pasdedeux.motion.skeleton import Skeleton

WINDOW = 2  # frames on each side of the moving average
UP = 1


class Question(NamedTuple):
    """One question to a frame: its kind, whom it concerns, and its limits.

    `limit` counts the lengths of `unit` (a part of the body at rest); angles are in degrees.
    """

    kind: str
    points: tuple[str, ...]
    limit: float | tuple[float, float]
    unit: str = "humerus"


def _questions() -> tuple[Question, ...]:
    """Return the 32 questions, in the public order; the joints of a side read `right`, `left`."""
    q, elbow, knee = Question, (0.0, 110.0), (0.0, 110.0)
    sides = (("right", "left"), ("left", "right"))

    def both(kind: str, points: str, limit: float | tuple[float, float]) -> list[Question]:
        named = [points.format(own=own, other=other) for own, other in sides]
        return [q(kind, tuple(words.split()), limit) for words in named]

    return (
        *both("moves_across", "neck {own}_hip {other}_hip {own}_wrist", 1.8),
        *both("beyond", "spine3 neck neck {own}_wrist", 0.2),
        *both("moves_along", "spine1 spine3 spine3", 1.8),
        *both("angle", "{own}_elbow {own}_shoulder {own}_elbow {own}_wrist", elbow),
        q(
            "beyond",
            ("left_shoulder", "right_shoulder", "left_wrist", "right_wrist"),
            2.5,
            "shoulders",
        ),
        q("moves_along", ("left_wrist", "right_wrist", "right_wrist"), 1.4),
        *both("moves_along", "{own}_wrist pelvis {other}_wrist", 1.4),
        *both("fast", "{own}_wrist", 2.5),
        *both("above_plane", "pelvis {other}_hip {other}_foot {own}_ankle", 0.38),
        *both("beyond", "zero y_unit y_min {own}_ankle", 1.2),
        q("beyond", ("left_hip", "right_hip", "left_ankle", "right_ankle"), 2.1, "hips"),
        *both("angle", "{own}_knee {own}_hip {own}_knee {own}_ankle", knee),
        *both("fast", "{own}_ankle", 2.5),
        *both("angle", "neck pelvis {own}_shoulder {own}_elbow", (25.0, 180.0)),
        *both("angle", "neck pelvis {own}_hip {own}_knee", (50.0, 180.0)),
        q("above_plane", ("right_ankle", "neck", "left_ankle", "pelvis"), 0.5),
        q("angle", ("neck", "pelvis", "zero", "y_unit"), (70.0, 110.0)),
        *both("beyond", "zero y_down y_min {own}_wrist", -1.2),
        q("fast", ("pelvis",), 2.3),
    )


QUESTIONS = _questions()


def kinetic(joints_world: Float[np.ndarray, "T J 3"], rate_hz: float) -> Float[np.ndarray, " D"]:
    """Return three numbers for each joint in turn, D = 3 J.

    Mean squared horizontal speed, mean squared vertical speed, mean length of the acceleration;
    velocity and acceleration first averaged over up to two frames on each side.
    """
    check(joints_world, rate_hz)
    velocity = np.diff(joints_world, axis=0) * rate_hz
    acceleration = np.diff(velocity, axis=0) * rate_hz
    energy = _smoothed(velocity) ** 2
    vertical = energy[..., UP].mean(axis=0)
    horizontal = energy.sum(axis=-1).mean(axis=0) - vertical
    effort = np.linalg.norm(_smoothed(acceleration), axis=-1).mean(axis=0)
    return np.stack([horizontal, vertical, effort], axis=-1).ravel()


def geometric(
    joints_world: Float[np.ndarray, "T J 3"],
    rate_hz: float,
    *,
    body: Skeleton | None = None,
) -> Float[np.ndarray, " 32"]:
    """Return the share of frames, from the second on, whose answer to each question is yes."""
    return answers(joints_world, rate_hz, body=body).mean(axis=0)


def answers(
    joints_world: Float[np.ndarray, "T J 3"],
    rate_hz: float,
    *,
    body: Skeleton | None = None,
) -> Bool[np.ndarray, "S 32"]:
    """Return the answer of every frame from the second on to every one of `QUESTIONS`.

    `body` names the joints and gives the lengths that the limits count; SMPL's by default.
    """
    check(joints_world, rate_hz)
    body = skeleton.smpl() if body is None else body
    count = joints_world.shape[1]
    refuse(
        count != len(body.names),
        f"joints_world holds {count} joints, body names {len(body.names)}; give the body of these.",
    )
    points = _points(joints_world, body)
    units = _units(body)
    columns = []
    for kind, names, limit, unit in QUESTIONS:
        asked = [points[name] for name in names]
        bound = limit if isinstance(limit, tuple) else limit * units[unit]
        columns.append(_ASK[kind](asked, bound, rate_hz))
    return np.stack(columns, axis=-1)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean over the frames that exist within `WINDOW` of each."""
    count = len(values)
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    frame = np.arange(count)
    low, high = np.maximum(frame - WINDOW, 0), np.minimum(frame + WINDOW + 1, count)
    return (total[high] - total[low]) / (high - low)[:, None, None]


def _points(joints_world: np.ndarray, body: Skeleton) -> dict[str, np.ndarray]:
    """Return the path of every joint, and of the points that name the vertical and the floor."""
    points = {name: joints_world[:, joint] for joint, name in enumerate(body.names)}
    zero = np.zeros_like(joints_world[:, 0])
    up = zero + np.eye(3)[UP]
    lowest = joints_world[..., UP].min(axis=1)[:, None] * up
    return {**points, "zero": zero, "y_unit": up, "y_down": -up, "y_min": lowest}


def _units(body: Skeleton) -> dict[str, float]:
    rest = dict(zip(body.names, body.rest_joints(), strict=True))
    pairs = {
        "humerus": ("left_shoulder", "left_elbow"),
        "shoulders": ("left_shoulder", "right_shoulder"),
        "hips": ("left_hip", "right_hip"),
    }
    return {name: float(np.linalg.norm(rest[a] - rest[b])) for name, (a, b) in pairs.items()}


def _exceeds(vector: np.ndarray, direction: np.ndarray, limit: float) -> np.ndarray:
    """Return whether the part of `vector` along `direction` is above `limit`; no, where none."""
    length = np.linalg.norm(direction, axis=-1)
    return (vector * direction).sum(-1) > limit * length


def _moves_across(p: list[np.ndarray], limit: float, rate_hz: float) -> np.ndarray:
    """Return whether p3, seen from p0, moves along the normal (p2 - p0) x (p1 - p0)."""
    normal = np.cross(p[2] - p[0], p[1] - p[0])[1:]
    return _exceeds(np.diff(p[3] - p[0], axis=0) * rate_hz, normal, limit)


def _moves_along(p: list[np.ndarray], limit: float, rate_hz: float) -> np.ndarray:
    """Return whether p2, seen from p0, moves along p1 - p0."""
    return _exceeds(np.diff(p[2] - p[0], axis=0) * rate_hz, (p[1] - p[0])[1:], limit)


def _beyond(p: list[np.ndarray], limit: float, rate_hz: float) -> np.ndarray:
    """Return whether p3 lies beyond the plane through p2 that p1 - p0 is normal to."""
    return _exceeds((p[3] - p[2])[1:], (p[1] - p[0])[1:], limit)


def _above_plane(p: list[np.ndarray], limit: float, rate_hz: float) -> np.ndarray:
    """Return whether p3 lies above the plane of p0, p1, p2, its normal (p2 - p0) x (p1 - p0)."""
    return _exceeds((p[3] - p[0])[1:], np.cross(p[2] - p[0], p[1] - p[0])[1:], limit)


def _angle(p: list[np.ndarray], limits: tuple[float, float], rate_hz: float) -> np.ndarray:
    """Return whether the angle in degrees between p1 - p0 and p3 - p2 is within `limits`."""
    one, other = (p[1] - p[0])[1:], (p[3] - p[2])[1:]
    sine = np.linalg.norm(np.cross(one, other), axis=-1)
    angle = np.degrees(np.arctan2(sine, (one * other).sum(-1)))
    return (angle > limits[0]) & (angle < limits[1])


def _fast(p: list[np.ndarray], limit: float, rate_hz: float) -> np.ndarray:
    """Return whether p0 moves faster than `limit` a second."""
    return np.linalg.norm(np.diff(p[0], axis=0), axis=-1) * rate_hz > limit


_ASK = {
    "moves_across": _moves_across,
    "moves_along": _moves_along,
    "beyond": _beyond,
    "above_plane": _above_plane,
    "angle": _angle,
    "fast": _fast,
}
