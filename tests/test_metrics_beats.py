"""Coverage, hit and onset F1 against plain loops, known answers and a matching by scipy."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from pasdedeux.metrics import beats

ROW = ("coverage", "hit", "capped", "flags_f1", "onset_f1")


def _onsets(seed, count, seconds=7.0):
    return np.sort(np.random.default_rng(seed).uniform(0, seconds, count))


def _clicks(seconds, *at):
    sound = 1e-4 * np.random.default_rng(0).standard_normal(round(seconds * beats.RATE_HZ))
    for second in at:
        place = round(second * beats.RATE_HZ)
        sound[place : place + 400] += np.exp(-np.arange(400) / 80)
    return sound


def _script(reference, estimate, seconds):
    """Coverage and hit by the plain loops of the definition."""
    count = math.ceil(seconds)
    g, s = [0] * count, [0] * count
    for times, marked in ((reference, g), (estimate, s)):
        for time in times:
            marked[math.floor(time)] = 1
    hits = sum(1 for a, b in zip(g, s, strict=True) if a == b == 1)
    return sum(s) / sum(g), hits / sum(g), 2 * hits / (sum(g) + sum(s))


@pytest.mark.parametrize("seed", range(7))
def test_flags_by_plain_loops(seed):
    reference, estimate = _onsets(seed, 5), _onsets(seed + 50, 3 + seed)
    g, s = beats.flags(reference, 7.0), beats.flags(estimate, 7.0)
    found = beats.coverage(g, s), beats.hit(g, s), beats.flags_f1(g, s)
    assert found == pytest.approx(_script(reference, estimate, 7.0))


def test_a_clip_worked_by_hand():
    reference = beats.flags(np.array([0.2, 0.9, 2.0]), 4.0)
    estimate = beats.flags(np.array([0.1, 1.5, 1.9, 3.999]), 4.0)
    assert reference.tolist() == [True, False, True, False]
    assert estimate.tolist() == [True, True, False, True]
    assert beats.coverage(reference, estimate) == 1.5
    assert beats.hit(reference, estimate) == 0.5
    assert beats.flags_f1(reference, estimate) == pytest.approx(2 * 1 / 5)


def test_a_begun_second_counts_and_an_onset_at_the_very_end_falls_into_the_last():
    assert beats.flags(np.array([2.1]), 2.25).tolist() == [False, False, True]
    assert beats.flags(np.array([2.0]), 2.0).tolist() == [False, True]


@pytest.mark.parametrize("seed", range(40))
def test_onsets_are_matched_as_often_as_can_be(seed):
    reference, estimate = _onsets(seed, 11, 1.0), _onsets(seed + 500, 13, 1.0)
    near = np.abs(reference[:, None] - estimate) <= 0.07
    matched = (maximum_bipartite_matching(csr_matrix(near)) >= 0).sum()
    found = beats.onset_f1(reference, estimate)
    assert found == pytest.approx(2 * matched / 24)
    assert beats.onset_f1(estimate, reference) == found


def test_onset_f1_is_that_of_mir_eval():
    mir_eval = pytest.importorskip("mir_eval.onset")
    for seed in range(20):
        reference, estimate = _onsets(seed, 17), _onsets(seed + 90, 23)
        theirs, _, _ = mir_eval.f_measure(reference, estimate, window=0.07)
        assert beats.onset_f1(reference, estimate) == pytest.approx(theirs)


def test_onset_f1_by_hand():
    reference = np.array([1.0, 1.05, 2.0])
    assert beats.onset_f1(reference, np.array([1.06])) == pytest.approx(2 / 4)
    assert beats.onset_f1(reference, np.array([0.95, 1.06])) == pytest.approx(4 / 5)
    assert beats.onset_f1(reference, np.array([2.08])) == 0.0
    assert beats.onset_f1(reference, np.zeros(0)) == beats.onset_f1(np.zeros(0), reference) == 0.0
    assert beats.onset_f1(reference, np.array([2.08]), window_seconds=0.09) == pytest.approx(0.5)


def test_the_row_is_a_mean_over_clips_not_over_flags():
    reference = [np.array([0.5]), np.array([0.5, 1.5, 2.5])]
    estimate = [np.array([0.5, 1.5, 2.5]), np.array([0.5])]
    found = beats.evaluate(reference, estimate, 3.0)
    assert found.coverage == pytest.approx(100 * (3 + 1 / 3) / 2)  # pooled it would be 100
    assert found.hit == pytest.approx(100 * (1 + 1 / 3) / 2)
    assert found.capped == pytest.approx(100 * (1 + 1 / 3) / 2)
    assert found.flags_f1 == pytest.approx(50.0)
    assert found.onset_f1 == pytest.approx(50.0)
    assert (found.clips, found.skipped) == (2, 0)


def test_a_clip_without_onsets_is_left_out_and_counted_whatever_is_generated():
    reference = [np.zeros(0), np.array([0.5]), np.array([1.5])]
    for estimate in ([np.array([0.3])] * 3, [np.zeros(0)] * 3):
        found = beats.scores(reference, estimate, 2.0)
        assert found.rows.tolist() == [1, 2]
        assert found.skipped == 1
    row = beats.evaluate(reference, [np.zeros(0)] * 3, 2.0)
    assert row == (0.0, 0.0, 0.0, 0.0, 0.0, 2, 1)


def test_a_generator_that_always_beats_covers_more_than_all():
    reference = [_onsets(seed, 2, 6.0) for seed in range(11)]
    other = np.array([[(row + 1 + k) % 11 for k in range(3)] for row in range(11)])
    found = beats.trivial(reference, others=reference, other=other, duration_seconds=6.0)
    assert found["ground truth"][:5] == (100.0,) * 5
    flagged = [len(set(onsets.astype(int))) for onsets in reference]
    always = found["always beat"]
    assert always.coverage == pytest.approx(100 * np.mean([6 / count for count in flagged]))
    assert always.coverage > 200
    assert (always.hit, always.capped) == (100.0, 100.0)
    assert always.flags_f1 == pytest.approx(100 * np.mean([2 * c / (c + 6) for c in flagged]))


def test_the_random_clip_is_the_one_that_was_drawn():
    reference = [_onsets(seed, 3, 5.0) for seed in range(7)]
    others = [_onsets(seed + 70, 4, 5.0) for seed in range(13)]
    other = np.random.default_rng(0).integers(13, size=(7, 2))
    found = beats.trivial(reference, others=others, other=other, duration_seconds=5.0)
    rows = [beats.evaluate(reference, [others[k] for k in drawn], 5.0) for drawn in other.T]
    for name in ROW:
        mean = np.mean([getattr(row, name) for row in rows])
        assert getattr(found["random other clip"], name) == pytest.approx(mean)


@pytest.mark.parametrize("seconds", [2.0, 2.25, 6.0])
def test_always_has_one_onset_in_every_begun_second(seconds):
    assert beats.flags(beats.always(seconds), seconds).all()
    assert len(beats.always(seconds)) == math.ceil(seconds)


def test_clicks_are_found_where_they_were_put():
    at = (0.4, 1.3, 2.7)
    found = beats.onset_seconds(_clicks(4.0, *at))
    assert beats.onset_f1(np.array(at), found) == 1.0
    assert beats.flags(found, 4.0).tolist() == [True, True, True, False]


def test_quieter_music_has_the_same_onsets():
    sound = _clicks(3.0, 0.7, 2.2)
    assert np.array_equal(beats.onset_seconds(sound), beats.onset_seconds(0.3 * sound))


def test_silence_has_no_onset():
    assert len(beats.onset_seconds(np.zeros(44_100))) == 0


def test_what_cannot_be_scored_is_refused():
    none, some = np.zeros(3, bool), np.ones(3, bool)
    with pytest.raises(ValueError, match="no onset; leave the clip out"):
        beats.hit(none, some)
    with pytest.raises(ValueError, match="equally many seconds"):
        beats.coverage(some, np.ones(2, bool))
    with pytest.raises(ValueError, match="in seconds"):
        beats.flags(np.array([2.0, 1.0]), 3.0)
    with pytest.raises(ValueError, match="must lie in 0..2.0"):
        beats.flags(np.array([5.0]), 2.0)
    with pytest.raises(ValueError, match="finite samples"):
        beats.onset_seconds(np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="no reference has an onset"):
        beats.evaluate([np.zeros(0)], [np.zeros(0)], 2.0)
    with pytest.raises(ValueError, match="equally many clips"):
        beats.evaluate([np.ones(1)], [], 2.0)
