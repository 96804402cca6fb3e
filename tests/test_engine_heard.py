"""From answers to numbers: planted opinions come back, and who failed stays apart."""

import listeners
import numpy as np
import pytest

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.engine import heard
from pasdedeux.listening.export import rows
from pasdedeux.listening.plan import questions
from pasdedeux.listening.store import Answer, Store


def _answered(test, count, opinion, *, stop=None):
    """Return the rows of `count` simulated listeners; `opinion(number, question)` answers."""
    store = Store(test.folder, test.version)
    for number in range(1, count + 1):
        store.enrol("words")
        for place, question in enumerate(questions(test, number - 1)):
            if stop is None or number != 1 or place < stop:
                given = opinion(number, question)
                store.answer(Answer(number, question.id, given, 900, 1, 1.5e9, 0.0))
    found = rows(test, store)
    store.close()
    return found


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    """Eight listeners: two hear no genre; the others call MC neither, GAN jazz, Fusion mixed."""
    test = listeners.fusion(tmp_path_factory.mktemp("heard") / "fusion")
    says = {"MC": "neither", "GAN": "jazz", "Fusion": "mixture"}

    def opinion(number, question):
        known = test.key[question.stimuli[0]]
        if question.step in ("headphones", "qualification"):
            return known.right if number > 2 or question.step == "headphones" else "neither"
        if question.step == "genre":
            return says[known.system] if number > 2 else "folk"
        return "expert" if known.system == "Fusion" else "robot"

    return _answered(test, 8, opinion)


def test_the_unqualified_stand_apart(fusion):
    good, bad = heard.results("fusion", fusion)
    assert (good.name, good.listeners) == ("qualified", 6)
    assert (bad.name, bad.listeners) == ("not qualified", 2)
    level = {system: cells["FL"].value for system, cells in good.numbers.items()}
    assert level == {"MC": 0.0, "GAN": 0.0, "Fusion": 100.0}
    assert bad.numbers["Fusion"]["folk"].value == 100.0
    assert good.numbers["Fusion"]["expert"].value == 100.0
    assert good.numbers["GAN"]["robot"].listeners == 6
    assert any("qualification: 75.0 % right" in note for note in good.notes)
    assert any("alpha (nominal) 1.00" in note for note in good.notes)


def test_shares_of_a_system_sum_to_100(fusion):
    for group in heard.results("fusion", fusion):
        for cells in group.numbers.values():
            for names in (("jazz", "folk", "mixture", "neither"), ("expert", "newbie", "robot")):
                assert sum(cells[name].value for name in names) == pytest.approx(100.0)


def test_a_planted_ranking_comes_back_and_who_stopped_is_left_out(tmp_path):
    test = listeners.ranking(tmp_path / "ranking")
    best_first = ("Ours", "Huang", "Ren", "Tang")

    def opinion(number, question):
        if question.step == "headphones":
            return "first"
        by_system = {test.key[name].system: name for name in question.stimuli}
        order = best_first if question.step == "realism" else best_first[::-1]
        return tuple(by_system[system] for system in order)

    told = heard.results("ranking", _answered(test, 6, opinion, stop=4))[0]
    assert told.listeners == 5
    ranks = {system: cells["Realism"].value for system, cells in told.numbers.items()}
    assert ranks == {"Ours": 1.0, "Huang": 2.0, "Ren": 3.0, "Tang": 4.0}
    assert told.numbers["Tang"]["Genre Consistency"].value == 1.0
    assert "Realism: 1 listeners stopped before the end" in told.notes
    assert any("no pair can have p below 0.062 with 5" in note for note in told.notes)
    assert sum("Wilcoxon-Holm" in note for note in told.notes) == 12


def test_mean_opinions_come_back(tmp_path):
    test = listeners.mos(tmp_path / "mos")
    means = {"GT": 4.6, "Ours": 3.3, "Vanilla": 2.2}

    def opinion(number, question):
        if question.step == "headphones":
            return "first"
        drawn = numpy_generator(number, question.id)
        mean = means[test.key[question.stimuli[0]].system]
        return str(int(np.clip(round(drawn.normal(mean, 0.5)), 1, 5)))

    told = heard.results("mos", _answered(test, 20, opinion))[0]
    assert told.listeners == 20
    for column in ("Coherence", "Quality"):
        for system, mean in means.items():
            estimate = told.numbers[system][column]
            assert estimate.low - 0.2 < mean < estimate.high + 0.2
            assert estimate.high - estimate.low < 0.7
    assert all("ordinal" in note for note in told.notes)


def test_other_genres_have_their_own_names():
    row = {"step": "genre", "participant": 1, "system": "MC", "stimulus": "001", "right": None}
    found = heard.fusion([{**row, "answer": "Chinese folk"}], ("German folk", "Chinese folk"))
    assert list(found[0].numbers["MC"]) == [
        "German folk", "Chinese folk", "mixture", "neither", "FL",
    ]  # fmt: skip
    assert found[0].name == "not qualified", "who was asked nothing has not qualified"


def test_nothing_is_told_of_nobody():
    with pytest.raises(ValueError, match="nobody has answered yet"):
        heard.results("mos", [])


def test_the_lines_for_a_terminal(fusion):
    lines = heard.told(heard.results("fusion", fusion)).splitlines()
    assert lines[0] == "qualified: 6"
    assert any(line.startswith("  Fusion: jazz 0.0 (0.0-0.0)") for line in lines)
