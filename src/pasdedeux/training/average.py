"""A slowly moving average of the weights of a module, which is used in its place once trained.

    average <- d average + (1 - d) weights

Buffers (codebooks, histories) are states and no weights: the average has the module's latest.
"""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from pasdedeux.base.checks import refuse

Module = TypeVar("Module", bound=nn.Module)


class Average(nn.Module, Generic[Module]):
    """The average of a module's weights, itself a module of the same kind (`inner`)."""

    def __init__(self, module: Module, *, decay: float) -> None:
        super().__init__()
        refuse(not 0 <= decay < 1, f"decay must be in [0, 1), got {decay}.")
        self.decay = decay
        self.inner: Module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def follow(self, module: Module) -> None:
        """Move the average towards the weights of `module`, and take its buffers over."""
        weights, averages = list(module.parameters()), list(self.inner.parameters())
        torch._foreach_lerp_(averages, weights, 1 - self.decay)
        for mine, its in zip(self.inner.buffers(), module.buffers(), strict=True):
            mine.copy_(its)
