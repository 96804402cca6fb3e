"""Ground costs between the points of two sets: what transport has to pay for.

All return one matrix a problem, `N` points against `M`, whatever batch dimensions come first. B, N,
M, D and J are those of the dimension key in `pasdedeux/__init__.py`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.motion.rotation import geodesic


def l1(x: Float[Tensor, "*B N D"], y: Float[Tensor, "*B M D"]) -> Float[Tensor, "*B N M"]:
    """Return the L1 distances |x_i - y_j|_1.

    Eq. 5 of the dual-learning paper compares embeddings with it; "squared L1 cost" there means the
    square of a difference of two such distances, not a squared distance.
    """
    return torch.cdist(x, y, p=1.0)


def l2(x: Float[Tensor, "*B N D"], y: Float[Tensor, "*B M D"]) -> Float[Tensor, "*B N M"]:
    """Return the Euclidean distances |x_i - y_j|_2, without the rounding of the matrix product."""
    return torch.cdist(x, y, p=2.0, compute_mode="donot_use_mm_for_euclid_dist")


def squared_l2(x: Float[Tensor, "*B N D"], y: Float[Tensor, "*B M D"]) -> Float[Tensor, "*B N M"]:
    """Return the squared Euclidean distances, the cost of the 2-Wasserstein distance."""
    cross = x @ y.mT
    squares = x.square().sum(-1)[..., :, None] + y.square().sum(-1)[..., None, :]
    return (squares - 2 * cross).clamp_min(0)


def squared_geodesic(
    x: Float[Tensor, "*B N J 3 3"], y: Float[Tensor, "*B M J 3 3"]
) -> Float[Tensor, "*B N M"]:
    """Return, summed over J rotations, the squared angle of the rotation that turns x_i into y_j.

    The rotation part of Eq. 8 of the dual-learning paper, which MDOT names as the cost for poses;
    frames of a sequence are further rotations along J.
    """
    pairs = torch.broadcast_tensors(x[..., :, None, :, :, :], y[..., None, :, :, :, :])
    return geodesic(*pairs).square().sum(-1)


def by_one_scale(
    rows: Float[Tensor, "*B N N"], columns: Float[Tensor, "*B M M"]
) -> tuple[Float[Tensor, "*B N N"], Float[Tensor, "*B M M"]]:
    """Return both matrices divided by one constant: the mean of `rows` off its diagonal.

    One scale keeps Gromov-Wasserstein a comparison of sizes as well as of shapes. It is detached:
    the loss cannot be lowered by inflating the scale.
    """
    count = rows.shape[-1]
    refuse(count < 2, f"rows must hold at least 2 points, got {count}; give a larger batch.")
    scale = (rows.detach().sum((-2, -1)) / (count * (count - 1)))[..., None, None]
    refuse(
        not bool((scale > 0).all()),
        "rows must hold points that differ, got mean distance 0; have the embeddings collapsed?",
    )
    return rows / scale, columns / scale
