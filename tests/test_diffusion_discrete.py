import math

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.discrete import (
    bound,
    corrupted,
    marginal,
    posterior,
    predicted,
    prior_divergence,
    reverse,
    scores,
    stepped,
)
from pasdedeux.diffusion.schedule import Schedule

SHIPPED = {}
REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
CASES = [
    Schedule(K, T, **masses)
    for K in (2, 3, 4, 5)
    for T in (1, 2, 3, 4)
    for masses in (SHIPPED, REPLACING)
]
B, M, L = 7, 3, 5


def name(schedule):
    kind = "shipped" if schedule.gamma_T > 0.9 else "replacing"
    return f"K{schedule.codes}-T{schedule.steps}-{kind}"


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def matrices(schedule):
    """Q_1 .. Q_T as the equations define them, rows from, columns to; MASK is the last class."""
    K, (alpha, _, gamma) = schedule.codes, schedule.cumulative()
    found = []
    for t in range(1, schedule.steps + 1):
        a = alpha[t] / alpha[t - 1]
        g = 1 - (1 - gamma[t]) / (1 - gamma[t - 1])
        Q = torch.full((K + 1, K + 1), (1 - a - g) / K)
        Q[:K, :K] += a * torch.eye(K)
        Q[:K, K], Q[K, :K], Q[K, K] = g, 0.0, 1.0
        found.append(Q)
    return found


def product(schedule, t):
    whole = torch.eye(schedule.codes + 1)
    for Q in matrices(schedule)[:t]:
        whole = whole @ Q
    return whole


def bayes(schedule, k, m, t, stride=1):
    """q(z_(t-stride) | z_t = m, z_0 = k) from the matrices, or None where z_t = m cannot be."""
    before = max(t - stride, 0)
    jump = torch.eye(schedule.codes + 1)
    for Q in matrices(schedule)[before:t]:
        jump = jump @ Q
    joint = product(schedule, before)[k] * jump[:, m]
    return joint / joint.sum()


def drawn(schedule, seed=0):
    """Logits, tokens with every kind of place, and steps that include the first and the last."""
    draw = generator(seed, "problem", schedule)
    K = schedule.codes
    logits = 3 * torch.randn(B, K, L, generator=draw)
    noisy = torch.randint(K + 1, (B, L), generator=draw)
    noisy[:, 0], noisy[:, 1] = K, 0
    targets = torch.randint(K, (B, M, L), generator=draw)
    targets[:, 0] = noisy.clamp_max(K - 1)
    t = torch.randint(1, schedule.steps + 1, (B,), generator=draw)
    t[0], t[1] = 1, schedule.steps
    return logits, noisy, targets, t


@pytest.mark.parametrize("schedule", CASES, ids=name)
def test_cumulatives_are_products_of_the_single_steps(schedule):
    K, cumulative = schedule.codes, schedule.cumulative()
    for t in range(schedule.steps + 1):
        expected = torch.full((K + 1, K + 1), float(cumulative.beta[t]))
        expected[:K, :K] += float(cumulative.alpha[t]) * torch.eye(K)
        expected[:K, K], expected[K, :K], expected[K, K] = float(cumulative.gamma[t]), 0.0, 1.0
        torch.testing.assert_close(product(schedule, t), expected)
    r = schedule.rates(torch.arange(1, schedule.steps + 1), dtype=torch.float64)
    for t, Q in enumerate(matrices(schedule)):
        torch.testing.assert_close(r.gamma[t, 0], Q[0, K])
        torch.testing.assert_close(r.beta[t, 0], Q[0, 1], rtol=1e-6, atol=0)
        torch.testing.assert_close(r.alpha[t, 0] + r.beta[t, 0], Q[0, 0])


def test_the_shipped_schedule_is_mask_only_in_all_but_name():
    """The numbers of the official code: both ends, linear between, a millionth replaced."""
    alpha, beta, gamma = Schedule(2048, 80).cumulative()
    assert (alpha[1], gamma[1]) == (pytest.approx(0.99999), pytest.approx(9e-6))
    assert (alpha[80], gamma[80]) == (pytest.approx(9e-6), pytest.approx(0.99999))
    assert beta[1:] * 2048 == pytest.approx(1e-6, rel=1e-6)
    assert gamma[40] == pytest.approx(9e-6 + 39 / 79 * (0.99999 - 9e-6))
    assert alpha[8] == pytest.approx(0.9114, abs=1e-4)


@pytest.mark.parametrize("schedule", CASES, ids=name)
def test_marginal_is_the_row_of_the_product(schedule):
    start = torch.arange(schedule.codes).repeat(schedule.steps, 1)
    t = torch.arange(1, schedule.steps + 1)
    found = marginal(schedule, start, t)
    for row, step in enumerate(t.tolist()):
        torch.testing.assert_close(found[row].T, product(schedule, step)[: schedule.codes])


@pytest.mark.parametrize("schedule", CASES, ids=name)
@pytest.mark.parametrize("stride", [1, 2])
def test_posterior_is_bayes_with_explicit_matrices(schedule, stride):
    K = schedule.codes
    pairs = torch.cartesian_prod(torch.arange(K), torch.arange(K + 1))
    for t in range(1, schedule.steps + 1):
        found = posterior(
            schedule, pairs[None, :, 0], pairs[None, :, 1], torch.tensor([t]), stride=stride
        )
        for place, (k, m) in enumerate(pairs.tolist()):
            expected = bayes(schedule, k, m, t, stride)
            torch.testing.assert_close(found[0, :, place], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("schedule", CASES, ids=name)
def test_reverse_is_the_mixture_of_posteriors(schedule):
    logits, noisy, _, t = drawn(schedule)
    p = logits.softmax(1)
    parts = [
        p[:, k : k + 1] * posterior(schedule, torch.full_like(noisy, k), noisy, t)
        for k in range(schedule.codes)
    ]
    found = reverse(schedule, p, noisy, t)
    torch.testing.assert_close(found, torch.stack(parts).sum(0))
    torch.testing.assert_close(found.sum(1), torch.ones(B, L))
    assert (found[:, -1][noisy < schedule.codes] == 0).all()


@pytest.mark.parametrize("schedule", CASES, ids=name)
def test_divergence_is_the_sum_over_classes(schedule):
    logits, noisy, targets, t = drawn(schedule)
    found = scores(predicted(schedule, logits, noisy, t), targets)
    model = reverse(schedule, logits.softmax(1), noisy, t)
    for n in range(M):
        q = posterior(schedule, targets[:, n], noisy, t)
        apart = torch.xlogy(q, q) - torch.where(q > 0, q * model.log(), 0)
        torch.testing.assert_close(found.divergence[:, n], apart.sum(1), rtol=1e-7, atol=1e-10)
    surprise = -logits.log_softmax(1).gather(1, targets)
    torch.testing.assert_close(found.surprise, surprise)


@pytest.mark.parametrize("schedule", CASES, ids=name)
def test_gradient_is_that_of_the_sum_over_classes(schedule):
    logits, noisy, targets, t = drawn(schedule, seed=1)
    logits.requires_grad_()
    weight = torch.randn(B, M, L, generator=generator(0, "weight"))
    closed = (weight * scores(predicted(schedule, logits, noisy, t), targets).divergence).sum()
    model = reverse(schedule, logits.softmax(1), noisy, t)
    q = torch.stack([posterior(schedule, targets[:, n], noisy, t) for n in range(M)], dim=1)
    log_model = torch.where(model > 0, model, 1).log()[:, None]
    dense = (weight * (torch.xlogy(q, q) - q * log_model).sum(2)).sum()
    found, expected = (torch.autograd.grad(one, logits)[0] for one in (closed, dense))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_float32_is_enough_at_the_size_of_the_music():
    schedule = Schedule(2048, 80)
    logits, noisy, targets, t = drawn(schedule)
    exact = scores(predicted(schedule, logits, noisy, t), targets)
    single = scores(predicted(schedule, logits.float(), noisy, t), targets)
    assert single.divergence.dtype == torch.float32
    # logarithms near 20 are known to 2e-6 each, and a divergence sums a handful of them
    torch.testing.assert_close(single.divergence.double(), exact.divergence, rtol=2e-6, atol=1e-5)
    dense = reverse(schedule, logits.float().softmax(1), noisy, t).sum(1)
    torch.testing.assert_close(dense, torch.ones(B, L, dtype=torch.float32), atol=5e-6, rtol=0)


def test_half_precision_logits_are_raised():
    schedule = Schedule(5, 4)
    logits, noisy, targets, t = drawn(schedule)
    coarse = scores(predicted(schedule, logits.bfloat16(), noisy, t), targets)
    same = scores(predicted(schedule, logits.bfloat16().float(), noisy, t), targets)
    assert torch.equal(coarse.divergence, same.divergence)


@pytest.mark.parametrize("schedule", [Schedule(3, 4), Schedule(3, 4, **REPLACING)], ids=name)
def test_losses_and_gradients_stay_finite_for_a_certain_prediction(schedule):
    """Also where it is certain of the wrong code, at every step."""
    for t in range(1, schedule.steps + 1):
        noisy = torch.tensor([[3, 0, 1, 2]])
        logits = torch.zeros(1, 3, 4, dtype=torch.float32)
        logits[:, 0] = 300.0
        logits.requires_grad_()
        targets = torch.tensor([[[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]]])
        found = scores(predicted(schedule, logits, noisy, torch.tensor([t])), targets)
        total = found.divergence.sum() + found.surprise.sum()
        (slope,) = torch.autograd.grad(total, logits)
        assert torch.isfinite(found.divergence).all()
        assert torch.isfinite(slope).all()
        assert found.divergence.min() > -1e-5
        assert found.surprise.max().item() == pytest.approx(70, rel=1e-6)


def test_forward_draws_have_the_marginal():
    schedule = Schedule(3, 4, **REPLACING)
    count = 40000
    start = torch.arange(3).repeat(4, 1).repeat_interleave(count, 1)
    t = torch.arange(1, 5)
    found = corrupted(schedule, start, t, generator(0, "forward"))
    share = torch.nn.functional.one_hot(found.view(4, 3, count), 4).double().mean(2)
    expected = marginal(schedule, torch.arange(3).repeat(4, 1), t).mT
    assert (share - expected).abs().max() < 5 * 0.5 / math.sqrt(count)


def test_a_chain_of_single_steps_has_the_marginal_and_mask_stays():
    schedule = Schedule(3, 4, **REPLACING)
    count = 40000
    tokens = torch.arange(3)[:, None].expand(3, count)
    draw = generator(0, "chain")
    for step in range(1, 5):
        after = stepped(schedule, tokens, torch.full((3,), step), draw)
        assert (after[tokens == 3] == 3).all()
        tokens = after
    share = torch.nn.functional.one_hot(tokens, 4).double().mean(1)
    expected = marginal(schedule, torch.arange(3)[:, None], torch.full((3,), 4))[:, :, 0]
    assert (share - expected).abs().max() < 5 * 0.5 / math.sqrt(count)


def test_prior_divergence_is_the_sum_over_classes():
    for schedule in CASES:
        K, gamma = schedule.codes, schedule.cumulative().gamma[-1]
        q = product(schedule, schedule.steps)[0]
        p = torch.full((K + 1,), float((1 - gamma) / K))
        p[K] = float(gamma)
        assert prior_divergence(schedule) == pytest.approx((q * (q / p).log()).sum().item())


def test_the_bound_of_a_network_that_knows_the_answer_is_zero():
    schedule = Schedule(5, 4, **REPLACING)
    start = torch.randint(5, (B, L), generator=generator(0, "start"))
    certain = 200 * torch.nn.functional.one_hot(start, 5).mT.double()
    terms = bound(lambda noisy, t: certain, schedule, start, generator(0, "bound"))
    assert terms.shape == (B, 4)
    assert terms.abs().max() < 1e-9
    guessing = bound(lambda noisy, t: 0 * certain, schedule, start, generator(0, "bound"))
    torch.testing.assert_close(guessing[:, 0], torch.full((B,), L * math.log(5)))


def test_wrong_input_is_refused():
    schedule = Schedule(5, 4)
    tokens, t = torch.zeros(2, 3, dtype=torch.long), torch.tensor([1, 4])
    draw = generator(0, "refuse")
    with pytest.raises(ValueError, match="codes from 0 to 4, got 5 to 5"):
        corrupted(schedule, tokens + 5, t, draw)
    with pytest.raises(ValueError, match=r"1 \.\. 4, got \[0, 4\]"):
        corrupted(schedule, tokens, t.where(t > 1, 0), draw)
    with pytest.raises(ValueError, match="5 classes in dimension 1"):
        predicted(schedule, torch.zeros(2, 6, 3), tokens, t)
    with pytest.raises(ValueError, match="stride must be at least 1"):
        schedule.rates(t, stride=0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"codes": 1}, "codes must be at least 2"),
        ({"codes": 5, "steps": 0}, "steps must be at least 1"),
        ({"codes": 5, "gamma_T": 1.0}, "gamma_T and uniform_T must be positive"),
        ({"codes": 5, "uniform_1": 0.0}, "gamma_1 and uniform_1 must be positive"),
        ({"codes": 5, "gamma_1": 0.5, "gamma_T": 0.3}, "must not shrink"),
    ],
)
def test_an_impossible_schedule_is_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        Schedule(**settings)
