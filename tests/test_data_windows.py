import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.data.windows import window_count, windows


def test_windows_by_hand():
    found = windows([np.arange(7), np.arange(2), np.arange(10, 15)], 3, 2)
    assert found.tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6], [10, 11, 12], [12, 13, 14]]


def test_a_window_that_ends_with_its_sequence_counts():
    assert window_count(36, 36, 16) == 1
    assert window_count(36 + 16, 36, 16) == 2
    assert window_count(36 + 15, 36, 16) == 1
    assert window_count(35, 36, 16) == 0


@given(st.lists(st.integers(0, 41), max_size=5), st.integers(1, 13), st.integers(1, 7))
def test_windows_are_pieces_of_their_sequence(lengths, window, stride):
    sequences = [np.arange(length) + 1000 * i for i, length in enumerate(lengths)]
    found = windows(sequences, window, stride)
    assert found.shape == (sum(window_count(n, window, stride) for n in lengths), window)
    expected = [
        sequence[at : at + window].tolist()
        for sequence in sequences
        for at in range(0, len(sequence), stride)
        if at + window <= len(sequence)
    ]
    assert found.tolist() == expected


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="window and stride must be above 0, got 0, 3"):
        windows([np.arange(5)], 0, 3)
    with pytest.raises(ValueError, match="got 2, -1"):
        window_count(5, 2, -1)
