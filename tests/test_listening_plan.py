"""Orders: every question once, and balanced over participants."""

from collections import Counter

import listeners
import numpy as np
import pytest

from pasdedeux.listening.plan import questions, williams


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 10])
def test_every_symbol_has_every_place_and_every_neighbour_equally_often(count):
    square = williams(count)
    assert len(square) == (2 * count if count % 2 and count > 1 else count)
    for row in square:
        assert sorted(row) == list(range(count))
    for column in square.T:
        assert len(set(Counter(column.tolist()).values())) == 1
    follows = Counter(pair for row in square.tolist() for pair in zip(row, row[1:], strict=False))
    assert len(follows) == count * (count - 1)
    assert len(set(follows.values())) <= 1


def test_no_square_of_nothing():
    with pytest.raises(ValueError, match="at least one symbol"):
        williams(0)


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    return listeners.fusion(tmp_path_factory.mktemp("plan") / "fusion", items=3)


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    return listeners.ranking(tmp_path_factory.mktemp("plan") / "ranking", items=3)


@pytest.fixture(scope="module")
def mos(tmp_path_factory):
    return listeners.mos(tmp_path_factory.mktemp("plan") / "mos")


def test_everybody_gets_every_question_once_step_by_step(fusion):
    expected = {question.id for question in questions(fusion, 0)}
    assert len(expected) == 3 + 2 * 3 + 9 + 9
    for number in range(13):
        order = questions(fusion, number)
        assert {question.id for question in order} == expected
        assert len(order) == len(expected)
        steps = list(dict.fromkeys(question.step for question in order))
        assert steps == ["headphones", "qualification", "genre", "musicality"]
        assert [question.step for question in order] == sorted(
            (question.step for question in order), key=steps.index
        )


def test_an_order_depends_on_the_participant_alone(fusion):
    assert questions(fusion, 4) == questions(fusion, 4)
    assert len({tuple(q.id for q in questions(fusion, n)) for n in range(6)}) == 6


def test_each_system_stands_at_each_place_equally_often_in_each_block(fusion):
    """Three systems, so two squares of three: balanced after six participants."""
    places = Counter()
    for number in range(6):
        order = [q for q in questions(fusion, number) if q.step == "genre"]
        for place, question in enumerate(order):
            places[place, fusion.key[question.stimuli[0]].system] += 1
    assert len(places) == 9 * 3
    assert set(places.values()) == {2}


def test_each_block_has_each_system_once(fusion):
    for number in range(7):
        order = [q for q in questions(fusion, number) if q.step == "musicality"]
        systems = [fusion.key[question.stimuli[0]].system for question in order]
        for begin in range(0, 9, 3):
            assert len(set(systems[begin : begin + 3])) == 3


def test_a_ranking_shows_each_system_at_each_place_equally_often(ranking):
    places = Counter()
    for number in range(4):
        for question in questions(ranking, number):
            if question.step == "realism":
                item = ranking.key[question.stimuli[0]].item
                for place, name in enumerate(question.stimuli):
                    assert ranking.key[name].item == item
                    places[item, place, ranking.key[name].system] += 1
    assert len(places) == 3 * 4 * 4
    assert set(places.values()) == {1}


def test_both_rankings_of_an_item_follow_each_other_in_the_same_order(ranking):
    for number in range(5):
        order = [q for q in questions(ranking, number) if q.step != "headphones"]
        assert len(order) == 6
        for first, second in zip(order[::2], order[1::2], strict=True):
            assert (first.step, second.step) == ("realism", "consistency")
            assert first.stimuli == second.stimuli
            assert first.id.split("-")[1] == second.id.split("-")[1]


def test_the_reference_is_the_recorded_music_of_the_same_dance(mos):
    order = questions(mos, 2)
    beside = [(mos.key[q.stimuli[0]], q.reference) for q in order if q.step == "coherence"]
    assert len(beside) == 6
    for judged, reference in beside:
        shown = mos.key[reference]
        assert (shown.system, shown.item, shown.pool) == ("GT", judged.item, "films")
    assert all(q.reference == "" for q in order if q.step != "coherence")


def test_hearing_comes_before_seeing(mos):
    steps = [question.step for question in questions(mos, 0)]
    assert steps == ["headphones"] * 3 + ["quality"] * 6 + ["coherence"] * 6


def test_another_seed_gives_other_orders(tmp_path):
    tests = [listeners.fusion(tmp_path / f"{seed}", items=3, seed=seed) for seed in (0, 1)]
    orders = [
        [(t.key[q.stimuli[0]].system, t.key[q.stimuli[0]].item) for q in questions(t, 0)]
        for t in tests
    ]
    assert orders[0] != orders[1]


def test_participants_are_counted_from_0(fusion):
    with pytest.raises(ValueError, match="at least 0, got -1"):
        questions(fusion, -1)
    assert np.unique([len(questions(fusion, n)) for n in range(30)]).tolist() == [27]
