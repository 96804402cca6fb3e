"""The mask-and-replace process: forward draw, posterior, reverse step and its divergence.

A network gives p(z_0 | z_t, c); with it the reverse step is

    p(z_(t-1) | z_t, c) = sum over k of  p(z_0 = k | z_t, c)  q(z_(t-1) | z_t, z_0 = k).      (1)

At one position q(z_(t-1) | z_t, z_0 = k) takes at most three values on the K codes, so neither (1)
nor its Kullback-Leibler divergence needs anything of size K x K. Write a = alpha_bar_(t-1),
b = beta_bar_(t-1), m = z_t. Up to a factor that q and p share, the mass of code j is

    u_j = a p_j + b R

where p_m counts for w p_m, w = beta_bar_t / (beta_bar_t + alpha_bar_t), and R is the sum of p so
counted (1, and w = 1, where z_t is MASK). The divergence from any target k is then a number of the
position minus a multiple of log u_k: one gather serves any number of targets. At t = 1 it is
-log p(z_0 = k | z_1, c), the last term of the bound, without a special case.

The release computes the same from log-space tensors (B, K+1, L) in double precision; float32 is
enough here. References: Austin et al. (2021); Gu et al. (2022), VQ-Diffusion; Zhu et al. (2023).
`B` batch, `K` codes, `L` positions, `M` targets of one sample, `C` the
K + 1 classes; MASK is class K.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from pasdedeux.base.checks import refuse
from pasdedeux.diffusion.schedule import Rates, Schedule

# tokens (B, L) and their steps (B,) to logits (B, K, L) of p(z_0 | z_t, c)
PredictStart = Callable[[Tensor, Tensor], Tensor]
LEAST = math.exp(-70)  # the release keeps every log-probability above -70
TINY = 1e-37  # keeps a logarithm finite whose coefficient is zero


class Prediction(NamedTuple):
    """What the divergence from any target needs to know about one prediction of the network."""

    start: Float[Tensor, "B K L"]  # p(z_0 | z_t, c)
    noisy: Int[Tensor, "B L"]
    kept: Float[Tensor, "B 1"]  # a
    spread: Float[Tensor, "B L"]  # b R
    offset: Float[Tensor, "B L"]  # divergence = offset - slope log u_k for a target that z_t hides,
    slope: Float[Tensor, "B L"]
    visible: Float[Tensor, "B L"]  # and this for the target that equals z_t


class Scores(NamedTuple):
    """In nats for each position: KL(q || p) of the step, and -log p(z_0 = target | z_t, c)."""

    divergence: Float[Tensor, "B M L"]
    surprise: Float[Tensor, "B M L"]


def corrupted(
    schedule: Schedule, start: Int[Tensor, "B L"], t: Int[Tensor, " B"], draw: torch.Generator
) -> Int[Tensor, "B L"]:
    """Return z_t drawn from q(z_t | z_0 = start). Raises `ValueError` for a token that is no code.

    The numbers come from the device of `draw`: a CPU generator gives the same tokens everywhere.
    """
    codes_only("start", start, schedule)
    rates = schedule.rates(t)
    return _moved(schedule, start, rates.gamma_bar, rates.beta_bar, draw)


def stepped(
    schedule: Schedule, tokens: Int[Tensor, "B L"], t: Int[Tensor, " B"], draw: torch.Generator
) -> Int[Tensor, "B L"]:
    """Return z_t drawn from q(z_t | z_(t-1) = tokens): one step of the chain; MASK stays MASK."""
    rates = schedule.rates(t)
    moved = _moved(schedule, tokens, rates.gamma, rates.beta, draw)
    return torch.where(tokens == schedule.mask, tokens, moved)


def _moved(
    schedule: Schedule, tokens: Tensor, gamma: Tensor, beta: Tensor, draw: torch.Generator
) -> Tensor:
    K = schedule.codes
    drawn = torch.rand(2, *tokens.shape, generator=draw, device=draw.device)
    chance, which = drawn.to(tokens.device)
    other = (which * K).long().clamp_max(K - 1)
    codes = torch.where(chance < gamma + K * beta, other, tokens)
    return torch.where(chance < gamma, K, codes)


def codes_only(name: str, tokens: Tensor, schedule: Schedule) -> None:
    """Refuse tokens outside 0 .. K - 1."""
    outside = bool(((tokens < 0) | (tokens >= schedule.codes)).any())
    refuse(
        outside,
        f"{name} must hold codes from 0 to {schedule.codes - 1}, got {tokens.min().item()} to "
        f"{tokens.max().item()}; was it encoded with another codebook?",
    )


def marginal(
    schedule: Schedule, start: Int[Tensor, "B L"], t: Int[Tensor, " B"]
) -> Float[Tensor, "B C L"]:
    """Return q(z_t | z_0 = start): a code stays with alpha_bar + beta_bar, MASK has gamma_bar."""
    rates = schedule.rates(t, dtype=torch.get_default_dtype())
    tokens = rates.alpha_bar[..., None] * _onehot(start, schedule) + rates.beta_bar[..., None]
    mask = rates.gamma_bar[..., None].expand(-1, 1, start.shape[1])
    return torch.cat([tokens, mask], dim=1)


def posterior(
    schedule: Schedule,
    start: Int[Tensor, "B L"],
    noisy: Int[Tensor, "B L"],
    t: Int[Tensor, " B"],
    *,
    stride: int = 1,
) -> Float[Tensor, "B C L"]:
    """Return q(z_(t-stride) | z_t = noisy, z_0 = start) by Bayes: (1) for a certain start."""
    return reverse(schedule, _onehot(start, schedule), noisy, t, stride=stride)


def _onehot(start: Tensor, schedule: Schedule) -> Tensor:
    return F.one_hot(start, schedule.codes).mT.to(torch.get_default_dtype())


def reverse(
    schedule: Schedule,
    start: Float[Tensor, "B K L"],
    noisy: Int[Tensor, "B L"],
    t: Int[Tensor, " B"],
    *,
    stride: int = 1,
) -> Float[Tensor, "B C L"]:
    """Return p(z_(t-stride) | z_t = noisy, c), Eq. (1), for the probabilities `start` of z_0.

    A factor in `start` is a factor of the result. With a stride the posterior is that of the jump,
    not the one-step posterior at a wrong time.
    """
    r = Rates(*(rate[..., None] for rate in schedule.rates(t, stride=stride, dtype=start.dtype)))
    masked = (noisy == schedule.mask)[:, None]
    here = noisy[:, None] == torch.arange(schedule.codes, device=noisy.device)[:, None]
    p = torch.where(here, start * r.beta_bar / (r.beta_bar + r.alpha_bar), start)
    factor = torch.where(masked, r.gamma / r.gamma_bar, (r.beta + r.alpha * here) / r.beta_bar)
    tokens = factor * (r.alpha_before * p + r.beta_before * p.sum(1, keepdim=True))
    mask = masked * (r.gamma_before / r.gamma_bar) * start.sum(1, keepdim=True)
    return torch.cat([tokens, mask], dim=1)


def predicted(
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noisy: Int[Tensor, "B L"],
    t: Int[Tensor, " B"],
) -> Prediction:
    """Return the reverse step of `logits` in the form from which `scores` reads any target.

    Half precision is raised to float32 first: masses reach one in ten thousand million.
    """
    refuse(
        logits.shape[1] != schedule.codes,
        f"logits must have {schedule.codes} classes in dimension 1 (MASK is never predicted), got "
        f"shape {tuple(logits.shape)}.",
    )
    start = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(1)
    r = schedule.rates(t, dtype=start.dtype)
    K, masked = schedule.codes, noisy == schedule.mask
    a, b, Z = r.alpha_before, r.beta_before, r.beta_bar + r.alpha_bar
    w = r.beta_bar / Z
    p_m = start.gather(1, noisy.clamp_max(K - 1)[:, None])[:, 0]
    elsewhere = 1 - p_m
    spread = torch.where(masked, b, b * (elsewhere + w * p_m)).clamp_min(TINY)
    sum_log = (a[..., None] * start + spread[:, None]).log().sum(1)
    others = sum_log - (a * p_m + spread).log()  # without code m
    log_m = (a * p_m + b * (elsewhere / w + p_m)).clamp_min(LEAST).log()  # log(u_m / w)
    top, low = torch.xlogy(a + b, a + b), torch.xlogy(b, b)
    hidden = r.gamma / r.gamma_bar * (top + (K - 1) * low - b * sum_log)
    changed = (
        r.beta * top + (r.alpha + (K - 1) * r.beta) * low
        - r.beta * b * others - (r.alpha + r.beta) * b * (log_m + w.log())
    ) / r.beta_bar  # fmt: skip
    stayed = (
        (r.alpha + r.beta) * (top - (a + b) * log_m)
        + r.beta * ((K - 1) * (low + b * w.log()) - b * others)
    ) / Z  # fmt: skip
    slope = a * torch.where(masked, r.gamma / r.gamma_bar, r.beta / r.beta_bar)
    return Prediction(start, noisy, a, spread, torch.where(masked, hidden, changed), slope, stayed)


def scores(prediction: Prediction, targets: Int[Tensor, "B M L"]) -> Scores:
    """Return the divergence and the surprise of every target.

    The divergence is KL(q(z_(t-1) | z_t, z_0 = target) || p(z_(t-1) | z_t, c)), Eq. 8 of the paper;
    at t = 1 it is -log p(z_0 = target | z_1, c). Probabilities are read as exp(-70) at least, as
    the release does; below it there is no gradient.
    """
    a, spread = prediction.kept[..., None], prediction.spread[:, None]
    p = prediction.start.gather(1, targets).clamp_min(LEAST)
    hidden = prediction.offset[:, None] - prediction.slope[:, None] * (a * p + spread).log()
    same = targets == prediction.noisy[:, None]
    return Scores(torch.where(same, prediction.visible[:, None], hidden), -p.log())


def prior_divergence(schedule: Schedule) -> float:
    """Return L_T of Eq. 1 in nats for each position: KL(q(z_T | z_0) || p(z_T)).

    p(z_T) is MASK with gamma_bar_T and else any code alike. (Against the all-MASK beginning of
    sampling it would be infinite unless gamma_bar_T were 1.)
    """
    alpha, beta, gamma = (float(rate[-1]) for rate in schedule.cumulative())
    K, code = schedule.codes, (1 - gamma) / schedule.codes
    same = (alpha + beta) * math.log((alpha + beta) / code)
    return same + (K - 1) * beta * math.log(beta / code)


def bound(
    predict_start: PredictStart,
    schedule: Schedule,
    start: Int[Tensor, "B L"],
    draw: torch.Generator,
) -> Float[Tensor, "B T"]:
    """Return L_0 .. L_(T-1) of Eqs. 1 and 8 in nats, summed over positions, one z_t drawn for each.

    Their sum plus L times `prior_divergence` estimates the variational bound on -log p(z_0 | c).
    Runs the network once for each of the T steps.
    """
    terms = []
    for step in range(1, schedule.steps + 1):
        t = torch.full_like(start[:, 0], step)
        noisy = corrupted(schedule, start, t, draw)
        prediction = predicted(schedule, predict_start(noisy, t), noisy, t)
        terms.append(scores(prediction, start[:, None]).divergence.sum((1, 2)))
    return torch.stack(terms, dim=1)
