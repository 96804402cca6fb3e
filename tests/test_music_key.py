import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from pasdedeux.data import essen
from pasdedeux.music import key
from pasdedeux.music.melody import Melody


def scale(tonic: int, pattern: tuple[int, ...], lengths: tuple[float, ...]) -> Melody:
    pitch = np.array([60 + tonic + step for step in pattern])
    return Melody("scale", pitch, np.arange(len(pattern), dtype=float), np.array(lengths))


MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 11)
LENGTHS = (4.0, 1.0, 2.0, 1.0, 3.0, 1.0, 1.0)


def test_durations_by_pitch_class_by_hand():
    found = key.pitch_class_durations(scale(2, (0, 12, 5), (1.0, 0.5, 2.0)))
    assert np.flatnonzero(found).tolist() == [2, 7]
    assert found[[2, 7]].tolist() == [1.5, 2.0]


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("pattern", "mode"), [(MAJOR, "major"), (MINOR, "minor")])
def test_a_scale_that_rests_on_its_tonic_is_in_that_key(tonic, pattern, mode):
    found = key.estimate(scale(tonic, pattern, LENGTHS))
    assert (found.tonic, found.mode) == (tonic, mode)


def test_the_correlation_is_pearsons():
    melody = scale(0, MAJOR, LENGTHS)
    found = key.estimate(melody, tonic=0)
    weights = key.pitch_class_durations(melody)
    assert found.correlation == pytest.approx(np.corrcoef(weights, key.PROFILES["major"])[0, 1])


@given(st.lists(st.tuples(st.integers(40, 80), st.integers(1, 7)), min_size=2, max_size=23),
       st.integers(-12, 12))  # fmt: skip
def test_a_shifted_melody_is_in_the_shifted_key(rows, semitones):
    pitch, duration = np.array(rows).T
    onset = np.cumsum(duration) - duration
    melody = Melody("drawn", pitch, onset.astype(float), duration.astype(float))
    weights = key.pitch_class_durations(melody)
    if (weights == weights[0]).all():
        return
    correlations = sorted(key._profiles() @ (weights - weights.mean()))
    before, after = key.estimate(melody), key.estimate(melody.shifted(semitones))
    assert after.correlation == pytest.approx(before.correlation)
    if correlations[-1] - correlations[-2] > 1e-9:  # else the tie is decided by the tonic's name
        assert (after.tonic, after.mode) == ((before.tonic + semitones) % 12, before.mode)


def test_a_given_tonic_leaves_the_mode():
    assert key.estimate(scale(9, MINOR, LENGTHS), tonic=9).mode == "minor"
    assert key.estimate(scale(0, MAJOR, LENGTHS), tonic=9).tonic == 9


def test_a_melody_that_names_no_key_is_refused():
    empty = Melody("nothing", np.zeros(0, int), np.zeros(0), np.zeros(0))
    even = Melody("all", np.arange(60, 72), np.arange(12.0), np.full(12, 0.1))
    for melody in (empty, even):
        with pytest.raises(ValueError, match=f"{melody.name}: .* name no key"):
            key.estimate(melody)


def test_shifts_to_c_are_true_and_within_their_range():
    for tonic in range(12):
        near, down = key.semitones_to_c(tonic), key.semitones_to_c(tonic, "down")
        assert (tonic + near) % 12 == (tonic + down) % 12 == 0
        assert -5 <= near <= 6
        assert -11 <= down <= 0
    assert key.semitones_to_c(10, "down") == -10  # B flat, by its letter alone it would be -11
    assert (key.semitones_to_c(6), key.semitones_to_c(7)) == (6, 5)
    with pytest.raises((ValueError, TypeCheckError), match="shift"):
        key.semitones_to_c(3, "up")
    with pytest.raises(ValueError, match="pitch class 0..11, got 12"):
        key.semitones_to_c(12)


def test_signatures():
    assert key.signature_tonic(key.Key(9, "minor", 1.0)) == 0
    assert key.signature_tonic(key.Key(2, "major", 1.0)) == 2


def test_the_notated_tonic_of_most_folk_songs_is_found():
    melodies = [song.melody for song in essen.corpus().songs]
    hits = [key.estimate(melody).tonic == melody.tonic for melody in melodies]
    assert np.mean(hits) == pytest.approx(0.86, abs=0.005)
