"""Poses as networks give them: 147 numbers, whose rotations are made rotations here.

3 for the translation in metres, then 24 rotations in the 6-D form (`motion.rotation`). Frame of
reference: that of the window, y up (`data.canonical`).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.motion import skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six, six_from_matrix

POSE, JOINTS, SIX = 147, 24, 6


def matrices(pose: Float[Tensor, "*any 147"]) -> Float[Tensor, "*any 24 3 3"]:
    """Return the local rotations of `pose`, made orthonormal."""
    return matrix_from_six(pose[..., 3:].unflatten(-1, (JOINTS, SIX)))


def orthonormal(pose: Float[Tensor, "*any 147"]) -> Float[Tensor, "*any 147"]:
    """Return `pose` with the nearest thing to its rotations that is one: Gram-Schmidt of each."""
    six = six_from_matrix(matrices(pose)).flatten(-2)
    return torch.cat([pose[..., :3], six], dim=-1)


def joints(pose: Float[Tensor, "*any 147"]) -> Float[Tensor, "*any 24 3"]:
    """Return where the joints of SMPL's mean body are, in metres."""
    return placed(matrices(pose), pose[..., :3], skeleton.smpl()).joints_world
