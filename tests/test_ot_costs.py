import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import costs

B, N, M, D, J = 2, 5, 7, 11, 3


def normal(*shape: int, name: str = "points") -> Tensor:
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64)


def rotations(*shape: int, seed: int = 0) -> Tensor:
    drawn = Rotation.random(math.prod(shape), rng=seed).as_matrix()
    return torch.from_numpy(drawn).reshape(*shape, 3, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distances_are_the_sums_they_are_named_after(dtype):
    x, y = normal(B, N, D).to(dtype), normal(B, M, D, name="others").to(dtype)
    apart = x[:, :, None] - y[:, None]
    torch.testing.assert_close(costs.l1(x, y), apart.abs().sum(-1))
    torch.testing.assert_close(costs.l2(x, y), apart.square().sum(-1).sqrt())
    torch.testing.assert_close(costs.squared_l2(x, y), apart.square().sum(-1))


@pytest.mark.parametrize("cost", [costs.l1, costs.l2, costs.squared_l2])
def test_a_distance_has_the_gradient_of_its_formula_and_none_at_zero(cost):
    x, y = normal(B, N, 3).requires_grad_(), normal(B, M, 3, name="others").requires_grad_()
    assert torch.autograd.gradcheck(cost, (x, y))
    cost(x[:, :1], x[:, :1]).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_squared_geodesic_is_the_angle_that_scipy_finds():
    x, y = rotations(B, N, J, seed=1), rotations(B, M, J, seed=2)
    found = costs.squared_geodesic(x, y)
    for batch, n, m in [(0, 0, 0), (1, 4, 6), (1, 2, 5)]:
        pairs = zip(x[batch, n], y[batch, m], strict=True)
        turns = [Rotation.from_matrix(left) * Rotation.from_matrix(right).inv()
                 for left, right in pairs]  # fmt: skip
        wanted = sum(turn.magnitude() ** 2 for turn in turns)
        assert found[batch, n, m].item() == pytest.approx(wanted, rel=1e-12)


def test_squared_geodesic_ignores_a_common_turn():
    x, y, turn = rotations(N, J, seed=1), rotations(M, J, seed=2), rotations(1, 1, seed=3)
    torch.testing.assert_close(
        costs.squared_geodesic(turn @ x, turn @ y), costs.squared_geodesic(x, y)
    )


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1.0, math.pi - 1e-6, math.pi])
def test_squared_geodesic_has_a_finite_gradient_at_every_angle(angle):
    turned = torch.from_numpy(Rotation.from_rotvec([0, 0, angle]).as_matrix())
    x = turned[None, None].requires_grad_()
    value = costs.squared_geodesic(x, torch.eye(3, dtype=torch.float64)[None, None])
    value.sum().backward()
    assert value.item() == pytest.approx(angle**2, rel=1e-12, abs=1e-14)
    assert torch.isfinite(x.grad).all()


def test_one_scale_keeps_the_ratio_and_cannot_be_inflated():
    x, y = normal(B, N, D).requires_grad_(), normal(B, M, D, name="others")
    rows, columns = costs.l1(x, x), costs.l1(y, y)
    scaled = costs.by_one_scale(rows, columns)
    mean = scaled[0].sum((-2, -1)) / (N * (N - 1))
    torch.testing.assert_close(mean, torch.ones_like(mean))
    torch.testing.assert_close(scaled[1] * (rows / scaled[0]).nanmean((1, 2), True), columns)
    (gradient,) = torch.autograd.grad(scaled[1].sum() + 0 * scaled[0].sum(), x)
    assert torch.equal(gradient, torch.zeros_like(x))


def test_points_that_cannot_be_scaled_are_refused():
    with pytest.raises(ValueError, match="have the embeddings collapsed"):
        costs.by_one_scale(torch.zeros(B, N, N), torch.ones(B, M, M))
    with pytest.raises(ValueError, match="at least 2 points"):
        costs.by_one_scale(torch.zeros(B, 1, 1), torch.ones(B, M, M))
