"""The key of a chroma: the same correlation as for notes, and the turn to C major or A minor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.music import key
from pasdedeux.music.melody import Melody

C_MAJOR = np.array([8, 0, 3, 0, 5, 2, 0, 6, 0, 2, 0, 1], dtype=float)
A_MINOR = np.array([4, 0, 2, 0, 5, 1, 0, 1, 1, 8, 0, 2], dtype=float)


@given(st.lists(st.integers(0, 40), min_size=12, max_size=12).filter(lambda row: len(set(row)) > 1))
def test_weights_and_notes_of_these_durations_have_one_key(row):
    weights = np.array(row, dtype=float)
    onset = np.cumsum(weights) - weights
    melody = Melody("drawn", np.arange(60, 72), onset, weights)
    assert key.estimate_from(weights) == key.estimate(melody)
    assert key.estimate_from(weights, tonic=7) == key.estimate(melody, tonic=7)


@pytest.mark.parametrize("semitones", range(12))
@pytest.mark.parametrize("weights", [C_MAJOR, A_MINOR])
def test_a_chroma_in_any_key_comes_to_c_major_or_a_minor(weights, semitones):
    draw = np.random.default_rng(semitones)
    chroma = weights * draw.uniform(0.9, 1.1, size=(37, 12))
    found = key.chroma_in_c(np.roll(chroma, semitones, axis=1))
    assert found.chroma == pytest.approx(chroma)
    assert (found.semitones + semitones) % 12 == 0
    assert -5 <= found.semitones <= 6
    assert found.key.mode == ("major" if weights is C_MAJOR else "minor")
    assert found.key.tonic == (semitones + (0 if weights is C_MAJOR else 9)) % 12


def test_a_given_key_decides_the_turn():
    chroma = np.eye(12)[:5]
    found = key.chroma_in_c(chroma, key.Key(2, "minor", 1.0))  # D minor has F's signature
    assert found.semitones == -5
    assert found.chroma[:, 7:].tolist() == chroma[:, :5].tolist()


def test_weights_that_name_no_key_are_refused():
    for weights in (np.zeros(12), np.full(12, 0.3)):
        with pytest.raises(ValueError, match="twelve equal weights .* is the chroma silent"):
            key.estimate_from(weights)
    with pytest.raises(ValueError, match="finite and at least 0"):
        key.estimate_from(C_MAJOR - 1)
    with pytest.raises(ValueError, match="finite and at least 0"):
        key.estimate_from(np.where(C_MAJOR > 0, C_MAJOR, np.nan))
    with pytest.raises(ValueError, match="at least one frame, got none"):
        key.chroma_in_c(np.zeros((0, 12)))
