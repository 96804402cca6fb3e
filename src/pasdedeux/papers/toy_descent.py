"""What the contrastive losses of CDCD do to a model while it learns, where nothing is random.

- `descent`: a table of logits trained on exact expectations: two kinds of music, one position;
- `reach`: by how much a negative can lower the loss as its probability falls;
- `pulls`: by how much each code is pulled up, all losses together, and where that comes to rest;
- `dense_divergences`, `timed`: the step's divergence as plain sums over classes, and what it costs
  beside the closed form; `Table`, `Counted`: a network with a gradient, and how often one is asked;
- `gradient_shares`: how large the contrast's gradient is beside the bound's.

`C` kinds of music (conditions), `K` codes, `T` steps, `R` runs, `B` batch, `M` targets.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.contrast import Contrast, Noised, objective
from pasdedeux.diffusion.discrete import (
    PredictStart,
    marginal,
    posterior,
    predicted,
    reverse,
    scores,
)
from pasdedeux.diffusion.schedule import Schedule

INTER = ("step_inter", "sample_inter")


class Descent(NamedTuple):
    """What R runs went through, after every update, and where they ended.

    total: the loss that is descended, in nats. bound: L_vb alone, summed over the steps. hidden:
    p(z_0 | MASK at the last step, c), where all that is known is the kind of music.
    """

    total: Float[Tensor, "R U"]
    bound: Float[Tensor, "R U"]
    hidden: Float[Tensor, "R C K"]


def descent(
    schedule: Schedule,
    conditional: Float[Tensor, "C K"],
    runs: Sequence[Contrast],
    *,
    updates: int = 1000,
    rate: float = 0.05,
) -> Descent:
    """Return what becomes of tables of logits trained by Adam, one for each of `runs`.

    Of every state (c, t, z_t) all z_0 are weighed by their probability, and inter negatives by
    p(z_0 | another c): expectations of the training loss, without any draw. The runs do not know
    of each other. Only inter contrasts have a meaning for one position.
    """
    refuse(any(run.step_intra or run.sample_intra for run in runs), "one position has no order.")
    C, K, T, R = *conditional.shape, schedule.steps, len(runs)
    t = torch.arange(1, T + 1).repeat_interleave(K + 1).repeat(C)
    noisy = torch.arange(K + 1).repeat(T * C)[:, None]
    p = conditional.double()
    own, other = _weights(schedule, p)
    weigh = _each(schedule, runs, t, own, other)
    logits = torch.zeros(R, C * T * (K + 1), K, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=rate)
    targets = torch.arange(K).expand(R * C * T * (K + 1), K)[..., None]
    total, bound = [], []
    for _ in range(updates):
        read = predicted(schedule, logits.flatten(0, 1)[..., None], noisy.repeat(R, 1), t.repeat(R))
        found = [one[..., 0].unflatten(0, (R, -1)) for one in scores(read, targets)]
        losses = weigh(*found)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        total.append(losses.detach())
        bound.append((own * found[0].detach()).sum((1, 2)))
    last = logits.detach().view(R, C, T, K + 1, K)[:, :, -1, -1].softmax(-1)
    return Descent(torch.stack(total, 1), torch.stack(bound, 1), last)


def _weights(schedule: Schedule, p: Float[Tensor, "C K"]) -> tuple[Tensor, Tensor]:
    """Return the weight of every target in every state (c, t, z_t): as true, as inter negative."""
    C, K = p.shape
    rows = []
    for step in range(1, schedule.steps + 1):
        q = marginal(schedule, torch.arange(K)[None], torch.tensor([step]))[0].double()  # z_t, z_0
        rows.append(p[:, None] * q / C)
    own = torch.stack(rows, 1)  # c, t, z_t, z_0
    others = (p.sum(0) - p) / (C - 1)
    other = own.sum(-1, keepdim=True) * others[:, None, None]
    return own.flatten(0, 2), other.flatten(0, 2)


def _each(
    schedule: Schedule, runs: Sequence[Contrast], t: Tensor, own: Tensor, other: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what makes the loss of each run of the divergence and surprise of every target."""
    share = (t / schedule.steps)[:, None]
    falls = torch.tensor([[[run.auxiliary_weight == "falling"]] for run in runs])
    auxiliary = torch.tensor([[[run.auxiliary]] for run in runs], dtype=torch.float64)
    auxiliary = auxiliary * torch.where(falls, 2 - share, 1 + share)
    rising = torch.stack([1 + share if run.rising else torch.ones_like(share) for run in runs])
    step, sample = (
        torch.tensor([[[getattr(run, name)]] for run in runs], dtype=torch.float64) * rising
        for name in INTER
    )
    ceilings = [float("inf") if run.ceiling is None else run.ceiling for run in runs]
    ceiling = torch.tensor(ceilings, dtype=torch.float64)[:, None, None]

    def weigh(divergence: Tensor, surprise: Tensor) -> Float[Tensor, " R"]:
        wrong = step * divergence + sample * torch.minimum(surprise, ceiling)
        return (own * (divergence + auxiliary * surprise) - other * wrong).sum((1, 2))

    return weigh


def pulls(
    schedule: Schedule, conditional: Float[Tensor, "C K"], weight: float, t: int
) -> Float[Tensor, "C K"]:
    """Return what multiplies -log p(z_0 = k | MASK, c) at step `t` under Sample-Inter, in all.

    The bound's share of uncovering (which neglects the one replaced code in a million) and the
    auxiliary loss for k as the truth, less lambda (1 + t / T) for k as a negative. Where all are
    positive the loss is least at p in proportion to them; where one is negative there is no least.
    """
    rates = schedule.rates(torch.tensor([t]), dtype=torch.float64)
    share, settings = t / schedule.steps, Contrast()
    slope = float(rates.gamma / rates.gamma_bar * rates.alpha_before)
    p = conditional.double()
    others = (p.sum(0) - p) / (len(p) - 1)
    return (slope + settings.auxiliary * (2 - share)) * p - weight * (1 + share) * others


def reach(
    schedule: Schedule, t: int, probabilities: Sequence[float]
) -> dict[str, Float[Tensor, " M"]]:
    """Return what a hidden negative counts for at step `t` as its probability falls, in nats.

    "sample" is -log p(z_0^j | z_t), "step" the divergence of Eq. 8 with z_0^j for z_0. The rest of
    the probability lies on one other code.
    """
    p = torch.tensor(probabilities, dtype=torch.float64)
    K = schedule.codes
    rows = torch.full((len(p), K), 1e-12, dtype=torch.float64)
    rows[:, 0], rows[:, 1] = p, 1 - p
    noisy = torch.full((len(p), 1), schedule.mask)
    read = predicted(schedule, rows.log()[..., None], noisy, torch.full((len(p),), t))
    found = scores(read, torch.zeros(len(p), 1, 1, dtype=torch.long))
    return {"sample": found.surprise[:, 0, 0], "step": found.divergence[:, 0, 0]}


def dense_divergences(
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noised: Noised,
    targets: Int[Tensor, "B M L"],
) -> Float[Tensor, "B M L"]:
    """Return KL(q(z_(t-1) | z_t, z_0 = target) || p(z_(t-1) | z_t, c)) by sums over all classes.

    One target after the other, as the release does.
    """
    p = reverse(schedule, logits.softmax(1), noised.noisy, noised.t)
    log_p = p.clamp_min(1e-30).log()
    found = []
    for m in range(targets.shape[1]):
        q = posterior(schedule, targets[:, m], noised.noisy, noised.t).to(p)
        found.append((torch.xlogy(q, q) - q * log_p).sum(1))
    return torch.stack(found, dim=1)


def closed_divergences(
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noised: Noised,
    targets: Int[Tensor, "B M L"],
) -> Float[Tensor, "B M L"]:
    """Return what `dense_divergences` does, by the closed form: one look-up for each target."""
    read = predicted(schedule, logits, noised.noisy, noised.t)
    return scores(read, targets).divergence


class Timed(NamedTuple):
    """Divergences, the gradient of their sum by the logits, and the least time of a few tries."""

    value: Tensor
    gradient: Tensor
    milliseconds: float


def timed(
    divergences: Callable[..., Tensor],
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noised: Noised,
    targets: Int[Tensor, "B M L"],
    *,
    tries: int = 2,
) -> Timed:
    """Return what one of the two functions above makes, and how long it and its gradient take."""
    spent = []
    for _ in range(tries):
        leaf, begin = logits.detach().clone().requires_grad_(), time.perf_counter()
        value = divergences(schedule, leaf, noised, targets)
        gradient = torch.autograd.grad(value.sum(), leaf)[0]
        spent.append(1000 * (time.perf_counter() - begin))
    return Timed(value.detach(), gradient, min(spent))


class Table:
    """A network that is a table of logits with a gradient, one row for each (t, z_t)."""

    def __init__(self, schedule: Schedule, *, seed: int = 0) -> None:
        size = (schedule.steps + 1, schedule.codes + 1, schedule.codes)
        draw = generator(seed, "table")
        self.logits = torch.randn(size, generator=draw, dtype=torch.float64, requires_grad=True)

    def __call__(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return the logits of each position."""
        return self.logits[t[:, None], noisy].mT

    def gradient(self, loss: Tensor) -> Float[Tensor, " _"]:
        """Return that of `loss`, as one row of numbers."""
        return torch.autograd.grad(loss, self.logits, retain_graph=True)[0].flatten()


class Counted:
    """A network that counts how many sequences it was asked about."""

    def __init__(self, network: PredictStart) -> None:
        self.network, self.sequences = network, 0

    def __call__(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return what the network says."""
        self.sequences += len(noisy)
        return self.network(noisy, t)


def gradient_shares(
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noised: Noised,
    negatives: Mapping[str, Int[Tensor, "B N L"]],
    *,
    weight: float = 5e-5,
) -> dict[str, float]:
    """Return |lambda grad L_CDCD| / |grad L_vb|, by the logits, for the four systems of Table 6."""
    wanted = logits.detach().requires_grad_()
    found = {}
    for mode in ("step", "sample"):
        for kind in negatives:
            contrast = Contrast.system(f"{mode}-{kind}", weight)
            made = objective(schedule, wanted, noised, contrast, negatives)
            sizes = [
                torch.autograd.grad(made.losses[name], wanted, retain_graph=True)[0].norm()
                for name in ("bound", f"{mode}_{kind}")
            ]
            found[f"{mode}-{kind}"] = weight * float(sizes[1] / sizes[0])
    return found
