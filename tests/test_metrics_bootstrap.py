import numpy as np
import pytest

from pasdedeux.metrics.bootstrap import bootstrap


def share(counts):
    return counts[0] / counts.sum()


def coins(chance, count, seed):
    heads = np.random.default_rng(seed).random(count) < chance
    return np.stack([heads, ~heads], axis=1).astype(int)


def test_interval_of_a_coin_is_the_binomial_one():
    mean, low, high = bootstrap(
        [coins(0.3, 1009, 0)], share, generator=np.random.default_rng(1), draws=2000
    )
    error = (mean * (1 - mean) / 1009) ** 0.5
    assert low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)


def test_seeds_that_disagree_widen_the_interval():
    alike = [coins(0.3, 1009, seed) for seed in range(5)]
    apart = [coins(chance, 1009, 7) for chance in (0.1, 0.2, 0.3, 0.4, 0.5)]
    widths = []
    for seeds in (alike, apart):
        _, low, high = bootstrap(seeds, share, generator=np.random.default_rng(0))
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


def test_it_is_seeded_and_its_interval_holds_its_mean():
    seeds = [coins(0.3, 23, 0), coins(0.3, 23, 1)]
    found = [bootstrap(seeds, share, generator=np.random.default_rng(5)) for _ in range(2)]
    assert found[0] == found[1]
    mean, low, high = found[0]
    assert low <= mean <= high


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least one seed"):
        bootstrap([], share, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="level must lie between"):
        bootstrap([coins(0.5, 7, 0)], share, generator=np.random.default_rng(0), level=1.0)
