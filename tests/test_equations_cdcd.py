"""Every numbered equation of CDCD (Zhu et al., ICLR 2023) that the room `diffusion` computes.

1 and 7 variational bound, 2 contrastive loss, 3 step-wise, 4 sample-wise, 5 total, 6 lower bound by
mutual information, 8 terms of the bound with a condition, 9 and 10 derivations of 3 and 4 (each of
their lines: `test_equations_cdcd_lines`); then Algorithm 1. All by summing over every chain of a
process of 2 or 3 codes, in double precision.
"""

import itertools
import math

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.algorithm import algorithm_1
from pasdedeux.diffusion.contrast import Contrast, Noised, density_ratio_loss, objective
from pasdedeux.diffusion.discrete import (
    bound,
    corrupted,
    marginal,
    posterior,
    predicted,
    prior_divergence,
    reverse,
    scores,
)
from pasdedeux.diffusion.schedule import Schedule

REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
CASES = [Schedule(K, T, **masses) for K in (2, 3) for T in (1, 2, 3) for masses in ({}, REPLACING)]


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def network(schedule, condition=0):
    """A table of logits: any p(z_0 | z_t, c) of one position is such a table."""
    K, T = schedule.codes, schedule.steps
    table = 2 * torch.randn(T + 1, K + 1, K, generator=generator(condition, "network", schedule))
    return lambda noisy, t: table[t[:, None], noisy].mT


class Chains:
    """All z_0 .. z_T of one position: log q(z_1 .. z_T | z_0) and log p(z_0 .. z_T | c)."""

    def __init__(self, schedule, predict_start):
        K, T = schedule.codes, schedule.steps
        every = itertools.product(range(K), *[range(K + 1)] * T)
        self.z = torch.tensor([one for one in every if self._possible(one, K)])
        rates = schedule.rates(torch.arange(1, T + 1), dtype=torch.float64)
        prior = torch.full((K + 1,), float((1 - schedule.cumulative().gamma[-1]) / K))
        prior[K] = float(schedule.cumulative().gamma[-1])
        self.forward, self.reverse = [], [prior[self.z[:, T]].log()]
        for step in range(1, T + 1):
            before, now = self.z[:, step - 1], self.z[:, step]
            a, b, g = (float(rate[step - 1]) for rate in rates[:3])
            one = torch.where(now == K, g, b + a * (before == now))
            self.forward.append(torch.where(before == K, 1.0, one).log())
            t = torch.full((len(now),), step)
            p = predict_start(now[:, None], t).softmax(1)
            back = reverse(schedule, p, now[:, None], t)[:, :, 0]
            self.reverse.append(back.gather(1, before[:, None])[:, 0].log())
        self.log_q, self.log_p = sum(self.forward), sum(self.reverse)

    @staticmethod
    def _possible(chain, K):
        return all(now == K for before, now in itertools.pairwise(chain) if before == K)

    def expectation(self, values, k):
        """E over q(z_1 .. z_T | z_0 = k)."""
        chosen = self.z[:, 0] == k
        return (self.log_q[chosen].exp() * values[chosen]).sum()


def exact_terms(schedule, predict_start, k):
    """L_0 .. L_(T-1) for z_0 = k: the closed form, averaged over q(z_t | z_0)."""
    K, found = schedule.codes, []
    for step in range(1, schedule.steps + 1):
        t = torch.full((K + 1,), step)
        noisy = torch.arange(K + 1)[:, None]
        prediction = predicted(schedule, predict_start(noisy, t), noisy, t)
        divergence = scores(prediction, torch.full((K + 1, 1, 1), k)).divergence[:, 0, 0]
        weight = marginal(schedule, torch.tensor([[k]]), t[:1])[0, :, 0]
        found.append((weight * divergence).sum())
    return torch.stack(found)


def kind(schedule):
    return f"K{schedule.codes}-T{schedule.steps}-{'shipped' if schedule.gamma_T > 0.9 else 'mixed'}"


@pytest.mark.parametrize("schedule", CASES, ids=kind)
def test_cdcd_eq1_the_terms_sum_to_the_bound(schedule):
    """L_T + sum of L_(t-1) + L_0 is E_q[-log p(z_0..T) / q(z_1..T | z_0)] >= -log p(z_0)."""
    predict_start = network(schedule)
    chains = Chains(schedule, predict_start)
    for k in range(schedule.codes):
        exact = chains.expectation(chains.log_q - chains.log_p, k)
        found = exact_terms(schedule, predict_start, k).sum() + prior_divergence(schedule)
        torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-9)
        evidence = -chains.log_p[chains.z[:, 0] == k].logsumexp(0)
        assert found >= evidence - 1e-9
    total = chains.log_p.exp().sum()
    torch.testing.assert_close(total, torch.ones(()), rtol=1e-6, atol=0)


def test_cdcd_eq1_as_estimated_by_drawing_one_state_for_each_step():
    schedule = Schedule(3, 3, **REPLACING)
    predict_start, count = network(schedule), 20000
    start = torch.ones(1, count, dtype=torch.long)
    found = bound(predict_start, schedule, start, generator(0, "bound"))[0] / count
    torch.testing.assert_close(found, exact_terms(schedule, predict_start, 1), rtol=0.03, atol=0.01)


def ratios(schedule, steps):
    """log f of every z_0 (or chain) under condition 0, with p(z) the mean over two conditions."""
    both = [Chains(schedule, network(schedule, c)) for c in (0, 1)]
    if steps:
        conditional = torch.stack([one.log_p for one in both])
        weight = conditional[0].exp()
    else:
        conditional = torch.stack(
            [
                torch.stack(
                    [one.log_p[one.z[:, 0] == k].logsumexp(0) for k in range(schedule.codes)]
                )
                for one in both
            ]
        )
        weight = conditional[0].exp()
    log_marginal = conditional.logsumexp(0) - math.log(2)
    return conditional - log_marginal, weight, log_marginal.exp(), both


def test_cdcd_eq2_is_minus_the_log_share_of_the_positive():
    log_f = torch.tensor([[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]])
    by_hand = [
        -math.log(math.exp(row[0]) / sum(math.exp(one) for one in row)) for row in log_f.tolist()
    ]
    found = density_ratio_loss(log_f[:, 0], log_f[:, 1:])
    assert found.item() == pytest.approx(sum(by_hand) / 2)
    assert density_ratio_loss(log_f[:, 0] + 500, log_f[:, 1:]).item() == pytest.approx(0)


def contrast_problem(schedule, mode):
    B, N, L = 5, 4, 3
    draw = generator(0, "contrast", mode)
    start = torch.randint(schedule.codes, (B, L), generator=draw)
    negatives = torch.randint(schedule.codes, (B, N, L), generator=draw)
    t = torch.randint(1, schedule.steps + 1, (B,), generator=draw)
    t[0] = 1
    noised = Noised(start, corrupted(schedule, start, t, draw), t, torch.full((B,), 0.25))
    logits = network(schedule)(noised.noisy, t)
    return noised, negatives, logits


def dense_divergence(schedule, logits, noised, target):
    q = posterior(schedule, target, noised.noisy, noised.t)
    p = reverse(schedule, logits.softmax(1), noised.noisy, noised.t)
    return (torch.xlogy(q, q) - torch.where(q > 0, q * p.log(), 0)).sum((1, 2))


@pytest.mark.parametrize("source", ["decided", "published"])
def test_cdcd_eq3_step_wise_is_the_difference_of_divergences(source):
    schedule = Schedule(3, 3, **REPLACING)
    noised, negatives, logits = contrast_problem(schedule, "step")
    contrast = Contrast.system("step-inter", 0.1, source=source)
    found = objective(schedule, logits, noised, contrast, {"inter": negatives})
    N, L = negatives.shape[1:]
    others = torch.stack(
        [dense_divergence(schedule, logits, noised, negatives[:, n]) for n in range(N)]
    )
    own = dense_divergence(schedule, logits, noised, noised.start)
    if source == "published":  # C such that the sum over negatives has log N times their mean
        expected = own - math.log(N) / N * others.sum(0)
    else:
        expected = -(1 + noised.t / schedule.steps) * others.mean(0)
    torch.testing.assert_close(found.losses["step_inter"], (4 * expected).mean() / L)
    torch.testing.assert_close(found.bound, own)


@pytest.mark.parametrize("source", ["decided", "published"])
def test_cdcd_eq4_sample_wise_is_the_difference_of_surprises(source):
    schedule = Schedule(3, 3, **REPLACING)
    noised, negatives, logits = contrast_problem(schedule, "sample")
    contrast = Contrast.system("sample-inter", 0.1, source=source)
    found = objective(schedule, logits, noised, contrast, {"inter": negatives})
    N, L = negatives.shape[1:]
    log_p = logits.log_softmax(1)
    others = torch.stack([-log_p.gather(1, negatives[:, n : n + 1])[:, 0].sum(1) for n in range(N)])
    own = -log_p.gather(1, noised.start[:, None])[:, 0].sum(1)
    if source == "published":
        expected = own - others.sum(0)
    else:
        expected = -(1 + noised.t / schedule.steps) * others.mean(0)
    torch.testing.assert_close(found.losses["sample_inter"], (4 * expected).mean() / L)


def test_cdcd_eq5_weights_make_the_total():
    schedule = Schedule(3, 3)
    noised, negatives, logits = contrast_problem(schedule, "total")
    contrast = Contrast(step_intra=0.3, sample_inter=0.7, auxiliary=0.0)
    found = objective(schedule, logits, noised, contrast, dict.fromkeys(contrast.kinds, negatives))
    assert found.weights == {"auxiliary": 0.0, "step_intra": 0.3, "sample_inter": 0.7}
    assert set(found.losses) == {"bound", "auxiliary", "step_intra", "sample_inter"}
    total = sum(found.weights.get(name, 1.0) * loss for name, loss in found.losses.items())
    alone = {
        name: objective(
            schedule,
            logits,
            noised,
            Contrast(**{name: 1.0}),
            dict.fromkeys(("intra", "inter"), negatives),
        ).losses
        for name in ("step_intra", "sample_inter")
    }
    expected = (4 * found.bound).mean() / noised.start.shape[1]
    expected = expected + 0.3 * alone["step_intra"]["step_intra"]
    expected = expected + 0.7 * alone["sample_inter"]["sample_inter"]
    torch.testing.assert_close(total, expected)
    assert alone["step_intra"]["step_intra"] < 0, "a contrast carries its sign"


@pytest.mark.parametrize("N", [1, 2, 3])
def test_cdcd_eq6_the_loss_bounds_mutual_information(N):
    """Exact expectation on 2 codes and 2 conditions; negatives drawn from p(z), as 6d assumes."""
    schedule = Schedule(2, 2, **REPLACING)
    log_f, _, p, _ = ratios(schedule, steps=False)
    conditional = log_f.exp() * p  # p(z | c), one row for each condition
    torch.testing.assert_close((p * log_f.exp()).sum(1), torch.ones(2))  # what 6d rests on
    information = 0.5 * (conditional * log_f).sum()
    entropy, alone = -torch.xlogy(p, p).sum(), -torch.xlogy(conditional, conditional).sum() / 2
    torch.testing.assert_close(information, entropy - alone)
    loss = torch.zeros(())
    for c, z, *others in itertools.product(range(2), range(2), *[range(2)] * N):
        weight = 0.5 * conditional[c, z] * p[others].prod()
        value = density_ratio_loss(log_f[c, z][None], log_f[c, others][None])
        ratio = (log_f[c, others] - log_f[c, z]).exp().sum()
        torch.testing.assert_close(value, torch.log1p(ratio))  # 6a = 6b
        loss = loss + weight * value
    assert loss >= math.log(N + 1) - information - 1e-12
    lines = 0.5 * (conditional * torch.log1p(N / log_f.exp())).sum()  # 6c = 6d
    assert loss < lines, "6c has the mean inside the logarithm"


@pytest.mark.parametrize("schedule", CASES, ids=kind)
def test_cdcd_eq7_every_line_of_the_bound_is_the_same_number(schedule):
    chains = Chains(schedule, network(schedule))
    T, z = schedule.steps, chains.z
    for k in range(schedule.codes):
        first = chains.expectation(chains.log_q - chains.log_p, k)
        second = -chains.reverse[0] + chains.forward[0] - chains.reverse[1]
        for t in range(2, T + 1):
            second = second + chains.forward[t - 1] - chains.reverse[t]
        q = [
            marginal(schedule, z[:, :1], torch.full((len(z),), t))[:, :, 0]
            .gather(1, z[:, t : t + 1])[:, 0].log()
            for t in range(1, T + 1)
        ]  # fmt: skip
        fourth = q[T - 1] - chains.reverse[0] - chains.reverse[1]
        for t in range(2, T + 1):
            step = posterior(schedule, z[:, :1], z[:, t : t + 1], torch.full((len(z),), t))
            fourth = fourth + step[:, :, 0].gather(1, z[:, t - 1 : t])[:, 0].log()
            fourth = fourth - chains.reverse[t]
        for line in (second, fourth):
            torch.testing.assert_close(chains.expectation(line, k), first, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("schedule", CASES, ids=kind)
def test_cdcd_eq8_the_first_term_is_the_surprise_without_a_special_case(schedule):
    predict_start, K = network(schedule), schedule.codes
    pairs = torch.cartesian_prod(torch.arange(K), torch.arange(K + 1))
    noisy, t = pairs[None, :, 1], torch.tensor([1])
    found = scores(predicted(schedule, predict_start(noisy, t), noisy, t), pairs[None, None, :, 0])
    torch.testing.assert_close(found.divergence, found.surprise, rtol=1e-9, atol=1e-9)
    back = reverse(schedule, predict_start(noisy, t).softmax(1), noisy, t)
    expected = -back.gather(1, pairs[None, None, :, 0]).log()
    torch.testing.assert_close(found.divergence, expected, rtol=1e-9, atol=1e-9)


def test_cdcd_eq9_rewrites_eq2_over_chains_but_does_not_equal_eq3():
    """9a = 9b = 9c hold; what is trained (9g) is another number, and can be below the zero of 9a.

    9e puts q(z_1..T | z_0) where p(z_0..T) stood and 9f takes log N for a factor.
    """
    schedule, N = Schedule(2, 2, **REPLACING), 2
    log_f, _, _, both = ratios(schedule, steps=True)
    positive, others = 0, [5, 9]
    nine_a = density_ratio_loss(log_f[0, :1], log_f[:1, others])
    nine_b = torch.log1p((log_f[0, others] - log_f[0, 0]).exp().sum())
    log_p, log_marginal = both[0].log_p, both[0].log_p - log_f[0]
    inverse = (log_marginal[positive] - log_p[positive]).exp()
    nine_c = torch.log1p(inverse * (log_p[others] - log_marginal[others]).exp().sum())
    torch.testing.assert_close(nine_a, nine_b)
    torch.testing.assert_close(nine_a, nine_c)
    assert nine_a > 0
    bounds = torch.stack(
        [exact_terms(schedule, network(schedule), k).sum() for k in range(2)]
    ) + prior_divergence(schedule)
    nine_g = bounds - math.log(N) * bounds.flip(0)
    assert (nine_g - nine_a).abs().min() > 0.05


def test_cdcd_eq10_is_not_bounded_below_by_zero_as_eq2_is():
    """10b is Eq. 2 at z_0; 10d has N where 9f has log N, and falls without end."""
    schedule = Schedule(2, 2, **REPLACING)
    log_f, _, _, _ = ratios(schedule, steps=False)
    ten_b = torch.log1p((log_f[0, 1] - log_f[0, 0]).exp())
    torch.testing.assert_close(density_ratio_loss(log_f[0, :1], log_f[:1, 1:]), ten_b)
    noised = Noised(*(torch.zeros(1, 1, dtype=torch.long),) * 2, torch.tensor([1]), torch.ones(1))
    values = []
    for strength in (0.0, 5.0, 20.0):
        logits = torch.tensor([[[strength], [-strength]]])
        contrast = Contrast.system("sample-inter", 1.0, source="published")
        found = objective(schedule, logits, noised, contrast,
                          {"inter": torch.ones(1, 3, 1, dtype=torch.long)})  # fmt: skip
        values.append(found.losses["sample_inter"].item())
    assert values[0] == pytest.approx((1 - 3) * math.log(2))
    assert values[2] == pytest.approx(-3 * 40, rel=1e-6)


@pytest.mark.parametrize("mode", ["step", "sample"])
@pytest.mark.parametrize("terms", ["last", "sum"])
def test_cdcd_algorithm1_has_the_expectations_of_its_lines(mode, terms):
    """Line 4 sums L_0 .. L_(t-1); line 9 is minus the mean of the negatives', 14 by surprise."""
    schedule, L, t = Schedule(2, 3, **REPLACING), 20000, 2
    predict_start = network(schedule)
    start, negatives = torch.zeros(1, L, dtype=torch.long), torch.ones(1, 2, L, dtype=torch.long)
    found = algorithm_1(
        predict_start, schedule, start, negatives, torch.tensor([t]), generator(0, "lines"),
        mode=mode, terms=terms,
    )  # fmt: skip
    first = t - 1 if terms == "last" else 0
    own, other = (exact_terms(schedule, predict_start, k)[first:t].sum() for k in (0, 1))
    if mode == "sample":
        noisy = torch.arange(3)[:, None]
        log_p = predict_start(noisy, torch.full((3,), t)).log_softmax(1)[:, 1, 0]
        other = -(marginal(schedule, torch.tensor([[1]]), torch.tensor([t]))[0, :, 0] * log_p).sum()
    torch.testing.assert_close(found.bound[0] / L, own, rtol=0.03, atol=0.01)
    torch.testing.assert_close(found.contrast[0] / L, -other, rtol=0.03, atol=0.01)
