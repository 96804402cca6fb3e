"""The two networks of dual learning, and how they are asked for sequences of any length.

Letters as in the paper: G_MD makes dances of music, G_DM music of dances. `B` batch, `T` frames of
a window, `S` frames of a sequence, `Z` noise.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.music.features import BEAT, CHROMA
from pasdedeux.nn.pose import POSE, orthonormal
from pasdedeux.nn.transformer import TransformerConfig
from pasdedeux.nn.translator import Domains, Translator
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import Compose, Dance, chained, composed_in_windows

MUSIC, CHORD = 53, 13
THIRDS = (4, 3)  # semitones of a major and of a minor third
SURE = 0.02  # chroma and beats are told to an autoregressive network as logits, this far from 0, 1
Songs = Float[Tensor, "B T 53"]
Dances = Float[Tensor, "B T 147"]
Chord = Float[Tensor, "B 13"]


class Heard(NamedTuple):
    """Music as a network gives it: features, and the logit that its beat is the sigmoid of."""

    frames: Songs
    beat_logit: Float[Tensor, "B T"]


class Dancing(Translator):
    """G_MD: from music and a first pose to a dance."""

    def __init__(self, settings: DualSettings) -> None:
        domains = Domains(MUSIC, POSE, POSE, settings.noise, settings.pairs.frames)
        super().__init__(domains, config(settings, settings.width_dance))
        self.residual = settings.residual

    def danced(
        self,
        memory: Tensor,
        first: Float[Tensor, "B 147"],
        noise: Float[Tensor, "B Z"],
        *,
        after: Dances | None = None,
    ) -> Dances:
        """Return the dance to what `encoded` read, from the pose `first`, rotations orthonormal.

        An autoregressive network follows its own frames, or in training those of `after`.
        """
        base = first[:, None] if self.residual else torch.zeros_like(first)[:, None]
        told = None if after is None or not self.causal else after - base
        return orthonormal(self.decoded(memory, first, noise, target=told) + base)


class Composing(Translator):
    """G_DM: from a dance and a first chord to music."""

    def __init__(self, settings: DualSettings) -> None:
        domains = Domains(POSE, MUSIC, CHORD, settings.noise, settings.pairs.frames)
        super().__init__(domains, config(settings, settings.width_music))

    def composed(
        self,
        memory: Tensor,
        chord: Chord,
        noise: Float[Tensor, "B Z"],
        *,
        after: Songs | None = None,
    ) -> Heard:
        """Return the music for what `encoded` read: MFCC as they are, chroma and beat in 0..1.

        An autoregressive network follows its own frames, or in training those of `after`.
        """
        told = None if after is None or not self.causal else _logits(after)
        out = self.decoded(memory, chord, noise, target=told)
        played = out[..., CHROMA.start :].sigmoid()
        frames = torch.cat([out[..., : CHROMA.start], played], dim=-1)
        return Heard(frames, out[..., BEAT])


def _logits(x: Songs) -> Songs:
    """Return `x` as a network writes it, before the sigmoid of `composed`."""
    played = x[..., CHROMA.start :].clamp(SURE, 1 - SURE).logit()
    return torch.cat([x[..., : CHROMA.start], played], dim=-1)


def config(settings: DualSettings, width: int) -> TransformerConfig:
    """Return the Transformer of one network."""
    return TransformerConfig(
        width,
        heads=settings.heads,
        layers=settings.layers,
        dropout=settings.dropout,
        causal=settings.decoding == "autoregressive",
    )


def chords(x: Songs) -> Chord:
    """Return the start token of a song: the triad that holds most of its first chroma.

    12 numbers for the root, one that is 1 for minor. Section 3.3 draws both at inference.
    """
    chroma = x[:, 0, CHROMA]
    tones = [chroma, chroma.roll(-7, -1)]
    triads = torch.stack([sum(tones) + chroma.roll(-third, -1) for third in THIRDS], dim=1)
    best = triads.flatten(1).argmax(-1)
    return torch.cat([F.one_hot(best % 12, 12), (best // 12)[:, None]], dim=-1).to(x)


def dancer(dancing: Dancing, settings: DualSettings) -> Dance:
    """Return G_MD as a system that dances any length, window by window from the last pose."""
    where = device.pick(settings.device)

    def window(music: Tensor, first: Tensor, draw: torch.Generator) -> Tensor:
        noise = torch.randn(len(music), settings.noise, generator=draw).to(music)
        return dancing.danced(dancing.encoded(music), first, noise)

    return chained(window, frames=settings.pairs.frames, where=where)


def composer(composing: Composing, settings: DualSettings) -> Compose:
    """Return G_DM as a system that composes any length, window by window.

    The first chords are drawn by the seed (section 3.3), the next ones are what sounded last.
    """
    where, frames = device.pick(settings.device), settings.pairs.frames

    def compose(pose: Float[np.ndarray, "B S 147"], seed: int) -> Float[np.ndarray, "B S 53"]:
        chord = drawn_chords(len(pose), seed).to(where)

        def window(seen: Tensor, draw: torch.Generator) -> Tensor:
            nonlocal chord
            noise = torch.randn(len(seen), settings.noise, generator=draw).to(seen)
            heard = composing.composed(composing.encoded(seen), chord, noise).frames
            chord = chords(heard[:, -1:])
            return heard

        return composed_in_windows(window, frames=frames, where=where)(pose, seed)

    return compose


def drawn_chords(count: int, seed: int) -> Chord:
    """Return `count` start tokens: any root, major or minor, all equally likely."""
    draw = numpy_generator(seed, "chord")
    chord = torch.zeros(count, CHORD)
    chord[torch.arange(count), torch.from_numpy(draw.integers(12, size=count))] = 1.0
    chord[:, 12] = torch.from_numpy(draw.integers(2, size=count)).to(chord)
    return chord
