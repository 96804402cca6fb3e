"""Windows of motion moved to one place and turned one way: where and whither no longer matters.

The first frame decides: its root goes to x = z = 0 and its left side to +x, so that the dancer
faces +z; heights stay. The whole window moves as one rigid body, so nothing within it changes.
Facing is taken from the line of the hips: it stays sound when a dancer bends forward or turns
upside down, and fails only where that line is vertical; such a window is not turned.

Frame of reference: y up, x left and z forward of a dancer who faces z. `N` windows, `T` frames,
`J` joints.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse

VERTICAL = 1e-6  # of the hips' line in the horizontal, in metres or as a share


class Heading(NamedTuple):
    """Where the first frames stand on the floor, and which way is left there, as (x, z)."""

    place: Float[np.ndarray, "N 2"]
    left: Float[np.ndarray, "N 2"]  # unit vectors


def points_heading(points_world: Float[np.ndarray, "N T J 3"], hips: tuple[int, int]) -> Heading:
    """Return the heading of windows of points; `hips` are the left and the right one's index.

    The root is the middle between them.
    """
    refuse(points_world.shape[1] == 0, "points_world must hold at least one frame in a window.")
    left, right = (points_world[:, 0, hip] for hip in hips)
    return Heading(((left + right) / 2)[:, ::2], _unit((left - right)[:, ::2]))


def pose_heading(pose: Float[np.ndarray, "N T 147"]) -> Heading:
    """Return the heading of windows of `Dance.pose`, from the translation and the root's x axis."""
    refuse(pose.shape[1] == 0, "pose must hold at least one frame in a window.")
    return Heading(pose[:, 0, 0:3:2], _unit(pose[:, 0, 3:6:2]))


def canonical_points(
    points_world: Float[np.ndarray, "N T J 3"], heading: Heading
) -> Float[np.ndarray, "N T J 3"]:
    """Return the points as seen from `heading`: R (p - place), R turning its left to +x."""
    moved = points_world.copy()
    moved[..., ::2] -= heading.place[:, None, None]
    return _turned(moved, heading.left)


def world_points(
    points: Float[np.ndarray, "N T J 3"], heading: Heading
) -> Float[np.ndarray, "N T J 3"]:
    """Return what `canonical_points` was given."""
    moved = _turned(points, heading.left * np.array([1, -1], heading.left.dtype))
    moved[..., ::2] += heading.place[:, None, None]
    return moved


def canonical_pose(
    pose: Float[np.ndarray, "N T 147"], heading: Heading
) -> Float[np.ndarray, "N T 147"]:
    """Return translation and root rotation as seen from `heading`, the other rotations unchanged.

    A rotation in the 6-D form is turned column by column. Where the root's offset at rest is not 0
    (joint 0 of a real SMPL file) all joints of a window are displaced by one small vector.
    """
    vectors = pose[..., :9].reshape(*pose.shape[:2], 3, 3)
    translation = canonical_points(vectors[..., :1, :], heading)
    columns = _turned(vectors[..., 1:, :], heading.left)
    return _joined(translation, columns, pose)


def world_pose(
    pose: Float[np.ndarray, "N T 147"], heading: Heading
) -> Float[np.ndarray, "N T 147"]:
    """Return what `canonical_pose` was given."""
    vectors = pose[..., :9].reshape(*pose.shape[:2], 3, 3)
    back = heading.left * np.array([1, -1], heading.left.dtype)
    translation = world_points(vectors[..., :1, :], heading)
    return _joined(translation, _turned(vectors[..., 1:, :], back), pose)


def _joined(
    translation: Float[np.ndarray, "N T 1 3"],
    columns: Float[np.ndarray, "N T 2 3"],
    pose: Float[np.ndarray, "N T 147"],
) -> Float[np.ndarray, "N T 147"]:
    root = np.concatenate([translation, columns], axis=-2).reshape(*pose.shape[:2], 9)
    return np.concatenate([root, pose[..., 9:]], axis=-1)


def _turned(
    vectors: Float[np.ndarray, "N T J 3"], left: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "N T J 3"]:
    """Return the vectors turned about y by what brings `left` to +x."""
    cos, sin = left[:, None, None, 0], left[:, None, None, 1]
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def _unit(left: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    length = np.linalg.norm(left, axis=-1, keepdims=True)
    upright = length > VERTICAL
    forward = np.array([1, 0], left.dtype)
    return np.where(upright, left / np.where(upright, length, 1), forward)
