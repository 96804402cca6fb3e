"""The claims of the dual-learning paper, each decided on our runs (sections 4.3 to 4.5).

Numbers of two systems are compared seed by seed; what was recorded is one number, the same beside
every seed. "Significantly" is read as clear at the 95 % level over paired seeds.
"""

import statistics
from collections.abc import Mapping, Sequence

from pasdedeux.papers import dual_numbers
from pasdedeux.papers.dual_numbers import (
    BEATS,
    DISTANCE,
    DIVERSITY,
    GROUND_TRUTH,
    NOTES,
    TABLE_4,
    ahead,
)
from pasdedeux.report.claims import Claim, Part, by_seed, compare, decide, observe
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured

OURS, TANG, REN, HUANG = (
    "Ours",
    "Tang et al. (2018)",
    "Ren et al. (2020)",
    "Huang et al. (2021)",
)
OTHERS = (TANG, REN, HUANG)
BOTH, GW, CC, NEITHER = "GW and CC", "GW only", "CC only", "neither"
FROZEN_BODY = "frozen pose, one chord"
STILL, SPEED, EXCESS = "frozen (%)", "speed (m/s)", "above chance (%)"
LOSSES = {"distance": DISTANCE, "beats": BEATS, "notes": NOTES}
NEAR = 0.1  # of the printed number: the tables' own rule for a match


def claims(
    systems: Sequence[Measured], ablation: Sequence[Measured], truth: Mapping[str, float]
) -> tuple[Claim, ...]:
    """Return every testable sentence of sections 4.3 to 4.5 with the verdict of our runs.

    `systems` are those of Table 2 with the floors, `ablation` the rows of Table 4, `truth` the
    numbers of `dual_evaluate.truth`.
    """
    columns = {**TABLE_4, STILL: STILL, SPEED: SPEED, EXCESS: EXCESS}
    numbers = dual_numbers.measurements([*systems, *ablation], columns)
    parts = _dances(numbers, truth) | _ablation(numbers)
    return tuple(
        decide(stated, parts.get(key, [])) for key, stated in stated_claims("dual").items()
    )


def _dances(numbers: Sequence[Measurement], truth: Mapping[str, float]) -> dict[str, list[Part]]:
    """Return the parts of what section 4.3 says of dances."""
    excess = by_seed(numbers, OURS, EXCESS)
    return {
        "distance-lowest": ahead(numbers, OURS, OTHERS, [DISTANCE]),
        "diversity-highest": ahead(numbers, OURS, OTHERS, [DIVERSITY]),
        "beats-highest": ahead(numbers, OURS, OTHERS, [BEATS]),
        "beats-truth-highest": [
            _beside_truth(numbers, system, truth) for system in (OURS, *OTHERS)
        ],
        "beats-truth-chance": [
            observe({0: truth[EXCESS] > 0}, what="recorded dances above chance", least=1)
        ] if EXCESS in truth else [],
        "beats-ours-chance": [
            compare(
                excess, dict.fromkeys(excess, 0.0), lower=False, what=f"{BEATS}: {OURS} - chance"
            )
        ],
        "tang-still": [
            part
            for other in (REN, HUANG, OURS)
            for part in (
                _beside(numbers, TANG, other, STILL, lower=False),
                _beside(numbers, TANG, other, SPEED, lower=True),
            )
        ],
        "ren-moves": [
            _beside(numbers, REN, TANG, STILL, lower=True),
            _beside(numbers, REN, TANG, SPEED, lower=False),
        ],
        "ren-deviates": [
            _beside(numbers, REN, other, DISTANCE, lower=False) for other in (TANG, HUANG, OURS)
        ],
        "starts-differ": ahead(numbers, OURS, [FROZEN_BODY], [DIVERSITY]),
    }  # fmt: skip


def _ablation(numbers: Sequence[Measurement]) -> dict[str, list[Part]]:
    """Return the parts of what sections 4.4 and 4.5 say of music and of the two losses."""
    parts: dict[str, list[Part]] = {"notes-reached": [_reached(numbers)]}
    for name, column in LOSSES.items():
        parts |= {
            f"gw-{name}": [
                *ahead(numbers, BOTH, [CC], [column]),
                *ahead(numbers, GW, [NEITHER], [column]),
            ],
            f"cc-{name}": [
                *ahead(numbers, BOTH, [GW], [column]),
                *ahead(numbers, CC, [NEITHER], [column]),
            ],
        }
    return parts | {
        "gw-over-cc": ahead(numbers, GW, [CC], LOSSES.values()),
        "both-best": ahead(numbers, BOTH, [GW, CC], LOSSES.values()),
        "dual-over-separate": ahead(numbers, BOTH, [NEITHER], LOSSES.values()),
    }


def _beside(
    numbers: Sequence[Measurement], row: str, other: str, column: str, *, lower: bool
) -> Part:
    return compare(
        by_seed(numbers, row, column),
        by_seed(numbers, other, column),
        lower=lower,
        what=f"{column}: {row} - {other}",
    )


def _beside_truth(numbers: Sequence[Measurement], system: str, truth: Mapping[str, float]) -> Part:
    """Return whether the recorded dances meet more beats than those of `system`."""
    made = by_seed(numbers, system, BEATS)
    recorded = dict.fromkeys(made, truth[TABLE_4[BEATS]]) if TABLE_4[BEATS] in truth else {}
    return compare(recorded, made, lower=False, what=f"{BEATS}: {GROUND_TRUTH} - {system}")


def _reached(numbers: Sequence[Measurement]) -> Part:
    """Return whether Notes Accuracy falls short of the printed one by no more than a match may.

    That is by max(2 sd over seeds, 10 % of the printed number), the rule of the tables.
    """
    printed = reference("dual", "4").printed[BOTH][NOTES]
    found = list(by_seed(numbers, BOTH, NOTES).values())
    what = f"{NOTES}: {BOTH} - {printed:g} as printed"
    if not found:
        return Part("not run", f"{what}: no seed", 0)
    mean = statistics.fmean(found)
    if len(found) == 1:
        return Part("undecided", f"{what} = {mean - printed:+.3g} [one seed]", 1)
    allowed = max(2 * statistics.stdev(found), NEAR * printed)
    verdict = "holds" if mean >= printed - allowed else "does not hold"
    told = f"{what} = {mean - printed:+.3g} [{-allowed:.3g} allowed]"
    return Part(verdict, told, len(found), mean - printed)
