"""Dance2Music: the matrices by definition, the search against trying every melody, the sound."""

import dataclasses
import itertools

import numpy as np
import pytest
import rivals
from scipy.stats import pearsonr

from pasdedeux.baselines import dance2music as d2m

SETTINGS = d2m.Dance2MusicSettings()


def _joints(frames, seed=0, joints=7):
    return np.random.default_rng(seed).normal(size=(frames, joints, 3)).cumsum(0)


def test_a_dance_is_compared_by_the_cosine_of_its_bodies():
    joints = _joints(6)
    alike = d2m.of_dance(joints)
    for i, j in itertools.product(range(6), repeat=2):
        x, y = ((joints[k] - joints[k, 0]).ravel() for k in (i, j))
        assert np.isclose(alike[i, j], x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert np.allclose(d2m.of_dance(joints + [5.0, 1.0, 2.0]), alike), "where it stands is nothing"


def test_notes_are_compared_by_their_distance_on_the_scale():
    found = d2m.of_notes(np.array([[2, 4, 0]]))
    assert found[0].tolist() == [[1, 0.5, 0.5], [0.5, 1, 0], [0.5, 0, 1]]


@pytest.mark.parametrize("frames", [1, 3])
def test_the_correlation_is_that_of_the_matrices_written_out(frames):
    draw = np.random.default_rng(0)
    melodies = draw.integers(5, size=(11, 4))
    dance = d2m.of_dance(_joints(4 * frames))
    found = d2m.correlation(d2m.of_notes(melodies), dance)
    for melody, value in zip(d2m.of_notes(melodies), found, strict=True):
        held = np.kron(melody, np.ones((frames, frames)))
        assert np.isclose(value, pearsonr(held.ravel(), dance.ravel()).statistic)
    assert d2m.correlation(d2m.of_notes(np.full((1, 4), 3)), dance) == 0


def test_a_beam_wide_enough_finds_the_best_melody_of_all():
    notes, frames = 5, 3
    settings = dataclasses.replace(SETTINGS, frames=frames, beam=5**notes)
    narrow = dataclasses.replace(settings, beam=1)
    lost = 0
    for seed in range(8):
        joints = _joints(notes * frames, seed)
        every = np.array(list(itertools.product([d2m.FIRST], *[range(5)] * (notes - 1))))
        values = d2m.correlation(d2m.of_notes(every), d2m.of_dance(joints))
        found, greedy = (
            d2m.correlation(d2m.of_notes(d2m.composed(joints, s)[None]), d2m.of_dance(joints))[0]
            for s in (settings, narrow)
        )
        assert np.isclose(found, values.max())
        lost += greedy < found - 1e-9
    assert lost, "a greedy search is as good: the beam decides nothing"


def test_only_the_last_notes_count():
    """With a history of 2 each note depends on its own frames and those of the one before."""
    settings = dataclasses.replace(SETTINGS, frames=2, history=2, beam=1)
    joints = _joints(10)
    changed = joints.copy()
    changed[:4] = _joints(4, seed=9)
    melody, other = d2m.composed(joints, settings), d2m.composed(changed, settings)
    for length in range(3, 6):
        part = slice(2 * (length - 2), 2 * length)
        tried = np.array([[melody[length - 2], note] for note in range(5)])
        values = d2m.correlation(d2m.of_notes(tried), d2m.of_dance(joints)[part, part])
        assert np.isclose(values[melody[length - 1]], values.max())
    assert len(melody) == len(other) == 5


def test_a_dance_of_two_figures_is_a_melody_of_two_notes():
    figures = _joints(40)[[0, 39]]
    joints = np.repeat(figures[[0, 1, 0, 1, 1, 0]], 5, axis=0)
    melody = d2m.composed(joints, SETTINGS)
    assert len(set(melody[[0, 2, 5]])) == 1
    assert len(set(melody[[1, 3, 4]])) == 1
    assert melody[0] != melody[1]


def test_a_note_every_fifth_of_a_second_one_late_and_equal_ones_merged():
    roll = d2m.roll(np.array([2, 2, 0, 4]), 22, slots_a_note=5)
    begun = {(int(t), int(c)): int(roll[t, c]) for t, c in zip(*np.nonzero(roll), strict=True)}
    assert begun == {(5, 4): 10, (15, 0): 5, (20, 9): 2}
    assert SETTINGS.frames / 25 == 6 / 30


def test_the_system_plays_dances_it_never_heard(project):
    made, again = rivals.check_system(d2m.train, SETTINGS, project)
    assert np.array_equal(made[1:], again), "clips are played alone"
    given = rivals.material(project)
    still = d2m.train(SETTINGS, rivals.without_dance(given), 0)
    assert not np.array_equal(rivals.check_music(still, given), made), "the dance decides"
    assert np.allclose(np.abs(made).max(1), 0.95)
    assert not made[:, : 5 * 882].any(), "one note late"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: d2m.composed(_joints(4), SETTINGS), "at least 5 frames, got 4"),
        (lambda: d2m.of_dance(np.full((3, 2, 3), np.nan)), "joints must be finite"),
        (lambda: d2m.correlation(np.ones((1, 3, 3)), np.ones((7, 7))), "for each of 3 notes"),
        (lambda: dataclasses.replace(SETTINGS, beam=0), "beam must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()


def test_nothing_is_learned():
    assert d2m.parameters(d2m.Dance2MusicSettings.paper()) == 0
