import math
from dataclasses import replace

import pytest
import torch

from pasdedeux.base.seeding import generator, number
from pasdedeux.diffusion.algorithm import algorithm_1
from pasdedeux.diffusion.contrast import (
    SYSTEMS,
    Contrast,
    Noised,
    contrasted,
    objective,
    uniform_ceiling,
)
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.negative import shuffled
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.seeded import seeded
from pasdedeux.training.loop import update

B, K, L, N, T = 5, 7, 11, 3, 4
SCHEDULE = Schedule(K, T, gamma_T=0.8, uniform_T=0.1, gamma_1=0.1, uniform_1=0.05)


def problem():
    start = torch.randint(K, (B, L), generator=generator(0, "start"))
    t = torch.tensor([1, 2, 3, 4, 2])
    noised = Noised(
        start,
        corrupted(SCHEDULE, start, t, generator(0, "noise")),
        t,
        torch.tensor([0.1, 0.4, 0.2, 0.3, 0.4]),
    )
    negatives = {
        "intra": shuffled(start, generator(0, "intra"), negatives=N, chunks_of_each=3),
        "inter": torch.randint(K, (B, N, L), generator=generator(0, "inter")),
    }
    logits = torch.randn(B, K, L, generator=generator(0, "logits")).requires_grad_()
    return noised, negatives, logits


def total(found):
    return sum(found.weights.get(name, 1.0) * loss for name, loss in found.losses.items())


def test_each_system_adds_its_own_losses():
    noised, negatives, logits = problem()
    added = {}
    for system in SYSTEMS:
        contrast = Contrast.system(system)
        found = objective(SCHEDULE, logits, noised, contrast, negatives)
        added[system] = set(found.losses) - {"bound", "auxiliary"}
        assert {name: found.weights[name] for name in added[system]} == dict.fromkeys(
            added[system], 5e-5
        )
    assert added == {
        "vanilla": set(),
        "step-intra": {"step_intra"},
        "step-inter": {"step_inter"},
        "sample-intra": {"sample_intra"},
        "sample-inter": {"sample_inter"},
        "both": {"step_intra", "sample_inter"},
    }


def trained(contrast, weights=None):
    """Weights of a small network after three updates."""
    noised, negatives, _ = problem()
    with seeded(number(0, "network")):
        network = torch.nn.Sequential(torch.nn.Embedding(K + 1, 13), torch.nn.Linear(13, K))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    for _ in range(3):
        found = objective(SCHEDULE, network(noised.noisy).mT, noised, contrast, negatives)
        update(optimizer, found.losses, weights=found.weights if weights is None else weights)
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_lambda_zero_is_vanilla_bit_for_bit():
    vanilla = trained(Contrast())
    for system in SYSTEMS[1:]:
        assert torch.equal(trained(Contrast.system(system, 0.0)), vanilla)
        contrast = Contrast.system(system, 0.3)
        none = {"auxiliary": 5e-4} | {name: 0.0 for name, one in contrast.weights.items() if one}
        assert torch.equal(trained(contrast, none), vanilla)
        assert not torch.equal(trained(contrast), vanilla)


def test_the_bound_does_not_depend_on_the_contrast():
    noised, negatives, logits = problem()
    vanilla = objective(SCHEDULE, logits, noised, Contrast())
    for system in SYSTEMS[1:]:
        found = objective(SCHEDULE, logits, noised, Contrast.system(system), negatives)
        assert torch.equal(found.losses["bound"], vanilla.losses["bound"])
        assert torch.equal(found.losses["auxiliary"], vanilla.losses["auxiliary"])
        assert torch.equal(found.bound, vanilla.bound)
    assert not vanilla.bound.requires_grad


def test_losses_are_over_the_probability_of_t_and_the_positions():
    """Weighting every step's loss by its probability gives back the plain mean over steps."""
    noised, _, logits = problem()
    found = objective(SCHEDULE, logits, noised, Contrast())
    expected = (found.bound / noised.probability).sum() / (B * L)
    torch.testing.assert_close(found.losses["bound"].detach(), expected)


def test_auxiliary_falls_or_rises():
    noised, _, logits = problem()
    surprise = -logits.log_softmax(1).gather(1, noised.start[:, None])[:, 0].sum(1)
    for direction, weight in (("falling", 2 - noised.t / T), ("rising", 1 + noised.t / T)):
        found = objective(SCHEDULE, logits, noised, Contrast(auxiliary_weight=direction))
        expected = (weight * surprise / noised.probability).sum() / (B * L)
        torch.testing.assert_close(found.losses["auxiliary"], expected)


def test_sources_are_named_and_differ():
    noised, negatives, logits = problem()
    found = {
        source: total(
            objective(
                SCHEDULE, logits, noised, Contrast.system("both", 0.1, source=source), negatives
            )
        ).item()
        for source in ("decided", "published", "released")
    }
    assert len({round(value, 4) for value in found.values()}) == 3
    assert Contrast.system("both", source="released").shuffle == "released"
    assert Contrast.system("both", source="published").first_term
    assert Contrast.system("both", source="published").constant == "derivation"


def test_sample_wise_has_no_lower_bound_but_the_clamp_unless_there_is_a_ceiling():
    noised, negatives, _ = problem()
    wrong = torch.nn.functional.one_hot(negatives["inter"][:, 0], K).mT.float()
    contrast = Contrast(sample_inter=1.0, rising=False)
    capped = replace(contrast, ceiling=uniform_ceiling(SCHEDULE))
    values = {"free": [], "capped": []}
    for strength in (0.0, 10.0, 30.0, 60.0, 1000.0):
        for name, settings in (("free", contrast), ("capped", capped)):
            found = objective(
                SCHEDULE, -strength * wrong, noised, settings,
                {"inter": negatives["inter"][:, :1]},
            )  # fmt: skip
            values[name].append(found.losses["sample_inter"].item())
    scale = (1 / noised.probability).mean().item()
    assert values["free"] == sorted(values["free"], reverse=True)
    assert values["free"][-1] == pytest.approx(-70 * scale, rel=1e-5)
    assert values["capped"][-1] == pytest.approx(-(math.log(K) + 2) * scale, rel=1e-5)


@pytest.mark.parametrize("T_c", [4, 3, 1, 0])
def test_contrasted_steps(T_c):
    noised, negatives, logits = problem()
    steps = Contrast(step_intra=1.0, contrasted_steps=T_c, subset="steps")
    chosen = contrasted(torch.arange(1, T + 1), SCHEDULE, steps, generator(0, "T_c"))
    assert chosen.sum() == T_c
    samples = replace(steps, subset="samples")
    many = contrasted(torch.ones(20000, dtype=torch.long), SCHEDULE, samples, generator(0, "T_c"))
    assert many.float().mean().item() == pytest.approx(T_c / T, abs=0.02)
    active = torch.tensor([True, False, True, False, False])
    found = objective(SCHEDULE, logits, noised, steps, negatives, active=active)
    alone = objective(
        SCHEDULE, logits[active], Noised(*(one[active] for one in noised)), steps,
        {"intra": negatives["intra"][active]},
    )  # fmt: skip
    torch.testing.assert_close(found.losses["step_intra"] * B, alone.losses["step_intra"] * 2)


def test_algorithm_1_counts_its_passes_and_moves_the_right_way():
    noised, negatives, _ = problem()
    calls = []

    def predict_start(noisy, t):
        calls.append(t)
        return torch.zeros(len(noisy), K, L)

    for mode, terms, passes in (
        ("step", "last", 1 + N),
        ("sample", "last", 1 + N),
        ("step", "sum", (1 + N) * T),
        ("sample", "sum", T + N),
    ):
        calls.clear()
        found = algorithm_1(
            predict_start, SCHEDULE, noised.start, negatives["inter"], noised.t,
            generator(0, "literal"), mode=mode, terms=terms,
        )  # fmt: skip
        assert len(calls) == passes
        assert (found.bound > 0).all()
        assert (found.contrast < 0).all()
    assert found.contrast.tolist() == pytest.approx([-L * math.log(K)] * B, rel=1e-5)


def test_wrong_input_is_refused():
    noised, negatives, logits = problem()
    contrast = Contrast.system("both")
    with pytest.raises(ValueError, match=r"negatives lack \['inter'\]"):
        objective(SCHEDULE, logits, noised, contrast, {"intra": negatives["intra"]})
    with pytest.raises(ValueError, match=r"negatives\['inter'\] must hold codes from 0 to 6"):
        outside = negatives | {"inter": negatives["inter"] + 1}
        objective(SCHEDULE, logits, noised, contrast, outside)
    for settings, match in (
        ({"negatives": 0}, "negatives must be at least 1"),
        ({"chunks": 1}, "chunks must be at least 2"),
        ({"step_intra": -1.0}, "weights must not be negative"),
        ({"contrasted_steps": -1}, "contrasted_steps must not be negative"),
    ):
        with pytest.raises(ValueError, match=match):
            Contrast(**settings)
    with pytest.raises(ValueError, match="at most the 4 steps, got 9"):
        contrasted(noised.t, SCHEDULE, Contrast(contrasted_steps=9), generator(0, "T_c"))
