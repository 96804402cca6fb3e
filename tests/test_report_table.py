"""Tables: verdicts by their rule, missing runs never a number, all three files readable."""

import csv
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.report.reference import reference
from pasdedeux.report.table import Measurement, Table, own_table, read, table

ABOUT = {"caption": "Made for a test.", "data_notice": "Invented numbers.", "profile": "quick"}
ROWS = ("RM", "MLE", "GAN", "RL", "MC", "Fusion")
COLUMN = "DD EUD Ratio"  # printed 1.375 1.231 1.233 1.358 1.132 1.183


def measured(row: str, *values: float, column: str = COLUMN) -> list[Measurement]:
    return [
        Measurement(row, column, seed, value, f"runs/fusion/{row.lower()}{seed}")
        for seed, value in enumerate(values)
    ]


def verdict(made: Table, row: str, column: str = COLUMN) -> str:
    return next(c.verdict for c in made.cells if (c.row, c.column) == (row, column))


def made_of(*measurements: list[Measurement]) -> Table:
    return table(reference("fusion", 1), sum(measurements, []), **ABOUT)


def test_every_printed_cell_is_there_and_nothing_ran() -> None:
    made = made_of([])
    assert made.rows == ROWS
    assert len(made.cells) == 48
    assert {cell.verdict for cell in made.cells} == {"not run"}
    assert all((c.mean, c.sd, c.n, c.runs) == (None, None, 0, ()) for c in made.cells)
    assert "nan" not in (made.csv() + made.markdown() + made.latex()).lower()


def test_match_by_ten_percent_and_by_two_sd() -> None:
    assert verdict(made_of(measured("MC", 1.132 * 1.099)), "MC") == "match"
    assert verdict(made_of(measured("MC", 1.132 * 1.101)), "MC") == "mismatch"
    wide = [1.132 + 0.3 + x for x in (-0.16, 0.0, 0.16)]  # 2 sd = 0.32 > 0.3 > 10 %
    assert verdict(made_of(measured("MC", *wide)), "MC") == "match"
    narrow = [1.132 + 0.3 + x for x in (-0.14, 0.0, 0.14)]  # 2 sd = 0.28
    assert verdict(made_of(measured("MC", *narrow)), "MC") == "mismatch"


def test_trend_needs_the_rank_among_the_rows_that_ran() -> None:
    made = made_of(measured("MC", 2.0), measured("Fusion", 2.2), measured("RM", 2.1))
    assert [verdict(made, row) for row in ("MC", "Fusion", "RM")] == [
        "trend",
        "mismatch",
        "mismatch",
    ]
    assert verdict(made, "MLE") == "not run"
    without = made_of(measured("MC", 2.0), measured("Fusion", 2.2))
    assert [verdict(without, row) for row in ("MC", "Fusion")] == ["trend", "trend"]


def test_a_row_of_ours_stands_below_and_changes_no_verdict() -> None:
    ran = [*measured("MC", 2.0), *measured("Fusion", 2.2)]
    ours = Measurement("ceiling", COLUMN, None, 2.1, "a corpus")
    made = table(reference("fusion", 1), [*ran, ours], beside=["ceiling"], **ABOUT)
    assert made.rows == (*ROWS, "ceiling")
    assert [verdict(made, row) for row in ("MC", "Fusion", "ceiling")] == ["trend", "trend", ""]
    with pytest.raises(ValueError, match="no 'ceiling' in the table"):
        made_of([ours])


def test_what_is_neither_printed_nor_measured_is_a_dash_and_not_an_omission(tmp_path) -> None:
    five = reference("cdcd", "5")
    stack = Measurement("2 Residual Stack", "channels", None, 256.0, "module")
    made = table(five, [stack], beside=["ours"], **ABOUT)
    at = {(cell.row, cell.column): cell for cell in made.cells}
    assert (at["2 Residual Stack", "kernel"].ours(), at["2 Residual Stack", "channels"].ours()) == (
        "–",
        "256",
    )
    assert at["2 Residual Stack", "kernel"].verdict == ""
    assert at["8 Conv", "kernel"].ours() == "not run", "printed, so it is asked for"
    assert at["ours", "kernel"].ours() == "not run", "a row that the paper does not have"
    assert "A dash for ours" in made.markdown()
    assert "A dash for ours" not in made_of(measured("MC", 2.0)).markdown()
    made.write(tmp_path, "five")
    assert read(tmp_path / "five.csv") == made


def test_a_tie_is_no_trend_unless_printed() -> None:
    tied = made_of(measured("MC", 2.0), measured("Fusion", 2.0))
    assert [verdict(tied, row) for row in ("MC", "Fusion")] == ["mismatch", "mismatch"]
    musical = {"column": "robot"}  # Table II prints 27.5 for RM; Fusion has 28.1 in two columns
    alone = table(reference("fusion", 2), measured("RM", 90.0, **musical), **ABOUT)
    assert verdict(alone, "RM", "robot") == "mismatch"


@given(st.permutations(range(6)), st.integers(1, 6))
def test_trend_agrees_with_ranks_counted_by_hand(order: list[int], count: int) -> None:
    printed = reference("fusion", 1).printed
    rows = ROWS[:count]
    ours = {row: 100.0 + order[place] for place, row in enumerate(rows)}
    made = made_of(*[measured(row, value) for row, value in ours.items()])
    by_print = sorted(rows, key=lambda row: printed[row][COLUMN])
    by_ours = sorted(rows, key=ours.__getitem__)
    for row in rows:
        same = count > 1 and by_print.index(row) == by_ours.index(row)
        assert verdict(made, row) == ("trend" if same else "mismatch")


def test_mean_sd_and_runs_of_a_cell() -> None:
    values = (1.1, 1.2, 1.4, 1.15, 1.35)
    cell = next(c for c in made_of(measured("MC", *values)).cells if c.n)
    assert cell.n == 5
    assert cell.mean == pytest.approx(statistics.mean(values))
    assert cell.sd == pytest.approx(statistics.stdev(values))
    assert cell.runs == tuple(f"runs/fusion/mc{seed}" for seed in range(5))
    assert cell.ours() == "1.240 ± 0.129 (n=5)"


def test_one_seed_has_no_sd() -> None:
    cell = next(c for c in made_of(measured("MC", 1.1)).cells if c.n)
    assert cell.sd is None
    assert cell.ours() == "1.100 ± – (n=1)"
    assert ",1.1,,1," in made_of(measured("MC", 1.1)).csv()


def test_equal_seeds_have_sd_zero_and_digits_follow_a_small_sd() -> None:
    cells = own_table(["x"], measured("a", 2.5, 2.5, column="x"), **ABOUT).cells
    assert cells[0].ours() == "2.500 ± 0.000 (n=2)"
    cells = own_table(["x"], measured("a", 0.12345, 0.12365, column="x"), **ABOUT).cells
    assert cells[0].ours() == "0.12355 ± 0.00014 (n=2)"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(
        ValueError, match=r"'MC'.*'DD EUD Ratio', seed 0, run 'runs/fusion/mc0'.*is"
    ):
        made_of(measured("MC", value))


def test_wrong_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match="no 'Fusoin' in the table. Did you mean 'Fusion'"):
        made_of(measured("Fusoin", 1.0))
    with pytest.raises(ValueError, match="no 'DD EUD ratio' in the table"):
        made_of(measured("MC", 1.0, column="DD EUD ratio"))
    with pytest.raises(ValueError, match="seed 0.*comes twice"):
        made_of(measured("MC", 1.0), measured("MC", 1.0))
    for place in ("/home/somebody/runs/a", "C:\\runs\\a", ""):
        with pytest.raises(ValueError, match="relative to the project's root"):
            made_of([Measurement("MC", COLUMN, 0, 1.0, place)])
    with pytest.raises(ValueError, match="must not hold ';'"):
        made_of([Measurement("MC", COLUMN, 0, 1.0, "runs/a;b")])
    with pytest.raises(ValueError, match="which data"):
        table(reference("fusion", 1), [], **{**ABOUT, "data_notice": " "})
    with pytest.raises(ValueError, match="profile must be one of.*Did you mean 'laptop'"):
        table(reference("fusion", 1), [], **{**ABOUT, "profile": "labtop"})


def test_files_round_trip_and_are_tidy(tmp_path: Path) -> None:
    made = made_of(measured("MC", 1.1, 1.2), measured("RM", 1 / 3))
    made.write(tmp_path / "fusion", "table_1")
    files = sorted(file.name for file in (tmp_path / "fusion").iterdir())
    assert files == ["table_1.csv", "table_1.md", "table_1.tex"]
    with (tmp_path / "fusion/table_1.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 48
    cell = next(x for x in lines if (x["row"], x["column"]) == ("MC", COLUMN))
    assert cell["paper"] == "1.132"
    assert cell["runs"] == "runs/fusion/mc0;runs/fusion/mc1"
    assert (cell["n"], cell["verdict"], cell["data"]) == ("2", "match", "Invented numbers.")
    not_run = next(x for x in lines if x["row"] == "GAN")
    assert (not_run["ours_mean"], not_run["ours_sd"], not_run["n"]) == ("", "", "0")
    assert read(tmp_path / "fusion/table_1.csv") == made


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other.csv is no table of ours"):
        read(tmp_path / "other.csv")


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of(measured("MC", 1.1)).write(tmp_path, "t")
    before = (tmp_path / "t.csv").read_bytes()

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space left"):
        made_of(measured("MC", 9.9)).write(tmp_path, "t")
    assert (tmp_path / "t.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_the_rule_data_and_profile_stand_with_every_form() -> None:
    made = made_of(measured("MC", 1.1, 1.2))
    for form in (made.markdown(), made.latex(), made._repr_html_(), made._repr_markdown_()):
        assert "Invented numbers." in form
        assert "Profile: quick" in form
        assert "same rank among the rows" in form
    assert "runs/fusion/mc0" in made.markdown()
    assert len(repr(made)) < 100


def test_own_table_keeps_rows_that_did_not_run() -> None:
    made = own_table(
        ["imbalance", "d_A"],
        measured("Fusion", 0.5, 0.25, column="imbalance"),
        rows=["MLE", "Fusion"],
        **ABOUT,
    )
    assert made.rows == ("MLE", "Fusion")
    assert [cell.verdict for cell in made.cells] == ["not run", "not run", "", "not run"]
    assert "paper" not in made.markdown()
    assert "match" not in made.markdown()
    assert "0.38 ± 0.18 (n=2)" in made.markdown()
    with pytest.raises(ValueError, match="no rows or no columns"):
        own_table([], [], **ABOUT)


def test_a_fact_of_the_data_has_no_seeds_and_whole_numbers_stay_whole(tmp_path):
    facts = [
        Measurement("Waltz", "frames", None, 40208.0, "tang"),
        Measurement("Waltz", "minutes", None, 26.8053, "tang"),
    ]
    made = own_table(["frames", "minutes"], facts, caption="C.", data_notice="D.", profile="quick")
    assert [cell.ours() for cell in made.cells] == ["40208", "26.81"]
    assert "facts of the data" in made.markdown()
    assert "seeds;" not in made.markdown()
    made.write(tmp_path, "table_1")
    assert read(tmp_path / "table_1.csv") == made
    with pytest.raises(ValueError, match="a fact of the data has no other value"):
        own_table(
            ["frames"], [facts[0], facts[0]._replace(seed=0)],
            caption="C.", data_notice="D.", profile="quick",
        )  # fmt: skip


def test_a_table_of_runs_and_facts_says_which_is_which():
    rows = [
        Measurement("real", "x", None, 1.0, "data"),
        Measurement("made", "x", 0, 2.0, "runs/a"),
        Measurement("made", "x", 1, 3.0, "runs/b"),
    ]
    told = own_table(["x"], rows, caption="c", data_notice="d", profile="quick").markdown()
    assert "mean ± sd" in told
    assert "without n is a fact" in told
    assert "Ours are facts" not in told
