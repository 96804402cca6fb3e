"""Which of the 12 pitch classes sound, by the constant-Q transform.

The transform is librosa's; only its search for the tuning is written here, because librosa looks
for peaks in bins that it then leaves out. `S` samples, `T` frames, `C` frequency bins, `N` peaks.
"""

import numpy as np
from jaxtyping import Float, Float32

from pasdedeux.base import quiet
from pasdedeux.music.spectrum import BINS, WINDOW_SAMPLES, spectrum

BINS_PER_OCTAVE = 36  # three to a semitone
RANGE = 1e-3  # frames 60 dB below the loudest have no chroma
LEAST_HZ, MOST_HZ = 150.0, 4000.0  # where peaks are looked for
PROMINENT = 0.1  # of the highest bin of the frame


def chroma(
    sound: Float32[np.ndarray, " S"], sample_rate_hz: int, hop_samples: int
) -> Float32[np.ndarray, "T 12"]:
    """Return the strength of the pitch classes C to B around every `hop_samples`-th sample.

    The largest of a frame is 1. Frames 60 dB below the loudest frame have zeros, so that the noise
    of a pause is not taken for music. The rest equals `librosa.feature.chroma_cqt`.
    """
    librosa = quiet.librosa()

    if not sound.any():
        return np.zeros((1 + len(sound) // hop_samples, 12), dtype=np.float32)
    found = librosa.feature.chroma_cqt(
        y=sound,
        sr=sample_rate_hz,
        hop_length=hop_samples,
        tuning=tuning(sound, sample_rate_hz),
        bins_per_octave=BINS_PER_OCTAVE,
        norm=None,
    ).T
    loudest = found.max(axis=1, keepdims=True)
    floor = max(RANGE * float(loudest.max()), float(np.finfo(np.float32).tiny))
    return np.where(loudest > floor, found / np.maximum(loudest, floor), 0.0).astype(np.float32)


def tuning(sound: Float32[np.ndarray, " S"], sample_rate_hz: int) -> float:
    """Return by how much `sound` is above the pitch of A = 440 Hz, in [-0.5, 0.5) bins of 36.

    It is where most of the louder half of the spectral peaks lie; 0 when there are none. Equal to
    `librosa.estimate_tuning(y=sound, sr=sample_rate_hz, bins_per_octave=36)`.
    """
    librosa = quiet.librosa()

    frequency_hz, height = _peaks(np.abs(spectrum(sound, WINDOW_SAMPLES // 4)), sample_rate_hz)
    if not len(height):
        return 0.0
    louder = frequency_hz[height >= np.median(height)]
    return float(librosa.pitch_tuning(louder, bins_per_octave=BINS_PER_OCTAVE))


def _peaks(
    magnitude: Float32[np.ndarray, "T C"], sample_rate_hz: int
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Return frequency and height of the spectrum's peaks, from parabolas through three bins."""
    bin_hz = sample_rate_hz / WINDOW_SAMPLES
    first, last = np.searchsorted(np.arange(1, BINS - 1) * bin_hz, (LEAST_HZ, MOST_HZ)) + 1
    here = magnitude[:, first:last]
    before, after = magnitude[:, first - 1 : last - 1], magnitude[:, first + 1 : last + 1]
    prominent = here > PROMINENT * magnitude.max(axis=1, keepdims=True)
    peak = np.nonzero(prominent & (here > before) & (here >= after))
    slope = (after[peak] - before[peak]) / 2
    curve = before[peak] + after[peak] - 2 * here[peak]
    shift = np.where(np.abs(slope) < np.abs(curve), -slope / curve, 0)
    return (first + peak[1] + shift) * bin_hz, here[peak] + slope * shift / 2
