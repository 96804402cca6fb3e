"""A dance as a BVH file, which Blender and most programs that animate read without an add-on.

The file holds the skeleton at rest, in centimetres, then one line for each frame: where the root is
and how every joint is turned in its parent's frame, as three angles in degrees. A joint's channels
are applied in the order they are written, "Zrotation Xrotation Yrotation" is R = R_z R_x R_y. The
axes are ours: y up, z forward; Blender's importer takes them so by default. `T` frames, `J` joints.

Three angles cannot follow every path of rotations: where the middle one is at a right angle the
other two turn about the same axis. A knee bends past that about x, an elbow about y. So each joint
has the one of two orders that keeps its own dance farther from there, and of all angles that give a
rotation those nearest to the frame before, so that programs that interpolate angles see no jumps
of a whole turn.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_text
from pasdedeux.motion.rotation import matrix_from_six
from pasdedeux.motion.skeleton import Skeleton, smpl

AXES = "XYZ"
ORDERS = ("ZXY", "ZYX")  # the first wherever it is no worse
CM = 100.0
LOCKED = 1e-7  # cosine of the middle angle below which the first one is free
TIP_SHARE = 0.5  # a joint without children ends in half a bone, which only gives it a direction


def write_bvh(
    path: Path,
    translation: Float[np.ndarray, "T 3"],
    rotations: Float[np.ndarray, "_ J 6"],
    body: Skeleton | None = None,
    *,
    rate_hz: float = 25.0,
) -> None:
    """Write a dance to `path` as BVH, whole or not at all; SMPL's joints unless `body` is given.

    `rotations` are local, in the 6-D form; `translation` is that of `motion.kinematics`, in metres.
    Raises `ValueError` for what `bvh` refuses.
    """
    write_text(Path(path), bvh(translation, rotations, body, rate_hz=rate_hz))


def bvh(
    translation: Float[np.ndarray, "T 3"],
    rotations: Float[np.ndarray, "_ J 6"],
    body: Skeleton | None = None,
    *,
    rate_hz: float = 25.0,
) -> str:
    """Return a dance as the text of a BVH file; see `write_bvh`.

    The root rests at the origin and its place is in the frames, since programs disagree on whether
    a place is added to the offset. Raises `ValueError` for no frame, a frame rate that is not above
    0, another number of joints than the body's, and numbers that are not finite.
    """
    body = smpl() if body is None else body
    frames, joints, _ = rotations.shape
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    told = f"{len(translation)} translations and {frames} rotations; give as many of both, one or"
    refuse(frames < 1 or frames != len(translation), f"{told} more.")
    told = f"rotations hold {joints} joints, the body {len(body.names)}; give one for every joint."
    refuse(joints != len(body.names), told)
    fine = bool(np.isfinite(translation).all() and np.isfinite(rotations).all())
    refuse(not fine, "translation and rotations must be finite; fill the lost frames first.")
    matrices = matrix_from_six(torch.from_numpy(rotations.astype(float))).numpy()
    orders = [best_order(matrices[:, joint]) for joint in range(joints)]
    angles = [euler(matrices[:, joint], order) for joint, order in enumerate(orders)]
    turns = np.degrees(np.stack(angles, axis=1))
    sequence = _depth_first(body)
    places = CM * (translation + body.offsets_metres[0])
    rows = np.concatenate([places, turns[:, sequence].reshape(frames, -1)], axis=1)
    lines = ["HIERARCHY", *_hierarchy(body, orders), "MOTION", f"Frames: {frames}"]
    lines.append(f"Frame Time: {1 / rate_hz:.8f}")
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows + 0.0]
    return "\n".join(lines) + "\n"


def best_order(matrices: Float[np.ndarray, "T 3 3"]) -> str:
    """Return the order of `ORDERS` whose middle angle stays farthest from a right angle."""
    nearest = [float(np.abs(matrices[:, AXES.index(o[0]), AXES.index(o[2])]).max()) for o in ORDERS]
    return ORDERS[int(np.argmin(nearest))]


def euler(matrices: Float[np.ndarray, "T 3 3"], order: str) -> Float[np.ndarray, "T 3"]:
    """Return angles (a, b, c) in radians with R = R_i(a) R_j(b) R_k(c), the axes ijk of `order`.

    (a, b, c) and (a + pi, pi - b, c + pi) are one rotation, whole turns change nothing; of all
    these the angles nearest to the frame before are taken, for the first frame those nearest to 0.
    Where a is free, at a right angle b, it stays as it was.
    """
    i, j, k = (AXES.index(axis) for axis in order)
    sign = 1.0 if (i + 1) % 3 == j else -1.0
    one, other = -sign * matrices[:, j, k], matrices[:, k, k]
    free = np.hypot(one, other) < LOCKED
    last = np.maximum.accumulate(np.where(free, -1, np.arange(len(matrices))))
    first = np.where(last >= 0, np.arctan2(one, other)[last], 0.0)
    either = np.stack([_rest(matrices, first + turn, (i, j, k), sign) for turn in (0.0, np.pi)])
    found = np.zeros((len(matrices), 3))
    before = np.zeros(3)
    for frame, choices in enumerate(either.swapaxes(0, 1)):
        near = before + np.remainder(choices - before + np.pi, 2 * np.pi) - np.pi
        before = near[np.abs(near - before).sum(axis=1).argmin()]
        found[frame] = before
    return found


def _rest(
    matrices: Float[np.ndarray, "T 3 3"],
    first: Float[np.ndarray, " T"],
    axes: tuple[int, int, int],
    sign: float,
) -> Float[np.ndarray, "T 3"]:
    """Return the angles whose first is given: R_i(-a) R = R_j(b) R_k(c) tells the other two."""
    i, j, k = axes
    cos, sin = np.cos(first)[:, None], sign * np.sin(first)[:, None]
    left = np.empty_like(matrices)
    left[:, i] = matrices[:, i]
    left[:, j] = cos * matrices[:, j] + sin * matrices[:, k]
    left[:, k] = cos * matrices[:, k] - sin * matrices[:, j]
    second = np.arctan2(sign * left[:, i, k], left[:, k, k])
    third = np.arctan2(sign * left[:, j, i], left[:, j, j])
    return np.stack([first, second, third], axis=1)


def _children(body: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(body.parents) if parent == joint]


def _depth_first(body: Skeleton, joint: int = 0) -> list[int]:
    """Return the joints in the order in which a BVH file names them."""
    below = (_depth_first(body, child) for child in _children(body, joint))
    return [joint, *(found for branch in below for found in branch)]


def _hierarchy(body: Skeleton, orders: list[str], joint: int = 0, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a joint and of all below it."""
    pad, inner = "\t" * depth, "\t" * (depth + 1)
    offset = body.offsets_metres[joint] if depth else np.zeros(3)
    turns = " ".join(f"{axis}rotation" for axis in orders[joint])
    yield f"{pad}{'JOINT' if depth else 'ROOT'} {body.names[joint]}"
    yield f"{pad}{{"
    yield f"{inner}OFFSET {_centimetres(offset)}"
    place = "" if depth else "Xposition Yposition Zposition "
    yield f"{inner}CHANNELS {3 if depth else 6} {place}{turns}"
    children = _children(body, joint)
    for child in children:
        yield from _hierarchy(body, orders, child, depth + 1)
    if not children:
        tip = _centimetres(TIP_SHARE * offset)
        yield from (f"{inner}End Site", f"{inner}{{", f"{inner}\tOFFSET {tip}", f"{inner}}}")
    yield f"{pad}}}"


def _centimetres(metres: Float[np.ndarray, " 3"]) -> str:
    return " ".join(f"{CM * value:.6f}" for value in metres.astype(float) + 0.0)
