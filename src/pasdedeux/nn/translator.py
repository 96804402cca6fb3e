"""From a sequence in one domain to one in another: the dual-learning paper's G (section 3.3).

An encoder reads all frames of the source. A decoder has one query for each frame of the target, a
learned position plus the embedded start token, and reads the encoder's frames and a random token.
All frames come out at once, since the paper masks nothing; with `causal` each frame is instead made
from those before it, for comparison. `B` batch, `T` frames, `C` source, `O` target, `S` start
token, `Z` noise.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse
from pasdedeux.nn.transformer import Cache, Transformer, TransformerConfig

POSITION_SD = 0.02


@dataclass(frozen=True)
class Domains:
    """How wide the frames of source and target, the start token and the noise are."""

    source: int
    target: int
    start: int
    noise: int
    frames: int  # T, the longest sequence


class Translator(nn.Module):
    """G of the paper: an encoder, a decoder and the layers around them."""

    def __init__(self, domains: Domains, config: TransformerConfig) -> None:
        super().__init__()
        width, frames = config.width, domains.frames
        self.domains, self.causal = domains, config.causal
        self.reads = nn.Linear(domains.source, width)
        self.source_places = nn.Parameter(POSITION_SD * torch.randn(frames, width))
        self.encoder = Transformer(replace(config, causal=False, memory=None))
        self.target_places = nn.Parameter(POSITION_SD * torch.randn(frames, width))
        self.starts = nn.Linear(domains.start, width)
        self.noises = nn.Linear(domains.noise, width)
        self.follows = nn.Linear(domains.target, width) if config.causal else None
        self.decoder = Transformer(replace(config, memory=width))
        self.writes = nn.Linear(width, domains.target)

    def encoded(self, source: Float[Tensor, "B T C"]) -> Float[Tensor, "B T D"]:
        """Return what the encoder makes of every frame of `source`."""
        frames = source.shape[1]
        refuse(
            frames > self.domains.frames,
            f"source has {frames} frames, at most {self.domains.frames} fit; cut it into windows.",
        )
        return self.encoder(self.reads(source) + self.source_places[:frames])

    def embedding(self, source: Float[Tensor, "B T C"]) -> Float[Tensor, "B D"]:
        """Eq. 3: one vector for each sequence, the mean over time of what the encoder returns."""
        return self.encoded(source).mean(dim=1)

    def forward(
        self,
        source: Float[Tensor, "B T C"],
        start: Float[Tensor, "B S"],
        noise: Float[Tensor, "B Z"],
        *,
        target: Float[Tensor, "B T O"] | None = None,
    ) -> Float[Tensor, "B T O"]:
        """Return the frames of the target, as many as `source` has.

        A causal translator takes each from the one before it: from `target` where that is given, as
        in training, else from its own.
        """
        return self.decoded(self.encoded(source), start, noise, target=target)

    def decoded(
        self,
        memory: Float[Tensor, "B T D"],
        start: Float[Tensor, "B S"],
        noise: Float[Tensor, "B Z"],
        *,
        target: Float[Tensor, "B T O"] | None = None,
    ) -> Float[Tensor, "B T O"]:
        """Return what `forward` does for a source that `encoded` has read."""
        frames = memory.shape[1]
        known = torch.cat([memory, self.noises(noise)[:, None]], dim=1)
        queries = self.target_places[:frames] + self.starts(start)[:, None]
        if not self.causal:
            return self.writes(self.decoder(queries, known))
        if target is None:
            return self._one_by_one(queries, known)
        before = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], dim=1)
        return self.writes(self.decoder(queries + self.follows(before), known))

    def _one_by_one(self, queries: Tensor, known: Tensor) -> Tensor:
        caches = [Cache() for _ in self.decoder.blocks]
        read, made = self.decoder.read(known), []
        before = queries.new_zeros(len(queries), 1, self.domains.target)
        for query in queries.split(1, dim=1):
            seen = self.decoder(query + self.follows(before), read, caches=caches)
            before = self.writes(seen)
            made.append(before)
        return torch.cat(made, dim=1)
