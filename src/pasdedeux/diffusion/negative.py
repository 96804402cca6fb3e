"""Negatives: the same music in another order (intra), or other music (inter).

Section 3.3 of the paper. Intra negatives cut a sequence into chunks and put them in another order.
The paper cuts the waveform, the release the codes; `shuffled` takes either. Inter negatives are
sequences of another genre (another song, where there are no genres): `OtherLabel` draws their
places in the training set. `B` batch, `L` positions, `N` negatives of each, `M` items of a set.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from pasdedeux.base.checks import refuse

CHUNKS = 8  # of the release


class Chunks(NamedTuple):
    """Where each chunk begins and how long it is; lengths differ by one at most."""

    begin: Int[Tensor, " C"]
    length: Int[Tensor, " C"]


def chunks(positions: int, count: int, device: torch.device) -> Chunks:
    """Return `count` chunks that cover all `positions`."""
    refuse(
        not 2 <= count <= positions,
        f"chunks must be from 2 to the {positions} positions, got {count}.",
    )
    edges = torch.arange(count + 1, device=device) * positions // count
    return Chunks(edges[:-1], edges.diff())


def shuffled(
    start: Shaped[Tensor, "B L"],
    draw: torch.Generator,
    *,
    negatives: int = 10,
    chunks_of_each: int = CHUNKS,
) -> Shaped[Tensor, "B N L"]:
    """Return each sequence with its chunks in `negatives` other orders, drawn for itself.

    Each is a rearrangement and never the original: an order that gives the original (by chance, or
    because chunks are equal) is replaced by the first swap of chunk 0 with another that does not.
    Only a sequence that no such swap changes, such as silence, comes back as it is.
    """
    B, L = start.shape
    parts = chunks(L, chunks_of_each, start.device)
    keys = torch.rand(B, negatives, chunks_of_each, generator=draw, device=draw.device)
    order = keys.argsort(-1).to(start.device)
    rearranged = _taken(start, order, parts)
    same = (rearranged == start[:, None]).all(-1)
    if bool(same.any()):
        found = torch.where(same[..., None], _swap(start, parts)[:, None], order)
        rearranged = _taken(start, found, parts)
    return rearranged


def _taken(start: Tensor, order: Tensor, parts: Chunks) -> Tensor:
    """Return (B, N, L): the chunks of each sequence in the order (B, N, C)."""
    L = start.shape[1]
    length = parts.length[order]
    ends = length.cumsum(-1)
    position = torch.arange(L, device=start.device).expand(*order.shape[:2], L).contiguous()
    chunk = torch.searchsorted(ends, position, right=True)
    shift = (parts.begin[order] - (ends - length)).gather(-1, chunk)
    return start[:, None].expand(-1, order.shape[1], -1).gather(-1, position + shift)


def _swap(start: Tensor, parts: Chunks) -> Tensor:
    """Return for each sequence an order (B, C) that changes it by a swap of two chunks, if any."""
    C = len(parts.begin)
    each = torch.arange(C, device=start.device)
    swaps = each.repeat(C, 1)
    swaps[:, 0] = each
    swaps.fill_diagonal_(0)
    changed = _taken(start, swaps.expand(len(start), C, C), parts) != start[:, None]
    return swaps[changed.any(-1).to(torch.int8).argmax(-1)]


def released_shuffled(
    start: Shaped[Tensor, "B L"],
    draw: torch.Generator,
    *,
    negatives: int = 10,
    chunks_of_each: int = CHUNKS,
) -> Shaped[Tensor, "B N L"]:
    """Return intra negatives as the released code draws them.

    One order serves the whole batch, the identity is among the orders (once in 40,320 for 8
    chunks), chunks have L // chunks positions and what is left at the end never moves.
    """
    B, L = start.shape
    parts = chunks(L - L % chunks_of_each, chunks_of_each, start.device)
    keys = torch.rand(1, negatives, chunks_of_each, generator=draw, device=draw.device)
    order = keys.argsort(-1).to(start.device).expand(B, -1, -1)
    whole = int(parts.length.sum())
    tail = start[:, None, whole:].expand(-1, negatives, -1)
    return torch.cat([_taken(start[:, :whole], order, parts), tail], dim=-1)


class OtherLabel:
    """Draws items whose label differs, in time that does not depend on the size of the set."""

    def __init__(self, labels: Int[Tensor, " M"]) -> None:
        """Index a set by its labels (genres, or songs). Raises `ValueError` if all are alike."""
        refuse(
            len(labels.unique()) < 2,
            f"inter negatives need at least 2 labels, all {len(labels)} items have the same one; "
            "use intra negatives or label by song.",
        )
        self.labels = labels
        ordered, self._items = labels.sort(stable=True)
        self._first = torch.searchsorted(ordered, labels)
        self._count = torch.searchsorted(ordered, labels, right=True) - self._first

    def drawn(
        self, items: Int[Tensor, " B"], draw: torch.Generator, *, negatives: int = 10
    ) -> Int[Tensor, "B N"]:
        """Return places of `negatives` items for each of `items`, all of another label.

        Uniform over those items, with replacement. Called once for the whole set it gives the
        lists that the release keeps for all epochs.
        """
        first, count = self._first[items, None], self._count[items, None]
        others = len(self.labels) - count
        chance = torch.rand(
            len(items), negatives, generator=draw, device=draw.device, dtype=torch.float64
        )
        place = (chance.to(items.device) * others).long()
        place = place + torch.where(place >= first, count, 0)
        return self._items[place]
