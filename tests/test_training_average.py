"""The average of weights: by hand, and what it leaves alone."""

import pytest
import torch
from torch import nn

from pasdedeux.training.average import Average


def _module():
    torch.manual_seed(0)
    made = nn.Linear(3, 2)
    made.register_buffer("state", torch.zeros(5))
    return made


def test_weights_are_averaged_and_buffers_taken_over():
    module = _module()
    average = Average(module, decay=0.75)
    expected = module.weight.detach().clone()
    for step in range(3):
        with torch.no_grad():
            module.weight += 1.0
            module.state += step
        average.follow(module)
        expected = 0.75 * expected + 0.25 * module.weight.detach()
    assert torch.allclose(average.inner.weight, expected)
    assert torch.equal(average.inner.bias, module.bias)
    assert torch.equal(average.inner.state, module.state)


def test_it_learns_nothing_and_shares_nothing():
    module = _module()
    average = Average(module, decay=0.0)
    assert not any(weight.requires_grad for weight in average.parameters())
    with torch.no_grad():
        module.weight.zero_()
    assert average.inner.weight.any()
    average.follow(module)
    assert not average.inner.weight.any()


def test_a_decay_that_never_moves_is_refused():
    with pytest.raises(ValueError, match="decay must be in"):
        Average(_module(), decay=1.0)
