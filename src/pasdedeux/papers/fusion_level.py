"""What FL can and cannot tell: blind spots, guessing, intervals, and what qualification does.

FL = 100 (1 - (|C_jazz - C_folk| + C_neither) / all answers), section IV-B of FusionGAN, printed
without an interval. All of it follows from the formula; nobody is asked here.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from pasdedeux.base.checks import refuse
from pasdedeux.metrics.listening import PASS_SHARE, fusion_level

NORMAL_95 = 1.96
ANSWERS = 4
GUESSED = (25.0, 25.0, 25.0, 25.0)  # percent, of who presses one of four buttons at random
CASES: dict[str, tuple[float, float, float, float]] = {  # jazz, folk, mixture, neither
    "every answer is mixture": (0.0, 0.0, 100.0, 0.0),
    "half jazz, half folk, no mixture": (50.0, 50.0, 0.0, 0.0),
    "everybody guesses": GUESSED,
    "one half mixture, the rest jazz": (50.0, 0.0, 50.0, 0.0),
    "one half mixture, the rest neither": (0.0, 0.0, 50.0, 50.0),
    "all jazz": (100.0, 0.0, 0.0, 0.0),
    "all neither": (0.0, 0.0, 0.0, 100.0),
}
Shares = Float[np.ndarray, " 4"]


def cases() -> dict[str, float]:
    """Return FL of each of `CASES`."""
    return {name: fusion_level(np.array(shares)) for name, shares in CASES.items()}


def guessed_level(answers: int) -> float:
    """Return the mean FL of so many answers pressed at random among four, exactly.

    75 for very many; fewer answers are less balanced by chance, so FL is lower:
    E|J - F| = sum over m of P(J + F = m) E|2 J - m|, J of m tosses of a coin.
    """
    refuse(answers < 1, f"answers must be at least 1, got {answers}.")
    apart = 0.0
    for m in range(answers + 1):
        j = np.arange(m + 1)
        mean = float((stats.binom.pmf(j, m, 0.5) * np.abs(2 * j - m)).sum())
        apart += float(stats.binom.pmf(m, answers, 0.5)) * mean
    return 100.0 * (1.0 - apart / answers - 1 / ANSWERS)


def half_width(shares: Shares, listeners: int, *, answers: int, alike: float) -> float:
    """Return half of FL's 95 % interval in points, each listener giving so many answers.

    `shares` of jazz, folk, mixture, neither, as counts or percent. An answer costs
    x = sign(jazz - folk) (1_jazz - 1_folk) + 1_neither, FL is 100 (1 - mean of x), so its variance
    is that of x over all answers, times Kish's (1965) design effect 1 + (answers - 1) alike. alike:
    the correlation of two answers of one listener, 0 when listeners do not differ. Holds where
    jazz and folk are clearly apart: near jazz = folk FL has a kink, is biased downwards and spreads
    less than told here.
    """
    refuse(listeners < 1, f"listeners must be at least 1, got {listeners}.")
    effect = _effect(answers, alike)
    return 100.0 * NORMAL_95 * math.sqrt(_variance(shares) * effect / (listeners * answers))


def listeners_needed(shares: Shares, width: float, *, answers: int, alike: float) -> int:
    """Return the least number of listeners whose interval is at most `width` points wide, in all.

    Raises `ValueError` for a width that is not above 0; see `half_width`.
    """
    refuse(width <= 0, f"width must be above 0 points, got {width}.")
    one = (2 * 100.0 * NORMAL_95) ** 2 * _variance(shares) * _effect(answers, alike) / answers
    return max(1, math.ceil(one / width**2 - 1e-9))


def _variance(shares: Shares) -> float:
    refuse(bool((shares < 0).any()) or not shares.sum() > 0, f"shares must be above 0: {shares}.")
    jazz, folk, _, neither = shares / shares.sum()
    sign = math.copysign(1.0, jazz - folk)
    mean = sign * (jazz - folk) + neither
    return float(jazz + folk + neither - mean**2)


def _effect(answers: int, alike: float) -> float:
    refuse(answers < 1, f"answers must be at least 1, got {answers}.")
    refuse(not 0 <= alike <= 1, f"alike must lie in 0..1, got {alike}.")
    return 1.0 + (answers - 1) * alike


class Qualified(NamedTuple):
    """What a qualification lets through, all in percent.

    able, guessing: of those who can tell genres, and of those who guess, who passes. left: how many
    of those who passed guess. level_all, level_passed: FL of everybody and of those who passed.
    """

    able: float
    guessing: float
    left: float
    level_all: float
    level_passed: float


def qualification(
    shares: Shares,
    guessing: float,
    *,
    questions: int,
    right: float,
    pass_share: float = PASS_SHARE,
) -> Qualified:
    """Return what a test of so many questions with three answers does to FL.

    guessing: the share (0 to 1) of listeners who press at random, in the qualification and after
    it. right: chance of an able listener to be right at one question; such listeners answer as
    `shares` say. With very many listeners.
    """
    refuse(not 0 <= guessing <= 1, f"guessing must lie in 0..1, got {guessing}.")
    refuse(not 0 <= right <= 1, f"right must lie in 0..1, got {right}.")
    refuse(questions < 1, f"questions must be at least 1, got {questions}.")
    least = math.ceil(pass_share * questions - 1e-9)
    able, guesser = (float(stats.binom.sf(least - 1, questions, p)) for p in (right, 1 / 3))
    passed = guessing * guesser + (1 - guessing) * able
    left = guessing * guesser / passed if passed else 0.0
    own = 100.0 * shares / shares.sum()
    levels = [fusion_level((1 - g) * own + g * np.array(GUESSED)) for g in (guessing, left)]
    return Qualified(100 * able, 100 * guesser, 100 * left, levels[0], levels[1])
