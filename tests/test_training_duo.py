"""Several networks learning from one graph: each only from its own losses."""

import pytest
import torch
from torch import nn

from pasdedeux.training.duo import update_each


def _made():
    torch.manual_seed(0)
    first, second = nn.Linear(3, 5), nn.Linear(5, 2)
    return first, second, torch.randn(7, 3)


def test_each_takes_the_gradient_of_its_own_losses_from_the_shared_graph():
    first, second, x = _made()
    hidden = first(x)
    out = second(hidden)
    one, other = hidden.square().mean(), out.square().mean()
    wanted = torch.autograd.grad(one, first.weight, retain_graph=True)[0]
    also = torch.autograd.grad(2.0 * other, second.weight, retain_graph=True)[0]
    before = [module.weight.detach().clone() for module in (first, second)]
    told = update_each(
        {
            "a": (torch.optim.SGD(first.parameters(), 0.1), {"one": one}),
            "b": (torch.optim.SGD(second.parameters(), 0.1), {"other": other}),
        },
        weights={"other": 2.0},
    )
    assert torch.allclose(first.weight, before[0] - 0.1 * wanted)
    assert torch.allclose(second.weight, before[1] - 0.1 * also)
    assert set(told) == {"one", "other", "norm a", "norm b"}


def test_a_loss_that_teaches_nothing_or_is_nan_is_refused_and_nothing_moves():
    first, second, x = _made()
    before = first.weight.detach().clone()
    optimizer = torch.optim.SGD(first.parameters(), 0.1)
    with pytest.raises(ValueError, match="the losses of 'a' reach none"):
        update_each({"a": (optimizer, {"one": second(first(x).detach()).mean()})})
    with pytest.raises(ValueError, match="loss 'one' is nan"):
        update_each({"a": (optimizer, {"one": first(x).mean() * float("nan")})})
    assert torch.equal(first.weight, before)
