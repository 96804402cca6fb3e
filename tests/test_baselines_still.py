"""Floors that keep one pose."""

import dataclasses

import dances
import numpy as np
import pytest

from pasdedeux.baselines import still
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
