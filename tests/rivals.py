"""A tiny material for the tests of systems that make music to a dance, and what each must keep."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from pasdedeux.data import clips
from pasdedeux.data.clip_places import ClipSettings, Known
from pasdedeux.data.dance import Dance, Recording
from pasdedeux.motion import skeleton
from pasdedeux.nn.conv import ConvConfig, Decoder, Encoder
from pasdedeux.nn.vq import Quantiser
from pasdedeux.training.musics import Material

RATE = 22_050
SAMPLES = 44_100
PARTS = ("train", "train", "train", "train", "test", "test")
GENRES = ("Waltz", "Rumba", "Waltz", "Rumba", "Waltz", "Rumba")


class TinyCodec(torch.nn.Module):
    """An untrained VQ-VAE with a random codebook: 2,205 samples a token, 20 tokens in 2 s."""

    rate_hz, hop = RATE, 420

    def __init__(self):
        super().__init__()
        config = ConvConfig(((420,),), channels=5, width=3, units=1, closing=False)
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantiser = Quantiser(7, 3)
        draw = torch.Generator().manual_seed(3)
        self.quantiser.adopt(torch.randn(7, 3, generator=draw))

    @property
    def codes(self):
        return 7

    @torch.no_grad()
    def encode(self, sound):
        return self.quantiser.nearest(self.encoder(sound))

    @torch.no_grad()
    def decode(self, codes):
        return self.decoder(self.quantiser.embed(codes))


def _dance(number, folder, genre, seed):
    """A random dance of 5 to 6 s, to beeps of random pitch."""
    draw, frames = np.random.default_rng(number), 125 + 5 * number
    rng = np.random.default_rng([seed, number])
    samples = frames * 882 + RATE
    time, sound = np.arange(samples) / RATE, np.zeros(samples)
    for begin in np.sort(rng.uniform(0, time[-1], 20)):
        since = time - begin
        hertz = 261.6 * 2 ** (rng.integers(12) / 12)
        sound += np.where(since > 0, np.exp(-6 * since.clip(0)), 0) * np.sin(
            2 * np.pi * hertz * since
        )
    path = folder / f"{number}-{seed}.wav"
    soundfile.write(path, 0.2 * sound, RATE, subtype="FLOAT")
    bend = draw.normal(0, 0.5, (1, 24, 6)) + draw.normal(0, 0.05, (frames, 24, 6)).cumsum(0)
    return Dance(
        name=f"d{number}",
        corpus="test",
        genre=genre,
        group=f"g{number}",
        song=f"s{number}",
        translation=draw.normal(0, 0.02, (frames, 3)).cumsum(0).astype(np.float32),
        rotations=(np.array([1, 0, 0, 0, 1, 0]) + 0.3 * bend).astype(np.float32),
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
        music=np.zeros((frames, 53), np.float32),
        beat_seconds=np.arange(0.0, frames / 25, 0.6),
        recording=Recording(path, 0.3, frames / 25),
    )


def material(folder: Path, *, stride=23, held_out_seed=0) -> Material:
    """Six random dances to random beeps; `held_out_seed` draws other sounds for the held-out."""
    seeds = [held_out_seed if part == "test" else 0 for part in PARTS]
    dances = tuple(
        _dance(number, folder, genre, seed)
        for number, (genre, seed) in enumerate(zip(GENRES, seeds, strict=True))
    )
    made = clips.cut((Known(dances, PARTS, False, "random"),), ClipSettings(stride=stride))
    torch.manual_seed(11)
    codec = TinyCodec().eval()
    tokens = codec.encode(torch.from_numpy(made.sound(np.arange(len(made)))))
    return Material(made, codec, tokens.to(torch.int16).numpy(), "untrained")


def held_out(given: Material):
    """Return the rows of clips that are played for the measures."""
    rows = given.clips.rows("test", most_copied=1.0)
    assert len(rows) > 3, "nothing held out"
    return rows


def check_music(trained, given: Material, seed=0):
    """Play the held-out clips; check length, level and finiteness, return the sound."""
    rows = held_out(given)
    sound = trained.generate(rows, seed)
    assert sound.shape == (len(rows), SAMPLES)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1
    assert sound.any(), "all silent"
    return sound


def check_system(train, settings, folder):
    """Check what every system must keep: one result, of dance and genre alone."""
    given, other = material(folder), material(folder, held_out_seed=1)
    assert given.clips.checksum != other.clips.checksum
    rows = held_out(given)
    assert not np.allclose(given.clips.sound(rows), other.clips.sound(rows))
    made = check_music(train(settings, given, 0), given)
    assert np.array_equal(made, check_music(train(settings, given, 0), given)), "loaded"
    blind = check_music(train(settings, other, 0), other)
    assert np.array_equal(made, blind), "it knows the sound of what it plays for"
    again = train(settings, given, 0).generate(rows[1:], 0)
    return made, again


def without_dance(given: Material) -> Material:
    """Return `given` with every dance held still in its first pose."""

    def still(dance):
        frames = len(dance.translation)
        held = {
            name: np.repeat(getattr(dance, name)[:1], frames, axis=0)
            for name in ("translation", "rotations")
        }
        return replace(dance, **held)

    dances = tuple(still(dance) for dance in given.clips.dances)
    return replace(given, clips=replace(given.clips, dances=dances))
