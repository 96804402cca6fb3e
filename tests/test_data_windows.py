import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.data.windows import places, views, window_count, windows


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


@pytest.mark.parametrize("shape", [(), (53,), (24, 3), (2, 5, 3)])
def test_steps_may_hold_anything(shape):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, *shape)).astype(np.float32) for n in (17, 3, 7, 11)]
    found = windows(sequences, 7, 3)
    expected = [s[at : at + 7] for s in sequences for at in range(0, len(s) - 6, 3)]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.stack(expected))
    at = places([len(s) for s in sequences], 7, 3)
    for number, start, window in zip(*at, found, strict=True):
        np.testing.assert_array_equal(sequences[number][start : start + 7], window)


def test_views_copy_nothing_and_cannot_be_written():
    poses = np.zeros((101, 147))
    found = views(poses, 75, 10)
    assert found.shape == (3, 75, 147)
    assert np.shares_memory(found, poses)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0, 0] = 1
    assert windows([poses], 75, 10).flags.writeable
    assert views(poses[:74], 75, 10).shape == (0, 75, 147)


def test_nothing_has_no_windows():
    assert windows([], 5, 2).shape == (0, 5)
    assert windows([np.zeros((4, 3))], 5, 2).shape == (0, 5, 3)
    assert places([], 5, 2).start.tolist() == places([4, 1], 5, 2).sequence.tolist() == []
