"""Clips with made-up dances and music, and a VQ-VAE that learns nothing: music tests in seconds."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from pasdedeux.data import clips
from pasdedeux.data.clip_places import ClipSettings, Known
from pasdedeux.data.dance import Dance, Recording
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.motion import skeleton
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.musics import Material

RATE = 22_050
GENRES = ("Waltz", "Rumba", "House", "Waltz", "Rumba", "House", "Waltz", "Rumba")
PARTS = ("train", "train", "train", "valid", "test", "test", "train", "train")
CODES, HOP = 11, 3150  # 14 tokens in 2 seconds
FEW = {"negatives": 3, "chunks": 4}
TINY = CdcdSettings(
    batch=3, steps=5, width=12, layers=2, heads=3, diffusion_steps=6, genre_width=5,
    motion_width=7, motion_length=41, motion_channels=(3, 2, 4, 2, 1), rate=1e-2, warmup=2,
    average=0.5, contrast=replace(Contrast.system("step-intra", 0.1), **FEW), device="cpu",
)  # fmt: skip


def dance(number, folder, *, genre="Waltz", frames=131):
    """A random dance whose music is a tone of its own that swells."""
    draw = np.random.default_rng(number)
    time = np.arange(round((frames / 25 + 1) * RATE)) / RATE
    path = folder / f"{number}.wav"
    sound = np.sin(2 * np.pi * (110 + 60 * number) * time) * (0.2 + 0.6 * time / time[-1])
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    bend = draw.normal(0, 0.5, (1, 24, 6)) + draw.normal(0, 0.02, (frames, 24, 6)).cumsum(0)
    return Dance(
        name=f"d{number}",
        corpus="test",
        genre=genre,
        group=f"g{number}",
        song=f"s{number}",
        translation=draw.normal(0, 0.02, (frames, 3)).cumsum(0).astype(np.float32),
        rotations=(np.array([1, 0, 0, 0, 1, 0]) + 0.5 * bend).astype(np.float32),
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
        music=np.zeros((frames, 53), np.float32),
        beat_seconds=np.arange(0.0, frames / 25, 0.6),
        recording=Recording(path, 0.3, frames / 25),
    )


def made_clips(folder, *, genres=GENRES, settings=None):
    """Return clips of eight dances, of which five are learnt from."""
    dances = tuple(
        dance(number, folder, genre=genre, frames=131 + number)
        for number, genre in enumerate(genres)
    )
    known = Known(dances, PARTS, False, "random")
    return clips.cut((known,), settings or ClipSettings(stride=17))


class Tones:
    """A VQ-VAE whose code is how loud a hop is, and whose sound is too loud."""

    rate_hz, hop, codes = RATE, HOP, CODES

    def encode(self, sound):
        """Return tokens."""
        whole = sound[:, : sound.shape[1] // HOP * HOP].unflatten(1, (-1, HOP))
        return (whole.abs().mean(-1) * CODES).long().clamp(0, CODES - 1)

    def decode(self, codes):
        """Return sound of the loudness that codes stand for, beyond 1 for some."""
        return (codes.float() / 5).repeat_interleave(HOP, dim=1)


def material(folder, **options):
    """Return those clips with their tokens under `Tones`."""
    made = made_clips(folder, **options)
    tokens = Tones().encode(torch.from_numpy(made.sound(np.arange(len(made)))))
    return Material(made, Tones(), tokens.numpy().astype(np.int16), "tones")


def lasting(tmp_path_factory):
    """Return the material for the tests of a whole module."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return material(folder)
