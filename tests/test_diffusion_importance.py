import pytest
import torch
from torch import nn

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.importance import StepSampler


def visited(steps, losses, times=11):
    sampler = StepSampler(steps)
    for _ in range(times):
        sampler.follow(torch.arange(1, steps + 1), torch.tensor(losses))
    return sampler


def test_steps_are_alike_until_each_has_more_than_ten_visits():
    assert torch.equal(visited(3, [1.0, 2.0, 8.0], 10).probabilities(), torch.full((3,), 1 / 3))
    assert visited(3, [1.0, 2.0, 8.0], 11).probabilities()[2] > 0.5


def test_probabilities_are_those_written_out():
    """Running mean 0.9 / 0.1 of squares from 0, root plus 1e-4, step 1 as step 2."""
    losses, mean = [5.0, 2.0, 8.0], [0.0, 0.0, 0.0]
    for _ in range(11):
        mean = [0.9 * old + 0.1 * loss**2 for old, loss in zip(mean, losses, strict=True)]
    root = [one**0.5 + 1e-4 for one in mean]
    root[0] = root[1]
    found = visited(3, losses).probabilities().tolist()
    assert found == pytest.approx([one / sum(root) for one in root], rel=1e-5)


def test_a_step_that_occurs_twice_moves_once_by_the_mean():
    sampler = StepSampler(5)
    sampler.follow(torch.tensor([4, 2, 4]), torch.tensor([3.0, 1.0, 5.0]))
    assert sampler.history.tolist() == pytest.approx([0, 0.1, 0, 0.1 * (9 + 25) / 2, 0])
    assert sampler.visits.tolist() == [0, 1, 0, 2, 0]


def test_draws_follow_the_probabilities_that_come_with_them():
    sampler = visited(3, [5.0, 2.0, 8.0])
    p = sampler.probabilities()
    t, probability = sampler.steps(20000, generator(0, "t"))
    share = torch.bincount(t, minlength=4)[1:] / len(t)
    assert (share - p).abs().max() < 5 * 0.5 / 20000**0.5
    assert torch.equal(probability, p[t - 1])
    # so that the mean of f(t) / (T p_t) is the plain mean over steps
    assert (1 / (3 * probability)).mean().item() == pytest.approx(1, abs=0.02)


def test_state_is_kept_apart_from_any_network():
    sampler = visited(3, [5.0, 2.0, 8.0])
    assert not list(sampler.parameters())
    again = StepSampler(3)
    again.load_state_dict(sampler.state_dict())
    assert torch.equal(again.probabilities(), sampler.probabilities())
    network = nn.Linear(2, 3)
    average = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    average.update_parameters(network)
    assert not {"history", "visits"} & set(dict(average.module.named_buffers()))


def test_one_step_is_no_special_case():
    sampler = visited(1, [2.0])
    t, probability = sampler.steps(4, generator(0, "t"))
    assert t.tolist() == [1, 1, 1, 1]
    assert probability.tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        StepSampler(0)
