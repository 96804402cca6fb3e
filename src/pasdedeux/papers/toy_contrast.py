"""The contrastive loss on two symbols, where each line of its derivation is a finite sum.

- `Law`: two symbols, some conditions; Eq. 2 for any number of negatives (`contrastive_loss`) and
  each line of Eq. 6 (`lines_of_six`);
- `Model`: a diffusion model of that law, all of its chains, and each line of Eqs. 9 and 10
  (`lines_of_nine`, `lines_of_ten`).

Numbers are in nats and double precision. `C` conditions, `N` negatives, `R` chains.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.diffusion.discrete import PredictStart, marginal
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.papers.toy_chain import Chains, steps_matrix

MOST_SUMS = 3_000_000  # negatives taken together


@dataclass(frozen=True, eq=False)
class Law:
    """p(z_0 | c) of two symbols under equally likely conditions, one row for each."""

    conditional: Float[Tensor, "C 2"]

    def __post_init__(self) -> None:
        """Refuse rows that are no probabilities."""
        rows = self.conditional.sum(1)
        fine = bool((self.conditional > 0).all()) and torch.allclose(rows, torch.ones_like(rows))
        refuse(not fine, "each row of conditional must be positive and sum to 1.")
        object.__setattr__(self, "conditional", self.conditional.double())

    @property
    def marginal(self) -> Float[Tensor, " 2"]:
        """p(z_0)."""
        return self.conditional.mean(0)

    @property
    def ratio(self) -> Float[Tensor, "C 2"]:
        """f(z_0, c) = p(z_0 | c) / p(z_0)."""
        return self.conditional / self.marginal

    @property
    def information(self) -> float:
        """I(z_0; c)."""
        return float((self.conditional * self.ratio.log()).sum(1).mean())

    @property
    def others(self) -> Float[Tensor, "C 2"]:
        """p(z_0 | another condition than c): what inter negatives are drawn from."""
        C = len(self.conditional)
        return (C * self.marginal - self.conditional) / (C - 1)


def contrastive_loss(law: Law, N: int, *, negatives: Float[Tensor, "C 2"] | None = None) -> float:
    """Return Eq. 2 exactly: c and z_0 drawn from `law`, N negatives each for itself.

    negatives: what they are drawn from under each condition, p(z_0) by default. Only how many are
    symbol 1 matters, so N may be thousands.
    """
    refuse(N < 1, f"N must be at least 1, got {N}.")
    share = _drawn(law, negatives)[:, 1:]
    j = torch.arange(N + 1, dtype=torch.float64)
    ways = math.lgamma(N + 1) - torch.lgamma(j + 1) - torch.lgamma(N - j + 1)
    weight = (ways + torch.xlogy(j, share) + torch.xlogy(N - j, 1 - share)).exp()
    others = (N - j) * law.ratio[:, :1] + j * law.ratio[:, 1:]
    each = torch.log1p(others[:, None] / law.ratio[..., None])  # condition, z_0, j
    total = torch.einsum("cz,cj,czj->", law.conditional, weight, each)
    return float(total) / len(law.conditional)


def lines_of_six(
    law: Law, N: int, *, negatives: Float[Tensor, "C 2"] | None = None
) -> dict[str, float]:
    """Return the value of each line of Eq. 6.

    6c has N times a mean for the sum over the negatives, 6d has 1 for that mean, 6e leaves out the
    1 of log(1 + x).
    """
    p, f = law.conditional, law.ratio
    mean = (_drawn(law, negatives) * f).sum(1, keepdim=True)
    lines = {
        "6a = 6b": contrastive_loss(law, N, negatives=negatives),
        "6c": (p * torch.log1p(N * mean / f)).sum(1).mean(),
        "6d": (p * torch.log1p(N / f)).sum(1).mean(),
        "6e": (p * torch.log(N / f)).sum(1).mean(),
        "6f": math.log(N) - law.information,
    }
    return {name: float(value) for name, value in lines.items()}


def _drawn(law: Law, negatives: Tensor | None) -> Float[Tensor, "C 2"]:
    given = law.marginal.expand_as(law.conditional) if negatives is None else negatives
    return given.double()


def perfect_network(schedule: Schedule, law: Law, condition: int) -> PredictStart:
    """Return the network that says p(z_0 | z_t, c) of `law`, by Bayes."""
    tables = [steps_matrix(schedule, t)[:-1] for t in range(schedule.steps + 1)]
    joint = law.conditional[condition][None, :, None] * torch.stack(tables)
    logits = joint.clamp_min(1e-300).log().mT  # t, z_t, z_0
    return lambda noisy, t: logits[t[:, None], noisy].mT


class Model:
    """A diffusion model of one position of `law`: a network for each condition, all its chains.

    The positive z_0 is drawn from p(z_0 | c) and each negative from p(z_0), their chains from q.
    p without a condition is the mean over conditions.
    """

    def __init__(self, schedule: Schedule, law: Law, networks: Sequence[PredictStart]) -> None:
        refuse(len(networks) != len(law.conditional), "give a network for each condition.")
        refuse(schedule.codes != 2, f"the law has 2 symbols, the schedule {schedule.codes} codes.")
        self.schedule, self.law, self.networks = schedule, law, tuple(networks)
        self.chains = [Chains(schedule, network) for network in networks]
        self.first, self.log_q = self.chains[0].z[:, 0], self.chains[0].log_q
        self.log_p = torch.stack([one.log_p for one in self.chains])
        self.positive = law.conditional[:, self.first] * self.log_q.exp()  # weights of chains
        self.negative = law.marginal[self.first] * self.log_q.exp()
        self.log_start = torch.stack([one.evidence() for one in self.chains])  # of z_0

    def surprises(self) -> Float[Tensor, "C 2 2"]:
        """Return the mean of -log p(z_0 = k | z_t, c) over t and q(z_t | z_0 = s), at [c, s, k]."""
        K, T = 2, self.schedule.steps
        found = torch.zeros(len(self.networks), K, K, dtype=torch.float64)
        noisy, starts = torch.arange(K + 1)[:, None], torch.arange(K)[None]
        for step in range(1, T + 1):
            weight = marginal(self.schedule, starts, torch.tensor([step]))[0].double()  # z_t, s
            t = torch.full((K + 1,), step)
            for c, network in enumerate(self.networks):
                told = network(noisy, t).double().log_softmax(1)[:, :, 0]  # z_t, k
                found[c] -= weight.T @ told / T
        return found


def lines_of_nine(model: Model, N: int) -> dict[str, float]:
    """Return the value of each line of Eq. 9.

    Where a line has a mean over negatives inside a logarithm, so has its value. "9e, expanded" is
    that logarithm written out as sums (Jensen's inequality puts it below 9e); 9f is what the paper
    makes of it. 9g is as printed, with C = log N.
    """
    log_f = model.log_p - _mean_log(model.log_p)
    log_r = model.log_p - model.log_q
    bound, other = (_expected(-log_r, weight) for weight in (model.positive, model.negative))
    log_N = math.log(N)
    return {
        "9a = 9b = 9c": _contrast(log_f, model.positive, model.negative, N),
        "9d": _mean_inside(log_f, model, N, one=1.0),
        "9d without 1 +": _mean_inside(log_f, model, N, one=0.0),
        "9e": _mean_inside(log_r, model, N, one=0.0),
        "9e, expanded": bound + log_N - other,
        "9f": bound - log_N * other,
        "9g": bound - log_N * N * other,
        "trained: mean over negatives": bound - other,
    }


def lines_of_ten(model: Model, N: int) -> dict[str, float]:
    """Return the value of each line of Eq. 10.

    10d still holds log q(z_1 .. z_T | z_0); "10d without q" leaves it out, 10e also has
    p(z_0 | z_t, c), averaged over t, for p(z_0 | c). The factor of the negatives is N.
    """
    law, log_p = model.law, model.log_start
    at_chains = log_p[:, model.first] - model.log_q
    own, other = (_expected(-at_chains, weight) for weight in (model.positive, model.negative))
    plain, plain_other = _expected(-log_p, law.conditional), _expected(-log_p, law.marginal)
    surprise = model.surprises()
    hidden = torch.einsum("ck,ckk->", law.conditional, surprise) / len(log_p)
    hidden_other = torch.einsum("cs,k,csk->", law.conditional, law.marginal, surprise) / len(log_p)
    log_g = log_p - _mean_log(log_p)
    return {
        "10a": _contrast(log_g, law.conditional, law.marginal, N),
        "10b": _inside(log_g, law.conditional, law.marginal, N, one=1.0),
        "10c": _mean_inside(at_chains, model, N, one=0.0),
        "10c, expanded": own + math.log(N) - other,
        "10d": own - N * other,
        "10d without q": plain - N * plain_other,
        "10e": float(hidden - N * hidden_other),
        "trained: mean over negatives": float(hidden - hidden_other),
    }


def _mean_log(log_p: Float[Tensor, "C R"]) -> Float[Tensor, " R"]:
    return log_p.logsumexp(0) - math.log(len(log_p))


def _expected(values: Float[Tensor, "C R"], weight: Tensor) -> float:
    return float((weight * values).sum(1).mean())


def _contrast(log_f: Tensor, positive: Tensor, negative: Tensor, N: int) -> float:
    """Return Eq. 2 for any finite set: every choice of N negatives is summed over."""
    refuse(log_f.shape[1] ** N > MOST_SUMS, f"{N} negatives are too many to sum over.")
    total = 0.0
    for f, own in zip(log_f.exp(), positive, strict=True):
        sums, weights = f, negative
        for _ in range(N - 1):
            sums = (sums[:, None] + f).flatten()
            weights = (weights[:, None] * negative).flatten()
        each = torch.log1p(sums / f[:, None])
        total += float(own @ each @ weights)
    return total / len(log_f)


def _mean_inside(log_f: Tensor, model: Model, N: int, *, one: float) -> float:
    return _inside(log_f, model.positive, model.negative, N, one=one)


def _inside(log_f: Tensor, positive: Tensor, negative: Tensor, N: int, *, one: float) -> float:
    """Return E log(one + N E'[f^j] / f)."""
    mean = (negative * log_f.exp()).sum(1, keepdim=True)
    return _expected(torch.log(one + N * mean / log_f.exp()), positive)
