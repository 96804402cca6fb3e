"""Harmonic and percussive parts of a spectrogram: Fitzgerald's median filters with soft masks.

A held note is a line along time, a drum stroke a line along frequency. The median of 31 neighbours
in time keeps the first and removes the second; along frequency it is the other way round. Equal to
`librosa.decompose.hpss`; nearly all its time goes into the medians, which are compiled here.

`T` frames, `C` frequency bins, `N` positions along which a median runs, `M` lanes side by side.
"""

from collections.abc import Callable
from functools import cache
from typing import no_type_check

import numpy as np
from jaxtyping import Float32

WIDTH = 31  # frames and bins: librosa's default, the paper gives none
REACH = WIDTH // 2
LANES = 64  # columns that are filtered together: enough to fill the processor's vector units
TINY = np.finfo(np.float32).tiny


def harmonic_mask(magnitude: Float32[np.ndarray, "T C"]) -> Float32[np.ndarray, "T C"]:
    """Return the harmonic share of every bin, h^2 / (h^2 + p^2), and 1/2 where both medians are 0.

    h and p are the medians of `magnitude` along time and along frequency. The percussive share is
    what is missing to 1.
    """
    mask = running_median(magnitude)
    for first in range(0, len(mask), LANES):  # a few frames at a time stay in the cache
        some = slice(first, first + LANES)
        struck = running_median(np.ascontiguousarray(magnitude[some].T))
        mask[some] = _compiled(_share)(mask[some], np.ascontiguousarray(struck.T))
    return mask


def running_median(values: Float32[np.ndarray, "N M"]) -> Float32[np.ndarray, "N M"]:
    """Return the median of the 31 nearest values along the first axis; the ends are reflected.

    Equal, bit by bit, to `scipy.ndimage.median_filter(values, (31, 1), mode="reflect")`.
    """
    medians = np.empty_like(values)
    for first in range(0, values.shape[1], LANES):
        some = values[:, first : first + LANES]
        missing = LANES - some.shape[1]
        padded = np.pad(some, ((REACH, REACH), (0, missing)), mode="symmetric")
        medians[:, first : first + LANES] = _compiled(_slide)(padded)[:, : LANES - missing]
    return medians


@cache
def _compiled(loops: Callable) -> Callable:
    """Return `loops` as machine code, which is kept beside this file after its first run."""
    import numba  # here, because it is slow to import; librosa brings it

    return numba.njit(cache=True, nogil=True)(loops)


@no_type_check  # numba compiles the bare function
def _slide(padded):
    """Return the medians of windows that slide along the first axis of `padded`, N + 30 x LANES.

    Every lane keeps its window sorted. A step drops the oldest value and inserts the next one by
    comparisons only, without branches, so that many lanes go through one vector instruction.
    """
    medians = np.empty((padded.shape[0] - WIDTH + 1, LANES), dtype=np.float32)
    window = np.full((WIDTH, LANES), np.inf, dtype=np.float32)
    nothing = np.full(LANES, np.inf, dtype=np.float32)
    below = np.empty(LANES, dtype=np.float32)
    for position in range(padded.shape[0]):
        new = padded[position]
        old = padded[position - WIDTH] if position >= WIDTH else nothing
        below[:] = -np.inf
        for rank in range(WIDTH - 1):
            for lane in range(LANES):
                here, above = window[rank, lane], window[rank + 1, lane]
                kept = here if here < old[lane] else above
                smaller = kept if kept < new[lane] else new[lane]
                window[rank, lane] = smaller if smaller > below[lane] else below[lane]
                below[lane] = kept
        for lane in range(LANES):
            window[WIDTH - 1, lane] = new[lane] if new[lane] > below[lane] else below[lane]
        if position >= WIDTH - 1:
            medians[position - WIDTH + 1] = window[REACH]
    return medians


@no_type_check
def _share(held, struck):
    """Return held^2 / (held^2 + struck^2), the larger of the two scaled to 1 so none underflows."""
    share = np.empty(held.shape, dtype=np.float32)
    for row in range(held.shape[0]):
        for column in range(held.shape[1]):
            h, p = held[row, column], struck[row, column]
            loudest = h if h > p else p
            if loudest < TINY:
                share[row, column] = 0.5
            else:
                h, p = (h / loudest) ** 2, (p / loudest) ** 2
                share[row, column] = h / (h + p)
    return share
