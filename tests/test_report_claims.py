"""Claims: decided only when the paired interval is clear, never from one seed."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pasdedeux.report import ledger
from pasdedeux.report.claims import (
    IN_REPORT,
    Claims,
    Evidence,
    Part,
    bounds,
    by_seed,
    compare,
    decide,
    interval,
    observe,
    read,
    signed,
)
from pasdedeux.report.reference import StatedClaim, stated_claims
from pasdedeux.report.table import Measurement

STATED = StatedClaim("lower", "A lies below B.", "Section 1")
HOLDS, FAILS = Part("holds", "a", 5), Part("does not hold", "b", 3)
OPEN, NOT_RUN = Part("undecided", "c", 2), Part("not run", "d", 0)


def test_interval_by_known_answer() -> None:
    mean, low, high = interval([1.0, 2.0, 3.0])
    reach = 4.302652729911275 / math.sqrt(3)  # t quantile 0.975 with 2 degrees of freedom
    assert (mean, low, high) == pytest.approx((2.0, 2.0 - reach, 2.0 + reach))
    assert interval([7.0]) == (7.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="at least one value"):
        interval([])


def test_compare_pairs_seeds() -> None:
    # seed effects of size 10 would drown the difference of 0.1 without pairing
    a = {0: 10.0, 1: 20.0, 2: 0.0, 9: 99.0}
    b = {0: 10.1, 1: 20.12, 2: 0.09, 7: -99.0}
    part = compare(a, b)
    assert (part.verdict, part.n) == ("holds", 3)
    assert compare(a, b, lower=False).verdict == "does not hold"
    assert compare(b, a).verdict == "does not hold"
    assert compare(b, a, lower=False).verdict == "holds"


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=7))
def test_compare_agrees_with_the_paired_t_test(differences: list[float]) -> None:
    spread = [round(d, 3) for d in differences]
    if len(set(spread)) < 2:
        return
    a, b = dict(enumerate(spread)), dict.fromkeys(range(len(spread)), 0.0)
    p = stats.ttest_rel(list(a.values()), list(b.values())).pvalue
    if abs(p - 0.05) > 1e-6:
        assert (compare(a, b).verdict == "undecided") == (p > 0.05)


def test_one_seed_or_none_decides_nothing() -> None:
    assert compare({0: 0.0}, {0: 5.0})[:3:2] == ("undecided", 1)
    assert "one seed" in compare({0: 0.0}, {0: 5.0}).evidence
    assert compare({0: 1.0}, {1: 5.0})[:3:2] == ("not run", 0)
    assert compare({0: 1.0, 1: 1.0}, {0: 1.0, 1: 1.0}).verdict == "undecided"
    with pytest.raises(ValueError, match="not all finite"):
        compare({0: math.nan}, {0: 1.0})


def test_observe() -> None:
    assert observe({0: True, 1: True}, what="peak").verdict == "holds"
    assert observe({0: False, 1: False}, what="peak").verdict == "does not hold"
    assert observe({0: True, 1: False}, what="peak")[:3] == ("undecided", "peak: 1 of 2 seeds", 2)
    assert observe({0: True}, what="peak").verdict == "undecided"
    assert observe({0: True}, what="peak", least=1).verdict == "holds"
    assert observe({}, what="peak").verdict == "not run"


@pytest.mark.parametrize(
    ("parts", "verdict", "n"),
    [
        ([HOLDS, HOLDS], "holds", 5),
        ([HOLDS, FAILS, NOT_RUN], "does not hold", 0),
        ([HOLDS, OPEN], "undecided", 2),
        ([HOLDS, OPEN, NOT_RUN], "not run", 0),
        ([], "not run", 0),
    ],
)
def test_decide_joins_parts(parts: list[Part], verdict: str, n: int) -> None:
    claim = decide(STATED, parts)
    assert (claim.verdict, claim.n) == (verdict, n)
    assert (claim.id, claim.text, claim.where) == ("lower", "A lies below B.", "Section 1")


def test_evidence_tells_first_what_speaks_against() -> None:
    evidence = decide(STATED, [HOLDS, OPEN, FAILS]).evidence
    assert evidence == "b (does not hold, n=3); c (undecided, n=2); a (holds, n=5)"


def test_what_is_rounding_is_told_as_zero_and_decides_nothing() -> None:
    told = ["0", "0", "0", "+1e-08", "-0.25", "+1.23e+03"]
    assert [signed(x) for x in (0.0, 4.56e-17, -4.56e-17, 1e-8, -0.25, 1234.0)] == told
    assert bounds((-2.0, 1e-12)) == "[-2, 0]"
    ends = (4.56e-17, 6.58)
    assert Evidence("a - b", 3.29, 3, ends, ends).above().verdict == "undecided"
    assert Evidence("a - b", 3.29, 3, (1e-3, 6.58), ends).above().verdict == "holds"
    assert Evidence("a - b", -3.29, 3, (-6.58, -1e-17), (-6.0, -1e-17)).below()[0] == "undecided"
    noise = {0: 1e-16, 1: 1.1e-16, 2: 0.9e-16}
    part = compare(noise, dict.fromkeys(range(3), 0.0), lower=False)
    assert (part.verdict, part.leans, part.evidence) == ("undecided", False, "a - b = 0 [0, 0]")


@pytest.mark.parametrize("first", [HOLDS, FAILS, OPEN, OPEN._replace(leans=True), NOT_RUN])
@pytest.mark.parametrize("second", [HOLDS, FAILS, OPEN, OPEN._replace(leans=True), NOT_RUN])
def test_the_report_calls_a_verdict_as_the_rule_says(first: Part, second: Part) -> None:
    here = decide(STATED, [first, second]).verdict
    there, _ = ledger.verdict([first, second])
    names = {
        "holds": "reproduced", "does not hold": "not reproduced", "not run": "not testable here",
    }  # fmt: skip
    leans = all(part.leans for part in (first, second) if part.verdict == "undecided")
    names["undecided"] = "trend only" if leans else "inconclusive"
    assert there == names[here]
    assert f'"{here}"' in IN_REPORT
    assert there in IN_REPORT


def test_parts_are_lines_of_their_own_in_html() -> None:
    many = Claims((decide(STATED, [HOLDS, OPEN]),), data_notice="D.", profile="quick")
    drawn = many._repr_html_()
    assert ">c (undecided, n=2)</div><div" in drawn
    assert ">a (holds, n=5)</div></td>" in drawn
    assert IN_REPORT in drawn
    assert IN_REPORT in many.markdown()


def test_a_part_keeps_its_numbers_and_whether_it_leans() -> None:
    a, zero = {0: 1.0, 1: 2.0, 2: 4.5}, dict.fromkeys(range(3), 0.0)
    mean, low, high = interval(list(a.values()))
    part = compare(a, zero, lower=False)
    assert part[3:6] == (mean, low, high)
    assert part.verdict == "undecided", "low is below 0 at the 95 % level"
    assert part.leans, "and above it at the 80 % level"
    assert not compare(a, zero).leans, "the other side is not leant to"
    assert not compare({0: 1.0, 1: -2.0, 2: 4.5}, zero, lower=False).leans
    assert not compare({0: 1.0}, zero, lower=False).leans, "one seed leans nowhere"
    assert observe({0: True, 1: True, 2: False}, what="peak").leans
    assert not observe({0: True, 1: False, 2: False}, what="peak").leans
    assert not observe({0: True}, what="peak").leans


def test_by_seed_takes_one_cell() -> None:
    held = [Measurement("MC", "x", s, float(s), "runs/a") for s in (3, 1)]
    held.append(Measurement("RM", "x", 1, 9.0, "runs/b"))
    assert by_seed(held, "MC", "x") == {1: 1.0, 3: 3.0}
    assert by_seed(held, "MC", "y") == {}


def test_claims_round_trip(tmp_path: Path) -> None:
    stated = stated_claims("fusion")
    decided = [decide(stated["mc-best"], [HOLDS]), decide(stated["rm-worst"], [])]
    made = Claims(tuple(decided), "Invented numbers.", "quick")
    made.write(tmp_path)
    names = ["claims.csv", "claims.md", "claims_parts.csv"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert read(tmp_path / "claims.csv") == made
    assert read(tmp_path / "claims.csv").claims[0].parts == (HOLDS,)
    (tmp_path / "claims_parts.csv").unlink()
    assert read(tmp_path / "claims.csv").claims[0].parts == ()
    with (tmp_path / "claims.csv").open(newline="") as file:
        assert [line["verdict"] for line in csv.DictReader(file)] == ["holds", "not run"]
    for form in (made._repr_html_(), made._repr_markdown_()):
        assert "Invented numbers." in form
        assert "not run: a measurement is missing" in form
    assert repr(made) == "Claims(mc-best: holds, rm-worst: not run)"


def test_wrong_claims_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="comes twice"):
        Claims((decide(STATED, []), decide(STATED, [])), "Invented.", "quick")
    (tmp_path / "claims.csv").write_text("id,text\n1,2\n")
    with pytest.raises(ValueError, match="claims.csv holds no claims of ours"):
        read(tmp_path / "claims.csv")
