"""How far apart two sounds are by ear: magnitudes of short-time spectra at three resolutions.

    distance(x, y) = mean over (n, h, w) of || |STFT(x)| - |STFT(y)| ||        (Frobenius norm)

with n points, a Hann window of w samples every h samples, as Jukebox trains its VQ-VAE (Dhariwal
et al. 2020, section 4.1). Phases are not compared: the ear hardly hears them. Outside a sound
there is silence. `B` sounds, `S` samples, `C` frequencies, `T` windows.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse


class Resolution(NamedTuple):
    """One short-time spectrum: points of the transform, hop and window, in samples."""

    points: int
    hop_samples: int
    window_samples: int


RESOLUTIONS = (
    Resolution(2048, 240, 1200),
    Resolution(1024, 120, 600),
    Resolution(512, 50, 240),
)
SCALE = Resolution(2048, 256, 1536)  # of the norm that a data set's distances are divided by


def magnitudes(sound: Float[Tensor, "B S"], resolution: Resolution) -> Float[Tensor, "B C T"]:
    """Return the magnitudes of the spectra of `sound`: 1 + S // hop windows each."""
    points, hop, window = resolution
    hann = torch.hann_window(window, dtype=sound.dtype, device=sound.device)
    # zeros at both ends: the reflection that torch would add has no deterministic CUDA gradient
    return torch.stft(
        sound, points, hop, window, hann, pad_mode="constant", return_complex=True
    ).abs()


def norm(sound: Float[Tensor, "B S"], resolution: Resolution) -> Float[Tensor, " B"]:
    """Return the Frobenius norm of the spectrum of each sound."""
    return torch.linalg.vector_norm(magnitudes(sound, resolution), dim=(-2, -1))


def _apart(
    reference: Float[Tensor, "B S"], estimate: Float[Tensor, "B S"], resolution: Resolution
) -> Float[Tensor, " B"]:
    gap = magnitudes(reference, resolution) - magnitudes(estimate, resolution)
    return torch.linalg.vector_norm(gap, dim=(-2, -1))


def distance(
    reference: Float[Tensor, "B S"], estimate: Float[Tensor, "B S"]
) -> Float[Tensor, " B"]:
    """Return the distance of each pair of sounds, 0 for equal magnitudes."""
    return torch.stack([_apart(reference, estimate, each) for each in RESOLUTIONS]).mean(0)


def convergence(
    reference: Float[Tensor, "B S"], estimate: Float[Tensor, "B S"]
) -> Float[Tensor, " B"]:
    """Return the spectral convergence of each pair: its distance over the norm of the reference,
    at each resolution, and the mean of the three.

    0 for equal magnitudes, 1 for an estimate of silence. Raises `ValueError` for a reference that
    is silent.
    """
    loudest = reference.abs().amax(1)
    refuse(not bool((loudest > 0).all()), "reference must not be silent: nothing to compare with.")
    shares = [_apart(reference, estimate, each) / norm(reference, each) for each in RESOLUTIONS]
    return torch.stack(shares).mean(0)
