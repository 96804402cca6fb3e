"""Mask-and-replace on few codes, where everything can be summed: matrices, chains, a known music.

Three things the process of `diffusion` does in closed form are done here by brute force:

- one step and all steps as matrices (`step_matrix`, `steps_matrix`), the posterior by Bayes;
- every chain z_0 .. z_T of one position with its probabilities (`Chains`), so that the bound and
  the evidence are sums;
- a music of which all pieces are known (`Pieces`), so that p(z_0 | z_t) is Bayes' rule and a
  sampler can be judged by whether it plays a piece.

`C` classes, the K codes and MASK; `R` pieces or chains, `B` batch, `L` positions.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.discrete import (
    PredictStart,
    marginal,
    predicted,
    prior_divergence,
    reverse,
    scores,
    stepped,
)
from pasdedeux.diffusion.sampling import sample
from pasdedeux.diffusion.schedule import Schedule

MOST_CHAINS = 200_000


def step_matrix(schedule: Schedule, t: int) -> Float[Tensor, "C C"]:
    """Return Q_t, [Q_t]_ij = q(z_t = j | z_(t-1) = i), in double precision; MASK is the last."""
    r = schedule.rates(torch.tensor([t]), dtype=torch.float64)
    return _matrix(schedule.codes, *(float(rate) for rate in (r.alpha, r.beta, r.gamma)))


def steps_matrix(schedule: Schedule, t: int) -> Float[Tensor, "C C"]:
    """Return the product Q_1 Q_2 .. Q_t: q(z_t = j | z_0 = i), the identity at t = 0."""
    return _products(schedule, t)[-1]


def _products(schedule: Schedule, t: int) -> list[Float[Tensor, "C C"]]:
    """Return the products of none, one, .. and all of Q_1 to Q_t."""
    steps = (step_matrix(schedule, step) for step in range(1, t + 1))
    first = torch.eye(schedule.codes + 1, dtype=torch.float64)
    return list(itertools.accumulate(steps, torch.matmul, initial=first))


def _matrix(K: int, alpha: float, beta: float, gamma: float) -> Float[Tensor, "C C"]:
    Q = torch.full((K + 1, K + 1), beta, dtype=torch.float64) + alpha * torch.eye(K + 1).double()
    Q[:, K] = gamma
    Q[K] = torch.eye(K + 1)[K]
    return Q


def bayes_posterior(schedule: Schedule, start: int, t: int) -> Float[Tensor, "C C"]:
    """Return q(z_(t-1) = j | z_t = i, z_0 = start), row i: Bayes with matrices.

    A row whose z_t cannot follow from `start` (another code where nothing is replaced) is nan.
    """
    before, step = steps_matrix(schedule, t - 1)[start], step_matrix(schedule, t)
    joint = before * step.T
    return joint / joint.sum(1, keepdim=True)


def walk(schedule: Schedule, start: Int[Tensor, " L"], draw: torch.Generator) -> Int[Tensor, "_ L"]:
    """Return z_0, z_1, .., z_T of one sequence, drawn step by step: T + 1 rows."""
    rows = [start[None]]
    for step in range(1, schedule.steps + 1):
        rows.append(stepped(schedule, rows[-1], torch.tensor([step]), draw))
    return torch.cat(rows)


def table_network(
    schedule: Schedule, *, strength: float = 2.0, seed: int = 0, condition: int = 0
) -> PredictStart:
    """Return a network that is a table of random logits, one row for each (t, z_t).

    Any p(z_0 | z_t, c) of a single position is such a table; `condition` draws another.
    """
    K, T = schedule.codes, schedule.steps
    draw = generator(seed, "table network", condition)
    table = strength * torch.randn(T + 1, K + 1, K, generator=draw, dtype=torch.float64)
    return lambda noisy, t: table[t[:, None], noisy].mT


def copies(schedule: Schedule) -> PredictStart:
    """Return a network that says what it sees, and of what is hidden nothing: all codes alike."""

    def told(noisy: Tensor, t: Tensor) -> Tensor:
        sure = torch.nn.functional.one_hot(noisy, schedule.codes + 1)[..., :-1].mT
        return 60.0 * sure.to(torch.get_default_dtype())

    return told


class Chains:
    """Every chain z_0 .. z_T of one position that can happen, with both its log-probabilities.

    z: (R, T + 1). log_q: of z_1 .. z_T given z_0. log_p: of z_0 .. z_T under the model, whose z_T
    is MASK with gamma_bar_T and else any code alike. forward, backward: the terms of the two, one
    for each step; backward[0] is that of z_T.
    """

    def __init__(self, schedule: Schedule, predict_start: PredictStart) -> None:
        K, T = schedule.codes, schedule.steps
        told = f"{K} codes and {T} steps make too many chains to sum over."
        refuse(K * (K + 1) ** T > MOST_CHAINS, told)
        self.schedule = schedule
        every = itertools.product(range(K), *[range(K + 1)] * T)
        self.z = torch.tensor([chain for chain in every if _possible(chain, K)])
        masked = float(schedule.cumulative().gamma[-1])
        last = torch.full((K + 1,), (1 - masked) / K, dtype=torch.float64)
        last[K] = masked
        self.forward, self.backward = [], [last[self.z[:, T]].log()]
        for step in range(1, T + 1):
            before, now = self.z[:, step - 1], self.z[:, step]
            self.forward.append(step_matrix(schedule, step)[before, now].log())
            t = torch.full((len(now),), step)
            start = predict_start(now[:, None], t).double().softmax(1)
            back = reverse(schedule, start, now[:, None], t)[:, :, 0]
            self.backward.append(back.gather(1, before[:, None])[:, 0].log())
        self.log_q, self.log_p = sum(self.forward), sum(self.backward)

    def expectation(self, values: Float[Tensor, " R"], start: int) -> Tensor:
        """Return the mean of `values` over q(z_1 .. z_T | z_0 = start)."""
        chosen = self.z[:, 0] == start
        return (self.log_q[chosen].exp() * values[chosen]).sum()

    def bound(self) -> Float[Tensor, " K"]:
        """Return L_vb of every z_0, line 1 of Eq. 7: E_q of -log p(z_0 .. z_T) / q(z_1 .. z_T)."""
        apart = self.log_q - self.log_p
        return torch.stack([self.expectation(apart, k) for k in range(self.schedule.codes)])

    def evidence(self) -> Float[Tensor, " K"]:
        """Return log p(z_0) of every z_0: the sum over all ways to get there."""
        first = self.z[:, 0]
        every = range(self.schedule.codes)
        return torch.stack([self.log_p[first == k].logsumexp(0) for k in every])


def _possible(chain: Sequence[int], K: int) -> bool:
    return all(now == K for before, now in itertools.pairwise(chain) if before == K)


def bound_terms(schedule: Schedule, predict_start: PredictStart, start: int) -> dict[str, float]:
    """Return L_0 .. L_(T-1) and L_T of Eqs. 1 and 8 for one position, in nats.

    Each is the closed form of `diffusion`, averaged over q(z_t | z_0 = start).
    """
    K, found = schedule.codes, {}
    noisy = torch.arange(K + 1)[:, None]
    targets = torch.full((K + 1, 1, 1), start)
    for step in range(1, schedule.steps + 1):
        t = torch.full((K + 1,), step)
        prediction = predicted(schedule, predict_start(noisy, t).double(), noisy, t)
        weight = marginal(schedule, torch.tensor([[start]]), t[:1])[0, :, 0]
        divergence = scores(prediction, targets).divergence[:, 0, 0]
        found[f"L_{step - 1}"] = float((weight * divergence).sum())
    return found | {f"L_{schedule.steps}": prior_divergence(schedule)}


@dataclass(frozen=True, eq=False)
class Pieces:
    """A music of R pieces of one length, each as likely as its weight; nothing else is music."""

    codes: int
    tokens: Int[Tensor, "R L"]
    weights: Float[Tensor, " R"]

    def predict_start(
        self, schedule: Schedule, *, blur: float = 0.0, trusting: bool = False
    ) -> PredictStart:
        """Return what the best network would say: log p(z_0 | z_t) at each position, by Bayes.

        p(piece | z_t) is in proportion to its weight times q(z_t | piece); a position's share of a
        code is that of the pieces that have it there. A z_t that no piece explains is explained by
        whichever needs the least replacement. `blur` of every share goes to all codes alike: a
        network that is a little unsure of everything. A `trusting` one believes every token that it
        sees, as a network does that has never met a false one.
        """
        K, has = self.codes, torch.nn.functional.one_hot(self.tokens, self.codes).double()
        refuse(schedule.codes != K, f"schedule has {schedule.codes} codes, the pieces {K}.")
        refuse(not 0 <= blur < 1, f"blur must lie in [0, 1), got {blur}.")
        logs = torch.stack(_products(schedule, schedule.steps)).log()
        weights = self.weights.double().log()

        def told(noisy: Tensor, t: Tensor) -> Tensor:
            seen = logs[t[:, None, None], self.tokens[None], noisy[:, None]].sum(-1)
            mass = torch.einsum("br,rlk->bkl", (seen + weights).softmax(-1), has)
            if trusting:
                shown = torch.nn.functional.one_hot(noisy, K + 1).double().mT
                mass = torch.where(shown[:, K:] > 0, mass, shown[:, :K])
            return ((1 - blur) * mass + blur / K).clamp_min(1e-30).log()

        return told

    def named(self, made: Int[Tensor, "B L"]) -> Int[Tensor, " B"]:
        """Return which piece each sequence is, -1 for none."""
        same = (made[:, None] == self.tokens).all(-1)
        return torch.where(same.any(1), same.int().argmax(1), -1)


def scales(codes: int = 5, length: int = 10, *, rising: float = 0.5) -> Pieces:
    """Return the scales on `codes` notes, round the end: those that rise, then those that fall.

    `rising` is the share of the former; scales of one direction are equally likely.
    """
    place, first = torch.arange(length), torch.arange(codes)[:, None]
    tokens = torch.cat([(first + place) % codes, (first - place) % codes])
    shares = torch.tensor([rising, 1 - rising], dtype=torch.float64)
    return Pieces(codes, tokens, shares.repeat_interleave(codes) / codes)


class Played(NamedTuple):
    """In percent: which samples are a piece, and which of those are one of the second half."""

    right: float
    second_half: float


def played(
    pieces: Pieces,
    schedule: Schedule,
    *,
    truncation: float = 1.0,
    blur: float = 0.0,
    trusting: bool = False,
    samples: int = 300,
    seed: int = 0,
) -> Played:
    """Return how often sampling plays a piece when the network knows the music.

    `blur` and `trusting` are those of `Pieces.predict_start`..
    """
    draw = generator(seed, "played", schedule)
    size = (samples, pieces.tokens.shape[1])
    network = pieces.predict_start(schedule, blur=blur, trusting=trusting)
    found = pieces.named(sample(network, schedule, size, draw, truncation=truncation))
    right = int((found >= 0).sum())
    second = int((found >= len(pieces.tokens) // 2).sum())
    return Played(100 * right / samples, 100 * second / max(1, right))


def one_step_share(pieces: Pieces) -> float:
    """Return the percent of pieces when every position is drawn for itself, as T = 1 does."""
    one_hot = torch.nn.functional.one_hot(pieces.tokens, pieces.codes).double()
    alone = torch.einsum("r,rlk->lk", pieces.weights.double(), one_hot)
    place = torch.arange(pieces.tokens.shape[1])
    distinct = pieces.tokens.unique(dim=0)
    return 100 * float(alone[place, distinct].log().sum(1).exp().sum())
