"""Tang 2018 at tiny size: indices and mask by hand, the loss, training, dances."""

import dataclasses

import dances
import numpy as np
import pytest
import torch

from pasdedeux.baselines import tang2018
from pasdedeux.music.features import BEAT
from pasdedeux.training import loop

TINY = tang2018.TangSettings(
    pairs=dances.FEW, batch=5, steps=4, dense=7, hidden=3, layers=2, code=5, device="cpu"
)


def learner(settings=TINY, seed=0):
    return tang2018.Tang(settings, dances.pairs(), seed)


def test_indices_by_hand():
    beats = torch.tensor([[0.0, 0, 1, 0, 0, 1, 1, 0], [1.0, 0, 0, 0, 0, 0, 0, 0]])
    found = tang2018.indices(beats)
    assert found.shape == (2, 8, 3)
    assert torch.equal(found[..., 1], beats)
    for row in range(2):
        assert (found[row, :, 0] * 25).tolist() == pytest.approx(range(8))
    assert (found[0, :, 2] * 25).tolist() == pytest.approx([0, 1, 0, 1, 2, 0, 0, 1])
    assert (found[1, :, 2] * 25).tolist() == pytest.approx(range(8))


def test_the_code_is_kept_at_beats_only():
    made = learner()
    music = made.music[:3]
    beats = music[..., BEAT]
    code = made.net.coded(made.music_range(music), beats)
    kept = code.abs().amax(-1) > 0
    assert torch.equal(kept, beats > 0.5)
    assert kept.any()
    assert not kept.all()
    whole = learner(dataclasses.replace(TINY, masked=False))
    unmasked = whole.net.coded(whole.music_range(music), beats)
    assert (unmasked.abs().amax(-1) > 0).all()
    torch.testing.assert_close(unmasked[kept], code[kept])


def test_the_range_is_0_to_1_and_goes_back():
    frames = torch.from_numpy(dances.songs(5, 7, 0))
    frames[..., 3] = 2.5
    scaled = tang2018.Range(frames)
    low, high = scaled(frames).amin((0, 1)), scaled(frames).amax((0, 1))
    assert low.abs().max() < 1e-6
    assert high[3] == 0
    assert (high - 1).abs()[[0, 1, 2, 4, 52]].max() < 1e-6
    torch.testing.assert_close(scaled.undone(scaled(frames)), frames)


def test_the_loss_is_as_written_and_a_good_reconstruction_teaches_nothing():
    made = learner()
    music, pose = made.music[:5], made.pose[:5]
    found = made.losses(music, pose)
    code = made.net.coded(made.music_range(music), music[..., BEAT])
    index = tang2018.indices(music[..., BEAT])
    rebuilt = made.net.decoder(code, index) - made.music_range(music)
    danced = made.net.predictor(code, index) - made.pose_range(pose)
    assert found["reconstruction"].item() == pytest.approx(rebuilt.square().mean().item())
    assert found["motion"].item() == pytest.approx(danced.square().mean().item())
    easy = learner(dataclasses.replace(TINY, threshold=9.0))
    reached = easy.losses(music, pose)["reconstruction"]
    assert reached.item() == 9.0
    reached.backward()
    assert not any(p.grad is not None and p.grad.any() for p in easy.net.parameters())


def test_every_parameter_moves():
    assert not dances.moved(learner(), 3)


def test_training_in_two_parts_ends_with_the_same_bits(tmp_path):
    whole, begun, resumed = learner(), learner(), learner()
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_trained_system_dances_alone_and_again(project):
    pairs = dances.pairs()
    run, dance, _ = tang2018.train(TINY, pairs, 0)
    made = dances.check_dance(dance)
    dances.check_alone(dance)
    assert np.array_equal(dances.check_dance(tang2018.train(TINY, pairs, 0).dance), made)
    other = dances.check_dance(tang2018.train(TINY, pairs, 1).dance)
    assert not np.array_equal(other, made), "the seed changes nothing"
    assert (run.folder / loop.LOG).exists()


def test_the_first_pose_enters_by_place_and_heading_only(project):
    dance = tang2018.train(TINY, dances.pairs(), 0).dance
    music, first = dances.songs(2, 5, 1), dances.poses(2, 1, 2)[:, 0]
    made = dance(music, first, 0)
    first[:, 9:] = dances.poses(2, 1, 3)[:, 0, 9:]
    assert np.array_equal(dance(music, first, 0), made)
    first[:, 0] += 0.5
    np.testing.assert_allclose(dance(music, first, 0)[..., 0], made[..., 0] + 0.5, atol=1e-5)


def test_it_learns_what_it_is_shown():
    made = learner(dataclasses.replace(TINY, rates=((0, 0.01),), hidden=11))
    losses = [made.step(index)["motion"] for index in range(60)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_parameters_are_counted_by_hand():
    """An LSTM layer: 4 gates of (input + state) weights and two biases for each unit."""

    def size(source, target):
        lstm = 4 * 3 * (10 + 3 + 2) + 4 * 3 * (3 + 3 + 2)
        return (source + 1) * 7 + lstm + (3 + 1) * target

    encoder, decoder, predictor = size(53, 5), size(5, 53), size(5, 147)
    wanted = {"dancing": encoder + predictor, "learned": encoder + decoder + predictor}
    assert tang2018.parameters(TINY) == wanted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"code": 0}, "code must be at least 1, got 0"),
        ({"threshold": -0.1}, "threshold must not be below 0"),
        ({"rates": ((3, 0.1),)}, "rates must begin"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(TINY, **change)


def test_profiles_grow():
    sizes = [getattr(tang2018.TangSettings, name)().steps for name in ("quick", "laptop", "gpu")]
    assert sizes == sorted(sizes)
    assert tang2018.TangSettings.paper().hidden == 32
