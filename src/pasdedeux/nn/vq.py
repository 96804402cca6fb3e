"""Vector quantisation with a codebook that follows what it stands for (van den Oord et al. 2017).

A frame x becomes the nearest entry e_k of the codebook; its gradient passes straight through to x.
No gradient reaches the codebook. It follows moving averages over batches of n frames:

    use_k <- d use_k + (1 - d) K n_k / n
    sum_k <- d sum_k + (1 - d) K / n (sum of the frames of code k)        e_k = sum_k / use_k

so that use_k is 1 when all K codes are used alike, whatever the size of a batch. An entry whose
use falls below `least_use` is dead and becomes a frame of the batch. Entries made from a frame
begin with little use, so that the first frames they stand for outweigh that one. A codebook made
from an encoder that has learnt nothing collapses: train without it first, then `begin`.

`B` batch, `T` frames, `D` width, `K` codes, `N` frames of a whole batch.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base.checks import refuse

NEW_USE = 2.0  # use of a new entry, in least uses: time to be found before it dies again


class Quantised(NamedTuple):
    """Frames with the codebook's in their place, which entries they are, and the commitment loss.

    commitment: mean square of the distance to the codebook, over frames and channels.
    """

    frames: Float[Tensor, "B T D"]
    codes: Int[Tensor, "B T"]
    commitment: Float[Tensor, ""]


class Quantiser(nn.Module):
    """The codebook; all of its state is in buffers, so that a checkpoint holds it."""

    codebook: Float[Tensor, "K D"]
    use: Float[Tensor, " K"]
    total: Float[Tensor, "K D"]

    def __init__(
        self, codes: int, width: int, *, decay: float = 0.99, least_use: float = 0.05
    ) -> None:
        super().__init__()
        refuse(codes < 2, f"codes must be at least 2, got {codes}.")
        refuse(width < 1, f"width must be at least 1, got {width}.")
        refuse(not 0 < decay < 1, f"decay must be between 0 and 1, got {decay}.")
        refuse(
            not 0 < least_use < 1 / NEW_USE,
            f"least_use must be between 0 and {1 / NEW_USE}, got {least_use}; 1 is an even use.",
        )
        self.decay, self.least_use = decay, least_use
        self.register_buffer("codebook", torch.zeros(codes, width))
        self.register_buffer("use", torch.ones(codes))
        self.register_buffer("total", torch.zeros(codes, width))

    def nearest(self, frames: Float[Tensor, "B T D"]) -> Int[Tensor, "B T"]:
        """Return the code of the entry nearest to each frame, the first of equally near ones."""
        with torch.no_grad():
            flat = frames.reshape(-1, frames.shape[-1])
            squares = self.codebook.square().sum(1)  # those of the frames change no order
            apart = torch.addmm(squares, flat, self.codebook.T, alpha=-2)
            return apart.argmin(1).reshape(frames.shape[:-1])

    def embed(self, codes: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Return the entries of `codes`; raises `ValueError` for a code outside the codebook."""
        low, high = (int(codes.min()), int(codes.max())) if codes.numel() else (0, 0)
        refuse(
            low < 0 or high >= len(self.codebook),
            f"codes must be in 0 .. {len(self.codebook) - 1}, got {low} .. {high}; were they made "
            "with this codebook?",
        )
        return F.embedding(codes.long(), self.codebook)

    def quantised(self, frames: Float[Tensor, "B T D"]) -> Quantised:
        """Return `frames` quantised; their gradient is that of what is returned (straight through).

        The commitment moves the frames alone, towards their entries.
        """
        codes = self.nearest(frames)
        entries = F.embedding(codes, self.codebook)
        commitment = (frames - entries).square().mean()
        return Quantised(frames + (entries - frames).detach(), codes, commitment)

    @torch.no_grad()
    def begin(self, frames: Float[Tensor, "B T D"], draw: torch.Generator) -> None:
        """Let the codebook be frames drawn from `frames`, as little used as renewed ones.

        Where there are fewer frames than codes they are drawn more than once, a little apart.
        """
        self.codebook.copy_(_drawn(frames, len(self.codebook), draw))
        self.use.fill_(NEW_USE * self.least_use)
        self.total.copy_(self.codebook * self.use[:, None])

    @torch.no_grad()
    def adopt(self, codebook: Float[Tensor, "K D"]) -> None:
        """Take over a codebook learnt elsewhere; its use, which nobody kept, counts as even."""
        refuse(
            codebook.shape != self.codebook.shape,
            f"codebook must have shape {tuple(self.codebook.shape)}, got {tuple(codebook.shape)}.",
        )
        self.codebook.copy_(codebook)
        self.use.fill_(1.0)
        self.total.copy_(codebook)

    @torch.no_grad()
    def follow(
        self, frames: Float[Tensor, "B T D"], codes: Int[Tensor, "B T"], draw: torch.Generator
    ) -> int:
        """Move the codebook towards the `frames` that became `codes`, and renew its dead entries.

        Returns how many were dead; which frames take their places depends on `draw`.
        """
        flat, chosen, count = frames.reshape(-1, frames.shape[-1]), codes.flatten(), codes.numel()
        share = len(self.codebook) / count
        times = torch.zeros_like(self.use).index_add_(0, chosen, torch.ones_like(flat[:, 0]))
        sums = torch.zeros_like(self.total).index_add_(0, chosen, flat)
        self.use.lerp_(share * times, 1 - self.decay)
        self.total.lerp_(share * sums, 1 - self.decay)
        dead = self.use < self.least_use
        fresh, little = _drawn(frames, len(self.codebook), draw), NEW_USE * self.least_use
        self.use.masked_fill_(dead, little)
        self.total.copy_(torch.where(dead[:, None], little * fresh, self.total))
        self.codebook.copy_(self.total / self.use[:, None])
        return int(dead.sum())


def _drawn(
    frames: Float[Tensor, "B T D"], count: int, draw: torch.Generator
) -> Float[Tensor, "K D"]:
    """Return `count` frames in random order; noise keeps those drawn more than once apart."""
    flat = frames.detach().reshape(-1, frames.shape[-1])
    repeats = math.ceil(count / len(flat))
    order = torch.randperm(len(flat) * repeats, generator=draw)[:count]
    drawn = flat[(order % len(flat)).to(flat.device)]
    if repeats == 1:
        return drawn
    noise = torch.randn(drawn.shape, generator=draw).to(drawn)
    return drawn + noise * (0.01 / math.sqrt(drawn.shape[1]))


def frequencies(codes: Int[Tensor, "*batch"], count: int) -> Float[Tensor, " K"]:
    """Return the share of each of `count` codes among `codes`, in float64."""
    refuse(not codes.numel(), "codes must hold at least one code, got none.")
    return torch.bincount(codes.flatten(), minlength=count).double() / codes.numel()


def used(codes: Int[Tensor, "*batch"], count: int) -> Bool[Tensor, " K"]:
    """Return which of `count` codes occur among `codes`."""
    return frequencies(codes, count) > 0


def perplexity(codes: Int[Tensor, "*batch"], count: int) -> float:
    """Return exp of the entropy of `codes`: 1 for one code alone, `count` when all are even."""
    share = frequencies(codes, count)
    return float(torch.special.entr(share).sum().exp())
