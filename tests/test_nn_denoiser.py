"""The denoiser: equal to the shared Transformer, sizes of the release, what reaches what."""

from dataclasses import replace

import pytest
import torch

from pasdedeux.nn.denoiser import Denoiser, DenoiserConfig, Gelu2, OnePosition
from pasdedeux.nn.transformer import Attention

TINY = DenoiserConfig(codes=11, positions=7, steps=5, width=12, layers=2, heads=3, condition=13)


def _inputs(config, seed=0):
    draw = torch.Generator().manual_seed(seed)
    noisy = torch.randint(config.codes + 1, (3, config.positions), generator=draw)
    t = torch.tensor([1, 3, config.steps])
    positions = config.condition_positions
    return noisy, t, torch.randn(3, positions, config.condition, generator=draw)


def test_one_position_adds_what_attention_with_any_queries_would():
    torch.manual_seed(0)
    full, short = Attention(12, 3, 13, 0.0), OnePosition(12, 13)
    with torch.no_grad():
        short.values.weight.copy_(full.keys_values.weight[12:])
        short.values.bias.copy_(full.keys_values.bias[12:])
    short.out.load_state_dict(full.out.state_dict())
    memory = torch.randn(2, 1, 13)
    for seed in (1, 2):
        x = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(seed))
        expected = full(x, *full.read(memory))
        assert torch.allclose(short(x, *short.read(memory)).expand_as(x), expected, atol=1e-6)


def test_the_whole_denoiser_equals_the_one_with_queries_and_keys():
    torch.manual_seed(0)
    short, full = Denoiser(TINY), Denoiser(replace(TINY, condition_positions=2))
    state = full.state_dict()
    for name, value in short.state_dict().items():
        if "attend_memory.values" in name:
            state[name.replace("values", "keys_values")][12:] = value
        else:
            state[name] = value
    full.load_state_dict(state)
    noisy, t, condition = _inputs(TINY)
    assert torch.allclose(short(noisy, t, condition), full(noisy, t, condition), atol=1e-6)


@pytest.mark.parametrize("positions", [1, 4])
def test_every_parameter_learns_and_every_input_counts(positions):
    torch.manual_seed(0)
    config = replace(TINY, condition_positions=positions)
    made = Denoiser(config)
    with torch.no_grad():  # far from the beginning, where all that is said is nearly the same
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    noisy, t, condition = _inputs(config)
    noisy[0] = torch.arange(7)
    logits = made(noisy, t, condition.requires_grad_())
    assert logits.shape == (3, 11, 7)
    logits.square().sum().backward()
    seen = {int(token) for token in noisy.unique()}
    rows = {"tokens.weight": seen, "steps.weight": {0, 2, 4}}
    for name, parameter in made.named_parameters():
        reached = parameter.grad.abs().flatten(1).sum(1) > 0 if name in rows else None
        if reached is None:
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert set(reached.nonzero()[:, 0].tolist()) == rows[name]
    assert (condition.grad.abs().sum((0, 2)) > 0).all()
    assert not torch.allclose(made(noisy, t % 5 + 1, condition), logits)
    assert not torch.allclose(made((noisy + 1) % 12, t, condition), logits)


def test_places_are_told_apart_and_places_see_each_other():
    torch.manual_seed(0)
    made = Denoiser(replace(TINY, width=24))
    noisy, t, condition = torch.full((2, 7), 11), torch.tensor([2, 4]), torch.randn(2, 1, 13)
    logits = made(noisy, t, condition)
    assert not torch.allclose(logits[..., 0], logits[..., 1])
    other = noisy.clone()
    other[:, 6] = 3
    assert (made(other, t, condition)[..., 0] - logits[..., 0]).abs().max() > 1e-6


def test_the_condition_is_read_once_for_all_steps():
    torch.manual_seed(0)
    for positions in (1, 4):
        config = replace(TINY, condition_positions=positions)
        made = Denoiser(config)
        noisy, t, condition = _inputs(config)
        assert torch.equal(made(noisy, t, made.read(condition)), made(noisy, t, condition))


def test_the_paper_size_has_the_parameters_of_the_release():
    """409.9 M in the released settings with T = 80: this one, one table of steps for each of 38
    normalisations instead of one for all, and the fusion of 3328 numbers with 10 genres of 256.
    """
    with torch.device("meta"):
        whole = Denoiser(DenoiserConfig(2048, 344, condition_positions=2))
        ours = Denoiser(DenoiserConfig(2048, 344))
        logits = ours(
            torch.zeros(2, 344, dtype=torch.long), torch.ones(2).long(), torch.zeros(2, 1, 1024)
        )
    assert logits.shape == (2, 2048, 344)
    counts = [sum(p.numel() for p in made.parameters()) for made in (whole, ours)]
    released = counts[0] + 37 * 80 * 1024 + 3329 * 1024 + 10 * 256
    assert released / 1e6 == pytest.approx(409.9, abs=0.05)
    # queries, keys and a modulation of 2 widths, which change nothing with one position
    d, layers = 1024, 19
    assert counts[0] - counts[1] == layers * (4 * d * d + 4 * d)


@pytest.mark.parametrize("width", [96, 512])
def test_what_is_seen_is_the_likeliest_at_first_unless_begun_as_released(width):
    found = {}
    for start in ("copying", "released"):
        torch.manual_seed(0)
        made = Denoiser(DenoiserConfig(211, 23, width=width, layers=2, heads=4, start=start))
        noisy = torch.randint(211, (5, 23), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            logits = made(noisy, torch.ones(5).long(), torch.randn(5, 1, 1024) / 4)
        found[start] = (logits.argmax(1) == noisy).float().mean().item()
    assert found["copying"] > 0.9
    assert found["released"] < 0.1
    assert made.head.weight is not made.tokens.weight


def test_gelu2_is_its_formula_and_near_to_gelu():
    x = torch.linspace(-5, 5, 101)
    assert torch.allclose(Gelu2()(x), x / (1 + torch.exp(-1.702 * x)))
    assert (Gelu2()(x) - torch.nn.functional.gelu(x)).abs().max() < 0.03
    kinds = {type(block.mlp[1]) for block in Denoiser(TINY).transformer.blocks}
    assert kinds == {Gelu2}
    plain = Denoiser(replace(TINY, activation="relu")).transformer.blocks[0]
    assert isinstance(plain.mlp[1], torch.nn.ReLU)


@pytest.mark.parametrize(
    ("noisy", "t", "told"),
    [
        (torch.full((2, 7), 12), [1, 2], r"noisy must lie in 0 .. 11, got 12 to 12"),
        (torch.full((2, 7), -1), [1, 2], r"noisy must lie in 0 .. 11, got -1 to -1"),
        (torch.zeros(2, 6, dtype=torch.long), [1, 2], "noisy must have 7 positions, got 6"),
        (torch.zeros(2, 7, dtype=torch.long), [0, 2], r"t must lie in 1 .. 5, got 0 to 2"),
    ],
)
def test_tokens_and_steps_there_are_not_are_refused(noisy, t, told):
    with pytest.raises(ValueError, match=told):
        Denoiser(TINY)(noisy, torch.tensor(t), torch.zeros(2, 1, 13))


def test_a_condition_of_more_positions_than_said_is_refused():
    noisy, t, _ = _inputs(TINY)
    with pytest.raises(ValueError, match="the condition must have 1 position, got 2"):
        Denoiser(TINY)(noisy, t, torch.zeros(3, 2, 13))
    with pytest.raises(ValueError, match="codes must be at least 1, got 0"):
        replace(TINY, codes=0)
