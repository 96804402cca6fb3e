"""What points show before a fit, on bodies whose points sit on the joints themselves."""

import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.motion import skeleton
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import geodesic, matrix_from_axis_angle
from pasdedeux.motion.stance import LIMBS, aimed, pelvis_frame

T = 5
NAMES = tuple(f"{side}_{name}" for side in ("left", "right") for limb in LIMBS for name in limb)
POINTS = Keypoints(NAMES, NAMES, np.zeros((len(NAMES), 3)))


def bodies(hinge_degrees):
    """Bodies whose hips and shoulders turn anyhow within 40 degrees, knees and elbows as hinges."""
    body = skeleton.smpl()
    vectors = torch.zeros(T, 24, 3, dtype=torch.float64)
    draw = generator(0, "limbs")
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for name in ("hip", "shoulder"):
            drawn = torch.randn(T, 3, generator=draw, dtype=torch.float64)
            vectors[:, body.index(f"{side}_{name}")] = (
                0.7 * drawn / drawn.norm(dim=-1, keepdim=True)
            )
        vectors[:, body.index(f"{side}_knee"), 0] = np.radians(hinge_degrees)
        vectors[:, body.index(f"{side}_elbow"), 1] = sign * np.radians(hinge_degrees)
    rotations = matrix_from_axis_angle(vectors)
    joints = placed(rotations, torch.zeros(T, 3, dtype=torch.float64), body).joints_world.numpy()
    return body, rotations, joints[:, [body.index(name) for name in NAMES]]


@pytest.mark.parametrize("hinge_degrees", [0, 20, 90])
def test_aimed_limbs_lie_along_their_points(hinge_degrees):
    body, _, points_seen = bodies(hinge_degrees)
    turns = aimed(points_seen, POINTS, body)
    still = torch.zeros(T, 3, dtype=torch.float64)
    joints = placed(turns, still, body).joints_world.numpy()[:, [body.index(n) for n in NAMES]]
    np.testing.assert_allclose(joints, points_seen, atol=1e-5)


def test_a_bent_limb_shows_its_twist_and_one_at_rest_has_none():
    body, rotations, points_seen = bodies(80)
    turns = aimed(points_seen, POINTS, body)
    for name in NAMES:
        if name.endswith(("hip", "shoulder", "knee", "elbow")):
            j = body.index(name)
            assert torch.rad2deg(geodesic(rotations[:, j], turns[:, j])).max() < 15, name
    rest = body.rest_joints()[[body.index(name) for name in NAMES]]
    still = aimed(rest[None].repeat(T, axis=0), POINTS, body)
    assert (still - torch.eye(3)).abs().max() < 1e-5


def test_everything_else_stays_at_rest():
    body, _, points_seen = bodies(50)
    turns = aimed(points_seen, POINTS, body)
    moved = {
        body.index(f"{s}_{name}") for s in ("left", "right") for limb in LIMBS for name in limb[:2]
    }
    others = [j for j in range(24) if j not in moved]
    assert (turns[:, others] == torch.eye(3)).all()


def test_the_frame_of_the_pelvis_turns_and_moves_with_the_points():
    body = skeleton.smpl()
    ends = tuple(f"{side}_{end}" for side in ("left", "right") for end in ("heel", "toe"))
    named = Keypoints(NAMES + ends, NAMES + ("pelvis",) * 4, np.zeros((16, 3)))
    rest = body.rest_joints()[[body.index(name) for name in NAMES]]
    feet = np.array([[0.1, -0.9, -0.1], [0.1, -0.9, 0.1], [-0.1, -0.9, -0.1], [-0.1, -0.9, 0.1]])
    points_world = np.concatenate([rest, feet])[None].repeat(T, axis=0)
    plain = pelvis_frame(points_world, named)
    axes = plain.turn[0]
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    assert (np.diag(axes) > 0.95).all()
    turn = matrix_from_axis_angle(torch.tensor([0.3, 2.0, -0.5], dtype=torch.float64)).numpy()
    other = pelvis_frame(points_world @ turn.T + [1.0, 2.0, 3.0], named)
    np.testing.assert_allclose(other.turn, turn @ plain.turn, atol=1e-12)
    np.testing.assert_allclose(other.origin, plain.origin @ turn.T + [1.0, 2.0, 3.0], atol=1e-12)
