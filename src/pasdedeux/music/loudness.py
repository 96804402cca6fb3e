"""How loud a sound is to people, and sounds brought to the same loudness.

Integrated loudness of Recommendation ITU-R BS.1770-4 for one channel: two filters that weight
frequencies as a head does (K-weighting), the mean power of blocks of 0.4 s, and two gates that
leave out pauses. Unit: LUFS, decibels below a full-scale square wave. `S` samples, `N` blocks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

from pasdedeux.base.checks import refuse

TARGET_LUFS = -23.0  # of EBU R 128
HIGHEST_PEAK = 0.95
BLOCK_SECONDS, HOP_SHARE = 0.4, 0.25
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET = -0.691  # of the Recommendation: a full-scale sine of 997 Hz has -3.01 LUFS
# the two analogue filters behind the Recommendation's coefficients, which it gives at 48 kHz alone
SHELF_HZ, SHELF_DB, SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
SHELF_MIDDLE = 0.4996667741545416  # exponent of the shelf's gain in the middle
HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


class Filter(NamedTuple):
    """A filter of second order: numerator and denominator, the latter's first number 1."""

    b: Float[np.ndarray, " 3"]
    a: Float[np.ndarray, " 3"]


class Levelled(NamedTuple):
    """Sounds of the same loudness, and that loudness."""

    sounds: list[Float[np.ndarray, " _"]]
    lufs: float


def k_weighting(rate_hz: int) -> tuple[Filter, Filter]:
    """Return the shelf and the high-pass filter of BS.1770 at `rate_hz` samples a second."""
    refuse(rate_hz < 8_000, f"rate_hz must be at least 8000, got {rate_hz}.")
    k = np.tan(np.pi * SHELF_HZ / rate_hz)
    high = 10 ** (SHELF_DB / 20)
    middle = high**SHELF_MIDDLE * k / SHELF_Q
    scale = 1 + k / SHELF_Q + k * k
    shelf = Filter(
        np.array([high + middle + k * k, 2 * (k * k - high), high - middle + k * k]) / scale,
        np.array([scale, 2 * (k * k - 1), 1 - k / SHELF_Q + k * k]) / scale,
    )
    k = np.tan(np.pi * HIGH_PASS_HZ / rate_hz)
    scale = 1 + k / HIGH_PASS_Q + k * k
    rest = np.array([scale, 2 * (k * k - 1), 1 - k / HIGH_PASS_Q + k * k]) / scale
    return shelf, Filter(np.array([1.0, -2.0, 1.0]), rest)


def loudness_lufs(sound: Float[np.ndarray, " S"], rate_hz: int) -> float:
    """Return the integrated loudness of a mono `sound`; minus infinity where all is gated out.

    A sound shorter than one block of 0.4 s is one block. Raises `ValueError` for an empty sound and
    for samples that are not finite.
    """
    fine = len(sound) > 0 and bool(np.isfinite(sound).all())
    refuse(not fine, "loudness needs a sound of finite samples, at least one.")
    heard = np.asarray(sound, dtype=float)
    for stage in k_weighting(rate_hz):
        heard = lfilter(stage.b, stage.a, heard)
    power = _block_powers(heard, rate_hz)
    kept = power[_lufs(power) > ABSOLUTE_GATE_LUFS]
    if not len(kept):
        return float("-inf")
    gate = _lufs(kept.mean(keepdims=True)) + RELATIVE_GATE_LU
    return float(_lufs(kept[_lufs(kept) > gate].mean(keepdims=True))[0])


def equally_loud(
    sounds: Sequence[Float[np.ndarray, " _"]], rate_hz: int, *, target_lufs: float = TARGET_LUFS
) -> Levelled:
    """Return `sounds` at `target_lufs`, all of them lower where one would otherwise be clipped.

    One loudness for all matters more than the target: no peak is cut, so a single sound with high
    peaks lowers all. Raises `ValueError` for a silent sound, naming its place.
    """
    refuse(not sounds, "equally_loud needs at least one sound, got none.")
    found = [loudness_lufs(sound, rate_hz) for sound in sounds]
    silent = [place for place, lufs in enumerate(found) if not np.isfinite(lufs)]
    refuse(silent, f"sounds {silent} are silent; leave them out.")
    gains = [10 ** ((target_lufs - lufs) / 20) for lufs in found]
    loudest = max(
        gain * float(np.abs(sound).max()) for gain, sound in zip(gains, sounds, strict=True)
    )
    lower = min(1.0, HIGHEST_PEAK / loudest)
    levelled = [
        np.asarray(sound, dtype=float) * gain * lower
        for gain, sound in zip(gains, sounds, strict=True)
    ]
    return Levelled(levelled, target_lufs + 20 * float(np.log10(lower)))


def _block_powers(heard: Float[np.ndarray, " S"], rate_hz: int) -> Float[np.ndarray, " N"]:
    size = min(len(heard), round(BLOCK_SECONDS * rate_hz))
    hop = max(1, round(size * HOP_SHARE))
    total = np.concatenate([[0.0], np.cumsum(heard**2)])
    start = np.arange(0, len(heard) - size + 1, hop)
    return np.maximum(total[start + size] - total[start], 0.0) / size


def _lufs(power: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    with np.errstate(divide="ignore"):
        return OFFSET + 10 * np.log10(power)
