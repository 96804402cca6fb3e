"""The measures of dances against plain loops, scipy, symmetries and known answers."""

import numpy as np
import pytest
from scipy import linalg

from pasdedeux.metrics import dance

T, J = 7, 24


def _joints(seed, frames=T):
    return np.random.default_rng(seed).normal(0, 0.4, (frames, J, 3))


def _turned(joints, angle, shift):
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return joints @ turn.T + shift


def test_joint_distance_by_plain_loops():
    one, other = _joints(0), _joints(1)
    apart = [np.sqrt(((one[t, j] - other[t, j]) ** 2).sum()) for t in range(T) for j in range(J)]
    assert dance.joint_distance(one, other) == pytest.approx(1000 * np.mean(apart))


def test_a_shift_of_a_centimetre_is_ten_millimetres_in_the_world_only():
    one = _joints(0)
    other = one + [0.01, 0, 0]
    assert dance.joint_distance(one, other) == pytest.approx(10.0)
    assert dance.joint_distance(one, other, frame="root") == pytest.approx(0, abs=1e-9)


def test_the_body_frame_forgets_place_and_heading_of_every_frame_but_not_height():
    one = _joints(0)
    rng = np.random.default_rng(2)
    moved = np.stack(
        [_turned(one[t], rng.uniform(-3, 3), rng.normal(size=3) * [1, 0, 1]) for t in range(T)]
    )
    assert dance.joint_distance(one, moved, frame="pose") == pytest.approx(0, abs=1e-9)
    assert dance.joint_distance(one, moved, frame="root") > 1
    raised = one + [0, 0.05, 0]
    assert dance.joint_distance(one, raised, frame="pose") == pytest.approx(50)


def test_in_the_body_frame_the_left_hip_points_along_x():
    seen = dance.seen(_joints(3), "pose")
    left = seen[:, 1] - seen[:, 2]
    assert np.allclose(left[:, 2], 0)
    assert (left[:, 0] > 0).all()


def test_diversity_by_plain_loops_and_of_copies():
    dances = np.stack([_joints(seed) for seed in range(5)])
    begun = dances - dances[:, :1, :1]
    pairs = [
        np.linalg.norm(begun[i] - begun[j], axis=-1).mean() for i in range(5) for j in range(i)
    ]
    assert dance.diversity(dances) == pytest.approx(100 * np.mean(pairs))
    assert dance.diversity(np.stack([dances[0], dances[0] + 3.0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(53, 41, 7), (11, 13, 29), (53, 13, 29)])
def test_frechet_distance_is_that_of_the_matrix_root(n, m, d):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.normal(1, 2, size=(m, d))
    s, r = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values = linalg.eigvals(s @ r)
    root = np.sqrt(np.maximum(values.real, 0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(r) - 2 * root
    assert dance.frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert dance.frechet_distance(x, y) == pytest.approx(dance.frechet_distance(y, x))


def test_frechet_distance_of_shifted_and_scaled_copies_is_known():
    x = np.random.default_rng(0).normal(size=(31, 5))
    assert dance.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert dance.frechet_distance(x, x + 2) == pytest.approx(20)
    grown = (x - x.mean(0)) * 3 + x.mean(0)
    trace = np.trace(np.cov(x, rowvar=False))
    assert dance.frechet_distance(x, grown) == pytest.approx(4 * trace)


def test_normalised_features_of_the_reference_have_mean_0_and_sd_1():
    rng = np.random.default_rng(0)
    reference = rng.normal(3, 2, size=(19, 5))
    reference[:, 2] = 7.0
    one, other = dance.normalised(reference, reference[:4] + 1)
    assert np.allclose(one.mean(0), 0)
    assert np.allclose(one.std(0)[[0, 1, 3, 4]], 1)
    assert np.allclose(other[:, 2], 1)


def test_spread_by_plain_loops():
    x = np.random.default_rng(0).normal(size=(11, 5))
    pairs = [np.linalg.norm(x[i] - x[j]) for i in range(11) for j in range(i)]
    assert dance.spread(x) == pytest.approx(np.mean(pairs))


def test_planted_feet_have_no_sliding_and_skating_grows_with_speed():
    joints = np.zeros((11, J, 3))
    joints[:, 0, 0] = np.sin(np.arange(11))
    assert dance.physical_foot_contact(joints, 25.0) == 0.0
    skating = joints.copy()
    skating[:, [7, 8, 10, 11], 0] = np.arange(11)[:, None] * 0.01
    faster = joints.copy()
    faster[:, [7, 8, 10, 11], 0] = np.arange(11)[:, None] * 0.02
    ratio = dance.physical_foot_contact(faster, 25.0) / dance.physical_foot_contact(skating, 25.0)
    assert ratio == pytest.approx(4.0)
    assert dance.physical_foot_contact(np.ones((5, J, 3)), 25.0) == 0.0


def test_falling_does_not_count_as_push():
    joints = np.zeros((9, J, 3))
    joints[:, [7, 8, 10, 11], 0] = np.arange(9)[:, None] * 0.01
    falling = joints.copy()
    falling[:, 0, 1] = -0.5 * (np.arange(9) / 25) ** 2 * 9.81
    assert dance.physical_foot_contact(falling, 25.0) == 0.0


def test_stillness_of_a_frozen_body_and_of_the_reference():
    steady = np.cumsum(np.full((9, J, 3), 0.01), axis=0)
    assert dance.stillness(steady, steady) == 0.0
    assert dance.stillness(steady, np.repeat(steady[:1], 9, axis=0)) == 1.0
    half = np.concatenate([steady[:5], np.repeat(steady[4:5], 4, axis=0)])
    assert dance.stillness(steady, half) == pytest.approx(0.5)


def test_bad_input_is_refused():
    one = _joints(0)
    with pytest.raises(ValueError, match="same frames and joints"):
        dance.joint_distance(one, one[:5])
    broken = one.copy()
    broken[2, 3, 1] = np.nan
    with pytest.raises(ValueError, match="estimate must be finite"):
        dance.joint_distance(one, broken)
    with pytest.raises(ValueError, match="at least 2"):
        dance.diversity(one[None])
    with pytest.raises(ValueError, match="differ in number"):
        dance.frechet_distance(np.ones((3, 2)), np.ones((3, 4)))
