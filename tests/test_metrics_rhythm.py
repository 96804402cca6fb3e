"""Beats Alignment and the beat alignment score against plain loops and known answers."""

import numpy as np
import pytest

from pasdedeux.metrics import rhythm


def _beats(seed, count, seconds=19.0):
    return np.sort(np.random.default_rng(seed).uniform(0, seconds, count))


@pytest.mark.parametrize("seed", range(5))
def test_alignment_by_plain_loops(seed):
    music, dance = _beats(seed, 31), _beats(seed + 100, 17)
    hits = sum(any(abs(d - m) <= 0.2 for m in music) for d in dance) / len(dance)
    assert rhythm.alignment(music, dance, 19.0).hits == pytest.approx(hits)


@pytest.mark.parametrize("seed", range(3))
def test_chance_is_what_random_beats_reach(seed):
    music = _beats(seed, 13)
    random = _beats(seed + 50, 200_000)
    found = rhythm.alignment(music, random, 19.0)
    assert found.hits == pytest.approx(found.chance, abs=0.005)
    assert found.excess == found.hits - found.chance


def test_chance_of_a_steady_beat_is_the_share_of_time_the_windows_cover():
    music = np.arange(0.5, 60.0, 60 / 105)
    found = rhythm.alignment(music, music, 60.0)
    assert found.hits == 1.0
    assert found.chance == pytest.approx(0.4 * 105 / 60, abs=0.01)
    dense = np.arange(0.0, 10.0, 0.3)
    assert rhythm.alignment(dense, dense, 10.0).chance == pytest.approx(1.0, abs=0.02)


def test_a_beat_exactly_at_the_edge_counts():
    assert rhythm.alignment(np.array([1.0]), np.array([1.2]), 3.0).hits == 1.0
    assert rhythm.alignment(np.array([1.0]), np.array([1.21]), 3.0).hits == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_the_score_by_plain_loops_in_both_directions(seed):
    music, dance = _beats(seed, 11), _beats(seed + 9, 7)
    for over, points, others in (("music", music, dance), ("dance", dance, music)):
        terms = [np.exp(-min((p - o) ** 2 for o in others) / (2 * 0.05**2)) for p in points]
        found = rhythm.beat_alignment_score(music, dance, over=over)
        assert found == pytest.approx(np.mean(terms))


def test_the_scripts_direction_is_blind_to_missing_beats():
    music = np.arange(1.0, 9.0, 0.5)
    one = music[3:4]
    assert rhythm.beat_alignment_score(music, one, over="dance") == 1.0
    assert rhythm.beat_alignment_score(music, one, over="music") < 0.1


def test_a_common_shift_changes_nothing():
    music, dance = _beats(1, 11), _beats(2, 7)
    for over in ("music", "dance"):
        before = rhythm.beat_alignment_score(music, dance, over=over)
        after = rhythm.beat_alignment_score(music + 7, dance + 7, over=over)
        assert before == pytest.approx(after)


def test_bad_beats_are_refused():
    fine = np.array([0.5, 1.0])
    with pytest.raises(ValueError, match="dance_seconds holds no beat"):
        rhythm.alignment(fine, np.array([]), 2.0)
    with pytest.raises(ValueError, match="ascend"):
        rhythm.alignment(fine[::-1], fine, 2.0)
    with pytest.raises(ValueError, match="duration_seconds"):
        rhythm.alignment(fine, fine, 0.0)
