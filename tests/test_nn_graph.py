"""ST-GCN: the partition by hand, the convolution written out, classes learned."""

import pytest
import torch

from pasdedeux.nn import graph

TREE = (-1, 0, 0, 1)  # a root with two children, one of them with a child
B, T, C, J = 2, 13, 5, 4


def test_the_partition_by_hand():
    own, children, parent = graph.partition(TREE)
    share = torch.tensor([1 / 3, 1 / 3, 1 / 2, 1 / 2])
    torch.testing.assert_close(own, torch.diag(share))
    assert children.nonzero().tolist() == [[1, 0], [2, 0], [3, 1]]
    assert parent.nonzero().tolist() == [[0, 1], [0, 2], [1, 3]]
    torch.testing.assert_close((own + children + parent).sum(0), torch.ones(4))


def test_a_layer_is_the_sum_over_parts_and_neighbours_written_out():
    torch.manual_seed(0)
    layer = graph.GraphLayer(C, 3, TREE, first=True).double().eval()
    torch.nn.init.normal_(layer.importance)
    x = torch.randn(B, C, T, J, dtype=torch.float64)
    mixed = torch.zeros(B, 3, T, J, dtype=torch.float64)
    weight = layer.mixes.weight.view(3, 3, C)
    bias = layer.mixes.bias.view(3, 3)
    for k in range(3):
        for v in range(J):
            for w in range(J):
                bone = layer.bones[k, v, w] * layer.importance[k, v, w]
                for t in range(T):
                    mixed[:, :, t, w] += bone * (x[:, :, t, v] @ weight[k].T + bias[k])
    torch.testing.assert_close(layer(x), layer.follows(mixed).relu())


def test_time_is_halved_where_the_width_changes():
    net = graph.GraphNetwork(TREE, (5, 5, 7, 7, 11), 3).eval()
    maps = net.maps(torch.randn(B, T, J, 3))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (5, 13, 4), (5, 13, 4), (7, 7, 4), (7, 7, 4), (11, 4, 4)
    ]  # fmt: skip
    assert net(torch.randn(B, T, J, 3)).shape == (B, 3)


def test_dances_of_a_batch_do_not_mix_when_it_no_longer_learns():
    net = graph.GraphNetwork(TREE, (5, 7), 3).eval()
    x = torch.randn(B, T, J, 3)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


def test_it_learns_to_tell_high_from_low():
    torch.manual_seed(0)
    net = graph.GraphNetwork(TREE, (5, 7), 2)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    labels = torch.arange(22) % 2
    for _ in range(30):
        x = torch.randn(22, T, J, 3) + labels[:, None, None, None]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()
    x = torch.randn(22, T, J, 3) + labels[:, None, None, None]
    assert (net.eval()(x).argmax(-1) == labels).float().mean() > 0.9


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="widths must be at least one"):
        graph.GraphNetwork(TREE, (), 2)
