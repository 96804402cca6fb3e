"""The motion encoder: sizes of the sources, by hand, what reaches what, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pasdedeux.nn.motion_encoder import (
    SHAPES,
    SLOPE,
    MotionConfig,
    MotionEncoder,
    TemporalEncoder,
    Unit,
    encoder,
    lines,
)

TINY = MotionConfig(
    frames=7, features=5, width=13, length=41, channels=(3, 2, 4, 1), kernels=(6, 4, 4, 4)
)
MANY = replace(TINY, frames=29, positions=11)


@pytest.mark.parametrize("name", SHAPES)
def test_800_places_become_786_under_every_source(name):
    shape = SHAPES[name]
    assert MotionConfig(60, channels=shape.channels, kernels=shape.kernels).left == 786


@pytest.mark.parametrize(("name", "millions"), [("D2M-GAN, TikTok", 31.4), ("CDCD, AIST++", 36.0)])
def test_the_released_sizes_have_as_many_parameters_as_counted_in_the_releases(name, millions):
    """Counted by constructing the released modules, for 120 frames of 219 features."""
    shape = SHAPES[name]
    with torch.device("meta"):
        made = MotionEncoder(MotionConfig(120, channels=shape.channels, kernels=shape.kernels))
    count = sum(parameter.numel() for parameter in made.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_unit_is_its_formula():
    torch.manual_seed(0)
    unit, x = Unit(3, 9).double(), torch.randn(2, 3, 31).double()
    padded = nn.ReflectionPad1d(9)(F.leaky_relu(x, SLOPE))
    inner = F.conv1d(padded, unit.wide.weight, unit.wide.bias, dilation=9)
    outer = F.conv1d(F.leaky_relu(inner, SLOPE), unit.narrow.weight, unit.narrow.bias)
    assert torch.allclose(unit(x), F.conv1d(x, unit.shortcut.weight, unit.shortcut.bias) + outer)


def test_the_published_form_is_the_chain_of_its_table():
    torch.manual_seed(0)
    made, motion = MotionEncoder(TINY), torch.randn(3, 7, 5)
    x = made.convolutions[0](made.spread(motion))
    for stack, convolution in zip(made.stacks, made.convolutions[1:], strict=True):
        x = convolution(F.leaky_relu(stack(x), SLOPE))
    assert torch.equal(made(motion), made.out(x))
    assert made(motion).shape == (3, 1, 13)


@pytest.mark.parametrize("config", [TINY, MANY], ids=["token", "temporal"])
def test_every_weight_and_every_frame_reaches_the_condition(config):
    torch.manual_seed(0)
    made = encoder(config)
    motion = torch.randn(2, config.frames, 5, requires_grad=True)
    condition = made(motion)
    assert condition.shape == (2, config.positions or 1, 13)
    condition.square().sum().backward()
    assert (motion.grad.abs().sum((0, 2)) > 0).all()
    still = [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0]
    assert not still, f"without gradient: {still}"


def test_released_first_weights_are_small_and_units_are_normalised():
    torch.manual_seed(0)
    config = replace(TINY, frames=50, channels=(64, 64, 64, 1), start="released")
    big = MotionEncoder(config)
    assert all(c.weight.std().item() == pytest.approx(0.02, rel=0.2) for c in big.convolutions)
    names = [name for name, _ in big.named_parameters() if "parametrizations" in name]
    assert len(names) == 2 * 3 * 4 * 3  # size and direction; three convolutions; four units; stacks


@pytest.mark.parametrize("positions", [None, 11], ids=["token", "temporal"])
def test_the_signal_keeps_its_size_unless_begun_as_released(positions):
    torch.manual_seed(0)
    wide = MotionConfig(
        frames=50, features=219, width=61, length=100, channels=(32, 48, 64, 64, 1),
        positions=positions,
    )  # fmt: skip
    motion = torch.randn(29, 50, 219)
    spread = {}
    for start in ("kept", "released"):
        with torch.no_grad():
            made = encoder(replace(wide, start=start))(motion)
        spread[start] = made.std(0).mean().item()
    assert 0.3 < spread["kept"] < 3
    assert spread["released"] < 0.1


def test_lines_read_between_frames_as_numpy_does():
    for frames, positions in ((50, 43), (29, 11), (7, 7), (5, 13)):
        read = lines(frames, positions).numpy()
        values = np.random.default_rng(0).normal(size=frames)
        at = (np.arange(positions) + 0.5) * frames / positions
        expected = np.interp(at, np.arange(frames) + 0.5, values)
        assert np.allclose(read @ values, expected, atol=1e-6)
        assert np.allclose(read.sum(1), 1)
    assert np.array_equal(lines(7, 7).numpy(), np.eye(7))


def test_the_temporal_form_keeps_when_it_was():
    """What happens at one end of the window moves the vectors there more than those far away."""
    torch.manual_seed(0)
    made = TemporalEncoder(replace(MANY, frames=101))
    for unit in made.units:  # the widest look over most of the window; these stay near
        unit.dilation, unit.wide.dilation = 1, (1,)
    still = torch.randn(2, 101, 5)
    moved = still.clone()
    moved[:, -3:] += 1
    apart = (made(moved) - made(still)).abs().sum((0, 2))
    assert apart[-1] > 0
    assert (apart[:9] == 0).all()


@pytest.mark.parametrize("config", [TINY, MANY], ids=["token", "temporal"])
def test_windows_that_cannot_be_read_are_refused(config):
    made, T = encoder(config), config.frames
    with pytest.raises(ValueError, match=f"must have {T} frames of 5 features, got {T - 1} of 5"):
        made(torch.zeros(2, T - 1, 5))
    with pytest.raises(ValueError, match="motion must be finite"):
        made(torch.full((2, T, 5), float("nan")))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"length": 38}, "length must leave 28 places for the units and 1 in the end, 38 leaves"),
        ({"channels": (3, 2, 4)}, "channels and kernels must be of one length above 3"),
        ({"kernels": (6, 0, 4, 4)}, "channels and kernels must be at least 1"),
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"positions": 0}, "positions must be at least 1 or None, got 0"),
        ({"positions": 5}, "frames must be at least 28 in the temporal form, got 7"),
    ],
)
def test_sizes_that_leave_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        replace(TINY, **wrong)
