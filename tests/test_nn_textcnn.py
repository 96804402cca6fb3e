import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.nn.textcnn import TextCNN

V, B, T = 7, 3, 11
SIZES = {"widths": (1, 3, 4), "filters": (2, 5, 3), "embedding": 13}


@pytest.fixture
def critic():
    return TextCNN(V, **SIZES).initialise(generator(0, "critic"))


def tokens(count=B):
    return torch.randint(V, (count, T), generator=generator(0, "tokens"))


def test_convolution_and_highway_by_hand():
    critic = TextCNN(V, widths=(2,), filters=(1,), embedding=1).initialise(generator(2, "one"))
    x = torch.tensor([[3, 1, 4, 1, 5], [2, 2, 6, 0, 3]])
    weight, bias = critic.convolutions[0].weight[0, 0], critic.convolutions[0].bias[0]
    value = critic.embedding.weight[:, 0]
    for row, score in zip(x, critic(x), strict=True):
        steps = [weight[0] * value[a] + weight[1] * value[b] + bias for a, b in row.unfold(0, 2, 1)]
        feature = torch.stack(steps).max().relu()
        gate = (critic.gate.weight[0, 0] * feature + critic.gate.bias[0]).sigmoid()
        carried = (critic.carry.weight[0, 0] * feature + critic.carry.bias[0]).relu()
        expected = critic.head.weight[0, 0] * (gate * carried + (1 - gate) * feature)
        torch.testing.assert_close(score, expected)


def test_table_look_up_scores_as_the_convolutions_do(critic):
    torch.testing.assert_close(critic.score(tokens(29)), critic(tokens(29)).detach())


def plain(critic, embedded):
    """The textbook form: every convolution at every position, then the maximum."""
    found = [layer(embedded.transpose(1, 2)).amax(dim=2) for layer in critic.convolutions]
    return critic._judge(found)


@pytest.mark.parametrize("how", ["tokens", "embedded"])
def test_scores_and_gradients_are_those_of_plain_convolutions(critic, how):
    def gradients(scores):
        weights = torch.linspace(-1, 2, len(scores))
        return torch.autograd.grad((scores * weights).sum(), list(critic.parameters()))

    x = tokens(29)
    ours = critic(x) if how == "tokens" else critic.from_embedded(critic.embedding(x))
    theirs = plain(critic, critic.embedding(x))
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(gradients(ours), gradients(theirs), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_slope_at_mixed_embeddings_and_its_gradient_are_the_plain_ones(critic):
    mixed = torch.randn(5, T, 13, generator=generator(0, "mixed")).requires_grad_()

    def penalty(scores):
        (slope,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
        value = slope.square().sum()
        return value, torch.autograd.grad(value, critic.convolutions[1].weight)[0]

    for ours, theirs in zip(
        penalty(critic.from_embedded(mixed)), penalty(plain(critic, mixed)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_full_size_is_the_released_one():
    filters = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
    critic = TextCNN(
        100, widths=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20), filters=filters, embedding=64
    )
    assert sum(filters) == 1720
    assert sum(p.numel() for p in critic.gate.parameters()) * 2 == 2 * (1720 * 1720 + 1720)
    assert 6.6e6 < sum(p.numel() for p in critic.parameters()) < 6.8e6


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        TextCNN(V, widths=(1, 2), filters=(3,), embedding=5)
