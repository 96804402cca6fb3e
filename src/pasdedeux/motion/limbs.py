"""A limb of two bones bent so that its end is where it should be: elbows and knees.

The triangle of two bones and the distance to the target gives the bend, the pole its plane: the
middle joint points towards the pole. All is seen from one frame of reference. `T` frames.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

STRETCH = 0.998  # of the full length: a limb never quite locks, where its plane would be lost
FOLD = 0.12  # of the full length: nor does it fold onto itself


class Bent(NamedTuple):
    """Orientation of the upper and the lower bone in the frame of the target."""

    upper: Float[np.ndarray, "T 3 3"]
    lower: Float[np.ndarray, "T 3 3"]


def bent(
    target: Float[np.ndarray, "T 3"],
    pole: Float[np.ndarray, "T 3"],
    upper: Float[np.ndarray, " 3"],
    lower: Float[np.ndarray, " 3"],
    *,
    hinge: Float[np.ndarray, " 3"],
) -> Bent:
    """Return the rotations of two bones whose end is nearest to `target`, seen from their root.

    upper, lower: the bones at rest. hinge: the axis about which the lower one bends at rest, by a
    positive angle. A target out of reach is pointed at.
    """
    first, second = np.linalg.norm(upper), np.linalg.norm(lower)
    far = np.linalg.norm(target, axis=-1)
    reach = np.clip(far, FOLD * (first + second), STRETCH * (first + second))
    along = target / np.maximum(far, 1e-9)[:, None]
    out = pole - (pole * along).sum(-1, keepdims=True) * along
    out = out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)
    cosine = (first**2 + reach**2 - second**2) / (2 * first * reach)
    cosine = np.clip(cosine, -1.0, 1.0)[:, None]
    bone = cosine * along + np.sqrt(1 - cosine**2) * out
    rest = reach[:, None] * along - first * bone
    rest = rest / np.linalg.norm(rest, axis=-1, keepdims=True)
    normal = np.cross(out, along)
    return Bent(
        _frame(bone, normal) @ _frame(upper, hinge).T, _frame(rest, normal) @ _frame(lower, hinge).T
    )


def turned(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Float[np.ndarray, "T 3 3"]:
    """Return Ry(y) Rx(x) Rz(z) of angles in degrees: turn, then bend forward, then to the side."""
    (cx, cy, cz), (sx, sy, sz) = (
        [f(np.radians(angle)) for angle in np.broadcast_arrays(x, y, z)] for f in (np.cos, np.sin)
    )
    rows = [
        [cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx],
        [cx * sz, cx * cz, -sx],
        [-sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def _frame(along: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return the rotation whose columns are `along`, `normal` made orthogonal to it, the third."""
    x = along / np.linalg.norm(along, axis=-1, keepdims=True)
    y = normal - (normal * x).sum(-1, keepdims=True) * x
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)
