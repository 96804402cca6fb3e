"""Blind spots, guessing, intervals and qualification of FL: by brute force and by simulation."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from pasdedeux.metrics.listening import fusion_level
from pasdedeux.papers import fusion_level as level
from pasdedeux.papers import fusion_listening

FUSION = np.array([35.9, 25.0, 20.0, 19.1])


def test_equal_jazz_and_folk_without_a_mixture_score_100():
    found = level.cases()
    assert found["half jazz, half folk, no mixture"] == 100.0
    assert found["every answer is mixture"] == 100.0
    assert found["all jazz"] == found["all neither"] == 0.0


def test_guessing_beats_every_printed_row():
    printed = fusion_listening.table_2().printed
    assert level.cases()["everybody guesses"] == 75.0
    assert max(cells["FL"] for cells in printed.values()) < 75.0


@pytest.mark.parametrize("answers", [1, 2, 3, 5])
def test_the_level_of_guessing_is_the_mean_over_all_ways_to_answer(answers):
    ways = product(range(4), repeat=answers)
    levels = [fusion_level(np.bincount(way, minlength=4)) for way in ways]
    assert level.guessed_level(answers) == pytest.approx(np.mean(levels))


def test_guessing_rises_to_75_with_the_number_of_answers():
    found = [level.guessed_level(n) for n in (1, 7, 50, 1000)]
    assert found == sorted(found)
    assert 73 < found[-1] < 75


@pytest.mark.parametrize(("answers", "alike"), [(1, 0.0), (6, 0.0), (6, 0.3), (11, 0.1)])
def test_the_interval_is_that_of_simulated_listeners(answers, alike):
    """With jazz and folk clearly apart."""
    shares = np.array([44.0, 13.0, 22.0, 21.0])
    found = _simulated(shares, 97, answers, alike)
    told = level.half_width(shares, 97, answers=answers, alike=alike)
    assert told == pytest.approx(1.96 * found.std(), rel=0.06)
    assert found.mean() == pytest.approx(fusion_level(shares), abs=0.5)


def test_near_the_kink_the_level_is_too_low_and_spreads_less():
    shares = np.array([31.0, 31.0, 19.0, 19.0])
    found = _simulated(shares, 97, 1, 0.0)
    assert found.mean() < fusion_level(shares) - 3
    assert 1.96 * found.std() < level.half_width(shares, 97, answers=1, alike=0.0)


def _simulated(shares, L, answers, alike, draws=4000):
    """FL of many tests with Dirichlet-multinomial listeners, whose answers correlate by `alike`."""
    rng = np.random.default_rng(0)
    p = shares / shares.sum()
    chances = np.broadcast_to(p, (draws * L, 4))
    if alike:
        chances = rng.dirichlet(p * (1 / alike - 1), size=draws * L)
    counts = rng.multinomial(answers, chances).reshape(draws, L, 4).sum(axis=1)
    jazz, folk, _, neither = counts.T
    return 100 * (1 - (np.abs(jazz - folk) + neither) / (answers * L))


def test_the_number_of_listeners_is_the_least_that_is_enough():
    named = {"answers": 6, "alike": 0.2}
    for width in (3.0, 10.0, 41.0):
        need = level.listeners_needed(FUSION, width, **named)
        assert 2 * level.half_width(FUSION, need, **named) <= width
        assert need == 1 or 2 * level.half_width(FUSION, need - 1, **named) > width


def test_who_all_agree_need_one_listener():
    everything = np.array([0.0, 0.0, 7.0, 0.0])
    assert level.half_width(everything, 3, answers=2, alike=0.5) == 0.0
    assert level.listeners_needed(everything, 1.0, answers=2, alike=0.5) == 1


def test_a_qualification_sends_guessers_away():
    done = level.qualification(FUSION, 0.5, questions=6, right=0.8)
    assert done.able == pytest.approx(100 * stats.binom.sf(3, 6, 0.8))
    assert done.guessing == pytest.approx(100 * stats.binom.sf(3, 6, 1 / 3))
    assert done.left == pytest.approx(100 * done.guessing / (done.guessing + done.able))
    own = fusion_level(FUSION)
    assert own < done.level_passed < done.level_all < 75.0


def test_nobody_guessing_leaves_the_level_alone():
    done = level.qualification(FUSION, 0.0, questions=6, right=0.8)
    assert done.left == 0.0
    assert done.level_all == done.level_passed == pytest.approx(fusion_level(FUSION))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: level.guessed_level(0), "answers must be at least 1, got 0"),
        (lambda: level.half_width(FUSION, 0, answers=1, alike=0.0), "listeners must be at least 1"),
        (lambda: level.half_width(FUSION, 1, answers=1, alike=1.5), r"alike must lie in 0\.\.1"),
        (lambda: level.half_width(0 * FUSION, 1, answers=1, alike=0.5), "shares must be above 0"),
        (lambda: level.listeners_needed(FUSION, 0.0, answers=1, alike=0.0), "width must be above"),
        (lambda: level.qualification(FUSION, 2.0, questions=6, right=0.8), "guessing must lie"),
        (lambda: level.qualification(FUSION, 0.5, questions=0, right=0.8), "questions must be"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
