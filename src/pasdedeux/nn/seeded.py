"""Draws that torch takes from its own stream, made to depend on a number alone.

The first weights of a layer and its dropout come from torch's global generator; inside the block
that stream begins at the number given, and afterwards it goes on as if nothing had been drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """Let everything drawn inside the block depend on `number` (`base.seeding.number`) alone."""
    here = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=here):
        torch.manual_seed(number)
        yield
