import inspect
import math

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion import sampling
from pasdedeux.diffusion.discrete import posterior
from pasdedeux.diffusion.sampling import (
    denoised,
    denoising,
    drawn_start,
    leaked,
    sample,
    truncated,
)
from pasdedeux.diffusion.schedule import Schedule

REPLACING = {"gamma_T": 0.7, "uniform_T": 0.2, "gamma_1": 0.1, "uniform_1": 0.1}
B, K, L = 3, 5, 7
COUNT = 20000
SURE = 5 * 0.5 / math.sqrt(COUNT)  # five standard deviations of a share


def nucleus(p, truncation):
    """The definition, one code after the other."""
    kept, mass = [], 0.0
    for k in sorted(range(len(p)), key=lambda k: -p[k]):
        if kept and mass >= truncation:
            break
        kept.append(k)
        mass += p[k]
    return [p[k] / mass if k in kept else 0.0 for k in range(len(p))]


@pytest.mark.parametrize("truncation", [1e-6, 0.5, 0.86, 1.0])
def test_truncation_keeps_the_likeliest_up_to_the_one_that_crosses(truncation):
    p = (2 * torch.randn(B, K, L, generator=generator(0, "p"))).softmax(1)
    found = truncated(p, truncation)
    for b in range(B):
        for place in range(L):
            expected = nucleus(p[b, :, place].tolist(), truncation)
            assert found[b, :, place].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_truncation_worked_by_hand():
    p = torch.tensor([0.1, 0.5, 0.05, 0.3, 0.05])[None, :, None]
    assert truncated(p, 0.86)[0, :, 0].tolist() == pytest.approx([1 / 9, 5 / 9, 0, 1 / 3, 0])
    assert truncated(p, 0.5)[0, :, 0].tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("truncation", [0.4, 0.86, 1.0])
def test_draws_without_sorting_have_the_law_of_truncated(truncation):
    p = (1.5 * torch.randn(B, K, 1, generator=generator(0, "p"))).softmax(1)
    rows = p[:, :, 0].repeat_interleave(COUNT, 0)
    found = drawn_start(rows, generator(0, "draw"), truncation).view(B, COUNT)
    share = torch.nn.functional.one_hot(found, K).float().mean(1)
    expected = truncated(p, truncation)[:, :, 0]
    assert (share - expected).abs().max() < SURE
    assert (share[expected == 0] == 0).all()


@pytest.mark.parametrize("masses", [{}, REPLACING], ids=["shipped", "replacing"])
@pytest.mark.parametrize("stride", [1, 3])
def test_denoised_draws_have_the_posterior(masses, stride):
    schedule = Schedule(3, 4, **masses)
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(4))
    start, noisy = (one[:, None].expand(-1, COUNT) for one in pairs.T)
    for step in (1, 2, 4):
        t = torch.full((len(pairs),), step)
        found = denoised(schedule, noisy, start, t, generator(0, "z", step), stride=stride)
        share = torch.nn.functional.one_hot(found, 4).float().mean(1)
        expected = posterior(schedule, start[:, :1], noisy[:, :1], t, stride=stride)[:, :, 0]
        assert (share - expected).abs().max() < SURE


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sampling_begins_all_masked_and_ends_without_a_mask(stride):
    schedule, seen = Schedule(K, 7), []

    def predict_start(noisy, t):
        seen.append((t.tolist(), noisy.clone()))
        return torch.randn(B, K, L, generator=generator(0, "logits", len(seen)))

    states = list(denoising(predict_start, schedule, (B, L), generator(0, "draw"), stride=stride))
    assert [t for t, _ in states] == [*range(7, 0, -stride), 0]
    assert (states[0][1] == K).all()
    assert (seen[0][1] == K).all()
    assert [t for t, _ in seen] == [[t] * B for t in range(7, 0, -stride)]
    final = states[-1][1]
    assert ((final >= 0) & (final < K)).all()
    again = sample(predict_start, schedule, (B, L), generator(0, "draw"), stride=stride)
    assert again.shape == final.shape


def test_equal_generators_give_equal_samples():
    schedule = Schedule(K, 4)
    logits = torch.randn(B, K, L, generator=generator(0, "logits"))
    one, same, other = (
        sample(lambda noisy, t: logits, schedule, (B, L), generator(seed, "s"))
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("masses", [{}, REPLACING], ids=["shipped", "replacing"])
def test_a_network_that_knows_is_followed_and_one_that_guesses_gives_its_law(masses):
    schedule = Schedule(K, 4, **masses)
    truth = torch.randint(K, (B, L), generator=generator(0, "truth"))
    certain = 50 * torch.nn.functional.one_hot(truth, K).mT.float()
    found = sample(lambda noisy, t: certain, schedule, (B, L), generator(0, "s"))
    assert torch.equal(found, truth)
    p = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
    logits = p.log()[None, :, None].expand(1, K, COUNT)
    found = sample(
        lambda noisy, t: logits, Schedule(K, 4), (1, COUNT), generator(0, "s"), truncation=1.0
    )
    assert (torch.bincount(found[0], minlength=K) / COUNT - p).abs().max() < SURE


def test_ground_truth_is_no_argument_of_sample():
    for function in (sample, denoising):
        names = list(inspect.signature(function).parameters)
        assert names == [
            "predict_start", "schedule", "size", "draw", "truncation", "stride", "device"
        ]  # fmt: skip
    assert "demonstration only" in sampling.leaked.__doc__


def test_the_released_start_shows_nine_tenths_of_the_truth():
    """A network that copies what it sees and guesses the rest seems to have learnt the music."""
    schedule = Schedule(256, 80)
    truth = torch.randint(256, (B, 1000), generator=generator(0, "truth"))
    calls = []

    def copyist(noisy, t):
        calls.append(t)
        return 50 * torch.nn.functional.one_hot(noisy, 257).mT[:, :256].float()

    found = leaked(copyist, schedule, truth, generator(0, "leak"))
    assert len(calls) == 8
    assert (found == truth).float().mean().item() == pytest.approx(0.911, abs=0.02)
    honest = sample(copyist, Schedule(256, 5), (B, 1000), generator(0, "honest"))
    assert (honest == truth).float().mean() < 0.02


def test_wrong_settings_are_refused():
    schedule = Schedule(K, 4)
    truth = torch.zeros(B, L, dtype=torch.long)
    draw = generator(0, "draw")
    with pytest.raises(ValueError, match="begins at step 0; use `sample`"):
        leaked(lambda noisy, t: noisy, schedule, truth, draw, leak_ratio=0.1)
    with pytest.raises(ValueError, match="truth must hold codes from 0 to 4"):
        leaked(lambda noisy, t: noisy, schedule, truth + 9, draw, leak_ratio=0.5)
    with pytest.raises(ValueError, match=r"truncation must lie in \(0, 1\], got 1.5"):
        truncated(torch.ones(B, K, L) / K, 1.5)
