"""Our music features against plain librosa calls, and songs in parallel against one by one.

All take turns; a cell is the median [least, most] over the rounds of time(peer) / time(ours), more
being better for us. Results are compared before anything is timed, and the agreement is printed.
The song is made here; where PASDEDEUX_DATA holds tang2018, a real one follows.
Run: python benchmarks/features.py
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import torch

from pasdedeux.base import paths
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.music import recording
from pasdedeux.music.features import CHROMA, DELTA, MFCC, Features, FeatureSettings, features
from pasdedeux.music.harmonic import harmonic_mask
from pasdedeux.music.spectrum import spectrum

SONG_SECONDS = 60
Call = Callable[[], object]
Clock = Callable[[], float]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def song(rate: int) -> np.ndarray:
    """Return a minute of chords that change, drums and noise at 105 beats a minute."""
    random = numpy_generator(0, "song")
    time_seconds = np.arange(SONG_SECONDS * rate) / rate
    bar = (time_seconds / (4 * 60 / 105)).astype(int)
    sound = np.zeros(len(time_seconds))
    for step in (0, 4, 7, 12):
        pitch = 48 + step + np.array([0, 5, 7, 0])[bar % 4]
        turn = 2 * np.pi * np.cumsum(440 * 2.0 ** ((pitch - 69) / 12)) / rate
        sound += sum(np.sin(n * turn) / n for n in range(1, 6))
    into_beat = time_seconds % (60 / 105)
    sound += 4 * random.standard_normal(len(sound)) * np.exp(-into_beat / 0.03)
    sound += 0.05 * random.standard_normal(len(sound))
    return (0.9 * sound / np.abs(sound).max()).astype(np.float32)


def plain(sound: np.ndarray, settings: FeatureSettings, kind: str = "cqt") -> Features:
    """Return the features by librosa's own calls, every one of them from the sound."""
    rate, hop = settings.sample_rate_hz, settings.sample_rate_hz // 25
    fine = {"sr": rate, "hop_length": settings.hop_samples}
    mfcc = librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=20, hop_length=hop)
    harmonic, struck = librosa.effects.hpss(sound, hop_length=settings.hop_samples)
    call = librosa.feature.chroma_cqt if kind == "cqt" else librosa.feature.chroma_stft
    chroma = call(y=harmonic, sr=rate, hop_length=hop)
    strength = librosa.onset.onset_strength(y=struck, **fine)
    prior = {"start_bpm": settings.start_bpm, "std_bpm": settings.tempo_octaves}
    bpm = librosa.feature.tempo(onset_envelope=strength, **prior, **fine)
    _, beats = librosa.beat.beat_track(onset_envelope=strength, bpm=bpm, units="time", **fine)
    onsets = librosa.onset.onset_detect(onset_envelope=strength, units="time", **fine)
    frames = np.concatenate([mfcc, librosa.feature.delta(mfcc), chroma]).T
    return Features(frames[: len(sound) // hop], beats, onsets, float(bpm[0]))


def race(
    title: str, ours: Call, peers: dict[str, Call], rounds: int, clock: Clock = time.perf_counter
) -> None:
    """Print the ratio of every peer to ours, taken inside each round."""
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    own = []

    def seconds(call: Call) -> float:
        begun = clock()
        call()
        return clock() - begun

    for _ in range(rounds):
        own.append(seconds(ours))
        for name, peer in peers.items():
            ratios[name].append(seconds(peer) / own[-1])
    print(f"  {title}: ours {statistics.median(own) * 1e3:.0f} ms")
    for name, found in ratios.items():
        print(f"    {name}: {statistics.median(found):.1f}x [{min(found):.1f}-{max(found):.1f}]")


def agreement(found: Features, expected: Features) -> None:
    """Print how far ours is from plain librosa: of the largest value, and the events."""
    heard = found.frames[:, CHROMA].any(axis=1)
    cells = []
    for name, part in (("MFCC", MFCC), ("delta", DELTA), ("chroma", CHROMA)):
        theirs = expected.frames[heard, part]
        apart = np.abs(found.frames[heard, part] - theirs).max() / np.abs(theirs).max()
        cells.append(f"{name} {apart:.1e}")
    for name in ("beat_seconds", "onset_seconds"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        same = len(ours) == len(theirs) and np.allclose(ours, theirs, atol=1e-9)
        cells.append(f"{len(theirs)} {name} {'identical' if same else 'DIFFERENT'}")
    silent = f"{(~heard).sum()} of {len(heard)} frames are silent: zeros with us"
    print(f"  agreement: {', '.join(cells)}; {silent}")


def compare(
    title: str, sound: np.ndarray, settings: FeatureSettings, rounds: int, clock: Clock
) -> None:
    """Race one song: all features, and the separation that is most of plain librosa's time."""
    print(f"{title}, {len(sound) / settings.sample_rate_hz:.0f} s at {settings.sample_rate_hz} Hz")
    agreement(features(sound, settings), plain(sound, settings))
    peers = {
        "plain librosa, chroma_cqt (the same features)": lambda: plain(sound, settings),
        "plain librosa, chroma_stft (another chroma)": lambda: plain(sound, settings, "stft"),
    }
    race("all 53 features", lambda: features(sound, settings), peers, rounds, clock)
    magnitude = np.abs(spectrum(sound, settings.hop_samples))
    swapped = np.ascontiguousarray(magnitude.T)
    assert np.abs(harmonic_mask(magnitude).T - _librosa_mask(swapped)).max() < 1e-6
    medians = {"librosa.decompose.hpss": lambda: _librosa_mask(swapped)}
    race("separation alone", lambda: harmonic_mask(magnitude), medians, rounds, clock)


def _librosa_mask(magnitude: np.ndarray) -> np.ndarray:
    return librosa.decompose.hpss(magnitude, mask=True)[0]


def together(sound: np.ndarray, settings: FeatureSettings, rounds: int, workers: int) -> None:
    """Race songs in parallel threads against the same songs one by one."""
    songs = [np.roll(sound, k * settings.sample_rate_hz) for k in range(2 * workers)]

    def parallel() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda one: features(one, settings), songs))

    def serial() -> None:
        for one in songs:
            features(one, settings)

    print(f"{len(songs)} songs, {workers} at a time, wall time")
    race("in parallel", parallel, {"one by one": serial}, rounds)


def main() -> None:
    """Race the made song at both rates, a real one, and several songs at once."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine")
    options.add_argument("--rates", type=int, nargs="*", default=[24_000, 48_000])
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = CLOCKS[chosen.clock]
    print(f"{chosen.threads} thread(s) a song, {chosen.rounds} rounds, {chosen.clock} time")
    for rate in chosen.rates:
        compare("made song", song(rate), FeatureSettings(rate), chosen.rounds, clock)
    folder = paths.data()
    found = sorted(folder.glob("tang2018/*/audio.mp3")) if folder else []
    for file in found[:1]:
        for rate in chosen.rates:
            real = recording.read(file, rate)[: SONG_SECONDS * rate]
            compare(file.parent.name, real, FeatureSettings(rate), chosen.rounds, clock)
    rate = chosen.rates[0]
    together(song(rate), FeatureSettings(rate), chosen.rounds, chosen.workers)


if __name__ == "__main__":
    main()
