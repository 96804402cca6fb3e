"""Which key a melody or a song is in, from how much each pitch class sounds.

Profiles of Temperley (2007), "Music and Probability", from the Kostka-Payne corpus of harmonic
analyses; the key is the one whose profile correlates best with the melody's durations (Krumhansl
and Schmuckler). On the folk songs it finds the notated tonic of about six songs in seven; on jazz
solos, without their chords, it is much less certain.
"""

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import choice, refuse
from pasdedeux.music.melody import Melody

Mode = Literal["major", "minor"]
Shift = Literal["nearest", "down"]
PROFILES: dict[Mode, tuple[float, ...]] = {
    "major": (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
    "minor": (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
}
RELATIVE_MAJOR = {"major": 0, "minor": 3}  # semitones from a tonic to that of its key signature


class Key(NamedTuple):
    """Tonic as a pitch class (C is 0), mode, and the correlation that decided."""

    tonic: int
    mode: Mode
    correlation: float


def pitch_class_durations(melody: Melody) -> Float[np.ndarray, " 12"]:
    """Return for how many quarters each pitch class sounds."""
    weights = melody.duration_quarters
    return np.bincount(melody.pitch % 12, weights=weights, minlength=12).astype(float)


def estimate(melody: Melody, *, tonic: int | None = None) -> Key:
    """Return the best key of `melody`; a given `tonic` leaves only the mode to be found.

    A tie goes to major and to the lower tonic. Raises `ValueError` when all twelve pitch classes
    sound equally long (also when there is no note), because then no key is better than another.
    """
    weights = pitch_class_durations(melody)
    refuse(
        _even(weights),
        f"{melody.name}: its {len(melody.pitch)} notes name no key, every pitch class sounds "
        "equally long; give its tonic, or use transposition='none'.",
    )
    return _correlated(weights, tonic)


def estimate_from(weights: Float[np.ndarray, " 12"], *, tonic: int | None = None) -> Key:
    """Return the best key for how much each pitch class sounds, for example the mean of a chroma.

    The same correlation as `estimate`. Raises `ValueError` for weights that are negative or not
    finite, and for twelve equal ones.
    """
    refuse(
        not (np.isfinite(weights) & (weights >= 0)).all(),
        f"weights of pitch classes must be finite and at least 0, got {weights.tolist()}.",
    )
    told = f"twelve equal weights of {weights[0]} name no key; is the chroma silent?"
    refuse(_even(weights), told)
    return _correlated(weights.astype(float), tonic)


def _even(weights: Float[np.ndarray, " 12"]) -> bool:
    length = float(np.linalg.norm(weights - weights.mean()))
    return length <= 1e-12 * max(1.0, float(weights.max()))


def _correlated(weights: Float[np.ndarray, " 12"], tonic: int | None) -> Key:
    spread = weights - weights.mean()
    correlation = _profiles() @ (spread / float(np.linalg.norm(spread)))
    if tonic is not None:
        correlation = np.where(np.arange(len(correlation)) % 12 == tonic, correlation, -np.inf)
    best = int(correlation.argmax())
    return Key(best % 12, tuple(PROFILES)[best // 12], float(correlation[best]))


class InC(NamedTuple):
    """A chroma turned to C major or A minor, the key it was in and the shift in semitones."""

    chroma: Float[np.ndarray, "T 12"]
    key: Key
    semitones: int


def chroma_in_c(chroma: Float[np.ndarray, "T 12"], key: Key | None = None) -> InC:
    """Return `chroma` turned to C major or A minor, from `key` or the one its mean names.

    Raises `ValueError` when the mean names no key.
    """
    refuse(not len(chroma), "a chroma needs at least one frame, got none.")
    found = estimate_from(chroma.mean(axis=0)) if key is None else key
    semitones = semitones_to_c(signature_tonic(found))
    return InC(np.roll(chroma, semitones, axis=1), found, semitones)


def semitones_to_c(tonic: int, shift: Shift = "nearest") -> int:
    """Return the true distance in semitones that brings `tonic` to C.

    "nearest" lies in -5..+6, "down" in -11..0; the two differ by an octave at most.
    """
    choice("shift", shift, ("nearest", "down"))
    refuse(not 0 <= tonic < 12, f"tonic must be a pitch class 0..11, got {tonic}.")
    return (5 - tonic) % 12 - 5 if shift == "nearest" else -tonic


def signature_tonic(key: Key) -> int:
    """Return the tonic of the major key with the signature of `key`: C for A minor."""
    return (key.tonic + RELATIVE_MAJOR[key.mode]) % 12


@cache
def _profiles() -> Float[np.ndarray, "24 12"]:
    """Return the profile of every key, of mean 0 and length 1: 12 major, then 12 minor."""
    rows = [np.roll(values, tonic) for values in PROFILES.values() for tonic in range(12)]
    centred = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)
