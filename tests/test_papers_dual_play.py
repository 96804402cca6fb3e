"""A trained model at work: loaded from its run alone, for music and dances of any length."""

from dataclasses import replace

import dances
import numpy as np
import pytest

from pasdedeux.music import features
from pasdedeux.papers import dual, dual_play

TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.1, noise=3, batch=5, steps=2,
    rates=((0, 1e-2), (1, 1e-3)), pairs=dances.FEW, workers=1,
)  # fmt: skip


@pytest.fixture
def run(project):
    made = dances.pairs()
    return made, dual.trained(TINY, made, 0)


def _player(trained):
    return dual_play.load(trained.run.folder)


def test_a_run_is_loaded_with_its_networks_scale_and_first_poses(run):
    pairs, (learner, trained) = run
    player = _player(trained)
    for name, value in learner.dancing.state_dict().items():
        assert np.array_equal(player.dancing.state_dict()[name], value)
    assert np.allclose(player.scale.mean, pairs.scale.mean)
    assert np.array_equal(player.starts, pairs.train.pose[: len(player.starts), 0])
    assert player.settings.rates == TINY.rates
    assert dual_play.latest() == trained.run.folder


def test_a_dance_has_as_many_frames_as_the_music_and_begins_near_its_start(run):
    player = _player(run[1][1])
    music = dances.songs(1, 75 + 40, 3)[0]
    danced = player.dance(music, seed=1, start=2)
    assert danced.shape == (115, 147)
    assert np.isfinite(danced).all()
    assert np.array_equal(player.dance(music, seed=1, start=2), danced)
    assert not np.allclose(player.dance(music, seed=1, start=3), danced)
    with pytest.raises(ValueError, match="start must be 0 to"):
        player.dance(music, start=99)


def test_music_for_a_dance_has_chroma_and_beats_in_0_to_1_and_can_be_written(run):
    player = _player(run[1][1])
    music = player.compose(dances.poses(1, 75 + 13, 4)[0], seed=2)
    assert music.shape == (88, 53)
    played = music[:, features.CHROMA.start :]
    assert (played >= 0).all()
    assert (played <= 1).all()
    score = dual_play.written(music)
    assert len(score.pitch) > 0
    assert not np.allclose(music, player.compose(dances.poses(1, 75 + 13, 4)[0], seed=3))


def test_without_a_run_the_remedy_is_told(project):
    with pytest.raises(ValueError, match="no trained dual model in runs/dual; train one"):
        dual_play.latest()
    with pytest.raises(ValueError, match="has no config.json"):
        dual_play.load(project)


def test_training_in_two_parts_gives_the_same_bits_with_dropout(project):
    pairs = dances.pairs()
    whole = dual.Dual(replace(TINY, steps=4), pairs, seed=0)
    for index in range(4):
        whole.step(index)
    first = dual.Dual(TINY, pairs, seed=0)
    for index in range(2):
        first.step(index)
    again = dual.Dual(TINY, pairs, seed=5)
    again.seed = 0
    for name, module in again.modules.items():
        module.load_state_dict(first.modules[name].state_dict())
    for name, optimizer in again.optimizers.items():
        optimizer.load_state_dict(first.optimizers[name].state_dict())
    for index in range(2, 4):
        again.step(index)
    for name, value in whole.dancing.state_dict().items():
        assert np.array_equal(again.dancing.state_dict()[name], value), name
