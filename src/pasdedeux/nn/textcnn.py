"""The critic: a TextCNN with a highway layer that gives one real number for a token sequence.

Sizes and initial values are those of the FusionGAN authors' discriminators; their two- and
three-class softmax heads are replaced by one scalar, because the equations ask for regression
scores.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from pasdedeux.base.checks import refuse

INITIAL = 0.1


class TextCNN(nn.Module):
    """Embedding -> convolutions of several widths -> max over time -> highway -> one score.

    `widths` and `filters` run in parallel: `filters[i]` convolutions of width `widths[i]`. The last
    layer has no bias: a Wasserstein critic is free up to a constant, which no loss here can see.
    """

    def __init__(
        self, vocabulary: int, *, widths: tuple[int, ...], filters: tuple[int, ...], embedding: int
    ) -> None:
        super().__init__()
        refuse(
            len(widths) != len(filters) or not widths,
            f"widths and filters must be equally long and not empty, got {widths} and {filters}.",
        )
        total = sum(filters)
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding, count, width) for width, count in zip(widths, filters, strict=True)
        )
        self.gate = nn.Linear(total, total)
        self.carry = nn.Linear(total, total)
        self.head = nn.Linear(total, 1, bias=False)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "TextCNN":
        """Draw embeddings from uniform(-1, 1), other weights from a truncated normal (sd 0.1);
        biases 0.1, of the highway 0. Returns itself.
        """
        self.embedding.weight.uniform_(-1.0, 1.0, generator=generator)
        for layer in (*self.convolutions, self.gate, self.carry, self.head):
            nn.init.trunc_normal_(
                layer.weight, std=INITIAL, a=-2 * INITIAL, b=2 * INITIAL, generator=generator
            )
            if layer is not self.head:
                layer.bias.fill_(0.0 if layer in (self.gate, self.carry) else INITIAL)
        return self

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
        """Return the score of each sequence.

        A convolution over embedded symbols is a sum of table rows, one for each symbol and offset;
        the vocabulary is small, so the tables are made once and looked up. Only the strongest
        position of a filter has a gradient, so only that position is computed with one.
        """
        strongest = []
        for layer in self.convolutions:
            rows, places = self._look_up(layer, tokens)
            with torch.no_grad():
                best = _sums(rows, places).argmax(dim=1)
            chosen = places.gather(1, best.unsqueeze(2).expand(-1, -1, places.shape[2]))
            filters = torch.arange(rows.shape[1], device=tokens.device)[:, None]
            flat = (chosen * rows.shape[1] + filters).flatten()
            strongest.append(rows.flatten().gather(0, flat).view_as(chosen).sum(dim=2) + layer.bias)
        return self._judge(strongest)

    @torch.no_grad()
    def score(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
        """Return the same scores without gradients: what rewards are made of."""
        found = [_sums(*self._look_up(layer, tokens)).amax(dim=1) for layer in self.convolutions]
        biased = [sums + layer.bias for sums, layer in zip(found, self.convolutions, strict=True)]
        return self._judge(biased)

    def from_embedded(self, embedded: Float[Tensor, "B T D"]) -> Float[Tensor, " B"]:
        """Return the score of sequences of embedded tokens: the gradient penalty mixes these."""
        frames = embedded.transpose(1, 2)
        return self._judge([layer(frames).amax(dim=2) for layer in self.convolutions])

    def _look_up(
        self, layer: nn.Conv1d, tokens: Int[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "M C"], Int[Tensor, "B S W"]]:
        """Return what each symbol at each offset adds to each filter, and every window's rows."""
        vocabulary, width = self.embedding.num_embeddings, layer.kernel_size[0]
        rows = torch.einsum("vd,fdk->kvf", self.embedding.weight, layer.weight)
        offsets = torch.arange(width, device=tokens.device) * vocabulary
        return rows.reshape(width * vocabulary, -1), tokens.unfold(1, width, 1) + offsets

    def _judge(self, strongest: list[Float[Tensor, "B _"]]) -> Float[Tensor, " B"]:
        features = torch.cat(strongest, dim=1).relu()
        gate = self.gate(features).sigmoid()
        mixed = gate * self.carry(features).relu() + (1 - gate) * features
        return self.head(mixed).squeeze(1)


def _sums(rows: Float[Tensor, "M C"], places: Int[Tensor, "B S W"]) -> Float[Tensor, "B S C"]:
    """Return the sum of the named rows for every window."""
    found = functional.embedding_bag(places.reshape(-1, places.shape[2]), rows, mode="sum")
    return found.view(*places.shape[:2], -1)
