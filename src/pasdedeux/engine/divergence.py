"""How many of the short runs of `engine.stability` diverged: counts, intervals, and their table."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from scipy import stats

from pasdedeux.engine.stability import CAUSES, Ending

PERCENT = 100.0


class Rate(NamedTuple):
    """How many of some runs diverged, and by which cause; the ends of an exact 95 % interval."""

    system: str
    rate: str
    runs: int
    diverged: int
    low: float  # of the share, 0 to 1
    high: float
    causes: dict[str, int]  # a run may have several
    more: int  # diverged by another cause than "farther"


def divergence_rates(endings: Iterable[Ending]) -> list[Rate]:
    """Return for each system its runs at each rate, then at all rates together.

    The interval is that of Clopper and Pearson (1934): it covers at least 95 % for any true share,
    also where no run diverged. Rates share seeds, so the runs of a line are not quite independent.
    """
    every = list(endings)
    rows = []
    for system in dict.fromkeys(e.system for e in every):
        mine = [e for e in every if e.system == system]
        for rate in sorted({e.rate for e in mine}):
            rows.append(_rate(system, f"{rate:g}", [e for e in mine if e.rate == rate]))
        rows.append(_rate(system, "all", mine))
    return rows


def _rate(system: str, rate: str, endings: list[Ending]) -> Rate:
    count = sum(e.diverged for e in endings)
    found = stats.binomtest(count, len(endings)).proportion_ci(0.95, method="exact")
    told = {cause: sum(e.causes[cause] for e in endings) for cause in CAUSES}
    more = sum(e.not_only_farther for e in endings)
    return Rate(system, rate, len(endings), count, float(found.low), float(found.high), told, more)


def rate_table(rates: Iterable[Rate]) -> pd.DataFrame:
    """Return the rates as people read them, in percent."""
    rows = [
        {
            "system": row.system,
            "learning rate": row.rate,
            "runs": row.runs,
            "diverged": row.diverged,
            "share (%)": round(PERCENT * row.diverged / row.runs),
            "95 % interval": f"{PERCENT * row.low:.0f} to {PERCENT * row.high:.0f}",
            **row.causes,
            "not only farther": row.more,
        }
        for row in rates
    ]
    return pd.DataFrame(rows).set_index(["system", "learning rate"])
