import math

import jaxtyping
import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import costs
from pasdedeux.ot.gromov import (
    PRINTED_STEPS,
    Steps,
    algorithm_1,
    gromov,
    identity,
    remark,
    tensor_product,
)

B, N, M = 2, 7, 5
EXACT = Steps(outer=3000, inner=3000, tolerance=1e-12)


def normal(*shape: int, name: str = "points", dtype=torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(0, name), dtype=dtype)


def distances(*shape: int, name: str) -> Tensor:
    """Distances between normal points, with mean near 1."""
    points = normal(*shape, name=name)
    apart = costs.l1(points, points)
    return apart / apart.mean((-2, -1), keepdim=True)


def weights(*shape: int, name: str) -> Tensor:
    return normal(*shape, name=name).softmax(-1)


def four_index_sum(D: Tensor, C: Tensor, plan: Tensor) -> Tensor:
    """The definition, one term at a time."""
    total = plan.new_zeros(())
    n, m = plan.shape
    for i in range(n):
        for j in range(m):
            for k in range(n):
                for ell in range(m):
                    total = total + (D[i, k] - C[j, ell]) ** 2 * plan[i, j] * plan[k, ell]
    return total


def permuted(count: int, *, name: str, dtype=torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Distances of a cloud over their maximum, those of a shuffled copy, and the exact plan."""
    points = normal(count, 3, name=name, dtype=dtype)
    order = torch.randperm(count, generator=generator(0, name, "order"))
    D = costs.l2(points, points)
    D = D / D.max()
    plan = torch.eye(count, dtype=dtype)[:, order] / count
    return D, D[order][:, order], plan


def test_value_is_the_sum_over_four_indices_even_for_a_plan_with_wrong_marginals():
    D, C = normal(B, 3, 3, name="D"), normal(B, 5, 5, name="C")
    plan = normal(B, 3, 5, name="plan").exp()
    found = (tensor_product(D, C, plan) * plan).sum((1, 2))
    for k in range(B):
        torch.testing.assert_close(found[k], four_index_sum(D[k], C[k], plan[k]))


@pytest.mark.parametrize("symmetric", [True, False])
def test_plan_and_value_are_those_of_pot(symmetric):
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    if not symmetric:
        D, C = D + 0.3 * normal(B, N, N, name="D").abs(), C + 0.3 * normal(B, M, M, name="C").abs()
    a, b = weights(B, N, name="a"), weights(B, M, name="b")
    found = gromov(D, C, a, b, epsilon=0.1, steps=EXACT)
    assert (found.change < 1e-11).all() and (found.gap < 1e-11).all()
    for k in range(B):
        plan, log = ot.gromov.entropic_gromov_wasserstein(
            D[k].numpy(), C[k].numpy(), a[k].numpy(), b[k].numpy(), epsilon=0.1,
            max_iter=5000, tol=1e-15, log=True, numItermax=5000, stopThr=1e-15, warn=False,
        )  # fmt: skip
        np.testing.assert_allclose(found.plan[k].numpy(), plan, atol=1e-9)
        torch.testing.assert_close(found.value[k], four_index_sum(D[k], C[k], found.plan[k]))
        if symmetric:
            assert found.value[k].item() == pytest.approx(log["gw_dist"], abs=1e-9)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_plan_is_a_stationary_point_of_the_objective(symmetric):
    """At it, slope + epsilon log(plan / a b^T) is a function of the row plus one of the column."""
    D, C = distances(N, 3, name="D"), distances(M, 4, name="C")
    if not symmetric:
        D, C = D + normal(N, N, name="D").abs(), C + normal(M, M, name="C").abs()
    a, b = weights(N, name="a"), weights(M, name="b")
    plan = gromov(D, C, a, b, epsilon=0.3, steps=EXACT).plan.requires_grad_()
    (slope,) = torch.autograd.grad(four_index_sum(D, C, plan), plan)
    left = (slope + 0.3 * torch.log(plan / (a[:, None] * b))).detach()
    left = left - left.mean(0) - left.mean(1, keepdim=True) + left.mean()
    torch.testing.assert_close(left, torch.zeros_like(left), atol=1e-8, rtol=0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**20), count=st.integers(4, 11), stretch=st.floats(0.5, 3.0))
def test_of_a_shuffled_copy_the_shuffling_is_the_answer(seed, count, stretch):
    """Drawn with its exact answer: value 0 at the plan that undoes the shuffling."""
    D, C, plan = permuted(count, name=f"cloud {seed}")
    found = gromov(stretch * D, stretch * C, epsilon=0.002 * stretch**2, start=plan,
                   steps=Steps(30, 100))  # fmt: skip
    assert found.value.item() < 0.02 * stretch**2
    assert torch.equal(found.plan.argmax(1), plan.argmax(1))
    exact = (tensor_product(D, C, plan) * plan).sum()
    assert abs(exact.item()) < 1e-12


def test_a_shuffled_rotated_copy_is_recognised_from_a_uniform_start():
    D, C, plan = permuted(16, name="cloud")
    found = gromov(D, C, epsilon=0.002, steps=Steps(500, 500))
    assert found.value.item() < 1e-3
    assert torch.equal(found.plan.argmax(1), plan.argmax(1))


def test_where_pots_batched_solver_stops_at_400_points_ours_goes_on():
    """Its tolerance is an average over N M entries of size 1 / N M, so it means ever less."""
    D, C, plan = permuted(400, name="large cloud")
    pot = ot.batch.solve_gromov_batch(D[None], C[None], reg=0.005, max_iter=100)
    found = gromov(D[None], C[None], epsilon=0.005, steps=Steps(100, 100, 1e-5))
    recovered = (found.plan[0].argmax(1) == plan.argmax(1)).double().mean().item()
    assert pot.log["n_iter"] <= 1
    assert found.steps > 5 and found.change.item() <= 1e-5 and found.gap.item() <= 1e-5
    assert recovered > 0.9
    assert found.value.item() < 0.5 * pot.value.item()


@pytest.mark.parametrize("size", [5, 53, 211])
def test_the_tolerance_means_the_same_at_every_size(size):
    D, C = distances(size, 3, name="D"), distances(size + 2, 4, name="C")
    found = gromov(D, C, epsilon=0.3, steps=Steps(tolerance=1e-5))
    assert found.gap.item() <= 1e-5 and found.change.item() <= 1e-5
    longer = gromov(D, C, epsilon=0.3, start=found.plan, steps=Steps(200, 200, 0.0))
    assert (longer.plan - found.plan).abs().sum().item() < 1e-3
    assert longer.value.item() == pytest.approx(found.value.item(), rel=1e-3)


def test_too_few_steps_are_told_by_gap_and_change():
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    found = gromov(D, C, epsilon=0.02, steps=Steps(2, 1))
    assert found.steps == 2
    assert (found.gap > 1e-3).all() and (found.change > 1e-3).all()


def test_turning_swapping_and_shuffling_do_not_matter():
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    a, b = weights(B, N, name="a"), weights(M, name="b")
    found = gromov(D, C, a, b, epsilon=0.2, steps=EXACT)
    swapped = gromov(C, D, b, a, epsilon=0.2, steps=EXACT)
    torch.testing.assert_close(swapped.plan.mT, found.plan, atol=1e-9, rtol=0)
    order = torch.randperm(N, generator=generator(0, "order"))
    shuffled = gromov(D[:, order][:, :, order], C, a[:, order], b, epsilon=0.2, steps=EXACT)
    torch.testing.assert_close(shuffled.plan, found.plan[:, order], atol=1e-9, rtol=0)
    alone = gromov(D[1], C[1], a[1], b, epsilon=0.2, steps=EXACT)
    torch.testing.assert_close(alone.plan, found.plan[1], atol=1e-9, rtol=0)


def test_scaling_both_spaces_scales_the_value_by_the_square():
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    one = gromov(D, C, epsilon=0.1, steps=EXACT)
    three = gromov(3 * D, 3 * C, epsilon=0.9, steps=EXACT)
    torch.testing.assert_close(three.plan, one.plan, atol=1e-9, rtol=0)
    torch.testing.assert_close(three.objective, 9 * one.objective)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_costs(dtype):
    D, C = distances(B, N, 3, name="D").to(dtype), distances(B, M, 4, name="C").to(dtype)
    found = gromov(D, C, epsilon=0.1)
    assert {field.dtype for field in found[:-1]} == {dtype}
    torch.testing.assert_close(
        found.plan, gromov(D.double(), C.double(), epsilon=0.1).plan.to(dtype), atol=1e-4, rtol=0
    )


def test_unrolled_gradient_is_that_of_what_was_computed():
    def solved(D, C, row_scores):
        found = gromov(
            D, C, row_scores.softmax(-1), epsilon=0.5, steps=Steps(3, 12, 0.0), gradient="unrolled"
        )
        return found.value, found.objective, found.plan

    inputs = distances(B, 3, 2, name="D"), distances(B, 5, 2, name="C"), normal(B, 3, name="a")
    assert torch.autograd.gradcheck(solved, [each.requires_grad_() for each in inputs])


def test_both_gradients_of_the_objective_agree_at_the_solution_and_those_of_value_do_not():
    gradients = {}
    for way in ("envelope", "unrolled"):
        for field in ("objective", "value"):
            x = normal(B, N, 3, name="x").requires_grad_()
            D, C = costs.l1(x, x) / 3, distances(B, M, 4, name="C")
            found = gromov(D, C, epsilon=0.3, steps=EXACT, gradient=way)
            (gradients[way, field],) = torch.autograd.grad(getattr(found, field).sum(), x)
    torch.testing.assert_close(
        gradients["envelope", "objective"], gradients["unrolled", "objective"], atol=1e-8, rtol=0
    )
    torch.testing.assert_close(gradients["envelope", "value"], gradients["envelope", "objective"])
    assert (gradients["envelope", "value"] - gradients["unrolled", "value"]).abs().max() > 1e-3


def embeddings(count: int = 16, *, noise: float = 0.05) -> tuple[Tensor, Tensor, Tensor]:
    """Dances, pieces of music that are a shuffled stretched copy of other width, and the order."""
    base = normal(B, count, 5, name="base")
    order = torch.randperm(count, generator=generator(0, "pairs"))
    dance = torch.cat([base, noise * normal(B, count, 6, name="dance")], dim=2)
    music = torch.cat([base, noise * normal(B, count, 2, name="music")], dim=2)[:, order]
    return dance, music, order


def test_the_corrected_algorithm_is_the_printed_one_on_scaled_costs():
    """Marginals 1 with E lacking its factor 2 are, at unit mass, the slope with 2 epsilon / m."""
    dance, music, _ = embeddings()
    steps = Steps(20, 400, 0.0)
    found = algorithm_1(dance, music, epsilon=2.0, steps=steps)
    apart = costs.l1(dance, dance) / dance.shape[2]
    mean = apart.sum((1, 2))[:, None, None] / (16 * 15)
    dance, music = dance / dance.shape[2] / mean, music / music.shape[2] / mean
    printed = algorithm_1(dance, music, epsilon=2.0, source="printed", steps=steps)
    torch.testing.assert_close(printed.plan / 16, found.plan, atol=1e-10, rtol=0)
    torch.testing.assert_close(printed.value / 16**2, found.value)


def test_the_printed_algorithm_is_pots_with_another_epsilon():
    dance, music, _ = embeddings(7)
    dance, music = dance / 11, music / 11
    printed = algorithm_1(dance, music, epsilon=1.0, source="printed", steps=Steps(99, 99, 0.0))
    for k in range(B):
        plan = ot.gromov.entropic_gromov_wasserstein(
            costs.l1(dance, dance)[k].numpy(), costs.l1(music, music)[k].numpy(),
            epsilon=2 * 1.0 / 7, max_iter=99, tol=0, numItermax=99, stopThr=0, warn=False,
        )  # fmt: skip
        np.testing.assert_allclose(printed.plan[k].numpy() / 7, plan, atol=1e-10)


def test_the_printed_algorithm_overflows_where_the_corrected_one_finds_the_pairs():
    """Embeddings as wide as the paper's; both hold the same few directions, the music shuffled."""
    base = normal(B, 16, 5, name="base")
    dance, music = base @ normal(5, 256, name="to dance"), base @ normal(5, 512, name="to music")
    order = torch.randperm(16, generator=generator(0, "pairs"))
    music = music[:, order]
    assert algorithm_1(dance, music, source="printed").plan.isnan().all()
    found = algorithm_1(dance, music)
    recovered = (found.plan.argmax(1) == order).double().mean().item()
    assert recovered > 0.85
    assert (found.gap < 0.1).all()


def test_the_corrected_gradient_reaches_the_music_alone():
    dance, music, _ = embeddings()
    dance, music = dance.requires_grad_(), music.requires_grad_()
    for way in ("envelope", "unrolled"):
        found = algorithm_1(dance, music, gradient=way)
        by_dance, by_music = torch.autograd.grad(
            found.value.sum(), (dance, music), allow_unused=True
        )
        assert by_dance is None
        assert by_music.abs().max() > 0
    assert Steps(outer=20, inner=30, tolerance=1e-6) == PRINTED_STEPS


def test_two_independent_batches_give_costs_that_are_not_symmetric():
    dance, music, _ = embeddings(7)
    others = normal(B, 7, dance.shape[2], name="z'"), normal(B, 7, music.shape[2], name="y'")
    found = algorithm_1(dance, music, *others)
    D = costs.l1(dance, others[0]) / dance.shape[2]
    C = costs.l1(music, others[1]) / music.shape[2]
    wanted = gromov(*costs.by_one_scale(D, C), epsilon=2 * 0.2 / 7, steps=PRINTED_STEPS)
    torch.testing.assert_close(found.value, wanted.value)
    with pytest.raises(ValueError, match="give both or none"):
        algorithm_1(dance, music, others[0])


def test_marginals_one_over_m_are_m_times_the_epsilon():
    """Eq. 4's marginals in the loop that is printed for marginals 1."""
    dance, music, _ = embeddings(7)
    D, C = costs.by_one_scale(costs.l1(dance, dance) / 11, costs.l1(music, music) / 7)
    plan, each = torch.full((B, 7, 7), 1 / 49, dtype=D.dtype), D.new_full((7, 1), 1 / 7)
    for _ in range(20):
        kernel = torch.exp(2 * D @ plan @ C.mT / 0.7)
        b = torch.ones_like(each)
        for _ in range(400):
            a = each / (kernel @ b)
            b = each / (kernel.mT @ a)
        plan = a * kernel * b.mT
    found = algorithm_1(dance, music, epsilon=7 * 0.7, steps=Steps(20, 400, 0.0))
    torch.testing.assert_close(found.plan, plan, atol=1e-10, rtol=0)


def test_the_identity_is_the_least_value_for_pairs_in_their_order_only():
    dance, music, order = embeddings(7, noise=0.0)
    music = music * music.shape[2] / dance.shape[2]  # so that distances over widths are equal
    same, shuffled = identity(dance, music[:, order.argsort()]), identity(dance, music)
    torch.testing.assert_close(same.plan.sum(1), torch.full((B, 7), 1 / 7, dtype=dance.dtype))
    D, C = costs.l1(dance, dance) / dance.shape[2], costs.l1(music, music) / music.shape[2]
    D, C = costs.by_one_scale(D, C)
    for k in range(B):
        wanted = four_index_sum(D[k], C[k], shuffled.plan[k])
        torch.testing.assert_close(shuffled.value[k], wanted)
    assert (same.value < 1e-12).all()
    assert (shuffled.value > 0.01).all()
    assert torch.equal(shuffled.gap, torch.zeros(B, dtype=torch.float64))
    dance.requires_grad_()
    value = identity(dance, music.requires_grad_()).value.sum()
    by_dance, by_music = torch.autograd.grad(value, (dance, music), allow_unused=True)
    assert by_dance is None
    assert by_music.abs().max() > 0


def test_a_plan_far_from_its_marginals_is_remarked_upon():
    dance, music, _ = embeddings()
    solved, hasty = (algorithm_1(dance, music, steps=Steps(20, n, 0.0)) for n in (2000, 1))
    assert remark(solved.gap) == ""
    assert "not yet a matching. Give more inner steps" in remark(10 * hasty.gap)
    assert remark(torch.tensor([0.02, 0.3])).startswith("A plan misses 30% of its marginals")
    assert remark(torch.tensor([math.nan]))


def test_nonsense_is_refused():
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    with pytest.raises(ValueError, match="epsilon must be positive"):
        gromov(D, C, epsilon=-1.0)
    with pytest.raises(ValueError, match="C must be finite"):
        gromov(D, C * math.inf)
    refused = jaxtyping.TypeCheckError, ValueError
    with pytest.raises(refused, match="`gromov` matches sets|'music'"):
        algorithm_1(normal(B, 7, 3), normal(B, 5, 3))
    with pytest.raises(ValueError, match="inner must be at least 1"):
        Steps(inner=0)
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        Steps(tolerance=-1e-3)
