"""The short-time spectrum that all features share, and the way back to sound.

Windows are Hann, 2048 samples long and centred on every `hop_samples`-th sample from the first on;
the sound is zero outside. Equal to `librosa.stft` and `librosa.istft`, time first, and computed by
torch, which is faster. `S` samples, `T` windows, `C` frequency bins, 0 to half the rate.
"""

import numpy as np
import torch
from jaxtyping import Complex64, Float32

WINDOW_SAMPLES = 2048  # librosa's default, the paper gives none
BINS = WINDOW_SAMPLES // 2 + 1


def spectrum(sound: Float32[np.ndarray, " S"], hop_samples: int) -> Complex64[np.ndarray, "T C"]:
    """Return the spectrum of `sound`, T = 1 + S // hop_samples windows."""
    found = torch.stft(
        torch.from_numpy(sound),
        WINDOW_SAMPLES,
        hop_samples,
        window=torch.hann_window(WINDOW_SAMPLES),
        pad_mode="constant",
        return_complex=True,
    )
    return found.T.contiguous().numpy()


def waveform(
    spectrum: Complex64[np.ndarray, "T C"], hop_samples: int, samples: int
) -> Float32[np.ndarray, " S"]:
    """Return the sound whose spectrum is nearest to `spectrum`, `samples` long."""
    found = torch.istft(
        torch.from_numpy(spectrum).T,
        WINDOW_SAMPLES,
        hop_samples,
        window=torch.hann_window(WINDOW_SAMPLES),
        length=samples,
    )
    return found.numpy()
