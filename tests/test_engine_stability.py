"""Divergence counted on planted runs: nan, growth, haste, collapse and a healthy one."""

import math
from dataclasses import replace

import pytest
import torch
from test_papers_mdot import TINY, pairs  # noqa: F401  a fixture

from pasdedeux.engine import divergence, mdot_claims, stability
from pasdedeux.engine.divergence import divergence_rates
from pasdedeux.engine.stability import CAUSES, Ending, StabilitySettings, causes
from pasdedeux.papers import mdot
from pasdedeux.papers.mdot_samples import ESTIMATES, Error

HEALTHY = {"transport": 0.3, "untrained": 3.0, "speed": 0.5, "speed, real": 0.6, "geometry": 0.2}
GRID = StabilitySettings(rates=(1e-3,), steps=3, log_every=1)


class Planted(mdot.Generating):
    """Updates that end a training in a way that is known."""

    way = "healthy"

    def step(self, index):
        """Do no harm until the second update."""
        if index < 1:
            return {"transport": 1.0}
        if self.way == "nan":
            raise ValueError("loss 'transport' is nan; lower the learning rate.")
        with torch.no_grad():
            for name, weight in self.dancing.named_parameters():
                if self.way == "broken":
                    weight.fill_(math.nan)
                if self.way == "grown" and "writes" in name:
                    weight.mul_(1e3)
        return {"transport": 1.0}


def _ending(pairs, way):  # noqa: F811
    make = type("Planted", (Planted,), {"way": way})
    settings = replace(TINY, seeds=(0,), workers=1)
    (found,) = stability.stability({f"planted {way}": (make, settings)}, pairs, GRID)
    return found


def test_a_refused_update_is_recorded_with_its_number_and_not_trained_again(pairs, project):  # noqa: F811
    for _ in range(2):
        found = _ending(pairs, "nan")
        assert (found.stopped, found.diverged, found.numbers) == (2, True, {})
        assert "is nan" in found.why
        assert found.causes == {c: c == "refused" for c in CAUSES}


def test_weights_that_are_nan_in_the_end_count_as_refused(pairs, project):  # noqa: F811
    found = _ending(pairs, "broken")
    assert found.causes["refused"]
    assert found.stopped == GRID.steps
    assert "in the end" in found.why


def test_a_run_that_changes_nothing_has_not_diverged(pairs, project):  # noqa: F811
    found = _ending(pairs, "healthy")
    assert found.numbers["transport"] == found.numbers["untrained"]
    assert not found.causes["refused"]
    assert not found.causes["farther"]
    assert _ending(pairs, "healthy") == found


def test_a_second_call_makes_no_learner(pairs, project, monkeypatch):  # noqa: F811
    found = _ending(pairs, "healthy")
    monkeypatch.setattr(Planted, "__init__", None)
    assert _ending(pairs, "healthy") == found


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"transport": 3.1}, "farther"),
        ({"speed": 3.01}, "too fast"),
        ({"speed": 0.029}, "still"),
        ({"transport": math.nan}, "refused"),
        ({"speed": math.inf}, "refused"),
    ],
)
def test_each_cause_is_seen_alone(change, cause):
    assert causes({**HEALTHY, **change}) == {name: name == cause for name in CAUSES}


def test_a_healthy_run_has_no_cause_also_at_the_limits():
    assert not any(causes(HEALTHY).values())
    assert not any(causes({**HEALTHY, "transport": 3.0, "speed": 2.999}).values())
    assert not any(causes({**HEALTHY, "speed": 0.031}).values())


def test_causes_are_counted_separately_and_a_run_once():
    assert causes({**HEALTHY, "transport": 4.0, "speed": 0.0}) == {
        "refused": False, "farther": True, "too fast": False, "still": True,
    }  # fmt: skip


def _planted(system, rate, seed, **change):
    return Ending(system, rate, seed, "run", 0, "", {**HEALTHY, **change})


def test_rates_with_exact_intervals():
    runs = [_planted("A", 0.1, s) for s in range(3)]
    runs += [_planted("A", 0.2, s, transport=9.0, speed=9.0) for s in range(3)]
    one, two, every = divergence_rates(runs)
    assert (one.rate, one.diverged, one.runs) == ("0.1", 0, 3)
    assert one.low == 0
    assert one.high == pytest.approx(1 - 0.025 ** (1 / 3))  # none of n: 1 - (alpha / 2)^(1/n)
    assert (two.diverged, two.high) == (3, 1)
    assert two.low == pytest.approx(0.025 ** (1 / 3))
    assert (every.rate, every.diverged, every.runs) == ("all", 3, 6)
    assert every.causes == {"refused": 0, "farther": 3, "too fast": 3, "still": 0}
    assert (one.more, two.more) == (0, 3)
    assert divergence_rates([_planted("A", 0.1, 0, transport=9.0)])[0].more == 0
    table = divergence.rate_table([one, two, every])
    assert list(table["share (%)"]) == [0, 100, 50]


def test_numbers_of_the_end_by_hand(pairs):  # noqa: F811
    learner = mdot.Mdot(TINY, pairs, seed=0)
    found = stability.probed(learner)
    both = [(learner.batch(k, "probe"), learner.batch(k, "probe, other")) for k in range(4)]
    values = [mdot.transport((a.made, b.made), (a.real, b.real), TINY) for a, b in both]
    assert found["transport"] == pytest.approx(float(sum(values).detach()) / 4, rel=1e-4)
    assert -1 <= found["geometry"] <= 1
    assert 0 <= found["own song (%)"] <= 100
    assert stability.probed(learner) == found


@pytest.mark.parametrize("profile", ["quick", "laptop", "gpu", "paper"])
def test_all_systems_of_a_profile_share_generator_data_and_seeds(profile):
    systems = stability.stability_systems(profile, TINY)
    every = [settings for _, settings in systems.values()]
    assert len({(s.network, s.batch, s.seeds, s.pairs, s.clip, s.every) for s in every}) == 1
    assert len(set(every)) == len(every)
    assert getattr(StabilitySettings, profile)().steps >= 1


def test_a_grid_without_runs_is_refused(pairs):  # noqa: F811
    with pytest.raises(ValueError, match="rates must be distinct"):
        StabilitySettings(rates=())
    with pytest.raises(ValueError, match="rates must be distinct"):
        StabilitySettings(rates=(1e-3, 1e-3))
    with pytest.raises(ValueError, match="steps must be at least 1"):
        StabilitySettings(steps=0)
    with pytest.raises(ValueError, match="log_every must be at least 1"):
        StabilitySettings(log_every=0)
    with pytest.raises(ValueError, match="no systems"):
        stability.stability({}, pairs, GRID)


def test_a_curve_ends_where_the_first_seed_stopped(pairs, project):  # noqa: F811
    found = [
        _ending(pairs, way)._replace(system="A", seed=n) for n, way in enumerate(("nan", "healthy"))
    ]
    (title,) = curves = mdot_claims.transport_curves(found)
    assert title == "learning rate 0.001"
    assert curves[title] == {"A": ([1], [1.0])}
    alone = mdot_claims.transport_curves(found[1:])
    assert alone[title] == {"A": ([1, 2, 3], [1.0, 1.0, 1.0])}


def test_error_curves_are_means_over_seeds():
    errors = {s: [Error("x", 3, n, (s + 1) / n, 0.0) for n in (4, 8)] for s in (0, 1)}
    assert mdot_claims.error_curves(errors) == {"x": {"D = 3": ([4, 8], [1.5 / 4, 1.5 / 8])}}


def _runs(**by_system):
    return [
        _planted(system, rate, seed, **by_system.get(name, {}))
        for name, system in (
            ("ours", "MDOT-Net"), ("bare", "MDOT-Net without GW"),
            ("clip", "WGAN, clipped"), ("penalty", "WGAN, penalty"),
        )
        for rate in (1e-3, 1e-2)
        for seed in range(3)
    ]  # fmt: skip


def _errors(slowed):
    """Rates of -0.5 in one dimension and, for exact transport, -0.5 + `slowed` in nine."""
    rows = []
    for name in ESTIMATES:
        for dimension in (1, 9):
            rate = -0.5 + (slowed if dimension == 9 and name == ESTIMATES[0] else 0.0)
            rows += [Error(name, dimension, n, n**rate, 0.0) for n in (8, 16, 32)]
    return rows


def test_claims_follow_planted_runs():
    runs = _runs(clip={"transport": 9.0}, penalty={"speed": 0.0}, bare={"geometry": 0.1})
    runs = [r._replace(numbers={**r.numbers, "own song (%)": 50.0 + r.seed}) for r in runs]
    errors = {seed: _errors(0.4) for seed in range(3)}
    found = mdot_claims.mdot_claims(runs, errors, data_notice="planted", profile="quick")
    verdicts = {c.id: c.verdict for c in found.claims}
    assert verdicts["non-divergent"] == verdicts["gan-unstable"] == verdicts["steadier"] == "holds"
    assert verdicts["dimension"] == "holds"
    assert verdicts["matching"] == "undecided"  # the second part shows no difference


def test_evidence_tells_how_many_runs_diverged_not_only_by_being_farther():
    runs = _runs(clip={"transport": 9.0}, penalty={"speed": 0.0, "transport": 9.0})
    errors = {seed: _errors(0.4) for seed in range(3)}
    found = mdot_claims.mdot_claims(runs, errors, data_notice="planted", profile="quick")
    evidence = {c.id: c.evidence for c in found.claims}
    assert (
        "MDOT-Net diverges at no rate (0 of 6 runs, 0 not only farther)"
        in evidence["non-divergent"]
    )
    assert "clipped diverges at some rate (6 of 6 runs, 0 not only" in evidence["gan-unstable"]
    assert "penalty diverges at some rate (6 of 6 runs, 6 not only" in evidence["gan-unstable"]
    ours = "share diverged, MDOT-Net (0 of 6 runs, 0 not only farther) -"
    assert f"{ours} WGAN, clipped (6 of 6 runs, 0 not only farther)" in evidence["steadier"]
    assert f"{ours} WGAN, penalty (6 of 6 runs, 6 not only farther)" in evidence["steadier"]


def test_claims_fail_on_the_opposite():
    runs = _runs(ours={"transport": 9.0})
    errors = {seed: _errors(0.0) for seed in range(3)}
    found = mdot_claims.mdot_claims(runs, errors, data_notice="planted", profile="quick")
    verdicts = {c.id: c.verdict for c in found.claims}
    failed = {"non-divergent", "gan-unstable", "steadier", "dimension"}
    assert {name for name in verdicts if verdicts[name] == "does not hold"} == failed
    assert verdicts["matching"] == "not run" or verdicts["matching"] == "undecided"
