import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from pasdedeux.base.seeding import generator
from pasdedeux.motion import rotation

T, J = 7, 5
TO_MATRIX = {
    "axis_angle": rotation.matrix_from_axis_angle,
    "quaternion": rotation.matrix_from_quaternion,
    "six": rotation.matrix_from_six,
}
FROM_MATRIX = {
    "axis_angle": rotation.axis_angle_from_matrix,
    "quaternion": rotation.quaternion_from_matrix,
    "six": rotation.six_from_matrix,
}
ANGLES = (0.0, 1e-300, 1e-12, 1e-7, 1e-4, 0.5, 2.0, math.pi - 1e-4, math.pi - 1e-9, math.pi)


def axis_angles(*names):
    """Axis-angle vectors of every length up to pi, half turns and the identity among them."""
    axes = torch.randn(3, len(ANGLES), 3, generator=generator(0, *names), dtype=torch.float64)
    axes[0, :, 1:] = 0  # turns about one coordinate axis
    axes = axes / axes.norm(dim=-1, keepdim=True)
    return axes * torch.tensor(ANGLES, dtype=torch.float64)[:, None]


def scipys(vectors):
    return Rotation.from_rotvec(vectors.reshape(-1, 3).numpy())


def matrices(vectors):
    return torch.tensor(scipys(vectors).as_matrix()).reshape(*vectors.shape, 3)


def close(ours, theirs, tolerance=1e-12):
    np.testing.assert_allclose(ours.numpy().reshape(np.shape(theirs)), theirs, atol=tolerance)


finite = st.floats(-4, 4, allow_subnormal=False)
vectors = st.lists(finite, min_size=3, max_size=3).map(
    lambda v: torch.tensor([v], dtype=torch.float64)
)


def test_matrices_are_scipys():
    v = axis_angles("matrix")
    close(rotation.matrix_from_axis_angle(v), scipys(v).as_matrix())
    close(
        rotation.matrix_from_quaternion(rotation.quaternion_from_axis_angle(v)),
        scipys(v).as_matrix(),
    )


def test_quaternions_are_scipys():
    v = axis_angles("quaternion")
    theirs = np.roll(scipys(v).as_quat(canonical=True), 1, axis=-1)
    ours = rotation.quaternion_from_axis_angle(v)
    sign = np.sign((ours.numpy().reshape(-1, 4) * theirs).sum(-1, keepdims=True))
    close(ours, sign * theirs)
    read = rotation.quaternion_from_matrix(matrices(v)).numpy().reshape(-1, 4)
    assert (read[:, 0] >= 0).all()
    np.testing.assert_allclose(abs((read * theirs).sum(-1)), 1, atol=1e-12)


def test_axis_angles_are_scipys_but_for_the_sign_of_a_half_turn():
    v = axis_angles("back")
    ours = rotation.axis_angle_from_matrix(matrices(v)).reshape(-1, 3)
    theirs = torch.tensor(scipys(v).as_rotvec())
    half = (theirs.norm(dim=-1) > math.pi - 1e-6)[:, None]
    sign = torch.where(half & ((ours * theirs).sum(-1, keepdim=True) < 0), -1.0, 1.0)
    close(ours * sign, theirs, 1e-7)
    close(ours.norm(dim=-1), v.reshape(-1, 3).norm(dim=-1), 1e-7)


@given(vectors)
def test_every_form_comes_back(vector):
    matrix = rotation.matrix_from_axis_angle(vector)
    close(matrix @ matrix.mT, np.eye(3)[None])
    assert torch.linalg.det(matrix).item() == pytest.approx(1)
    for name, there in FROM_MATRIX.items():
        close(TO_MATRIX[name](there(matrix)), matrix.numpy(), 1e-12)


@given(vectors, st.floats(-9, 9, allow_subnormal=False))
def test_a_scaled_quaternion_and_its_opposite_are_one_rotation(vector, scale):
    quaternion = rotation.quaternion_from_axis_angle(vector)
    factor = scale if abs(scale) > 1e-3 else 1.0
    close(
        rotation.matrix_from_quaternion(factor * quaternion),
        rotation.matrix_from_quaternion(quaternion).numpy(),
    )
    turned = rotation.axis_angle_from_quaternion(factor * quaternion)
    close(rotation.matrix_from_axis_angle(turned), rotation.matrix_from_axis_angle(vector).numpy())


@pytest.mark.parametrize("name", TO_MATRIX)
def test_there_and_back_has_finite_and_true_gradients(name):
    v = axis_angles("gradients", name).reshape(-1, 3)
    kept = v[(v.norm(dim=-1) == 0) | ((v.norm(dim=-1) > 1e-3) & (v.norm(dim=-1) < 3))]
    read = FROM_MATRIX[name](rotation.matrix_from_axis_angle(kept)).requires_grad_()
    assert torch.autograd.gradcheck(TO_MATRIX[name], read)

    def back(vector):
        return FROM_MATRIX[name](rotation.matrix_from_axis_angle(vector))

    assert torch.autograd.gradcheck(back, kept.clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", TO_MATRIX)
def test_gradients_are_finite_everywhere_in_either_precision(name, dtype):
    v = axis_angles("finite", name).to(dtype).requires_grad_()
    matrix = rotation.matrix_from_axis_angle(v)
    TO_MATRIX[name](FROM_MATRIX[name](matrix)).square().sum().backward()
    assert matrix.dtype == dtype
    assert torch.isfinite(v.grad).all()


def test_single_precision_is_exact_to_its_last_digits():
    v = axis_angles("single")
    found = rotation.matrix_from_axis_angle(v.float())
    close(found.double(), scipys(v).as_matrix(), 5e-7)
    close(rotation.matrix_from_axis_angle(rotation.axis_angle_from_matrix(found)).double(),
          scipys(v).as_matrix(), 2e-6)  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sine_over_angle_and_its_slope_are_smooth_where_the_series_takes_over(dtype):
    square = torch.logspace(-12, 0, 241, dtype=dtype).requires_grad_()
    found = rotation._sin_over(square)
    (slope,) = torch.autograd.grad(found.sum(), square)
    exact = square.detach().double()
    terms = [(-1) ** k * exact**k / math.factorial(2 * k + 1) for k in range(9)]
    slopes = [(-1) ** k * k * exact ** (k - 1) / math.factorial(2 * k + 1) for k in range(1, 9)]
    eps = torch.finfo(dtype).eps
    close(found.detach().double(), sum(terms).numpy(), 2 * eps)
    close(slope.double(), sum(slopes).numpy(), 4 * eps**0.5)


@settings(deadline=None)  # a busy machine is not an error
@given(vectors, vectors)
def test_slerp_is_scipys(one, other):
    start, end = (rotation.quaternion_from_axis_angle(v) for v in (one, other))
    if abs((start * end).sum()) < 1e-6:  # half a turn apart: two ways are equally short
        return
    shares = torch.tensor([0.0, 0.25, 0.7, 1.0], dtype=torch.float64)
    ours = rotation.slerp(start.expand(4, 4), end.expand(4, 4), shares)
    theirs = Slerp([0.0, 1.0], scipys(torch.cat([one, other])))(shares.numpy())
    close(ours.norm(dim=-1), np.ones(4))
    close(rotation.matrix_from_quaternion(ours), theirs.as_matrix(), 1e-9)


def test_slerp_has_true_gradients_also_where_its_ends_are_one():
    start = rotation.quaternion_from_axis_angle(axis_angles("slerp")[1]).requires_grad_()
    share = torch.linspace(0.1, 0.8, len(ANGLES), dtype=torch.float64)
    end = rotation.quaternion_from_axis_angle(axis_angles("end")[2]).requires_grad_()
    assert torch.autograd.gradcheck(rotation.slerp, (start, end, share))
    rotation.slerp(start, start, share).sum().backward()
    assert torch.isfinite(start.grad).all()


def dance():
    """Smooth rotations at 60 Hz: T frames of J joints."""
    angles = torch.linspace(0, 2.5, T, dtype=torch.float64)[:, None, None]
    axes = torch.randn(J, 3, generator=generator(0, "dance"), dtype=torch.float64)
    return rotation.matrix_from_axis_angle(angles * axes)


def test_resampling_60_to_25_is_scipys_slerp_at_the_new_times():
    found = rotation.resampled_rotations(dance(), 60.0, 25.0)
    times = np.arange(3) / 25  # the last frame is at 0.1 s
    assert found.shape == (3, J, 3, 3)
    for joint in range(J):
        theirs = Slerp(np.arange(T) / 60, Rotation.from_matrix(dance()[:, joint].numpy()))(times)
        close(found[:, joint], theirs.as_matrix(), 1e-9)


@given(
    st.integers(1, 61), st.sampled_from([(60.0, 25.0), (25.0, 60.0), (30.0, 25.0), (25.0, 25.0)])
)
def test_resampled_points_lie_on_straight_lines(frames, rates):
    rate, target = rates
    points = torch.arange(frames, dtype=torch.float64)[:, None] * torch.tensor([1.0, -2.0, 3.0])
    found = rotation.resampled_points(points.double(), rate, target)
    times = torch.arange(len(found), dtype=torch.float64) / target
    close(found[:, 0], (times * rate).numpy(), 1e-9)
    assert times[-1] <= (frames - 1) / rate + 1e-9 < times[-1] + 1 / target + 2e-9


def test_resampling_to_the_same_rate_changes_nothing():
    close(rotation.resampled_rotations(dance(), 25.0, 25.0), dance().numpy(), 1e-12)
    one = rotation.resampled_rotations(dance()[:1], 60.0, 25.0)
    close(one, dance()[:1].numpy())


@pytest.mark.parametrize(
    ("rate", "target"), [(0.0, 25.0), (60.0, -1.0), (math.nan, 25.0), (60.0, math.inf)]
)
def test_a_rate_that_is_none_is_refused(rate, target):
    with pytest.raises(ValueError, match=r"_hz must be a number of frames per second above 0, got"):
        rotation.resampled_rotations(dance(), rate, target)


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        rotation.resampled_points(torch.zeros(0, J, 3), 60.0, 25.0)
