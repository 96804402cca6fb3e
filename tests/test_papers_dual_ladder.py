"""The ladder: rungs are as far off as they say, agreement by brute force, blind spots are seen."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from test_data_pairs import SETTINGS, _dance

from pasdedeux.data import pairs
from pasdedeux.data.paired import Paired
from pasdedeux.papers import dual_evaluate, dual_ladder
from pasdedeux.report.table import own_table


@pytest.fixture(scope="module")
def made():
    dances = [_dance(n, frames=531) for n in range(9)]
    dances += [_dance(20 + n, genre="Lock", frames=531) for n in range(9)]
    return pairs.cut(Paired(tuple(dances), "random"), SETTINGS)


@pytest.fixture(scope="module")
def ladder(made):
    return dual_ladder.rungs(made, 3)


def test_the_rungs_are_as_far_off_as_their_names_say(ladder):
    true = dual_evaluate.joints_of(ladder[dual_ladder.TRUTH].danced)
    for name, (centimetres, _) in dual_ladder.WANDERING.items():
        moved = dual_evaluate.joints_of(ladder[name].danced)
        off = 100 * np.linalg.norm(moved - true, axis=-1).mean()
        assert off == pytest.approx(centimetres, rel=0.02), name
        np.testing.assert_allclose(moved[..., 0, :], true[..., 0, :], atol=1e-5)
    steps = np.diff(dual_evaluate.joints_of(ladder["1 cm off"].danced) - true, axis=1)
    assert np.linalg.norm(steps, axis=-1).max() < 0.02, "it wanders, it does not jump"


def test_music_of_a_lower_rung_keeps_fewer_seconds_of_the_song(ladder):
    real = ladder[dual_ladder.TRUTH].composed
    kept = []
    for name in (dual_ladder.TRUTH, *dual_ladder.WANDERING):
        same = (ladder[name].composed == real).all(axis=-1)
        kept.append(same.mean())
        seconds = same.reshape(len(same), -1, 25)
        assert (seconds.all(-1) | ~seconds.any(-1)).all(), "whole seconds are replaced"
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 1
    assert kept[-1] == pytest.approx(4 / 9)  # 5 of the 9 seconds of each song
    for name in dual_ladder.WANDERING:
        assert (ladder[name].composed.shape) == real.shape


def test_other_dances_are_of_another_song_and_of_the_genre_they_say(made, ladder):
    found = dual_evaluate.excerpts(made, most_a_genre=3)
    for name, same in ((dual_ladder.SAME, True), (dual_ladder.OTHER, False)):
        for row, number in enumerate(found.dance):
            own = made.dances[number]
            rotations = ladder[name].danced[row, :, 9:]  # a heading turns the root alone
            source = next(
                d
                for d in made.dances
                for start in np.flatnonzero((d.pose[:-224, 9:] == rotations[0]).all(axis=1))
                if np.array_equal(d.pose[start : start + 225, 9:], rotations)
            )
            assert (source.genre == own.genre) == same
            assert source.song != own.song
        assert ladder[name].composed.shape == ladder[dual_ladder.TRUTH].composed.shape
    one_genre = [_dance(n, frames=531) for n in range(9)]
    few = pairs.cut(Paired(tuple(one_genre), "random"), SETTINGS)
    assert dual_ladder.OTHER not in dual_ladder.rungs(few, 3)


def test_the_distance_knows_the_ladder_and_prefers_a_frozen_body(made, ladder):
    measured = {name: dual_evaluate.evaluate(rung, made) for name, rung in ladder.items()}
    rows = dual_ladder.agreements(measured, corpus="test")
    found = {(m.row, m.column): m.value for m in rows}
    assert found["distance pose (mm)", "tau, wandering"] == 1
    assert found["frozen (%)", "ranks frozen above"] == 0
    assert all(-1 <= found[row, "tau, all"] <= 1 for row, _ in found)
    pairs_of_rungs = len(ladder) * (len(ladder) - 1) / 2
    for row in dual_ladder.BETTER:
        told = [found[row, name] for name in ("right", "wrong", "tied")]
        assert sum(told) == pairs_of_rungs
    shown = dual_ladder.levels(measured, corpus="test")
    own_table(list(dual_ladder.BETTER), shown, caption="C", data_notice="d", profile="quick")


@pytest.mark.parametrize("seed", range(5))
def test_tau_is_kendalls(seed):
    values = np.random.default_rng(seed).permutation(11).astype(float)
    found = dual_ladder.agreement(values.tolist(), better="higher")
    known = -np.arange(11.0)
    assert found.tau == pytest.approx(stats.kendalltau(known, values).statistic)
    assert dual_ladder.agreement(values.tolist(), better="lower").tau == pytest.approx(-found.tau)


def test_agreement_by_counting():
    values = [5.0, 7.0, 7.0, 1.0]
    right = sum(a < b for a, b in combinations(values, 2))
    found = dual_ladder.agreement(values, better="lower")
    assert found == (right, 3, 1)
    assert dual_ladder.agreement(values, better="near") == (4 + 1 + 0, 0, 1)
    with pytest.raises(ValueError, match="at least 2 rungs"):
        dual_ladder.agreement([1.0], better="lower")


def test_a_wander_of_nothing_is_refused(ladder):
    with pytest.raises(ValueError, match="centimetres must be above 0"):
        dual_ladder.wandered(ladder[dual_ladder.TRUTH].danced, 0.0, seed=0)


def test_the_frozen_rung_is_counted_against_every_other():
    values = {"truth": 1.0, "1 cm off": 5.0, "8 cm off": 9.0, "frozen": 6.0}
    measured = {name: {"distance world (mm)": value} for name, value in values.items()}
    rows = dual_ladder.agreements(measured, corpus="test")
    assert {m.row for m in rows} == {"distance world (mm)"}
    assert {m.column: m.value for m in rows}["ranks frozen above"] == 1
