"""Critics of dances (Ren et al. 2020): of a few frames, and of a whole sequence with its music.

Both see joints in metres and return logits, high for real dances. `B` batch, `T` frames, `D` width.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base.checks import refuse
from pasdedeux.nn.cooccurrence import Cooccurrence
from pasdedeux.nn.pose import JOINTS

MUSIC = 53
ATTENTION = 20  # units that decide which frames of the music are attended to
Bodies = Float[Tensor, "B T 24 3"]


class Hearing(nn.Module):
    """Each frame of music alone, then all of them in both directions of time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv1d(MUSIC, width, 1), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, width, 1), nn.Tanh(),
        )  # fmt: skip
        self.gru = nn.GRU(width, width, 2, batch_first=True, bidirectional=True)
        self.writes = nn.Linear(2 * width, width)

    def forward(self, music: Float[Tensor, "B T 53"]) -> Float[Tensor, "B T D"]:
        """Return what is heard at each frame."""
        return self.writes(self.gru(self.frames(music.mT).mT)[0])


class LocalCritic(nn.Module):
    """Judges a few frames at a time."""

    def __init__(
        self, *, frames: int, stride: int, channels: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.frames, self.stride = frames, stride
        self.body = Cooccurrence(
            1, joints=JOINTS, channels=channels, hidden=hidden, dropout=dropout, pooled=False
        )

    def forward(self, bodies: Bodies) -> Float[Tensor, "B N"]:
        """Return a logit for each stretch of the dances, high for real ones."""
        cut = stretches(bodies, self.frames, self.stride)
        return self.body(cut.flatten(0, 1)).unflatten(0, cut.shape[:2]).squeeze(-1)


class SequenceCritic(nn.Module):
    """Judges a whole dance with its music."""

    def __init__(self, *, width: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.body = Cooccurrence(
            width, joints=JOINTS, channels=channels, hidden=2 * width, dropout=dropout, pooled=True
        )
        self.hearing = Hearing(width)
        self.attends = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, ATTENTION, bias=False), nn.Tanh(),
            nn.Linear(ATTENTION, 1, bias=False), nn.Softmax(dim=1),
        )  # fmt: skip
        self.joins = nn.Linear(2 * width, 1)

    def heard(self, music: Float[Tensor, "B T 53"]) -> Float[Tensor, "B D"]:
        """Return one vector for each piece of music: a mean over frames weighted by attention."""
        frames = self.hearing(music)
        return (self.attends(frames) * frames).sum(1)

    def judged(self, maps: list[Tensor], heard: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Return the logit of each dance from the maps of `body` and what `heard` returned."""
        return self.joins(torch.cat([self.body.read(maps), heard], dim=-1)).squeeze(-1)


def stretches(bodies: Bodies, frames: int, stride: int) -> Float[Tensor, "B N S 24 3"]:
    """Return all stretches of `frames` frames that fit, `stride` apart."""
    refuse(
        bodies.shape[1] < frames,
        f"dances of {bodies.shape[1]} frames hold no stretch of {frames}; give longer ones.",
    )
    begins = range(0, bodies.shape[1] - frames + 1, stride)
    return torch.stack([bodies[:, begin : begin + frames] for begin in begins], dim=1)


def gradient_penalty(
    chance: Callable[[Tensor], Tensor], real: Bodies, fake: Bodies, mix: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Return the mean of (|gradient of `chance`| - 1)^2 between `real` and `fake` dances.

    `chance` gives one number for each dance; the points are mix real + (1 - mix) fake (Gulrajani et
    al. 2017).
    """
    share = mix[:, None, None, None]
    between = (share * real + (1 - share) * fake).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(chance(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def against(logits: Tensor, target: float) -> Float[Tensor, ""]:
    """Return the cross-entropy of `logits` with all labels `target`."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def apart(
    one: list[Tensor], other: list[Tensor], weights: tuple[float, ...] = ()
) -> Float[Tensor, ""]:
    """Return the sum over layers of their mean L1 distance; 1 for layers without a weight."""
    every = [*weights[: len(one)], *(1.0 for _ in one[len(weights) :])]
    terms = [w * (a - b).abs().mean() for w, a, b in zip(every, one, other, strict=True)]
    return torch.stack(terms).sum()
