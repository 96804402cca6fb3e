"""The toy chains: matrices against draws, the bound against every chain, samplers and pieces."""

import itertools

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.discrete import marginal, posterior
from pasdedeux.diffusion.sampling import sample
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.papers import toy_chain as toy

REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
CASES = [Schedule(3, 4), Schedule(3, 4, **REPLACING), Schedule(5, 7, gamma_T=0.9, uniform_T=0.09)]


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def kind(schedule):
    return f"K{schedule.codes}-T{schedule.steps}-{schedule.uniform_T:g}"


@pytest.mark.parametrize("schedule", CASES, ids=kind)
def test_rows_of_matrices_are_probabilities_and_mask_stays(schedule):
    for t in range(1, schedule.steps + 1):
        Q = toy.step_matrix(schedule, t)
        torch.testing.assert_close(Q.sum(1), torch.ones(schedule.codes + 1))
        assert Q[schedule.mask].tolist() == [0.0] * schedule.codes + [1.0]
        start = torch.arange(schedule.codes)[None]
        closed = marginal(schedule, start, torch.tensor([t]))[0].T
        torch.testing.assert_close(toy.steps_matrix(schedule, t)[:-1], closed)


@pytest.mark.parametrize("schedule", CASES, ids=kind)
def test_bayes_is_the_closed_posterior(schedule):
    K = schedule.codes
    for start, t in itertools.product(range(K), range(1, schedule.steps + 1)):
        noisy = torch.arange(K + 1)[None]
        closed = posterior(schedule, torch.full((1, K + 1), start), noisy, torch.tensor([t]))
        torch.testing.assert_close(closed[0].T, toy.bayes_posterior(schedule, start, t))


def test_a_walk_ends_as_the_product_of_its_steps_says():
    schedule = Schedule(3, 4, **REPLACING)
    rows = toy.walk(schedule, torch.zeros(20_000, dtype=torch.long), generator(0, "walk"))
    assert rows.shape == (5, 20_000)
    assert (rows[0] == 0).all()
    masked = rows == schedule.mask
    assert (masked[1:] | ~masked[:-1]).all(), "MASK stays MASK"
    for t in (1, 2, 4):
        share = torch.bincount(rows[t], minlength=4) / 20_000
        torch.testing.assert_close(share, toy.steps_matrix(schedule, t)[0], atol=0.012, rtol=0)


@pytest.mark.parametrize("schedule", [Schedule(2, 3, **REPLACING), Schedule(3, 2)], ids=kind)
def test_chains_have_probabilities_that_sum_to_1_and_the_terms_sum_to_their_bound(schedule):
    network = toy.table_network(schedule)
    chains = toy.Chains(schedule, network)
    torch.testing.assert_close(chains.log_p.exp().sum(), torch.ones(()))
    for k in range(schedule.codes):
        torch.testing.assert_close(chains.expectation(torch.ones(len(chains.z)), k), torch.ones(()))
        total = sum(toy.bound_terms(schedule, network, k).values())
        assert total == pytest.approx(float(chains.bound()[k]), rel=1e-6)
    assert (chains.bound() >= -chains.evidence()).all()


def test_too_many_chains_are_refused():
    schedule = Schedule(5, 9)
    with pytest.raises(ValueError, match="too many chains"):
        toy.Chains(schedule, toy.table_network(schedule))


def test_tables_of_two_conditions_differ_and_repeat():
    schedule, t = Schedule(3, 2), torch.tensor([1, 2])
    noisy = torch.tensor([[0, 1, 2, 3, 0], [3, 3, 2, 1, 0]])
    one, other = (toy.table_network(schedule, condition=c)(noisy, t) for c in (0, 1))
    assert one.shape == (2, 3, 5)
    assert not torch.equal(one, other)
    assert torch.equal(one, toy.table_network(schedule)(noisy, t))


def test_the_perfect_network_is_bayes_over_all_pieces():
    """Against the joint law of piece and z_t, one position after the other."""
    schedule = Schedule(3, 3, **REPLACING)
    pieces = toy.Pieces(3, torch.tensor([[0, 1], [2, 1], [2, 0]]), torch.tensor([0.5, 0.2, 0.3]))
    Q = toy.steps_matrix(schedule, 2)
    for first, second in itertools.product(range(4), repeat=2):
        noisy = torch.tensor([[first, second]])
        found = pieces.predict_start(schedule)(noisy, torch.tensor([2]))[0].exp()
        joint = pieces.weights * Q[pieces.tokens[:, 0], first] * Q[pieces.tokens[:, 1], second]
        for position in range(2):
            for code in range(3):
                share = joint[pieces.tokens[:, position] == code].sum() / joint.sum()
                assert float(found[code, position]) == pytest.approx(float(share), abs=1e-12)


def test_a_trusting_network_says_what_it_sees_and_blur_goes_to_all_alike():
    schedule, pieces = Schedule(5, 6), toy.scales(5, 7)
    noisy = torch.tensor([[0, 3, 5, 5, 5, 5, 5]])  # no scale begins like this
    t = torch.tensor([4])
    said = pieces.predict_start(schedule, trusting=True)(noisy, t)[0].exp()
    assert said[:, 0].argmax() == 0
    assert said[:, 1].argmax() == 3
    torch.testing.assert_close(said[:, :2].amax(0), torch.ones(2))
    blurred = pieces.predict_start(schedule, trusting=True, blur=0.1)(noisy, t)[0].exp()
    torch.testing.assert_close(blurred, 0.9 * said + 0.02)
    torch.testing.assert_close(blurred.sum(0), torch.ones(7))


def test_steps_make_pieces_and_one_step_makes_none_but_by_chance():
    pieces = toy.scales(5, 6)
    assert toy.one_step_share(pieces) == pytest.approx(100 * 10 / 5**6)
    alone = toy.played(pieces, Schedule(5, 1), samples=2000)
    assert alone.right == pytest.approx(toy.one_step_share(pieces), abs=0.3)
    few, many = (toy.played(pieces, Schedule(5, T), trusting=True).right for T in (2, 40))
    assert few < 80 < many
    assert toy.played(pieces, Schedule(5, 40)).right > 99
    assert toy.played(toy.scales(5, 6, rising=1 - 1e-9), Schedule(5, 40)).second_half == 0


def test_named_tells_which_piece():
    pieces = toy.scales(4, 5)
    order = torch.tensor([3, 0, 7])
    assert pieces.named(pieces.tokens[order]).tolist() == [3, 0, 7]
    assert pieces.named(torch.zeros(1, 5, dtype=torch.long)).tolist() == [-1]


def test_what_copies_keeps_every_token_and_knows_no_other():
    schedule = Schedule(50, 6)
    network = toy.copies(schedule)
    noisy = torch.tensor([[7, 50, 0]])
    said = network(noisy, torch.tensor([3])).softmax(1)[0]
    assert said[7, 0] > 0.999
    torch.testing.assert_close(said[:, 1], torch.full((50,), 1 / 50))
    made = sample(network, schedule, (4, 30), generator(0, "copies"))
    assert len(made.unique()) > 25


def test_refusals():
    with pytest.raises(ValueError, match="schedule has 4 codes, the pieces 5"):
        toy.scales().predict_start(Schedule(4, 3))
    with pytest.raises(ValueError, match="blur must lie"):
        toy.scales().predict_start(Schedule(5, 3), blur=1.0)
