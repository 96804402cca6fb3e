"""What systems that write notes share: rolls that are kept, choices that are drawn alone."""

import dataclasses

import numpy as np
import pytest
import rivals
import torch

from pasdedeux.baselines import transcripts
from pasdedeux.baselines.cmt import CmtSettings
from pasdedeux.baselines.foley import FoleySettings
from pasdedeux.music.transcribed import TranscriptSettings, played, transcribed


def test_rolls_are_those_of_the_clips_of_training_alone(project, monkeypatch):
    given, settings = rivals.material(project), TranscriptSettings()
    rows = given.clips.rows("train")
    rolls = transcripts.of_training(given, settings)
    assert rolls.shape == (len(rows), 50, 12)
    assert rolls.any()
    for place in (0, len(rows) - 1):
        wanted = transcribed(given.clips.sound(rows[place : place + 1])[0], settings)
        assert np.array_equal(rolls[place], wanted)
    monkeypatch.setattr(transcripts, "transcribed", None)
    assert np.array_equal(transcripts.of_training(given, settings), rolls), "kept"
    with pytest.raises(TypeError):
        transcripts.of_training(given, TranscriptSettings(voices=1))


def test_the_run_is_named_by_the_transcription_not_by_the_vq_vae(project):
    given = rivals.material(project)

    def run(made_by="untrained", **change):
        other = dataclasses.replace(given, made_by=made_by)
        settings, heard = FoleySettings(), TranscriptSettings(**change)
        opened = transcripts.open_run("x", settings, other, 0, code=__file__, transcript=heard)
        return opened.folder

    assert run() == run(made_by="another")
    assert run() != run(voices=1)


def test_choices_are_drawn_from_what_is_allowed_by_their_softmax():
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    allowed = np.array([[True, False, True, True]])
    weight = np.exp([0.0, -np.inf, 2.0, 3.0])
    count = 2000
    chance = (np.arange(count) + 0.5) / count
    found = transcripts.picked(
        logits.expand(count, -1), np.broadcast_to(allowed, (count, 4)), chance
    )
    shares = np.bincount(found, minlength=4) / count
    np.testing.assert_allclose(shares, weight / weight.sum(), atol=1e-3)
    with pytest.raises(ValueError, match="leave a choice in every row"):
        transcripts.picked(logits, np.zeros((1, 4), bool), chance[:1])


def test_a_clip_draws_the_same_whatever_is_beside_it():
    one = transcripts.chances(np.array([5, 9]), 7, seed=0, name="x")
    assert np.array_equal(transcripts.chances(np.array([9]), 7, seed=0, name="x"), one[1:])
    assert not np.array_equal(one, transcripts.chances(np.array([5, 9]), 7, seed=1, name="x"))
    assert not np.array_equal(one[0], one[1])


def test_sequences_are_filled_up_with_minus_one():
    made = transcripts.padded([np.array([[1, 2]]), np.array([[3, 4], [5, 6]])])
    assert made.tolist() == [[[1, 2], [-1, -1]], [[3, 4], [5, 6]]]


def test_what_is_written_is_played():
    roll = np.zeros((2, 50, 12), int)
    roll[1, 3, 4] = 9
    generate = transcripts.sounding(lambda rows, seed: roll[rows] * seed, 44_100)
    assert np.array_equal(generate(np.array([1, 0]), 1), played(roll[[1, 0]], 44_100))
    assert not generate(np.array([1, 0]), 0).any()


@pytest.mark.parametrize("kind", [CmtSettings, FoleySettings])
def test_profiles_grow_and_refuse(kind):
    sizes = [getattr(kind, name)() for name in ("quick", "laptop", "gpu", "paper")]
    assert [type(size) for size in sizes] == [kind] * 4
    assert [s.steps for s in sizes] == sorted(s.steps for s in sizes)
    assert sizes[-1].width == 128
    assert sizes[-1].layers == {CmtSettings: 4, FoleySettings: 3}[kind]
    for change, told in (
        ({"width": 10}, "heads 4 must divide width 10"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"rate": 0.0}, "rate must be above 0"),
    ):
        with pytest.raises(ValueError, match=told):
            kind(**change)
