"""The 53 features: equal to plain librosa, known for known sounds, kept and made in parallel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_limits

from pasdedeux.music import features as module
from pasdedeux.music import recording
from pasdedeux.music.features import (
    BEAT,
    CHROMA,
    DELTA,
    MFCC,
    Features,
    FeatureSettings,
    features,
    of_files,
)

RATE = 24_000


def song(seconds=8.0, *, rate=RATE, bpm=120.0, chord=(48, 55, 64), rest_seconds=0.0, seed=0):
    """Return chords and drums with hiss, and silence of `rest_seconds` on both sides."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    hz = 440 * 2 ** ((np.array(chord) - 69) / 12)
    tones = [np.sin(2 * np.pi * f * n * time) / n for f in hz for n in (1, 2, 3)]
    into_beat = time % (60 / bpm)
    drums = rng.standard_normal(len(time)) * np.exp(-into_beat / 0.02)
    hiss = 0.001 * rng.standard_normal(len(time))
    loud = (0.1 * sum(tones) + 0.3 * drums + hiss).astype(np.float32)
    rest = np.zeros(round(rest_seconds * rate), np.float32)
    return np.concatenate([rest, loud, rest])


def plain(sound, settings):
    """Return the same features by librosa's own calls, every one from the sound."""
    import librosa

    rate, hop = settings.sample_rate_hz, settings.sample_rate_hz // 25
    fine = {"sr": rate, "hop_length": settings.hop_samples}
    mfcc = librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=20, hop_length=hop)
    harmonic, struck = librosa.effects.hpss(sound, hop_length=settings.hop_samples)
    chroma = librosa.feature.chroma_cqt(y=harmonic, sr=rate, hop_length=hop)
    strength = librosa.onset.onset_strength(y=struck, **fine)
    prior = {"start_bpm": settings.start_bpm, "std_bpm": settings.tempo_octaves}
    bpm = librosa.feature.tempo(onset_envelope=strength, **prior, **fine)
    _, beats = librosa.beat.beat_track(onset_envelope=strength, bpm=bpm, units="time", **fine)
    onsets = librosa.onset.onset_detect(onset_envelope=strength, units="time", **fine)
    frames = np.concatenate([mfcc, librosa.feature.delta(mfcc), chroma]).T
    return Features(frames[: len(sound) // hop], beats, onsets, float(bpm[0]))


def check_equal(found, expected):
    """Compare with the stated tolerances: 1e-6 of the largest MFCC, 1e-5 for chroma."""
    largest = np.abs(expected.frames[:, MFCC]).max()
    assert len(found.frames) == len(expected.frames)
    for part in (MFCC, DELTA):
        np.testing.assert_allclose(
            found.frames[:, part], expected.frames[:, part], atol=1e-6 * largest
        )
    heard = found.frames[:, CHROMA].any(axis=1)
    np.testing.assert_allclose(
        found.frames[heard, CHROMA], expected.frames[heard, CHROMA], atol=1e-5
    )
    np.testing.assert_allclose(found.beat_seconds, expected.beat_seconds, atol=1e-9)
    np.testing.assert_allclose(found.onset_seconds, expected.onset_seconds, atol=1e-9)
    assert found.bpm == expected.bpm
    return heard


@pytest.mark.parametrize("rate", [10_000, 12_800, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_they_equal_plain_librosa(rate):
    settings = FeatureSettings(rate, start_bpm=100.0, tempo_octaves=0.5)
    sound = song(5.3, rate=rate)
    found = features(sound, settings)
    heard = check_equal(found, plain(sound, settings))
    assert heard.all()
    assert found.frames.dtype == np.float32
    assert found.frames.shape == (132, 53)  # 5.3 s are 132.5 frames
    assert len(found.beat_seconds) > 5


def test_the_layout_is_that_of_the_paper():
    columns = np.arange(53)
    parts = [columns[part].tolist() for part in (MFCC, DELTA, CHROMA)]
    assert parts == [list(range(20)), list(range(20, 40)), list(range(40, 52))]
    assert columns[BEAT] == 52
    found = features(song(6.0))
    assert np.isfinite(found.frames).all()
    chroma = found.frames[:, CHROMA]
    assert (chroma.min(), chroma.max()) == (pytest.approx(0, abs=0.1), 1)
    beats = found.frames[:, BEAT]
    assert set(np.unique(beats)) == {0, 1}
    assert beats.sum() == len(found.beat_seconds)
    assert np.abs(np.flatnonzero(beats) / 25 - found.beat_seconds).max() <= 0.5 / 25 + 1e-9


def test_a_steady_chord_and_drum_are_recognised():
    found = features(song(10.0, bpm=100, chord=(52, 56, 59)))  # E major
    assert found.bpm == pytest.approx(100)
    beats = found.beat_seconds[:-1] / 0.6  # the last one may be drawn to the end of the sound
    assert np.abs(beats - np.round(beats)).max() * 0.6 < 1 / 25
    assert np.diff(np.round(beats)).tolist() == [1] * (len(beats) - 1)
    strongest = np.sort(np.argsort(found.frames[:, CHROMA], axis=1)[:, -3:], axis=1)
    assert (strongest == [4, 8, 11]).all(axis=1).mean() > 0.95


@pytest.mark.parametrize(("shift", "apart"), [(8, 1e-4), (11, 0.02)])
def test_a_song_that_starts_n_frames_later_has_its_features_n_frames_later(shift, apart):
    # 8 frames are a whole number of the steps that the tuning is read from; at others it may
    # come out a hundredth of a bin away, which chroma show
    sound = song(7.0, bpm=125.0, rest_seconds=2.0)
    late = np.concatenate([np.zeros(shift * RATE // 25, np.float32), sound])
    first, second = features(sound), features(late)
    assert second.bpm == first.bpm
    np.testing.assert_allclose(second.beat_seconds, first.beat_seconds + shift / 25)
    np.testing.assert_allclose(second.onset_seconds, first.onset_seconds + shift / 25)
    moved, inner = second.frames[shift:], slice(10, -10)
    np.testing.assert_allclose(moved[inner, :40], first.frames[inner, :40], atol=5e-3)
    loud = slice(60, -60)
    np.testing.assert_allclose(moved[loud, CHROMA], first.frames[loud, CHROMA], atol=apart)
    np.testing.assert_array_equal(moved[:, BEAT], first.frames[:, BEAT])


def test_silence_has_neither_chroma_nor_beats():
    found = features(np.zeros(5 * RATE, np.float32))
    assert found.frames.shape == (125, 53)
    assert np.isfinite(found.frames).all()
    assert not found.frames[:, CHROMA].any()
    assert not found.frames[:, BEAT].any()
    assert found.bpm == len(found.beat_seconds) == len(found.onset_seconds) == 0
    edges = features(song(4.0, rest_seconds=3.0)).frames
    assert not edges[:30, CHROMA].any()
    assert edges[100:150, CHROMA].any(axis=1).all()


def test_strokes_without_tones_and_tones_without_strokes_are_no_error():
    strokes = np.zeros(5 * RATE, np.float32)
    strokes[:: RATE // 2] = 1.0
    assert np.isfinite(features(strokes).frames).all()
    tone = np.sin(2 * np.pi * 220 * np.arange(5 * RATE) / RATE).astype(np.float32)
    found = features(tone)
    assert (found.frames[10:-10, CHROMA].argmax(axis=1) == 9).all()


def test_the_kind_of_numbers_given_does_not_matter_and_they_stay():
    sound = song(4.0)
    kept = sound.copy()
    first = features(sound)
    np.testing.assert_array_equal(sound, kept)
    second = features(sound.astype(np.float64))
    np.testing.assert_array_equal(first.frames, second.frames)
    assert second.frames.dtype == np.float32


def test_the_number_of_threads_changes_no_bit():
    """Checksums of data, and with them the keys of all runs, rest on every bit."""
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * 24_000).astype(np.float32)
    with threadpool_limits(1):
        one = features(noise)
    with threadpool_limits(2):
        two = features(noise)
    assert np.array_equal(one.frames, two.frames)


def test_what_makes_no_sense_is_refused():
    for rate in (24_010, 8_000, 96_000, 0):
        with pytest.raises(ValueError, match=f"multiple of 25 .*such as 24000.* got {rate}"):
            FeatureSettings(rate)
    with pytest.raises(ValueError, match="must split into steps of 256 to 512, got 33025 Hz"):
        FeatureSettings(33_025)  # 1321 samples a frame, a prime
    with pytest.raises(ValueError, match=r"start_bpm must be above 0, got 0\.0"):
        FeatureSettings(start_bpm=0.0)
    with pytest.raises(ValueError, match="tempo_octaves must be above 0, got inf"):
        FeatureSettings(tempo_octaves=float("inf"))
    with pytest.raises(ValueError, match=r"at least 3\.2 s, got 3\.00 s .* is that its rate"):
        features(song(3.0))
    broken = song(4.0)
    broken[7] = np.nan
    with pytest.raises(ValueError, match="sound must be finite"):
        features(broken)


@pytest.fixture
def files(project):
    """Three songs on disk, and a project whose cache is empty."""
    chords = {"a.wav": (48, 52, 55), "b.ogg": (50, 53, 57), "c.flac": (47, 51, 54)}
    for seed, (name, chord) in enumerate(chords.items()):
        soundfile.write(project / name, song(4.1, chord=chord, seed=seed), RATE)
    return [project / name for name in chords]


def _kept(project):
    return sorted((project / ".cache" / "features").glob("*.npz"))


def _same(left, right):
    for one, other in zip(left, right, strict=True):
        assert one.bpm == other.bpm
        for field in ("frames", "beat_seconds", "onset_seconds"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        assert one.frames.dtype == other.frames.dtype == np.float32


def test_files_are_read_in_parallel_and_in_order(files, project):
    fresh = [features(recording.read(path, RATE)) for path in files]
    _same(of_files(files, workers=3), fresh)
    assert len(_kept(project)) == 3
    for file in _kept(project):
        file.unlink()
    _same(of_files(files[::-1], workers=1), fresh[::-1])
    assert of_files([]) == []


def test_what_is_kept_is_not_made_again(files, project, monkeypatch):
    first = of_files(files)

    def never(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(module, "features", never)
    _same(of_files([str(path) for path in files]), first)
    files[0].rename(project / "moved.wav")  # what counts is the content
    _same(of_files([project / "moved.wav"]), first[:1])
    with pytest.raises(AssertionError, match="made again"):
        of_files(files[1:2], FeatureSettings(start_bpm=90.0))


def test_every_file_may_have_its_own_settings(files):
    settings = [FeatureSettings(start_bpm=bpm, tempo_octaves=0.1) for bpm in (60.0, 120.0, 240.0)]
    assert [found.bpm for found in of_files(files, settings)] == pytest.approx(
        [60, 120, 240], rel=0.1
    )
    with pytest.raises(ValueError, match="one for each of 3 files, got 2"):
        of_files(files, settings[:2])
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        of_files(files, workers=0)


def test_a_bad_file_is_named_and_never_kept(files, project):
    good = files[1].read_bytes()
    files[1].write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=r"b\.ogg: cut"):
        of_files(files)
    assert len(_kept(project)) <= 2
    with pytest.raises(ValueError, match=r"b\.ogg: cut"):
        of_files(files[1:2])
    with pytest.raises(ValueError, match=r"none\.mp3: no such file"):
        of_files([project / "none.mp3"])
    files[1].write_bytes(good)
    _same(of_files(files), [features(recording.read(path, RATE)) for path in files])
    soundfile.write(files[0], song(3.1), RATE)
    with pytest.raises(ValueError, match=r"a\.wav: 3\.10 s long, 3\.20 s are needed"):
        of_files(files[:1])


def _real():
    folder = Path(os.environ.get("PASDEDEUX_DATA", "")) / "tang2018"
    return sorted(folder.glob("DANCE_W_*/audio.mp3"))[:2] if folder.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not _real(), reason="needs $PASDEDEUX_DATA/tang2018, real waltzes")
def test_real_waltzes_have_the_tempo_of_a_waltz_and_equal_plain_librosa():
    settings = FeatureSettings(start_bpm=88.0, tempo_octaves=0.15)
    for path in _real():
        sound = recording.read(path, RATE)
        assert 80 < features(sound[: 30 * RATE], settings).bpm < 96
        part = sound[20 * RATE : 27 * RATE]
        check_equal(features(part, settings), plain(part, settings))


def test_what_is_compiled_once_is_not_compiled_again():
    """Another song in another process needs nothing that `compile_once` has not made or found."""
    again = (
        "import numpy; from pasdedeux.music.features import features; "
        "features(numpy.sin(numpy.arange(120_000) / 20).astype('float32'))"
    )
    used = []
    for code in ("from pasdedeux.music.features import compile_once; compile_once()", again):
        environment = {**os.environ, "NUMBA_DEBUG_CACHE": "1"}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        used.append(set(re.findall(r"\[cache\] data (?:saved to|loaded from) '(.+)'", ran.stdout)))
    assert "data saved" not in ran.stdout
    assert used[1]
    assert used[1] <= used[0]
