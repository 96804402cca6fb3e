"""Tables of listeners: voices stay apart, what was not asked says so."""

import csv
import io

import pytest

from pasdedeux.report import heard
from pasdedeux.report.heard import Beside, Place, Voice
from pasdedeux.report.reference import fact, reference
from pasdedeux.report.table import Measurement

MACHINE = "machine listener"


def _measured(row, column, *values):
    return [Measurement(row, column, seed, x, "runs/x") for seed, x in enumerate(values)]


@pytest.fixture
def beside():
    people = {"MC": {"FL": heard.with_interval(31.0, 20.25, 40.0, 17)}}
    machine = heard.by_seeds([*_measured("MC", "FL", 10.0, 13.0), *_measured("RM", "FL", 7.0)])
    voices = (Voice(heard.HERE, heard.NOT_RUN, people), Voice(MACHINE, heard.NONE, machine))
    return Beside(reference("fusion", 2), voices, "Table II.", "planted.", "quick")


def test_each_row_has_a_line_for_each_voice(beside):
    header, lines = beside._grid()
    assert header[:3] == ["", "who", "jazz"]
    by_row = {lines[k][0]: lines[k : k + 3] for k in range(0, len(lines), 3)}
    assert list(by_row) == list(beside.reference.rows)
    level = header.index("FL")
    assert [line[level] for line in by_row["MC"]] == ["16", "31.0 (20.2 to 40.0)", "11.5 ± 2.1"]
    assert [line[level] for line in by_row["RM"]] == ["57.5", "not run", "7.0"]
    names = [line[1] for line in by_row["MC"]]
    assert names == ["people, printed", "people, here (n=17)", "machine listener (n=2)"]


def test_nobody_asked_is_not_run_and_no_machine_is_none(beside):
    header, lines = beside._grid()
    expert = header.index("expert")
    assert {line[expert] for line in lines if line[1].startswith("people, here")} == {"not run"}
    assert {line[expert] for line in lines if line[1].startswith(MACHINE)} == {"none"}


def test_the_files_keep_the_voices_apart(beside, tmp_path):
    beside.write(tmp_path, "table_fusion")
    with (tmp_path / "table_fusion.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == heard.FIELDS
    of = {(x["row"], x["column"], x["who"]): x for x in lines}
    assert of["MC", "FL", MACHINE]["value"] == "11.5"
    assert of["MC", "FL", "people, printed"]["value"] == "16"
    assert of["RM", "FL", "people, here"]["value"] == ""
    assert of["RM", "FL", "people, here"]["spread"] == "not run"
    assert len(lines) == 6 * 8 * 3
    text = (tmp_path / "table_fusion.md").read_text(encoding="utf-8")
    assert "A machine listener is not people" in text
    assert "machine listener" in beside._repr_html_()
    assert io.StringIO(beside.latex()).readline().startswith(r"\begin{table}")


def test_a_voice_must_speak_of_printed_cells():
    voice = Voice(MACHINE, heard.NONE, heard.by_seeds(_measured("MCC", "FL", 1.0)))
    with pytest.raises(ValueError, match="'MCC'"):
        Beside(reference("fusion", 2), (voice,), "Table II.", "planted.", "quick")


def test_pictures_show_what_they_are_given():
    plane = heard.level_plane({"MC": Place(30.0, 52.0, True), "guess": Place(0.0, 25.0, False)})
    texts = [text.get_text() for text in plane.axes[0].texts]
    assert {"MC", "guess"} <= set(texts)
    curves = heard.width_curves({"rho = 0": ([5, 50], [40.0, 13.0])}, gap=1.0, gap_name="gap")
    assert curves.axes[0].get_lines()[0].get_ydata().tolist() == [40.0, 13.0]
    for call in (
        lambda: heard.level_plane({}),
        lambda: heard.width_curves({}, gap=1.0, gap_name=""),
    ):
        with pytest.raises(ValueError, match="name at least one"):
            call()


def test_a_fact_of_the_text_is_read():
    assert fact("fusion", "qualification-right").value == 66.5
    with pytest.raises(ValueError, match="qualification-right"):
        fact("fusion", "qualification-rigth")
