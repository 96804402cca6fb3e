import itertools
import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import costs
from pasdedeux.ot.sinkhorn import (
    printed_sinkhorn,
    project,
    scaled_kernel,
    sinkhorn,
    sinkhorn_divergence,
    unbiased_distance,
)

B, N, M, D = 3, 7, 5, 11
EXACT = {"tolerance": 1e-13, "iterations": 20000}


def uniform(*shape: int, name: str = "cost", dtype=torch.float64) -> Tensor:
    return torch.rand(*shape, generator=generator(0, name), dtype=dtype)


def normal(*shape: int, name: str = "points") -> Tensor:
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64)


def weights(*shape: int, name: str) -> Tensor:
    return normal(*shape, name=name).softmax(-1)


@pytest.mark.parametrize("epsilon", [0.5, 0.05, 0.01])
def test_plan_and_value_are_those_of_pot(epsilon):
    cost, a, b = uniform(B, N, M), weights(B, N, name="a"), weights(B, M, name="b")
    found = sinkhorn(cost, a, b, epsilon=epsilon, **EXACT)
    for k in range(B):
        plan = ot.sinkhorn(
            a[k].numpy(), b[k].numpy(), cost[k].numpy(), epsilon,
            method="sinkhorn_log", numItermax=20000, stopThr=1e-14,
        )  # fmt: skip
        np.testing.assert_allclose(found.plan[k].numpy(), plan, atol=1e-12)
        assert found.value[k].item() == pytest.approx((plan * cost[k].numpy()).sum(), abs=1e-12)


def test_plans_are_those_of_pots_batched_solver():
    cost = uniform(B, N, M)
    found = sinkhorn(cost, epsilon=0.05, **EXACT)
    pot = ot.batch.solve_batch(cost, reg=0.05, tol=1e-14, max_iter=20000)
    torch.testing.assert_close(found.plan, pot.plan, atol=1e-10, rtol=0)


@settings(max_examples=40, deadline=None)
@example(seed=8, n=5, m=8, epsilon=0.05078125, mass=1.0)  # needs more than 20,000 iterations
@given(
    seed=st.integers(0, 2**20), n=st.integers(1, 9), m=st.integers(1, 9),
    epsilon=st.floats(0.05, 2.0), mass=st.floats(0.1, 30.0),
)  # fmt: skip
def test_a_problem_drawn_with_its_answer_is_solved(seed, n, m, epsilon, mass):
    """Any scaled kernel is the solution for the marginals that it happens to have."""
    draw = generator(seed, "problem")
    cost = torch.rand(n, m, generator=draw, dtype=torch.float64)
    u = torch.randn(n, 1, generator=draw, dtype=torch.float64)
    v = torch.randn(1, m, generator=draw, dtype=torch.float64)
    answer = torch.exp(u + v - cost / epsilon)
    answer = answer * (mass / answer.sum())
    patient = EXACT | {"iterations": 200_000}
    found = sinkhorn(cost, answer.sum(1), answer.sum(0), epsilon=epsilon, **patient)
    torch.testing.assert_close(found.plan, answer, rtol=1e-7, atol=1e-9 * mass)
    assert found.gap.item() < 1e-12


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=7), st.integers(0, 2**20))
def test_on_a_line_the_value_exceeds_the_sorted_matching_by_at_most_epsilon_log_n(points, seed):
    x = torch.tensor(points, dtype=torch.float64)[:, None]
    y = torch.randn(len(points), 1, generator=generator(seed, "y"), dtype=torch.float64)
    wanted = (x.flatten().sort().values - y.flatten().sort().values).abs().mean().item()
    cost = costs.l1(x, y)
    found = sinkhorn(cost, epsilon=0.3, tolerance=1e-9, iterations=500)
    rounding = 1e-9 + found.gap.item() * cost.max().item()
    assert -rounding < found.value.item() - wanted < 0.3 * math.log(len(points)) + rounding


def test_a_small_epsilon_finds_the_best_of_all_permutations():
    cost = uniform(2, 5, 5)
    found = sinkhorn(cost, epsilon=0.001, tolerance=1e-6, iterations=50000)
    for k in range(2):
        each = [cost[k, range(5), order].mean().item() for order in
                itertools.permutations(range(5))]  # fmt: skip
        assert found.value[k].item() == pytest.approx(min(each), abs=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [0.005, 1e-4])
def test_a_small_epsilon_neither_overflows_nor_loses_the_plan(dtype, epsilon):
    """At 0.005 in float32 POT's kernel form returns a plan of mass 1e-29 and a warning."""
    cost = uniform(2, 17, 13, dtype=dtype)
    found = sinkhorn(cost, epsilon=epsilon, iterations=500)
    assert found.plan.dtype == dtype
    torch.testing.assert_close(found.plan.sum((1, 2)), cost.new_ones(2), rtol=1e-3, atol=0)
    exact = sinkhorn(cost.double(), epsilon=epsilon, iterations=500)
    torch.testing.assert_close(found.value, exact.value.to(dtype), rtol=2e-3, atol=0)


def test_a_weight_too_small_for_its_dtype_is_brought_back_by_logarithms():
    """exp(-200) is zero in float32: the row of that weight is lost in the kernel's domain."""
    log_a = torch.tensor([-200.0, 0.5, 0.5]).log_softmax(-1)
    log_b = torch.full((5,), 1 / 5).log()
    logits = -20 * uniform(3, 5, dtype=torch.float32)
    found = project(logits, log_a, log_b, iterations=500, tolerance=1e-6)
    log_plan = scaled_kernel(logits, found)
    torch.testing.assert_close(log_plan.logsumexp(1), log_a, atol=1e-3, rtol=1e-6)
    torch.testing.assert_close(log_plan.logsumexp(0), log_b, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [3, 31, 307])
def test_the_tolerance_means_the_same_at_every_size(size):
    found = sinkhorn(uniform(2, size, size + 2), epsilon=0.05, tolerance=1e-5)
    plan = found.plan
    missed = (plan.sum(2) - 1 / size).abs().sum(1) + (plan.sum(1) - 1 / (size + 2)).abs().sum(1)
    torch.testing.assert_close(found.gap, missed)
    assert (found.gap <= 1.001e-5).all()
    assert found.iterations < 1000


def test_too_few_iterations_are_told_by_the_gap():
    found = sinkhorn(uniform(B, N, M), epsilon=0.001, iterations=3)
    assert found.iterations == 3
    assert (found.gap > 1e-3).all()


def test_batches_orders_and_transposes_do_not_matter():
    cost, a, b = uniform(2, B, N, M), weights(B, N, name="a"), weights(M, name="b")
    found = sinkhorn(cost, a, b, **EXACT)
    assert found.plan.shape == (2, B, N, M) and found.value.shape == (2, B)
    alone = sinkhorn(cost[1, 2], a[2], b, **EXACT)
    torch.testing.assert_close(found.plan[1, 2], alone.plan, atol=1e-12, rtol=0)
    turned = sinkhorn(cost.mT, b, a, **EXACT)
    torch.testing.assert_close(turned.plan.mT, found.plan, atol=1e-12, rtol=0)
    order = torch.randperm(N, generator=generator(0, "order"))
    shuffled = sinkhorn(cost[..., order, :], a[..., order], b, **EXACT)
    torch.testing.assert_close(shuffled.plan, found.plan[..., order, :], atol=1e-12, rtol=0)


def test_scaling_cost_and_epsilon_together_scales_the_value():
    cost = uniform(B, N, M)
    one, seven = sinkhorn(cost, **EXACT), sinkhorn(7 * cost, epsilon=0.35, **EXACT)
    torch.testing.assert_close(seven.plan, one.plan, atol=1e-12, rtol=0)
    torch.testing.assert_close(seven.objective, 7 * one.objective)


def test_objective_is_value_plus_entropy_and_equals_its_dual():
    cost, a, b = uniform(B, N, M), weights(B, N, name="a"), weights(B, M, name="b")
    found = sinkhorn(cost, a, b, **EXACT)
    product = a[:, :, None] * b[:, None]
    entropic = found.value + 0.05 * torch.special.xlogy(found.plan, found.plan / product).sum(
        (1, 2)
    )
    dual = (found.f * a).sum(1) + (found.g * b).sum(1)
    torch.testing.assert_close(found.objective, entropic)
    torch.testing.assert_close(found.objective, dual)
    rebuilt = product * torch.exp((found.f[:, :, None] + found.g[:, None] - cost) / 0.05)
    torch.testing.assert_close(found.plan, rebuilt)


@pytest.mark.parametrize("iterations", [1, 13])
def test_unrolled_gradient_is_that_of_what_was_computed(iterations):
    def solved(cost, row_scores, column_scores):
        found = sinkhorn(
            cost, row_scores.softmax(-1), column_scores.softmax(-1),
            epsilon=0.3, iterations=iterations, tolerance=0.0, gradient="unrolled",
        )  # fmt: skip
        return found.value, found.objective, found.plan

    inputs = uniform(2, 3, 5), normal(2, 3, name="a"), normal(2, 5, name="b")
    assert torch.autograd.gradcheck(solved, [each.requires_grad_() for each in inputs])


def test_both_gradients_of_the_objective_agree_at_the_solution_and_those_of_value_do_not():
    leaves = [uniform(B, N, M), normal(B, N, name="a"), normal(B, M, name="b")]
    gradients = {}
    for way, field in itertools.product(("envelope", "unrolled"), ("objective", "value")):
        cost, p, q = (leaf.clone().requires_grad_() for leaf in leaves)
        found = sinkhorn(cost, p.softmax(-1), q.softmax(-1), epsilon=0.2, gradient=way, **EXACT)
        total = getattr(found, field).sum()
        gradients[way, field] = torch.autograd.grad(total, (cost, p, q), allow_unused=True)
    for by_envelope, unrolled in zip(
        gradients["envelope", "objective"], gradients["unrolled", "objective"], strict=True
    ):
        torch.testing.assert_close(by_envelope, unrolled, atol=1e-9, rtol=0)
    fixed, moving = gradients["envelope", "value"][0], gradients["unrolled", "value"][0]
    torch.testing.assert_close(fixed, gradients["envelope", "objective"][0])
    assert (fixed - moving).abs().max() > 1e-3


def test_divergence_is_zero_between_equal_measures_and_positive_between_others():
    x, y = normal(B, N, D), normal(B, M, D, name="y") + 0.5
    p = weights(B, N, name="p")
    same = sinkhorn_divergence(*[costs.l1(x, x)] * 3, weights=(p, p), epsilon=3.0, **EXACT)
    torch.testing.assert_close(same.value, torch.zeros_like(same.value), atol=1e-12, rtol=0)
    apart = sinkhorn_divergence(
        costs.l1(x, y), costs.l1(x, x), costs.l1(y, y), weights=(p, None), epsilon=3.0, **EXACT
    )
    assert (apart.value > 0.1).all()
    assert (apart.gap < 1e-12).all()


def test_divergence_of_two_points_is_their_distance():
    x, y = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0]]])
    found = sinkhorn_divergence(costs.l2(x, y), costs.l2(x, x), costs.l2(y, y))
    assert found.value.item() == pytest.approx(5.0)


def test_descending_the_divergence_brings_one_set_onto_the_other():
    x, y = normal(N, 2).requires_grad_(), normal(N, 2, name="y") + 2
    values = []
    for _ in range(30):
        found = sinkhorn_divergence(
            costs.squared_l2(x, y), costs.squared_l2(x, x), costs.squared_l2(y, y), epsilon=1.0
        )
        (slope,) = torch.autograd.grad(found.value, x)
        x = (x - 0.5 * N * slope / 2).detach().requires_grad_()
        values.append(found.value.item())
    assert values[-1] < 0.05 * values[0]


def test_six_terms_are_six_solutions_and_only_the_generated_batches_move():
    fake = normal(N, D).requires_grad_(), normal(N, D, name="fake'").requires_grad_()
    real = normal(N, D, name="real"), normal(N, D, name="real'")
    found = unbiased_distance(fake, real, cost=costs.l1, epsilon=0.5, **EXACT)
    pairs = [(fake[0], real[0]), (fake[1], real[0]), (fake[0], real[1]), (fake[1], real[1]),
             (fake[0], fake[1]), (real[0], real[1])]  # fmt: skip
    alone = [sinkhorn(costs.l1(*pair), epsilon=0.5, **EXACT).value for pair in pairs]
    torch.testing.assert_close(found.terms, torch.stack(alone))
    torch.testing.assert_close(found.value, sum(alone[:4]) - 2 * alone[4] - 2 * alone[5])
    together = torch.autograd.grad(found.value, fake)
    apart = torch.autograd.grad(sum(alone[:4]) - 2 * alone[4] - 2 * alone[5], fake)
    torch.testing.assert_close(together, apart)


def test_six_terms_average_to_nothing_for_equal_laws_and_see_a_shift():
    equal, shifted = [], []
    for trial in range(40):
        points = normal(4, 16, 3, name=f"trial {trial}")
        for shift, into in ((0.0, equal), (1.0, shifted)):
            fake = points[0] + shift, points[1] + shift
            found = unbiased_distance(fake, (points[2], points[3]), cost=costs.l1, epsilon=0.3)
            into.append(found.value.item())
    error = np.std(equal) / math.sqrt(len(equal))
    assert abs(np.mean(equal)) < 4 * error
    assert min(equal) < 0 < max(equal)
    assert np.mean(shifted) > 20 * error


def test_the_printed_algorithm_is_ours_times_the_number_of_points():
    cost = uniform(B, N, N)
    plan, value = printed_sinkhorn(cost, epsilon=0.2, iterations=3000)
    found = sinkhorn(cost, epsilon=0.2, **EXACT)
    torch.testing.assert_close(plan, N * found.plan, atol=1e-11, rtol=0)
    torch.testing.assert_close(value, N * found.value)
    assert printed_sinkhorn(100 * uniform(B, N, N), epsilon=0.01, iterations=3)[0].isnan().any()


def test_nonsense_is_refused():
    cost = uniform(B, N, M)
    with pytest.raises(ValueError, match="epsilon must be positive"):
        sinkhorn(cost, epsilon=0.0)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        sinkhorn(cost, iterations=0)
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        sinkhorn(cost, tolerance=-1.0)
    with pytest.raises(ValueError, match="cost must be finite"):
        sinkhorn(cost * math.nan)
    with pytest.raises(ValueError, match="cost must have points"):
        sinkhorn(cost[:, :0])
    with pytest.raises(ValueError, match="b must be positive"):
        sinkhorn(cost, b=torch.tensor([0.0, 0.5, 0.5, 0.0, 0.0], dtype=cost.dtype))
    with pytest.raises(ValueError, match="equal sums"):
        sinkhorn(cost, weights(N, name="a") * 2)
