"""What is shown of the codec: shapes as they are when run, sizes, survival of beats, collapse."""

import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.nn.conv import Decoder, Encoder
from pasdedeux.papers import cdcd_codec_shown as shown
from pasdedeux.papers.cdcd_codec import Codec
from pasdedeux.papers.cdcd_codec_settings import RATE_HZ, CodecSettings
from pasdedeux.papers.cdcd_sounds import Sounds


@pytest.mark.parametrize("settings", [CodecSettings.paper(), CodecSettings.laptop()])
def test_the_shape_table_is_what_the_modules_do(settings):
    samples = 5000
    rows = shown.shapes(settings, samples)
    encoder, decoder = Encoder(settings.conv), Decoder(settings.conv)
    frames = encoder(torch.zeros(1, samples))
    tokens = samples // settings.conv.hop
    book = next(row for row in rows if "codes" in row["part"])
    before = rows[rows.index(book) - 1]
    assert frames.shape == (1, tokens, settings.conv.width)
    assert (before["channels"], before["length"]) == (settings.conv.width, tokens)
    assert book["length"] == tokens
    assert rows[-1]["channels"] == 1
    assert rows[-1]["length"] == decoder(frames).shape[1] == tokens * settings.conv.hop
    learnt = sum(p.numel() for part in (encoder, decoder) for p in part.parameters())
    assert sum(row["weights"] for row in rows) == shown.size(settings)
    assert shown.size(settings) == learnt + settings.codes * settings.conv.width


def test_the_public_model_has_the_size_that_its_file_has():
    """168,224 in the encoder, 176,481 in the decoder and 131,072 in the codebook."""
    assert shown.size(CodecSettings.paper()) == 168_224 + 176_481 + 131_072


def clicks(*seconds, duration=2.0):
    sound = 1e-4 * numpy_generator(0, "hiss").normal(size=round(duration * RATE_HZ))
    for second in seconds:
        begin = round(second * RATE_HZ)
        decay = np.exp(-np.arange(2000) / 200)
        sound[begin : begin + 2000] += decay * np.sin(0.3 * np.arange(2000))
    return sound.astype(np.float32)


def test_survival_counts_flags_kept_lost_and_added():
    sound = np.stack([clicks(0.5, 1.5), clicks(0.5), clicks(1.4)])
    again = np.stack([clicks(0.5, 1.5), clicks(0.5, 1.6), clicks(0.3)])
    found = shown.survival(sound, again)
    assert (found.kept, found.lost, found.added) == (3, 1, 2)
    assert found.rows["reconstruction"].hit == pytest.approx(100 * 2 / 3)
    assert found.rows["ground truth"].onset_f1 == 100
    assert found.rows["always beat"].hit == 100
    same = shown.survival(sound, sound)
    assert (same.kept, same.lost, same.added) == (4, 0, 0)


def test_sound_heard_again_has_the_length_asked_for():
    codec = Codec(CodecSettings.laptop()).eval()
    codec.quantiser.codebook.normal_()
    tokens = np.arange(2 * 5).reshape(2, 5)
    longer, shorter = (shown.heard_again(codec, tokens, samples) for samples in (700, 600))
    assert longer.shape == (2, 700)
    assert not longer[:, 640:].any()
    np.testing.assert_array_equal(shorter, longer[:, :600])


def test_without_a_warm_start_few_codes_are_left():
    draw = numpy_generator(0, "songs")
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    songs = []
    for _ in range(2):
        tones = [np.sin(2 * np.pi * hz * time) for hz in draw.uniform(100, 3000, 6)]
        beat = 1.0 * (np.sin(2 * np.pi * 3 * time) > 0)
        songs.append((0.1 * beat * np.sum(tones, 0)).astype(np.float32))
    both = Sounds(tuple(songs), tuple(songs))
    found = shown.collapse(CodecSettings.quick(), both, (0, 16), steps=22)
    assert [index for index, _ in found[0]] == list(range(22))
    assert [index for index, _ in found[16]] == list(range(16, 22))
    late = {warm: np.mean([p for index, p in told if index >= 16]) for warm, told in found.items()}
    assert late[0] < 2 < late[16] / 2
