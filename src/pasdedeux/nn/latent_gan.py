"""The two networks of D2M-GAN (Zhu et al., ECCV 2022): frames of a VQ-VAE from one vector.

Generator. The vector is a sequence of one channel; six convolutions without padding to speak of,
four residual units after each but the last, leave T places with the width of a frame:

    taps 6, 41, 41, 41, 41, 40; strides 2, 2, 1, 1, 1, 1; one zero at each edge
    scale * tanh(...), scale = 100

So 4 T + 682 places go in: 2058 for the 344 tokens of 2 s, as published. Channels double from one
convolution to the next. Under the released first weights what differs between two conditions
shrinks with each of the 20 units, to a hundred thousandth of what comes out; `start="kept"` begins
as `nn.motion_encoder` does, with frames of spread 1, and is the default.

Discriminator. The frames are read as one channel, the first value of all frames, then the second
and so on; three networks of the same kind hear it, the second and third after averaging by 2. They
return what every layer makes of it, for feature matching; the last is the score.

`B` clips, `T` frames, `D` width of a frame, `C` channels, `S` places.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from pasdedeux.base.checks import refuse
from pasdedeux.nn.motion_encoder import DILATIONS, LEAKY_GAIN, SLOPE, SPREAD, Unit

Start = Literal["kept", "released"]
TAPS, STRIDES = (6, 41, 41, 41, 41, 40), (2, 2, 1, 1, 1, 1)
SCALE = 100.0
SCALES = 3  # resolutions that are judged
GROUPED, REDUCE = 4, 4  # grouped convolutions of a judge, and the stride of each


def places(frames: int) -> int:
    """Return how many places the generator makes `frames` frames of."""
    refuse(frames < 1, f"frames must be at least 1, got {frames}.")
    return 4 * frames + 682


class Generator(nn.Module):
    """A condition to frames before they are quantised."""

    def __init__(
        self,
        condition: int,
        *,
        frames: int,
        width: int,
        channels: int = 32,
        scale: float = SCALE,
        start: Start = "kept",
    ) -> None:
        super().__init__()
        least = min(width, channels)
        refuse(least < 1, f"width and channels must be at least 1, got {width} and {channels}.")
        refuse(not scale > 0, f"scale must be above 0, got {scale}.")
        self.scale = scale
        self.spread = nn.Linear(condition, places(frames))
        sizes = [1, *(channels * 2**place for place in range(len(TAPS) - 1)), width]
        steps = zip(sizes[:-1], sizes[1:], TAPS, STRIDES, strict=True)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(source, target, taps, stride, padding=1)
            for source, target, taps, stride in steps
        )
        self.stacks = nn.ModuleList(
            nn.Sequential(*(Unit(size, dilation) for dilation in DILATIONS)) for size in sizes[1:-1]
        )
        self._begin(start)

    @torch.no_grad()
    def _begin(self, start: Start) -> None:
        if start == "released":
            for made in self.convolutions:
                nn.init.normal_(made.weight, std=SPREAD)
            return
        for place, made in enumerate((self.spread, *self.convolutions)):
            gain = LEAKY_GAIN if place > 1 else 1.0  # "leaky" comes before all but the first
            gain /= self.scale if place == len(self.convolutions) else 1.0
            nn.init.normal_(made.weight, std=gain / math.sqrt(made.weight[0].numel()))
        for stack in self.stacks:
            for unit in stack:
                unit.keep()

    def forward(self, condition: Float[Tensor, "B C"]) -> Float[Tensor, "B T D"]:
        """Return the frames, values within +-scale."""
        x = self.spread(condition)[:, None]
        for place, convolution in enumerate(self.convolutions):
            x = convolution(F.leaky_relu(x, SLOPE) if place else x)
            x = self.stacks[place](x) if place < len(self.stacks) else x
        return self.scale * x.tanh().mT


class Judge(nn.Module):
    """What one resolution says: seven layers, the last of which is the score."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        sizes = [min(channels * REDUCE**place, 32 * channels) for place in range(GROUPED + 1)]
        taps = 10 * REDUCE + 1
        grouped = [
            nn.Conv1d(
                source, target, taps, REDUCE, padding=taps // 2, groups=max(1, source // REDUCE)
            )
            for source, target in zip(sizes[:-1], sizes[1:], strict=True)
        ]
        inner = min(2 * sizes[-1], 16 * channels)
        layers = [
            nn.Conv1d(1, channels, 16),
            *grouped,
            nn.Conv1d(sizes[-1], inner, 5, padding=2),
            nn.Conv1d(inner, 1, 3, padding=1),
        ]
        self.layers = nn.ModuleList(weight_norm(layer) for layer in layers)

    def forward(self, x: Float[Tensor, "B 1 S"]) -> list[Tensor]:
        """Return what each layer makes of `x`, the score last."""
        made = []
        # torch's own reflection has no deterministic gradient on CUDA
        x = torch.cat([x[..., 1:8].flip(-1), x, x[..., -8:-1].flip(-1)], dim=-1)
        for layer in self.layers:
            x = layer(x)
            x = x if layer is self.layers[-1] else F.leaky_relu(x, SLOPE)
            made.append(x)
        return made


class Discriminator(nn.Module):
    """Three judges of frames, each at half the resolution of the one before."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        refuse(channels < 1, f"channels must be at least 1, got {channels}.")
        self.judges = nn.ModuleList(Judge(channels) for _ in range(SCALES))

    def forward(self, frames: Float[Tensor, "B T D"]) -> list[list[Tensor]]:
        """Return what each layer of each judge makes of `frames`."""
        x, heard = frames.mT.flatten(1)[:, None], []
        for judge in self.judges:
            heard.append(judge(x))
            x = F.avg_pool1d(x, 4, 2, padding=1, count_include_pad=False)
        return heard
