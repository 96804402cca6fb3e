"""The networks of D2M-GAN: their published sizes and parameters, and what they see."""

import pytest
import torch
from torch.nn import functional as F

from pasdedeux.nn.latent_gan import Discriminator, Generator, places

B, T, D, E = 2, 17, 3, 5


def _generator(**sizes):
    torch.manual_seed(0)
    return Generator(E, frames=T, width=D, channels=2, **sizes)


@pytest.mark.parametrize(("seconds", "tokens"), [(2, 344), (4, 689), (6, 1033)])
def test_the_generator_makes_as_many_frames_as_there_are_tokens(seconds, tokens):
    with torch.device("meta"):
        made = Generator(E, frames=tokens, width=D, channels=1)(torch.zeros(B, E))
    assert made.shape == (B, tokens, D)
    assert places(344) == 2058, "as published"


def test_published_sizes_have_the_published_parameters():
    with torch.device("meta"):
        generator = Generator(1024 + 2048 + 256, frames=344, width=64)
        judges = Discriminator()
    counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (generator, judges)]
    assert counts == pytest.approx([22.3, 9.2], abs=0.05)


def test_frames_stay_within_the_scale():
    condition = 1000 * torch.randn(B, E, generator=torch.Generator().manual_seed(1))
    for scale in (100.0, 7.0):
        made = _generator(scale=scale)(condition)
        assert made.abs().max() <= scale
    assert made.abs().max() > 0


def test_every_frame_depends_on_the_condition():
    made, condition = _generator().double(), torch.randn(1, E, dtype=torch.float64)
    apart = (made(condition) - made(condition + 1)).abs()
    assert (apart.sum(-1) > 0).all()


def test_kept_first_weights_let_the_condition_through_and_the_released_ones_do_not():
    """How far two conditions' frames are apart, in the spread of all, grows ten thousandfold."""
    condition = torch.randn(B, E, generator=torch.Generator().manual_seed(1))
    shares = {}
    for start in ("kept", "released"):
        torch.manual_seed(0)
        generator = Generator(E, frames=T, width=D, channels=8, scale=1.0, start=start)
        one, other = generator(condition).detach()
        shares[start] = float((one - other).abs().mean() / one.std())
    assert shares["kept"] > 0.1
    assert shares["released"] < 1e-4


def test_the_first_judge_by_hand():
    """Reflected edges, 16 taps, four strided convolutions in groups, then 5 and 3 taps."""
    torch.manual_seed(0)
    judges = Discriminator(channels=8).double()
    frames = torch.randn(B, T * 40, D, dtype=torch.float64)
    x = frames.transpose(1, 2).reshape(B, 1, -1)
    x, wanted = F.pad(x, (7, 7), mode="reflect"), []
    groups, strides = (1, 2, 8, 32, 64, 1, 1), (1, 4, 4, 4, 4, 1, 1)
    edges = (0, 20, 20, 20, 20, 2, 1)
    for place, layer in enumerate(judges.judges[0].layers):
        x = F.conv1d(x, layer.weight, layer.bias, strides[place], edges[place], 1, groups[place])
        x = x if place == 6 else torch.where(x > 0, x, 0.2 * x)
        wanted.append(x)
    torch.testing.assert_close(judges(frames)[0], wanted)


def test_each_judge_hears_half_of_what_the_one_before_heard():
    heard = Discriminator(channels=4)(torch.zeros(B, 344, 64))
    assert [judge[0].shape[-1] for judge in heard] == [22015, 11007, 5503]
    assert [len(judge) for judge in heard] == [7, 7, 7]
    assert {judge[-1].shape[:2] for judge in heard} == {(B, 1)}


def test_the_second_judge_hears_means_of_four_places_every_second():
    torch.manual_seed(0)
    judges, frames = Discriminator(channels=1), torch.randn(B, 61, D)
    x = frames.mT.flatten(1)
    half = torch.stack([x[:, max(0, k - 1) : k + 3].mean(1) for k in range(0, 183 - 2, 2)], dim=1)
    wanted = judges.judges[1](half[:, None])
    torch.testing.assert_close(judges(frames)[1], wanted)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: places(0), "frames must be at least 1, got 0"),
        (lambda: Generator(E, frames=T, width=0), "width and channels must be at least 1"),
        (lambda: _generator(scale=0.0), "scale must be above 0"),
        (lambda: Discriminator(0), "channels must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()
