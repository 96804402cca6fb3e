"""Windows of equal length, cut from sequences with a stride."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from pasdedeux.base.checks import refuse


class Places(NamedTuple):
    """Where windows lie: the number of the sequence, and the step in it that each begins with."""

    sequence: Int[np.ndarray, " N"]
    start: Int[np.ndarray, " N"]


def window_count(length: int, window: int, stride: int) -> int:
    """Return how many windows fit into `length` steps: none when it is shorter than one.

    A window that ends exactly with the sequence counts (the code released with FusionGAN loses it).
    """
    refuse(window < 1 or stride < 1, f"window and stride must be above 0, got {window}, {stride}.")
    return 0 if length < window else (length - window) // stride + 1


def views(
    sequence: Shaped[np.ndarray, "S ..."], window: int, stride: int
) -> Shaped[np.ndarray, "N T ..."]:
    """Return the windows of one sequence as a read-only view: nothing is copied.

    Whatever a step holds (a token, 53 features, 24 joints) comes after the window's axis of time.
    """
    if window_count(len(sequence), window, stride) == 0:
        return np.zeros((0, window, *sequence.shape[1:]), sequence.dtype)
    cut = np.lib.stride_tricks.sliding_window_view(sequence, window, axis=0)[::stride]
    return np.moveaxis(cut, -1, 1)


def windows(
    sequences: Sequence[Shaped[np.ndarray, "_ ..."]], window: int, stride: int
) -> Shaped[np.ndarray, "N T ..."]:
    """Return all windows of length `window`, `stride` apart, of each sequence in turn.

    Nothing is padded and no window crosses from one sequence into the next; the steps left over at
    the end of a sequence are not used. Each window is copied once; `views` copies none.
    """
    window_count(0, window, stride)
    cut = [views(sequence, window, stride) for sequence in sequences]
    return np.concatenate(cut) if cut else np.zeros((0, window), int)


def places(lengths: Sequence[int], window: int, stride: int) -> Places:
    """Return where the windows of sequences of these lengths lie, in the order of `windows`."""
    counts = [window_count(length, window, stride) for length in lengths]
    starts = [np.arange(count) * stride for count in counts]
    start = np.concatenate(starts) if starts else np.zeros(0, int)
    return Places(np.repeat(np.arange(len(counts)), counts), start)
