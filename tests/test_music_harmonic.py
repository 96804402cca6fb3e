"""Medians against definition and scipy, masks against librosa, lines whose part is known."""

import numpy as np
import pytest
from scipy.ndimage import median_filter

from pasdedeux.music.harmonic import (
    LANES,
    REACH,
    WIDTH,
    _share,
    _slide,
    harmonic_mask,
    running_median,
)

SIZES = [(1, 1), (2, 67), (7, 131), (29, 64), (31, 3), (61, 65), (113, 197)]


def _windows(padded):
    """Return the 31 values of every window, along the first axis."""
    count = len(padded) - WIDTH + 1
    return np.stack([padded[shift : shift + count] for shift in range(WIDTH)])


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_the_running_median_is_the_middle_of_31(shape, levels):
    drawn = np.random.default_rng(0).integers(0, levels, shape)  # few levels: many ties
    values = np.sqrt(drawn).astype(np.float32)
    kept, found = values.copy(), running_median(values)
    padded = np.pad(values, ((REACH, REACH), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(found, np.sort(_windows(padded), axis=0)[REACH])
    np.testing.assert_array_equal(values, kept)
    if len(values) > REACH:  # scipy 1.17 reads past the ends of shorter ones
        np.testing.assert_array_equal(found, median_filter(values, (WIDTH, 1), mode="reflect"))


def test_the_compiled_loops_are_the_written_ones():
    values = np.random.default_rng(1).standard_normal((5, LANES)).astype(np.float32)
    padded = np.pad(values, ((REACH, REACH), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(_slide(padded), running_median(values))
    held, struck = np.abs(values[:, :7]), np.abs(values[:, 7:14])
    held[0] = struck[0] = 0
    found = _share(held, struck)
    np.testing.assert_allclose(found[1:], held[1:] ** 2 / (held**2 + struck**2)[1:], rtol=1e-5)
    np.testing.assert_array_equal(found[0], 0.5)


def test_the_mask_is_librosas():
    import librosa

    magnitude = np.abs(np.random.default_rng(2).standard_normal((101, 67))).astype(np.float32)
    magnitude[:, 20:60] = 0  # neither part: librosa gives each a half
    magnitude[40:90, :20] *= 1e-22  # squares of these are 0 in float32
    expected, rest = librosa.decompose.hpss(magnitude.T, mask=True)
    found = harmonic_mask(magnitude)
    np.testing.assert_allclose(found, expected.T, atol=1e-6)
    np.testing.assert_allclose(1 - found, rest.T, atol=1e-6)
    assert (found == 0.5).any()


def test_a_held_tone_is_harmonic_and_a_stroke_is_not():
    magnitude = np.zeros((97, 83), dtype=np.float32)
    magnitude[:, 41] = 3.0
    magnitude[50] = 2.0
    mask = harmonic_mask(magnitude)
    assert (np.delete(mask, 50, axis=0)[:, 41] == 1).all()
    assert (np.delete(mask, 41, axis=1)[50] == 0).all()
    np.testing.assert_allclose(mask[50, 41], 9 / (9 + 4), rtol=1e-6)
