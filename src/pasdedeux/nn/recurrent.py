"""The melody generator: embedding -> one LSTM layer -> next-token logits.

Sizes are those of the FusionGAN authors' generators (embedding 32, hidden 32). There is no noise
vector: the randomness of a sample is the uniform number spent on each token.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

INITIAL_SD = 0.1


class State(NamedTuple):
    """What the generator remembers after some tokens: hidden and cell values of the LSTM."""

    hidden: Float[Tensor, "B D"]
    cell: Float[Tensor, "B D"]


class Recurrent(nn.Module):
    """Next-token model over `vocabulary` symbols with a begin symbol that is never emitted."""

    def __init__(self, vocabulary: int, *, embedding: int = 32, hidden: int = 32) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "Recurrent":
        """Draw every weight and bias from normal(0, 0.1), as the released code; returns itself."""
        for weight in self.parameters():
            weight.normal_(0.0, INITIAL_SD, generator=generator)
        return self

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return the logits of each token given the ones before it (the first: given `begin`)."""
        begin = tokens.new_full((tokens.shape[0], 1), self.vocabulary)
        known = torch.cat([begin, tokens[:, :-1]], dim=1)
        states, _ = self.lstm(self.embedding(known))
        return self.head(states)

    def log_likelihood(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """Return log p(token | tokens before it) in nats, position by position."""
        scores = torch.log_softmax(self(tokens), dim=-1)
        return scores.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)

    def gates(self) -> Float[Tensor, "S C"]:
        """Return what each input symbol adds to the four LSTM gates: a table of V + 1 rows.

        The vocabulary is small, so the input half of the LSTM is a look-up while sampling.
        """
        weights = self.lstm
        return (
            self.embedding.weight @ weights.weight_ih_l0.T + weights.bias_ih_l0 + weights.bias_hh_l0
        )

    def start(self, count: int) -> State:
        """Return the state before anything is heard, `count` times: zeros."""
        zeros = self.head.weight.new_zeros(count, self.lstm.hidden_size)
        return State(zeros, zeros)

    def advance(self, table: Float[Tensor, "S C"], state: State, heard: Int[Tensor, " B"]) -> State:
        """Return the state after `heard` (one symbol each), with `table` from `gates`."""
        total = torch.addmm(table[heard], state.hidden, self.lstm.weight_hh_l0.T)
        enter, forget, candidate, leave = total.chunk(4, dim=1)
        cell = forget.sigmoid() * state.cell + enter.sigmoid() * candidate.tanh()
        return State(leave.sigmoid() * cell.tanh(), cell)

    def draw(self, state: State, uniform: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
        """Return the next token by inverting the cumulative distribution at `uniform` in [0, 1).

        One number a token, so two ways of sampling can be compared on equal random numbers. The
        cumulative sum is a product with a triangle of ones: deterministic on a GPU as well.
        """
        chance = self.head(state.hidden).softmax(dim=1)
        upto = chance @ chance.new_ones(self.vocabulary, self.vocabulary).triu()
        passed = (upto <= uniform.unsqueeze(1) * upto[:, -1:]).sum(dim=1)
        return passed.clamp_(max=self.vocabulary - 1)

    @torch.no_grad()
    def sample(self, uniform: Float[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """Return sequences drawn from scratch, one uniform number in [0, 1) for each token."""
        count, length = uniform.shape
        table, state = self.gates(), self.start(count)
        heard = torch.full((count,), self.vocabulary, device=uniform.device)
        tokens = []
        for t in range(length):
            state = self.advance(table, state, heard)
            heard = self.draw(state, uniform[:, t])
            tokens.append(heard)
        return torch.stack(tokens, dim=1)
