"""D2M-GAN (Zhu et al., ECCV 2022): a GAN makes the frames of the music VQ-VAE from a dance.

A re-implementation after the released code. The motion encoder's vector and an embedding of the
genre are the condition; the generator makes frames y of it (`nn.latent_gan`). With x the frames
that the VQ-VAE's encoder makes of the music, e their codebook entries, and D_k the judges,

    judge:      sum_k mean relu(1 + D_k(y)) + mean relu(1 - D_k(x))                (hinge)
    generator:  -sum_k mean D_k(y) + 3 features + 5 mean |x - y| + 8 mean |e - y|

where "features" is 4/5 the mean over judges of the summed mean distances of their layers. To play,
every frame becomes its nearest entry, and the VQ-VAE's decoder makes sound of them.

Two more terms stand in the released sum, 40 mean |s - s'| of the sound and 15 of its log-mel
spectrum. The code computes s' without gradients, so they teach nothing. `released_audio_terms`
gives them; training leaves them out, which spares it the decoder.

| original                          | here                                                     |
|-----------------------------------|----------------------------------------------------------|
| AIST++ at 60 frames a second, I3D | the clips of every system, no video                      |
| Jukebox's frames as they are,     | the same with `standardised` off; else divided by their  |
| within +-100                      | standard deviation: a small VQ-VAE's are near 0.1        |
| N(0, 0.02) at the beginning; for  | "released" does so too, but then a dance hardly reaches  |
| layers with weight normalisation  | what it should decide, and there is not the time of the  |
| it is undone at their first use   | paper to learn that it does: "kept" (`nn.motion_encoder`)|

`B` clips, `T` frames of the VQ-VAE, `D` their width, `S` samples.
"""

from dataclasses import dataclass, replace
from typing import Protocol, get_args, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base import device, quiet
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import number
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.nn.latent_gan import Discriminator, Generator, Start
from pasdedeux.nn.motion_encoder import SHAPES, MotionConfig, MotionEncoder
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.vq import Quantiser
from pasdedeux.training.loop import fit, update
from pasdedeux.training.musics import (
    Generate,
    Material,
    MusicTraining,
    Tokenizer,
    Trained,
    drawn,
    opened,
)

SYSTEM = "d2m-gan"
AT_ONCE = 8  # clips encoded or played together
UNIT_CLIPS = 64  # whose frames tell the unit
LAYERS = 5  # that the released weight of the features counts
RELEASED = {"audio": 40.0, "mel": 15.0}  # weights of the terms that teach nothing
MEL_POINTS, MEL_HOP, MELS, MEL_FLOOR = 1024, 256, 128, 1e-5


@dataclass(frozen=True)
class D2mGanSettings(MusicTraining):
    """What is chosen for D2M-GAN; the defaults are those of the released code."""

    steps: int = 1_245_000  # 3000 epochs of 415 batches
    rate: float = 1e-4  # Adam, both networks
    betas: tuple[float, float] = (0.5, 0.9)
    channels: int = 32  # of the generator's first convolution
    judged: int = 32  # channels of a judge's first convolution
    scale: float = 100.0  # largest value of a frame
    standardised: bool = False  # frames are divided by their standard deviation; ours
    start: Start = "released"  # first weights
    features: float = 3.0  # weight of feature matching
    latents: float = 5.0  # weight of the distance from the encoder's frames
    codes: float = 8.0  # weight of the distance from the codebook's entries
    genre_width: int = 256
    motion_width: int = 1024
    motion_length: int = 800
    motion_channels: tuple[int, ...] = SHAPES["D2M-GAN, TikTok"].channels
    motion_kernels: tuple[int, ...] = SHAPES["D2M-GAN, TikTok"].kernels

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in ("channels", "judged", "genre_width", "motion_width", "motion_length"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        for name in ("features", "latents", "codes"):
            value = getattr(self, name)
            refuse(value < 0, f"{name} is a weight and must not be negative, got {value}.")
        choice("start", self.start, get_args(Start))
        refuse(self.rate <= 0, f"rate must be above 0, got {self.rate}.")

    @classmethod
    def paper(cls) -> "D2mGanSettings":
        """The released sizes and epochs."""
        return cls(seeds=(0, 1, 2), workers=1)

    @classmethod
    def gpu(cls) -> "D2mGanSettings":
        """The released sizes, as many updates as the diffusion at this profile."""
        return replace(cls.paper(), steps=8000, standardised=True, scale=10.0, start="kept")

    @classmethod
    def laptop(cls) -> "D2mGanSettings":
        """An eighth of the channels: about two minutes on one CPU core."""
        return replace(
            cls.gpu(), channels=4, judged=2, genre_width=24, motion_width=96, motion_length=100,
            motion_channels=(32, 64, 96, 1), batch=4, steps=200, rate=3e-4, workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "D2mGanSettings":
        """One seed on a few synthetic dances."""
        few = ClipSettings(genres=("Waltz", "Lock"), most_clips=128)
        return replace(cls.laptop(), clips=few, seeds=(0,), samples=8, steps=30)


@runtime_checkable
class Codec(Tokenizer, Protocol):
    """A VQ-VAE whose frames can be had before they are quantised, and the entries of its codes."""

    encoder: nn.Module  # sound (B S) to frames (B T D)
    quantiser: Quantiser


class Network(nn.Module):
    """Motion encoder, embedding of the genre, and generator."""

    unit: Float[Tensor, ""]  # what frames are divided by

    def __init__(
        self,
        settings: D2mGanSettings,
        *,
        genres: int,
        motion: tuple[int, int],
        frames: int,
        width: int,
    ) -> None:
        super().__init__()
        config = MotionConfig(
            *motion, settings.motion_width, settings.motion_length,
            settings.motion_channels, settings.motion_kernels, start=settings.start,
        )  # fmt: skip
        self.motion = MotionEncoder(config)
        self.genre = nn.Embedding(genres, settings.genre_width)
        self.generator = Generator(
            settings.motion_width + settings.genre_width,
            frames=frames,
            width=width,
            channels=settings.channels,
            scale=settings.scale,
            start=settings.start,
        )
        self.register_buffer("unit", torch.ones(()))

    def forward(
        self, motion: Float[Tensor, "B N F"], genre: Int[Tensor, " B"]
    ) -> Float[Tensor, "B T D"]:
        """Return frames, in units of `unit`."""
        told = torch.cat([self.motion(motion)[:, 0], self.genre(genre)], dim=1)
        return self.generator(told)


def hinge(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Float[Tensor, ""]:
    """Return the judges' loss: real scores should be above 1, fake ones below -1."""
    each = [
        F.relu(1 - true[-1]).mean() + F.relu(1 + made[-1]).mean()
        for true, made in zip(real, fake, strict=True)
    ]
    return torch.stack(each).sum()


def matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Float[Tensor, ""]:
    """Return how far the layers of the judges are apart: 4/5 / 3 the sum of mean distances."""
    apart = [
        F.l1_loss(made, true.detach())
        for judged, wanted in zip(fake, real, strict=True)
        for made, true in zip(judged[:-1], wanted[:-1], strict=True)
    ]
    return 4.0 / LAYERS / len(fake) * torch.stack(apart).sum()


class D2mGan:
    """The learner: one update of the judges, then one of the generator, on the same batch."""

    def __init__(self, settings: D2mGanSettings, material: Material, seed: int) -> None:
        self.settings, self.material, self.seed = settings, material, seed
        self.where = device.pick(settings.device)
        refuse(
            not isinstance(material.codec, Codec),
            "codec must have an encoder and a quantiser: D2M-GAN makes frames, not tokens.",
        )
        clips, book = material.clips, material.codec.quantiser.codebook
        self.rows = clips.rows("train")
        with seeded(number(seed, "weights", SYSTEM)):
            network = Network(
                settings,
                genres=len(clips.genres),
                motion=clips.motion(self.rows[:1]).shape[1:],
                frames=material.tokens.shape[1],
                width=book.shape[1],
            )
            judges = Discriminator(settings.judged)
        self.network, self.judges = network.to(self.where), judges.to(self.where)
        self.modules = {"network": self.network, "judges": self.judges}
        self.optimizers = {
            name: torch.optim.Adam(part.parameters(), settings.rate, betas=settings.betas)
            for name, part in self.modules.items()
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one update of both; returns their losses and gradient norms."""
        if index == 0 and self.settings.standardised:
            rows = drawn(self.rows, UNIT_CLIPS, self.seed, 0)
            self.network.unit.copy_(self.encoded(rows).std())
        rows = drawn(self.rows, self.settings.batch, self.seed, index)
        true, unit = self.encoded(rows) / self.network.unit, self.network.unit
        entries = self.entries(rows) / unit
        made = self.network(*self.told(rows))
        self.judges.requires_grad_(True)
        real, fake = self.judges(true), self.judges(made.detach())
        judged = update(self.optimizers["judges"], {"judges": hinge(real, fake)})
        self.judges.requires_grad_(False)  # only what they say of `made` is differentiated
        named = self.losses(made, true, entries, real)
        weights = {name: getattr(self.settings, name) for name in ("features", "latents", "codes")}
        numbers = update(self.optimizers["network"], named, weights=weights)
        return numbers | {"judges": judged["judges"], "judges norm": judged["norm"]}

    @torch.no_grad()
    def encoded(self, rows: Int[np.ndarray, " B"]) -> Float[Tensor, "B T D"]:
        """Return the frames that the VQ-VAE's encoder makes of the music, a few clips at a time."""
        codec = self.material.codec
        parts = [
            codec.encoder(torch.from_numpy(sound).to(codec.quantiser.codebook.device))
            for begin in range(0, len(rows), AT_ONCE)
            for sound in [self.material.clips.sound(rows[begin : begin + AT_ONCE])]
        ]
        return torch.cat(parts).to(self.where)

    def entries(self, rows: Int[np.ndarray, " B"]) -> Float[Tensor, "B T D"]:
        """Return the codebook's entries of the music."""
        book = self.material.codec.quantiser.codebook
        codes = torch.from_numpy(self.material.tokens[rows].astype(np.int64))
        return F.embedding(codes.to(book.device), book).to(self.where)

    def told(self, rows: Int[np.ndarray, " B"]) -> tuple[Float[Tensor, "B N F"], Int[Tensor, " B"]]:
        """Return what the network may see of clips: dance and genre."""
        clips = self.material.clips
        motion = torch.from_numpy(clips.motion(rows)).float()
        return motion.to(self.where), torch.from_numpy(clips.genre[rows]).to(self.where)

    def losses(
        self, made: Tensor, true: Tensor, entries: Tensor, real: list[list[Tensor]]
    ) -> dict[str, Tensor]:
        """Return the generator's terms for frames (B T D) that it made, those of the encoder and
        the entries; `real` is what the judges said of the true ones before they learnt.
        """
        fake = self.judges(made)
        return {
            "adversarial": -torch.stack([judge[-1].mean() for judge in fake]).sum(),
            "features": matching(real, fake),
            "latents": F.l1_loss(made, true),
            "codes": F.l1_loss(made, entries),
        }


@torch.no_grad()
def released_audio_terms(
    codec: Codec, frames: Float[Tensor, "B T D"], sound: Float[Tensor, "B S"]
) -> dict[str, Float[Tensor, ""]]:
    """Return "audio" and "mel" as the released code computes them: numbers without a gradient.

    The mean distances of `sound` from what `frames` sound like, and of their log-mel spectra. They
    enter the generator's sum with the weights of `RELEASED`, and move nothing.
    """
    heard = codec.decode(codec.quantiser.nearest(frames))
    reference = sound[:, : heard.shape[1]]
    return {
        "audio": F.l1_loss(heard, reference),
        "mel": F.l1_loss(log_mel(heard, codec.rate_hz), log_mel(reference, codec.rate_hz)),
    }


def log_mel(sound: Float[Tensor, "B S"], rate_hz: int) -> Float[Tensor, "B M T"]:
    """Return the logarithm to base 10 of 128 mel bands, windows of 1024 samples every 256."""
    edge = (MEL_POINTS - MEL_HOP) // 2
    window = torch.hann_window(MEL_POINTS, device=sound.device)
    found = torch.stft(
        F.pad(sound, (edge, edge), mode="reflect"), MEL_POINTS, MEL_HOP, window=window,
        center=False, return_complex=True,
    ).abs()  # fmt: skip
    bands = quiet.librosa().filters.mel(sr=rate_hz, n_fft=MEL_POINTS, n_mels=MELS)
    mel = torch.from_numpy(bands).to(found) @ found
    return mel.clamp_min(MEL_FLOOR).log10()


def playing(learner: D2mGan) -> Generate:
    """Return the trained network as a system; nothing is drawn."""
    material, network = learner.material, learner.network
    clips, codec = material.clips, material.codec

    @torch.no_grad()
    def generate(rows: Int[np.ndarray, " M"], seed: int) -> Float32[np.ndarray, "M S"]:
        made = np.zeros((len(rows), clips.settings.samples), np.float32)
        for begin in range(0, len(rows), AT_ONCE):
            part = rows[begin : begin + AT_ONCE]
            frames = network(*learner.told(part)) * network.unit
            codes = codec.quantiser.nearest(frames.to(codec.quantiser.codebook.device))
            sound = codec.decode(codes).clamp(-1, 1).cpu().numpy()[:, : made.shape[1]]
            made[begin : begin + len(part), : sound.shape[1]] = sound
        return made

    return generate


def parameters(
    settings: D2mGanSettings,
    *,
    genres: int = 10,
    motion: tuple[int, int] = (50, 219),
    frames: int = 344,
    width: int = 64,
) -> dict[str, int]:
    """Return how many numbers the parts learn: "motion", "generator" with the genre's, "judges"."""
    with torch.device("meta"):
        made = Network(settings, genres=genres, motion=motion, frames=frames, width=width)
        judges = Discriminator(settings.judged)
    parts = {"motion": [made.motion], "generator": [made.generator, made.genre], "judges": [judges]}
    return {
        name: sum(p.numel() for module in modules for p in module.parameters())
        for name, modules in parts.items()
    }


def train(settings: D2mGanSettings, material: Material, seed: int) -> Trained:
    """Train D2M-GAN (or load the finished run)."""
    run = opened(SYSTEM, settings, material, seed, code=__name__)
    learner = D2mGan(settings, material, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, task=f"seed {seed}: D2M-GAN",
        threads=settings.threads,
    )  # fmt: skip
    return Trained(run, playing(learner))
