"""One Transformer for every paper: full or causal attention, a memory or none, a condition or none.

Each layer normalises before it computes (pre-norm, Xiong et al. 2020) and adds its result:

    x + Attention(x),   then x + Attention(x to memory) if there is one,   then x + MLP(x).

Attention is Eq. 2 of the dual-learning paper in `heads` parts. With a condition (the time step of a
diffusion) the normalisations take scale and shift from it (AdaLN, Peebles and Xie 2023).
`B` batch, `T` positions, `S` positions of the memory, `D` width, `H` heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base.checks import refuse

ROOM = 64  # positions a cache begins with; it doubles when they are used up


@dataclass(frozen=True)
class TransformerConfig:
    """Size and switches of a Transformer.

    width: of every position. heads: must divide it. layers: how many. memory: width of what
    cross-attention reads, None for no memory. condition: width of the vector that sets the
    normalisations, None for plain ones. causal: whether a position sees only itself and those
    before it. feed_forward: width of the MLP, in widths.
    """

    width: int
    heads: int = 8
    layers: int = 6
    memory: int | None = None
    condition: int | None = None
    causal: bool = False
    feed_forward: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        refuse(self.width % self.heads, f"heads {self.heads} must divide width {self.width}.")
        refuse(not 0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}.")
        refuse(min(self.layers, self.feed_forward) < 1, f"sizes must be at least 1, got {self}.")


class Cache:
    """Keys and values of the positions one layer has seen, so that none is computed twice."""

    def __init__(self) -> None:
        self.filled = 0
        self._kept: tuple[Tensor, ...] = ()

    def extended(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep `keys` and `values` (B H T d) behind those before them, and return all."""
        end = self.filled + keys.shape[-2]
        if not self._kept or end > self._kept[0].shape[-2]:
            room = max(ROOM, 2 * end)
            grown = [new.new_empty(*new.shape[:-2], room, new.shape[-1]) for new in (keys, values)]
            for old, new in zip(self._kept, grown, strict=False):
                new[..., : self.filled, :] = old[..., : self.filled, :]
            self._kept = tuple(grown)
        for kept, new in zip(self._kept, (keys, values), strict=True):
            kept[..., self.filled : end, :] = new
        self.filled = end
        all_keys, all_values = (kept[..., :end, :] for kept in self._kept)
        return all_keys, all_values


class Attention(nn.Module):
    """Eq. 2 in heads: what each position gathers from all positions of a source."""

    def __init__(self, width: int, heads: int, source: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.queries = nn.Linear(width, width)
        self.keys_values = nn.Linear(source, 2 * width)
        self.out = nn.Linear(width, width)

    def read(self, source: Float[Tensor, "B S C"]) -> tuple[Tensor, Tensor]:
        """Return keys and values of `source`, each (B H S d)."""
        keys, values = self.keys_values(source).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(
        self, x: Float[Tensor, "B T D"], keys: Tensor, values: Tensor, *, causal: bool = False
    ) -> Float[Tensor, "B T D"]:
        """Return the context of each position of `x`; `causal` hides what comes after it."""
        queries = self._split(self.queries(x))
        mask = None
        if causal and queries.shape[-2] > 1:
            T, S = queries.shape[-2], keys.shape[-2]
            mask = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)
        dropout = self.dropout if self.training else 0.0
        context = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=dropout
        )
        return self.out(context.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Norm(nn.Module):
    """Layer normalisation whose scale and shift come from a condition, where there is one."""

    def __init__(self, width: int, condition: int | None) -> None:
        super().__init__()
        self.plain = nn.LayerNorm(width, elementwise_affine=condition is None)
        self.modulation = None if condition is None else nn.Linear(condition, 2 * width)

    def forward(self, x: Float[Tensor, "B T D"], condition: Tensor | None) -> Tensor:
        """Return `x` normalised; `condition` is (B C)."""
        normal = self.plain(x)
        if self.modulation is None:
            return normal
        scale, shift = self.modulation(F.silu(condition))[:, None].chunk(2, dim=-1)
        return normal * (1 + scale) + shift


class Block(nn.Module):
    """One layer: attention to itself, to the memory, and an MLP, each added to what came in."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, inner = config.width, config.feed_forward * config.width
        self.causal = config.causal
        self.norm_self = Norm(width, config.condition)
        self.attend_self = Attention(width, config.heads, width, config.dropout)
        if config.memory is not None:
            self.norm_memory = Norm(width, config.condition)
            self.attend_memory = Attention(width, config.heads, config.memory, config.dropout)
        self.norm_mlp = Norm(width, config.condition)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        memory: tuple[Tensor, Tensor] | None,
        condition: Tensor | None,
        cache: Cache | None,
    ) -> Float[Tensor, "B T D"]:
        """Return the next values of `x`; `memory` holds its keys and values for this layer."""
        normal = self.norm_self(x, condition)
        kept = self.attend_self.read(normal)
        kept = kept if cache is None else cache.extended(*kept)
        x = x + self.drop(self.attend_self(normal, *kept, causal=self.causal))
        if memory is not None:
            x = x + self.drop(self.attend_memory(self.norm_memory(x, condition), *memory))
        return x + self.drop(self.mlp(self.norm_mlp(x, condition)))


class Transformer(nn.Module):
    """`layers` blocks and a last normalisation; positions must be told apart by the caller."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm(config.width, config.condition)

    def read(self, memory: Float[Tensor, "B S C"]) -> list[tuple[Tensor, Tensor]]:
        """Return keys and values of `memory` for every layer, to be read any number of times."""
        return [block.attend_memory.read(memory) for block in self.blocks]

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        memory: Float[Tensor, "B S C"] | list[tuple[Tensor, Tensor]] | None = None,
        *,
        condition: Float[Tensor, "B E"] | None = None,
        caches: Sequence[Cache] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the embedding of every position.

        `memory` is what cross-attention reads, as a tensor or as `read` returned it. With `caches`,
        one a layer, `x` holds only the positions that follow those already kept there; the result
        is that of computing all of them (causal models only).
        """
        config = self.config
        for name, got, wanted in (
            ("memory", memory, config.memory),
            ("condition", condition, config.condition),
        ):
            refuse(
                (got is None) != (wanted is None),
                f"{name} is {'missing' if got is None else 'given'}, but the Transformer was made "
                f"with {name}={wanted}.",
            )
        refuse(
            caches is not None and not config.causal,
            "caches need a causal Transformer: full attention changes what was computed before.",
        )
        read = self.read(memory) if isinstance(memory, Tensor) else memory
        for layer, block in enumerate(self.blocks):
            known = None if read is None else read[layer]
            x = block(x, known, condition, None if caches is None else caches[layer])
        return self.norm(x, condition)
