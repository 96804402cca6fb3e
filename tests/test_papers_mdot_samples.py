"""Known answers between Gaussians: closed form against a fine grid, rates on planted errors."""

import math
from dataclasses import replace

import pytest
import torch

from pasdedeux.ot import costs
from pasdedeux.ot.sinkhorn import sinkhorn
from pasdedeux.papers import mdot_samples
from pasdedeux.papers.mdot_samples import ESTIMATES, Error, SampleSettings

FEW = SampleSettings(dimensions=(1, 3), counts=(7, 13), draws=5)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_closed_form_is_what_sinkhorn_finds_on_a_fine_grid(epsilon):
    a, b = 0.8, 1.3
    x = torch.linspace(-7, 7, 401, dtype=torch.float64)[:, None]
    laws = [torch.exp(-(x[:, 0] ** 2) / (2 * s * s)) + 1e-30 for s in (a, b)]
    first, second = (law / law.sum() for law in laws)
    found = sinkhorn(costs.squared_l2(x, x), first, second, epsilon=epsilon, iterations=3000)
    exact = mdot_samples.between_gaussians(a, b, epsilon)
    assert float(found.value) == pytest.approx(exact, rel=1e-3)


def test_without_entropy_it_is_the_squared_difference_of_the_deviations():
    assert mdot_samples.between_gaussians(0.8, 1.3, 0.0) == pytest.approx(0.25)
    for dimension in (1, 5):
        found = mdot_samples.true_distance(SampleSettings(scale=1.5), dimension, 0.0)
        assert found == pytest.approx(0.25)


def test_equal_laws_are_at_distance_zero():
    assert mdot_samples.true_distance(SampleSettings(scale=1.0), 3, 0.7) == pytest.approx(0)


def test_a_little_entropy_adds_to_the_distance_and_much_takes_it_away():
    """Both ends of the root in the closed form: of second order near 0, and 1 / epsilon far out."""
    a, b = 1 / math.sqrt(3), 1.5 / math.sqrt(3)
    exact, little, much = (
        mdot_samples.true_distance(SampleSettings(), 3, e) for e in (0.0, 0.01, 1000.0)
    )
    half = 0.01 / 2
    assert little - exact == pytest.approx(3 * half**2 / 8 * (1 / a - 1 / b) ** 2, rel=1e-3)
    assert much == pytest.approx(3 * (a * a - b * b) ** 2 / 500, rel=1e-3)
    assert little > exact > much > 0


def test_estimates_come_near_the_known_answer_with_many_samples():
    many = SampleSettings(dimensions=(1,), counts=(8, 400), draws=6)
    found = {(e.estimate, e.count): e.error for e in mdot_samples.sample_errors(many)}
    for name in ESTIMATES:
        assert found[name, 400] < 0.3
        assert found[name, 400] < found[name, 8]


def test_errors_repeat_by_seed_and_cover_the_grid():
    once = mdot_samples.sample_errors(FEW, seed=3)
    assert once == mdot_samples.sample_errors(FEW, seed=3)
    assert once != mdot_samples.sample_errors(FEW, seed=4)
    assert len(once) == 3 * 2 * 2
    assert all(math.isfinite(e.error) and e.error >= abs(e.bias) for e in once)


def test_rates_of_planted_errors():
    rows = [Error("x", 2, n, 3 * n**-0.7, 0.0) for n in (4, 9, 31)]
    assert mdot_samples.rates_of(rows)["x", 2] == pytest.approx(-0.7)


@pytest.mark.parametrize(
    ("name", "value"), [("scale", 0.0), ("draws", 0), ("counts", (8,)), ("dimensions", (0,))]
)
def test_settings_that_cannot_work_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        replace(FEW, **{name: value})
