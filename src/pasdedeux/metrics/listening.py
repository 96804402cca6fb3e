"""What people answered, as the numbers that the papers print, and how sure these are.

Fusion level (FL), section IV-B of FusionGAN; average rank, Table 3 of the dual-learning paper; mean
opinion score (MOS), Table 1 of CDCD. None of the papers prints an interval. Here all intervals are
bootstraps over listeners, because answers of one listener are not independent.

Conventions: listeners before stimuli. Ranks begin with 1, the best. Scores are 1 to 5, NaN where a
listener gave none. `L` listeners, `N` stimuli, `C` classes of answers, `K` methods.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import krippendorff
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from pasdedeux.base.checks import choice, refuse

GENRE_ANSWERS = ("jazz", "folk", "mixture", "neither")  # the order of `fusion_level`
DRAWS = 2000
PASS_SHARE = 0.6  # of the qualification; ours: the paper tells no pass mark, chance is a third
Statistic = Callable[[Float[np.ndarray, "D C"]], Float[np.ndarray, " D"]]
Numbers = Float[np.ndarray, " C"] | Int[np.ndarray, " C"]


class Estimate(NamedTuple):
    """A number, the ends of its 95 % interval and how many listeners it rests on."""

    value: float
    low: float
    high: float
    listeners: int


class Friedman(NamedTuple):
    """Whether K methods are ranked alike: statistic, its chance, and Kendall's W in 0..1."""

    statistic: float
    p: float
    agreement: float


class Pairwise(NamedTuple):
    """Two methods by Wilcoxon's signed ranks: mean difference of ranks (first - second)."""

    first: int
    second: int
    difference: float
    p: float
    p_holm: float  # for as many pairs as there are


def fusion_level(counts: Numbers) -> float:
    """Return FL in percent: 100 (1 - (|C_jazz - C_folk| + C_neither) / all answers).

    `counts` are those of jazz, folk, mixture and neither. Blind spot: as many jazz as folk answers
    and no "neither" give 100 without a single "mixture".
    """
    refuse(len(counts) != 4, f"counts are jazz, folk, mixture, neither; got {len(counts)} numbers.")
    refuse(bool((np.asarray(counts) < 0).any()), f"counts must be at least 0, got {counts}.")
    refuse(float(np.sum(counts)) == 0, "FL needs at least one answer, got none.")
    return float(fusion_levels(np.asarray(counts, dtype=float)[None])[0])


def fusion_levels(counts: Float[np.ndarray, "D 4"]) -> Float[np.ndarray, " D"]:
    """Return `fusion_level` of each row."""
    jazz, folk, _, neither = counts.T
    return 100.0 * (1.0 - (np.abs(jazz - folk) + neither) / counts.sum(axis=1))


def shares(place: int) -> Statistic:
    """Return the statistic "answers of class `place` in percent of all"."""
    return lambda counts: 100.0 * counts[:, place] / counts.sum(axis=1)


def over_listeners(
    counts: Int[np.ndarray, "L C"],
    statistic: Statistic,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Estimate:
    """Return `statistic` of all answers together, with its bootstrap interval over listeners.

    Efron's (1979) percentile interval, widened where it would not hold the value. `statistic` takes
    summed counts, a row each, and returns a number for each row. Who gave no answer is left out.
    """
    refuse(draws < 2, f"draws must be at least 2, got {draws}.")
    refuse(not 0 < level < 1, f"level must lie between 0 and 1, got {level}.")
    given = counts[counts.sum(axis=1) > 0].astype(float)
    L = len(given)
    refuse(not L, "nobody has answered; there is nothing to estimate.")
    value = float(statistic(given.sum(axis=0, keepdims=True))[0])
    times = generator.multinomial(L, np.full(L, 1 / L), size=draws).astype(float)
    low, high = np.quantile(statistic(times @ given), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(min(low, value)), float(max(high, value)), L)


def qualified(
    right: Int[np.ndarray, " L"], asked: Int[np.ndarray, " L"], *, pass_share: float = PASS_SHARE
) -> Bool[np.ndarray, " L"]:
    """Return which listeners had at least `pass_share` of the qualification right.

    Who was asked nothing has not qualified.
    """
    refuse(not 0 < pass_share <= 1, f"pass_share must lie in (0, 1], got {pass_share}.")
    refuse(bool((right > asked).any()), "more right answers than questions; swapped arguments?")
    return (asked > 0) & (right >= pass_share * asked - 1e-9)


def share_right(right: int, asked: int) -> tuple[float, float, float]:
    """Return a share of right answers in percent with Wilson's 95 % interval."""
    refuse(asked < 1, f"asked must be at least 1, got {asked}.")
    told = stats.binomtest(right, asked).proportion_ci(0.95, method="wilson")
    return 100.0 * right / asked, 100.0 * float(told.low), 100.0 * float(told.high)


# ------------------------------------------------------------------------------ ranks


def validate_ranks(ranks: Int[np.ndarray, "L N K"]) -> None:
    """Raise `ValueError` unless every listener gave every stimulus each rank 1..K once."""
    K = ranks.shape[-1]
    refuse(ranks.size == 0, "no rankings were given.")
    fine = (np.sort(ranks, axis=-1) == np.arange(1, K + 1)).all()
    refuse(not fine, f"each ranking must hold 1 to {K} once; do the ranks begin with 0, or tie?")


def average_rank(
    ranks: Int[np.ndarray, "L N K"], *, generator: np.random.Generator, draws: int = DRAWS
) -> list[Estimate]:
    """Return the mean rank of each method with its bootstrap interval over listeners."""
    validate_ranks(ranks)
    L, N, K = ranks.shape
    totals = ranks.sum(axis=1)
    counts = [np.stack([totals[:, method], np.full(L, N)], axis=1) for method in range(K)]
    return [over_listeners(c, _quotients, generator=generator, draws=draws) for c in counts]


def friedman(ranks: Int[np.ndarray, "L N K"]) -> Friedman:
    """Return Friedman's test of the listeners' mean ranks, ties corrected.

    One row a listener: rankings of one listener are not independent. Raises `ValueError` for fewer
    than two listeners or three methods.
    """
    validate_ranks(ranks)
    L, _, K = ranks.shape
    refuse(L < 2 or K < 3, f"Friedman's test needs 2 listeners and 3 methods, got {L} and {K}.")
    means = ranks.mean(axis=1)
    if bool((means == means[:, :1]).all()):  # all tied: nothing can be told apart
        return Friedman(0.0, 1.0, 0.0)
    told = stats.friedmanchisquare(*means.T)
    statistic = float(told.statistic)
    return Friedman(statistic, float(told.pvalue), statistic / (L * (K - 1)))


def pairwise(ranks: Int[np.ndarray, "L N K"]) -> list[Pairwise]:
    """Return Wilcoxon's signed-rank test of each pair of methods over listeners' mean ranks.

    With L listeners no p is below 2 / 2^L (`smallest_p`). Methods ranked alike have p = 1.
    """
    validate_ranks(ranks)
    means = ranks.mean(axis=1)
    K = ranks.shape[-1]
    pairs = [(a, b) for a in range(K) for b in range(a + 1, K)]
    found = []
    for a, b in pairs:
        apart = means[:, a] - means[:, b]
        p = float(stats.wilcoxon(apart).pvalue) if np.any(apart) else 1.0
        found.append((a, b, float(apart.mean()), p))
    corrected = holm(np.array([p for *_, p in found]))
    return [Pairwise(*one, float(p)) for one, p in zip(found, corrected, strict=True)]


def smallest_p(listeners: int) -> float:
    """Return the least two-sided p that Wilcoxon's test can give with so many listeners.

    With the five listeners of the dual-learning paper it is 0.0625: no pair can be significant.
    """
    refuse(listeners < 1, f"listeners must be at least 1, got {listeners}.")
    return 2.0 / 2.0**listeners


def holm(p: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """Return `p` corrected for as many tests (Holm 1979), in the order given, at most 1."""
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(scaled, 1.0)
    return found


# ------------------------------------------------------------------------------ scores


def mean_opinion(
    scores: Float[np.ndarray, "L N"], *, generator: np.random.Generator, draws: int = DRAWS
) -> Estimate:
    """Return the mean of all scores with its bootstrap interval over listeners; NaN is no score."""
    given = np.isfinite(scores)
    values = scores[given]
    fine = bool(((values >= 1) & (values <= 5) & (values == np.round(values))).all())
    refuse(not fine, "scores are whole numbers 1 to 5, NaN where there is none.")
    counts = np.stack([np.where(given, scores, 0).sum(axis=1), given.sum(axis=1)], axis=1)
    return over_listeners(counts.astype(int), _quotients, generator=generator, draws=draws)


def _quotients(counts: Float[np.ndarray, "D 2"]) -> Float[np.ndarray, " D"]:
    return counts[:, 0] / counts[:, 1]


# ------------------------------------------------------------------------------ agreement


def krippendorff_alpha(
    values: Float[np.ndarray, "L N"], level: Literal["nominal", "ordinal", "interval"] = "nominal"
) -> float:
    """Return Krippendorff's alpha (2011): 1 - observed / expected disagreement; NaN is no answer.

    Stimuli with a single answer tell nothing and are left out. Raises `ValueError` where no
    stimulus has two answers or all answers are the same.
    """
    choice("level", level, ("nominal", "ordinal", "interval"))
    kept = values[:, np.isfinite(values).sum(axis=0) >= 2]
    refuse(kept.shape[1] == 0, "no stimulus has two answers; there is no agreement to measure.")
    distinct = np.unique(kept[np.isfinite(kept)])
    told = "all answers are the same; agreement above chance is undefined."
    refuse(len(distinct) < 2, told)  # noqa: PLR2004
    return float(krippendorff.alpha(reliability_data=kept, level_of_measurement=level))
