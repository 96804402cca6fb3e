"""Algorithm 1 of CDCD to the letter, for comparison: every negative goes through the network.

The release does not run it. It contradicts Eq. 4, whose z_t is the positive's (line 12 draws it
from the negative), and line 4 sums L_i over i = 1 .. t at a t that is drawn uniformly, which
weights early steps more than the bound does. `B` batch, `K` codes, `N` negatives, `L` positions.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import choice
from pasdedeux.diffusion.discrete import (
    PredictStart,
    Scores,
    corrupted,
    predicted,
    scores,
    stepped,
)
from pasdedeux.diffusion.schedule import Schedule


class Lines(NamedTuple):
    """What lines 4 and 9 or 14 compute, in nats for each sample, summed over positions."""

    bound: Float[Tensor, " B"]
    contrast: Float[Tensor, " B"]


def algorithm_1(
    predict_start: PredictStart,
    schedule: Schedule,
    start: Int[Tensor, "B L"],
    negatives: Int[Tensor, "B N L"],
    t: Int[Tensor, " B"],
    draw: torch.Generator,
    *,
    mode: Literal["step", "sample"] = "step",
    terms: Literal["sum", "last"] = "sum",
) -> Lines:
    """Return L_vb (line 4) and L_CDCD (line 9 for "step", 14 for "sample"); line 16 adds them.

    terms: "sum" walks each chain from step 1 and adds L_i for i = 1 .. t, running the network on
    each; "last" keeps only that of t, which is what the bound weights evenly.
    """
    choice("mode", mode, ("step", "sample"))
    choice("terms", terms, ("sum", "last"))
    bound = _variational(predict_start, schedule, start, t, draw, terms)
    others = []
    for j in range(negatives.shape[1]):
        other = negatives[:, j]
        if mode == "step":
            others.append(_variational(predict_start, schedule, other, t, draw, terms))
        else:
            noisy = corrupted(schedule, other, t, draw)
            others.append(_whole(_read(predict_start, schedule, other, noisy, t).surprise))
    return Lines(bound, -torch.stack(others).mean(0))


def _variational(
    predict_start: PredictStart,
    schedule: Schedule,
    start: Tensor,
    t: Tensor,
    draw: torch.Generator,
    terms: str,
) -> Tensor:
    """Return the sum of L_i over i = 1 .. t along one chain, or the last of them."""
    if terms == "last":
        noisy = corrupted(schedule, start, t, draw)
        return _whole(_read(predict_start, schedule, start, noisy, t).divergence)
    noisy, total = start, []
    for step in range(1, int(t.max()) + 1):
        now = torch.full_like(t, step)
        noisy = stepped(schedule, noisy, now, draw)
        term = _whole(_read(predict_start, schedule, start, noisy, now).divergence)
        total.append(torch.where(step <= t, term, 0))
    return torch.stack(total).sum(0)


def _read(
    predict_start: PredictStart, schedule: Schedule, start: Tensor, noisy: Tensor, t: Tensor
) -> Scores:
    return scores(predicted(schedule, predict_start(noisy, t), noisy, t), start[:, None])


def _whole(nats: Tensor) -> Tensor:
    return nats.sum((1, 2))
