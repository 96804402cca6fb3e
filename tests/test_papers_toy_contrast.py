"""The contrastive loss on two symbols: sums by enumeration, lines by their definitions."""

import itertools
import math

import pytest
import torch

from pasdedeux.diffusion.contrast import density_ratio_loss
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.papers import toy_contrast as toy
from pasdedeux.papers.toy_chain import table_network

REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
EVEN = toy.Law(torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
UNEVEN = toy.Law(torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def by_enumeration(law, N, drawn):
    total = 0.0
    C = len(law.conditional)
    for c, z, *others in itertools.product(range(C), range(2), *[range(2)] * N):
        weight = law.conditional[c, z] / C
        for other in others:
            weight = weight * drawn[c, other]
        log_f = law.ratio.log()
        total += float(weight * density_ratio_loss(log_f[c, z][None], log_f[c, others][None]))
    return total


@pytest.mark.parametrize("law", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("N", [1, 2, 5])
def test_eq_2_for_counts_is_eq_2_for_every_choice(law, N):
    fair = law.marginal.expand_as(law.conditional)
    for drawn in (fair, law.others):
        found = toy.contrastive_loss(law, N, negatives=drawn)
        assert found == pytest.approx(by_enumeration(law, N, drawn))
    assert toy.contrastive_loss(law, N) == pytest.approx(by_enumeration(law, N, fair))


def test_information_is_between_0_and_the_entropy_of_the_condition():
    alike = toy.Law(torch.full((2, 2), 0.5))
    assert alike.information == pytest.approx(0)
    sure = toy.Law(torch.tensor([[1 - 1e-9, 1e-9], [1e-9, 1 - 1e-9]]))
    assert sure.information == pytest.approx(math.log(2), abs=1e-6)
    torch.testing.assert_close(EVEN.others, EVEN.conditional.flip(0))
    torch.testing.assert_close(UNEVEN.others[0], UNEVEN.conditional[1:].mean(0))


@pytest.mark.parametrize("N", [1, 3, 40])
def test_lines_of_six_are_ordered_as_jensen_and_the_logarithm_say(N):
    six = toy.lines_of_six(UNEVEN, N)
    assert six["6a = 6b"] < six["6c"], "a mean inside a logarithm is more"
    assert six["6c"] == pytest.approx(six["6d"]), "negatives from p(z)"
    assert six["6d"] > six["6e"] == pytest.approx(six["6f"])
    assert six["6a = 6b"] >= math.log(N + 1) - UNEVEN.information - 1e-12


def test_other_negatives_break_6d_and_the_bound():
    six = toy.lines_of_six(EVEN, 10, negatives=EVEN.others)
    assert six["6c"] < six["6d"]
    assert six["6a = 6b"] < math.log(10) - EVEN.information


def perfect(schedule, law):
    networks = [toy.perfect_network(schedule, law, c) for c in range(len(law.conditional))]
    return toy.Model(schedule, law, networks)


@pytest.mark.parametrize("law", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_chains_of_a_perfect_model_contrast_as_its_samples_do(law):
    model = perfect(Schedule(2, 2), law)
    two = toy.contrastive_loss(law, 3)
    assert toy.lines_of_nine(model, 3)["9a = 9b = 9c"] == pytest.approx(two, rel=1e-5)
    assert toy.lines_of_ten(model, 3)["10a"] == pytest.approx(two, rel=1e-5)
    torch.testing.assert_close(model.log_start.exp(), law.conditional, rtol=1e-4, atol=0)


def test_surprises_of_a_sure_network_are_those_it_says():
    schedule = Schedule(2, 3, **REPLACING)
    model = toy.Model(schedule, EVEN, [lambda z, t: torch.tensor([0.0, math.log(3)])
                                       .expand(len(z), z.shape[1], 2).mT] * 2)  # fmt: skip
    expected = torch.tensor([math.log(4), math.log(4 / 3)]).expand(2, 2, 2)
    torch.testing.assert_close(model.surprises(), expected)


def test_refusals():
    with pytest.raises(ValueError, match="positive and sum to 1"):
        toy.Law(torch.tensor([[0.5, 0.4], [0.5, 0.5]]))
    with pytest.raises(ValueError, match="N must be at least 1"):
        toy.contrastive_loss(EVEN, 0)
    with pytest.raises(ValueError, match="a network for each condition"):
        toy.Model(Schedule(2, 2), EVEN, [table_network(Schedule(2, 2))])
    with pytest.raises(ValueError, match="too many to sum over"):
        toy.lines_of_nine(perfect(Schedule(2, 2), EVEN), 9)
