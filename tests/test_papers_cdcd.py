"""CDCD trained at tiny size: what moves, what is shared between methods, negatives, exact runs."""

from dataclasses import replace

import musics
import numpy as np
import pytest
import torch
from musics import FEW, TINY

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion import contrast as contrasts
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.papers import cdcd
from pasdedeux.training.loop import fit
from pasdedeux.training.musics import drawn

NAMES = ("vanilla", "step-intra", "step-inter", "sample-intra", "sample-inter", "both")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return musics.lasting(tmp_path_factory)


def _system(name, weight=0.1):
    return replace(TINY, contrast=replace(Contrast.system(name, weight), **FEW))


def _state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def _trained(settings, material, updates=4, seed=0):
    learner = cdcd.Cdcd(settings, material, seed=seed)
    return learner, [learner.step(index) for index in range(updates)]


@pytest.mark.parametrize("layout", ["token", "temporal"])
def test_every_parameter_moves_in_both_layouts(material, layout):
    """None is left out: what a condition of one position would not move is not there."""
    settings = replace(_system("both"), layout=layout, weight_decay=0.0, batch=7)
    learner = cdcd.Cdcd(settings, material, seed=0)
    before = dict(learner.network.named_parameters())
    before = {name: value.detach().clone() for name, value in before.items()}
    numbers = [learner.step(index) for index in range(6)]
    still = [name for name, p in learner.network.named_parameters() if torch.equal(p, before[name])]
    assert not still, f"never moved: {still}"
    assert set(numbers[-1]) == {"bound", "auxiliary", "step_intra", "sample_inter", "norm"}


def test_queries_and_keys_exist_in_the_temporal_layout_only(material):
    for layout, there in (("token", False), ("temporal", True)):
        learner = cdcd.Cdcd(replace(TINY, layout=layout), material, seed=0)
        names = [name for name, _ in learner.network.named_parameters()]
        assert any("attend_memory.queries" in name for name in names) is there
        assert any("attend_memory.out" in name for name in names)


def test_a_frozen_condition_learns_its_fusion_alone(material):
    learner = cdcd.Cdcd(replace(TINY, condition="frozen"), material, seed=0)
    before = _state(learner.network.conditioning)
    for index in range(3):
        learner.step(index)
    after = learner.network.conditioning.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fusion.weight", "fusion.bias"}


def test_it_learns_what_music_belongs_to_which_genre(material):
    """The codes of each genre are another constant here: with the condition they are certain."""
    tokens = (2 * material.clips.genre[:, None] + np.ones((1, 14))).astype(np.int16)
    told = replace(material, tokens=tokens)
    settings = replace(TINY, contrast=Contrast(), batch=9, steps=150, average=0.9)
    learner, numbers = _trained(settings, told, updates=150)
    first, last = (np.mean([n["bound"] for n in part]) for part in (numbers[:9], numbers[-9:]))
    assert last < 0.2 * first
    made = cdcd.Composer(settings, told, learner.average.inner)
    rows = told.clips.rows("train")[::5]
    assert (made.tokens(rows, 0).numpy() == tokens[rows]).mean() > 0.9


@pytest.mark.parametrize("name", NAMES[1:])
def test_lambda_0_equals_vanilla_bit_for_bit_through_the_whole_training(material, name, tmp_path):
    learners = []
    for place, settings in enumerate((_system("vanilla"), _system(name, 0.0), _system(name))):
        learners.append(cdcd.Cdcd(settings, material, seed=0))
        fit(learners[-1], steps=5, folder=tmp_path / str(place), task="test")
    states = [
        {f"{part} {key}": value for part, module in learner.modules.items()
         for key, value in module.state_dict().items()}
        for learner in learners
    ]  # fmt: skip
    apart = [
        [key for key in state if not torch.equal(state[key], states[0][key])] for state in states
    ]
    assert apart[1] == []
    assert apart[2] != [], "the contrast must count where lambda is not 0"


def _drawn_by(name, material, monkeypatch):
    """Return the first weights, and what `objective` is given in three updates."""
    found = []

    def kept(schedule, logits, noised, contrast, negatives, **options):
        found.append((noised, {kind: codes.clone() for kind, codes in negatives.items()}))
        return contrasts.objective(schedule, logits, noised, contrast, negatives, **options)

    monkeypatch.setattr(cdcd, "objective", kept)
    learner = cdcd.Cdcd(_system(name), material, seed=0)
    begun = _state(learner.network)
    for index in range(3):
        learner.step(index)
    return begun, found


def test_methods_share_first_weights_batches_steps_and_noise(material, monkeypatch):
    seen = {name: _drawn_by(name, material, monkeypatch) for name in NAMES}
    begun, found = seen["vanilla"]
    for name in NAMES[1:]:
        assert all(torch.equal(begun[key], value) for key, value in seen[name][0].items())
        for (one, _), (other, _) in zip(found, seen[name][1], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), name
    rows = material.clips.rows("train")
    for index, (noised, _) in enumerate(found):
        expected = material.tokens[drawn(rows, TINY.batch, 0, index)]
        assert np.array_equal(noised.start.numpy(), expected)
    assert not torch.equal(found[0][0].noisy, found[1][0].noisy)


def test_methods_share_their_negatives(material, monkeypatch):
    for kind in ("intra", "inter"):
        one, other = (
            _drawn_by(f"{mode}-{kind}", material, monkeypatch)[1] for mode in ("step", "sample")
        )
        for (_, mine), (_, its) in zip(one, other, strict=True):
            assert torch.equal(mine[kind], its[kind])


def test_negatives_are_rearrangements_and_music_of_another_genre(material):
    learner = cdcd.Cdcd(_system("both"), material, seed=0)
    genre = material.clips.genre[learner.rows]
    places = torch.arange(len(learner.rows))
    start = learner.tokens.long()
    made = learner.negatives(start, places, 0)
    assert made["intra"].shape == made["inter"].shape == (len(places), 3, 14)
    alike = made["intra"].sort(-1).values == start.sort(-1).values[:, None]
    assert alike.all()
    changed = (made["intra"] != start[:, None]).any(-1)
    assert changed[start.amin(1) != start.amax(1)].all()
    others = learner.labels.drawn(places, generator(0, "inter", 0), negatives=3)
    assert (genre[others.numpy()] != genre[:, None]).all()
    assert torch.equal(made["inter"], start[others])
    assert not torch.equal(learner.negatives(start, places, 1)["inter"], made["inter"])


def test_with_one_genre_or_when_asked_negatives_are_of_another_song(project):
    alone = musics.material(project, genres=("Waltz",) * 8)
    learner = cdcd.Cdcd(_system("step-inter"), alone, seed=0)
    song = alone.clips.song[learner.rows]
    places = torch.arange(len(song))
    others = learner.labels.drawn(places, generator(0, "inter", 0), negatives=5)
    assert (song[others.numpy()] != song[:, None]).all()
    many = musics.material(project)
    asked = cdcd.Cdcd(replace(_system("step-inter"), inter="song"), many, seed=0)
    assert torch.equal(asked.labels.labels, torch.from_numpy(many.clips.song[asked.rows]))


def test_released_orders_are_drawn_when_asked(material):
    settings = replace(TINY, contrast=replace(TINY.contrast, shuffle="released", chunks=3))
    learner = cdcd.Cdcd(settings, material, seed=0)
    start = torch.arange(11).repeat(4, 2)[:, :14]
    made = learner.negatives(start, torch.arange(4), 0)["intra"]
    assert (made == made[:1]).all(), "one order serves the whole batch"
    assert torch.equal(made[..., 12:], start[:, None, 12:].expand(-1, 3, -1))


def test_the_contrast_is_left_out_of_updates_as_t_c_says(material):
    none = replace(_system("step-intra").contrast, contrasted_steps=0)
    learner, numbers = _trained(replace(TINY, contrast=none), material)
    plain, others = _trained(_system("vanilla"), material)
    assert [n["step_intra"] for n in numbers] == [0.0] * 4
    for key, value in plain.network.state_dict().items():
        assert torch.equal(value, learner.network.state_dict()[key])


def test_a_run_interrupted_goes_on_to_the_same_bits(material, tmp_path):
    whole = cdcd.Cdcd(_system("both"), material, seed=0)
    rows = fit(whole, steps=5, folder=tmp_path / "whole", task="whole", log_every=1)
    fit(cdcd.Cdcd(_system("both"), material, seed=0), steps=3, folder=tmp_path / "cut", task="cut")
    again = cdcd.Cdcd(_system("both"), material, seed=0)
    rest = fit(again, steps=5, folder=tmp_path / "cut", task="again", log_every=1)
    assert rest[-2:] == rows[-2:]
    for name, module in whole.modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, again.modules[name].state_dict()[key]), (name, key)


def test_another_seed_is_another_training(material):
    one, other = (_trained(TINY, material, updates=1, seed=seed)[1] for seed in (0, 1))
    assert one != other
