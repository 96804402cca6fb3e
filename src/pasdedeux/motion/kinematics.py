"""Where the joints are: forward kinematics of a skeleton, batched over frames.

Each joint turns its whole subtree. With local rotations L, parent p(j) and rest offset o_j,

    R_j = R_p(j) L_j,    x_j = x_p(j) + R_p(j) o_j,    R_0 = L_0,    x_0 = translation + o_0,

as in SMPL (Loper et al. 2015), where the root turns about its own joint. Frame of reference: the
world's, in the unit of the offsets (metres). `J` joints.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.motion.skeleton import Skeleton


class Placed(NamedTuple):
    """Joints and their orientations in the world."""

    joints_world: Float[Tensor, "*any J 3"]
    rotations_world: Float[Tensor, "*any J 3 3"]


def placed(
    rotations_local: Float[Tensor, "*any J 3 3"],
    translation: Float[Tensor, "*any 3"],
    skeleton: Skeleton,
    *,
    offsets: Float[Tensor, "J 3"] | None = None,
) -> Placed:
    """Return joints and orientations of `skeleton`, one matrix product per depth of the tree.

    `offsets` take the place of the skeleton's own, for a body whose bones are being learned.
    """
    count = rotations_local.shape[-3]
    refuse(
        count != len(skeleton.names),
        f"rotations_local holds {count} joints, the skeleton {len(skeleton.names)}; "
        "give one rotation for every joint, in the skeleton's order.",
    )
    own = torch.tensor(skeleton.offsets_metres).to(rotations_local)
    offsets = own if offsets is None else offsets
    depths = skeleton.depths
    order = [joint for depth in range(max(depths) + 1) for joint in _at(depths, depth)]
    place = {joint: index for index, joint in enumerate(order)}
    rotations = rotations_local[..., :1, :, :]
    joints = (translation + offsets[0])[..., None, :]
    for depth in range(1, max(depths) + 1):
        level = _at(depths, depth)
        above = [place[skeleton.parents[joint]] for joint in level]
        turned = rotations[..., above, :, :]
        bones = (turned @ offsets[level][..., None]).squeeze(-1)
        joints = torch.cat([joints, joints[..., above, :] + bones], dim=-2)
        rotations = torch.cat([rotations, turned @ rotations_local[..., level, :, :]], dim=-3)
    back = [place[joint] for joint in range(count)]
    return Placed(joints[..., back, :], rotations[..., back, :, :])


def _at(depths: tuple[int, ...], depth: int) -> list[int]:
    return [joint for joint, found in enumerate(depths) if found == depth]
