"""A Transformer encoder whose positions see only those near them (Huang et al. 2021).

Each layer adds its result to what came in and normalises the sum (post-norm, Vaswani et al. 2017):

    x <- norm(x + attention(x)),    x <- norm(x + MLP(x)),

attention from position t reaching t - `reach` .. t + `reach`. Heads may be wider than their share
of the width, which the project's other Transformer does not offer. `B` batch, `T` positions, `D`
width.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse

WAVELENGTH = 10_000.0  # of the slowest position channel, in positions over 2 pi


@dataclass(frozen=True)
class LocalConfig:
    """Size of a local encoder: `inner` is the width of the MLP, `reach` counts positions."""

    width: int = 200
    heads: int = 8
    head_width: int = 64
    inner: int = 1024
    layers: int = 2
    reach: int = 100
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse sizes that are none, and a dropout that leaves nothing."""
        for name in ("width", "heads", "head_width", "inner", "layers"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(self.reach < 0, f"reach must be 0 or more positions, got {self.reach}.")
        refuse(not 0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}.")


def near(count: int, reach: int) -> Bool[Tensor, "T T"]:
    """Return which of `count` positions (columns) each position (rows) sees."""
    place = torch.arange(count)
    return (place[:, None] - place).abs() <= reach


def positions(count: int, width: int) -> Float[Tensor, "T D"]:
    """Return sines (even channels) and cosines (odd ones) of the places 1 to `count`."""
    place = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
    channel = torch.arange(width, dtype=torch.float64)
    angle = place / WAVELENGTH ** (2 * (channel // 2) / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


class LocalLayer(nn.Module):
    """Attention to what is near, then an MLP."""

    def __init__(self, config: LocalConfig) -> None:
        super().__init__()
        self.heads, self.share = config.heads, config.head_width**-0.5
        all_heads = config.heads * config.head_width
        self.reads = nn.Linear(config.width, 3 * all_heads)
        self.out = nn.Linear(all_heads, config.width)
        self.norm_attention = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, config.inner), nn.ReLU(), nn.Linear(config.inner, config.width)
        )
        self.norm_mlp = nn.LayerNorm(config.width)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "B T D"], seen: Bool[Tensor, "T T"]) -> Tensor:
        """Return the next values of `x`, each gathered from the positions it sees."""
        # Written out: torch's fused attention has no deterministic gradient with a mask on a GPU.
        split = self.reads(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = split
        scores = self.share * (queries @ keys.mT)
        weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        context = (self.drop(weights) @ values).transpose(1, 2).flatten(2)
        x = self.norm_attention(x + self.drop(self.out(context)))
        return self.norm_mlp(x + self.drop(self.mlp(x)))


class LocalEncoder(nn.Module):
    """A linear layer and positions, then `layers` of local attention."""

    def __init__(self, source: int, config: LocalConfig) -> None:
        super().__init__()
        self.config = config
        self.reads = nn.Linear(source, config.width)
        self.layers = nn.ModuleList(LocalLayer(config) for _ in range(config.layers))

    def forward(self, source: Float[Tensor, "B T C"]) -> Float[Tensor, "B T D"]:
        """Return what the encoder makes of every frame of `source`."""
        count = source.shape[1]
        seen = near(count, self.config.reach).to(source.device)
        x = self.reads(source) + positions(count, self.config.width).to(source)
        for layer in self.layers:
            x = layer(x, seen)
        return x
