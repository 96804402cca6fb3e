"""Songs that the music VQ-VAE learns from, and excerpts drawn from them.

Mono, float32, at 22,050 Hz. `S` samples of a song, `B` excerpts, `N` clips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.papers.cdcd_codec_settings import RATE_HZ

LOUDEST = 2.0  # decoded mp3 goes a little beyond 1; 16-bit integers go far beyond


@dataclass(frozen=True, eq=False)
class Sounds:
    """Songs to learn from and songs held out, each a mono waveform in [-1, 1]."""

    train: tuple[Float32[np.ndarray, " _"], ...]
    held_out: tuple[Float32[np.ndarray, " _"], ...]
    rate_hz: int = RATE_HZ

    def __post_init__(self) -> None:
        """Refuse sounds that nothing can be learnt from, naming part and place."""
        refuse(
            self.rate_hz != RATE_HZ,
            f"rate_hz must be {RATE_HZ}, got {self.rate_hz}; resample the sounds first.",
        )
        for name, sounds in (("train", self.train), ("held_out", self.held_out)):
            refuse(not sounds, f"{name} must hold at least one sound, got none.")
            for place, sound in enumerate(sounds):
                _check(sound, f"{name}[{place}]")

    @cached_property
    def checksum(self) -> str:
        """The digest of all samples and of which sounds are held out."""
        parts: list[str | bytes] = []
        for name, sounds in (("train", self.train), ("held_out", self.held_out)):
            parts += [name, *(np.ascontiguousarray(sound).tobytes() for sound in sounds)]
        return digest(*parts)


def _check(sound: Float32[np.ndarray, " _"], name: str) -> None:
    refuse(not len(sound), f"{name} must hold samples, got none.")
    loudest = float(np.abs(sound).max())
    refuse(not np.isfinite(loudest), f"{name} must be finite; it holds NaN or infinity.")
    refuse(loudest == 0, f"{name} is silent; leave it out.")
    refuse(
        loudest > LOUDEST,
        f"{name} must be in [-1, 1], got up to {loudest:g}; divide 16-bit samples by 32768.",
    )


def excerpts(
    sounds: Sequence[Float32[np.ndarray, " _"]], count: int, samples: int, draw: torch.Generator
) -> Float[Tensor, "B S"]:
    """Return `count` excerpts of `samples` samples, every place of every song equally likely.

    Raises `ValueError` when a song is shorter than an excerpt.
    """
    short = [place for place, sound in enumerate(sounds) if len(sound) < samples]
    refuse(bool(short), f"sounds {short} are shorter than an excerpt of {samples} samples.")
    places = torch.tensor([len(sound) - samples + 1 for sound in sounds])
    ends = places.cumsum(0)
    drawn = torch.randint(int(ends[-1]), (count,), generator=draw)
    songs = torch.searchsorted(ends, drawn, right=True)
    starts = drawn - (ends - places)[songs]
    cut = [
        sounds[song][start : start + samples]
        for song, start in zip(songs.tolist(), starts.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(cut))


def clips(sounds: Sequence[Float32[np.ndarray, " _"]], samples: int) -> Float32[np.ndarray, "N S"]:
    """Return every whole clip of `samples` samples, one after the other; none overlap."""
    cut = [
        sound[begin : begin + samples]
        for sound in sounds
        for begin in range(0, len(sound) - samples + 1, samples)
    ]
    return np.stack(cut) if cut else np.zeros((0, samples), np.float32)
