"""The ledger: one of five verdicts for every claim, decided by rule on planted results."""

import csv
import io
import json
from pathlib import Path

import pytest

from pasdedeux.base import paths
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.report import ledger
from pasdedeux.report.claims import Claims, Part, compare, decide, observe
from pasdedeux.report.places import located
from pasdedeux.report.reference import (
    entries,
    known_papers,
    reference,
    short_of,
    stated_claims,
)
from pasdedeux.report.table import Measurement, table

ZERO = dict.fromkeys(range(3), 0.0)
CLEAR = compare({0: -1.0, 1: -1.1, 2: -0.9}, ZERO, what="a - b")
WRONG = compare({0: 1.0, 1: 1.1, 2: 0.9}, ZERO, what="a - b")
LEANING = compare({0: -1.0, 1: -2.0, 2: -4.5}, ZERO, what="a - b")
NOISE = compare({0: -1.0, 1: 3.0, 2: -2.5}, ZERO, what="a - b")
ALONE = compare({0: -9.0}, {0: 0.0}, what="a - b")
MISSING = compare({}, ZERO, what="a - b")
ABOUT = {"data_notice": "Planted.", "profile": "quick"}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([CLEAR, CLEAR], "reproduced"),
        ([CLEAR, LEANING], "trend only"),
        ([LEANING, LEANING], "trend only"),
        ([CLEAR, LEANING, NOISE], "inconclusive"),
        ([NOISE], "inconclusive"),
        ([ALONE], "inconclusive"),
        ([CLEAR, CLEAR, WRONG], "not reproduced"),
        ([WRONG, MISSING], "not reproduced"),
        ([CLEAR, MISSING], "not testable here"),
        ([], "not testable here"),
        ([observe({0: True, 1: True, 2: False}, what="peak")], "trend only"),
        ([observe({0: True, 1: False}, what="peak")], "inconclusive"),
    ],
)
def test_the_verdict_on_planted_parts(parts, expected):
    assert ledger.verdict(parts)[0] == expected


def test_pure_noise_is_called_clear_no_more_often_than_the_level_allows():
    draw, none = numpy_generator(0, "noise"), dict.fromkeys(range(5), 0.0)
    noise = [dict(enumerate(draw.normal(size=5).tolist())) for _ in range(200)]
    found = [ledger.verdict([compare(values, none)])[0] for values in noise]
    assert found.count("reproduced") <= 12, "two and a half in a hundred on this side"
    assert found.count("not reproduced") <= 12
    assert found.count("inconclusive") > 140


def test_why_a_claim_is_not_testable_is_told():
    assert ledger.verdict([], "listeners")[1] == ledger.NEEDS["listeners"]
    assert ledger.verdict([MISSING])[1] == ledger.UNMEASURED
    assert ledger.verdict([CLEAR])[1] == ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of one paper: a table, three decided claims, and the sidecar of who wrote them."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n')
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "results/quick"
    values = [
        Measurement(row, column, seed, 1.0 + seed, f"runs/dual/{row[:3]}-seed{seed}")
        for row in ("Ours", "Tang et al. (2018)")
        for column in ("Frechet distance", "Diversity")
        for seed in (0, 1, 2)
    ]
    table(reference("dual", 2), values, caption="Table 2.", **ABOUT).write(
        place / "dual", "table_2"
    )
    stated = stated_claims("dual")
    parts = {"distance-lowest": [CLEAR], "diversity-highest": [NOISE], "gw-notes": [WRONG]}
    decided = tuple(decide(one, parts.get(name, [])) for name, one in stated.items())
    Claims(decided, **ABOUT).write(place / "dual")
    (place / "notebooks").mkdir()
    (place / "notebooks/11_dual_tables.ipynb").write_text("{}")
    told = {"outputs": {"dual/claims.csv": "0", "dual/table_2.csv": "0"}}
    (place / "notebooks/11_dual_tables.json").write_text(json.dumps(told))
    return place


def by_name(found, paper="dual"):
    return {entry.claim.id: entry for entry in found if entry.claim.paper == paper}


def test_every_claim_of_every_paper_has_an_entry(folder):
    found = ledger.ledger(folder)
    assert len(found) == len(entries("claims"))
    assert set(ledger.counted(found)) == set(known_papers())
    unrun = [entry for entry in found if entry.claim.paper != "dual" and not entry.claim.test]
    assert {entry.verdict for entry in unrun} == {"not testable here"}
    proved = [entry for entry in found if entry.claim.test]
    assert {entry.verdict for entry in proved} == {"reproduced", "not reproduced"}


def test_an_entry_has_effect_interval_data_runs_and_files(folder):
    found = by_name(ledger.ledger(folder, ["dual"]))
    first = found["distance-lowest"]
    assert first.verdict == "reproduced"
    assert (first.n, first.data) == (3, "Planted.")
    assert first.deciding.effect == pytest.approx(-1.0)
    assert first.deciding.low < -1.0 < first.deciding.high < 0
    assert first.runs == tuple(
        f"runs/dual/{row}-seed{seed}" for row in ("Our", "Tan") for seed in (0, 1, 2)
    )
    assert first.files == ("dual/table_2.csv", "notebooks/11_dual_tables.html")
    assert found["diversity-highest"].verdict == "inconclusive"
    assert found["gw-notes"].verdict == "not reproduced"
    assert found["users-realism"].why == ledger.NEEDS["listeners"]


def test_listeners_decide_what_needs_them_and_nothing_else(folder):
    stated = stated_claims("dual")
    wrong = tuple(decide(stated[name], [WRONG]) for name in ("users-realism", "distance-lowest"))
    Claims(wrong, "Answers.", "quick").write(folder / ledger.HEARD / "dual")
    told = {"outputs": {f"{ledger.HEARD}/dual/claims.csv": "0"}}
    (folder / "notebooks/41_listening_tables.json").write_text(json.dumps(told))
    found = by_name(ledger.ledger(folder, ["dual"]))
    heard = found["users-realism"]
    assert (heard.verdict, heard.n, heard.data) == ("not reproduced", 3, "Answers.")
    assert heard.files == ("notebooks/41_listening_tables.html",)
    assert "3 listeners" in ledger.markdown([heard], "Claims")
    assert "<dt>listeners</dt>" in ledger.cards([heard], folder)
    assert found["users-genre"].why == ledger.NEEDS["listeners"]
    assert (found["distance-lowest"].verdict, found["distance-lowest"].data) == (
        "reproduced", "Planted.",
    )  # fmt: skip


def test_no_measurement_takes_the_place_of_listeners(folder):
    stated = stated_claims("dual")
    decided = tuple(decide(stated[name], [CLEAR]) for name in ("users-realism", "users-genre"))
    Claims(decided, **ABOUT).write(folder / "dual")
    found = by_name(ledger.ledger(folder, ["dual"]))
    assert {found[one.id].verdict for one in decided} == {"not testable here"}


def test_claims_without_parts_never_show_a_trend(folder):
    (folder / "dual/claims_parts.csv").unlink()
    found = by_name(ledger.ledger(folder, ["dual"]))
    assert found["distance-lowest"].verdict == "reproduced"
    assert found["diversity-highest"].verdict == "inconclusive"
    assert "a - b = " in found["diversity-highest"].deciding.evidence


def test_files_hold_what_the_entries_say(folder):
    found = ledger.write(folder, "Claims")
    text = (folder / "claims.md").read_text(encoding="utf-8")
    with io.StringIO((folder / "claims.csv").read_text(encoding="utf-8")) as file:
        lines = list(csv.DictReader(file))
    assert [line["verdict"] for line in lines] == [entry.verdict for entry in found]
    line = next(line for line in lines if line["id"] == "distance-lowest")
    assert float(line["low"]) < float(line["effect"]) < float(line["high"]) < 0
    assert line["runs"].count("runs/dual/") == 6
    for part in (short_of("dual"), "Ours has the lowest Frechet distance", "not testable here"):
        assert part in text
    assert ledger.RULE in text
    header, grid = ledger.summary(found)
    assert [int(grid[-1][i]) for i in range(1, len(header))][-1] == len(found)
    for line in grid:
        assert sum(map(int, line[1:-1])) == int(line[-1])


def test_a_card_links_to_what_is_there(folder):
    shown = ledger.cards(ledger.ledger(folder, ["dual"]), folder)
    assert '<a href="dual/table_2.csv">' in shown
    assert "11_dual_tables.html" not in shown, "the page of the notebook was not made yet"
    assert "Ours has the lowest Frechet distance" in shown


def test_cells_are_parsed():
    found = ledger.parsed("2 | Ours; Tang et al. (2018) | Diversity")
    assert found == ledger.Cells("2", ("Ours", "Tang et al. (2018)"), ("Diversity",))
    assert ledger.parsed("figure_6").stem == "figure_6"
    assert ledger.parsed("motion | *").stem == "table_motion"
    with pytest.raises(ValueError, match="name no table"):
        ledger.parsed(" | a")


STATED = [(paper, one) for paper in known_papers() for one in stated_claims(paper).values()]


@pytest.mark.parametrize(("paper", "one"), STATED, ids=lambda x: getattr(x, "id", x))
def test_every_claim_names_its_place_its_rule_and_its_cells(paper, one):
    assert one.text.endswith(".")
    assert any(word in one.where for word in ("Section", "Appendix", "README", "Table"))
    assert one.rule in ledger.RULES
    assert not one.needs or one.needs in ledger.NEEDS
    assert bool(one.test) == bool(one.outcome) == (one.rule == "proved")
    for cells in map(ledger.parsed, one.cells):
        if not cells.table[0].isdigit():
            continue
        printed = reference(paper, cells.table)
        assert set(cells.rows) - {"*"} <= set(printed.rows), one.cells
        assert set(cells.columns) - {"*"} <= set(printed.columns), one.cells
        if one.rule == "paired" and len(set(cells.rows) - {"*"}) == 1:
            assert len(one.cells) > 1, "a difference needs two rows"


def test_rules_and_tests_are_there():
    for rule, name in ledger.RULES.items():
        assert not name or located(name).line > 0, rule
    proving = [one.test for _, one in STATED if one.test]
    assert len(proving) >= 7
    for name in proving:
        assert located(name).file.is_relative_to(paths.root())


def test_no_claim_is_listed_twice():
    names = [(paper, one.id) for paper, one in STATED]
    assert len(set(names)) == len(names)
    assert Part._fields[:3] == ("verdict", "evidence", "n")
