"""The condition and the network of CDCD (Zhu et al., ICLR 2023, sections 3 and C.1).

    c = fusion([motion encoder(dance), video features, genre embedding])

side by side and brought to one width by a linear layer; then p(z_0 | z_t, c) by `nn.denoiser`.
`B` batch, `T` frames, `S` positions of the condition, `D` width, `L` tokens, `K` codes.
"""

import math
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from pasdedeux.base.checks import refuse
from pasdedeux.nn.denoiser import Denoiser, DenoiserConfig, Read
from pasdedeux.nn.motion_encoder import MotionConfig, encoder
from pasdedeux.papers.cdcd_settings import CdcdSettings

TOKENS_A_POSITION = 8  # of the temporal layout


class Sizes(NamedTuple):
    """What the data decide: frames and tokens of a clip, genres, codes, and numbers of a frame.

    As published a frame has 24 rotation matrices and the translation.
    """

    frames: int
    tokens: int
    genres: int
    codes: int
    features: int = 219


class Asked(NamedTuple):
    """What music is asked for: dances, their genres and the user's features of their videos."""

    motion: Float[Tensor, "B T F"]
    genre: Int[Tensor, " B"]
    visual: Float[Tensor, "B V"] | None = None

    def at(self, places: Int[Tensor, " M"]) -> "Asked":
        """Return what is asked at `places` of these."""
        return Asked(*(None if part is None else part[places] for part in self))


def motion_config(settings: CdcdSettings, sizes: Sizes) -> MotionConfig:
    """Return the size of the motion encoder."""
    positions = None
    if settings.layout == "temporal":
        positions = math.ceil(sizes.tokens / TOKENS_A_POSITION)
    return MotionConfig(
        frames=sizes.frames, features=sizes.features, width=settings.motion_width,
        length=settings.motion_length, channels=settings.motion_channels,
        kernels=settings.motion_kernels, positions=positions, start=settings.motion_start,
    )  # fmt: skip


def denoiser_config(settings: CdcdSettings, sizes: Sizes) -> DenoiserConfig:
    """Return the size of the denoiser."""
    motion = motion_config(settings, sizes)
    return DenoiserConfig(
        codes=sizes.codes, positions=sizes.tokens, steps=settings.diffusion_steps,
        width=settings.width, layers=settings.layers, heads=settings.heads,
        feed_forward=settings.feed_forward, condition=settings.width,
        condition_positions=motion.positions or motion.channels[-1],
        activation=settings.activation, start=settings.denoiser_start,
    )  # fmt: skip


class Conditioning(nn.Module):
    """A dance, its genre and the features of its video to the condition."""

    def __init__(self, settings: CdcdSettings, sizes: Sizes) -> None:
        super().__init__()
        config = motion_config(settings, sizes)
        self.visual, self.frozen = settings.visual, settings.condition == "frozen"
        self.motion = encoder(config)
        self.genre = nn.Embedding(sizes.genres, settings.genre_width) if settings.genre else None
        width = settings.motion_width + settings.visual
        width += settings.genre_width if settings.genre else 0
        self.fusion = nn.Linear(width, settings.width)
        self.places = None
        if config.positions is not None:
            self.places = nn.Embedding(config.positions, settings.width)
            nn.init.normal_(self.places.weight, std=0.02)
        if self.frozen:
            for part in (self.motion, self.genre):
                if part is not None:
                    part.requires_grad_(False)

    def forward(self, asked: Asked) -> Float[Tensor, "B S D"]:
        """Return the condition.

        Raises `ValueError` for windows of another length and for missing or unwanted video
        features.
        """
        wanted, got = self.visual, 0 if asked.visual is None else asked.visual.shape[1]
        refuse(got != wanted, f"visual features must be {wanted} wide (0: none), got {got}.")
        with torch.no_grad() if self.frozen else nullcontext():
            parts = [self.motion(asked.motion)]
            if self.genre is not None:
                parts.append(self._everywhere(self.genre(asked.genre), parts[0]))
        if asked.visual is not None:
            parts.insert(1, self._everywhere(asked.visual, parts[0]))
        fused = self.fusion(torch.cat(parts, dim=-1))
        return fused if self.places is None else fused + self.places.weight

    @staticmethod
    def _everywhere(vectors: Tensor, like: Tensor) -> Tensor:
        return vectors[:, None].expand(-1, like.shape[1], -1)


class Network(nn.Module):
    """The condition and the denoiser, trained as one."""

    def __init__(self, settings: CdcdSettings, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.conditioning = Conditioning(settings, sizes)
        self.denoiser = Denoiser(denoiser_config(settings, sizes))

    def forward(
        self, noisy: Int[Tensor, "B L"], t: Int[Tensor, " B"], asked: Asked
    ) -> Float[Tensor, "B K L"]:
        """Return logits of p(z_0 | z_t, c)."""
        return self.denoiser(noisy, t, self.conditioning(asked))

    def read(self, asked: Asked) -> Read:
        """Return what the denoiser needs of the condition, computed once for all steps."""
        return self.denoiser.read(self.conditioning(asked))


def visual_features(settings: CdcdSettings, clips: int) -> Float32[np.ndarray, "N V"] | None:
    """Return the user's video features, one row for each of `clips` clips; None without a file.

    Raises `ValueError` naming the file for one that is no plain array of that shape, or not finite.
    """
    if settings.visual_file is None:
        return None
    path = Path(settings.visual_file)
    refuse(not path.is_file(), f"visual_file {path} is not a file; give the path of your .npy.")
    try:
        features = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path.name} is not a whole .npy of numbers ({error}).") from error
    wanted, got = (clips, settings.visual), getattr(features, "shape", None)
    refuse(got != wanted, f"{path.name} must have one row for each clip, {wanted}, got {got}.")
    refuse(features.dtype.kind != "f", f"{path.name} must hold floats, got {features.dtype}.")
    refuse(not np.isfinite(features).all(), f"{path.name} must be finite; it holds NaN or inf.")
    return features.astype(np.float32)
