"""Every displayed equation of the two transport papers that this room computes, tested by its name.

Dual learning of music and dance ("dual"): numbers as printed; Algorithm 1 has no number. The MDOT
README numbers nothing, so its displayed equations count from its top, and the sentence that makes
the model law a push-forward and the last line of the pipeline go by their names:

1 objective of the generator, 2 Kantorovich problem, 3 set of plans, 4 discrete problem, 5 entropic
problem, 6 and 7 the two distance functions, 8 Gromov-Wasserstein, 9 unbiased distance; then the two
algorithms.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from scipy.spatial.transform import Rotation

from pasdedeux.base.seeding import generator
from pasdedeux.nn.attention import attention
from pasdedeux.ot import costs
from pasdedeux.ot.gromov import PRINTED_STEPS, Steps, algorithm_1, gromov, tensor_product
from pasdedeux.ot.sinkhorn import printed_sinkhorn, sinkhorn, unbiased_distance


def normal(*shape, name):
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64)


def written_out(D, C, plan):
    """The sum over i, j, k, l as both papers display it."""
    m = range(len(plan))
    return sum(
        (D[i, k] - C[j, ell]) ** 2 * plan[i, j] * plan[k, ell]
        for i, j, k, ell in itertools.product(m, m, m, m)
    )


def kantorovich(cost):
    """The exact discrete optimum at unit mass, by linear programming."""
    m = len(cost)
    rows, columns = np.kron(np.eye(m), np.ones(m)), np.kron(np.ones(m), np.eye(m))
    solved = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.full(2 * m, 1 / m))
    return solved.fun


def test_dual_eq2_full_attention_of_a_sequence_to_itself():
    """Z = Softmax(<SW_q, SW_k> / sqrt(D)) SW_v, position by position; no future is masked."""
    sequence, D = normal(7, 3, name="S"), 5
    q, k, v = (sequence @ normal(3, D, name=name) for name in ("W_q", "W_k", "W_v"))
    found = attention(q, k, v)
    for t in range(7):
        powers = torch.stack([torch.exp((q[t] * k[s]).sum() / math.sqrt(D)) for s in range(7)])
        torch.testing.assert_close(found.weights[t], powers / powers.sum())
        torch.testing.assert_close(found.context[t], (powers / powers.sum()) @ v)
    assert (found.weights > 0).all()
    torch.testing.assert_close(
        found.context, torch.nn.functional.scaled_dot_product_attention(q, k, v)
    )


def test_dual_eq3_an_encoder_maps_each_sequence_to_one_vector_of_its_own_space():
    """x -> z^x and y -> z^y of different widths; Algorithm 1 compares the two sets of vectors."""
    music, dance = normal(2, 5, 11, 53, name="x"), normal(2, 5, 11, 147, name="y")
    weights = normal(53, 7, name="Enc M->D") / 53, normal(147, 3, name="Enc D->M") / 147
    z_x, z_y = ((x @ w).mean(-2) for x, w in zip((music, dance), weights, strict=True))
    assert (z_x.shape, z_y.shape) == ((2, 5, 7), (2, 5, 3))
    torch.testing.assert_close(z_x[1, 3], (music[1, 3] @ weights[0]).sum(0) / 11)
    found = algorithm_1(z_y, z_x)
    assert found.plan.shape == (2, 5, 5)
    order = [2, 0, 4, 1, 3]
    moved = algorithm_1(z_y, z_x[:, order])
    torch.testing.assert_close(moved.plan, found.plan[:, :, order], atol=1e-9, rtol=0)


def test_dual_eq4_every_point_of_a_batch_weighs_one_over_m():
    dance, music = normal(2, 7, 5, name="dance"), normal(2, 7, 3, name="music")
    found = algorithm_1(dance, music, epsilon=1.0, steps=Steps(20, 2000))
    each = torch.full((2, 7), 1 / 7, dtype=torch.float64)
    torch.testing.assert_close(found.plan.sum(2), each, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.plan.sum(1), each, atol=1e-6, rtol=0)


def test_dual_eq5_is_the_least_four_index_sum_over_the_plans():
    """Of five shuffled points the least over all permutations is 0, and the plan attains it."""
    z = normal(5, 3, name="z")
    order = [3, 0, 4, 1, 2]
    D, C = costs.l1(z, z) / 3, costs.l1(z[order], z[order]) / 3
    every = [torch.eye(5, dtype=torch.float64)[list(p)] / 5 for p in
             itertools.permutations(range(5))]  # fmt: skip
    values = torch.stack([written_out(D, C, plan) for plan in every])
    assert values.min().item() == pytest.approx(0, abs=1e-15)
    assert (values > 1e-3).sum() == len(every) - 1
    found = gromov(D, C, epsilon=0.02, steps=Steps(300, 300))
    assert torch.equal(found.plan.argmax(1), every[values.argmin()].argmax(1))
    torch.testing.assert_close(found.value, written_out(D, C, found.plan))
    assert found.value.item() < 0.01


def test_dual_eq8_geodesic_distance_is_the_printed_arccos():
    x, y = (torch.from_numpy(Rotation.random(n, rng=n).as_matrix())[:, None] for n in (5, 7))
    printed = torch.stack(
        [torch.arccos((torch.trace(a[0] @ b[0].T) - 1) / 2) for a in x for b in y]
    ).reshape(5, 7)
    torch.testing.assert_close(costs.squared_geodesic(x, y).sqrt(), printed)


def test_dual_algorithm1_line_by_line_as_printed():
    """The lines again, with sums for products and one problem at a time."""
    m, epsilon, steps = 5, 0.2, Steps(3, 4)
    z_y, z_x = normal(m, 2, name="dance") / 2, normal(m, 3, name="music") / 3
    D, C = ((z[:, None] - z[None]).abs().sum(2).numpy() for z in (z_y, z_x))
    plan = np.full((m, m), 1 / m)
    for _ in range(steps.outer):
        E = np.empty((m, m))
        for i, j in itertools.product(range(m), range(m)):
            cross = sum(D[i, k] * plan[k, ell] * C[j, ell] for k in range(m) for ell in range(m))
            E[i, j] = (D[i] ** 2).sum() / m + (C[:, j] ** 2).sum() / m - 2 * cross
        K, b = np.exp(-E / epsilon), np.ones(m)
        for _ in range(steps.inner):
            a = 1 / (K @ b)
            b = 1 / (K.T @ a)
        plan = np.diag(a) @ K @ np.diag(b)
    found = algorithm_1(z_y, z_x, source="printed", steps=steps, epsilon=epsilon)
    np.testing.assert_allclose(found.plan.numpy(), plan, rtol=1e-12)
    assert found.value.item() == pytest.approx(written_out(D, C, plan), rel=1e-12)


def test_dual_algorithm1_printed_hyperparameters():
    assert (PRINTED_STEPS.outer, PRINTED_STEPS.inner) == (20, 30)


def test_dual_algorithm1_constant_terms_of_e_do_not_change_the_plan():
    """D^2 1 1^T and 1 1^T C^2 are constant along rows and columns: the scalings absorb them."""
    D, C = (costs.l1(z, z) for z in (normal(7, 2, name="D") / 4, normal(7, 2, name="C") / 4))
    plan = sinkhorn(torch.rand(7, 7, dtype=torch.float64, generator=generator(0, "plan"))).plan
    whole, cross = tensor_product(D, C, plan), -2 * D @ plan @ C.T
    exact = {"epsilon": 0.1, "tolerance": 1e-13, "iterations": 5000}
    torch.testing.assert_close(sinkhorn(whole, **exact).plan, sinkhorn(cross, **exact).plan)


def objective(theta, batches, *, epsilon=0.3):
    """OT + GW of the generator y -> theta y, where the real x are 2 y and d(y, y') = 2 |y - y'|."""
    y, y_other, x, x_other = batches
    fake, fake_other = theta * y, theta * y_other
    transport = unbiased_distance((fake, fake_other), (x, x_other), cost=costs.l1, epsilon=epsilon)
    D, C = costs.l1(fake, fake_other), 2 * costs.l1(y, y_other)
    matching = gromov(D, C, epsilon=epsilon, steps=Steps(50, 100))
    return transport.value + matching.value


def toy(count=17):
    y, y_other, x, x_other = (normal(count, 1, name=name) for name in ("y", "y'", "x", "x'"))
    return y, y_other, 2 * x, 2 * x_other


def test_mdot_pushforward_of_a_batch_weighs_images_by_what_falls_on_them():
    """g # xi gives a set the weight of its preimage: transport cannot tell m points from these."""
    y, x = normal(7, 1, name="y"), normal(5, 2, name="x")
    generated = torch.cat([y.sign(), 2 * y.sign()], dim=1)  # two images for seven sequences
    image = generated.unique(dim=0)
    weight = torch.stack([(generated == one).all(1).double().mean() for one in image])
    assert len(image) == 2
    by_points = sinkhorn(costs.l2(generated, x), epsilon=0.3, tolerance=1e-12)
    by_law = sinkhorn(costs.l2(image, x), weight, epsilon=0.3, tolerance=1e-12)
    torch.testing.assert_close(by_points.value, by_law.value)
    torch.testing.assert_close(by_points.objective, by_law.objective)


def test_mdot_eq1_the_sum_is_least_where_law_and_shape_are_both_right():
    batches = toy()
    values = {theta: objective(theta, batches).item() for theta in (0.5, 1, 1.5, 2, 2.5, 3)}
    assert min(values, key=values.get) == 2


def test_mdot_update_descends_the_gradients_of_both_distances():
    """theta <- theta - alpha (slope of OT) - alpha (slope of GW) lowers the sum and ends near 2."""
    batches, theta, alpha = toy(), torch.tensor(0.5, dtype=torch.float64), 0.05
    before = objective(theta, batches)
    for step in range(20):
        theta.requires_grad_()
        (slope,) = torch.autograd.grad(objective(theta, batches), theta)
        theta = theta.detach() - alpha * slope
        if not step:
            assert objective(theta, batches) < before
    assert theta.item() == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("cost", [costs.l1, costs.l2])
def test_mdot_eq6_and_eq7_distances_of_a_domain_are_never_negative_and_symmetric(cost):
    """d: S x S -> R+ and c: T x T -> R+; c for rotations is Eq. 8 of the other paper, see there."""
    x = normal(7, 3, name="x")
    found = cost(x, x)
    assert (found >= 0).all()
    torch.testing.assert_close(found, found.T)
    assert torch.equal(found.diagonal(), torch.zeros(7, dtype=torch.float64))
    assert (found[:, None] + found[None] - found[:, :, None] > -1e-12).all()


def test_mdot_eq2_and_eq4_the_value_falls_to_the_linear_programme():
    cost = costs.l2(normal(5, 3, name="fake"), normal(5, 3, name="real"))
    exact = kantorovich(cost.numpy())
    gaps = []
    for epsilon in (1.0, 0.1, 0.01):
        found = sinkhorn(cost, epsilon=epsilon, iterations=20000)
        gaps.append(found.value.item() - exact)
    assert gaps[0] > gaps[1] > gaps[2] > -1e-5
    assert gaps[2] < 1e-3


def test_mdot_eq3_rows_and_columns_of_the_printed_plan_sum_to_one():
    cost = costs.l2(normal(5, 3, name="fake"), normal(5, 3, name="real"))
    plan, _ = printed_sinkhorn(cost, epsilon=0.5, iterations=500)
    torch.testing.assert_close(plan.sum(0), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(1), torch.ones(5, dtype=torch.float64))


def test_mdot_eq5_is_minimised_by_the_kernel_of_the_natural_logarithm_only():
    """Printed with log2 but solved with exp(-C / epsilon): that is epsilon / ln 2 too small.

    The minimum over all plans of a 2 x 2 problem is found by one-dimensional search.
    """
    cost, epsilon = np.array([[0.1, 0.9], [0.7, 0.4]]), 0.3

    def best(log):
        def printed(t):
            plan = np.array([[t[0], 1 - t[0]], [1 - t[0], t[0]]])
            return (plan * cost).sum() + epsilon * (plan * log(plan)).sum()

        return minimize(printed, [0.5], bounds=[(1e-9, 1 - 1e-9)], tol=1e-14).x[0]

    matrix = torch.from_numpy(cost)
    ours = 2 * sinkhorn(matrix, epsilon=epsilon, tolerance=1e-13).plan[0, 0].item()
    corrected = 2 * sinkhorn(matrix, epsilon=epsilon / math.log(2), tolerance=1e-13).plan[0, 0]
    assert best(np.log) == pytest.approx(ours, abs=1e-5)
    assert best(np.log2) == pytest.approx(corrected.item(), abs=1e-5)
    assert abs(best(np.log2) - ours) > 0.02


def test_mdot_eq8_is_a_relational_distance():
    """It sees inner distances only: a moved, mirrored and shuffled copy is at distance 0."""
    x = normal(5, 2, name="x")
    y = (x * torch.tensor([1.0, -1.0], dtype=torch.float64))[[2, 4, 0, 3, 1]] + 7
    found = gromov(costs.l1(x, x) / 2, costs.l1(y, y) / 2, epsilon=0.02, steps=Steps(300, 300))
    assert found.value.item() < 0.01
    torch.testing.assert_close(
        found.value, written_out(costs.l1(x, x) / 2, costs.l1(y, y) / 2, found.plan)
    )


def test_mdot_eq9_six_terms_with_the_printed_signs():
    fake, fake_other, real, real_other = (normal(5, 3, name=n) for n in ("a", "b", "c", "d"))

    def transport(x, y):
        return printed_sinkhorn(costs.l2(x, y), epsilon=0.5, iterations=3000)[1] / 5

    printed = (
        transport(fake, real) + transport(fake_other, real) + transport(fake, real_other)
        + transport(fake_other, real_other) - 2 * transport(fake, fake_other)
        - 2 * transport(real, real_other)
    )  # fmt: skip
    found = unbiased_distance(
        (fake, fake_other), (real, real_other), cost=costs.l2, epsilon=0.5, tolerance=1e-12,
        iterations=3000,
    )  # fmt: skip
    torch.testing.assert_close(found.value, printed)


def test_mdot_algorithm_ot_output_is_m_times_the_value_at_unit_mass():
    cost = costs.l2(normal(7, 3, name="fake"), normal(7, 3, name="real"))
    _, output = printed_sinkhorn(cost, epsilon=0.5, iterations=3000)
    found = sinkhorn(cost, epsilon=0.5, tolerance=1e-13, iterations=3000)
    torch.testing.assert_close(output, 7 * found.value)


def test_mdot_algorithm_gw_takes_distances_between_two_independent_batches():
    """C_ij = c(x_i, x'_j) is not symmetric: the slope of the sum has two terms, one is printed."""
    x, x_other, y, y_other = (normal(5, 3, name=n) / 3 for n in ("x", "x'", "y", "y'"))
    D, C = costs.l1(y, y_other), costs.l1(x, x_other)
    plan = gromov(D, C, epsilon=0.2).plan.clone().requires_grad_()
    (slope,) = torch.autograd.grad(written_out(D, C, plan), plan)
    both = tensor_product(D, C, plan) + tensor_product(D.T, C.T, plan)
    torch.testing.assert_close(slope, both)
    assert (slope - 2 * tensor_product(D, C, plan)).abs().max() > 1e-3
