"""What is chosen for the music VQ-VAE (`papers.cdcd_codec`); the defaults are Jukebox's."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from pasdedeux.base.checks import choice, refuse
from pasdedeux.nn.conv import ConvConfig, jukebox_level, patch

RATE_HZ = 22_050  # two seconds are 44,100 samples (section B.1); "22.5 kHz" is a slip


@dataclass(frozen=True)
class CodecSettings:
    """Sizes, weights and schedule of the codec; where Jukebox says nothing, "ours"."""

    conv: ConvConfig = field(default_factory=jukebox_level)
    codes: int = 2048
    samples: int = 44_032  # of an excerpt, a multiple of 128; ours
    batch: int = 32
    steps: int = 20_000  # ours: the paper's fine-tuning settings are not published
    rate: float = 3e-4  # Adam, its highest learning rate
    warmup: int = 100  # updates until the rate is reached
    ending: Literal["constant", "cosine"] = "constant"  # of the rate; cosine falls to 0
    warm_start: int = 0  # updates without quantisation, before the codebook is drawn; ours
    decay: float = 0.99  # of the codebook's averages
    least_use: float = 0.02  # of an entry that lives; 1 is an even use (Jukebox: 1 in 48)
    average: float = 0.99  # of the weights; 0 keeps the latest
    spectral: float = 1.0  # weight of the spectral distance
    worst: float = 0.02  # weight of the largest squares
    worst_samples: int = 2048  # how many those are
    commitment: float = 0.02  # weight; too light for rates above Jukebox's, see `gpu`
    clip: float = 1.0  # global gradient norm
    threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        for name in ("codes", "samples", "batch", "steps", "warmup", "worst_samples", "threads"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        for name in ("spectral", "worst", "commitment"):
            value = getattr(self, name)
            refuse(value < 0, f"{name} is a weight and must not be negative, got {value}.")
        refuse(
            self.samples % self.conv.hop != 0,
            f"samples must be a multiple of the hop {self.conv.hop}, got {self.samples}.",
        )
        refuse(
            not 0 <= self.warm_start < self.steps,
            f"warm_start must be in [0, steps), got {self.warm_start} of {self.steps}.",
        )
        refuse(self.rate <= 0, f"rate must be above 0, got {self.rate}.")
        choice("ending", self.ending, ("constant", "cosine"))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of update `step`: a linear rise, then constant or a cosine."""
        rise = min(1.0, (step + 1) / self.warmup)
        if self.ending == "constant" or step < self.warmup:
            return self.rate * rise
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))

    @classmethod
    def paper(cls) -> "CodecSettings":
        """The top level of Jukebox, to be fine-tuned from the user's file."""
        return cls()

    @classmethod
    def gpu(cls) -> "CodecSettings":
        """The shape of Jukebox's level with half its codes, trained from nothing.

        At these rates a commitment of 0.02 lets frames run away from a codebook just drawn.
        """
        return replace(
            cls.paper(), codes=1024, samples=16_384, batch=64, rate=1e-3, ending="cosine",
            warm_start=500, least_use=0.05, commitment=0.25,
        )  # fmt: skip

    @classmethod
    def laptop(cls) -> "CodecSettings":
        """The patch front end and 256 codes: about two minutes on one CPU core."""
        return replace(
            cls.gpu(), conv=patch(), codes=256, samples=8192, batch=8, steps=600, rate=2e-3,
            warmup=60, warm_start=60, average=0.0,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "CodecSettings":
        """A few updates of the laptop's: beats are heard, timbres are not."""
        return replace(cls.laptop(), steps=150, warmup=20, warm_start=30)
