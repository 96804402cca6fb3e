"""What points on a body show before any fit: whether they are a body, its pelvis, its limbs.

Frame of reference: right-handed, y up, metres. `T` frames, `N` points, `J` joints.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.rotation import matrix_from_axis_angle, matrix_from_quaternion
from pasdedeux.motion.skeleton import Skeleton

FEWEST = 5
LIMBS = {  # three joints, also points, and where the last goes when the middle one bends: z
    ("hip", "knee", "ankle"): -1.0,
    ("shoulder", "elbow", "wrist"): 1.0,
}
STRAIGHT = 0.1  # sine of the bend below which a limb says little about its twist


class Frame(NamedTuple):
    """Where the pelvis is and how it is turned, as hips and shoulders show it."""

    origin: Float[np.ndarray, "T 3"]
    turn: Float[np.ndarray, "T 3 3"]


def check(points_world: Float[np.ndarray, "T N 3"], points: Keypoints) -> None:
    """Refuse what is no dance of these points in metres, and guess the mistake."""
    frames, count, _ = points_world.shape
    refuse(
        count != len(points.names),
        f"points_world holds {count} points, {len(points.names)} are named; "
        "give one for every name, in that order.",
    )
    refuse(frames < FEWEST, f"points_world must hold at least {FEWEST} frames, got {frames}.")
    bad = np.flatnonzero(~np.isfinite(points_world).all(axis=(1, 2)))
    refuse(
        len(bad) > 0,
        f"points_world is not finite in {len(bad)} frames, first in frame {bad[:1]}; "
        "fill or cut these frames.",
    )
    extent = points_world.max(axis=1) - points_world.min(axis=1)
    size = float(np.median(np.linalg.norm(extent, axis=-1)))
    units = {"centimetres": 100, "millimetres": 1000}
    likely = [unit for unit, count in units.items() if 0.8 < size / count < 3.5]
    refuse(
        not 0.8 < size < 3.5,
        f"points_world must be in metres, but the body measures {size:.3g} across; "
        f"are they in {likely[0] if likely else 'another unit'}?",
    )


def pelvis_frame(points_world: Float[np.ndarray, "T N 3"], points: Keypoints) -> Frame:
    """Return the middle of the hips; y to the middle of the shoulders, x left, z = x cross y.

    Raises `ValueError` when the two are no directions, or when the toes point behind the heels.
    """
    part = {name: points_world[:, place] for place, name in enumerate(points.names)}
    origin = (part["left_hip"] + part["right_hip"]) / 2
    up = (part["left_shoulder"] + part["right_shoulder"]) / 2 - origin
    across = part["left_hip"] - part["right_hip"]
    across = across + 0.5 * (part["left_shoulder"] - part["right_shoulder"])
    y = up / np.linalg.norm(up, axis=-1, keepdims=True).clip(1e-9)
    across = across - (across * y).sum(-1, keepdims=True) * y
    x = across / np.linalg.norm(across, axis=-1, keepdims=True).clip(1e-9)
    thin = (np.linalg.norm(up, axis=-1) < 0.05) | (np.linalg.norm(across, axis=-1) < 0.05)
    bad = np.flatnonzero(thin)
    refuse(
        len(bad) > 0,
        f"points_world has hips and shoulders in one place or line in {len(bad)} frames, first in "
        f"frame {bad[:1]}; fill or cut these frames.",
    )
    z = np.cross(x, y)
    toes = [part[f"{side}_toe"] - part[f"{side}_heel"] for side in ("left", "right")]
    refuse(
        np.mean([(toe * z).sum(-1) < 0 for toe in toes]) > 0.5,
        "points_world has its toes behind its heels in most frames; are left and right exchanged, "
        "or is an axis mirrored?",
    )
    return Frame(origin, np.stack([x, y, z], axis=-1))


def aimed(
    points_seen: Float[np.ndarray, "T N 3"], points: Keypoints, body: Skeleton
) -> Float[Tensor, "T J 3 3"]:
    """Return local rotations that aim arms and legs along their points, all else at rest.

    The upper half of a limb turns about itself until the lower half bends as a knee or an elbow
    does. `points_seen` are as the frame of the pelvis sees them.
    """
    names = body.names
    carriers = [body.index(joint) for joint in points.joints]
    rest = body.rest_joints()[carriers] + points.offsets_metres
    turns = torch.eye(3, dtype=torch.float64).repeat(len(points_seen), len(names), 1, 1)
    for side in ("left", "right"):
        for limb, forward in LIMBS.items():
            first, second, third = (f"{side}_{name}" for name in limb)
            here = [points.index(name) for name in (first, second, third)]
            bones = [_unit(rest[b] - rest[a]) for a, b in pairwise(here)]
            places = [points_seen[:, place] for place in here]
            upper = _least(bones[0], _unit(places[1] - places[0]))
            lower = np.einsum("tji,tj->ti", upper, _unit(places[2] - places[1]))
            bent = np.array([0.0, 0.0, forward])
            moved = lower - bones[1]  # from where it is at rest, where legs are not quite straight
            along = (moved @ bent).clip(0) + STRAIGHT
            angle = np.arctan2(moved @ np.cross(bones[0], bent), along)
            twist = matrix_from_axis_angle(torch.tensor(angle[:, None] * bones[0])).numpy()
            upper, lower = upper @ twist, np.einsum("tji,tj->ti", twist, lower)
            turns[:, names.index(first)] = torch.tensor(upper)
            turns[:, names.index(second)] = torch.tensor(_least(bones[1], lower))
    return turns


def _unit(vector: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True).clip(1e-9)


def _least(
    start: Float[np.ndarray, " 3"], end: Float[np.ndarray, "T 3"]
) -> Float[np.ndarray, "T 3 3"]:
    """Return the least rotations of one direction to others; none to its opposite."""
    w = 1 + end @ start + 1e-6
    quaternion = np.concatenate([w[:, None], np.cross(start, end)], axis=-1)
    return matrix_from_quaternion(torch.tensor(quaternion)).numpy()
