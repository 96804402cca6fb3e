"""A generator for each named use of randomness, so that one use never shifts another.

The stream depends on the seed and the names alone: `generator(0, "rollout", 17)` is the same
whatever ran before, which is also what makes a resumed run equal to an uninterrupted one.
"""

import hashlib

import numpy as np
import torch


def number(seed: int, *names: object) -> int:
    """Return a 63-bit integer that depends on `seed` and `names` alone."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: object, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a torch generator on `device` for the use called `names` under `seed`."""
    return torch.Generator(device=device).manual_seed(number(seed, *names))


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """Return a NumPy generator for the use called `names` under `seed`."""
    return np.random.default_rng(number(seed, *names))
