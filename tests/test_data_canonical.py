import numpy as np
import pytest
import torch
from tiny_tang import turned

from pasdedeux.data.canonical import (
    canonical_points,
    canonical_pose,
    points_heading,
    pose_heading,
    world_points,
    world_pose,
)
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_axis_angle, matrix_from_six, six_from_matrix
from pasdedeux.motion.skeleton import smpl

N, T, J, HIPS = 3, 7, 5, (3, 1)


def drawn_points(seed=0):
    return np.random.default_rng(seed).normal(size=(N, T, J, 3))


def drawn_pose(seed=0):
    rng = np.random.default_rng(seed)
    rotations = matrix_from_axis_angle(torch.tensor(rng.normal(size=(N, T, 24, 3))))
    six = six_from_matrix(rotations).reshape(N, T, 144).numpy()
    return np.concatenate([rng.normal(size=(N, T, 3)), six], axis=-1)


def joints(pose):
    """Return where the kinematics puts the joints of a pose."""
    rotations = matrix_from_six(torch.tensor(pose[..., 3:]).reshape(*pose.shape[:2], 24, 6))
    return placed(rotations, torch.tensor(pose[..., :3]), smpl()).joints_world.numpy()


def test_by_hand():
    points = np.zeros((1, 2, 2, 3))
    points[0, 0] = [[2, 1, 4], [2, 1, 6]]  # left hip nearer to -z: the dancer faces +x
    points[0, 1] = [[3, 1, 4], [3, 1, 6]]  # and goes forward
    found = canonical_points(points, points_heading(points, (0, 1)))
    assert found[0, 0] == pytest.approx(np.array([[1, 1, 0], [-1, 1, 0]]))
    assert found[0, 1] == pytest.approx(np.array([[1, 1, 1], [-1, 1, 1]]))


def test_first_hips_lie_on_x_about_the_origin_and_nothing_is_bent():
    points = drawn_points()
    found = canonical_points(points, points_heading(points, HIPS))
    left, right = found[:, 0, HIPS[0]], found[:, 0, HIPS[1]]
    assert (left + right)[:, ::2] == pytest.approx(0, abs=1e-12)
    assert left[:, 2] == pytest.approx(0, abs=1e-12)
    assert (left[:, 0] > right[:, 0]).all()
    np.testing.assert_array_equal(found[..., 1], points[..., 1])
    flat, given = found.reshape(N, T * J, 3), points.reshape(N, T * J, 3)
    between = np.linalg.norm(flat[:, :, None] - flat[:, None], axis=-1)
    np.testing.assert_allclose(between, np.linalg.norm(given[:, :, None] - given[:, None], axis=-1))


def test_place_and_heading_do_not_matter():
    points = drawn_points()
    angle = np.random.default_rng(3).uniform(0, 6, size=(N, 1, 1))
    moved = turned(points, angle) + [2.0, 0.0, -5.0]
    expected = canonical_points(points, points_heading(points, HIPS))
    found = canonical_points(moved, points_heading(moved, HIPS))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_vertical_line_of_hips_leaves_the_heading():
    points = drawn_points()
    points[:, 0, HIPS[0]] = points[:, 0, HIPS[1]] + [0, 0.2, 0]
    found = canonical_points(points, points_heading(points, HIPS))
    np.testing.assert_allclose(np.diff(found, axis=1), np.diff(points, axis=1), atol=1e-12)


def test_there_and_back():
    points, pose = drawn_points(), drawn_pose()
    heading = points_heading(points, HIPS)
    np.testing.assert_allclose(world_points(canonical_points(points, heading), heading), points)
    heading = pose_heading(pose)
    np.testing.assert_allclose(world_pose(canonical_pose(pose, heading), heading), pose)


def test_a_pose_moves_as_one_rigid_body():
    pose = drawn_pose()
    heading = pose_heading(pose)
    found = canonical_pose(pose, heading)
    np.testing.assert_allclose(joints(found), canonical_points(joints(pose), heading), atol=1e-12)
    np.testing.assert_array_equal(found[..., 9:], pose[..., 9:])
    assert found[:, 0, [0, 2]] == pytest.approx(0, abs=1e-12)
    assert found[:, 0, 5] == pytest.approx(0, abs=1e-12)  # the root's x axis, its z
    assert (found[:, 0, 3] > 0).all()


def test_a_pose_and_its_joints_agree_on_the_heading():
    pose = drawn_pose()
    found = joints(canonical_pose(pose, pose_heading(pose)))
    by_hips = points_heading(found, (1, 2))
    offsets = smpl().offsets_metres[1] - smpl().offsets_metres[2]
    lean = np.degrees(np.arctan2(*np.abs(offsets[[2, 0]])))  # of the hips' line at rest
    assert lean < 5
    upright = np.abs(found[:, 0, 1, 1] - found[:, 0, 2, 1]) < 0.05
    turns = np.degrees(np.arctan2(by_hips.left[:, 1], by_hips.left[:, 0]))
    assert np.abs(turns[upright]).max(initial=0) < 15


def test_dtype_follows_and_arguments_stay():
    points, pose = drawn_points().astype(np.float32), drawn_pose().astype(np.float32)
    kept = points.copy()
    found = canonical_points(points, points_heading(points, HIPS))
    assert found.dtype == canonical_pose(pose, pose_heading(pose)).dtype == np.float32
    np.testing.assert_array_equal(points, kept)


def test_windows_without_frames_are_refused():
    with pytest.raises(ValueError, match="points_world must hold at least one frame"):
        points_heading(drawn_points()[:, :0], HIPS)
    with pytest.raises(ValueError, match="pose must hold at least one frame"):
        pose_heading(drawn_pose()[:, :0])
