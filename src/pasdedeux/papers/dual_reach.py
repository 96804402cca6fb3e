"""Which loss of dual learning reaches which network: gradients of a real update, measured.

Section 3.4 of the paper names one network behind each arrow. With "joint" routing every loss moves
whatever it depends on; with "printed" each sum moves its own network alone (`papers.dual`).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from pasdedeux.papers.dual import Dual

ENCODER = ("reads.", "source_places", "encoder.")
HALVES = ("encoder", "decoder")
NETWORKS = {"dancing": "G_MD", "composing": "G_DM"}


class Reach(NamedTuple):
    """Norms of the gradients of each loss (rows) in each half of each network (columns)."""

    losses: tuple[str, ...]
    parts: tuple[str, ...]
    joint: Float[np.ndarray, "L P"]
    printed: Float[np.ndarray, "L P"]


def reach(learner: Dual, *, index: int = 0) -> Reach:
    """Return how strongly each unweighted loss of update `index` pulls at each half.

    The first windows of the training part are the batch; nothing is changed by it.
    """
    count = learner.settings.batch
    both = learner.losses(learner.songs[:count], learner.dances[:count], index)
    owner = {name: network for network, own in zip(NETWORKS, both, strict=True) for name in own}
    losses = both[0] | both[1]
    halves = {
        (network, half): _half(learner.modules[network], half)
        for network in NETWORKS for half in HALVES
    }  # fmt: skip
    norms = np.zeros((len(losses), len(halves)))
    for row, loss in enumerate(losses.values()):
        for column, weights in enumerate(halves.values()):
            found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
            squares = [float(slope.square().sum()) for slope in found if slope is not None]
            norms[row, column] = sum(squares) ** 0.5
    own = np.array([[owner[name] == network for network, _ in halves] for name in losses])
    parts = tuple(f"{NETWORKS[network]} {half}" for network, half in halves)
    return Reach(tuple(losses), parts, norms, np.where(own, norms, 0.0))


def _half(network: nn.Module, half: str) -> list[nn.Parameter]:
    """Return what reads the source, or all that makes the target of it."""
    return [
        weight
        for name, weight in network.named_parameters()
        if name.startswith(ENCODER) == (half == "encoder")
    ]
