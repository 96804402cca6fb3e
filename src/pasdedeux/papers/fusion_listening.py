"""Table II of FusionGAN computed again from its own percentages.

Every row prints four percentages and an FL that follows from them (section IV-B). Two rows do not
agree with their own numbers; how many answers a row rests on is not printed, but rounding tells the
least number that fits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pasdedeux.base.checks import refuse
from pasdedeux.metrics.listening import GENRE_ANSWERS, fusion_level
from pasdedeux.report.reference import Reference, fact, reference

MUSICALITY_ANSWERS = ("expert", "newbie", "robot")
MOST_ANSWERS = 1000


class Recomputed(NamedTuple):
    """One row of Table II: what its percentages say, in percent.

    level: FL by the formula, over what the row sums to. of_hundred: FL if the missing share were
    "mixture", which is what dividing by 100 assumes. lowest, highest: FL wherever the missing share
    may belong. least_answers: the smallest number of answers that rounds to all seven percentages,
    None when there is none up to a thousand.
    """

    row: str
    total: float
    level: float
    of_hundred: float
    lowest: float
    highest: float
    printed: float
    agrees: bool
    least_answers: int | None


def table_2() -> Reference:
    """Return Table II as printed."""
    return reference("fusion", 2)


def recomputed() -> list[Recomputed]:
    """Return every row of Table II with FL by the formula beside the printed one."""
    return [_recomputed(row) for row in table_2().rows]


def _recomputed(row: str) -> Recomputed:
    table = table_2()
    cells = table.printed[row]
    percent = np.array([cells[answer] for answer in GENRE_ANSWERS])
    total, level = float(percent.sum()), fusion_level(percent)
    missing = max(0.0, 100.0 - total)
    lowest, highest = reach(percent, missing)
    # rounding of the three numbers that enter, and of FL itself
    slack = sum(table.half_unit(row, name) for name in ("jazz", "folk", "neither", "FL"))
    return Recomputed(
        row,
        round(total, 6),
        level,
        fusion_level(percent + missing * (np.array(GENRE_ANSWERS) == "mixture")),
        lowest,
        highest,
        cells["FL"],
        abs(level - cells["FL"]) <= slack,
        least_answers(row),
    )


def reach(percent: np.ndarray, missing: float) -> tuple[float, float]:
    """Return the lowest and highest FL that a row has when a share is given to any answers.

    FL is concave in how the share is split, so it is lowest where one answer gets all of it; it is
    highest where jazz and folk are brought together first and "mixture" gets the rest.
    """
    refuse(missing < 0, f"missing must be at least 0, got {missing}.")
    corners = [fusion_level(percent + missing * one) for one in np.eye(4)]
    even = min(missing, abs(float(percent[0] - percent[1])))
    best = percent.astype(float).copy()
    best[int(np.argmin(percent[:2]))] += even
    best[2] += missing - even
    return min(corners), max(*corners, fusion_level(best))


def least_answers(row: str) -> int | None:
    """Return the smallest number of answers whose shares round to all percentages of `row`.

    The same number for both questions, since each sample was asked for both.
    """
    table = table_2()
    asked = [
        [
            (table.printed[row][answer], table.half_unit(row, answer))
            for answer in answers
        ]
        for answers in (GENRE_ANSWERS, MUSICALITY_ANSWERS)
    ]  # fmt: skip
    fits = (n for n in range(1, MOST_ANSWERS + 1) if all(_fits(n, part) for part in asked))
    return next(fits, None)


def _fits(answers: int, cells: Sequence[tuple[float, float]]) -> bool:
    """Return whether whole counts that sum to `answers` can round to the cells (value, half)."""
    low = high = 0
    for value, half in cells:
        least = int(np.ceil((value - half) * answers / 100 - 1e-9))
        most = int(np.floor((value + half) * answers / 100 + 1e-9))
        if least > most:
            return False
        low, high = low + least, high + most
    return low <= answers <= high


def qualification_right() -> float:
    """Return the printed share of right answers in the qualification, in percent."""
    return fact("fusion", "qualification-right").value
