"""What a dancer hears, frame by frame: the 53 features of the dual-learning paper, section 3.1.

20 Mel-frequency cepstral coefficients, their 20 slopes, 12 chroma of the harmonic part and 1 for a
beat found in the percussive part, at exactly 25 frames a second. The paper names librosa and no
parameters: they are librosa's defaults here, and the result equals its plain calls. What differs
is the work: one short-time spectrum serves the cepstrum and the separation, which is compiled
(`music.harmonic`), and only the harmonic part is transformed back: the percussive part is the rest.

Frame t is centred on second t / 25. `S` samples, `T` frames, `C` frequency bins.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from pasdedeux.base import quiet, source, stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.music import recording, rhythm
from pasdedeux.music.chroma import chroma
from pasdedeux.music.harmonic import harmonic_mask
from pasdedeux.music.spectrum import WINDOW_SAMPLES, spectrum, waveform

RATE_HZ = 25
SAMPLE_RATE_HZ = 24_000
MFCC, DELTA, CHROMA, BEAT = slice(0, 20), slice(20, 40), slice(40, 52), 52
SHORTEST_SECONDS = 3.2  # the longest filter of the lowest octave, a third of a semitone wide
LOWEST_HZ, HIGHEST_HZ = 10_000, 48_000


@dataclass(frozen=True)
class FeatureSettings:
    """How sound becomes features.

    sample_rate_hz: a multiple of 25; the paper has 48 000. The MFCC above the second depend on it,
    and so do the separation's 31 frames; features of two rates must not be mixed. start_bpm,
    tempo_octaves: the prior on the tempo, see `rhythm.tempo_bpm`.
    """

    sample_rate_hz: int = SAMPLE_RATE_HZ
    start_bpm: float = 120.0
    tempo_octaves: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a rate that has no whole number of samples a frame, and an empty prior."""
        rate = self.sample_rate_hz
        refuse(
            rate % RATE_HZ or not LOWEST_HZ <= rate <= HIGHEST_HZ,
            f"sample_rate_hz must be a multiple of {RATE_HZ} from {LOWEST_HZ} to {HIGHEST_HZ}, "
            f"such as 24000 or 48000, got {rate}.",
        )
        refuse(
            self.hop_samples < WINDOW_SAMPLES // 8,
            f"sample_rate_hz / {RATE_HZ} samples must split into steps of {WINDOW_SAMPLES // 8} to "
            f"{WINDOW_SAMPLES // 4}, got {rate} Hz; take a usual rate, such as 24000 or 48000.",
        )
        for name in ("start_bpm", "tempo_octaves"):
            value = getattr(self, name)
            refuse(not 0 < value < float("inf"), f"{name} must be above 0, got {value}.")

    @property
    def hops_per_frame(self) -> int:
        """How many steps of the spectrum make a frame: the fewest with windows 3/4 overlapping."""
        frame = self.sample_rate_hz // RATE_HZ
        fits = (n for n in range(1, frame + 1) if frame % n == 0)
        return next(n for n in fits if frame // n <= WINDOW_SAMPLES // 4)

    @property
    def hop_samples(self) -> int:
        """Samples from one window of the spectrum to the next."""
        return self.sample_rate_hz // RATE_HZ // self.hops_per_frame


class Features(NamedTuple):
    """Features of one sound: `frames` in float32, and the rhythm behind their last column."""

    frames: Float[np.ndarray, "T 53"]
    beat_seconds: Float[np.ndarray, " N"]
    onset_seconds: Float[np.ndarray, " K"]
    bpm: float


def features(
    sound: Float[np.ndarray, " S"], settings: FeatureSettings = FeatureSettings()
) -> Features:
    """Return the features of mono `sound`, T = whole frames in S / settings.sample_rate_hz seconds.

    Chroma have their largest value at 1 in every frame; frames 60 dB below the loudest have zeros.
    A beat is 1 in the frame nearest to it. A silent sound has neither chroma nor beats. Raises
    `ValueError` for a sound that is not finite or shorter than 3.2 seconds.
    """
    sound = _checked(sound, settings)
    hop, hops = settings.hop_samples, settings.hops_per_frame
    whole = spectrum(sound, hop)
    magnitude = np.abs(whole)
    whole *= harmonic_mask(magnitude)
    harmonic = waveform(whole, hop, len(sound))
    struck = np.abs(spectrum(sound - harmonic, hop))
    strength = rhythm.onset_strength(struck, settings.sample_rate_hz, hop)
    steps_hz = float(RATE_HZ * hops)
    bpm = rhythm.tempo_bpm(
        strength, steps_hz, start_bpm=settings.start_bpm, tempo_octaves=settings.tempo_octaves
    )
    beats = rhythm.beat_seconds(strength, steps_hz, bpm)
    count = len(sound) // (hop * hops)
    frames = np.zeros((count, 53), dtype=np.float32)
    frames[:, : CHROMA.start] = _timbre(magnitude[::hops], settings.sample_rate_hz)[:count]
    frames[:, CHROMA] = chroma(harmonic, settings.sample_rate_hz, hop * hops)[:count]
    frames[:, BEAT] = rhythm.on_frames(beats, count, float(RATE_HZ))
    return Features(frames, beats, rhythm.onset_seconds(strength, steps_hz), bpm)


_LIMITED = Lock()


def compile_once() -> None:
    """Let librosa's functions and ours be compiled and kept, by one process.

    Two processes that do so at once can leave a file that makes every later call crash (numba's
    universal functions), so `make setup` does it before anything runs side by side.
    """
    rate = FeatureSettings().sample_rate_hz
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * rate).astype(np.float32)
    features(noise)
    librosa = quiet.librosa()
    librosa.onset.onset_detect(y=noise, sr=rate)
    librosa.beat.beat_track(y=noise, sr=rate)
    librosa.feature.chroma_cqt(y=noise, sr=rate)


def of_files(
    paths: Sequence[str | os.PathLike],
    settings: FeatureSettings | Sequence[FeatureSettings] = FeatureSettings(),
    *,
    workers: int = 2,
) -> list[Features]:
    """Return the features of every file in `paths`, in their order, `workers` songs at a time.

    `settings` are for all files, or one for each. Results are kept in the cache by what the file
    holds. A file that cannot be read raises `ValueError` and keeps nothing; the others are kept.
    """
    each = [settings] * len(paths) if isinstance(settings, FeatureSettings) else list(settings)
    refuse(
        len(each) != len(paths),
        f"settings must be one for all or one for each of {len(paths)} files, got {len(each)}.",
    )
    refuse(workers < 1, f"workers must be at least 1, got {workers}.")
    with ThreadPoolExecutor(workers) as pool:  # the costly parts release the interpreter's lock
        return list(pool.map(_of_file, map(Path, paths), each))


def _of_file(file: Path, settings: FeatureSettings) -> Features:
    """Return the features of one file, from the cache when they are there."""
    refuse(not file.is_file(), f"{file}: no such file; check the path.")
    code = source.fingerprint("pasdedeux.music.features")
    key = digest(file, repr(settings), code, version("librosa"))

    def made() -> dict[str, np.ndarray]:
        rate = settings.sample_rate_hz
        found = features(recording.read(file, rate, least_seconds=SHORTEST_SECONDS), settings)
        return {name: np.asarray(value) for name, value in found._asdict().items()}

    kept = stored.arrays("features", key, made)
    return Features(**{**kept, "bpm": float(kept["bpm"])})


def _checked(sound: Float[np.ndarray, " S"], settings: FeatureSettings) -> np.ndarray:
    """Return `sound` as float32; a short or broken one is refused."""
    seconds = len(sound) / settings.sample_rate_hz
    refuse(
        seconds < SHORTEST_SECONDS,
        f"sound must last at least {SHORTEST_SECONDS} s, got {seconds:.2f} s at "
        f"{settings.sample_rate_hz} samples a second; is that its rate?",
    )
    refuse(not np.isfinite(sound).all(), "sound must be finite; cut or fill the bad samples.")
    return np.ascontiguousarray(sound, dtype=np.float32)


def _timbre(magnitude: Float[np.ndarray, "T C"], sample_rate_hz: int) -> np.ndarray:
    """Return 20 Mel-frequency cepstral coefficients and their slopes, T x 40."""
    librosa = quiet.librosa()

    power = np.square(magnitude).T
    # BLAS adds in another order with more threads, and checksums of data hold every last bit; the
    # limit is the process's, so one thread at a time sets it
    with _LIMITED, threadpool_limits(1):
        mel = librosa.feature.melspectrogram(S=power, sr=sample_rate_hz, n_fft=WINDOW_SAMPLES)
        mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20)
    return np.concatenate([mfcc, librosa.feature.delta(mfcc)]).T
