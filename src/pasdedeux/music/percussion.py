"""A small drum kit: kick, snare and hi-hats, from decaying noise and a falling tone.

Every hit of a drum is the same sound, so that a rendered piece is the same again.
"""

import numpy as np
from jaxtyping import Float

KICKS, SNARES, OPEN_HATS = (35, 36), (37, 38, 39, 40), (46, 49, 51, 57)  # General MIDI numbers
CLOSED_HAT = 42
HAT_SECONDS, OPEN_HAT_SECONDS, SNARE_SECONDS, KICK_SECONDS = 0.03, 0.2, 0.09, 0.12
ATTACK_SECONDS = 0.001
LONGEST_DECAYS = 6.0  # after six time constants a hit is below 1/400 of its height


def hit(pitch: int, rate_hz: int) -> Float[np.ndarray, " S"]:
    """Return one hit of the drum that General MIDI calls `pitch`; unknown ones are closed hats."""
    if pitch in KICKS:
        time = _time(KICK_SECONDS, rate_hz)
        phase = 50.0 * time - 2.4 * np.exp(-time / 0.03)  # falls from 130 Hz to 50 Hz
        return np.sin(2 * np.pi * (phase - phase[0])) * _envelope(time, KICK_SECONDS)
    if pitch in SNARES:
        time = _time(SNARE_SECONDS, rate_hz)
        body = 0.5 * np.sin(2 * np.pi * 185.0 * time)
        return (body + 0.5 * _noise(len(time))) * _envelope(time, SNARE_SECONDS)
    seconds = OPEN_HAT_SECONDS if pitch in OPEN_HATS else HAT_SECONDS
    time = _time(seconds, rate_hz)
    hiss = np.diff(_noise(len(time) + 2), n=2)  # a second difference keeps the high part
    return 0.2 * hiss * _envelope(time, seconds)


def _time(decay_seconds: float, rate_hz: int) -> Float[np.ndarray, " S"]:
    return np.arange(int(LONGEST_DECAYS * decay_seconds * rate_hz) + 1) / rate_hz


def _envelope(time: Float[np.ndarray, " S"], decay_seconds: float) -> Float[np.ndarray, " S"]:
    """Return a fast rise from 0 and an exponential fall that ends at 0."""
    fall = np.exp(-time / decay_seconds) - np.exp(-LONGEST_DECAYS)
    return np.clip(time / ATTACK_SECONDS, 0, 1) * np.maximum(fall, 0)


def _noise(samples: int) -> Float[np.ndarray, " S"]:
    return np.random.default_rng(0).uniform(-1, 1, samples)
