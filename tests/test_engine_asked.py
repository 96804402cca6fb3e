"""From an exported file to the papers' tables of people: planted answers, and nobody at all."""

import json

import listeners
import pytest

from pasdedeux.engine import asked
from pasdedeux.listening.export import COLUMNS, export, read
from pasdedeux.listening.plan import questions
from pasdedeux.listening.store import Answer, Store


def _exported(test, count, opinion):
    """Answer for `count` simulated listeners and return the exported JSON."""
    store = Store(test.folder, test.version)
    for number in range(1, count + 1):
        store.enrol("words")
        for question in questions(test, number - 1):
            given = opinion(number, question)
            store.answer(Answer(number, question.id, given, 900, 1, 1.5e9, 0.0))
    files = export(test, store)
    store.close()
    return files[1]


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    """Seven simulated listeners, one of whom hears no genre."""
    test = listeners.fusion(tmp_path_factory.mktemp("asked") / "fusion")
    says = {"MC": "neither", "GAN": "jazz", "Fusion": "mixture"}

    def opinion(number, question):
        known = test.key[question.stimuli[0]]
        if question.step in ("headphones", "qualification"):
            return known.right if number > 1 or question.step == "headphones" else "neither"
        return says[known.system] if question.step == "genre" else "robot"

    return _exported(test, 7, opinion)


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    """Five simulated listeners who all rank by the systems' names."""
    test = listeners.ranking(tmp_path_factory.mktemp("asked") / "ranking")

    def opinion(number, question):
        return sorted(question.stimuli, key=lambda name: test.key[name].system)

    return _exported(test, 5, opinion)


@pytest.mark.parametrize("test", ["fusion", "ranking", "mos"])
def test_nobody_asked_leaves_every_cell_of_people_not_run(test):
    nobody = asked.people(test)
    assert nobody.notes == (asked.NOBODY,)
    told = {"data_notice": "none.", "profile": "quick"}
    table = asked.of_people(test, nobody, **told)
    assert {cell.verdict for cell in table.cells if cell.paper} == {"not run"}
    assert {cell.mean for cell in table.cells} == {None}
    _, lines = asked.beside(test, nobody, **told)._grid()
    mine = [line[2:] for line in lines if line[1].startswith("people, here")]
    assert len(mine) == len(asked.printed(test).rows)
    assert {cell for line in mine for cell in line} == {"not run"}
    assert asked.NOBODY in table_caption(test, nobody)


def table_caption(test, people):
    return asked.beside(test, people, data_notice="none.", profile="quick").full_caption


def test_answers_fill_the_rows_of_table_2(fusion):
    people = asked.people("fusion", str(fusion))
    assert people.listeners == 6
    assert people.printed["Fusion"]["FL"].value == 100.0
    assert people.printed["GAN"]["jazz"].value == 100.0
    assert people.printed["MC"]["robot"].value == 100.0
    assert any("not qualified: 1" in note for note in people.notes)
    table = asked.of_people("fusion", people, data_notice="simulated.", profile="quick")
    cells = {(cell.row, cell.column): cell for cell in table.cells}
    assert cells["MC", "neither"].mean == 100.0
    assert cells["RM", "FL"].verdict == "not run"
    assert "6 listeners" in table_caption("fusion", people)


def test_rows_that_are_not_printed_stand_apart(ranking):
    people = asked.people("ranking", str(ranking))
    assert people.printed.keys() == {"Ours"}
    assert people.others.keys() == {"Tang", "Ren", "Huang"}
    assert people.others["Huang"]["Realism"].value == 1.0
    assert people.printed["Ours"]["Realism"].value == 2.0
    told = {"data_notice": "simulated.", "profile": "quick"}
    table = asked.others("ranking", people, **told)
    assert {c.row: c.mean for c in table.cells if c.column == "Realism"} == {
        "Huang": 1.0, "Ren": 3.0, "Tang": 4.0,
    }  # fmt: skip
    assert asked.others("ranking", asked.people("ranking"), **told) is None


def test_a_machine_listener_never_fills_a_cell_of_people():
    rows = [asked.Measurement("MC", "FL", 0, 12.0, "runs/x")]
    nobody = asked.people("fusion")
    told = {"data_notice": "planted.", "profile": "quick"}
    _, lines = asked.beside("fusion", nobody, machine=rows, **told)._grid()
    assert not any("12.0" in cell for line in lines if "machine" not in line[1] for cell in line)
    assert any("12.0" in cell for line in lines if "machine" in line[1] for cell in line)


def test_the_columns_of_mos_are_those_of_people():
    found = asked.printed("mos")
    assert found.columns == ("Coherence MOS", "Quality MOS")
    assert found.printed["GT Music"] == {"Coherence MOS": 4.7, "Quality MOS": 4.8}


def test_what_is_read_is_what_was_written(fusion):
    found = read(fusion, "fusion")
    assert (found.test, found.genres, found.participants) == ("fusion", ("jazz", "folk"), 7)
    assert set(found.rows[0]) == set(COLUMNS)


def test_other_files_are_refused(fusion, tmp_path):
    with pytest.raises(ValueError, match="of the test 'fusion', not 'mos'"):
        asked.people("mos", str(fusion))
    with pytest.raises(ValueError, match=r"is no file; give the answers\.json"):
        asked.people("mos", str(tmp_path / "gone.json"))
    bad = tmp_path / "bad.json"
    for text in ("[1, 2]", "{", '{"test": "mos"}', '{"test": "mso"}'):
        bad.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"bad\.json holds no exported answers"):
            read(bad, "mos")
    told = json.loads(fusion.read_text(encoding="utf-8"))
    del told["rows"][0]["answer"]
    bad.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows without \['answer'\]"):
        read(bad, "fusion")
