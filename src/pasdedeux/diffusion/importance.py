"""Which step to train on: steps whose loss is large are drawn more often.

Nichol and Dhariwal (2021), section 3.3, in the form of VQ-Diffusion and CDCD: a running mean of the
squared loss of each step, p_t in proportion to its root. What is known lives in buffers of a module
of its own, so that a checkpoint holds it and an average of the network's weights does not.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base.checks import refuse

KEPT = 0.9  # of the running mean at each visit
VISITS = 10  # of every step before any is preferred
LEAST = 1e-4  # added to the root, so that no step dies out


class Steps(NamedTuple):
    """The step of each sample, and the probability with which it was drawn."""

    t: Int[Tensor, " B"]
    probability: Float[Tensor, " B"]


class StepSampler(nn.Module):
    """Draws t from 1 .. steps and learns from the losses it is told; it has no parameters."""

    history: Tensor
    visits: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        refuse(steps < 1, f"steps must be at least 1, got {steps}.")
        self.register_buffer("history", torch.zeros(steps))
        self.register_buffer("visits", torch.zeros(steps))

    def probabilities(self) -> Float[Tensor, " T"]:
        """Return the probability of the steps 1 .. T: alike until each has had over 10 visits."""
        root = self.history.sqrt() + LEAST
        if len(root) > 1:  # the release gives step 1, whose loss is another term, the share of 2
            root = torch.cat([root[1:2], root[1:]])
        known = self.visits.min() > VISITS
        weight = torch.where(known, root, torch.ones_like(root))
        return weight / weight.sum()

    def steps(self, count: int, draw: torch.Generator) -> Steps:
        """Return `count` steps and the probability of each.

        One number of `draw` is spent on each sample, whatever has been learnt.
        """
        p = self.probabilities()
        chance = torch.rand(count, generator=draw, device=draw.device).to(p)
        # a double sum on the CPU is the same everywhere, and T numbers are few
        edges = p.double().cpu().cumsum(0)
        place = torch.searchsorted(edges, chance.double().cpu() * edges[-1], right=True)
        place = place.clamp_max(len(p) - 1).to(p.device)
        return Steps(place + 1, p[place])

    @torch.no_grad()
    def follow(self, t: Int[Tensor, " B"], losses: Float[Tensor, " B"]) -> None:
        """Learn the `losses` (nats of a whole sample, not yet over p_t) found at the steps `t`.

        A step that occurs more than once moves once, by the mean of its squared losses. (The
        release keeps whichever the hardware writes last.)
        """
        steps = torch.arange(1, len(self.history) + 1, device=t.device)
        found = (t[:, None] == steps).to(self.history.dtype)
        count = found.sum(0)
        mean = (losses.detach().to(self.history.dtype).square() @ found) / count.clamp_min(1)
        moved = KEPT * self.history + (1 - KEPT) * mean
        self.history.copy_(torch.where(count > 0, moved, self.history))
        self.visits.add_(count)
