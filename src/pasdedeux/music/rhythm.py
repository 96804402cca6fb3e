"""Rhythm of a sound: how strongly something begins at each moment, the tempo, onsets and beats.

All of it is read from the onset strength, whose value k belongs to second k / `rate_hz`; times are
in seconds from the first sample. The estimates are librosa's. `C` frequency bins, `N` moments, `K`
onsets or beats.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft

from pasdedeux.base import quiet
from pasdedeux.base.checks import refuse
from pasdedeux.music.spectrum import WINDOW_SAMPLES

PERIOD_SECONDS = 8.0  # how far back the tempo is looked for, librosa's default


def onset_strength(
    magnitude: Float[np.ndarray, "N C"], sample_rate_hz: int, hop_samples: int
) -> Float[np.ndarray, " N"]:
    """Return the mean rise in decibels over 128 mel bands from one moment to the next.

    `magnitude` is a short-time spectrum with windows of 2048 samples around every `hop_samples`-th
    sample. Equal to `librosa.onset.onset_strength` of the sound, if it is that sound's spectrum.
    """
    librosa = quiet.librosa()

    power = np.square(magnitude).T
    mel = librosa.feature.melspectrogram(S=power, sr=sample_rate_hz, n_fft=WINDOW_SAMPLES)
    return librosa.onset.onset_strength(
        S=librosa.power_to_db(mel),
        sr=sample_rate_hz,
        n_fft=WINDOW_SAMPLES,
        hop_length=hop_samples,
    )


def onset_seconds(strength: Float[np.ndarray, " N"], rate_hz: float) -> Float[np.ndarray, " K"]:
    """Return when notes or strokes begin: the peaks of the onset strength."""
    librosa = quiet.librosa()

    _check(strength, rate_hz)
    if not strength.any():
        return np.zeros(0)
    peaks = librosa.onset.onset_detect(onset_envelope=strength, sr=rate_hz, hop_length=1)
    return peaks / rate_hz


def tempo_bpm(
    strength: Float[np.ndarray, " N"],
    rate_hz: float,
    *,
    start_bpm: float = 120.0,
    tempo_octaves: float = 1.0,
) -> float:
    """Return the tempo in beats a minute, 0 when nothing ever begins.

    It is librosa's: the best period of the autocorrelation under a prior, by which the logarithm of
    the tempo is normal around that of `start_bpm` with a standard deviation of `tempo_octaves`. A
    wide prior leaves half and double tempo open; where the style's tempo is known, name it and a
    narrow one (0.15).
    """
    librosa = quiet.librosa()

    _check(strength, rate_hz)
    refuse(
        not (start_bpm > 0 and tempo_octaves > 0),
        f"start_bpm and tempo_octaves must be above 0, got {start_bpm} and {tempo_octaves}.",
    )
    if not strength.any():
        return 0.0
    found = librosa.feature.tempo(
        tg=_periodicity(strength, round(PERIOD_SECONDS * rate_hz))[:, None],
        sr=rate_hz,
        hop_length=1,
        start_bpm=start_bpm,
        std_bpm=tempo_octaves,
    )
    return float(found[0])


def _periodicity(strength: Float[np.ndarray, " N"], lags: int) -> Float[np.ndarray, " L"]:
    """Return the autocorrelation at 0 to `lags` - 1 steps, the mean over windows of as many steps.

    Equal to the mean over time of `librosa.feature.tempogram`. Every window counts by its shape:
    its autocorrelation is divided by its energy, which is the value at lag 0. So the mean can be
    taken in the power spectra, and only that is transformed back.
    """
    padded = np.pad(strength, lags // 2, mode="linear_ramp")
    windows = sliding_window_view(padded, lags)[: len(strength)] * np.hanning(lags + 1)[:-1]
    energy = np.square(windows).sum(axis=1, keepdims=True)
    windows /= np.sqrt(np.where(energy > 0, energy, 1.0))
    length = next_fast_len(2 * lags, real=True)
    waves = rfft(windows, length, axis=1)
    power = (np.square(waves.real) + np.square(waves.imag)).mean(axis=0)
    return irfft(power, length)[:lags]


def beat_seconds(
    strength: Float[np.ndarray, " N"], rate_hz: float, bpm: float
) -> Float[np.ndarray, " K"]:
    """Return the beats: strong moments, about 60 / `bpm` seconds apart (dynamic programming)."""
    librosa = quiet.librosa()

    _check(strength, rate_hz)
    if not strength.any():
        return np.zeros(0)
    refuse(not bpm > 0, f"bpm must be above 0, got {bpm}; take it from tempo_bpm.")
    _, beats = librosa.beat.beat_track(onset_envelope=strength, sr=rate_hz, hop_length=1, bpm=bpm)
    return beats / rate_hz


def on_frames(
    seconds: Float[np.ndarray, " K"], frames: int, rate_hz: float
) -> Bool[np.ndarray, " T"]:
    """Return which of `frames` frames hold an event: the nearest to it, of two the earlier.

    The earlier, because a stroke is heard up to one step of the spectrum late. Events past the last
    frame are left out.
    """
    marked = np.zeros(frames, dtype=bool)
    tie = 0.5 + 1e-6  # the small share: a tie need not be exact in binary
    nearest = np.ceil(seconds * rate_hz - tie).astype(int)
    marked[nearest[nearest < frames]] = True
    return marked


def _check(strength: Float[np.ndarray, " N"], rate_hz: float) -> None:
    """Refuse a strength that is empty or not finite, and a rate that is not above 0."""
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    fine = len(strength) and np.isfinite(strength).all()
    refuse(not fine, "strength must hold finite values; was the sound finite?")
