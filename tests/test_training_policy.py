import pytest
import torch
from torch import nn

from pasdedeux.base.seeding import generator
from pasdedeux.nn.recurrent import Recurrent
from pasdedeux.training import policy

V, B, T, N = 5, 3, 7, 2


@pytest.fixture
def model():
    return Recurrent(V, embedding=11, hidden=13).initialise(generator(0, "model"))


def naive_rollouts(model, tokens, uniform, prefixes):
    """Run each rollout of each prefix from the first token, as public SeqGAN code does."""
    out = torch.empty(*uniform.shape, dtype=torch.long)
    for m, prefix in enumerate(prefixes):
        for n in range(uniform.shape[1]):
            state, table = model.start(len(tokens)), model.gates()
            heard, row = torch.full((len(tokens),), model.vocabulary), []
            for t in range(tokens.shape[1]):
                state = model.advance(table, state, heard)
                heard = tokens[:, t] if t < prefix else model.draw(state, uniform[m, n, :, t])
                row.append(heard)
            out[m, n] = torch.stack(row, dim=1)
    return out


@pytest.mark.parametrize("stride", [1, 2, 3, 6])
def test_rollouts_equal_the_naive_ones_for_the_same_random_numbers(model, stride):
    tokens = model.sample(torch.rand(B, T, generator=generator(0, "tokens")))
    prefixes = policy.prefix_lengths(T, stride)
    uniform = torch.rand(len(prefixes), N, B, T, generator=generator(0, "roll", stride))
    with torch.no_grad():
        expected = naive_rollouts(model, tokens, uniform, prefixes)
    found = policy.rollouts(model, tokens, uniform, stride=stride)
    assert torch.equal(found.completed, expected)
    for m, prefix in enumerate(prefixes):
        assert torch.equal(
            found.completed[m, :, :, :prefix], tokens[:, :prefix].expand(N, B, prefix)
        )


def test_rewards_put_each_score_at_its_token():
    tokens = torch.arange(B * T).view(B, T) % V
    completed = torch.zeros(2, N, B, T, dtype=torch.long)
    completed[0, 0], completed[0, 1], completed[1] = 1, 3, 4
    rolled = policy.Rollouts(completed, (3, 5))
    found = policy.rewards(lambda x: x.float().mean(dim=1), tokens, rolled)
    whole = tokens.float().mean(dim=1)
    for t, expected in enumerate([2.0, 2.0, 2.0, 4.0, 4.0]):
        assert torch.equal(found[:, t], torch.full((B,), expected))
    torch.testing.assert_close(found[:, 5], whole)
    torch.testing.assert_close(found[:, 6], whole)


def test_policy_gradient_is_unbiased_by_brute_force():
    """Over all sequences, E[sum_t grad log p(s_t) Q_t] is the gradient of E[score] exactly."""
    model = Recurrent(3, embedding=2, hidden=5)
    for weight in model.parameters():
        nn.init.normal_(weight, generator=generator(5, "loud"))
    every = torch.cartesian_prod(*[torch.arange(3)] * 3)
    score = torch.randn(len(every), generator=generator(5, "score"))

    def of(sequences):
        return score[(sequences * torch.tensor([9, 3, 1])).sum(dim=1)]

    chance = model.log_likelihood(every).sum(dim=1).exp()
    exact = torch.autograd.grad((chance * of(every)).sum(), list(model.parameters()))
    q = torch.empty(len(every), 3)
    with torch.no_grad():
        for t in range(3):
            same = (every[:, None, : t + 1] == every[None, :, : t + 1]).all(dim=2).float()
            weight = same * chance.detach()
            q[:, t] = (weight * of(every)).sum(dim=1) / weight.sum(dim=1)
    likelihood = model.log_likelihood(every)
    estimate = (chance.detach()[:, None] * likelihood * q).sum()
    for ours, theirs in zip(
        torch.autograd.grad(estimate, list(model.parameters())), exact, strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)


def test_standardised_ignores_any_shift_and_scale():
    reward = torch.randn(B, T, generator=generator(0, "r"))
    torch.testing.assert_close(
        policy.standardised(3 * reward + 100), policy.standardised(reward), atol=1e-4, rtol=1e-4
    )


def test_advantage_has_no_mean_at_any_time_step():
    found = policy.advantage(torch.randn(B, T, generator=generator(0, "r")))
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(T), atol=1e-6, rtol=0)


def test_follow_keeps_the_named_share():
    late, live = nn.Linear(2, 3), nn.Linear(2, 3)
    before = late.weight.detach().clone()
    policy.follow(late, live, keep=0.8)
    torch.testing.assert_close(late.weight.detach(), 0.8 * before + 0.2 * live.weight.detach())
    with pytest.raises(ValueError, match="keep must be in"):
        policy.follow(late, live, keep=1.0)


def test_wrong_shapes_are_refused(model):
    with pytest.raises(ValueError, match=r"uniform must be \(3, rollouts, 3, 7\)"):
        policy.rollouts(
            model, torch.zeros(B, T, dtype=torch.long), torch.rand(2, N, B, T), stride=2
        )
    with pytest.raises(ValueError, match="stride must be at least 1"):
        policy.prefix_lengths(T, 0)
