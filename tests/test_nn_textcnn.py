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
