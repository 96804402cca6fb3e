"""Poses of networks: rotations made rotations, joints as the dances place them; seeded draws."""

import dances
import numpy as np
import torch

from pasdedeux.base.seeding import number
from pasdedeux.nn import pose
from pasdedeux.nn.seeded import seeded


def test_orthonormal_leaves_a_pose_as_it_is_and_mends_what_is_none():
    real = torch.from_numpy(dances.poses(2, 5, 0))
    torch.testing.assert_close(pose.orthonormal(real), real, atol=1e-5, rtol=0)
    loose = torch.randn(2, 5, 147, generator=torch.Generator().manual_seed(0))
    made = pose.orthonormal(loose)
    assert torch.equal(made[..., :3], loose[..., :3])
    matrix = pose.matrices(made)
    eye = torch.eye(3).expand_as(matrix)
    torch.testing.assert_close(matrix @ matrix.mT, eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(pose.orthonormal(made), made, atol=1e-5, rtol=0)


def test_joints_are_those_of_the_dance():
    dance = dances.pairs().dances[1]
    found = pose.joints(torch.from_numpy(dance.pose))
    np.testing.assert_allclose(found.numpy(), dance.joints_world, atol=1e-5)


def test_seeded_draws_depend_on_the_number_alone_and_leave_no_trace():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    with seeded(number(0, "weights")):
        one = torch.rand(4)
    assert torch.equal(torch.rand(3), wanted)
    with seeded(number(0, "weights")):
        assert torch.equal(torch.rand(4), one)
    with seeded(number(1, "weights")):
        assert not torch.equal(torch.rand(4), one)
