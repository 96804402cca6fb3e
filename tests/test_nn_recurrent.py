import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.nn.recurrent import Recurrent, State

V, B, T = 7, 3, 5


@pytest.fixture
def model():
    return Recurrent(V, embedding=11, hidden=13).initialise(generator(0, "model"))


def test_weights_have_the_released_size_at_vocabulary_100():
    plain = Recurrent(100)
    begin_row = 32
    assert sum(p.numel() for p in plain.parameters()) - begin_row == 14_948


def test_likelihoods_over_all_sequences_sum_to_one():
    small = Recurrent(3, embedding=2, hidden=5).initialise(generator(1, "small"))
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    total = small.log_likelihood(every).sum(dim=1).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_advance_reads_what_the_lstm_reads(model):
    tokens = torch.randint(V, (B, T), generator=generator(0, "tokens"))
    state, heard = model.start(B), torch.full((B,), V)
    for t in range(T):
        state = model.advance(model.gates(), state, heard)
        heard = tokens[:, t]
        torch.testing.assert_close(model.head(state.hidden), model(tokens)[:, t])


def test_logits_see_no_future(model):
    tokens = torch.randint(V, (B, T), generator=generator(0, "tokens"))
    changed = tokens.clone()
    changed[:, 3] = (changed[:, 3] + 1) % V
    torch.testing.assert_close(model(tokens)[:, :4], model(changed)[:, :4])
    assert not torch.allclose(model(tokens)[:, 4], model(changed)[:, 4])


def test_samples_are_as_frequent_as_the_model_says():
    small = Recurrent(3, embedding=2, hidden=5)
    for weight in small.parameters():
        torch.nn.init.normal_(weight, generator=generator(3, "loud"))
    count = 20_000
    drawn = small.sample(torch.rand(count, 2, generator=generator(3, "draws")))
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    chance = small.log_likelihood(every).sum(dim=1).exp()
    seen = torch.stack([(drawn == pair).all(dim=1).float().mean() for pair in every])
    error = (chance * (1 - chance) / count).sqrt()
    assert ((seen - chance).abs() < 5 * error).all()


def test_draw_inverts_the_cumulative_distribution(model):
    state = State(torch.randn(1, 13, generator=generator(0, "h")), torch.zeros(1, 13))
    cumulative = model.head(state.hidden).softmax(dim=1).cumsum(dim=1)[0]
    for token in range(V):
        inside = cumulative[token].item() - 1e-4
        assert model.draw(state, torch.tensor([inside])).item() == token
    assert model.draw(state, torch.tensor([0.9999999])).item() == V - 1
    assert model.draw(state, torch.tensor([0.0])).item() == 0


def test_begin_is_never_emitted(model):
    drawn = model.sample(torch.rand(200, T, generator=generator(0, "u")))
    assert drawn.max() < V
