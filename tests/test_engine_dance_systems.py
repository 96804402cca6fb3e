"""Knobs, sizes and grown models of the dance tables, and trainings that cannot go on."""

from dataclasses import fields, replace

import dances
import pytest
import torch

from pasdedeux.engine import dance_systems
from pasdedeux.engine.study import DIVERGED, DivergedError, finished, study
from pasdedeux.papers import dual
from pasdedeux.training.run import Measured

TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=5, steps=6,
    rates=((0, 1e-3), (4, 1e-4)), pairs=dances.FEW, samples=2, workers=1,
)  # fmt: skip


def _changed(settings, other):
    return {f.name for f in fields(settings) if getattr(settings, f.name) != getattr(other, f.name)}


def test_knobs_have_half_the_updates_and_turn_only_what_they_name():
    systems = dance_systems.dual_knobs(TINY)
    assert list(systems) == list(dance_systems.KNOBS)
    base = systems["as in Table 4"][1]
    assert (base.steps, base.rates) == (3, ((0, 1e-3), (2, 1e-4)))
    assert _changed(TINY, base) == {"steps", "rates"}
    for label, change in dance_systems.KNOBS.items():
        assert _changed(base, systems[label][1]) == set(change), label
    assert systems["GW x 10"][1].gromov == 10
    assert len({settings for _, settings in systems.values()}) == len(systems)


def test_the_printed_algorithm_is_measured_as_diverged_at_its_first_update(project):
    pairs = dances.pairs()
    some = {
        label: dance_systems.dual_knobs(replace(TINY, steps=4))[label]
        for label in ("as in Table 4", "Algorithm 1 as printed")
    }
    wide = replace(some["Algorithm 1 as printed"][1], width_dance=128, width_music=128)
    some["Algorithm 1 as printed"] = (some["Algorithm 1 as printed"][0], wide)
    ran = {"as in Table 4": lambda run, sample: {"distance world (mm)": 1.0}}
    measured = _studied(some, pairs, ran)
    numbers = {one.system: one.numbers for one in measured}
    assert numbers["Algorithm 1 as printed"] == {DIVERGED: 1.0}
    assert numbers["as in Table 4"] == {"distance world (mm)": 1.0}
    assert [one.system for one in finished(measured)] == [
        "as in Table 4", "Algorithm 1 as printed (diverged at update 1)",
    ]  # fmt: skip
    assert _studied(some, pairs, ran) == measured, "asked again it says the same"


def _studied(systems, pairs, ran):
    """Study `systems`, those that finish measured by `ran` (these pairs are too few to dance)."""

    def tried(label):
        train, settings = systems[label]

        def call(given, data, seed):
            try:
                run, _ = train(given, data, seed)
            except DivergedError:
                raise
            return run, lambda count: torch.zeros(1, 2).numpy()

        return call, settings

    def measure(drawn, data):
        return {"distance world (mm)": 1.0}

    return study({label: tried(label) for label in systems}, pairs, measure)


def test_a_later_divergence_is_found_by_doing_the_last_updates_again(project, monkeypatch):
    pairs, calls = dances.pairs(), []
    honest = dual.Dual.losses

    def failing(self, x, y, index):
        calls.append(index)
        dancing, composing = honest(self, x, y, index)
        if index == 3:
            dancing["dance"] = dancing["dance"] * float("inf")
        return dancing, composing

    monkeypatch.setattr(dual.Dual, "losses", failing)
    with pytest.raises(DivergedError, match="diverged at update 4") as told:
        dance_systems._or_diverged(TINY, pairs, 0)
    assert told.value.update == 4
    assert calls == [0, 1, 2, 3, 0, 1, 2, 3]


def test_any_other_refusal_is_not_taken_for_a_divergence(project, monkeypatch):
    def broken(self, x, y, index):
        raise ValueError("batch is too small.")

    monkeypatch.setattr(dual.Dual, "losses", broken)
    with pytest.raises(ValueError, match="too small") as told:
        dance_systems._or_diverged(TINY, dances.pairs(), 0)
    assert not isinstance(told.value, DivergedError)


def test_a_row_names_how_many_of_its_seeds_diverged():
    rows = [
        Measured("a", 0, "runs/a", {DIVERGED: 7.0}), Measured("a", 1, "runs/a", {"x": 1.0}),
        Measured("a", 2, "runs/a", {DIVERGED: 4.0}), Measured("b", 0, "runs/b", {"x": 2.0}),
    ]  # fmt: skip
    found = finished(rows)
    assert {one.system for one in found} == {"a (2 of 3 seeds diverged at update 4)", "b"}
    assert [one.numbers for one in found] == [one.numbers for one in rows]


def test_grown_models_share_everything_but_the_updates():
    settings, systems = dance_systems.grown(replace(TINY, steps=50), dances.pairs())
    assert settings.pairs == dance_systems.dual_settings("quick", corpus="synthetic").pairs
    assert list(systems) == ["after 1 update", "after 5 updates", "after 50 updates"]
    assert all(_changed(settings, one) <= {"steps"} for _, one in systems.values())


def test_sizes_count_what_the_networks_hold():
    pairs = dances.pairs()
    systems = dance_systems.dance_systems("quick", TINY)
    found = {(m.row, m.column): m.value for m in dance_systems.sizes(systems, pairs)}
    learner = dual.Dual(replace(TINY, pairs=dances.FEW), pairs, seed=0)
    every = sum(p.numel() for part in learner.modules.values() for p in part.parameters())
    assert found["Ours", "learned numbers"] == every
    dancing = sum(p.numel() for p in learner.dancing.parameters())
    assert found["Ours", "of them to dance"] == dancing
    assert {row for row, _ in found} == set(systems)
    for label in dance_systems.FLOORS:
        assert found[label, "learned numbers"] == found[label, "updates"] == 0
    for label in ("Tang et al. (2018)", "Ren et al. (2020)", "Huang et al. (2021)", "MDOT-Net"):
        assert 0 < found[label, "of them to dance"] <= found[label, "learned numbers"]
        assert found[label, "updates"] == TINY.steps
