"""Answers on the disk: once, in time, under nobody's name, and out again as tidy tables."""

import csv
import json
import sqlite3

import listeners
import pytest

from pasdedeux.listening.export import COLUMNS, export, rows
from pasdedeux.listening.plan import questions
from pasdedeux.listening.store import ANSWERS, CODE_LETTERS, Answer, Store


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path, "version 1")
    yield made
    made.close()


def _given(participant, question, answer):
    return Answer(participant, question, answer, 900, 2, 1.5e9, 0.0)


def test_a_participant_is_known_by_the_token_alone(store):
    tokens = [store.enrol("words") for _ in range(3)]
    assert len(set(tokens)) == 3
    assert [store.participant(token) for token in tokens] == [1, 2, 3]
    assert store.participant("else") is None
    assert store.participants() == [1, 2, 3]


def test_the_words_that_people_agreed_to_are_kept(store, tmp_path):
    for words in ("ours", "ours", "others"):
        store.enrol(words)
    base = sqlite3.connect(tmp_path / ANSWERS)
    kept = base.execute(
        "SELECT number, value FROM participants JOIN about ON name = 'consent ' || consent"
    ).fetchall()
    base.close()
    assert sorted(kept) == [(1, "ours"), (2, "ours"), (3, "others")]


def test_the_first_answer_counts(store):
    number = store.participant(store.enrol("words"))
    assert store.answer(_given(number, "genre-001", "jazz")) is True
    assert store.answer(_given(number, "genre-001", "folk")) is False
    assert [one.answer for one in store.answers()] == ["jazz"]
    assert store.answered(number) == {"genre-001"}


def test_an_answer_survives_without_closing(store, tmp_path):
    number = store.participant(store.enrol("words"))
    store.answer(_given(number, "genre-001", "jazz"))
    store.answer(_given(number, "realism-i01", ("003", "001")))
    other = Store(tmp_path, "version 1")  # as after a crash: the first was never closed
    found = other.answers()
    other.close()
    assert [one.answer for one in found] == ["jazz", ("003", "001")]
    assert found[0].server_time > 1.7e9


def test_what_fails_leaves_nothing(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.answer(_given(99, "genre-001", "jazz"))  # nobody
    assert store.answers() == []
    number = store.participant(store.enrol("words"))
    assert store.answer(_given(number, "genre-001", "jazz")) is True


def test_the_journal_is_a_write_ahead_log(store, tmp_path):
    base = sqlite3.connect(tmp_path / ANSWERS)
    assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    base.close()


def test_a_code_lets_one_participant_in(store):
    codes = store.free_codes(3)
    assert len(set(codes)) == 3
    assert all(set(code) <= set(CODE_LETTERS) and len(code) == 10 for code in codes)
    typed = f" {codes[0][:5].lower()}-{codes[0][5:]}"
    assert store.enrol("words", code=typed) is not None
    assert store.enrol("words", code=codes[0]) is None
    assert store.enrol("words", code="") is None
    assert store.participants() == [1]
    again = store.free_codes(3)
    assert again[:2] == codes[1:]
    assert len(again) == 3
    assert codes[0] not in again


def test_answers_of_one_version_are_not_mixed_with_another(store, tmp_path):
    with pytest.raises(ValueError, match="answers to another version"):
        Store(tmp_path, "version 2")


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / ANSWERS).write_bytes(b"no database at all, only words" * 40)
    with pytest.raises(ValueError, match=r"answers\.sqlite cannot be opened"):
        Store(tmp_path, "version 1")


def test_who_asks_is_forgotten_and_the_others_stay(store):
    tokens = [store.enrol("words") for _ in range(2)]
    for number in (1, 2):
        store.answer(_given(number, "genre-001", "jazz"))
    assert store.forget(1) == 1
    assert store.participant(tokens[0]) is None
    assert [one.participant for one in store.answers()] == [2]
    assert store.participant(store.enrol("words")) == 3, "a number would be used twice"
    with pytest.raises(ValueError, match="no participant 9"):
        store.forget(9)


def test_the_export_is_tidy_and_both_files_say_the_same(tmp_path):
    test = listeners.fusion(tmp_path / "fusion")
    store = Store(test.folder, test.version)
    for number in (1, 2):
        store.enrol("words")
        for question in reversed(questions(test, number - 1)):  # answered in another order
            right = test.key[question.stimuli[0]].right
            store.answer(_given(number, question.id, right or "neither"))
    files = export(test, store)
    store.close()
    with files[0].open(encoding="utf-8", newline="") as opened:
        table = list(csv.DictReader(opened))
    told = json.loads(files[1].read_text(encoding="utf-8"))
    assert len(table) == len(told["rows"]) == 2 * len(questions(test, 0))
    assert told["participants"] == 2
    assert tuple(table[0]) == COLUMNS
    for line, row in zip(table, told["rows"], strict=True):
        assert line == {k: "" if v is None else str(v) for k, v in row.items()}
    places = [row["place"] for row in told["rows"] if row["participant"] == 2]
    assert places == list(range(1, len(places) + 1))
    judged = {row["step"]: row["right"] for row in told["rows"]}
    expected = {"headphones": True, "qualification": True, "genre": None, "musicality": None}
    assert judged == expected


def test_a_ranking_is_exported_as_ranks_beside_places(tmp_path):
    test = listeners.ranking(tmp_path / "ranking", items=1)
    store = Store(test.folder, test.version)
    store.enrol("words")
    question = next(one for one in questions(test, 0) if one.step == "realism")
    best_first = (question.stimuli[2], question.stimuli[0], question.stimuli[3])
    best_first = (*best_first, question.stimuli[1])
    store.answer(_given(1, question.id, best_first))
    found = rows(test, store)
    store.close()
    assert [(row["shown"], row["answer"]) for row in found] == [(1, 2), (2, 4), (3, 1), (4, 3)]
    assert {row["stimulus"]: row["system"] for row in found} == {
        name: test.key[name].system for name in question.stimuli
    }
