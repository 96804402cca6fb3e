"""Retrieval: the planted neighbour is found, its dance is placed where the last one ended."""

import dances
import numpy as np
import pytest
import torch

from pasdedeux.baselines import retrieval
from pasdedeux.data.canonical import canonical_pose, pose_heading, world_pose
from pasdedeux.training.dances import DanceTraining

SETTINGS = DanceTraining(pairs=dances.FEW, device="cpu")
T = dances.T


def test_nearest_is_that_of_the_distances_written_out():
    known, music = (torch.from_numpy(dances.songs(n, T, s)) for n, s in ((13, 0), (5, 1)))
    wanted = [
        min(range(13), key=lambda n: (known[n] - song).square().sum().item()) for song in music
    ]
    assert retrieval.nearest(known, music).tolist() == wanted
    assert len(set(wanted)) > 1


def test_a_planted_window_is_danced_whatever_the_noise_on_its_music(project):
    pairs = dances.pairs()
    planted = [4, 11, 0]
    music = pairs.train.music[planted] + 0.2 * dances.songs(3, T, 5)
    first = pairs.train.pose[planted, 0]
    made = retrieval.train(SETTINGS, pairs, 0).dance(music, first, 0)
    np.testing.assert_allclose(made, pairs.train.pose[planted], atol=1e-5)


def test_the_last_piece_is_compared_with_the_beginnings_of_the_windows():
    known = torch.from_numpy(dances.songs(13, T, 0))
    assert retrieval.nearest(known, known[[7, 2], :3]).tolist() == [7, 2]


def test_a_window_begins_where_the_one_before_it_ended(project):
    pairs = dances.pairs()
    planted = [3, 8]
    music = np.concatenate([pairs.train.music[n] for n in planted])[None]
    made = retrieval.train(SETTINGS, pairs, 0).dance(music, pairs.train.pose[:1, 0], 0)
    one, two = (pairs.train.pose[[n]] for n in planted)
    np.testing.assert_allclose(made[:, :T], one, atol=1e-5)
    seam = pose_heading(one[:, -1:])
    np.testing.assert_allclose(made[:, T:], world_pose(two, seam), atol=1e-5)
    np.testing.assert_allclose(canonical_pose(made[:, T:], seam), two, atol=1e-5)


def test_any_window_is_a_training_window_drawn_by_the_seed(project):
    pairs = dances.pairs()
    train = retrieval.at_random(SETTINGS, pairs, 0)
    music, first = dances.songs(7, T, 3), dances.poses(7, 1, 4)[:, 0]
    made = train.dance(music, first, 0)
    far = np.abs(made[:, None] - pairs.train.pose).max(axis=(2, 3))
    assert (far.min(axis=1) < 1e-5).all()
    assert len(set(far.argmin(axis=1))) > 2
    assert np.array_equal(train.dance(music, first, 0), made)
    assert not np.array_equal(train.dance(music, first, 1), made)


@pytest.mark.parametrize("train", [retrieval.train, retrieval.at_random])
def test_dances_of_any_length_are_rotations_and_do_not_mix(train, project):
    dance = train(SETTINGS, dances.pairs(), 0).dance
    dances.check_dance(dance)
    dances.check_alone(dance)
    assert retrieval.parameters(SETTINGS) == {"dancing": 0, "learned": 0}


def test_a_training_dance_gets_its_own_music_back(project):
    pairs = dances.pairs()
    planted = [4, 11, 0]
    trained = retrieval.train(SETTINGS, pairs, 0)
    made = trained.compose(pairs.train.pose[planted], 0)
    np.testing.assert_array_equal(made, pairs.train.music[planted])
    far = world_pose(pairs.train.pose[planted], pose_heading(dances.poses(3, 1, 6)))
    np.testing.assert_array_equal(trained.compose(far, 0), made)


def test_music_for_a_longer_dance_is_that_of_each_window_in_turn(project):
    pairs = dances.pairs()
    pose = np.concatenate([pairs.train.pose[[3]], pairs.train.pose[[8], :6]], axis=1)
    made = retrieval.train(SETTINGS, pairs, 0).compose(pose, 0)
    wanted = np.concatenate([pairs.train.music[3], pairs.train.music[8, :6]])
    np.testing.assert_array_equal(made[0], wanted)


def test_any_music_is_that_of_a_training_window_drawn_by_the_seed(project):
    pairs, pose = dances.pairs(), dances.poses(7, T, 4)
    trained = retrieval.at_random(SETTINGS, pairs, 0)
    made = trained.compose(pose, 0)
    far = np.abs(made[:, None] - pairs.train.music).max(axis=(2, 3))
    assert (far.min(axis=1) == 0).all()
    assert len(set(far.argmin(axis=1))) > 2
    assert np.array_equal(trained.compose(pose, 0), made)
    assert not np.array_equal(trained.compose(pose, 1), made)
