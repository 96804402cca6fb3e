"""Claims of the dual-learning paper on planted numbers, and the cells of its tables."""

import pytest

from pasdedeux.papers import dual_claims, dual_numbers
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.training.run import Measured

SEEDS = (3, 5, 8)
MEASURED = {name for name, one in stated_claims("dual").items() if not one.test}
KEYS = dual_numbers.TABLE_4
FLOOR = dual_claims.FROZEN_BODY
TRUTH = {"beats alignment (%)": 68.7, "above chance (%)": 2.0, "distance world (mm)": 0.0}
MOVES = {  # share of stillness, speed, beats above chance
    "Tang et al. (2018)": (80.0, 0.2, -3.0), "Ren et al. (2020)": (5.0, 1.5, 1.0),
    "Huang et al. (2021)": (30.0, 0.7, 1.0), "Ours": (20.0, 0.8, 2.0),
}  # fmt: skip


def rows(table, seeds=SEEDS, **extra):
    """The printed rows as if we had measured them, a little apart from seed to seed."""
    found = []
    for system, cells in reference("dual", table).text.items():
        if system == dual_numbers.GROUND_TRUTH:
            continue
        for seed in seeds:
            numbers = {
                KEYS[column]: float(text) * (1 + 0.001 * seed) for column, text in cells.items()
            }
            if system in MOVES:
                names = ("frozen (%)", "speed (m/s)", "above chance (%)")
                numbers |= dict(zip(names, MOVES[system], strict=True))
            found.append(Measured(system, seed, f"runs/{system}", numbers | extra))
    return found


def systems(seeds=SEEDS):
    floor = [
        Measured(FLOOR, seed, "runs/f", {"diversity (cm)": 4.0 + seed / 100}) for seed in seeds
    ]
    return rows("2", seeds) + floor


def verdicts(*given):
    """The verdicts that runs give; sentences of mathematics are decided by their own tests."""
    found = {claim.id: claim.verdict for claim in dual_claims.claims(*given)}
    return {name: verdict for name, verdict in found.items() if name in MEASURED}


def test_the_papers_own_numbers_uphold_every_claim_that_needs_no_listener():
    found = verdicts(systems(), rows("4"), TRUTH)
    assert set(found) == MEASURED
    waiting = {name for name, verdict in found.items() if verdict == "not run"}
    assert waiting == {"users-realism", "users-genre"}
    assert {found[name] for name in set(found) - waiting} == {"holds"}


def test_one_seed_decides_no_comparison():
    found = verdicts(systems((3,)), rows("4", (3,)), TRUTH)
    decided = {name for name, verdict in found.items() if verdict in ("holds", "does not hold")}
    assert decided == {"beats-truth-chance"}, "a fact of the data needs no second seed"
    assert found["notes-reached"] == found["distance-lowest"] == "undecided"


def test_what_did_not_run_is_said_so():
    assert set(verdicts([], [], {}).values()) == {"not run"}
    without = [one for one in systems() if one.system != "Huang et al. (2021)"]
    found = verdicts(without, rows("4"), TRUTH)
    assert found["distance-lowest"] == "not run"
    assert found["starts-differ"] == "holds"
    silent = [one._replace(numbers={k: v for k, v in one.numbers.items() if "notes" not in k})
              for one in rows("4")]  # fmt: skip
    assert verdicts(systems(), silent, TRUTH)["gw-notes"] == "not run"


def planted(measured, system, key, values):
    return [
        one._replace(numbers={**one.numbers, key: values[one.seed]})
        if one.system == system
        else one
        for one in measured
    ]


@pytest.mark.parametrize(
    ("table", "system", "key", "value", "claim"),
    [
        ("2", "Ours", "distance world (mm)", 999.0, "distance-lowest"),
        ("2", "Ours", "diversity (cm)", 40.0, "diversity-highest"),
        ("2", "Ours", "diversity (cm)", 3.0, "starts-differ"),
        ("2", "Huang et al. (2021)", "beats alignment (%)", 66.0, "beats-highest"),
        ("2", "Huang et al. (2021)", "beats alignment (%)", 70.0, "beats-truth-highest"),
        ("2", "Ours", "above chance (%)", -1.0, "beats-ours-chance"),
        ("2", "Ours", "frozen (%)", 90.0, "tang-still"),
        ("2", "Tang et al. (2018)", "speed (m/s)", 2.0, "tang-still"),
        ("2", "Tang et al. (2018)", "speed (m/s)", 2.0, "ren-moves"),
        ("2", "Tang et al. (2018)", "distance world (mm)", 9999.0, "ren-deviates"),
        ("4", "GW and CC", "notes accuracy", 0.5, "notes-reached"),
        ("4", "CC only", "distance world (mm)", 100.0, "gw-distance"),
        ("4", "neither", "beats alignment (%)", 90.0, "gw-beats"),
        ("4", "GW only", "notes accuracy", 0.9, "cc-notes"),
        ("4", "CC only", "notes accuracy", 0.6, "gw-over-cc"),
        ("4", "GW only", "distance world (mm)", 100.0, "both-best"),
        ("4", "neither", "notes accuracy", 0.9, "dual-over-separate"),
    ],
)
def test_a_claim_fails_when_its_numbers_are_turned_round(table, system, key, value, claim):
    one, other = systems(), rows("4")
    values = {seed: value * (1 + 0.001 * seed) for seed in SEEDS}
    if table == "2":
        one = planted(one, system, key, values)
    else:
        other = planted(other, system, key, values)
    assert verdicts(one, other, TRUTH)[claim] == "does not hold"


def test_seeds_that_disagree_leave_a_claim_open():
    values = dict(zip(SEEDS, (100.0, 376.5, 800.0), strict=True))
    other = planted(rows("4"), "neither", "distance world (mm)", values)
    found = verdicts(systems(), other, TRUTH)
    assert found["dual-over-separate"] == "undecided"
    assert found["gw-distance"] == "undecided"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0.66, 0.65, 0.66), "holds"), ((0.6, 0.61, 0.6), "does not hold"), ((0.9, 0.9, 0.9), "holds"),
     ((0.4, 0.6, 0.5), "does not hold"), ((0.45, 0.7, 0.55), "holds")],
)  # fmt: skip
def test_notes_accuracy_is_reached_by_the_rule_of_the_tables(values, verdict):
    other = planted(rows("4"), "GW and CC", "notes accuracy", dict(zip(SEEDS, values, strict=True)))
    assert verdicts(systems(), other, TRUTH)["notes-reached"] == verdict


def test_below_chance_the_recorded_dances_have_no_rhythm_to_learn():
    found = verdicts(systems(), rows("4"), {**TRUTH, "above chance (%)": -0.5})
    assert found["beats-truth-chance"] == "does not hold"
