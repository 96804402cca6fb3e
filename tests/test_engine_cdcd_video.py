"""The video features of TikTok reach the diffusions of Table 2, row by row."""

from dataclasses import replace
from pathlib import Path

import musics
import numpy as np
import pytest
import soundfile
import tiktok_files
from tiktok_files import RATE, TRAIN

from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.engine import cdcd_systems as systems
from pasdedeux.nn.conv import ConvConfig
from pasdedeux.papers import cdcd, cdcd_material
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.papers.cdcd_settings import CdcdSettings

CODEC = CodecSettings(
    conv=ConvConfig(((8, 4, 4, 2),), channels=5, width=3, units=1, closing=False), codes=7,
    samples=512, batch=3, steps=4, rate=1e-2, warmup=2, warm_start=2, worst_samples=11,
    device="cpu",
)  # fmt: skip
LIKE = CdcdSettings(
    clips=ClipSettings(corpus="tiktok"), seeds=(3, 5), batch=3, steps=2, width=12, layers=1,
    heads=3, diffusion_steps=3, genre_width=5, motion_width=7, motion_length=41,
    motion_channels=(3, 2, 4, 2, 1), warmup=2, codec=CODEC, device="cpu",
)  # fmt: skip


@pytest.fixture
def corpus(project, monkeypatch):
    """A small TikTok whose third segment is silent, so that rows are not lines of the lists."""
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "data"))
    folder = project / "data" / "tiktok"
    tiktok_files.corpus(folder)
    soundfile.write(folder / "audio_s2" / f"{TRAIN[2]}.wav", np.zeros(2 * RATE), RATE)
    return folder


@pytest.fixture
def asked(monkeypatch):
    """What a study of Table 2 is asked to train: settings by label."""
    told = {}

    def study(held, material, measure):
        told.update({label: settings for label, (_, settings) in held.items()})
        return []

    monkeypatch.setattr(systems, "study", study)
    return told


def test_the_diffusions_have_the_features_of_their_clips(corpus, asked):
    (found,) = systems.measured(["2"], "quick", LIKE)
    clips = found.material.clips
    assert TRAIN[2] not in clips.names
    assert len(clips) > 20
    assert len({asked[name].visual_file for name in ("Vanilla", "Step-Intra")}) == 1
    for name in ("Vanilla", "Step-Intra", "Sample-Inter"):
        assert asked[name].visual == 2048
        kept = np.load(asked[name].visual_file, allow_pickle=False)
        assert kept.shape == (len(clips), 2048)
        assert kept.dtype == np.float32
        for row, segment in enumerate(clips.names):
            there = np.load(corpus / "video_s2" / f"{segment}.npy")
            assert np.array_equal(kept[row], there[0].astype(np.float32)), segment
    assert not hasattr(asked["D2M-GAN"], "visual"), "the rival has none; the ledger says so"


def test_they_are_trained_on_and_name_the_run_by_what_they_hold(corpus):
    material = cdcd_material.material(LIKE)
    settings = systems.with_video(LIKE, material)
    made = cdcd.train(settings, material, 0)
    assert np.isfinite(made.generate(material.clips.rows("test"), 0)).all()
    learner = cdcd.Cdcd(settings, material, seed=0)
    assert learner.network.conditioning.fusion.in_features == 7 + 2048 + 5
    assert made.run != cdcd.train(LIKE, material, 0).run
    told = (made.run.folder / "config.json").read_text()
    assert str(Path.cwd()) not in told, "a key must not know the machine"
    Path(settings.visual_file).write_bytes(b"\x93NUMPY")
    again = systems.with_video(LIKE, material)
    assert again == settings
    assert cdcd.train(again, material, 0).run == made.run, "a damaged file is written anew"


def test_clips_without_features_have_none(corpus, asked):
    for path in corpus.glob("tiktok_video_*.txt"):
        path.unlink()
    (found,) = systems.measured(["2"], "quick", LIKE)
    assert found.material.clips.visual is None
    assert (asked["Vanilla"].visual, asked["Vanilla"].visual_file) == (0, None)


def test_dances_without_video_and_a_users_own_file_are_left_as_they_are(corpus, project):
    material = cdcd_material.material(LIKE)
    own = replace(LIKE, visual=17, visual_file=str(project / "own.npy"))
    assert systems.with_video(own, material) == own
    others = replace(material, clips=musics.made_clips(project))
    assert systems.with_video(LIKE, others) == LIKE
