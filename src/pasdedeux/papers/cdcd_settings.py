"""What is chosen for contrastive discrete diffusion (`papers.cdcd`), and what is left open.

| setting          | default    | why                                                              |
|------------------|------------|------------------------------------------------------------------|
| condition        | "joint"    | section C.1 trains motion encoder and genre embedding with the   |
|                  |            | rest; "frozen" is the release, which encodes without gradients   |
| layout           | "token"    | the condition is one position, as released; "temporal", ours,    |
|                  |            | keeps when something is danced: one position for 8 tokens        |
| motion_channels, | Table 5    | the two releases have other sizes (`nn.motion_encoder.SHAPES`)   |
| motion_kernels   |            |                                                                  |
| motion_start     | "kept"     | first weights under which the dance is heard in the condition    |
|                  |            | at all; "released" is N(0, 0.02) (`nn.motion_encoder`)           |
| denoiser_start   | "copying"  | first weights that copy the tokens that are seen (ours): else   |
|                  |            | it must be learnt; "released" is N(0, 0.02) (`nn.denoiser`)      |
| activation       | "gelu2"    | x sigmoid(1.702 x), as released; "relu" is cheaper on a CPU      |
| rate             | 4.5e-4     | section C.1; the released music settings have 2e-4               |
| ending           | "constant" | the release halves the rate when the loss stalls, but its loss   |
|                  |            | has a negative term and the noise of one batch                   |
| average          | 0.9996     | 0.99 every 25 updates, as released                               |
| inter            | "genre"    | what differs in inter negatives; with one genre it is the song   |
| visual           | 0          | no video here; 2048 reads the user's I3D vectors                 |

`contrast` holds what is left open about the losses (`diffusion.contrast.Contrast`).
"""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.diffusion.sampling import TRUNCATION
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.training.musics import MusicTraining


@dataclass(frozen=True)
class CdcdSettings(MusicTraining):
    """What is chosen for the diffusion; the defaults are the paper's (sections 4.1 and C.1).

    `steps` are updates of the training, `diffusion_steps` the T of the chain.
    """

    batch: int = 8  # 2 on each of 4 GPUs, as released
    steps: int = 82_900  # 100 epochs of the 6,632 clips of 2 s of AIST++
    codec: CodecSettings = field(default_factory=CodecSettings.paper)
    jukebox: str | None = None  # the user's VQ-VAE to start from (`nn.jukebox`)
    width: int = 1024
    layers: int = 19
    heads: int = 16
    feed_forward: int = 4  # width of the MLP, in widths
    activation: Literal["gelu2", "relu"] = "gelu2"
    diffusion_steps: int = 80  # T
    contrast: Contrast = field(default_factory=lambda: Contrast.system("step-intra"))
    inter: Literal["genre", "song"] = "genre"
    layout: Literal["token", "temporal"] = "token"
    condition: Literal["joint", "frozen"] = "joint"
    genre: bool = True  # whether the genre is part of the condition
    genre_width: int = 256
    visual: int = 0  # width of the user's video features, 0 for none
    visual_file: str | None = None  # .npy of one row for each clip
    motion_width: int = 1024
    motion_length: int = 800  # of the axis that the encoder convolves along
    motion_channels: tuple[int, ...] = (256, 512, 1024, 1024, 1)
    motion_kernels: tuple[int, ...] = (6, 3, 3, 3, 4)
    motion_start: Literal["kept", "released"] = "kept"
    denoiser_start: Literal["copying", "released"] = "copying"
    rate: float = 4.5e-4  # AdamW, its highest learning rate
    warmup: int = 1000  # updates until the rate is reached
    ending: Literal["constant", "cosine"] = "constant"  # of the rate; cosine falls to 0
    weight_decay: float = 0.045
    betas: tuple[float, float] = (0.9, 0.96)
    clip: float = 0.5  # global gradient norm
    average: float = 0.9996  # of the weights, after each update; 0 keeps the latest
    truncation: float = TRUNCATION

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in (
            "width", "layers", "heads", "feed_forward", "diffusion_steps", "genre_width",
            "motion_width", "motion_length", "warmup",
        ):  # fmt: skip
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(
            (self.visual > 0) != (self.visual_file is not None),
            "visual and visual_file belong together: give the width of the features and the .npy "
            f"that holds them, got {self.visual} and {self.visual_file!r}.",
        )
        refuse(self.rate <= 0, f"rate must be above 0, got {self.rate}.")
        refuse(self.weight_decay < 0, f"weight_decay must not be negative: {self.weight_decay}.")
        choice("activation", self.activation, ("gelu2", "relu"))
        choice("inter", self.inter, ("genre", "song"))
        choice("layout", self.layout, ("token", "temporal"))
        choice("condition", self.condition, ("joint", "frozen"))
        choice("motion_start", self.motion_start, ("kept", "released"))
        choice("denoiser_start", self.denoiser_start, ("copying", "released"))
        choice("ending", self.ending, ("constant", "cosine"))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of update `step`: a linear rise, then constant or a cosine."""
        rise = min(1.0, (step + 1) / self.warmup)
        if self.ending == "constant" or step < self.warmup:
            return self.rate * rise
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))

    @classmethod
    def paper(cls) -> "CdcdSettings":
        """The paper's sizes; `jukebox` names the user's VQ-VAE, without which one is trained."""
        return cls(seeds=(0, 1, 2), workers=1)

    @classmethod
    def gpu(cls) -> "CdcdSettings":
        """8 layers of 512 units for one GPU; its VQ-VAE is trained from nothing."""
        return cls(
            seeds=(0, 1, 2), workers=1, codec=CodecSettings.gpu(), width=512, layers=8, heads=8,
            genre_width=128, motion_width=512, motion_length=400,
            motion_channels=(128, 256, 512, 512, 1), batch=64, steps=8000, warmup=500,
            ending="cosine", average=0.999,
        )  # fmt: skip

    @classmethod
    def laptop(cls) -> "CdcdSettings":
        """3 layers of 96 units and a quarter of the paper's T: 2 to 3 minutes on a CPU core."""
        return replace(
            cls.gpu(), codec=CodecSettings.laptop(), width=96, layers=3, heads=4,
            activation="relu", diffusion_steps=20, genre_width=24, motion_width=96,
            motion_length=64, motion_channels=(32, 48, 64, 64, 1), batch=4, steps=600, rate=3e-3,
            warmup=50, average=0.98, workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "CdcdSettings":
        """One seed on a few synthetic dances: what is made has beats, and little more."""
        few = ClipSettings(genres=("Waltz", "Lock"), most_clips=128)
        return replace(
            cls.laptop(), clips=few, seeds=(0,), samples=8, codec=CodecSettings.quick(),
            diffusion_steps=10, steps=60, warmup=10, average=0.9,
        )  # fmt: skip
