"""Convolutions between sound and frames, as in one level of Jukebox (Dhariwal et al. 2020, 4.1).

Sound of `S` samples goes in as one channel; stages with a stride shorten it, each followed by a
stack of residual units, until a frame of width D stands for `hop` samples. The decoder is its
mirror.

    unit:     x + W1 * relu(W3 * relu(x)),     W3 of 3 taps, dilated by 1, growth, growth^2 ...
    stage:    a convolution of 2 s taps and stride s, s / 2 zeros at either side; then its units

`B` batch, `S` samples, `T` frames, `D` width of a frame, `C` channels inside.
"""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse


@dataclass(frozen=True)
class ConvConfig:
    """Size of an encoder and its decoder.

    strides: those of each block; a block ends in a convolution to the width of a frame. channels:
    between the convolutions. units: residual ones of each stage. closing: whether the decoder ends
    in a convolution at the rate of the sound, as Jukebox does, or its last stage makes the sound.
    """

    strides: tuple[tuple[int, ...], ...] = ((2, 2, 2), (2, 2), (2, 2))
    channels: int = 32
    width: int = 64
    units: int = 4
    growth: int = 3
    closing: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that are none and strides that cannot be undone."""
        for name in ("channels", "width", "units", "growth"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(
            not self.strides or not all(self.strides),
            f"strides must name a stride in every block, got {self.strides}.",
        )
        odd = [stride for block in self.strides for stride in block if stride < 2 or stride % 2]
        refuse(bool(odd), f"strides must be even, got {odd}: an odd one has no middle tap.")

    @property
    def hop(self) -> int:
        """The samples that one frame stands for."""
        return math.prod(stride for block in self.strides for stride in block)


def jukebox_level() -> ConvConfig:
    """The top level of Jukebox's public "5b" model: 128 samples a frame."""
    return ConvConfig()


def patch() -> ConvConfig:
    """Ours, for a CPU: a first stride of 8 leaves the costly rates out. 128 samples a frame."""
    return ConvConfig(((8, 2, 2, 2, 2),), channels=64, units=2, closing=False)


class Unit(nn.Sequential):
    """A residual unit: three dilated taps, then one."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: Float[Tensor, "B C T"]) -> Float[Tensor, "B C T"]:
        """Return `x` and what the unit makes of it."""
        return x + super().forward(x)


def stack(config: ConvConfig, *, backwards: bool = False) -> nn.Sequential:
    """Return the residual units of a stage; `backwards`, as decoders have it, the widest first."""
    dilations = [config.growth**place for place in range(config.units)]
    ordered = reversed(dilations) if backwards else dilations
    return nn.Sequential(*(Unit(config.channels, dilation) for dilation in ordered))


class Encoder(nn.Module):
    """Sound to frames, before they are quantised."""

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        self.config, self.blocks = config, nn.ModuleList()
        arriving = 1
        for strides in config.strides:
            stages: list[nn.Module] = []
            for stride in strides:
                taps = 2 * stride
                down = nn.Conv1d(arriving, config.channels, taps, stride, stride // 2)
                stages.append(nn.Sequential(down, stack(config)))
                arriving = config.channels
            stages.append(nn.Conv1d(config.channels, config.width, 3, padding=1))
            self.blocks.append(nn.Sequential(*stages))
            arriving = config.width

    def forward(self, sound: Float[Tensor, "B S"]) -> Float[Tensor, "B T D"]:
        """Return T = S // hop frames; samples beyond the last whole frame are not in any."""
        x = sound[:, None]
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class Decoder(nn.Module):
    """Frames to sound."""

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        self.config, self.blocks = config, nn.ModuleList()
        for place, strides in enumerate(config.strides):
            leaving = config.width if place or config.closing else 1
            stages: list[nn.Module] = [nn.Conv1d(config.width, config.channels, 3, padding=1)]
            for left, stride in zip(reversed(range(len(strides))), reversed(strides), strict=True):
                out = config.channels if left else leaving
                up = nn.ConvTranspose1d(config.channels, out, 2 * stride, stride, stride // 2)
                stages.append(nn.Sequential(stack(config, backwards=True), up))
            self.blocks.append(nn.Sequential(*stages))
        self.out = nn.Conv1d(config.width, 1, 3, padding=1) if config.closing else nn.Identity()

    def forward(self, frames: Float[Tensor, "B T D"]) -> Float[Tensor, "B S"]:
        """Return the sound of `frames`, S = T * hop samples."""
        x = frames.transpose(1, 2)
        for block in reversed(self.blocks):
            x = block(x)
        return self.out(x)[:, 0]
