"""Whole recordings decoded once and kept as 16-bit samples, from which clips are cut.

A minute at 22,050 Hz takes 2.6 MB, in memory and in the cache; as float32 in overlapping clips of
2 s, half a second apart, it would take 21 MB.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int16

from pasdedeux.base import stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.music import recording

FULL = 32_767


class Recorded(NamedTuple):
    """A recording: its samples, of which the loudest is +-32767, and what that stands for."""

    samples: Int16[np.ndarray, " S"]
    peak: float  # of full scale; decoded mp3 may be above 1

    def cut(self, first: Int[np.ndarray, " N"], samples: int) -> Float[np.ndarray, "N S"]:
        """Return float32 pieces of `samples` samples from each of `first` on, as recorded.

        Raises `ValueError` for a piece that is not within the recording.
        """
        last = len(self.samples) - samples
        outside = (first < 0) | (first > last)
        refuse(
            outside.any(),
            f"pieces of {samples} samples must begin at 0 to {last}, got {first[outside][:1]}.",
        )
        if len(first) == 0:
            return np.zeros((0, samples), np.float32)
        taken = np.stack([self.samples[begin : begin + samples] for begin in first])
        return taken.astype(np.float32) * np.float32(self.peak / FULL)

    def loudness(self, first: Int[np.ndarray, " N"], samples: int) -> Float[np.ndarray, " N"]:
        """Return the root mean square of the pieces that `cut` returns, without cutting them."""
        square = np.square(self.samples.astype(np.float64))
        total = np.concatenate([[0.0], np.cumsum(square)])
        mean = (total[first + samples] - total[first]) / samples
        return np.sqrt(mean) * (self.peak / FULL)


def recorded(paths: Sequence[Path], rate_hz: int) -> tuple[Recorded, ...]:
    """Return the recording in each of `paths` at `rate_hz`, kept from earlier calls.

    Raises `ValueError` for what `music.recording.read` refuses.
    """
    code = fingerprint("pasdedeux.music.recording")
    made = []
    for path in paths:
        key = digest(path, str(rate_hz), code)
        kept = stored.arrays("recorded", key, lambda path=path: _arrays(path, rate_hz))
        made.append(Recorded(kept["samples"], float(kept["peak"])))
        report("decoding music", len(made), len(paths))
    return tuple(made)


def _arrays(path: Path, rate_hz: int) -> dict[str, np.ndarray]:
    sound = recording.read(path, rate_hz)
    peak = float(np.abs(sound).max())
    return {"samples": np.rint(sound / peak * FULL).astype(np.int16), "peak": np.array(peak)}
