"""Windows of equal length, cut from sequences with a stride."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from pasdedeux.base.checks import refuse


def window_count(length: int, window: int, stride: int) -> int:
    """Return how many windows fit into `length` steps: none when it is shorter than one.

    A window that ends exactly with the sequence counts (the code released with FusionGAN loses it).
    """
    refuse(window < 1 or stride < 1, f"window and stride must be above 0, got {window}, {stride}.")
    return 0 if length < window else (length - window) // stride + 1


def windows(
    sequences: Sequence[Int[np.ndarray, " _"]], window: int, stride: int
) -> Int[np.ndarray, "N T"]:
    """Return all windows of length `window`, `stride` apart, of each sequence in turn.

    Nothing is padded and no window crosses from one sequence into the next; the steps left over at
    the end of a sequence are not used.
    """
    window_count(0, window, stride)
    cut = [
        np.lib.stride_tricks.sliding_window_view(sequence, window)[::stride]
        for sequence in sequences
        if len(sequence) >= window
    ]
    return np.concatenate(cut) if cut else np.zeros((0, window), int)
