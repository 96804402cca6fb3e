"""A reference model of token order: interpolated n-grams, and the likelihood they give.

Task. DD and NPD throw the order of notes away, so random draws from the right marginals win. An
n-gram model fitted to one set of melodies and asked about another sees order. Smoothing is Witten
and Bell's (1991): the more different tokens a context was followed by, the more weight the shorter
context gets; the shortest is uniform over the vocabulary, so no likelihood is ever zero.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse


@dataclass(frozen=True)
class NGram:
    """Counts of contexts of 0 .. order - 1 tokens and of each context with its next token.

    A context is a number in base V + 1, where the digit V stands for "before the first token".
    """

    order: int
    vocabulary: int
    seen: tuple[dict[int, int], ...]
    followers: tuple[dict[int, int], ...]
    joint: tuple[dict[int, int], ...]

    def negative_log_likelihood(self, windows: Int[np.ndarray, "N T"]) -> float:
        """Return the mean of -log p(token | tokens before it in its window), nats per token."""
        return float(-np.log(self.probability(windows)).mean())

    def probability(self, windows: Int[np.ndarray, "N T"]) -> Float[np.ndarray, "N T"]:
        """Return p(token | at most order - 1 tokens before it) for every token."""
        _validate(windows, self.vocabulary, "windows")
        chance = np.full(windows.shape, 1.0 / self.vocabulary)
        for length in range(self.order):
            contexts = _contexts(windows, length, self.vocabulary)
            pairs = contexts * self.vocabulary + windows
            seen = _look_up(self.seen[length], contexts)
            followers = _look_up(self.followers[length], contexts)
            both = _look_up(self.joint[length], pairs)
            total = seen + followers
            better = (both + followers * chance) / np.maximum(total, 1)
            chance = np.where(total > 0, better, chance)
        return chance


def fit_ngram(windows: Int[np.ndarray, "N T"], vocabulary: int, *, order: int = 4) -> NGram:
    """Return the model counted from `windows`, whose ids lie in 0 .. `vocabulary` - 1."""
    refuse(order < 1, f"order must be at least 1, got {order}.")
    _validate(windows, vocabulary, "windows")
    seen, followers, joint = [], [], []
    for length in range(order):
        contexts = _contexts(windows, length, vocabulary)
        pairs, counts = np.unique(contexts * vocabulary + windows, return_counts=True)
        heads = pairs // vocabulary
        keys, first, kinds = np.unique(heads, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        seen.append(dict(zip(keys.tolist(), totals.tolist(), strict=True)))
        followers.append(dict(zip(keys.tolist(), kinds.tolist(), strict=True)))
        joint.append(dict(zip(pairs.tolist(), counts.tolist(), strict=True)))
    return NGram(order, vocabulary, tuple(seen), tuple(followers), tuple(joint))


def _contexts(windows: Int[np.ndarray, "N T"], length: int, V: int) -> Int[np.ndarray, "N T"]:
    """Return the `length` tokens before each token as one number."""
    N, T = windows.shape
    padded = np.concatenate([np.full((N, length), V), windows], axis=1).astype(np.int64)
    number = np.zeros((N, T), dtype=np.int64)
    for place in range(length):
        number = number * (V + 1) + padded[:, place : place + T]
    return number


def _look_up(table: dict[int, int], keys: Int[np.ndarray, "N T"]) -> Int[np.ndarray, "N T"]:
    wanted, back = np.unique(keys, return_inverse=True)
    found = np.array([table.get(key, 0) for key in wanted.tolist()], dtype=np.int64)
    return found[back].reshape(keys.shape)


def _validate(windows: Int[np.ndarray, "N T"], vocabulary: int, name: str) -> None:
    refuse(windows.ndim != 2 or not windows.size, f"{name} must be (N, T) and not empty.")
    refuse(
        int(windows.min()) < 0 or int(windows.max()) >= vocabulary,
        f"{name} holds ids outside 0..{vocabulary - 1}.",
    )
