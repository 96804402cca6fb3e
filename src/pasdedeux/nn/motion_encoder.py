"""The motion encoder of CDCD (Zhu et al., ICLR 2023, Table 5): a dance to one vector, or to many.

The published form reads a window of T frames as T channels and convolves along the features, which
a first layer has spread over `length` places; nothing is padded, so 800 places become 786 under
Table 5 and under the releases alike. Its last channel is projected to the width of the condition.

    unit:     S x + W1 * leaky(W3 * leaky(x)),    W3 of 3 taps, dilated by 1, 3, 9, 27; S of 1 tap
    encoder:  linear; convolution, 4 units (three times); convolution ... convolution; linear

The convolutions of units have weight normalisation and reflected edges. "Leaky" (slope 0.2) comes
before every convolution but the first. The sources disagree in channels and kernels: `SHAPES`.

The releases begin with N(0, 0.02) outside the units and torch's own first weights inside. Twelve
units then leave a hundred thousandth of what tells one dance from another, and where the encoder is
not trained, as in CDCD's release, the condition hardly depends on the dance. `start="kept"` begins
with weights under which the signal keeps its size (He et al. 2015), and is the default.

The temporal form is ours: it convolves along time and returns a vector for each of S moments.
`B` batch, `T` frames, `F` features, `C` channels, `S` positions of the condition, `D` width.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from pasdedeux.base.checks import refuse

DILATIONS = (1, 3, 9, 27)
STACKS = 3  # convolutions that units follow
SLOPE, SPREAD = 0.2, 0.02
LEAKY_GAIN = math.sqrt(2 / (1 + SLOPE**2))
TAPS = 5  # of the temporal form's first convolution; ours


class Shape(NamedTuple):
    """Channels and kernels of the convolutions."""

    channels: tuple[int, ...]
    kernels: tuple[int, ...]


SHAPES: Mapping[str, Shape] = {
    "Table 5": Shape((256, 512, 1024, 1024, 1), (6, 3, 3, 3, 4)),
    "D2M-GAN, TikTok": Shape((256, 512, 1024, 1), (6, 4, 4, 4)),
    "CDCD, AIST++": Shape((512, 512, 1024, 1), (6, 4, 4, 4)),
}


@dataclass(frozen=True)
class MotionConfig:
    """Size of a motion encoder.

    frames: T of every window. features: of a frame. width: D of what comes out. length: places the
    features are spread over. positions: S of the temporal form, None for the published one. start:
    the first weights.
    """

    frames: int
    features: int = 219
    width: int = 1024
    length: int = 800
    channels: tuple[int, ...] = SHAPES["Table 5"].channels
    kernels: tuple[int, ...] = SHAPES["Table 5"].kernels
    positions: int | None = None
    start: Literal["kept", "released"] = "kept"

    def __post_init__(self) -> None:
        """Refuse sizes that leave nothing, naming them."""
        for name in ("frames", "features", "width"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(
            len(self.channels) != len(self.kernels) or len(self.channels) <= STACKS,
            f"channels and kernels must be of one length above {STACKS}, got {self.channels} and "
            f"{self.kernels}.",
        )
        refuse(
            min(self.channels) < 1 or min(self.kernels) < 1,
            f"channels and kernels must be at least 1, got {self.channels} and {self.kernels}.",
        )
        at_stacks = self.length - sum(kernel - 1 for kernel in self.kernels[:STACKS])
        least = DILATIONS[-1] + 1  # what can be reflected
        refuse(
            at_stacks < least or self.left < 1,
            f"length must leave {least} places for the units and 1 in the end, {self.length} leaves"
            f" {at_stacks} and {self.left}.",
        )
        refuse(
            self.positions is not None and self.positions < 1,
            f"positions must be at least 1 or None, got {self.positions}.",
        )
        refuse(
            self.positions is not None and self.frames < least,
            f"frames must be at least {least} in the temporal form, got {self.frames}.",
        )

    @property
    def left(self) -> int:
        """Places after the last convolution."""
        return self.length - sum(kernel - 1 for kernel in self.kernels)


class Unit(nn.Module):
    """A residual unit whose shortcut is a convolution of one tap."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.wide = weight_norm(nn.Conv1d(channels, channels, 3, dilation=dilation))
        self.narrow = weight_norm(nn.Conv1d(channels, channels, 1))
        self.shortcut = weight_norm(nn.Conv1d(channels, channels, 1))

    @torch.no_grad()
    def keep(self) -> None:
        """Begin with weights under which what comes out is as large as what comes in."""
        for convolution, share in ((self.wide, 1.0), (self.narrow, 0.5), (self.shortcut, 0.5)):
            gain = 1.0 if convolution is self.shortcut else LEAKY_GAIN
            convolution.weight = _kept(convolution.weight, gain * math.sqrt(share))

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B C L"]:
        """Return the shortcut of `x` and what the unit makes of it."""
        inner = self.wide(_reflected(F.leaky_relu(x, SLOPE), self.dilation))
        return self.shortcut(x) + self.narrow(F.leaky_relu(inner, SLOPE))


def _reflected(x: Tensor, edge: int) -> Tensor:
    """Return `x` with `edge` places mirrored at either end; torch's own has no exact gradient on
    CUDA.
    """
    left, right = x[..., 1 : edge + 1].flip(-1), x[..., -edge - 1 : -1].flip(-1)
    return torch.cat([left, x, right], dim=-1)


def _units(channels: int) -> nn.Sequential:
    return nn.Sequential(*(Unit(channels, dilation) for dilation in DILATIONS))


def _kept(weight: Tensor, gain: float) -> Tensor:
    """Return first weights like `weight` with a spread of gain over the root of what they add."""
    return torch.randn_like(weight) * gain / math.sqrt(weight[0].numel())


@torch.no_grad()
def _begin(encoder: nn.Module, start: str) -> None:
    """Give the layers of `encoder` their first weights."""
    first = True
    for layer in encoder.modules():
        if isinstance(layer, Unit) and start == "kept":
            layer.keep()
        plain = isinstance(layer, nn.Conv1d) and not is_parametrized(layer)
        if plain and start == "released":
            nn.init.normal_(layer.weight, std=SPREAD)
        elif start == "kept" and (plain or isinstance(layer, nn.Linear)):
            leaky = plain and not first  # all but the first convolution have "leaky" before them
            layer.weight.copy_(_kept(layer.weight, LEAKY_GAIN if leaky else 1.0))
        first = first and not plain


class MotionEncoder(nn.Module):
    """A window of motion to one vector: frames are channels."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.spread = nn.Linear(config.features, config.length)
        self.convolutions = nn.ModuleList()
        self.stacks = nn.ModuleList(_units(channels) for channels in config.channels[:STACKS])
        arriving = config.frames
        for leaving, taps in zip(config.channels, config.kernels, strict=True):
            self.convolutions.append(nn.Conv1d(arriving, leaving, taps))
            arriving = leaving
        self.out = nn.Linear(config.left, config.width)
        _begin(self, config.start)

    def forward(self, motion: Float[Tensor, "B T F"]) -> Float[Tensor, "B S D"]:
        """Return the vector of each window, one for each of the last convolution's channels.

        Raises `ValueError` for windows of another length.
        """
        _check(motion, self.config)
        x = self.spread(motion)
        for place, convolution in enumerate(self.convolutions):
            x = convolution(F.leaky_relu(x, SLOPE) if place else x)
            x = self.stacks[place](x) if place < STACKS else x
        return self.out(x)


class TemporalEncoder(nn.Module):
    """A window of motion to a vector for each of S moments, evenly spread over the window.

    What the units have made of T frames is read between frames, in straight lines, at the middles
    of S equal parts of the window.
    """

    between: Tensor

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        positions = config.positions or 1
        self.convolution = nn.Conv1d(config.features, config.width, TAPS, padding=TAPS // 2)
        self.units = _units(config.width)
        self.out = nn.Linear(config.width, config.width)
        _begin(self, config.start)
        self.register_buffer("between", lines(config.frames, positions), persistent=False)

    def forward(self, motion: Float[Tensor, "B T F"]) -> Float[Tensor, "B S D"]:
        """Return the vectors. Raises `ValueError` for windows of another length."""
        _check(motion, self.config)
        x = self.units(self.convolution(motion.mT))
        return self.out(F.leaky_relu((x @ self.between.mT).mT, SLOPE))


def lines(frames: int, positions: int) -> Float[Tensor, "S T"]:
    """Return what each frame counts for at the middle of each of S equal parts of the window.

    Frame k stands for the middle of its own share of the window; each row sums to 1.
    """
    place = ((torch.arange(positions) + 0.5) * frames / positions - 0.5).clamp(0, frames - 1)
    return (1 - (place[:, None] - torch.arange(frames)).abs()).clamp_min(0)


def _check(motion: Tensor, config: MotionConfig) -> None:
    wanted = (config.frames, config.features)
    refuse(
        tuple(motion.shape[1:]) != wanted,
        f"motion must have {wanted[0]} frames of {wanted[1]} features, got {motion.shape[1]} of "
        f"{motion.shape[2]}; cut or fill the window first.",
    )
    fine = motion.is_meta or bool(torch.isfinite(motion).all())
    refuse(not fine, "motion must be finite; it holds NaN or inf.")


def encoder(config: MotionConfig) -> MotionEncoder | TemporalEncoder:
    """Return the encoder of the form that `config` asks for."""
    return MotionEncoder(config) if config.positions is None else TemporalEncoder(config)
