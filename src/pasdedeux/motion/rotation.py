"""Rotations in the four forms of the dance papers, the angle between two, and what lies between.

| form       | shape | what it is                                                       |
|------------|-------|------------------------------------------------------------------|
| axis-angle | 3     | unit axis times angle in radians, how SMPL stores a pose         |
| quaternion | 4     | (w, x, y, z) of length 1, w = cos(angle / 2); q and -q are one   |
| matrix     | 3 3   | orthogonal, determinant 1, turns column vectors                  |
| six        | 6     | first column of the matrix, then the second                      |

Every function takes any leading dimensions, follows dtype and device, and has finite gradients for
every rotation, the identity and half turns included. Positions in time: `T`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse


def matrix_from_axis_angle(axis_angle: Float[Tensor, "*any 3"]) -> Float[Tensor, "*any 3 3"]:
    """Return R = I + sin(a)/a W + (1 - cos a)/a^2 W^2, W the cross product with the vector.

    Rodrigues' formula, with a the vector's length; (1 - cos a)/a^2 = 2 (sin(a/2)/a)^2.
    """
    square = axis_angle.square().sum(-1)[..., None, None]
    cross = _cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    half = _sin_over(square / 4)
    return identity + _sin_over(square) * cross + half.square() / 2 * (cross @ cross)


def axis_angle_from_matrix(matrix: Float[Tensor, "*any 3 3"]) -> Float[Tensor, "*any 3"]:
    """Return the vector of length 0..pi that `matrix` turns about."""
    return axis_angle_from_quaternion(quaternion_from_matrix(matrix))


def quaternion_from_axis_angle(axis_angle: Float[Tensor, "*any 3"]) -> Float[Tensor, "*any 4"]:
    """Return (cos(a/2), sin(a/2)/a times the vector), a the vector's length."""
    square = axis_angle.square().sum(-1, keepdim=True) / 4
    length = _length(axis_angle) / 2
    return torch.cat([length.cos(), _sin_over(square) * axis_angle / 2], dim=-1)


def axis_angle_from_quaternion(quaternion: Float[Tensor, "*any 4"]) -> Float[Tensor, "*any 3"]:
    """Return 2 atan2(|v|, w) v / |v| for (w, v), the turn of at most pi; any length will do."""
    positive = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, v = positive[..., :1], positive[..., 1:]
    length = _length(v)
    still = length < torch.finfo(v.dtype).tiny ** 0.5
    one = torch.ones_like(length)
    turned = torch.atan2(length, w) / torch.where(still, one, length)
    return 2 * v * torch.where(still, 1 / torch.where(still, w, one), turned)


def matrix_from_quaternion(quaternion: Float[Tensor, "*any 4"]) -> Float[Tensor, "*any 3 3"]:
    """Return R = I + 2 w V + 2 V^2 of (w, v) brought to length 1, V the cross product with v."""
    unit = quaternion / quaternion.norm(dim=-1, keepdim=True)
    cross = _cross_matrix(unit[..., 1:])
    identity = torch.eye(3, dtype=unit.dtype, device=unit.device)
    return identity + 2 * unit[..., :1, None] * cross + 2 * (cross @ cross)


def quaternion_from_matrix(matrix: Float[Tensor, "*any 3 3"]) -> Float[Tensor, "*any 4"]:
    """Return the quaternion of `matrix`, the one with w >= 0.

    4 q q^T is linear in the entries of the matrix; its row with the largest diagonal entry, brought
    to length 1, is q (Shepperd 1978), so that nothing small is ever divided by.
    """
    m = matrix
    diagonal = [m[..., i, i] for i in range(3)]
    x, y, z = diagonal
    squares = [1 + x + y + z, 1 + x - y - z, 1 - x + y - z, 1 - x - y + z]
    wx, wy, wz = (m[..., i, j] - m[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))
    xy, xz, yz = (m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    rows = [
        torch.stack([squares[0], wx, wy, wz], dim=-1),
        torch.stack([wx, squares[1], xy, xz], dim=-1),
        torch.stack([wy, xy, squares[2], yz], dim=-1),
        torch.stack([wz, xz, yz, squares[3]], dim=-1),
    ]
    best = torch.stack(squares, dim=-1).argmax(dim=-1)[..., None, None]
    row = torch.stack(rows, dim=-2).take_along_dim(best, dim=-2).squeeze(-2)
    unit = row / row.norm(dim=-1, keepdim=True)
    return torch.where(unit[..., :1] < 0, -unit, unit)


def six_from_matrix(matrix: Float[Tensor, "*any 3 3"]) -> Float[Tensor, "*any 6"]:
    """Return the first column, then the second: Eq. 1 of the dual-learning paper.

    The paper calls the form a Stiefel manifold: pairs of orthogonal unit vectors in space.
    """
    return torch.cat([matrix[..., 0], matrix[..., 1]], dim=-1)


def matrix_from_six(six: Float[Tensor, "*any 6"]) -> Float[Tensor, "*any 3 3"]:
    """Return the rotation whose first two columns are those of `six`, made orthonormal.

    Gram-Schmidt of Zhou et al. (2019), "On the Continuity of Rotation Representations": the first
    column keeps its direction, the second loses its part along the first; the third is their cross
    product. So any output of a network is a rotation, unless a column is 0 or the two are parallel.
    """
    first = torch.nn.functional.normalize(six[..., :3], dim=-1)
    second = six[..., 3:]
    second = second - (first * second).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    third = torch.linalg.cross(first, second, dim=-1)
    return torch.stack([first, second, third], dim=-1)


def geodesic(
    reference: Float[Tensor, "*any 3 3"], estimate: Float[Tensor, "*any 3 3"]
) -> Float[Tensor, "*any"]:
    """Return the angle in radians, 0..pi, from one rotation to the other.

    Eq. 8 of the dual-learning paper, arccos((tr(R E^T) - 1) / 2), computed as atan2(sin, cos) with
    2 sin the length of the skew part of R E^T: the slope of arccos is infinite at both ends, where
    this one is at most 1. At 0 and pi, where the angle has a kink, the gradient is 0.
    """
    turn = reference @ estimate.mT
    skew = torch.stack(
        [turn[..., i, j] - turn[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], dim=-1
    )
    trace = turn.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.atan2(_length(skew).squeeze(-1), trace - 1)


def slerp(
    start: Float[Tensor, "*any 4"], end: Float[Tensor, "*any 4"], share: Float[Tensor, "*any"]
) -> Float[Tensor, "*any 4"]:
    """Return the quaternion that lies `share` of the shorter way from `start` to `end`.

    Shoemake (1985): sin((1 - u) a)/sin(a) start + sin(u a)/sin(a) end, where a, the angle between
    the two on the sphere, is at most pi/2 once `end` has the sign that is nearer.
    """
    near = (start * end).sum(-1, keepdim=True) >= 0
    end = torch.where(near, end, -end)
    angle = 2 * torch.atan2(_length(end - start), _length(end + start))
    u = share[..., None]
    whole = _sin_over(angle.square())
    weights = [part * _sin_over((part * angle).square()) / whole for part in (1 - u, u)]
    return weights[0] * start + weights[1] * end


def resampled_rotations(
    rotations: Float[Tensor, "T *any 3 3"], rate_hz: float, target_hz: float
) -> Float[Tensor, "S *any 3 3"]:
    """Return `rotations` at times k / `target_hz`, on the shortest arcs between their neighbours.

    From the first frame up to the last one that the recording still reaches.
    """
    before, share = _between(len(rotations), rate_hz, target_hz)
    after = (before + 1).clamp(max=len(rotations) - 1)
    quaternions = quaternion_from_matrix(rotations)
    shape = (len(share),) + (1,) * (rotations.dim() - 3)
    share = share.to(rotations).view(shape).expand(len(share), *rotations.shape[1:-2])
    return matrix_from_quaternion(slerp(quaternions[before], quaternions[after], share))


def resampled_points(
    points: Float[Tensor, "T *any 3"], rate_hz: float, target_hz: float
) -> Float[Tensor, "S *any 3"]:
    """Return `points` at the times of `resampled_rotations`, on straight lines between frames."""
    before, share = _between(len(points), rate_hz, target_hz)
    after = (before + 1).clamp(max=len(points) - 1)
    share = share.to(points).view(len(share), *(1,) * (points.dim() - 1))
    return torch.lerp(points[before], points[after], share)


def _between(frames: int, rate_hz: float, target_hz: float) -> tuple[Tensor, Tensor]:
    """Return for every new frame the old frame before it and the share of the way to the next."""
    for name, value in (("rate_hz", rate_hz), ("target_hz", target_hz)):
        refuse(
            not (value > 0 and math.isfinite(value)),
            f"{name} must be a number of frames per second above 0, got {value}.",
        )
    refuse(frames == 0, "rotations or points to resample must hold at least one frame, got none.")
    count = int((frames - 1) * target_hz / rate_hz + 1e-9) + 1
    place = torch.arange(count, dtype=torch.float64) * (rate_hz / target_hz)
    before = place.floor().clamp(max=frames - 1)
    return before.long(), place - before


def _cross_matrix(vector: Float[Tensor, "*any 3"]) -> Float[Tensor, "*any 3 3"]:
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _length(vector: Float[Tensor, "*any C"]) -> Float[Tensor, "*any 1"]:
    """Return the length of `vector`, with gradient 0 where it is 0."""
    square = vector.square().sum(-1, keepdim=True)
    zero = square == 0
    root = torch.where(zero, torch.ones_like(square), square).sqrt()
    return torch.where(zero, torch.zeros_like(root), root)


def _sin_over(square: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Return sin(a)/a as a smooth function of a^2, by its series where a^2 is small."""
    small = square < torch.finfo(square.dtype).eps ** 0.5
    series = 1 - square / 6
    root = torch.where(small, torch.ones_like(square), square).sqrt()
    return torch.where(small, series, root.sin() / root)
