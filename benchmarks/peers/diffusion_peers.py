"""The dense log-space formulation that `diffusion.py` is raced against, written for this race.

It computes what the released CDCD code computes, in the order it does (own words, no code of it):
one-hot tensors (B, K+1, L) of logarithms with log 0 as log 1e-30, a double-precision log-softmax,
each posterior by Bayes from two forward products, and a loop over negatives. The uniform mass is
shared by K codes, as in ours (the release divides by K + 1, a difference of one in 10^9).
"""

import copy
import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.denoiser import Denoiser
from pasdedeux.nn.transformer import Attention

LOG_ZERO = torch.tensor(1e-30).log().item()
LOWEST = -70.0


def onehot_logarithms(tokens: Tensor, schedule: Schedule) -> Tensor:
    """Return (B, K+1, L): 0 at the token, log 1e-30 elsewhere."""
    classes = torch.arange(schedule.codes + 1, device=tokens.device)[:, None]
    return (tokens[:, None] == classes).float().clamp_min(1e-30).log()


def start_logarithms(logits: Tensor) -> Tensor:
    """Return log p(z_0 | z_t) as (B, K+1, L), MASK at -70."""
    log_p = F.log_softmax(logits.double(), dim=1).float()
    mask = log_p.new_full((len(logits), 1, logits.shape[2]), LOWEST)
    return torch.cat([log_p, mask], dim=1).clamp(LOWEST, 0)


class Dense:
    """The process on (B, K+1, L) tensors of logarithms."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        steps = torch.arange(1, schedule.steps + 1)
        rates = schedule.rates(steps, dtype=torch.float64)
        logs = [rate[:, 0].clamp_min(1e-30).log().float() for rate in rates]
        self.one = dict(zip("abc", logs[:3], strict=True))
        self.all = dict(zip("abc", logs[3:6], strict=True))
        self.before = dict(zip("abc", logs[6:], strict=True))
        unmasked = [(1 - rates[k][:, 0]).clamp_min(1e-30).log().float() for k in (2, 5, 8)]
        self.one["d"], self.all["d"], self.before["d"] = unmasked

    def _at(self, table: dict, t: Tensor) -> list[Tensor]:
        return [table[name][t - 1][:, None, None] for name in "abcd"]

    def product(self, log_x: Tensor, table: dict, t: Tensor) -> Tensor:
        """Return the logarithm of x times a transition matrix."""
        a, b, c, d = self._at(table, t)
        tokens = torch.logaddexp(log_x[:, :-1] + a, b)
        mask = torch.logaddexp(log_x[:, -1:] + d, c)
        return torch.cat([tokens, mask], dim=1)

    def posterior(self, log_start: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """Return log of the sum over k of start_k q(z_(t-1) | z_t, z_0 = k), by Bayes."""
        masked = (noisy == self.schedule.mask)[:, None]
        log_zero = torch.full_like(log_start[:, :1], LOG_ZERO)
        log_noisy = onehot_logarithms(noisy, self.schedule)
        evidence = self.product(log_noisy, self.all, t)[:, :-1]
        evidence = torch.where(masked, self._at(self.all, t)[2], evidence)
        step = self.product(log_noisy, self.one, t)[:, :-1]
        step = torch.where(masked, self._at(self.one, t)[2], step)
        step = torch.cat([step, torch.where(masked, 0.0, log_zero)], dim=1)
        ratio = torch.cat([log_start[:, :-1] - evidence, log_zero], dim=1)
        total = ratio.logsumexp(dim=1, keepdim=True)
        forward = self.product(ratio - total, self.before, t)
        return (forward + step + total).clamp(LOWEST, 0)

    def divergence(self, start: Tensor, log_model: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """Return KL(q(z_(t-1) | z_t, start) || model), at t = 1 the surprise, summed over L."""
        log_start = onehot_logarithms(start, self.schedule)
        log_true = self.posterior(log_start, noisy, t)
        apart = (log_true.exp() * (log_true - log_model)).sum(1).sum(1)
        surprise = -(log_start.exp() * log_model).sum(1).sum(1)
        return torch.where(t == 1, surprise, apart)

    def loss(
        self, logits: Tensor, start: Tensor, noisy: Tensor, t: Tensor, negatives: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B,): divergence, surprise, mean divergence of the negatives, one by one."""
        log_start = start_logarithms(logits)
        log_model = self.posterior(log_start, noisy, t)
        own = self.divergence(start, log_model, noisy, t)
        log_true = onehot_logarithms(start, self.schedule)
        wrong = (log_true.exp()[:, :-1] * (log_true - log_start)[:, :-1]).sum(1).sum(1)
        others = [
            self.divergence(negatives[:, n], log_model, noisy, t) for n in range(negatives.shape[1])
        ]
        return own, wrong, torch.stack(others).mean(0)

    def batched(
        self, logits: Tensor, start: Tensor, noisy: Tensor, t: Tensor, negatives: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same with all negatives in one pass of N times the batch."""
        N = negatives.shape[1]
        log_start = start_logarithms(logits)
        log_model = self.posterior(log_start, noisy, t)
        own = self.divergence(start, log_model, noisy, t)
        log_true = onehot_logarithms(start, self.schedule)
        wrong = (log_true.exp()[:, :-1] * (log_true - log_start)[:, :-1]).sum(1).sum(1)
        each = (log_model, noisy, t)
        other = self.divergence(
            negatives.flatten(0, 1), *(one.repeat_interleave(N, 0) for one in each)
        )
        return own, wrong, other.view(-1, N).mean(1)


@torch.no_grad()
def plain_sample(
    dense: Dense, predict_start, size: tuple[int, int], draw: torch.Generator, truncation: float
) -> Tensor:
    """Return codes sampled as the release does: sort, dense posterior, Gumbel numbers for K + 1."""
    schedule = dense.schedule
    noisy = torch.full(size, schedule.mask)
    for step in range(schedule.steps, 0, -1):
        t = torch.full((size[0],), step)
        log_start = start_logarithms(predict_start(noisy, t))
        ordered, order = log_start.exp().sort(dim=1, descending=True)
        kept = ordered.cumsum(1) - ordered < truncation
        kept[:, 0] = True
        log_start = torch.where(kept.gather(1, order.argsort(1)), log_start, LOWEST)
        log_model = dense.posterior(log_start, noisy, t)
        uniform = torch.rand(log_model.shape, generator=draw)
        noisy = (log_model - (-(uniform + 1e-30).log() + 1e-30).log()).argmax(1)
    return noisy


class PlainAttention(nn.Module):
    """The weights of an `Attention`, its map written out and averaged over heads, as released.

    The average is used by nobody, there as here.
    """

    def __init__(self, fused: Attention) -> None:
        super().__init__()
        self.heads, self.read = fused.heads, fused.read
        self.queries, self.keys_values, self.out = fused.queries, fused.keys_values, fused.out
        self.averaged = None

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, *, causal: bool = False) -> Tensor:
        """Return the context of each position of `x`."""
        queries = self.queries(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        weights = (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
        self.averaged = weights.mean(1)
        return self.out((weights @ values).transpose(1, 2).flatten(2))


def released(denoiser: Denoiser) -> Denoiser:
    """Return a copy of `denoiser`, equal in all that comes out, that attends as the release does.

    Queries are put to the one position of the condition, too.
    """
    ours = copy.deepcopy(denoiser)
    full = Denoiser(replace(ours.config, condition_positions=2))
    state = full.state_dict()
    for name, value in ours.state_dict().items():
        if "attend_memory.values" in name:
            state[name.replace("values", "keys_values")][ours.config.width :] = value
        else:
            state[name] = value
    full.load_state_dict(state)
    for block in full.transformer.blocks:
        block.attend_self = PlainAttention(block.attend_self)
        block.attend_memory = PlainAttention(block.attend_memory)
    return full
