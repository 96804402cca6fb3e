"""The toy trainings: expectations against draws, resting places, floors, plain sums, counts."""

import math
from dataclasses import replace

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion import contrast as losses
from pasdedeux.diffusion.algorithm import algorithm_1
from pasdedeux.diffusion.contrast import Contrast, Noised, objective
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.papers import toy_descent as toy

KINDS = torch.tensor([[0.4, 0.3, 0.2, 0.08, 0.02], [0.02, 0.08, 0.2, 0.3, 0.4]]).double()
FIVE = Schedule(5, 6)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("system", ["vanilla", "sample-inter", "step-inter"])
def test_the_first_loss_is_the_mean_of_the_training_loss_over_draws(system):
    """At logits of 0; `objective` divides by p_t, so its mean is the sum over steps."""
    chosen, B, N = Contrast.system(system, 0.3), 60_000, 3
    found = toy.descent(FIVE, KINDS, [chosen], updates=1)
    draw = generator(0, "draws", system)
    c = torch.randint(2, (B,), generator=draw)
    start = torch.multinomial(KINDS[c], 1, generator=draw)
    wrong = torch.multinomial(KINDS[1 - c], N, True, generator=draw)[..., None]
    t = torch.randint(1, FIVE.steps + 1, (B,), generator=draw)
    noised = Noised(start, corrupted(FIVE, start, t, draw), t, torch.full((B,), 1 / FIVE.steps))
    made = objective(FIVE, torch.zeros(B, 5, 1), noised, chosen, {"inter": wrong})
    total = sum(made.weights.get(name, 1.0) * loss for name, loss in made.losses.items())
    assert float(found.total[0, 0]) == pytest.approx(float(total), rel=0.02)
    assert float(found.bound[0, 0]) == pytest.approx(float(made.losses["bound"]), rel=0.02)


def test_vanilla_learns_the_law_and_runs_do_not_know_of_each_other():
    vanilla = Contrast.system("vanilla")
    wild = Contrast.system("sample-inter", 0.2)
    alone = toy.descent(FIVE, KINDS, [vanilla], updates=120, rate=0.1)
    beside = toy.descent(FIVE, KINDS, [wild, vanilla], updates=120, rate=0.1)
    torch.testing.assert_close(alone.hidden[0], KINDS, atol=5e-3, rtol=0)
    torch.testing.assert_close(beside.hidden[1], alone.hidden[0])


@pytest.mark.parametrize("weight", [1e-3, 3e-3])
def test_where_all_pulls_are_positive_descent_rests_in_proportion_to_them(weight):
    pulls = toy.pulls(FIVE, KINDS, weight, FIVE.steps)
    assert (pulls > 0).all()
    found = toy.descent(FIVE, KINDS, [Contrast(sample_inter=weight)], updates=200, rate=0.1)
    torch.testing.assert_close(
        found.hidden[0], pulls / pulls.sum(1, keepdim=True), atol=1e-3, rtol=0
    )


def test_a_negative_pull_drives_a_code_out_and_a_floor_stops_the_fall():
    weight = 0.05
    assert (toy.pulls(FIVE, KINDS, weight, FIVE.steps)[0] < 0).tolist()[-1]
    floor = losses.uniform_ceiling(FIVE)
    free, held = Contrast(sample_inter=weight), Contrast(sample_inter=weight, ceiling=floor)
    end = toy.descent(FIVE, KINDS, [free, held], updates=200, rate=0.1)
    assert end.hidden[0, 0, -1] < 1e-8
    assert end.hidden[1, 0, -1] > 1e-4
    fell = end.total[:, 100] - end.total[:, -1]
    assert fell[0] > 1
    assert fell[1] < 0.1
    assert end.bound[0, -1] > end.bound[1, -1]


def test_sample_counts_without_end_and_step_levels_off():
    gain = toy.reach(Schedule(7, 9), 5, [1e-2, 1e-8, 1e-12, 1e-20, 1e-40])
    sample, step = gain["sample"].tolist(), gain["step"].tolist()
    assert sample[:4] == pytest.approx([-math.log(p) for p in (1e-2, 1e-8, 1e-12, 1e-20)])
    assert sample[4] == pytest.approx(70)
    assert step[0] < step[1] < 10
    assert step[2] == pytest.approx(step[4], rel=1e-3)


def problem(K=11, B=3, L=7, N=4):
    schedule, draw = Schedule(K, 5), generator(0, "dense")
    t = torch.tensor([1, 3, 5])[:B]
    start, wrong = (torch.randint(K, size, generator=draw) for size in ((B, L), (B, N, L)))
    noised = Noised(start, corrupted(schedule, start, t, draw), t, torch.full((B,), 0.2))
    return schedule, torch.randn(B, K, L, generator=draw), noised, wrong


def test_closed_and_dense_divergences_and_gradients_are_equal():
    dense, closed = (
        toy.timed(each, *problem(), tries=1)
        for each in (toy.dense_divergences, toy.closed_divergences)
    )
    assert dense.value.shape == (3, 4, 7)
    torch.testing.assert_close(closed.value, dense.value)
    torch.testing.assert_close(closed.gradient, dense.gradient)
    assert dense.milliseconds > 0


def test_shares_of_gradients_grow_with_the_weight_and_match_the_definition():
    schedule, logits, noised, wrong = problem()
    once = toy.gradient_shares(schedule, logits, noised, {"inter": wrong}, weight=1e-3)
    twice = toy.gradient_shares(schedule, logits, noised, {"inter": wrong}, weight=2e-3)
    assert set(once) == {"step-inter", "sample-inter"}
    assert twice["step-inter"] == pytest.approx(2 * once["step-inter"])
    leaf = logits.clone().requires_grad_()
    made = objective(
        schedule, leaf, noised, Contrast.system("sample-inter", 1e-3), {"inter": wrong}
    )
    sizes = [
        torch.autograd.grad(made.losses[name], leaf, retain_graph=True)[0].norm()
        for name in ("sample_inter", "bound")
    ]
    assert once["sample-inter"] == pytest.approx(1e-3 * float(sizes[0] / sizes[1]))


def test_counts_of_sequences_and_gradients_of_a_table():
    schedule, _, noised, wrong = problem()
    table = toy.Table(schedule)
    counted = toy.Counted(table)
    lines = algorithm_1(
        counted, schedule, noised.start, wrong, noised.t, generator(0, "lines"), terms="last"
    )
    assert counted.sequences == 3 * (1 + 4)
    found = table.gradient(lines.contrast.sum())
    assert found.shape == (6 * 12 * 11,)
    assert float(found.norm()) > 0


def test_what_has_no_order_is_refused():
    with pytest.raises(ValueError, match="one position has no order"):
        toy.descent(FIVE, KINDS, [replace(Contrast(), step_intra=1.0)])
