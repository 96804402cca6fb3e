"""CDCD at tiny size, once trained: its music, what it may look at, the user's files, refusals."""

from dataclasses import replace

import musics
import numpy as np
import pytest
import torch
from musics import TINY

from pasdedeux.base.profiles import PROFILES
from pasdedeux.base.profiles import settings as of_profile
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.papers import cdcd
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.loop import CHECKPOINT, fit


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return musics.lasting(tmp_path_factory)


def test_music_is_of_the_right_shape_finite_clipped_and_repeatable(material, project, monkeypatch):
    monkeypatch.setattr(cdcd, "AT_ONCE", 3)
    made = cdcd.train(TINY, material, 0)
    rows = np.tile(material.clips.rows("test"), 2)[:7]
    sound = made.generate(rows, 3)
    assert sound.shape == (7, 44_100)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == 1.0, "`musics.Tones` goes beyond 1 and must be clipped"
    assert np.array_equal(made.generate(rows, 3), sound)
    assert not np.array_equal(made.generate(rows, 4), sound)
    assert made.generate(rows[:0], 3).shape == (0, 44_100)
    assert cdcd.train(TINY, material, 0).run == made.run
    assert cdcd.train(replace(TINY, truncation=0.5), material, 0).run != made.run
    assert cdcd.train(replace(TINY, workers=5, samples=3), material, 0).run == made.run


def test_silence_fills_what_the_codec_leaves_short(material, project, monkeypatch):
    whole = musics.Tones.decode
    monkeypatch.setattr(musics.Tones, "decode", lambda self, codes: whole(self, codes)[:, :44_032])
    sound = cdcd.train(TINY, material, 0).generate(material.clips.rows("test")[:2], 0)
    assert sound.shape == (2, 44_100)
    assert not sound[:, 44_032:].any()
    assert sound[:, :44_032].any()


def test_neither_training_nor_music_touches_the_sound_of_clips(material, project, monkeypatch):
    """Clips give no sound here, the VQ-VAE encodes none, and held-out tokens may be anything."""

    def touched(*_, **__):
        raise AssertionError("sound was asked for")

    rows = material.clips.rows("test")[:3]
    expected = cdcd.train(TINY, material, 0).generate(rows, 0)
    monkeypatch.setattr(type(material.clips), "sound", touched)
    monkeypatch.setattr(musics.Tones, "encode", touched)
    tokens = material.tokens.copy()
    tokens[material.clips.rows("test", most_copied=1.0)] = 0
    settings = replace(TINY, rate=9e-3)  # another run, so that it is trained
    cdcd.train(settings, material, 0)
    hidden = replace(material, tokens=tokens)
    assert np.array_equal(cdcd.train(TINY, hidden, 0).generate(rows, 0), expected)


def test_music_follows_the_dance_and_the_genre(material):
    learner = cdcd.Cdcd(replace(TINY, contrast=Contrast()), material, seed=0)
    composer = cdcd.Composer(TINY, material, learner.network)
    rows = material.clips.rows("test")[:3]
    asked = composer.dances.asked(rows)
    noisy, t = torch.full((3, 14), 11), torch.tensor([6, 6, 6])
    made = learner.network(noisy, t, asked)
    turned = asked._replace(motion=asked.motion.flip(1))
    renamed = asked._replace(genre=(asked.genre + 1) % 3)
    for other in (turned, renamed):
        assert (learner.network(noisy, t, other) - made).abs().max() > 0


def _video(material, folder, shape=None, value=None):
    shape = shape or (len(material.clips), 17)
    features = np.random.default_rng(0).normal(size=shape)
    if value is not None:
        features[0, 0] = value
    np.save(folder / "i3d.npy", features)
    return replace(TINY, visual=17, visual_file=str(folder / "i3d.npy"))


def test_the_users_video_features_are_part_of_the_condition(material, project):
    settings = _video(material, project)
    learner = cdcd.Cdcd(settings, material, seed=0)
    asked = learner.dances.asked(np.array([5, 2]))
    assert np.allclose(asked.visual.numpy(), np.load(project / "i3d.npy")[[5, 2]])
    assert learner.network.conditioning.fusion.in_features == 7 + 17 + 5
    before = learner.network.conditioning.fusion.weight[:, 7:24].clone()
    learner.step(0)
    assert (learner.network.conditioning.fusion.weight[:, 7:24] != before).any(0).all()
    made = cdcd.train(settings, material, 0)
    assert np.isfinite(made.generate(material.clips.rows("test")[:2], 0)).all()
    np.save(project / "i3d.npy", np.load(project / "i3d.npy") + 1)
    assert cdcd.train(settings, material, 0).run != made.run, "a run is named by the file's content"


@pytest.mark.parametrize(
    ("shape", "value", "told"),
    [
        ((3, 17), None, r"i3d.npy must have one row for each clip, \(\d+, 17\), got \(3, 17\)"),
        ((3, 16), None, r"i3d.npy must have one row for each clip, \(\d+, 17\), got \(3, 16\)"),
        (None, np.nan, "i3d.npy must be finite"),
    ],
)
def test_video_features_that_do_not_fit_are_refused(material, project, shape, value, told):
    settings = _video(material, project, shape, value)
    with pytest.raises(ValueError, match=told):
        cdcd.train(settings, material, 0)


def test_video_features_that_are_no_array_are_refused(material, project):
    settings = _video(material, project)
    path = project / "i3d.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"i3d.npy is not a whole .npy of numbers"):
        cdcd.train(settings, material, 0)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match=r"i3d.npy is not a whole .npy of numbers"):
        cdcd.train(settings, material, 0)
    path.unlink()
    with pytest.raises(ValueError, match=r"visual_file .*i3d.npy is not a file"):
        cdcd.train(settings, material, 0)


def test_tokens_of_another_codebook_are_refused(material, project):
    wrong = material.tokens.copy()
    wrong[wrong < 3], wrong[3, 2] = 3, 11
    with pytest.raises(ValueError, match="tokens must be codes from 0 to 10, got 3 to 11; encode"):
        cdcd.train(TINY, replace(material, tokens=wrong), 0)
    with pytest.raises(ValueError, match=r"tokens of 4 clips but \d+ clips; encode them anew"):
        cdcd.train(TINY, replace(material, tokens=wrong[:4]), 0)


def test_motion_that_is_no_window_is_refused(material):
    learner = cdcd.Cdcd(TINY, material, seed=0)
    asked = learner.dances.asked(np.array([0, 1]))
    noisy, t = torch.zeros(2, 14, dtype=torch.long), torch.tensor([1, 2])
    with pytest.raises(ValueError, match="motion must have 50 frames of 219 features, got 49"):
        learner.network(noisy, t, asked._replace(motion=asked.motion[:, :49]))
    with pytest.raises(ValueError, match="motion must be finite"):
        learner.network(noisy, t, asked._replace(motion=asked.motion * float("nan")))


def test_a_checkpoint_of_another_shape_is_refused_and_kept(material, project):
    run = cdcd.train(TINY, material, 0).run
    path = run.folder / CHECKPOINT
    other = cdcd.Cdcd(replace(TINY, width=15), material, seed=0)
    fit(other, steps=1, folder=project / "other", task="test")
    path.write_bytes((project / "other" / CHECKPOINT).read_bytes())
    with pytest.raises(ValueError, match=r"checkpoint.pt is of another shape: \d+ tensors of netw"):
        cdcd.train(TINY, material, 0)
    assert path.exists()


def test_sound_that_is_not_finite_is_refused(material, project, monkeypatch):
    monkeypatch.setattr(
        musics.Tones, "decode", lambda self, codes: torch.full((len(codes), 44_100), float("nan"))
    )
    made = cdcd.train(TINY, material, 0)
    with pytest.raises(ValueError, match="sound that is not finite"):
        made.generate(material.clips.rows("test")[:1], 0)


def test_the_profiles_say_what_they_are():
    paper = of_profile(CdcdSettings, "paper")
    assert (paper.width, paper.layers, paper.heads, paper.diffusion_steps) == (1024, 19, 16, 80)
    assert (paper.rate, paper.betas, paper.weight_decay) == (4.5e-4, (0.9, 0.96), 0.045)
    assert (paper.contrast.negatives, paper.contrast.step_intra) == (10, 5e-5)
    assert (paper.clip, paper.truncation, paper.codec.codes) == (0.5, 0.86, 2048)
    laptop = of_profile(CdcdSettings, "laptop")
    assert (laptop.width, laptop.layers, laptop.diffusion_steps) == (96, 3, 20)
    assert (laptop.batch, laptop.steps, laptop.codec.codes) == (4, 600, 256)
    for profile in PROFILES:
        chosen = of_profile(CdcdSettings, profile)
        assert chosen.rate_at(0) < chosen.rate_at(chosen.warmup - 1) == chosen.rate
        assert 0 < chosen.rate_at(chosen.steps - 1) <= chosen.rate
    assert laptop.rate_at(599) < 1e-3 * laptop.rate


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"visual": 2048}, "visual and visual_file belong together"),
        ({"visual_file": "x.npy"}, "visual and visual_file belong together"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        replace(TINY, **wrong)
