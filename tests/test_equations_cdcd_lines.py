"""Every line of Eqs. 9 and 10 of CDCD (Zhu et al., ICLR 2023, appendix B.4), on two symbols.

Each line that `papers.toy_contrast` computes is summed here once more, chain by chain, from its
definition; what the paper equates and is not equal is asserted to differ.
"""

import itertools
import math

import pytest
import torch

from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.papers import toy_contrast as toy
from pasdedeux.papers.toy_chain import steps_matrix, table_network

REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
EVEN = toy.Law(torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
UNEVEN = toy.Law(torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def perfect(schedule, law):
    networks = [toy.perfect_network(schedule, law, c) for c in range(len(law.conditional))]
    return toy.Model(schedule, law, networks)


def trained(law, schedule):
    """A model whose networks are random tables, one for each condition."""
    networks = [table_network(schedule, condition=c) for c in range(len(law.conditional))]
    return toy.Model(schedule, law, networks)


def test_cdcd_eq9_the_exchange_of_9e_is_exact_where_all_symbols_are_equally_common():
    for law, exact in ((EVEN, True), (UNEVEN, False)):
        nine = toy.lines_of_nine(perfect(Schedule(2, 2), law), 3)
        same = nine["9e"] == pytest.approx(nine["9d without 1 +"], rel=1e-4)
        assert same == exact


def test_cdcd_eq9_lines_a_to_e_by_summing_over_every_set_of_chains():
    """N = 2 of the 14 chains, one by one, from the definitions of 9a, 9d and 9e."""
    schedule, N = Schedule(2, 2, **REPLACING), 2
    model = toy.Model(schedule, EVEN, [table_network(schedule, condition=c) for c in (0, 1)])
    p = model.log_p.exp()
    f, q = p / p.mean(0), model.log_q.exp()
    R = len(q)
    assert R == 14
    sums = {"9a = 9b = 9c": 0.0, "9d": 0.0, "9e": 0.0, "9e, expanded": 0.0}
    for c, own in itertools.product(range(2), range(R)):
        weight = float(model.positive[c, own]) / 2
        mean = sum(float(model.negative[j] * f[c, j]) for j in range(R))
        mean_r = sum(float(model.negative[j] * p[c, j] / q[j]) for j in range(R))
        sums["9d"] += weight * math.log(1 + N * mean / float(f[c, own]))
        sums["9e"] += weight * math.log(float(q[own] / p[c, own]) * N * mean_r)
        for one, other in itertools.product(range(R), repeat=2):
            both = weight * float(model.negative[one] * model.negative[other])
            ratio = float((f[c, one] + f[c, other]) / f[c, own])
            sums["9a = 9b = 9c"] += both * math.log(1 + ratio)
            if other == one:  # the mean over one negative is outside here
                alone = weight * float(model.negative[one])
                r = float(q[own] / p[c, own] * N * p[c, one] / q[one])
                sums["9e, expanded"] += alone * math.log(r)
    found = toy.lines_of_nine(model, N)
    for name, value in sums.items():
        assert found[name] == pytest.approx(value), name


def test_cdcd_eq9_bounds_and_factors_of_lines_f_and_g_and_what_is_trained():
    schedule, N = Schedule(2, 2, **REPLACING), 3
    model = toy.Model(schedule, EVEN, [table_network(schedule, condition=c) for c in (0, 1)])
    bound = torch.stack([one.bound() for one in model.chains])
    own = float((EVEN.conditional * bound).sum(1).mean())
    other = float((EVEN.marginal * bound).sum(1).mean())
    nine = toy.lines_of_nine(model, N)
    assert nine["9f"] == pytest.approx(own - math.log(N) * other)
    assert nine["9g"] == pytest.approx(own - N * math.log(N) * other)
    assert nine["trained: mean over negatives"] == pytest.approx(own - other)
    assert nine["9e, expanded"] <= nine["9e"] + 1e-12


def test_cdcd_eq10_log_q_stays_in_line_d_only_where_its_factor_is_not_1():
    schedule, N = Schedule(2, 2, **REPLACING), 4
    model = toy.Model(schedule, EVEN, [table_network(schedule, condition=c) for c in (0, 1)])
    ten = toy.lines_of_ten(model, N)
    own, other = (
        float((weight * -model.log_start).sum(1).mean())
        for weight in (EVEN.conditional, EVEN.marginal)
    )
    entropy = -float((model.chains[0].log_q.exp() * model.log_q)[model.first == 0].sum())
    assert ten["10c, expanded"] == pytest.approx(own + math.log(N) - other)
    assert ten["10d without q"] == pytest.approx(own - N * other)
    assert ten["10d"] == pytest.approx(own - N * other + (N - 1) * entropy)


@pytest.mark.parametrize("law", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_cdcd_eq10_lines_a_to_c_by_summing_over_every_set(law):
    """10a over every z_0 and every pair of negatives, 10b with their mean, 10c over chains."""
    N, model = 2, trained(law, Schedule(2, 2, **REPLACING))
    C, p = len(law.conditional), model.log_start.exp()  # p(z_0 | c) of the model
    f, q = p / p.mean(0), model.log_q.exp()
    sums = dict.fromkeys(("10a", "10b", "10c"), 0.0)
    for c in range(C):
        for k in range(2):
            weight = float(law.conditional[c, k]) / C
            mean = sum(float(law.marginal[j] * f[c, j]) for j in range(2))
            sums["10b"] += weight * math.log(1 + N * mean / float(f[c, k]))
            for one, other in itertools.product(range(2), repeat=2):
                both = weight * float(law.marginal[one] * law.marginal[other])
                sums["10a"] += both * math.log(1 + float((f[c, one] + f[c, other]) / f[c, k]))
        r = [float(p[c, model.first[j]] / q[j]) for j in range(len(q))]
        mean = sum(float(model.negative[j]) * r[j] for j in range(len(q)))
        for own in range(len(q)):
            sums["10c"] += float(model.positive[c, own]) / C * math.log(N * mean / r[own])
    found = toy.lines_of_ten(model, N)
    for name, value in sums.items():
        assert found[name] == pytest.approx(value), name
    assert found["10b"] > found["10a"], "a mean inside a logarithm is more, and 10 says equal"
    assert abs(found["10c"] - found["10b"]) > 0.01, "q stands where p(z_0) stood"


def test_cdcd_eq10_line_e_by_summing_over_steps_states_and_negatives():
    """Each state from the matrices; the negative is looked for at the positive's z_t (Eq. 4)."""
    schedule, N = Schedule(2, 3, **REPLACING), 4
    model, T = trained(UNEVEN, schedule), 3
    own, other = 0.0, 0.0
    for (c, network), t in itertools.product(enumerate(model.networks), range(1, T + 1)):
        Q = steps_matrix(schedule, t)
        for start, z in itertools.product(range(2), range(3)):
            told = network(torch.tensor([[z]]), torch.tensor([t]))[0, :, 0].softmax(0)
            weight = float(UNEVEN.conditional[c, start] * Q[start, z]) / (T * 3)
            own -= weight * math.log(told[start])
            for k in range(2):
                other -= weight * float(UNEVEN.marginal[k]) * math.log(told[k])
    ten = toy.lines_of_ten(model, N)
    assert ten["10e"] == pytest.approx(own - N * other)
    assert ten["trained: mean over negatives"] == pytest.approx(own - other)
    assert abs(ten["10e"] - ten["10d"]) > 0.01, "10 says equal"
