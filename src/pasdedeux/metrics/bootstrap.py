"""How sure a number is that was measured on a few seeds with finitely many samples each.

`bootstrap` is that of Efron (1979) on two levels: seeds are drawn with replacement, then the
samples of each drawn seed, and the statistic is computed again. `paired` compares two systems
sample by sample. `S` seeds, `N` samples.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse

Counts = Int[np.ndarray, "N C"]  # one row of counts for each sample of a seed
Statistic = Callable[[Float[np.ndarray, " C"]], float]


def bootstrap(
    seeds: Sequence[Counts],
    statistic: Statistic,
    *,
    generator: np.random.Generator,
    draws: int = 200,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the mean of `statistic` over seeds and the ends of its percentile interval.

    The interval is widened where it would not hold the mean, as it can when a statistic has a
    smallest possible value. `statistic` takes the summed counts of one seed. With one seed the
    interval tells only how much the finite number of samples matters.
    """
    refuse(not seeds, "bootstrap needs the counts of at least one seed, got none.")
    refuse(draws < 2, f"draws must be at least 2, got {draws}.")
    refuse(not 0 < level < 1, f"level must lie between 0 and 1, got {level}.")
    mean = float(np.mean([statistic(counts.sum(axis=0).astype(float)) for counts in seeds]))
    values = [
        np.mean(
            [
                statistic(_resampled(seeds[place], generator))
                for place in generator.integers(len(seeds), size=len(seeds))
            ]
        )
        for _ in range(draws)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return mean, float(min(low, mean)), float(max(high, mean))


def paired(
    differences: Float[np.ndarray, "S N"],
    *,
    generator: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the mean difference and the ends of its percentile interval over samples.

    `differences[s, n]` is what two systems differ by on sample n under seed s. The same samples are
    drawn, with replacement, for both systems and all seeds: what is hard about a sample cancels.
    Seeds are not drawn; how much they matter is another question.
    """
    refuse(differences.size == 0, "paired needs a difference of one seed and sample at least.")
    refuse(not np.isfinite(differences).all(), "differences must be finite; leave failed runs out.")
    refuse(draws < 2, f"draws must be at least 2, got {draws}.")
    refuse(not 0 < level < 1, f"level must lie between 0 and 1, got {level}.")
    each = differences.mean(axis=0)
    N = len(each)
    means = generator.multinomial(N, np.full(N, 1 / N), size=draws) @ each / N
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(each.mean()), float(low), float(high)


def _resampled(counts: Counts, generator: np.random.Generator) -> Float[np.ndarray, " C"]:
    """Return the summed counts of as many samples, drawn with replacement."""
    N = len(counts)
    return generator.multinomial(N, np.full(N, 1 / N)).astype(float) @ counts
