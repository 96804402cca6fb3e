"""Chroma of tones whose pitch is known, silence, and the same from librosa."""

import numpy as np
import pytest

from pasdedeux.music.chroma import chroma, tuning

RATE, HOP = 12_800, 512


def _tone(pitch, seconds=3.3, rate=RATE, harmonics=3):
    time = np.arange(round(seconds * rate)) / rate
    hz = 440 * 2 ** ((pitch - 69) / 12)
    return sum(np.sin(2 * np.pi * hz * n * time) / n for n in range(1, harmonics + 1)).astype("f4")


@pytest.mark.parametrize("pitch", [48, 61, 62, 69, 83])
def test_a_tone_has_its_pitch_class_in_every_frame(pitch):
    found = chroma(_tone(pitch), RATE, HOP)
    assert found.dtype == np.float32
    assert (found.argmax(axis=1) == pitch % 12).all()
    assert (found.max(axis=1) == 1).all()


def test_a_piece_out_of_tune_keeps_its_pitch_class():
    for cents in (-40, 40):
        found = chroma(_tone(64 + cents / 100), RATE, HOP)
        assert np.median(found.argmax(axis=1)) == 4


def test_silence_has_no_chroma():
    sound = np.concatenate([_tone(60), np.zeros(4 * RATE, np.float32), _tone(67)])
    found = chroma(sound, RATE, HOP)
    pause = slice(int(4.5 * 25), int(6 * 25))
    assert (found[pause] == 0).all()
    assert (found[: 3 * 25].argmax(axis=1) == 0).all()
    assert (found[8 * 25 :].argmax(axis=1) == 7).all()
    np.testing.assert_array_equal(chroma(0 * sound, RATE, HOP), 0 * found)


def test_loudness_does_not_count():
    sound = _tone(57) + 0.1 * _tone(64)
    quiet = chroma(np.float32(1e-3) * sound, RATE, HOP)
    np.testing.assert_allclose(quiet, chroma(sound, RATE, HOP), atol=1e-5)


@pytest.mark.parametrize(("rate", "hop"), [(12_800, 512), (22_050, 882), (24_000, 960)])
def test_it_is_librosas(rate, hop):
    import librosa

    sound = sum(_tone(pitch, rate=rate) for pitch in (45.1, 52.2, 60.15))
    sound += 0.1 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    expected = librosa.feature.chroma_cqt(y=sound, sr=rate, hop_length=hop).T
    np.testing.assert_allclose(chroma(sound, rate, hop), expected, atol=1e-5)


@pytest.mark.parametrize("rate", [10_000, 22_050, 48_000])
def test_the_tuning_is_librosas(rate):
    import librosa

    for cents in (-15, -8, 0, 5, 13):
        sound = sum(_tone(pitch + cents / 100, rate=rate) for pitch in (50, 57, 65))
        sound += 0.05 * np.random.default_rng(1).standard_normal(len(sound)).astype(np.float32)
        expected = librosa.estimate_tuning(y=sound, sr=rate, bins_per_octave=36)
        assert tuning(sound, rate) == expected
        apart = expected - cents * 36 / 1200
        assert abs(apart - round(apart)) < 0.2  # bins: half a bin flat is half a bin sharp


def test_what_has_no_pitch_is_in_tune():
    assert tuning(np.zeros(4000, np.float32), RATE) == 0.0
    low = np.sin(2 * np.pi * 30 * np.arange(RATE) / RATE).astype(np.float32)
    assert tuning(low * np.hanning(RATE).astype(np.float32), RATE) == 0.0
