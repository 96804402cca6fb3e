"""Onsets, tempo and beats of click tracks, whose times are known."""

import numpy as np
import pytest

from pasdedeux.music import rhythm
from pasdedeux.music.spectrum import spectrum

RATE, HOP = 24_000, 480
STEP_HZ = RATE / HOP


def clicks(bpm, seconds, *, start_seconds=0.5, rate=RATE):
    """Return a sound with short noisy strokes at a steady tempo, and their seconds."""
    sound = np.zeros(round(seconds * rate), dtype=np.float32)
    time = np.arange(round(0.03 * rate)) / rate
    stroke = np.random.default_rng(0).standard_normal(len(time)) * np.exp(-time / 0.005)
    when = np.arange(start_seconds, seconds - 0.1, 60 / bpm)
    for second in when:
        begin = round(second * rate)
        sound[begin : begin + len(stroke)] += stroke
    return sound, when


def strength_of(sound):
    return rhythm.onset_strength(np.abs(spectrum(sound, HOP)), RATE, HOP)


@pytest.mark.parametrize("bpm", [75, 100, 120, 150])
def test_clicks_are_heard_when_they_sound(bpm):
    sound, when = clicks(bpm, 13)
    strength = strength_of(sound)
    found = rhythm.onset_seconds(strength, STEP_HZ)
    assert len(found) == len(when)
    assert np.abs(found - when).max() <= 1 / STEP_HZ

    tempo = rhythm.tempo_bpm(strength, STEP_HZ, start_bpm=bpm * 1.1, tempo_octaves=0.5)
    assert tempo == pytest.approx(bpm)
    beats = rhythm.beat_seconds(strength, STEP_HZ, tempo)
    assert len(beats) >= len(when) - 1
    beats = beats[:-1]  # the last one may be drawn to the end of the sound
    assert np.abs(beats[:, None] - when).min(axis=1).max() <= 1 / STEP_HZ + 1e-9


def test_a_later_start_moves_the_beats_and_keeps_the_tempo():
    sound, _ = clicks(100, 12)
    late = np.concatenate([np.zeros(37 * HOP, np.float32), sound])
    first, second = strength_of(sound), strength_of(late)
    np.testing.assert_allclose(second[37:], first, atol=1e-5)
    tempo = rhythm.tempo_bpm(first, STEP_HZ)
    assert rhythm.tempo_bpm(second, STEP_HZ) == tempo == pytest.approx(100)
    early, later = (rhythm.beat_seconds(one, STEP_HZ, tempo) for one in (first, second))
    np.testing.assert_allclose(later, early + 37 / STEP_HZ)
    onsets = rhythm.onset_seconds(first, STEP_HZ)
    np.testing.assert_allclose(rhythm.onset_seconds(second, STEP_HZ), onsets + 37 / STEP_HZ)


def test_the_prior_decides_between_a_tempo_and_its_double():
    strong, _ = clicks(75, 16)
    weak, _ = clicks(150, 16)
    strength = strength_of(strong + 0.5 * weak)
    for start in (75.0, 150.0):
        found = rhythm.tempo_bpm(strength, STEP_HZ, start_bpm=start, tempo_octaves=0.15)
        assert found == pytest.approx(start)
        beats = rhythm.beat_seconds(strength, STEP_HZ, found)
        assert np.median(np.diff(beats)) == pytest.approx(60 / start)


def test_the_strength_is_librosas():
    import librosa

    sound, _ = clicks(110, 5)
    sound += 0.1 * np.random.default_rng(3).standard_normal(len(sound)).astype(np.float32)
    expected = librosa.onset.onset_strength(y=sound, sr=RATE, hop_length=HOP)
    np.testing.assert_allclose(strength_of(sound), expected, atol=1e-4)


@pytest.mark.parametrize("seconds", [3, 11, 30])
def test_the_tempo_is_librosas(seconds):
    import librosa

    rng = np.random.default_rng(seconds)
    for bpm in (60, 97, 140):
        strength = strength_of(clicks(bpm, seconds)[0]) + rng.random(seconds * 50 + 1, "f4")
        strength[: seconds * 10] = 0
        for start, octaves in ((120.0, 1.0), (80.0, 0.3)):
            expected = librosa.feature.tempo(
                onset_envelope=strength, sr=RATE, hop_length=HOP, start_bpm=start, std_bpm=octaves
            )
            prior = {"start_bpm": start, "tempo_octaves": octaves}
            assert rhythm.tempo_bpm(strength, STEP_HZ, **prior) == expected[0]


def test_silence_has_no_rhythm():
    strength = strength_of(np.zeros(5 * RATE, np.float32))
    assert not strength.any()
    assert rhythm.tempo_bpm(strength, STEP_HZ) == 0.0
    assert len(rhythm.beat_seconds(strength, STEP_HZ, 0.0)) == 0
    assert len(rhythm.onset_seconds(strength, STEP_HZ)) == 0


def test_events_go_to_the_nearest_frame_and_a_tie_to_the_earlier():
    seconds = np.array([0.0, 0.019, 0.06, 0.0601, 0.139, 0.28, 5.0])
    marked = rhythm.on_frames(seconds, 7, 25.0)
    assert np.flatnonzero(marked).tolist() == [0, 1, 2, 3]
    assert not rhythm.on_frames(np.zeros(0), 3, 25.0).any()
    steps = np.arange(1000)  # of 0.02 s: every odd one is a tie
    for step in steps:
        found = rhythm.on_frames(np.array([step / 50]), 600, 25.0)
        assert np.flatnonzero(found).tolist() == [step // 2]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="rate_hz must be above 0"):
        rhythm.tempo_bpm(np.ones(9), 0.0)
    with pytest.raises(ValueError, match="strength must hold finite values"):
        rhythm.onset_seconds(np.array([1.0, np.nan]), STEP_HZ)
    with pytest.raises(ValueError, match="bpm must be above 0"):
        rhythm.beat_seconds(np.ones(9), STEP_HZ, 0.0)
    with pytest.raises(ValueError, match="start_bpm and tempo_octaves"):
        rhythm.tempo_bpm(np.ones(9), STEP_HZ, start_bpm=-1.0)
