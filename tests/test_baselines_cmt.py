"""CMT at tiny size: events there and back, what is told and obeyed, training, the sound."""

import dataclasses

import dances
import numpy as np
import pytest
import rivals
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pasdedeux.baselines import cmt, transcripts
from pasdedeux.baselines import cmt_events as ev
from pasdedeux.baselines.cmt_events import BAR, CHORD, NOTE, START, event
from pasdedeux.training import loop

TINY = cmt.CmtSettings(batch=3, steps=4, width=6, layers=2, heads=2, rate=1e-2, device="cpu")
SLOTS = 30


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield rivals.material(folder)


def learner(material, settings=TINY, seed=0):
    return cmt.Cmt(settings, material, seed)


def rolls():
    def made(seed):
        draw, roll = np.random.default_rng(seed), np.zeros((SLOTS, 12), int)
        for slot in np.flatnonzero(draw.random(SLOTS) < 0.3):
            classes = draw.choice(12, draw.integers(1, 4), replace=False)
            roll[slot, classes] = draw.integers(1, min(ev.LONGEST, SLOTS - slot) + 1)
        return roll

    return st.integers(0, 10_000).map(made)


def test_events_by_hand():
    roll = np.zeros((20, 12), int)
    roll[3, [0, 7]], roll[9, 4] = 6, 11
    assert ev.events(roll, 1).tolist() == [
        event(START, genre=2),
        event(BAR, density=3),
        event(CHORD, place=4, notes=2),
        event(NOTE, pitch=1, length=6),
        event(NOTE, pitch=8, length=6),
        event(CHORD, place=10, notes=1),
        event(NOTE, pitch=5, length=11),
        event(BAR, density=1),
        event(BAR),
    ]


@given(rolls())
def test_events_are_the_roll(roll):
    made = ev.events(roll, 0)
    assert np.array_equal(ev.roll_of(made, SLOTS), roll)
    assert len(made) <= ev.most_events(SLOTS, 3)


def _score(densities, notes=None, voices=3):
    notes = np.zeros((len(densities), SLOTS), int) if notes is None else notes
    return cmt.Score(np.array(densities), notes, voices)


@given(rolls())
def test_what_was_written_was_possible(roll):
    """Every event of a roll is allowed to who is told the roll's own densities and notes."""
    made = ev.events(roll, 0)
    densities = roll.any(1).reshape(-1, ev.BAR_SLOTS).sum(1)
    score, counts = _score([densities], (roll > 0).sum(1)[None]), ev.sizes(1)
    for kind, *values in made[1:]:
        assert score.kinds()[0, kind]
        told = dict(zip(ev.FIELDS, values, strict=True))
        for name in ev.OF_KIND[kind]:
            assert score.values(name, counts[name])[0, told[name]], (name, told)
            score.follow(name, np.array([told[name]]), np.array([True]))
    assert score.over.all()


@given(st.integers(0, 10_000))
def test_whatever_is_drawn_obeys_what_is_told(seed):
    draw, counts = np.random.default_rng(seed), ev.sizes(2)
    densities = draw.integers(0, 6, (1, SLOTS // ev.BAR_SLOTS))
    notes = np.where(draw.random((1, SLOTS)) < 0.5, draw.integers(1, 5, (1, SLOTS)), 0)
    score, made = _score(densities, notes), [event(START, genre=1)]
    while not score.over.all():
        kind, told = int(draw.choice(np.flatnonzero(score.kinds()[0]))), {}
        for name in ev.OF_KIND[kind]:
            value = draw.choice(np.flatnonzero(score.values(name, counts[name])[0]))
            told[name] = int(value)
            score.follow(name, np.array([value]), np.array([True]))
        made.append(event(kind, **told))
    assert len(made) <= ev.most_events(SLOTS, 3)
    made = np.array(made)
    bars = made[made[:, 0] == BAR]
    assert (bars[:-1, 2] - 1).tolist() == densities[0].tolist()
    roll = ev.roll_of(made, SLOTS)
    begun = (roll > 0).sum(1)
    told = np.minimum(notes[0], 3)
    here = (begun > 0) & (told > 0)
    assert np.array_equal(begun[here], told[here])
    assert begun.max() <= 3


def test_ranks_carry_over():
    known, wanted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 5, 5, 9, 0, 5, 5, 9])
    found = ev.by_rank(np.array([0.0, 2.5, 4.0, 9.0]), known, wanted)
    assert found.tolist() == [0, 5, 9, 9]
    equal = ev.by_rank(known, known, np.array([3, 1, 2, 0]))
    assert equal.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="must hold something"):
        ev.by_rank(known, known[:0], wanted)


def test_peaks_of_the_change_of_speed_by_hand():
    joints = np.zeros((1, 7, 2, 3))
    joints[0, :, :, 0] = np.array([0, 1, 2, 5, 6, 6, 6])[:, None]
    speed = ev.speeds(joints)
    assert speed[0].tolist() == [1, 1, 1, 3, 1, 0, 0]
    assert ev.saliency(speed)[0].tolist() == [0, 0, 0, 2, 0, 0, 0]


def test_a_faster_dance_is_told_more_chords(material):
    made = learner(material)
    told = ev.Told(material, transcripts.of_training(material, TINY.transcript))
    rows = made.rows
    densities, notes = told.of(rows)
    speed = ev.speeds(material.clips.joints(rows)).reshape(len(rows), -1, ev.BAR_SLOTS).mean(2)
    order = np.argsort(speed.ravel())
    assert (np.diff(densities.ravel()[order]) >= 0).all()
    chords = transcripts.of_training(material, TINY.transcript).any(2)
    wanted = chords.reshape(-1, ev.BAR_SLOTS).sum(1)
    assert abs(densities.mean() - wanted.mean()) < 0.1, "as many as in training"
    assert notes.shape == (len(rows), 50)
    assert set(np.unique(notes)) <= {0, 1, 2, 3}
    still = ev.Told(rivals.without_dance(material), chords[..., None].astype(int).repeat(12, 2))
    assert not still.of(rows)[1].any(), "who does not move has no accents"


def test_losses_by_hand(material):
    """The mean over events that have the field; padding counts nowhere."""
    net = learner(material).net.eval()
    made = [ev.events(roll, 0) for roll in transcripts.of_training(material, TINY.transcript)[:2]]
    batch = transcripts.padded([made[0], made[1][:4]])
    found, sums = cmt.losses(net, batch), {}
    for events in (made[0], made[1][:4]):
        known = net(torch.from_numpy(events[None, :-1]))[0]
        for hidden, row in zip(known, events[1:], strict=True):
            kind = torch.tensor(row[0])
            terms = {"kind": F.cross_entropy(net.next_kind(hidden), kind)}
            for name in ev.OF_KIND[int(row[0])]:
                value = torch.tensor(row[1 + ev.FIELDS.index(name)])
                terms[name] = F.cross_entropy(net.field(name, hidden, kind), value)
            for name, term in terms.items():
                sums.setdefault(name, []).append(term)
    assert set(found) == set(sums) == {"kind", "density", "place", "notes", "pitch", "length"}
    for name, terms in sums.items():
        torch.testing.assert_close(found[name], torch.stack(terms).mean())


def test_every_parameter_moves(material):
    assert not dances.moved(learner(material), 4)


def test_training_in_two_parts_ends_with_the_same_bits(material, tmp_path):
    whole, begun, resumed = (learner(material) for _ in range(3))
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_it_learns_what_it_is_shown(material):
    made = learner(material, dataclasses.replace(TINY, width=16, steps=60))
    losses = [made.step(index)["kind"] for index in range(60)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])


def test_the_system_plays_dances_it_never_heard(project):
    made, again = rivals.check_system(cmt.train, TINY, project)
    assert np.array_equal(made[1:], again), "clips are played alone"
    given = rivals.material(project)
    system = cmt.train(TINY, given, 0)
    assert not np.array_equal(made, rivals.check_music(system, given, seed=1)), "events are drawn"
    assert system.generate(np.zeros(0, int), 0).shape == (0, rivals.SAMPLES)


def test_parameters_are_counted():
    assert cmt.parameters(TINY) < cmt.parameters(cmt.CmtSettings.laptop()) < 1e6
    layer = 12 * 128**2 + 13 * 128
    assert cmt.parameters(cmt.CmtSettings.paper()) > 4 * layer
    with pytest.raises(ValueError, match="bars of 10 slots, got 33"):
        ev.events(np.zeros((33, 12), int), 0)
