"""Numbered equations of the dual-learning paper that concern bodies, each by its definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pasdedeux.base.seeding import generator
from pasdedeux.motion import rotation

N, J = 7, 24
finite = st.floats(-4, 4, allow_subnormal=False)
vectors = st.lists(finite, min_size=3, max_size=3).map(
    lambda v: torch.tensor([v], dtype=torch.float64)
)


def rotations(name, count=N):
    drawn = torch.randn(count, 3, generator=generator(0, name), dtype=torch.float64)
    return rotation.matrix_from_axis_angle(drawn)


def turned(by, axis=(0.6, 0.0, 0.8)):
    """Pairs of equal rotations, the second turned by the angle `by`."""
    turn = torch.tensor(Rotation.from_rotvec(by * np.array(axis)).as_matrix())
    start = rotations("pair")
    return start, (start @ turn)


def printed_equation_8(reference, estimate):
    trace = [np.trace(r @ e.T) for r, e in zip(reference.numpy(), estimate.numpy(), strict=True)]
    return np.arccos(np.clip((np.array(trace) - 1) / 2, -1, 1))


def test_dual_eq1_discards_the_last_column():
    matrix = rotations("eq1")
    six = rotation.six_from_matrix(matrix)
    for one, columns in zip(matrix.numpy(), six.numpy(), strict=True):
        assert np.array_equal(columns, np.concatenate([one[:, 0], one[:, 1]]))
    pose = torch.cat([rotation.six_from_matrix(rotations("pose", J)).flatten(), torch.zeros(3)])
    assert len(pose) == 24 * 6 + 3 == 147


def test_dual_eq1_the_last_column_is_the_cross_product_of_the_others():
    matrix = rotations("eq1 back")
    np.testing.assert_allclose(
        rotation.matrix_from_six(rotation.six_from_matrix(matrix)), matrix, atol=1e-14
    )


@given(st.lists(finite, min_size=6, max_size=6))
def test_dual_eq1_any_six_numbers_are_orthonormalised_by_gram_schmidt(numbers):
    a, b = np.array(numbers[:3]), np.array(numbers[3:])
    if np.linalg.norm(np.cross(a, b)) < 1e-3:
        return
    found = rotation.matrix_from_six(torch.tensor([numbers], dtype=torch.float64))[0].numpy()
    q, r = np.linalg.qr(np.stack([a, b], axis=1))
    expected = q * np.sign(np.diag(r))
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-9)
    np.testing.assert_allclose(found[:, 2], np.cross(expected[:, 0], expected[:, 1]), atol=1e-9)
    assert np.linalg.det(found) == pytest.approx(1)


def test_dual_eq1_is_continuous_where_axis_angle_jumps():
    """Just before and just after half a turn: one step in six numbers, a leap in three."""
    before, after = (turned(math.pi + step)[1] for step in (-1e-4, 1e-4))
    six = (rotation.six_from_matrix(before) - rotation.six_from_matrix(after)).norm(dim=-1)
    assert six.max() < 3e-4
    start = torch.eye(3, dtype=torch.float64).expand(N, 3, 3)
    near, far = (
        start @ turned(math.pi + s)[0][0].mT @ turned(math.pi + s)[1][0] for s in (-1e-4, 1e-4)
    )
    vectors = [rotation.axis_angle_from_matrix(m) for m in (near, far)]
    assert (vectors[0] - vectors[1]).norm(dim=-1).min() > 6


def test_dual_eq1_gradients_are_true():
    six = torch.randn(N, 6, generator=generator(0, "six"), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotation.matrix_from_six, six)


def test_dual_eq8_is_the_arccos_of_the_trace():
    reference, estimate = rotations("reference"), rotations("estimate")
    found = rotation.geodesic(reference, estimate)
    np.testing.assert_allclose(found, printed_equation_8(reference, estimate), atol=1e-12)
    between = Rotation.from_matrix(reference.numpy()).inv() * Rotation.from_matrix(estimate.numpy())
    np.testing.assert_allclose(found, between.magnitude(), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-3, 1.0, 3.0, math.pi - 1e-8, math.pi])
def test_dual_eq8_is_the_angle_turned_by_also_where_arccos_loses_half_its_digits(angle):
    found = rotation.geodesic(*turned(angle))
    np.testing.assert_allclose(found, np.full(N, angle), atol=2e-15 + 1e-15)


@given(vectors, vectors, vectors)
def test_dual_eq8_is_a_metric_that_knows_no_frame_of_reference(one, other, third):
    a, b, c = (rotation.matrix_from_axis_angle(v) for v in (one, other, third))
    distance = rotation.geodesic(a, b).item()
    assert 0 <= distance <= math.pi
    assert distance == pytest.approx(rotation.geodesic(b, a).item(), abs=1e-12)
    assert distance <= (rotation.geodesic(a, c) + rotation.geodesic(c, b)).item() + 1e-7
    for moved in (rotation.geodesic(c @ a, c @ b), rotation.geodesic(a @ c, b @ c)):
        assert moved.item() == pytest.approx(distance, abs=1e-7)


def test_dual_eq8_gradients_are_true_away_from_the_ends():
    def of_six(one, other):
        return rotation.geodesic(rotation.matrix_from_six(one), rotation.matrix_from_six(other))

    sixes = [rotation.six_from_matrix(rotations(name)).requires_grad_() for name in ("a", "b")]
    assert torch.autograd.gradcheck(of_six, sixes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("angle", [0.0, 1e-20, 1e-9, 1e-6, math.pi - 1e-6, math.pi - 1e-9, math.pi])
def test_dual_eq8_gradients_are_finite_at_0_and_pi_where_those_of_arccos_are_not(angle, dtype):
    reference, estimate = (m.to(dtype) for m in turned(angle))
    six = rotation.six_from_matrix(estimate).requires_grad_()
    rotation.geodesic(reference, rotation.matrix_from_six(six)).sum().backward()
    assert torch.isfinite(six.grad).all()
    assert six.grad.abs().max() < 2


def test_dual_eq8_printed_form_has_no_gradient_at_the_identity():
    one = torch.eye(3, dtype=torch.float64).requires_grad_()
    printed = torch.arccos((torch.trace(one @ torch.eye(3, dtype=torch.float64)) - 1) / 2)
    printed.backward()
    assert not torch.isfinite(one.grad).all()
