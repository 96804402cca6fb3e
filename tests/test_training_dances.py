"""What dance systems share: rates, batches, dances in a row, what a run keeps."""

from dataclasses import replace

import dances
import numpy as np
import pytest
import torch

from pasdedeux.data.canonical import canonical_pose, pose_heading
from pasdedeux.training.dances import (
    USE,
    DanceTraining,
    chained,
    composed_in_windows,
    drawn,
    keep,
    opened,
)

SETTINGS = DanceTraining(pairs=dances.FEW, batch=5, rates=((0, 1e-3), (3, 1e-4)))


def test_the_rate_drops_at_its_steps():
    assert [SETTINGS.rate(step) for step in (0, 2, 3, 99)] == [1e-3, 1e-3, 1e-4, 1e-4]


def test_a_batch_has_no_window_twice_and_depends_on_its_step_alone():
    first = drawn(13, SETTINGS, 0, 7)
    assert len(set(first.tolist())) == 5
    assert torch.equal(first, drawn(13, SETTINGS, 0, 7))
    assert not torch.equal(first, drawn(13, SETTINGS, 0, 8))
    assert not torch.equal(first, drawn(13, SETTINGS, 1, 7))


def test_windows_follow_each_other_from_the_last_pose_wherever_it_stands():
    """A system that walks one metre ahead and turns left in each window walks a square."""
    frames = 5

    def window(music, first, draw):
        assert torch.allclose(first[:, [0, 2]], torch.zeros(len(first), 2), atol=1e-6)
        pose = first[:, None].repeat(1, music.shape[1], 1)
        pose[..., 2] += torch.linspace(0, 1, music.shape[1])
        turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # left by a right angle
        columns = pose[..., 3:9].unflatten(-1, (2, 3))
        pose[:, -1, 3:9] = (columns[:, -1] @ turn.T).flatten(-2)
        return pose

    rest = np.zeros((2, 1, 147), np.float32)
    rest[..., 3::6] = rest[..., 7::6] = 1
    first = canonical_pose(rest, pose_heading(rest))[:, 0]
    music = np.zeros((2, 4 * frames, 53), np.float32)
    danced = chained(window, frames=frames, where=torch.device("cpu"))(music, first, 0)
    corners = danced[0, frames - 1 :: frames, [0, 2]].T
    assert np.allclose(corners, [[0, 1], [1, 1], [1, 0], [0, 0]], atol=1e-5)


def test_a_run_keeps_scale_and_first_poses(project):
    made = dances.pairs()
    run = opened("toy", SETTINGS, made, 0, code="pasdedeux.training.dances")
    keep(run, made)
    with np.load(run.folder / USE) as kept:
        assert np.allclose(kept["mean"], made.scale.mean)
        assert np.array_equal(kept["starts"], made.train.pose[:, 0])


def test_workers_and_samples_do_not_change_a_runs_key(project):
    made = dances.pairs()
    code = "pasdedeux.training.dances"
    one = opened("toy", SETTINGS, made, 0, code=code).name
    assert opened("toy", replace(SETTINGS, workers=7, samples=3), made, 0, code=code).name == one
    assert opened("toy", replace(SETTINGS, batch=4), made, 0, code=code).name != one


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1"):
        replace(SETTINGS, steps=0)
    with pytest.raises(ValueError, match="seeds must be distinct"):
        replace(SETTINGS, seeds=(1, 1))


def test_music_is_composed_window_by_window_from_where_each_begins():
    """Each window sees its own canonical poses and draws its own noise; the last is short."""
    frames, seen, drawn_numbers = 5, [], []

    def window(pose, draw):
        seen.append(pose.clone())
        drawn_numbers.append(float(torch.rand(1, generator=draw)))
        return torch.full((*pose.shape[:2], 53), float(len(seen)))

    whole = dances.poses(2, 12, 3)
    compose = composed_in_windows(window, frames=frames, where=torch.device("cpu"))
    made = compose(whole, 7)
    assert made[0, :, 0].tolist() == [1.0] * 5 + [2.0] * 5 + [3.0] * 2
    assert made.shape == (2, 12, 53)
    for number, pose in enumerate(seen):
        part = whole[:, number * frames : (number + 1) * frames]
        expected = canonical_pose(part, pose_heading(part))
        np.testing.assert_allclose(pose.numpy(), expected, atol=1e-6)
        np.testing.assert_allclose(pose[:, 0, [0, 2]].numpy(), 0, atol=1e-5)
    assert len(set(drawn_numbers)) == 3
    compose(whole, 7)
    assert drawn_numbers[3:] == drawn_numbers[:3]
    compose(whole, 8)
    assert set(drawn_numbers[6:]).isdisjoint(drawn_numbers[:3])
