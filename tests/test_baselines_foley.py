"""Foley Music at tiny size: events there and back, what may follow, training, the sound."""

import dataclasses

import dances
import numpy as np
import pytest
import rivals
import torch
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.baselines import foley, transcripts
from pasdedeux.baselines.foley import BEGIN, CEASE, END, PASS, START
from pasdedeux.nn.transformer import Cache
from pasdedeux.training import loop

TINY = foley.FoleySettings(batch=3, steps=4, width=6, layers=2, heads=2, rate=1e-2, device="cpu")


@pytest.fixture
def material(project):
    return rivals.material(project)


def learner(material, settings=TINY, seed=0):
    return foley.Foley(settings, material, seed)


def rolls():
    """Rolls in which a note ends before its class begins again."""

    def made(seed):
        draw, roll = np.random.default_rng(seed), np.zeros((31, 12), int)
        for pitch_class in range(12):
            slot = int(draw.integers(20))
            while slot < 31 and draw.random() < 0.7:
                roll[slot, pitch_class] = lasts = int(draw.integers(1, 32 - slot))
                slot += lasts
        return roll

    return st.integers(0, 10_000).map(made)


def test_events_by_hand():
    roll = np.zeros((30, 12), int)
    roll[2, 4], roll[2, 7], roll[17, 4] = 15, 3, 13
    wanted = [START, PASS + 1, BEGIN + 4, BEGIN + 7, PASS + 2, CEASE + 7]
    wanted += [PASS + 11, CEASE + 4, BEGIN + 4, END]
    assert foley.events(roll).tolist() == wanted
    made = torch.tensor([wanted])
    assert foley.passed(made).tolist() == [[0, 2, 2, 2, 5, 5, 17, 17, 17, 17]]


@given(rolls())
def test_events_are_the_roll(roll):
    made = foley.events(roll)
    assert np.array_equal(foley.roll_of(made, len(roll)), roll)
    assert len(made) <= foley.most_events(len(roll)) or (roll > 0).sum(1).max() > 3


@given(rolls())
def test_what_was_written_was_possible(roll):
    """The grammar allows every event of every roll, where enough voices are allowed."""
    score = foley._Score(1, len(roll), 12)
    for event in foley.events(roll)[1:]:
        assert score.allowed()[0, event], event
        score.follow(np.array([event]))
    assert score.over.all()


def test_only_the_end_may_follow_the_end():
    score = foley._Score(1, 9, 3)
    score.follow(np.array([END]))
    assert np.flatnonzero(score.allowed()[0]).tolist() == [END]


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_whatever_is_drawn_is_a_roll(seed, voices):
    draw, score, slots, made = np.random.default_rng(seed), foley._Score(1, 23, voices), 23, [START]
    while not score.over.all():
        allowed = score.allowed()[0]
        allowed[END] &= draw.random() < 0.2 or allowed.sum() == 1
        event = draw.choice(np.flatnonzero(allowed))
        score.follow(np.array([event]))
        made.append(int(event))
    assert len(made) <= foley.most_events(slots)
    roll = foley.roll_of(np.array(made), slots)
    sounding = np.zeros(slots, int)
    for slot, pitch_class in np.argwhere(roll):
        sounding[slot : slot + roll[slot, pitch_class]] += 1
    assert sounding.max() <= voices
    assert (np.argwhere(roll)[:, 0] + roll[roll > 0] <= slots).all()


def test_every_parameter_moves(material):
    """Rows of embeddings that no clip uses stay; every table as a whole moves."""
    assert not dances.moved(learner(material), 4)


def test_with_caches_it_is_the_whole_sequence_at_once(material):
    made = learner(material)
    made.step(0)
    net = made.net.eval()
    written = torch.from_numpy(made.written[0][:-1, 0])[None]
    memory = net.seen(made.joints(made.rows[:1]))
    caches = [Cache() for _ in net.transformer.blocks]
    time = foley.passed(written)
    parts = [
        net(written[:, t : t + 1], time[:, t : t + 1], memory, caches=caches)
        for t in range(written.shape[1])
    ]
    torch.testing.assert_close(torch.cat(parts, 1), net(written, time, memory))


def test_training_in_two_parts_ends_with_the_same_bits(material, tmp_path):
    whole, begun, resumed = (learner(material) for _ in range(3))
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_it_learns_what_it_is_shown(material):
    made = learner(material, dataclasses.replace(TINY, width=16, steps=60))
    losses = [made.step(index)["events"] for index in range(60)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])


def test_the_system_plays_dances_it_never_heard(project):
    settings = dataclasses.replace(TINY, steps=12)
    made, again = rivals.check_system(foley.train, settings, project)
    assert np.array_equal(made[1:], again), "clips are played alone"
    given = rivals.material(project)
    system = foley.train(settings, given, 0)
    assert not np.array_equal(made, rivals.check_music(system, given, seed=1)), "events are drawn"
    none = system.generate(np.zeros(0, int), 0)
    assert none.shape == (0, rivals.SAMPLES)


def test_the_dance_is_read(material):
    net = learner(material).net.eval()
    joints = torch.from_numpy(material.clips.joints(np.arange(2))).float()
    memory = net.seen(joints)
    assert memory.shape == (2, 50, TINY.width)
    assert not torch.allclose(memory[0], memory[1])
    changed = joints.clone()
    changed[:, 30:] += 0.3
    apart = (net.seen(changed) - memory).abs().amax((0, 2))
    assert not apart[:21].any(), "two layers reach 8 frames"
    assert (apart[30:] > 0).all()


def test_parameters_are_counted():
    assert foley.parameters(TINY) < foley.parameters(foley.FoleySettings.laptop()) < 1e6
    assert foley.parameters(foley.FoleySettings.paper()) > 1e6
    assert transcripts.EventTraining.paper().width == foley.FoleySettings.paper().width
    with pytest.raises(ValueError, match="lengths of 0 slots"):
        foley.events(-np.ones((5, 12), int))
