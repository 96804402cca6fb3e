"""The convolutions of the music VQ-VAE: lengths, sizes as published, units by hand."""

import pytest
import torch
from torch.nn import functional as F

from pasdedeux.nn.conv import ConvConfig, Decoder, Encoder, Unit, jukebox_level, patch, stack

SMALL = ConvConfig(((2, 4), (2,)), channels=5, width=7, units=2, growth=3)


def _count(module):
    return sum(weight.numel() for weight in module.parameters())


def test_the_jukebox_level_has_its_published_size():
    encoder, decoder = Encoder(jukebox_level()), Decoder(jukebox_level())
    assert _count(encoder) == 168_224
    assert _count(decoder) == 176_481
    assert len(encoder.state_dict()) == 132
    assert len(decoder.state_dict()) == 134
    assert round((_count(encoder) + _count(decoder) + 2048 * 64) / 1e6, 3) == 0.476


def test_the_patch_front_end_has_half_a_million_parameters_with_256_codes():
    assert _count(Encoder(patch())) + _count(Decoder(patch())) + 256 * 64 == 505_025


@pytest.mark.parametrize("config", [jukebox_level(), patch()])
@pytest.mark.parametrize(("samples", "frames"), [(44_100, 344), (88_200, 689), (132_300, 1033)])
def test_two_four_and_six_seconds_become_the_papers_tokens(config, samples, frames):
    with torch.device("meta"):  # shapes alone
        made = Encoder(config)(torch.zeros(2, samples))
        assert made.shape == (2, frames, 64)
        assert Decoder(config)(made).shape == (2, frames * 128)


def test_a_unit_adds_what_three_dilated_taps_and_one_make():
    torch.manual_seed(0)
    unit, x = Unit(3, dilation=2), torch.randn(2, 3, 11)
    wide, narrow = unit[1], unit[3]
    padded = F.pad(x.clamp_min(0), (2, 2))
    expected = x.clone()
    for t in range(11):
        taps = torch.stack([padded[:, :, t + 2 * k] for k in range(3)], -1)
        inner = torch.einsum("bck,dck->bd", taps, wide.weight) + wide.bias
        expected[:, :, t] += inner.clamp_min(0) @ narrow.weight[:, :, 0].T + narrow.bias
    assert torch.allclose(unit(x), expected, atol=1e-6)


def test_dilations_grow_in_the_encoder_and_shrink_in_the_decoder():
    def dilations(units):
        return [unit[1].dilation[0] for unit in units]

    assert dilations(stack(jukebox_level())) == [1, 3, 9, 27]
    assert dilations(stack(jukebox_level(), backwards=True)) == [27, 9, 3, 1]
    assert dilations(Encoder(SMALL).blocks[1][0][1]) == [1, 3]
    assert dilations(Decoder(SMALL).blocks[1][1][0]) == [3, 1]


def test_any_even_strides_give_whole_hops_and_every_weight_is_reached():
    encoder, decoder = Encoder(SMALL), Decoder(SMALL)
    frames = encoder(torch.randn(2, 16 * 13 + 9))
    sound = decoder(frames)
    assert frames.shape == (2, 13, 7)
    assert sound.shape == (2, 16 * 13)
    sound.square().sum().backward()
    weights = [*encoder.named_parameters(), *decoder.named_parameters()]
    still = [name for name, weight in weights if weight.grad is None or not weight.grad.any()]
    assert not still, f"never reached: {still}"


def test_a_later_sound_changes_later_frames():
    torch.manual_seed(1)
    encoder, sound = Encoder(SMALL), torch.randn(2, 16 * 41)
    changed = sound.clone()
    changed[:, 16 * 30 :] += 1
    apart = (encoder(changed) - encoder(sound)).abs().amax((0, 2))
    assert not apart[:5].any()
    assert (apart[32:] > 0).all()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"strides": ((3,),)}, "strides must be even"),
        ({"strides": ((2,), ())}, "a stride in every block"),
        ({"channels": 0}, "channels must be at least 1"),
        ({"units": 0}, "units must be at least 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        ConvConfig(**wrong)
