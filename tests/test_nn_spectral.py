"""The spectral distance against sums over explicit Fourier transforms."""

import functools
import math

import numpy as np
import pytest
import torch

from pasdedeux.nn import spectral
from pasdedeux.nn.spectral import RESOLUTIONS, Resolution


def _sounds(seed, samples=1301):
    return 0.3 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


@functools.cache
def _transform(points):
    k, s = np.arange(points // 2 + 1)[:, None], np.arange(points)
    return np.exp(-2j * np.pi * k * s / points)


def _magnitudes(sound, resolution):
    """|STFT| of one sound by the definition, in float64, by loops over windows."""
    points, hop, window = resolution
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    padded = np.pad(sound.double().numpy(), points // 2)
    weights = np.zeros(points)
    weights[(points - window) // 2 :][:window] = hann
    starts = range(0, len(padded) - points + 1, hop)
    return np.stack(
        [np.abs(_transform(points) @ (weights * padded[a : a + points])) for a in starts], 1
    )


def test_magnitudes_are_those_of_the_definition():
    sound = _sounds(0)
    for resolution in (*RESOLUTIONS, spectral.SCALE):
        made = spectral.magnitudes(sound, resolution)
        for b in range(2):
            expected = _magnitudes(sound[b], resolution)
            assert made[b].shape == expected.shape
            assert np.allclose(made[b], expected, atol=1e-3)


def test_the_distance_is_the_mean_frobenius_norm_of_the_three_resolutions():
    sound, other = _sounds(1), _sounds(2)
    made = spectral.distance(sound, other)
    for b in range(2):
        norms = [
            math.sqrt(float(((_magnitudes(sound[b], r) - _magnitudes(other[b], r)) ** 2).sum()))
            for r in RESOLUTIONS
        ]
        assert float(made[b]) == pytest.approx(sum(norms) / 3, rel=1e-4)
    assert [tuple(r) for r in RESOLUTIONS] == [(2048, 240, 1200), (1024, 120, 600), (512, 50, 240)]


def test_equal_sounds_have_no_distance_and_a_finite_gradient():
    sound = _sounds(3)
    heard = sound.clone().requires_grad_()
    apart = spectral.distance(sound, heard)
    apart.sum().backward()
    assert not apart.any()
    assert torch.isfinite(heard.grad).all()
    silent = torch.zeros_like(sound).requires_grad_()
    spectral.distance(torch.zeros_like(sound), silent).sum().backward()
    assert torch.isfinite(silent.grad).all()


def test_the_distance_hears_no_sign_and_grows_with_loudness():
    sound, other = _sounds(4), _sounds(5)
    assert torch.allclose(spectral.distance(sound, -sound), torch.zeros(2), atol=1e-4)
    assert torch.allclose(
        spectral.distance(3 * sound, 3 * other), 3 * spectral.distance(sound, other), rtol=1e-4
    )
    assert torch.allclose(
        spectral.distance(other, sound), spectral.distance(sound, other), rtol=1e-6
    )


def test_the_convergence_of_silence_is_one_and_of_half_the_loudness_a_half():
    sound = _sounds(6)
    assert torch.allclose(spectral.convergence(sound, torch.zeros_like(sound)), torch.ones(2))
    assert torch.allclose(spectral.convergence(sound, sound / 2), torch.full((2,), 0.5))
    assert not spectral.convergence(sound, sound).any()
    with pytest.raises(ValueError, match="reference must not be silent"):
        spectral.convergence(torch.zeros_like(sound), sound)


def test_the_norm_is_that_of_one_resolution():
    sound, resolution = _sounds(7), Resolution(64, 16, 40)
    made = spectral.norm(sound, resolution)
    for b in range(2):
        expected = math.sqrt(float((_magnitudes(sound[b], resolution) ** 2).sum()))
        assert float(made[b]) == pytest.approx(expected, rel=1e-4)
