"""Ren 2020 at tiny size: losses written out, who learns what, training, dances."""

import dataclasses
import math

import dances
import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.baselines import ren2020
from pasdedeux.nn.pose import joints
from pasdedeux.training import loop

TINY = ren2020.RenSettings(
    pairs=dances.FEW, batch=5, steps=4, hear=6, hidden=7, noise=3, channels=4, widths=(3, 5),
    genre_steps=3, device="cpu",
)  # fmt: skip


def genres(settings=TINY, seed=0):
    return ren2020.Genres(settings, dances.pairs(), seed)


def learner(settings=TINY, seed=0):
    return ren2020.Ren(settings, dances.pairs(), genres().net, seed)


def batch(made):
    music, pose = made.music[:3], made.pose[:3]
    net = made.modules["generator"]
    return music, pose, net(music, net.drawn(music, generator(0, "noise")))


def test_apart_by_hand():
    one = [torch.ones(2, 3), torch.zeros(5), torch.full((2,), 4.0)]
    other = [torch.zeros(2, 3), torch.ones(5), torch.full((2,), 1.0)]
    assert ren2020.apart(one, other).item() == 1 + 1 + 3
    assert ren2020.apart(one, other, (20.0, 5.0)).item() == 20 + 5 + 3
    assert ren2020.apart(one[:1], other[:1], (20.0, 5.0)).item() == 20


def test_the_generator_minimises_what_is_written():
    made = learner()
    music, pose, danced = batch(made)
    found = made.generator_losses(music, ren2020.seen(pose), ren2020.seen(danced))
    local, sequence = (ren2020.frozen(made.modules[name]) for name in ("local", "sequence"))
    fake, real = joints(danced), joints(pose)
    maps, wanted = sequence.body.maps(fake), sequence.body.maps(real)
    assert found["local"].item() == pytest.approx(-local(fake).sigmoid().log().mean().item())
    chance = sequence.judged(maps, sequence.heard(music)).sigmoid()
    assert found["sequence"].item() == pytest.approx(-chance.log().mean().item(), rel=1e-5)
    features = sum((a - b).abs().mean() for a, b in zip(maps, wanted, strict=True))
    assert found["features"].item() == pytest.approx(features.item(), rel=1e-5)
    assert found["pose"].item() == pytest.approx((danced - pose).abs().mean().item())
    one, other = made.perceiving.maps(fake), made.perceiving.maps(real)
    perceptual = 20 * (one[0] - other[0]).abs().mean() + 5 * (one[1] - other[1]).abs().mean()
    assert found["perceptual"].item() == pytest.approx(perceptual.item(), rel=1e-5)


def test_a_perfect_dance_differs_in_nothing_and_fools_nobody_yet():
    made = learner()
    music, pose, _ = batch(made)
    found = made.generator_losses(music, ren2020.seen(pose), ren2020.seen(pose))
    for name in ("features", "pose", "perceptual"):
        assert found[name].item() == 0.0
    ren2020.frozen(made.modules["local"])
    critic = made.local_losses(joints(pose), joints(pose))
    assert critic["real"].item() + critic["fake"].item() >= 2 * math.log(2)


def test_the_weights_are_the_released_ones(monkeypatch):
    seen = {}

    def update(optimizer, losses, *, clip, weights):
        seen[tuple(losses)] = weights
        return dict.fromkeys(losses, 0.0)

    monkeypatch.setattr(ren2020, "update", update)
    made = learner()
    made.step(0)
    weights = {name: value for found in seen.values() for name, value in found.items()}
    assert weights == {"pose": 200, "perceptual": 1, "real": 0.5, "fake": 0.5, "penalty": 1}


def test_each_loss_reaches_only_the_network_it_is_for():
    made = learner()
    music, pose, danced = batch(made)
    real, fake = joints(pose), joints(danced).detach()
    groups = {
        "generator": made.generator_losses(music, ren2020.seen(pose), ren2020.seen(danced)),
        "local": made.local_losses(real, fake),
        "sequence": made.sequence_losses(music, real, fake, torch.rand(3)),
    }
    for owner, losses in groups.items():
        for module in made.modules.values():
            module.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        reached = {
            name
            for name, module in made.modules.items()
            if any(p.grad is not None for p in module.parameters())
        }
        assert reached == {owner}
    assert all(p.grad is None for p in made.perceiving.parameters())
    assert all(m.training for m in made.modules.values()), "the critics must go on learning"


def test_every_parameter_moves_and_the_eyes_stay():
    assert not dances.moved(genres(), 3)
    made = learner()
    before = {name: value.clone() for name, value in made.perceiving.state_dict().items()}
    assert not dances.moved(made, 4)
    after = made.perceiving.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("make", [genres, learner])
def test_training_in_two_parts_ends_with_the_same_bits(make, tmp_path):
    whole, begun, resumed = make(), make(), make()
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    torch.rand(5)
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_trained_system_dances_alone_and_again(project):
    pairs = dances.pairs()
    run, dance, _ = ren2020.train(TINY, pairs, 0)
    made = dances.check_dance(dance)
    dances.check_alone(dance)
    assert np.array_equal(dances.check_dance(ren2020.train(TINY, pairs, 0).dance), made)
    assert not np.array_equal(dances.check_dance(ren2020.train(TINY, pairs, 1).dance), made)
    assert not np.array_equal(dances.check_dance(dance, seed=1), made), "the noise is drawn"
    names = sorted(path.name.split("-seed")[0] for path in run.folder.parent.iterdir())
    assert names == ["ren2020", "ren2020", "ren2020-genres", "ren2020-genres"]


def test_the_first_pose_enters_by_place_and_heading_only(project):
    dance = ren2020.train(TINY, dances.pairs(), 0).dance
    music, first = dances.songs(2, 5, 1), dances.poses(2, 1, 2)[:, 0]
    made = dance(music, first, 0)
    first[:, 9:] = dances.poses(2, 1, 3)[:, 0, 9:]
    assert np.array_equal(dance(music, first, 0), made)


def test_the_generator_learns_what_it_is_shown():
    made = learner(dataclasses.replace(TINY, rates=((0, 0.01),), hidden=31, dropout=0.0))
    losses = [made.step(index)["generator pose"] for index in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_one_genre_is_refused():
    with pytest.raises(ValueError, match="all dances are Waltz; choose at least two genres"):
        ren2020.Genres(TINY, dances.pairs(genres=("Waltz",)), 0)


def test_parameters_are_those_of_the_networks():
    settings = dataclasses.replace(
        TINY, pairs=dataclasses.replace(dances.FEW, genres=("Waltz", "Lock"))
    )
    made, found = learner(settings), ren2020.parameters(settings)
    sizes = {n: sum(p.numel() for p in m.parameters()) for n, m in made.modules.items()}
    eyes = sum(p.numel() for p in made.perceiving.parameters())
    assert found == {"dancing": sizes["generator"], "learned": sum(sizes.values()) + eyes}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hear": 0}, "hear must be at least 1, got 0"),
        ({"local_frames": 2}, "local_frames must be 3 to the 11 of a window"),
        ({"local_frames": 12}, "local_frames must be 3 to the 11 of a window"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"batch": 1}, "batch must be at least 2"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(TINY, **change)


def test_profiles_grow():
    sizes = [getattr(ren2020.RenSettings, name)() for name in ("quick", "laptop", "gpu", "paper")]
    assert [s.steps for s in sizes] == sorted(s.steps for s in sizes)
    assert [s.genre_steps for s in sizes] == sorted(s.genre_steps for s in sizes)
    assert sizes[-1].hidden == 1024
