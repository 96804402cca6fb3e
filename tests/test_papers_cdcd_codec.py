"""The music VQ-VAE at tiny size: what moves it, what it is measured by, exact runs, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.base.profiles import PROFILES
from pasdedeux.base.profiles import settings as of_profile
from pasdedeux.base.seeding import generator
from pasdedeux.nn import jukebox, spectral
from pasdedeux.nn.conv import ConvConfig, Decoder, Encoder, jukebox_level
from pasdedeux.papers import cdcd_codec as codec
from pasdedeux.papers.cdcd_codec_settings import RATE_HZ, CodecSettings
from pasdedeux.papers.cdcd_sounds import Sounds, clips, excerpts
from pasdedeux.training.loop import fit

CONV = ConvConfig(((8, 4),), channels=5, width=3, units=1, closing=False)
TINY = CodecSettings(
    conv=CONV, codes=7, samples=512, batch=3, steps=4, rate=1e-2, warmup=2, warm_start=2,
    worst_samples=11, device="cpu",
)  # fmt: skip


def _song(seed, samples):
    """A few tones, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / RATE_HZ
    tones = [np.sin(2 * np.pi * hz * time) for hz in rng.uniform(100, 2000, 3)]
    return (0.2 * np.sum(tones, 0)).astype(np.float32)


@pytest.fixture(scope="module")
def sounds():
    return Sounds((_song(0, 3001), _song(1, 2003)), (_song(2, 3 * 44_100 + 5),))


def _state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_every_parameter_moves_and_the_codebook_too(sounds):
    coding = codec.Coding(TINY, sounds, seed=0)
    before = _state(coding.codec)
    numbers = [coding.step(index) for index in range(TINY.steps)]
    after = _state(coding.codec)
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert not still, f"never moved: {still}"
    assert "commitment" not in numbers[1]
    assert {"squares", "worst", "spectral", "commitment", "perplexity"} <= set(numbers[2])


def test_it_learns_and_uses_most_of_its_codes(sounds):
    settings = replace(TINY, steps=80, warm_start=30, warmup=20, batch=5, commitment=0.25)
    coding = codec.Coding(settings, sounds, seed=0)
    numbers = [coding.step(index) for index in range(settings.steps)]
    first, last = (np.mean([n["spectral"] for n in part]) for part in (numbers[:5], numbers[-5:]))
    assert last < 0.8 * first
    assert np.mean([n["perplexity"] for n in numbers[-5:]]) > settings.codes / 2


def test_the_codebook_is_no_parameter_and_follows_averages_alone(sounds):
    coding = codec.Coding(TINY, sounds, seed=0)
    for index in range(TINY.steps):
        coding.step(index)
    book = coding.codec.quantiser.codebook
    learnt = {id(p) for group in coding.optimizers["codec"].param_groups for p in group["params"]}
    assert id(book) not in learnt
    assert not book.requires_grad
    use, total = coding.codec.quantiser.use, coding.codec.quantiser.total
    assert torch.allclose(book, total / use[:, None], atol=1e-5)


def test_the_encoder_learns_through_the_codebook(sounds):
    """The gradient of the distance alone reaches the first layer, past the quantiser."""
    coding = codec.Coding(replace(TINY, warm_start=0), sounds, seed=0)
    coding._draw_codebook()
    sound = torch.from_numpy(clips(sounds.train, 512)[:3])
    quantised = coding.codec.quantiser.quantised(coding.codec.encoder(sound))
    codec.losses(sound, coding.codec.decoder(quantised.frames), coding.scale)["squares"].backward()
    first = next(coding.codec.encoder.parameters())
    assert first.grad.abs().max() > 0


def test_the_warm_start_leaves_the_codebook_alone_and_then_draws_it_from_frames(sounds):
    coding = codec.Coding(TINY, sounds, seed=0)
    for index in range(TINY.warm_start):
        coding.step(index)
        assert not coding.codec.quantiser.codebook.any()
    coding._draw_codebook()
    book = coding.codec.quantiser.codebook
    count = math.ceil(codec.FRAMES_A_CODE * TINY.codes / (TINY.samples // CONV.hop))
    sound = coding._excerpts(max(TINY.batch, count), "codebook", 0)
    frames = coding.codec.encoder(sound).detach().reshape(-1, CONV.width)
    assert float(torch.cdist(book, frames).amin(1).max()) < 1e-5


def test_losses_are_those_of_the_docstring():
    draw = torch.Generator().manual_seed(0)
    sound, heard = torch.randn(2, 1301, generator=draw), torch.randn(2, 1301, generator=draw)
    unit = codec.Scale(variance=0.7, norm=3.0)
    made = codec.losses(sound, heard, unit, worst_samples=5)
    squares = (sound - heard).double().numpy() ** 2
    assert float(made["squares"]) == pytest.approx(squares.mean() / 0.7, rel=1e-5)
    worst = np.mean([np.sort(row)[-5:].mean() for row in squares])
    assert float(made["worst"]) == pytest.approx(worst / 0.7, rel=1e-5)
    apart = spectral.distance(sound, heard).mean() / 3.0
    assert float(made["spectral"]) == pytest.approx(float(apart))
    everything = codec.losses(sound, heard, unit, worst_samples=5000)
    assert float(everything["worst"]) == pytest.approx(float(made["squares"]), rel=1e-5)


def test_weights_of_losses_are_applied_where_they_are_named(sounds):
    def first(**changed):
        coding = codec.Coding(replace(TINY, clip=math.inf, **changed), sounds, seed=0)
        return coding.step(0)

    plain = first(spectral=0.0, worst=0.0)
    for name in ("spectral", "worst"):
        weighted = first(**({"spectral": 0.0, "worst": 0.0} | {name: 5.0}))
        assert weighted[name] == plain[name]
        assert weighted["norm"] != pytest.approx(plain["norm"], rel=1e-3)


def test_the_scale_is_variance_and_mean_norm_of_the_training_sounds(sounds):
    unit = codec.scale(sounds, TINY, 0)
    assert unit.variance == pytest.approx(np.concatenate(sounds.train).var(), rel=0.3)
    drawn = excerpts(sounds.train, sum(map(len, sounds.train)) // 512, 512, generator(0, "scale"))
    assert unit.norm == pytest.approx(float(spectral.norm(drawn, spectral.SCALE).mean()))


def test_tokens_come_one_a_hop_and_go_back_to_whole_hops(sounds):
    coder = codec.Coding(TINY, sounds, seed=0).codec
    sound = torch.from_numpy(clips(sounds.held_out, 44_100))
    made = coder.encode(sound)
    assert made.shape == (3, 44_100 // coder.hop)
    assert coder.decode(made).shape == (3, 44_100 // coder.hop * coder.hop)
    assert np.array_equal(codec.tokens(coder, sound.numpy()), made.numpy())
    again = codec.heard(coder, made.numpy())
    assert np.allclose(again, coder.decode(made).numpy(), atol=1e-6)


def test_two_seconds_are_344_tokens_in_every_profile():
    for profile in PROFILES:
        chosen = of_profile(CodecSettings, profile)
        with torch.device("meta"):
            frames = codec.Codec(chosen).encoder(torch.zeros(2, 44_100))
        assert frames.shape == (2, 344, 64)
        assert chosen.rate_at(chosen.steps - 1) > 0
    assert CodecSettings.paper().conv == jukebox_level()
    assert CodecSettings.paper().codes == 2048


def test_the_rate_rises_and_falls_as_said():
    settings = replace(TINY, steps=100, warmup=10, rate=1.0, ending="cosine")
    assert [settings.rate_at(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert settings.rate_at(55) == pytest.approx(0.5)
    assert settings.rate_at(99) < 0.001
    assert replace(settings, ending="constant").rate_at(99) == 1.0


def test_a_run_interrupted_goes_on_to_the_same_bits(sounds, tmp_path):
    whole = codec.Coding(TINY, sounds, seed=0)
    fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    fit(codec.Coding(TINY, sounds, seed=0), steps=3, folder=tmp_path / "cut", task="cut")
    again = codec.Coding(TINY, sounds, seed=0)
    fit(again, steps=4, folder=tmp_path / "cut", task="again")
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name


def test_a_trained_codec_is_measured_on_what_was_held_out_and_found_again(sounds, project):
    first = codec.trained(TINY, sounds, 0)
    assert first.numbers["clips"] == 3
    assert 0 < first.numbers["convergence"] < 10
    assert 1 <= first.numbers["perplexity"] <= first.numbers["used"] <= TINY.codes
    second = codec.trained(TINY, sounds, 0)
    assert second.run == first.run
    assert second.numbers == first.numbers
    assert codec.trained(replace(TINY, codes=5), sounds, 0).run != first.run
    moved = Sounds(sounds.train[:1], sounds.held_out)
    assert codec.trained(TINY, moved, 0).run != first.run


def test_reconstruction_is_compared_clip_by_clip_without_silence(sounds):
    coder = codec.Coding(TINY, sounds, seed=0).codec
    song = sounds.held_out[0].copy()
    song[44_100:88_200] = 0
    made = codec.reconstruction(coder, [song])
    assert made["clips"] == 2
    single = []
    for begin in (0, 88_200):
        clip = torch.from_numpy(song[None, begin : begin + 44_100])
        back = coder.decode(coder.encode(clip))
        single.append(float(spectral.convergence(clip[:, : back.shape[1]], back)))
    assert made["convergence"] == pytest.approx(np.mean(single), rel=1e-4)
    with pytest.raises(ValueError, match="two seconds that are not silent"):
        codec.reconstruction(coder, [song[:100]])


def test_a_users_file_is_taken_over_and_can_be_fine_tuned(sounds, monkeypatch, project):
    torch.manual_seed(3)
    level = jukebox.Level(Encoder(CONV), Decoder(CONV), torch.randn(TINY.codes, CONV.width))
    monkeypatch.setattr(jukebox, "read", lambda path, **_: level)
    file = project / "mine.pth"
    file.write_bytes(b"stands for a file that `nn.jukebox` reads")
    taken = codec.pretrained(TINY, file)
    assert torch.equal(taken.quantiser.codebook, level.codebook)
    for ours, its in ((taken.encoder, level.encoder), (taken.decoder, level.decoder)):
        assert all(torch.equal(v, its.state_dict()[k]) for k, v in ours.state_dict().items())
    coding = codec.Coding(TINY, sounds, seed=0, start=level)
    assert "commitment" in coding.step(0), "what has learnt already needs no warm start"
    assert not torch.allclose(coding.codec.quantiser.codebook, torch.zeros(1))
    assert codec.trained(TINY, sounds, 0, start=file).run != codec.trained(TINY, sounds, 0).run


def test_excerpts_are_whole_pieces_of_songs_and_every_place_is_drawn():
    songs = (np.arange(1, 8, dtype=np.float32), np.arange(11, 15, dtype=np.float32))
    drawn = excerpts(songs, 4000, 3, generator(0, "excerpts"))
    starts, counts = np.unique(drawn[:, 0].numpy(), return_counts=True)
    assert starts.tolist() == [1, 2, 3, 4, 5, 11, 12]
    assert counts.min() > 0.8 * 4000 / 7
    assert torch.equal(drawn - drawn[:, :1], torch.arange(3.0).expand(4000, 3))
    with pytest.raises(ValueError, match=r"sounds \[1\] are shorter than an excerpt of 5"):
        excerpts(songs, 2, 5, generator(0, "excerpts"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.zeros(9, np.float32), r"train\[0\] is silent"),
        (np.full(9, np.nan, np.float32), r"train\[0\] must be finite"),
        (np.full(9, 20_000, np.float32), r"divide 16-bit samples by 32768"),
        (np.zeros(0, np.float32), r"train\[0\] must hold samples"),
    ],
)
def test_sounds_that_teach_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Sounds((wrong,), (_song(0, 9),))


def test_another_rate_or_nothing_held_out_is_refused():
    with pytest.raises(ValueError, match="rate_hz must be 22050, got 44100; resample"):
        Sounds((_song(0, 9),), (_song(0, 9),), 44_100)
    with pytest.raises(ValueError, match="held_out must hold at least one sound"):
        Sounds((_song(0, 9),), ())


def test_sound_that_cannot_be_encoded_and_tokens_that_cannot_be_decoded_are_refused(sounds):
    coder = codec.Coding(TINY, sounds, seed=0).codec
    with pytest.raises(ValueError, match="at least 32 samples long, got 31"):
        coder.encode(torch.zeros(2, 31))
    with pytest.raises(ValueError, match="sound must be finite"):
        coder.encode(torch.full((2, 64), float("nan")))
    with pytest.raises(ValueError, match=r"codes must be in 0 .. 6, got 0 .. 7"):
        coder.decode(torch.tensor([[0, 7]]))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"samples": 500}, "samples must be a multiple of the hop 32, got 500"),
        ({"warm_start": 4}, r"warm_start must be in \[0, steps\)"),
        ({"spectral": -1.0}, "spectral is a weight"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"warmup": 0}, "warmup must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        replace(TINY, **wrong)
