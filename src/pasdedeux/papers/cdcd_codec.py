"""The music VQ-VAE of CDCD (Zhu et al., ICLR 2023, section 4.1): sound to tokens and back.

The paper fine-tunes the top level of Jukebox; `paper()` does so from the user's file. The smaller
profiles train a model of their own on the songs at hand. Losses as in Jukebox, section 4.1:

    mean (x - y)^2 / v + 0.02 mean of the 2048 largest (x - y)^2 / v
        + distance(x, y) / s + 0.02 commitment

of a sound x and its reconstruction y; v is the variance of the training sounds, s the mean norm of
their spectra. `B` excerpts, `S` samples, `T` tokens, `D` width, `N` clips.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.seeding import generator, number
from pasdedeux.nn import jukebox, spectral
from pasdedeux.nn.conv import Decoder, Encoder
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.vq import Quantised, Quantiser, perplexity, used
from pasdedeux.papers.cdcd_codec_settings import RATE_HZ, CodecSettings
from pasdedeux.papers.cdcd_sounds import Sounds, clips, excerpts
from pasdedeux.training.average import Average
from pasdedeux.training.loop import fit, update
from pasdedeux.training.run import Run, open_run

PAPER, SYSTEM, CODE = "cdcd", "codec", "pasdedeux.papers.cdcd_codec"
SCALE_SECONDS = 600  # of music from which the scale of the losses is estimated, as in Jukebox
FRAMES_A_CODE = 4  # that the codebook is drawn from
AT_ONCE = 8  # clips encoded or decoded together


class Codec(nn.Module):
    """Encoder, codebook and decoder: mono sound at 22,050 Hz, in [-1, 1], and T = S // hop tokens.

    What is decoded is a little shorter than what was encoded, T * hop samples, and not clipped.
    """

    rate_hz = RATE_HZ

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        self.hop = settings.conv.hop
        self.encoder, self.decoder = Encoder(settings.conv), Decoder(settings.conv)
        self.quantiser = Quantiser(
            settings.codes, settings.conv.width, decay=settings.decay, least_use=settings.least_use
        )

    @property
    def codes(self) -> int:
        """The number of codes."""
        return len(self.quantiser.codebook)

    def adopt(self, level: jukebox.Level) -> None:
        """Take over a level of Jukebox of the same shape."""
        self.encoder.load_state_dict(level.encoder.state_dict())
        self.decoder.load_state_dict(level.decoder.state_dict())
        self.quantiser.adopt(level.codebook)

    @torch.no_grad()
    def encode(self, sound: Float[Tensor, "B S"]) -> Int[Tensor, "B T"]:
        """Return the tokens of `sound`; raises `ValueError` unless it is finite and S >= hop."""
        least = f"sound must be at least {self.hop} samples long, got {sound.shape[1]}."
        refuse(sound.shape[1] < self.hop, least)
        refuse(not bool(torch.isfinite(sound).all()), "sound must be finite; it holds NaN or inf.")
        return self.quantiser.nearest(self.encoder(sound))

    @torch.no_grad()
    def decode(self, codes: Int[Tensor, "B T"]) -> Float[Tensor, "B S"]:
        """Return the sound of `codes`; raises `ValueError` for a token outside the codebook."""
        return self.decoder(self.quantiser.embed(codes))


class Scale(NamedTuple):
    """What distances are divided by: the variance of the samples, the mean norm of spectra."""

    variance: float
    norm: float


def scale(sounds: Sounds, settings: CodecSettings, seed: int) -> Scale:
    """Return the scale of excerpts as long as those trained on: ten minutes of them, or as much as
    there is.
    """
    there = min(SCALE_SECONDS * RATE_HZ, sum(map(len, sounds.train)))
    count = max(1, there // settings.samples)
    drawn = excerpts(sounds.train, count, settings.samples, generator(seed, "scale"))
    norms = [spectral.norm(part, spectral.SCALE) for part in drawn.split(64)]
    return Scale(float(drawn.double().var()), float(torch.cat(norms).mean()))


def losses(
    sound: Float[Tensor, "B S"],
    heard: Float[Tensor, "B S"],
    unit: Scale,
    *,
    worst_samples: int = 2048,
) -> dict[str, Float[Tensor, ""]]:
    """Return the distances of `heard` from `sound`: "squares", "worst" and "spectral".

    "worst" looks at the `worst_samples` largest squares of each excerpt, where clicks are.
    """
    squares = (sound - heard).square()
    worst = squares.topk(min(worst_samples, squares.shape[1]), dim=1).values
    return {
        "squares": squares.mean() / unit.variance,
        "worst": worst.mean() / unit.variance,
        "spectral": spectral.distance(sound, heard).mean() / unit.norm,
    }


class Coding:
    """The codec and one update of it: a `training.loop.Learner`.

    The first `warm_start` updates go round the codebook, which is then drawn from what the encoder
    has learnt to make.
    """

    def __init__(
        self,
        settings: CodecSettings,
        sounds: Sounds,
        *,
        seed: int,
        start: jukebox.Level | None = None,
    ) -> None:
        self.settings, self.sounds, self.seed = settings, sounds, seed
        self.where = device.pick(settings.device)
        self.scale = scale(sounds, settings, seed)
        self.warm_start = settings.warm_start if start is None else 0
        with seeded(number(seed, "weights")):
            self.codec = Codec(settings)
        if start is not None:
            self.codec.adopt(start)
        self.codec.to(self.where)
        self.average = Average(self.codec, decay=settings.average)
        self.modules = {"codec": self.codec, "average": self.average}
        adam = torch.optim.Adam(self.codec.parameters(), fused=True)
        self.optimizers = {"codec": adam}
        self.drawn = start is not None  # whether there is a codebook to use

    def step(self, index: int) -> dict[str, float]:
        """Do update `index`; returns the losses, entries renewed and the batch's perplexity."""
        settings, codec = self.settings, self.codec
        if index == self.warm_start and not self.drawn:
            self._draw_codebook()
        for group in self.optimizers["codec"].param_groups:
            group["lr"] = settings.rate_at(index)
        sound = self._excerpts(settings.batch, "excerpts", index)
        frames = codec.encoder(sound)
        warming = index < self.warm_start
        quantised = None if warming else codec.quantiser.quantised(frames)
        heard = codec.decoder(frames if quantised is None else quantised.frames)
        named = losses(sound, heard, self.scale, worst_samples=settings.worst_samples)
        weights = {"worst": settings.worst, "spectral": settings.spectral}
        if quantised is not None:
            named["commitment"] = quantised.commitment
            weights["commitment"] = settings.commitment
        numbers = update(self.optimizers["codec"], named, clip=settings.clip, weights=weights)
        if quantised is not None:
            numbers |= self._follow(frames.detach(), quantised, index)
        self.average.follow(codec)
        return numbers

    def _excerpts(self, count: int, name: str, index: int) -> Float[Tensor, "B S"]:
        draw = generator(self.seed, name, index)
        return excerpts(self.sounds.train, count, self.settings.samples, draw).to(self.where)

    def _draw_codebook(self) -> None:
        """Draw the codebook from more frames than a batch of a small profile has."""
        settings = self.settings
        a_sound = settings.samples // self.codec.hop
        count = math.ceil(FRAMES_A_CODE * settings.codes / a_sound)
        with torch.no_grad():
            sound = self._excerpts(max(settings.batch, count), "codebook", 0)
            frames = torch.cat([self.codec.encoder(part) for part in sound.split(settings.batch)])
        self.codec.quantiser.begin(frames, generator(self.seed, "codebook"))

    def _follow(
        self, frames: Float[Tensor, "B T D"], quantised: Quantised, index: int
    ) -> dict[str, float]:
        codes, draw = quantised.codes, generator(self.seed, "renewed", index)
        renewed = self.codec.quantiser.follow(frames, codes, draw)
        return {"renewed": float(renewed), "perplexity": perplexity(codes, self.codec.codes)}


class Trained(NamedTuple):
    """The codec with averaged weights, its run, and what `reconstruction` says of it."""

    run: Run
    codec: Codec
    numbers: dict[str, float]


def trained(
    settings: CodecSettings, sounds: Sounds, seed: int, *, start: Path | None = None
) -> Trained:
    """Return the codec after all updates, measured on the sounds held out.

    start: the user's Jukebox file to fine-tune from (`nn.jukebox`); its digest is part of the key.
    """
    chosen = asdict(settings) | {"device": device.pick(settings.device).type}
    level = None
    if start is not None:
        level = jukebox.read(start, config=settings.conv, codes=settings.codes)
        chosen["start"] = digest(start)
    run = open_run(PAPER, SYSTEM, seed=seed, settings=chosen, data=sounds.checksum, code=CODE)
    coding = Coding(settings, sounds, seed=seed, start=level)
    task = f"seed {seed}: music VQ-VAE"
    fit(coding, steps=settings.steps, folder=run.folder, task=task, threads=settings.threads)
    codec = coding.average.inner.eval()
    if SYSTEM not in run.metrics():
        run.keep_metrics(SYSTEM, reconstruction(codec, sounds.held_out))
    return Trained(run, codec, run.metrics()[SYSTEM])


def pretrained(settings: CodecSettings, path: Path) -> Codec:
    """Return the user's Jukebox file as it is, without training."""
    codec = Codec(settings)
    codec.adopt(jukebox.read(path, config=settings.conv, codes=settings.codes))
    return codec.to(device.pick(settings.device)).eval()


def tokens(codec: Codec, sounds: Float[np.ndarray, "N S"]) -> Int[np.ndarray, "N T"]:
    """Return the tokens of N clips of one length as int16, a few clips at a time: what a fit reads
    instead of sound.
    """
    where = codec.quantiser.codebook.device
    parts = [
        codec.encode(torch.from_numpy(sounds[begin : begin + AT_ONCE]).float().to(where))
        for begin in range(0, len(sounds), AT_ONCE)
    ]
    return torch.cat(parts).to(torch.int16).cpu().numpy()


def heard(codec: Codec, codes: Int[np.ndarray, "N T"]) -> Float[np.ndarray, "N S"]:
    """Return the sound of N clips of tokens as float32, a few clips at a time."""
    where = codec.quantiser.codebook.device
    parts = [
        codec.decode(torch.from_numpy(codes[begin : begin + AT_ONCE]).long().to(where))
        for begin in range(0, len(codes), AT_ONCE)
    ]
    return torch.cat(parts).float().cpu().numpy()


def reconstruction(codec: Codec, sounds: Sequence[Float[np.ndarray, " _"]]) -> dict[str, float]:
    """Return how well `codec` gives back the clips of two seconds in `sounds`, and with what.

    convergence: mean spectral convergence, 0 best, 1 that of silence. used, perplexity: of the
    codes. clips: how many were compared; silent ones are left out.
    """
    whole = clips(sounds, 2 * RATE_HZ)
    compared = whole[np.abs(whole).max(1) > 0]
    refuse(not len(compared), "sounds must hold two seconds that are not silent.")
    codes = tokens(codec, compared)
    again = torch.from_numpy(heard(codec, codes))
    reference = torch.from_numpy(compared[:, : again.shape[1]])
    pairs = zip(reference.split(AT_ONCE), again.split(AT_ONCE), strict=True)
    apart = torch.cat([spectral.convergence(one, other) for one, other in pairs])
    made = torch.from_numpy(codes.astype(np.int64))
    return {
        "convergence": float(apart.mean()),
        "used": float(used(made, codec.codes).sum()),
        "perplexity": perplexity(made, codec.codes),
        "clips": float(len(compared)),
    }
