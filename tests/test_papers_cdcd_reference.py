"""The printed music tables: complete, as printed, and consistent with each other."""

import pytest

from pasdedeux.report.claims import Claims, Part, decide, read
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.report.table import Measurement, table

OURS = ("Ours Vanilla", "Ours Step-Intra", "Ours Sample-Inter")
CELLS = {
    "1": 37,
    "2": 8,
    "3": 34,
    "4": 7,
    "5": 18,
    "6": 47,
    "6 spread": 15,
    "7": 33,
    "8": 12,
    "9": 6,
    "10": 6,
}


# typed from the paper for this test: rows in its order, "-" for an empty cell
ONE = """
GT Music          | 100  100  88.5 4.7 4.8
Foley             | 74.1 69.4 8.1  2.9 -
Dance2Music       | 83.5 82.4 7.0  3.0 -
CMT               | 85.5 83.5 11.6 3.0 -
D2M-GAN           | 88.2 84.7 24.4 3.3 3.4
Ours Vanilla      | 89.0 83.8 25.3 3.3 3.6
Ours Step-Intra   | 93.9 90.7 25.8 3.6 3.5
"""
LAST_OF_ONE = "Ours Sample-Inter | 91.8 86.9 27.2 3.6 3.6"
TYPED = {
    "1": ONE + LAST_OF_ONE,
    "6": ONE
    + """
Ours Step-Inter   | 92.4 88.9 24.3 3.4 3.5
Ours Sample-Intra | 91.5 84.6 26.0 3.5 3.6
"""
    + LAST_OF_ONE,
    "6 spread": """
Ours Vanilla      | 1.1 1.5 0.8
Ours Step-Intra   | 1.2 1.5 0.6
Ours Step-Inter   | 1.0 1.7 0.7
Ours Sample-Intra | 1.7 1.6 0.8
Ours Sample-Inter | 1.6 1.4 0.5
""",
    "7": """
2s D2M-GAN           | 88.2 84.7 24.4
2s Ours Vanilla      | 89.0 83.8 25.3
2s Ours Step-Intra   | 93.9 90.7 25.8
2s Ours Sample-Inter | 91.8 86.9 27.2
4s D2M-GAN           | 87.1 83.0 23.3
4s Ours Vanilla      | 86.2 81.8 24.6
4s Ours Step-Intra   | 93.1 86.4 25.3
4s Ours Sample-Inter | 91.4 83.9 26.1
6s D2M-GAN           | -    -    -
6s Ours Vanilla      | 84.8 81.1 22.7
6s Ours Step-Intra   | 87.9 83.2 22.9
6s Ours Sample-Inter | 86.3 81.6 23.0
""",
    "9": """
5e-4 | 93.4 90.2
1e-5 | 93.3 91.0
5e-5 | 93.9 90.7
""",
    "10": """
Full (T_c = 100) | 93.9 90.7
T_c = 80         | 93.4 90.5
T_c = 60         | 92.7 90.4
""",
}


@pytest.mark.parametrize("name", TYPED)
def test_every_digit_of_the_music_tables_is_that_of_the_paper(name):
    typed = {}
    for line in filter(None, TYPED[name].splitlines()):
        row, _, cells = line.partition("|")
        typed[row.strip()] = ["" if cell == "-" else cell for cell in cells.split()]
    held = reference("cdcd", name)
    columns = ("Coverage", "Hit", "Accuracy", "Coherence MOS", "Quality MOS")
    assert held.columns == columns[: len(held.columns)]
    assert {row: [*cells.values()] for row, cells in held.text.items()} == typed
    assert held.rows == tuple(typed)


@pytest.mark.parametrize("name", CELLS)
def test_every_printed_number_is_there(name):
    held = reference("cdcd", name)
    assert sum(len(cells) for cells in held.printed.values()) == CELLS[name]
    assert "2206.07771" in held.source


def test_table_6_repeats_table_1():
    one, six = reference("cdcd", "1").text, reference("cdcd", "6").text
    assert all(six[row] == cells for row, cells in one.items())
    assert set(six) - set(one) == {"Ours Step-Inter", "Ours Sample-Intra"}
    assert set(reference("cdcd", "6 spread").rows) == {row for row in six if "Ours" in row}


def test_other_tables_repeat_rows_of_table_1():
    one = reference("cdcd", "1").printed
    seven, nine = (reference("cdcd", name).printed for name in ("7", "9"))
    for row in (*OURS, "D2M-GAN"):
        assert seven[f"2s {row}"] == {c: one[row][c] for c in ("Coverage", "Hit", "Accuracy")}
    best = {column: one["Ours Step-Intra"][column] for column in ("Coverage", "Hit")}
    assert nine["5e-5"] == reference("cdcd", "10").printed["Full (T_c = 100)"] == best


def test_fewer_steps_are_a_third_and_not_35_percent():
    """The abstract says "more than 35 %", the figure 120 and 80."""
    printed = reference("cdcd", "4 left").printed
    late, early = (printed[row]["stable at about"] for row in ("Ours Vanilla", "Ours Step-Intra"))
    assert 1 - early / late == pytest.approx(1 / 3)
    right = reference("cdcd", "4 right").printed
    late, early = (right[row]["stable at about"] for row in ("Ours Vanilla", "Ours contrastive"))
    assert 1 - early / late == pytest.approx(0.40)


def test_on_mscoco_the_printed_fid_is_not_the_lowest():
    """Section 4.2 calls both results of Table 3 the state of the art."""
    printed = reference("cdcd", "3").printed
    ours = printed["Ours Sample-Inter (T=80)"]
    lower = [row for row, cells in printed.items() if cells["MSCOCO FID"] < ours["MSCOCO FID"]]
    assert lower == ["DF-GAN", "DAE-GAN", "DALLE"]
    assert all(cells.get("CUB-200 FID", 99.0) >= ours["CUB-200 FID"] for cells in printed.values())


def test_percents_and_opinions_lie_where_they_can():
    for name in ("1", "2", "6", "7", "9", "10"):
        for row, cells in reference("cdcd", name).printed.items():
            for column, value in cells.items():
                low, high = (1, 5) if "MOS" in column else (5, 100)
                assert low <= value <= high, (name, row, column)


def test_accuracies_of_the_rivals_are_whole_clips_of_the_86():
    """24.4 is 21 of 86; those of the diffusion are means of three samplings."""
    printed = reference("cdcd", "1").printed
    for row in ("Foley", "Dance2Music", "CMT", "D2M-GAN"):
        clips = printed[row]["Accuracy"] / 100 * 86
        assert abs(clips - round(clips)) < 0.05, row


def test_rows_that_nobody_means_to_run_are_quoted_and_never_not_run():
    eight = reference("cdcd", "8")
    assert set(eight.quoted) < set(eight.rows)
    ours = [Measurement("AIST++, Ours CDCD", "Param. (M)", None, 409.9, "settings")]
    made = table(eight, ours, caption="c", data_notice="d", profile="quick")
    verdicts = {(cell.row, cell.column): cell.verdict for cell in made.cells}
    assert verdicts["ImageNet, LDM", "Param. (M)"] == "quoted"
    assert verdicts["TikTok, Ours CDCD", "Param. (M)"] == "not run"
    assert verdicts["AIST++, Ours CDCD", "V100 days"] == "not run"
    told = {cell.row: cell.ours() for cell in made.cells if cell.column == "Param. (M)"}
    assert told["ImageNet, LDM"] == "quoted"
    assert told["TikTok, Ours CDCD"] == "not run"
    assert "Quoted: printed for comparison" in made.markdown()
    plain = table(reference("cdcd", "9"), [], caption="c", data_notice="d", profile="quick")
    assert "Quoted" not in plain.markdown()


def test_claims_name_their_place():
    claims = stated_claims("cdcd")
    assert len(claims) == 28
    assert all("Section" in c.where or "Appendix" in c.where for c in claims.values())
    assert all(c.text.endswith(".") for c in claims.values())


def test_claims_keep_a_rule_of_their_own(tmp_path):
    stated = stated_claims("cdcd")["tiktok"]
    decided = (decide(stated, [Part("undecided", "a - b", 1)]),)
    own = Claims(decided, "d", "quick", rule="by two intervals")
    own.write(tmp_path)
    assert read(tmp_path / "claims.csv") == own
    assert "by two intervals" in (tmp_path / "claims.md").read_text()
    assert "by two intervals" in own._repr_html_()
    usual = Claims(decided, "d", "quick")
    usual.write(tmp_path)
    assert read(tmp_path / "claims.csv") == usual
    assert "rule" not in (tmp_path / "claims.csv").read_text().splitlines()[0]
