"""Huang 2021 at tiny size: curriculum by hand, one by one against at once, training, dances."""

import dataclasses

import dances
import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.baselines import huang2021
from pasdedeux.training import loop

TINY = huang2021.HuangSettings(
    pairs=dances.FEW, batch=5, steps=4, width=6, heads=2, head_width=5, inner=7, layers=2,
    reach=3, embedding=4, hidden=7, cells=3, own=3, true=2, device="cpu",
)  # fmt: skip


def learner(settings=TINY, seed=0):
    return huang2021.Huang(settings, dances.pairs(), seed)


def bits(text):
    return [sign == "x" for sign in text]


@pytest.mark.parametrize(
    ("own", "true", "wanted"),
    [
        (0, 3, "xxxxxxxxxxx"),
        (3, 2, "x..xx...xx."),
        (1, 4, "xxxxx.xxxx."),
        (11, 1, "x.........."),
        (100, 10, "x.........."),
    ],
)
def test_the_pattern_by_hand(own, true, wanted):
    assert huang2021.pattern(11, own, true).tolist() == bits(wanted)


def test_own_predictions_grow_to_the_published_hundred():
    settings = huang2021.HuangSettings(steps=10_000)
    found = [huang2021.own_count(settings, step) for step in (0, 99, 100, 5_000, 9_999)]
    assert found == [0, 0, 1, 50, 99]
    assert [learner().step(index)["own"] for index in range(4)] == [0, 0, 1, 2]


def test_runs_join_known_frames_and_part_the_others():
    known = torch.tensor(bits("x..xx...xx."))
    found = huang2021.runs(known)
    assert found == [(0, 1), (1, 2), (2, 3), (3, 5), (5, 6), (6, 7), (7, 8), (8, 10), (10, 11)]
    assert huang2021.runs(torch.tensor(bits("xxx"))) == [(0, 3)]


def written_out(net, music, before, state, known):
    """The decoder frame by frame, as the released code runs it."""
    heard, made = net.encoder(music), []
    for t in range(music.shape[1]):
        given = before[:, t : t + 1] if known[t] else made[-1].detach()
        out, state = net.lstm(net.embeds(given), state)
        made.append(net.writes(torch.cat([out, heard[:, t : t + 1]], dim=-1)))
    return torch.cat(made, dim=1)


@pytest.mark.parametrize("own", [0, 3, 11])
def test_runs_at_once_are_frame_by_frame_values_and_gradients(own):
    net = learner().net.double().eval()
    music = torch.from_numpy(dances.songs(3, 11, 0)).double()
    before = torch.from_numpy(dances.poses(3, 11, 1)).double()
    known = huang2021.pattern(11, own, 2)
    found = []
    for way in (net, lambda *given: written_out(net, *given)):
        net.zero_grad()
        danced = way(music, before, net.state(3, generator(0, "state")), known)
        danced.square().sum().backward()
        found.append((danced, [p.grad.clone() for p in net.parameters()]))
    torch.testing.assert_close(found[0], found[1])


def test_what_is_fed_back_carries_no_gradient():
    """The last layer's bias is added to every pose, and reaches later ones by feedback alone."""
    net = learner().net.eval()
    music, first = (torch.from_numpy(a) for a in (dances.songs(2, 5, 0), dances.poses(2, 1, 1)))
    state = net.state(2, generator(0, "state"))
    danced = net(music, first, state, huang2021.pattern(5, 5, 1))
    (slope,) = torch.autograd.grad(danced[:, 4].sum(), net.writes.bias)
    assert torch.equal(slope, torch.full((147,), 2.0)), "of the last pose, once for each dance"


def test_every_parameter_moves():
    assert not dances.moved(learner(), 4)


def test_training_in_two_parts_ends_with_the_same_bits(tmp_path):
    whole, begun, resumed = learner(), learner(), learner()
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_dropout_depends_on_seed_and_step_alone():
    one, other = learner(), learner()
    torch.rand(7)
    assert one.step(3) == other.step(3)


def test_a_trained_system_dances_alone_and_again(project):
    pairs = dances.pairs()
    dance = huang2021.train(TINY, pairs, 0).dance
    made = dances.check_dance(dance)
    dances.check_alone(dance)
    assert np.array_equal(dances.check_dance(huang2021.train(TINY, pairs, 0).dance), made)
    assert not np.array_equal(dances.check_dance(huang2021.train(TINY, pairs, 1).dance), made)
    assert not np.array_equal(dances.check_dance(dance, seed=1), made), "the state is drawn"


def test_the_first_pose_reaches_every_frame(project):
    dance = huang2021.train(TINY, dances.pairs(), 0).dance
    music, first = dances.songs(2, dances.T, 1), dances.poses(2, 1, 2)[:, 0]
    made = dance(music, first, 0)
    first[:, 9:] = dances.poses(2, 1, 3)[:, 0, 9:]
    assert (np.abs(dance(music, first, 0) - made).max(axis=-1) > 0).all()


def test_it_learns_what_it_is_shown():
    made = learner(dataclasses.replace(TINY, rates=((0, 0.01),), hidden=31, steps=80))
    losses = [made.step(index)["motion"] for index in range(80)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_parameters_are_counted():
    whole = huang2021.parameters(TINY)
    encoder = (53 + 1) * 6 + 2 * (7 * 30 + 11 * 6 + 7 * 7 + 8 * 6 + 4 * 6)
    lstm = 4 * 7 * (4 + 7 + 2) + 2 * 4 * 7 * (7 + 7 + 2)
    assert whole["dancing"] == encoder + 148 * 4 + lstm + (7 + 6 + 1) * 147 == whole["learned"]
    assert huang2021.parameters(huang2021.HuangSettings.paper())["learned"] > 20e6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"true": 0}, "true must be at least 1, got 0"),
        ({"own": -1}, "own must be 0 or more"),
        ({"heads": 0}, "heads must be at least 1"),
        ({"dropout": 1.0}, "dropout must be in"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(TINY, **change)


def test_profiles_grow():
    names = ("quick", "laptop", "gpu")
    sizes = [getattr(huang2021.HuangSettings, name)() for name in names]
    assert [s.steps for s in sizes] == sorted(s.steps for s in sizes)
    assert huang2021.HuangSettings.paper().hidden == 1024
