"""Material: what the VQ-VAE hears, tokens that are kept, and trainings that ask for no sound."""

from collections import Counter
from dataclasses import replace

import musics
import numpy as np
import pytest
import tiktok_files
import torch

from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.data.clips import Clips
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.nn.conv import ConvConfig
from pasdedeux.papers import cdcd, cdcd_codec, cdcd_material
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.papers.cdcd_settings import CdcdSettings

CODEC = CodecSettings(
    conv=ConvConfig(((8, 4, 4, 2),), channels=5, width=3, units=1, closing=False), codes=7,
    samples=512, batch=3, steps=4, rate=1e-2, warmup=2, warm_start=2, worst_samples=11,
    device="cpu",
)  # fmt: skip
TINY = CdcdSettings(
    batch=3, steps=2, width=12, layers=1, heads=3, diffusion_steps=3, genre_width=5,
    motion_width=7, motion_length=41, motion_channels=(3, 2, 4, 2, 1), warmup=2, codec=CODEC,
    device="cpu",
)  # fmt: skip


@pytest.fixture
def made(project, monkeypatch):
    """The clips of `musics` in the place of those that settings name."""
    clips = musics.made_clips(project)
    monkeypatch.setattr(cdcd_material, "clips", lambda settings: clips)
    return clips


@pytest.fixture
def counted(monkeypatch):
    """How often sound is asked for, and encoded."""
    calls = Counter()

    def watch(owner, name):
        whole = getattr(owner, name)

        def counting(self, *args, **options):
            calls[name] += 1
            return whole(self, *args, **options)

        monkeypatch.setattr(owner, name, counting)

    watch(Clips, "sound")
    watch(cdcd_codec.Codec, "encode")
    return calls


def test_the_codec_hears_what_training_clips_are_cut_from_and_nothing_held_out(made):
    heard = cdcd_material.sounds(made)
    assert len(heard.train) == 5
    assert len(heard.held_out) == 3
    for sound, number in zip(heard.train, (0, 1, 2, 6, 7), strict=True):
        rows = np.flatnonzero(made.places.recording == number)
        first, last = rows[0], rows[-1]
        span = made.places.first[last] - made.places.first[first] + 44_100
        assert len(sound) == span
        assert np.abs(sound).max() == pytest.approx(0.95)
        clip = made.sound(np.array([first]), peak=None)[0]
        scale = sound[:44_100] @ clip / (clip @ clip)
        assert np.allclose(sound[:44_100], scale * clip, atol=1e-4)


def test_tokens_are_those_of_the_codec_clip_by_clip(made, monkeypatch):
    monkeypatch.setattr(cdcd_material, "AT_ONCE", 5)
    material = cdcd_material.material(TINY)
    assert material.tokens.shape == (len(made), 44_100 // 256)
    assert material.tokens.dtype == np.int16
    for row in (0, 4, 5, len(made) - 1):
        sound = torch.from_numpy(made.sound(np.array([row])))
        assert np.array_equal(material.tokens[row], material.codec.encode(sound)[0].numpy())


def test_sound_is_asked_for_once_and_a_fit_asks_for_none(made, counted):
    material = cdcd_material.material(TINY)
    assert counted["sound"] == -(-len(made) // cdcd_material.AT_ONCE)
    assert counted["encode"] > 0
    counted.clear()
    again = cdcd_material.material(TINY)
    assert np.array_equal(again.tokens, material.tokens)
    assert again.made_by == material.made_by
    cdcd.train(TINY, again, 0).generate(made.rows("test")[:2], 0)
    assert counted == {}, "neither a second call nor a fit may touch sound"


def test_another_codec_makes_other_tokens_under_another_name(made):
    one = cdcd_material.material(TINY)
    other = cdcd_material.material(replace(TINY, codec=replace(CODEC, codes=5)))
    assert other.made_by != one.made_by
    assert other.codec.codes == 5
    assert other.tokens.max() < 5
    runs = [cdcd.train(TINY, material, 0).run for material in (one, other)]
    assert runs[0] != runs[1]
    same = cdcd_material.material(replace(TINY, steps=1, width=6))
    assert same.made_by == one.made_by, "all systems share one VQ-VAE"


def test_clips_with_nothing_held_out_are_refused(made):
    places = made.places._replace(part=np.full(len(made), "train"))
    with pytest.raises(ValueError, match="no recording is held out"):
        cdcd_material.sounds(replace(made, places=places))


def test_tiktok_goes_all_the_way_from_files_to_music(project, monkeypatch):
    """Key points of another rate and width, no genres: negatives are of another song."""
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "data"))
    tiktok_files.corpus(project / "data" / "tiktok")
    contrast = replace(Contrast.system("sample-inter"), negatives=2)
    settings = replace(TINY, clips=ClipSettings(corpus="tiktok"), contrast=contrast)
    material = cdcd_material.material(settings)
    learner = cdcd.Cdcd(settings, material, seed=0)
    assert learner.network.sizes[:3] == (60, material.tokens.shape[1], 1)
    assert learner.network.sizes.features == 75
    song = material.clips.song[learner.rows]
    assert learner.labels is not None
    drawn = learner.labels.drawn(torch.arange(5), torch.Generator(), negatives=4)
    assert (song[drawn] != song[:5, None]).all()
    trained = cdcd.train(settings, material, 0)
    heard = trained.generate(material.clips.rows("test"), 0)
    assert heard.shape == (2, 44_100)
    assert np.isfinite(heard).all()
