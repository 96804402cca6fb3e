"""Wasserstein critics: signed separations of groups of scores, and what keeps them Lipschitz."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base.checks import refuse
from pasdedeux.nn.textcnn import TextCNN

Normalisation = Literal["mean", "sum"]
Lipschitz = Literal["penalty", "clip"]


def separation(
    means: Mapping[str, Float[Tensor, ""]],
    *,
    positive: Sequence[str],
    negative: Sequence[str],
    normalisation: Normalisation = "mean",
) -> Float[Tensor, ""]:
    """Return the signed gap between two sets of groups, given each group's mean score.

    "mean" averages within each sign, so a constant added to the critic changes nothing; "sum" adds
    the terms as FusionGAN prints them, which is unbounded unless both sides are equally many.
    """
    up = torch.stack([means[name] for name in positive]).sum()
    down = torch.stack([means[name] for name in negative]).sum()
    if normalisation == "sum":
        return up - down
    return up / len(positive) - down / len(negative)


def gradient_penalty(
    critic: TextCNN,
    one: Int[Tensor, "B T"],
    other: Int[Tensor, "B T"],
    mix: Float[Tensor, " B"],
) -> Float[Tensor, ""]:
    """Return the mean of (|gradient| - 1)^2 between `one` and `other` (Gulrajani et al. 2017).

    Tokens cannot be mixed, so the points lie between the embeddings: mix one + (1 - mix) other.
    """
    share = mix[:, None, None]
    with torch.no_grad():
        between = share * critic.embedding(one) + (1 - share) * critic.embedding(other)
    between.requires_grad_(True)
    score = critic.from_embedded(between).sum()
    (slope,) = torch.autograd.grad(score, between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


@torch.no_grad()
def clip_weights(critic: nn.Module, limit: float) -> None:
    """Clamp every weight of `critic` to [-limit, limit] (Arjovsky et al. 2017)."""
    refuse(limit <= 0, f"limit must be positive, got {limit}.")
    for weight in critic.parameters():
        weight.clamp_(-limit, limit)


def critic_optimizer(
    critic: nn.Module, lipschitz: Lipschitz, *, rate: float
) -> torch.optim.Optimizer:
    """Return Adam (0, 0.9) for the gradient penalty, RMSprop for weight clipping."""
    if lipschitz == "penalty":
        return torch.optim.Adam(critic.parameters(), lr=rate, betas=(0.0, 0.9))
    return torch.optim.RMSprop(critic.parameters(), lr=rate)
