"""Every numbered equation of every paper has a test here, named after it.

FusionGAN, arXiv 1712.01456. Small worlds stand for the expectations: a finite set of sequences with
known probabilities, so that an expectation is a sum and a supremum a linear programme.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from pasdedeux.base.seeding import generator
from pasdedeux.metrics import melody
from pasdedeux.nn.recurrent import Recurrent
from pasdedeux.papers import fusion

CRITICS, GROUPS = "ABF", fusion.GROUPS
OWN = {"A": "X_A", "B": "X_B"}


def scores(*names):
    """Mean scores drawn at random: means[critic][group]."""
    drawn = torch.randn(3, 5, generator=generator(0, *names), dtype=torch.float64)
    rows = [dict(zip(GROUPS, row, strict=True)) for row in drawn.requires_grad_()]
    return dict(zip(CRITICS, rows, strict=True))


def printed_equation_1(m):
    a, b, f = m["A"], m["B"], m["F"]
    return (
        (a["X_A"] - a["X_B"] - a["G_A"] - a["G_B"] - a["G_F"])
        + (-b["X_A"] + b["X_B"] - b["G_A"] - b["G_B"] - b["G_F"])
        + (f["X_A"] + f["X_B"] + f["G_A"] + f["G_B"] - f["G_F"])
    )


def printed_equation_2(m):
    f = m["F"]
    own = f["X_A"] + f["X_B"] + f["G_A"] + f["G_B"] - f["G_F"]
    return own - m["A"]["G_F"] - m["B"]["G_F"]


def printed_equation_10(m):
    a = m["A"]
    own = a["X_A"] - a["X_B"] - a["G_A"] - a["G_B"] - a["G_F"]
    return own - m["B"]["G_A"] + m["F"]["G_A"]


def derivative(value, m):
    """The gradient of `value` with respect to all fifteen mean scores, zeros where none."""
    flat = [m[c][g] for c in CRITICS for g in GROUPS]
    found = torch.autograd.grad(value, flat, allow_unused=True, retain_graph=True)
    return {
        (c, g): 0.0 if d is None else d.item()
        for (c, g), d in zip(itertools.product(CRITICS, GROUPS), found, strict=True)
    }


def test_fusion_eq1_signed_sum_of_fifteen_scores():
    m = scores("eq1")
    torch.testing.assert_close(fusion.objective(m), printed_equation_1(m))


def test_fusion_eq2_keeps_the_terms_of_eq1_that_hold_d_f_or_g_f():
    m = scores("eq2")
    whole, part = derivative(fusion.objective(m), m), derivative(printed_equation_2(m), m)
    for (critic, group), slope in whole.items():
        belongs = critic == "F" or group == "G_F"
        assert part[critic, group] == (slope if belongs else 0.0)


POINTS = np.array([0.0, 1.0, 2.5, 4.0, 4.5, 7.0])


def line_measures(name):
    """Five random distributions on six points of a line, one for each group."""
    drawn = np.random.default_rng(len(name)).dirichlet(np.ones(len(POINTS)), size=5)
    return dict(zip(GROUPS, drawn, strict=True))


def best_critic(weights, bound):
    """The largest sum of weights x D over 1-Lipschitz D with |D| <= bound: a linear programme."""
    pairs = list(itertools.permutations(range(len(POINTS)), 2))
    rows, limits = np.zeros((len(pairs), len(POINTS))), np.zeros(len(pairs))
    for row, (i, j) in enumerate(pairs):
        rows[row, i], rows[row, j] = 1, -1
        limits[row] = abs(POINTS[i] - POINTS[j])
    solved = linprog(-weights, A_ub=rows, b_ub=limits, bounds=[(-bound, bound)] * len(POINTS))
    return -solved.fun


def test_fusion_eq3_supremum_is_infinite_as_printed_and_wasserstein_once_averaged():
    p = line_measures("eq3")
    printed = sum(fusion.SIGNS["F"][group] * p[group] for group in GROUPS)
    values = [best_critic(printed, bound) for bound in (10.0, 100.0, 1000.0)]
    assert values[1] - values[0] == pytest.approx(3 * 90.0)
    assert values[2] - values[1] == pytest.approx(3 * 900.0)
    positive = sum(p[group] for group in GROUPS if group != "G_F") / 4
    averaged = [best_critic(positive - p["G_F"], bound) for bound in (10.0, 100.0, 1000.0)]
    distance = wasserstein_distance(POINTS, POINTS, positive, p["G_F"])
    assert averaged == pytest.approx([distance] * 3)


V, T = 3, 3
EVERY = torch.cartesian_prod(*[torch.arange(V)] * T)


def tiny_player(name):
    model = Recurrent(V, embedding=2, hidden=5)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, generator=generator(0, name))
    return model.double()


def gradient_of_mean(model, value):
    """The exact gradient of E[value] over all sequences the model can play, as one vector."""
    chance = model.log_likelihood(EVERY).sum(dim=1).exp()
    parts = torch.autograd.grad((chance * value).sum(), list(model.parameters()))
    return torch.cat([part.flatten() for part in parts])


def critic_tables(name):
    """Three critics as tables of a score for each sequence."""
    return {
        c: torch.randn(len(EVERY), generator=generator(0, name, c), dtype=torch.float64)
        for c in CRITICS
    }


def test_fusion_eq4_descending_l_is_ascending_the_sum_of_all_three_critics():
    model, tables = tiny_player("eq4"), critic_tables("eq4")
    signs = fusion.reward_signs("F")
    assert signs == {"A": 1.0, "B": 1.0, "F": 1.0}
    reward = gradient_of_mean(model, sum(signs[c] * tables[c] for c in CRITICS))
    loss = sum(fusion.SIGNS[c]["G_F"] * gradient_of_mean(model, tables[c]) for c in CRITICS)
    torch.testing.assert_close(-loss, reward)
    assert reward.norm() > 1e-3
    printed = fusion.reward_signs("F", "printed")
    assert printed == {c: -sign for c, sign in signs.items()}


def test_fusion_eq5_gradient_of_l_f_for_the_best_critic():
    model, tables = tiny_player("eq5"), critic_tables("eq5")
    chance = model.log_likelihood(EVERY).sum(dim=1).exp()
    on_player = {c: (chance * tables[c]).sum() for c in CRITICS}
    m = {c: {g: torch.tensor(0.7) for g in GROUPS} | {"G_F": on_player[c]} for c in CRITICS}
    parts = torch.autograd.grad(printed_equation_2(m), list(model.parameters()))
    whole = torch.cat([part.flatten() for part in parts])
    torch.testing.assert_close(whole, -gradient_of_mean(model, sum(tables.values())))


def lipschitz_world(name):
    """G(z) = theta z on a line and three 1-Lipschitz critics; L(theta, z) = |z|."""
    z = torch.randn(101, generator=generator(0, name), dtype=torch.float64)
    critics = (torch.sin, torch.abs, lambda x: (x - 0.3).abs().clamp(max=2.0))
    return z, critics


def test_fusion_eq6_expected_slope_is_bounded_by_the_lipschitz_constant():
    z, critics = lipschitz_world("eq6")
    for critic in critics:
        theta = torch.full_like(z, 0.8).requires_grad_()
        (slope,) = torch.autograd.grad(critic(theta * z).sum(), theta)
        assert 0 < slope.abs().mean() <= z.abs().mean()


def test_fusion_eq7_quotient_is_bounded_by_six_lipschitz_constants_and_vanishes():
    z, critics = lipschitz_world("eq7")
    quotients = []
    for step in (1.0, 1e-2, 1e-4):
        total = torch.zeros_like(z)
        for critic in critics:
            theta = torch.full_like(z, 0.8).requires_grad_()
            before = critic(theta * z)
            (slope,) = torch.autograd.grad(before.sum(), theta)
            after = critic((theta + step) * z)
            total += (after - before - step * slope).detach() / step
        assert (total.abs() <= 6 * z.abs()).all()
        quotients.append(total.mean().abs().item())
    assert quotients[2] < 1e-3 < quotients[0]


@pytest.mark.parametrize("critic", CRITICS)
def test_fusion_eq8_and_eq11_gap_has_the_printed_signs(critic):
    m = scores("eq8")
    raw = derivative(fusion.critic_gap(critic, m[critic], normalisation="sum"), m)
    whole = derivative(fusion.objective(m), m)
    for (row, group), slope in whole.items():
        assert raw[row, group] == (slope if row == critic else 0.0)


def test_fusion_eq8_gradient_of_d_f_is_averaged_within_each_sign():
    m = scores("eq8 mean")
    slopes = derivative(fusion.critic_gap("F", m["F"]), m)
    expected = {"X_A": 0.25, "X_B": 0.25, "G_A": 0.25, "G_B": 0.25, "G_F": -1.0}
    assert {g: slopes["F", g] for g in GROUPS} == expected


def test_fusion_eq9_balance_of_generated_and_of_real_pairs():
    m = {"X_A": 1.0, "X_B": 4.0, "G_A": 2.0, "G_B": 0.5, "G_F": 100.0}
    means = {name: torch.tensor(value) for name, value in m.items()}
    assert fusion.balance(means).item() == 1.5 + 3.0
    even = {name: torch.tensor(7.0) for name in GROUPS}
    assert fusion.balance(even).item() == 0.0


def test_fusion_eq10_keeps_the_terms_of_eq1_that_hold_d_a_or_g_a():
    m = scores("eq10")
    whole, part = derivative(fusion.objective(m), m), derivative(printed_equation_10(m), m)
    for (critic, group), slope in whole.items():
        belongs = critic == "A" or group == "G_A"
        assert part[critic, group] == (slope if belongs else 0.0)


@pytest.mark.parametrize("critic", "AB")
def test_fusion_eq11_one_positive_against_four_negatives(critic):
    m = scores("eq11")
    slopes = derivative(fusion.critic_gap(critic, m[critic]), m)
    for group in GROUPS:
        assert slopes[critic, group] == (1.0 if group == OWN[critic] else -0.25)


@pytest.mark.parametrize("critic", "AB")
def test_fusion_eq12_hinge_is_zero_exactly_while_the_order_holds(critic):
    own, foreign = ("X_A", "X_B") if critic == "A" else ("X_B", "X_A")
    for high, middle, low in itertools.product((-1.0, 0.0, 2.0), repeat=3):
        means = {own: high, "G_F": middle, foreign: low, "G_A": 9.0, "G_B": -9.0}
        value = fusion.order(critic, {k: torch.tensor(v) for k, v in means.items()}).item()
        assert (value == 0.0) == (high >= middle >= low)
        assert value == max(middle - high, 0.0) + max(low - middle, 0.0)


def test_fusion_eq13_norms_telescope_while_the_order_holds_and_not_after():
    def both(a, f, b):
        means = {"X_A": torch.tensor(a), "G_F": torch.tensor(f), "X_B": torch.tensor(b)}
        return [fusion.order("A", means, form=form).item() for form in ("printed", "telescoped")]

    assert both(5.0, 3.0, 1.0) == [4.0, 4.0]
    assert both(5.0, 8.0, 1.0) == [10.0, 4.0]  # violated: ascending Eq. 13 rewards it


@pytest.mark.parametrize("player", "AB")
def test_fusion_eq14_signs_of_the_rewards_of_g_a_and_g_b(player):
    model, tables = tiny_player("eq14"), critic_tables("eq14")
    printed = gradient_of_mean(model, -tables["A"] - tables["B"] + tables["F"])
    signs = fusion.reward_signs(player)
    reward = gradient_of_mean(model, sum(signs[c] * tables[c] for c in CRITICS))
    torch.testing.assert_close(reward, -printed)
    assert fusion.reward_signs(player, "release") == {"A": 1.0, "B": 1.0, "F": 1.0}


@pytest.mark.parametrize("critic", CRITICS)
def test_fusion_adding_a_constant_to_any_critic_changes_no_loss(critic):
    settings = fusion.FusionSettings()
    m = scores("constant")[critic]
    before = fusion.critic_losses(critic, m, settings)
    after = fusion.critic_losses(critic, {g: value + 17.0 for g, value in m.items()}, settings)
    assert set(before) == set(after) == {"gap", "balance" if critic == "F" else "order"}
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


P, Q, G = (np.array(x) for x in ([0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.5, 0.3]))


@pytest.mark.parametrize("distance", melody.DISTANCES.values())
def test_fusion_eqdiff_is_the_slack_of_the_triangle(distance):
    sides = melody.triangle(P, Q, G, distance)
    assert melody.diff(*sides) == distance(P, G) + distance(Q, G) - distance(P, Q) >= 0
    on_the_way = melody.triangle(P, Q, 0.25 * P + 0.75 * Q, distance)
    assert melody.diff(*on_the_way) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("distance", melody.DISTANCES.values())
def test_fusion_eqratio_is_one_for_every_mixture_even_for_one_genre_alone(distance):
    for share in (0.0, 0.3, 0.5, 1.0):
        sides = melody.triangle(P, Q, share * P + (1 - share) * Q, distance)
        assert melody.ratio(*sides) == pytest.approx(1.0)
        assert melody.imbalance(*sides) == pytest.approx(abs(1 - 2 * share))
    sides = melody.triangle(P, Q, G, distance)
    assert melody.diff(*sides) == pytest.approx(sides.between * (melody.ratio(*sides) - 1))
