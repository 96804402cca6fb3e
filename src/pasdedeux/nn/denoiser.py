"""The network of CDCD: tokens of noisy music and a condition to p(z_0 | z_t, c), as logits.

Tokens (K codes and MASK) and their places are embedded, go through the shared Transformer
(`nn.transformer`, its normalisations set by the step, its memory the condition), and a normalised
linear head. As in the release the step sets the normalisations before the two attentions only; one
before the MLP and the last are plain.

Three things differ from the release and change no result that it could give, or hardly one:

- With a condition of one position the softmax of its attention is 1: what is added is the projected
  value, whatever asks. So a layer then computes just that (`OnePosition`); queries, keys and the
  normalisation before them, which nothing depends on, are left out.
- One table of steps serves all layers (the release has one for each normalisation).
- The activation of the MLP is a choice: x sigmoid(1.702 x), as released, or the ReLU of the shared
  Transformer, which is quicker on a CPU.

At step 1 hardly a token is masked: L_0 asks that visible tokens be copied, and sampling ends with a
draw from the copy. With `start="copying"` (ours) tokens begin large beside what the layers add, and
the head as the token embedding, so large that what is seen has a logit of about log K + 3 and is
the likeliest from the first update on. With "released" copying must be learnt.

Weights begin as N(0, 0.02) at the released width of 1024; a narrower network begins with weights as
much larger as keeps what reaches its output the same. `B` batch, `L` positions, `S` positions of
the condition, `D` width, `K` codes, `C` width of the condition.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base.checks import choice, refuse
from pasdedeux.nn.transformer import Norm, Transformer, TransformerConfig

PLACES, SURE = 0.5, 3.0  # spread of places beside that of tokens, 1; how sure copies begin
SPREAD, SPREAD_WIDTH = 0.02, 1024  # of the first weights, and where they have it
Read = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class DenoiserConfig:
    """Size of a denoiser.

    codes: K. positions: L. steps: T. condition: width of what it is conditioned on, and
    `condition_positions` how many of those there are. start: the first weights.
    """

    codes: int
    positions: int
    steps: int = 80
    width: int = 1024
    layers: int = 19
    heads: int = 16
    feed_forward: int = 4
    condition: int = 1024
    condition_positions: int = 1
    activation: Literal["gelu2", "relu"] = "gelu2"
    start: Literal["copying", "released"] = "copying"

    def __post_init__(self) -> None:
        """Refuse sizes that are none; the Transformer refuses what does not divide."""
        for name in ("codes", "positions", "steps", "width", "condition", "condition_positions"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        choice("activation", self.activation, ("gelu2", "relu"))


class Gelu2(nn.Module):
    """x sigmoid(1.702 x), the released approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of `x`."""
        return x * torch.sigmoid(1.702 * x)


class OnePosition(nn.Module):
    """Attention to a memory of one position: its projected value, in time that needs no queries."""

    def __init__(self, width: int, source: int) -> None:
        super().__init__()
        self.values = nn.Linear(source, width)
        self.out = nn.Linear(width, width)

    def read(self, source: Float[Tensor, "B S C"]) -> tuple[Tensor, Tensor]:
        """Return what is added to every position, (B, 1, D), in the place of keys and values."""
        refuse(
            source.shape[1] != 1,
            f"the condition must have 1 position, got {source.shape[1]}; set condition_positions.",
        )
        added = self.out(self.values(source))
        return added, added

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> Float[Tensor, "B 1 D"]:
        """Return what `read` made."""
        return values


class Unnormalised(nn.Module):
    """Stands before an attention that does not look at what it is given."""

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return `x`."""
        return x


class Denoiser(nn.Module):
    """Noisy tokens, their step and a condition to logits of z_0; MASK is never predicted."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.tokens = nn.Embedding(config.codes + 1, width)
        self.places = nn.Embedding(config.positions, width)
        self.steps = nn.Embedding(config.steps, width)
        self.transformer = Transformer(
            TransformerConfig(
                width, heads=config.heads, layers=config.layers, memory=config.condition,
                condition=width, feed_forward=config.feed_forward,
            )
        )  # fmt: skip
        for block in self.transformer.blocks:
            block.norm_mlp = Norm(width, None)
            if config.activation == "gelu2":
                block.mlp[1] = Gelu2()
            if config.condition_positions == 1:
                block.norm_memory = Unnormalised()
                block.attend_memory = OnePosition(width, config.condition)
        self.transformer.norm = Norm(width, None)
        self.head = nn.Linear(width, config.codes)
        spread = SPREAD * math.sqrt(SPREAD_WIDTH / width)
        for module in self.modules():
            _begin(module, spread)
        if config.start == "copying":
            self._copy()

    @torch.no_grad()
    def _copy(self) -> None:
        """Begin with weights that copy what is seen."""
        nn.init.normal_(self.tokens.weight)
        nn.init.normal_(self.places.weight, std=PLACES)
        scale = (math.log(self.config.codes) + SURE) / self.config.width
        self.head.weight.copy_(self.tokens.weight[:-1] * scale)

    def read(self, condition: Float[Tensor, "B S C"]) -> Read:
        """Return what every layer needs of the condition, which holds for all steps."""
        return self.transformer.read(condition)

    def forward(
        self,
        noisy: Int[Tensor, "B L"],
        t: Int[Tensor, " B"],
        condition: Float[Tensor, "B S C"] | Read,
    ) -> Float[Tensor, "B K L"]:
        """Return logits of p(z_0 | z_t, c) for the steps `t`, each in 1 .. T.

        `condition` may be what `read` returned. Raises `ValueError` for another number of
        positions, and for tokens and steps there are not.
        """
        config = self.config
        refuse(
            noisy.shape[1] != config.positions,
            f"noisy must have {config.positions} positions, got {noisy.shape[1]}.",
        )
        _within("noisy", noisy, 0, config.codes)
        _within("t", t, 1, config.steps)
        x = self.tokens(noisy) + self.places.weight
        x = self.transformer(x, condition, condition=self.steps(t - 1))
        return torch.matmul(self.head.weight, x.mT) + self.head.bias[:, None]


def _within(name: str, numbers: Tensor, least: int, most: int) -> None:
    if numbers.is_meta:
        return
    refuse(
        bool(((numbers < least) | (numbers > most)).any()),
        f"{name} must lie in {least} .. {most}, got {numbers.min().item()} to "
        f"{numbers.max().item()}.",
    )


def _begin(module: nn.Module, spread: float) -> None:
    """Give a layer its first weights."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=spread)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
