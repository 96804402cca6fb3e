"""Cells of Tables 2 and 4: which number stands where, and what is left empty."""

import pytest
from test_papers_dual_claims import SEEDS, TRUTH, rows

from pasdedeux.metrics.rhythm import WINDOW_SECONDS
from pasdedeux.papers import dual_numbers
from pasdedeux.report.reference import reference
from pasdedeux.report.table import own_table, table
from pasdedeux.training.run import Measured

TOLD = {"caption": "C.", "data_notice": "Made by a test.", "profile": "quick"}


def test_the_printed_numbers_match_themselves_and_the_truth_is_a_fact():
    measured = rows("2", (0, 1))
    found = dual_numbers.measurements(dual_numbers.of_table_2(measured), dual_numbers.TABLE_2)
    found += dual_numbers.facts(
        dual_numbers.GROUND_TRUTH, TRUTH, dual_numbers.TABLE_2, corpus="test"
    )
    made = table(reference("dual", "2"), found, **TOLD)
    cells = {(cell.row, cell.column): cell for cell in made.cells}
    assert {cell.verdict for cell in made.cells if cell.paper} == {"match"}
    truth = cells[dual_numbers.GROUND_TRUTH, dual_numbers.BEATS]
    assert (truth.n, truth.mean) == (0, 68.7)
    assert cells["Ours", dual_numbers.DISTANCE].n == 2
    assert cells[dual_numbers.GROUND_TRUTH, dual_numbers.DIVERSITY].mean is None


def test_table_4_has_notes_accuracy_as_a_share():
    found = dual_numbers.measurements(rows("4", (0,)), dual_numbers.TABLE_4)
    made = table(reference("dual", "4"), found, **TOLD)
    cells = {(cell.row, cell.column): cell.mean for cell in made.cells}
    assert cells["GW and CC", dual_numbers.NOTES] == pytest.approx(0.72)
    assert {cell.verdict for cell in made.cells} == {"match"}


def test_a_system_that_cannot_compose_has_no_cell_of_music():
    silent = Measured("nodding", 0, "runs/n", {"distance world (mm)": 5.0})
    held = Measured("chord", 0, "runs/c", {"notes accuracy": 0.2, "notes F1": 0.1})
    found = dual_numbers.measurements([silent, held], dual_numbers.COMPOSING)
    assert {(m.row, m.column) for m in found} == {
        ("chord", "notes accuracy"), ("chord", "notes F1"),
    }  # fmt: skip
    made = own_table(list(dual_numbers.COMPOSING), found, rows=["nodding", "chord"], **TOLD)
    assert [cell.ours() for cell in made.cells if cell.row == "nodding"] == ["not run"] * 3


def test_the_systems_of_table_2_are_those_that_it_prints():
    extra = Measured("MDOT-Net", 0, "runs/m", {})
    kept = dual_numbers.of_table_2([*rows("2", (0,))[::-1], extra])
    assert [one.system for one in kept] == list(reference("dual", "2").rows)[1:]


def test_effects_are_those_of_the_printed_table():
    found = {(e.change, e.measure): e for e in dual_numbers.effects(rows("4"))}
    assert len(found) == 5 * 4
    distance = found["GW, with CC", dual_numbers.DISTANCE]
    scale = sum(1 + 0.001 * seed for seed in SEEDS) / len(SEEDS)
    assert distance.mean == pytest.approx((140.5 - 335.4) * scale)
    assert distance.verdict == "better"
    assert found["CC, with GW", dual_numbers.DIVERSITY].verdict == "worse", "49.8 after 50.1"
    assert found["CC, without GW", dual_numbers.NOTES].mean == pytest.approx(0.14 * scale)


def test_captions_name_the_parameters_of_the_measures():
    assert "9 s" in dual_numbers.excerpts_identity() or "3 windows of 3 s" in (
        dual_numbers.excerpts_identity()
    )
    assert f"within {WINDOW_SECONDS:g} s of a music beat" in dual_numbers.dance_identity()
    assert "per beat, keys own" in dual_numbers.notes_identity()
    for word in ("sigma 0.05 s", "25 Hz", "0.25 of the recorded", "5 frames"):
        assert word in dual_numbers.field_identity()
