"""The spectrum against librosa's, and back to sound."""

import numpy as np
import pytest

from pasdedeux.music.spectrum import BINS, spectrum, waveform


def _noise(samples, seed=0):
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.mark.parametrize(("samples", "hop"), [(9001, 480), (4801, 441), (5120, 512), (6007, 320)])
def test_it_is_librosas_transposed(samples, hop):
    import librosa

    sound = _noise(samples)
    found = spectrum(sound, hop)
    assert found.shape == (1 + samples // hop, BINS)
    expected = librosa.stft(sound, n_fft=2048, hop_length=hop).T
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("hop", [480, 441, 512])
def test_the_way_back_ends_where_it_began(hop):
    sound = _noise(7919)
    np.testing.assert_allclose(waveform(spectrum(sound, hop), hop, 7919), sound, atol=1e-5)


def test_a_changed_spectrum_goes_back_as_librosas_does():
    import librosa

    sound, hop = _noise(8009), 480
    found = spectrum(sound, hop)
    found = found * np.random.default_rng(1).random(found.shape, dtype=np.float32)
    expected = librosa.istft(found.T, n_fft=2048, hop_length=hop, length=8009)
    np.testing.assert_allclose(waveform(found, hop, 8009), expected, atol=1e-5)
