import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pasdedeux.base.seeding import generator
from pasdedeux.motion import skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_axis_angle
from pasdedeux.motion.skeleton import Skeleton

B, T, J = 2, 5, 24


def pose(*shape, dtype=torch.float64, seed=0):
    """Rotations of `shape` (its last entry the joints) and a translation for each."""
    draw = generator(seed, "pose")
    vectors = torch.randn(*shape, 3, generator=draw, dtype=torch.float64)
    translation = torch.randn(*shape[:-1], 3, generator=draw, dtype=torch.float64)
    return matrix_from_axis_angle(vectors).to(dtype), translation.to(dtype)


def by_chains(rotations, translation, body):
    """One frame: every joint by multiplying 4 x 4 matrices from the root down to it."""
    joints = []
    for joint in range(len(body.names)):
        chain = [joint]
        while body.parents[chain[0]] >= 0:
            chain.insert(0, body.parents[chain[0]])
        whole = np.eye(4)
        whole[:3, 3] = translation
        for link in chain:
            step = np.eye(4)
            step[:3, :3], step[:3, 3] = rotations[link], body.offsets_metres[link]
            whole = whole @ step
        joints.append(whole)
    return np.array(joints)


@st.composite
def parents(draw):
    count = draw(st.integers(1, 13))
    return (-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, count)))


@settings(deadline=None)  # a busy machine is not an error
@given(parents(), st.integers(0, 99))
def test_joints_of_any_tree_are_products_of_matrices_along_its_chains(parents, seed):
    count = len(parents)
    offsets = np.random.default_rng(seed).normal(size=(count, 3))
    body = Skeleton(tuple(f"joint{joint}" for joint in range(count)), parents, offsets)
    rotations, translation = pose(3, count, seed=seed)
    found = placed(rotations, translation, body)
    for frame in range(3):
        expected = by_chains(rotations[frame].numpy(), translation[frame].numpy(), body)
        np.testing.assert_allclose(found.joints_world[frame], expected[:, :3, 3], atol=1e-12)
        np.testing.assert_allclose(found.rotations_world[frame], expected[:, :3, :3], atol=1e-12)


def test_frames_in_any_batch_are_independent():
    rotations, translation = pose(B, T, J)
    whole = placed(rotations, translation, skeleton.smpl())
    assert whole.joints_world.shape == (B, T, J, 3)
    for b in range(B):
        for t in range(T):
            one = placed(rotations[b, t], translation[b, t], skeleton.smpl())
            torch.testing.assert_close(whole.joints_world[b, t], one.joints_world)
            torch.testing.assert_close(whole.rotations_world[b, t], one.rotations_world)


def test_without_rotation_the_body_rests_where_it_is_put():
    body = skeleton.smpl()
    _, translation = pose(T, J)
    still = torch.eye(3, dtype=torch.float64).expand(T, J, 3, 3)
    found = placed(still, translation, body).joints_world - translation[:, None]
    np.testing.assert_allclose(found, np.broadcast_to(body.rest_joints(), (T, J, 3)), atol=1e-14)


def test_bones_keep_their_lengths():
    body = skeleton.smpl()
    joints = placed(*pose(T, J), body).joints_world.numpy()
    bones = joints[:, 1:] - joints[:, list(body.parents[1:])]
    lengths = np.linalg.norm(body.offsets_metres[1:], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), np.tile(lengths, (T, 1)), atol=1e-12)


def test_turning_the_root_turns_the_body_about_its_root_joint():
    rotations, translation = pose(T, J)
    turn = torch.tensor(Rotation.from_euler("y", 1.1).as_matrix())
    moved = rotations.clone()
    moved[:, 0] = turn @ rotations[:, 0]
    before = placed(rotations, translation, skeleton.smpl()).joints_world
    after = placed(moved, translation, skeleton.smpl()).joints_world
    root = before[:, :1]
    torch.testing.assert_close(after, (before - root) @ turn.mT + root)


def test_a_joint_moves_what_hangs_on_it_and_nothing_else():
    body = skeleton.smpl()
    rotations, translation = pose(T, J)
    before = placed(rotations, translation, body).joints_world
    for joint in range(J):
        moved = rotations.clone()
        moved[:, joint] = moved[:, joint] @ torch.tensor(
            Rotation.from_rotvec([0.3, 0.4, 0.5]).as_matrix()
        )
        change = (placed(moved, translation, body).joints_world - before).norm(dim=-1).amax(dim=0)
        below = {joint}
        for other, parent in enumerate(body.parents):
            below |= {other} if parent in below else set()
        assert set(torch.nonzero(change > 1e-9).flatten().tolist()) == below - {joint}


def test_the_mirrored_pose_of_a_mirrored_body_is_the_mirror_image():
    body = skeleton.smpl()
    rotations, translation = pose(T, J)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    mirror = list(body.mirror)
    other = Skeleton(body.names, body.parents, body.offsets_metres[mirror] * [-1, 1, 1])
    found = placed(flip @ rotations[:, mirror] @ flip, translation @ flip, other).joints_world
    torch.testing.assert_close(
        found, placed(rotations, translation, body).joints_world[:, mirror] @ flip
    )


def test_gradients_are_true():
    body = skeleton.smpl()
    rotations, translation = (x.requires_grad_() for x in pose(2, J))
    assert torch.autograd.gradcheck(
        lambda r, t: tuple(placed(r, t, body)), (rotations, translation)
    )


def test_precision_follows_the_input_and_arguments_are_left_alone():
    rotations, translation = pose(T, J, dtype=torch.float32)
    kept = rotations.clone(), translation.clone()
    found = placed(rotations, translation, skeleton.smpl())
    assert found.joints_world.dtype == found.rotations_world.dtype == torch.float32
    assert torch.equal(rotations, kept[0])
    assert torch.equal(translation, kept[1])
    double = placed(rotations.double(), translation.double(), skeleton.smpl())
    assert (found.joints_world - double.joints_world).abs().max() < 5e-6


def test_a_wrong_number_of_rotations_is_refused():
    rotations, translation = pose(T, J - 1)
    with pytest.raises(ValueError, match="rotations_local holds 23 joints, the skeleton 24"):
        placed(rotations, translation, skeleton.smpl())
