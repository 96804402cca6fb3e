"""RM and MC (FusionGAN section IV): notes drawn one by one, with no memory of the last.

Random Mixing draws pitch and length *uniformly* over the different ones of both genres; Monte Carlo
draws them from the pooled empirical distributions. The paper's wording separates the two only so.
A rest is one more symbol beside the pitches, with lengths of its own.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.melodies import MelodyPair
from pasdedeux.training import phases
from pasdedeux.training.config import MelodyTraining

OFF_ID, HOLD_ID = 0, 1


class Marginals(NamedTuple):
    """Chances of each symbol (by id), and of each length in steps of notes and of rests."""

    symbols: Float[np.ndarray, " V"]
    note_lengths: Float[np.ndarray, " T"]
    rest_lengths: Float[np.ndarray, " T"]


def random_mixing(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return RM: every pitch and every length that occurs is equally likely."""
    found = marginals(_pooled(pair), pair.vocabulary.size)
    flat = Marginals(*((part > 0) / np.count_nonzero(part) for part in found))
    return _drawing("random-mixing", flat, settings, pair, seed)


def monte_carlo(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return MC: pitches and lengths as often as they occur in both genres pooled."""
    found = marginals(_pooled(pair), pair.vocabulary.size)
    return _drawing("monte-carlo", found, settings, pair, seed)


def marginals(windows: Int[np.ndarray, "N T"], vocabulary: int) -> Marginals:
    """Return how often each symbol, note length and rest length occurs in `windows`.

    An event is an onset or a rest with the hold tokens after it; holds at the beginning of a
    window belong to a note that began before it and are left out.
    """
    T = windows.shape[1]
    run = np.zeros(windows.shape[0], dtype=np.int64)
    symbols, notes, rests = (np.zeros(size) for size in (vocabulary, T, T))
    for t in range(T - 1, -1, -1):
        token = windows[:, t]
        begins = token != HOLD_ID
        symbols += np.bincount(token[begins], minlength=vocabulary)
        for lengths, kind in ((notes, begins & (token != OFF_ID)), (rests, token == OFF_ID)):
            lengths += np.bincount(run[kind], minlength=T)
        run = np.where(begins, 0, run + 1)
    if not rests.any():
        rests[0] = 1  # no rest ever drawn: its symbol has chance zero
    return Marginals(*(part / part.sum() for part in (symbols, notes, rests)))


def drawn(
    chances: Marginals, count: int, length: int, generator: np.random.Generator
) -> Int[np.ndarray, "N T"]:
    """Return windows of independent events laid end to end, the last one cut at `length`."""
    shape = (count, length)
    symbol = generator.choice(len(chances.symbols), shape, p=chances.symbols)
    note = generator.choice(len(chances.note_lengths), shape, p=chances.note_lengths)
    rest = generator.choice(len(chances.rest_lengths), shape, p=chances.rest_lengths)
    starts = np.cumsum(1 + np.where(symbol == OFF_ID, rest, note), axis=1)
    starts = np.concatenate([np.zeros((count, 1), dtype=np.int64), starts[:, :-1]], axis=1)
    windows = np.full(shape, HOLD_ID)
    rows, events = np.nonzero(starts < length)
    windows[rows, starts[rows, events]] = symbol[rows, events]
    return windows


def _pooled(pair: MelodyPair) -> Int[np.ndarray, "N T"]:
    return np.concatenate([pair.a.train, pair.b.train])


def _drawing(
    system: str, chances: Marginals, settings: MelodyTraining, pair: MelodyPair, seed: int
) -> phases.Trained:
    run = phases.opened(system, settings, pair, seed, code=__name__)

    def sample(count: int) -> Int[np.ndarray, "N T"]:
        return drawn(chances, count, settings.melody.window, numpy_generator(seed, system))

    return phases.Trained(run, sample)
