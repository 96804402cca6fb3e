"""Tiny pairs for the tests of systems that dance: random bodies, nothing read or fitted."""

import numpy as np
import torch

from pasdedeux.data.canonical import canonical_pose, pose_heading
from pasdedeux.data.copies import CopySettings
from pasdedeux.data.dance import Dance
from pasdedeux.data.pairs import Pairs, PairSettings, Part
from pasdedeux.data.scale import Scale
from pasdedeux.motion import skeleton
from pasdedeux.motion.rotation import matrix_from_six, six_from_matrix

T = 11
FEW = PairSettings(frames=T, copies=CopySettings(frames=T))


def poses(count, frames, seed):
    """Random canonical poses (count, frames, 147) that change a little from frame to frame."""
    rng = np.random.default_rng(seed)
    rest = np.tile([1.0, 0, 0, 0, 1, 0], 24)
    six = (
        rest + 0.3 * rng.normal(size=(count, 1, 144)) + 0.05 * rng.normal(size=(count, frames, 144))
    )
    matrices = matrix_from_six(torch.from_numpy(six.reshape(count, frames, 24, 6)))
    six = six_from_matrix(matrices).numpy().reshape(count, frames, 144)
    place = 0.05 * rng.normal(size=(count, frames, 3)).cumsum(axis=1) + [0, 0.9, 0]
    pose = np.concatenate([place, six], axis=-1).astype(np.float32)
    return canonical_pose(pose, pose_heading(pose))


def songs(count, frames, seed):
    """Random music (count, frames, 53) on the scale of the training songs."""
    rng = np.random.default_rng(seed)
    music = rng.normal(size=(count, frames, 53))
    music[..., 40:52] = rng.random((count, frames, 12))
    music[..., 52] = rng.random((count, frames)) < 0.3
    return music.astype(np.float32)


def pairs(genres=("Waltz", "Lock"), count=13):
    """Pairs of T frames: `count` training windows, the genres in turn."""
    windows = {
        name: _part(size, len(genres), seed)
        for seed, (name, size) in enumerate((("train", count), ("valid", 3), ("test", 5)))
    }
    whole = poses(len(genres), T + 2, 100)
    dances = tuple(
        Dance(
            name=f"dance {number}",
            corpus="made by a test",
            genre=genre,
            group=f"dance {number}",
            song=f"song {number}",
            translation=whole[number, :, :3],
            rotations=whole[number, :, 3:].reshape(T + 2, 24, 6),
            offsets_metres=skeleton.smpl().offsets_metres,
            music=songs(1, T + 2, number)[0],
            beat_seconds=np.array([0.1, 0.3]),
        )
        for number, genre in enumerate(genres)
    )
    scale = Scale(np.zeros(53), np.ones(53))
    left_out = dict.fromkeys(windows, 0)
    split = ("train",) * len(genres)
    return Pairs(FEW, dances, split, windows, left_out, scale, "Made by a test.")


def _part(count, genres, seed):
    pose = poses(count, T, seed)
    number = np.arange(count)
    return Part(pose, songs(count, T, seed), number % genres, number // genres, pose_heading(pose))


def moved(learner, steps):
    """Do `steps` updates; returns the names of the parameters that none of them changed."""

    def now():
        return {
            f"{name}.{key}": value.detach().clone()
            for name, part in learner.modules.items()
            for key, value in part.named_parameters()
        }

    before = now()
    assert before, "nothing to learn"
    for index in range(steps):
        numbers = learner.step(index)
        assert all(np.isfinite(value) for value in numbers.values())
    return [name for name, value in now().items() if torch.equal(before[name], value)]


def weights(learner):
    """Every tensor of the learner's modules, by name."""
    return {
        f"{name}.{key}": value
        for name, part in learner.modules.items()
        for key, value in part.state_dict().items()
    }


def check_dance(dance, seed=0):
    """Dance music that fills no whole number of windows; check shape and rotations, return it."""
    frames = 2 * T + 5
    made = dance(songs(3, frames, 7), poses(3, 1, 8)[:, 0], seed)
    assert made.shape == (3, frames, 147)
    assert np.isfinite(made).all()
    columns = made[..., 3:].reshape(3, frames, 24, 2, 3)
    np.testing.assert_allclose(
        columns @ np.swapaxes(columns, -1, -2),
        np.broadcast_to(np.eye(2), (3, frames, 24, 2, 2)),
        atol=1e-5,
    )
    return made


def check_alone(dance):
    """Change the other dances of a batch: the first must stay as it was."""
    music, first = songs(3, 2 * T + 5, 7), poses(3, 1, 8)[:, 0]
    made = dance(music, first, 0)
    music[1:], first[1:] = songs(2, 2 * T + 5, 9), poses(2, 1, 10)[:, 0]
    changed = dance(music, first, 0)
    np.testing.assert_allclose(changed[0], made[0], atol=1e-5)
    return made, changed
