"""Floors that keep one pose."""

import dataclasses

import dances
import numpy as np
import pytest

from pasdedeux.baselines import still
from pasdedeux.metrics import rhythm
from pasdedeux.motion import beats
from pasdedeux.papers import dual_evaluate
from pasdedeux.training.dances import DanceTraining

SETTINGS = DanceTraining(pairs=dances.FEW, device="cpu")


@pytest.mark.parametrize("train", [still.frozen, still.mean_pose])
def test_a_floor_gives_rotations_and_never_moves(train, project):
    run, dance, _ = train(SETTINGS, dances.pairs(), 0)
    assert (run.folder / "config.json").exists()
    made = dances.check_dance(dance)
    assert np.array_equal(made, np.broadcast_to(made[:, :1], made.shape))


def test_frozen_keeps_the_first_pose_of_each(project):
    first = dances.poses(3, 1, 1)[:, 0]
    made = still.frozen(SETTINGS, dances.pairs(), 0).dance(dances.songs(3, 5, 2), first, 0)
    assert np.array_equal(made[:, 4], first)
    assert not np.array_equal(made[0], made[1])


def test_mean_pose_is_the_mean_whatever_comes_first(project):
    pairs = dances.pairs()
    made = still.mean_pose(SETTINGS, pairs, 0).dance(
        dances.songs(2, 5, 2), dances.poses(2, 1, 1)[:, 0], 0
    )
    assert np.array_equal(made[0], made[1])
    place = pairs.train.pose[..., :3].mean(axis=(0, 1))
    np.testing.assert_allclose(made[0, 0, :3], place, atol=1e-6)


def test_mean_of_one_pose_is_that_pose():
    pose = np.repeat(dances.poses(1, 1, 3), 7, axis=1)
    np.testing.assert_allclose(still.mean(pose), pose[0, 0], atol=1e-6)


def test_mean_of_turns_to_both_sides_is_straight_on():
    """The root turned by 0.4 and by -0.4 about y, everything else alike."""
    pose = np.repeat(dances.poses(1, 1, 3), 2, axis=0)
    cos, sin = np.cos(0.4), np.sin(0.4)
    pose[:, 0, 3:9] = [[cos, 0, -sin, 0, 1, 0], [cos, 0, sin, 0, 1, 0]]
    np.testing.assert_allclose(still.mean(pose)[3:9], [1, 0, 0, 0, 1, 0], atol=1e-6)


def test_floors_have_runs_of_their_own(project):
    pairs = dances.pairs()
    one, other = still.frozen(SETTINGS, pairs, 0).run, still.mean_pose(SETTINGS, pairs, 0).run
    assert one.folder != other.folder
    more = dataclasses.replace(SETTINGS, samples=3)
    assert still.frozen(more, pairs, 0).run.folder == one.folder
    assert still.parameters(SETTINGS) == {"dancing": 0, "learned": 0}


def _with_beats(at, frames, *, count=2):
    """Music with beats at the frames `at` and nowhere else."""
    music = dances.songs(count, frames, 2)
    music[..., 52] = 0
    music[:, at, 52] = 1
    return music


@pytest.mark.parametrize("at", [range(3, 220, 13), (10, 24, 36, 51, 64, 80, 93, 108)])
def test_nodding_comes_to_rest_on_the_beats_of_the_music(at, project):
    """Also where they are uneven; before the first beat and after the last it nods on."""
    at = np.array(at)
    music, first = _with_beats(at, 225), dances.poses(2, 1, 1)[:, 0]
    made = still.nodding(SETTINGS, dances.pairs(), 0).dance(music, first, 0)
    for moved in dual_evaluate.joints_of(made):
        found = beats.beat_seconds(moved, 25.0)
        inside = found[(found > at[0] / 25 - 0.05) & (found < at[-1] / 25 + 0.05)]
        assert len(inside) >= len(at) - 1, "an end of the dance may hide one beat"
        assert np.abs(at / 25 - inside[:, None]).min(axis=1).max() <= 1 / 25 + 1e-9
        assert rhythm.alignment(at / 25, inside, 9.0).hits == 1.0
    assert np.array_equal(made[..., 3:], np.broadcast_to(made[:, :1, 3:], made[..., 3:].shape))
    np.testing.assert_allclose(np.ptp(made[..., 1], axis=1), 2 * still.NOD_METRES, rtol=1e-3)


def test_music_without_two_beats_gives_nothing_to_nod_to(project):
    first = dances.poses(2, 1, 1)[:, 0]
    made = still.nodding(SETTINGS, dances.pairs(), 0).dance(_with_beats([7], 30), first, 0)
    assert np.array_equal(made, np.broadcast_to(made[:, :1], made.shape))


def test_trembling_has_a_beat_every_five_frames_whatever_the_music(project):
    dance = still.trembling(SETTINGS, dances.pairs(), 0).dance
    first = dances.poses(1, 1, 1)[:, 0]
    made = dance(dances.songs(1, 225, 2), first, 0)
    assert np.array_equal(dance(dances.songs(1, 225, 3), first, 1), made)
    found = beats.beat_seconds(dual_evaluate.joints_of(made)[0], 25.0)
    np.testing.assert_allclose(np.diff(found), still.TREMBLE_FRAMES / 25, atol=1e-9)
    assert len(found) >= 225 / 5 - 3


def test_floors_compose_one_frame_for_ever_and_nodding_nothing(project):
    pairs, pose = dances.pairs(), dances.poses(2, 9, 1)
    chord = still.frozen(SETTINGS, pairs, 0).compose(pose, 0)
    assert chord.shape == (2, 9, 53)
    assert (chord[0, 0, 40:52] > 0).nonzero()[0].tolist() == [0, 4, 7]
    assert not chord[..., 52].any()
    mean = still.mean_pose(SETTINGS, pairs, 0).compose(pose, 0)
    expected = [float(pairs.train.music[..., k].astype(float).mean()) for k in range(53)]
    np.testing.assert_allclose(mean[1, 4], expected, atol=1e-6)
    assert np.array_equal(mean, np.broadcast_to(mean[:1, :1], mean.shape))
    for train in (still.nodding, still.trembling):
        assert train(SETTINGS, pairs, 0).compose is None
