"""Tang, Jia and Mao (2018), "Dance with Melody": an LSTM autoencoder of music that also dances.

    code = mask * encoder(music),   minimise  max(0.045, |decoder(code) - music|^2)
                                            + |predictor(code) - dance|^2

Each of the three is a dense layer, three temporal indices joined to it, an LSTM and a dense layer.
The indices are how many seconds have passed since the beginning and since the last beat, and
whether there is a beat; the mask keeps the code only where there is one. The authors released no
code: sizes and rates follow a public re-implementation (listentomi/Let_us_dance_together), whose
switch for the mask is turned round. What was adapted:

| original                         | here                                                         |
|----------------------------------|--------------------------------------------------------------|
| 16 acoustic features             | the 53 features that every system hears                      |
| 21 joints of motion capture      | poses of 147 numbers, rotations made orthonormal at the end  |
| windows of 120 frames            | the windows of every other system; indices count within them |
| about 1000 epochs                | as many updates as every other system, gradients clipped     |

Music and poses are brought to 0..1 over the training windows, as there, so that the threshold keeps
its meaning. The first pose is not used by design: of it, only where it stands and which way it
faces enters, as the frame of reference of the window; so the body jumps at every seam.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import number
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.music.features import BEAT, RATE_HZ
from pasdedeux.nn.pose import POSE, orthonormal
from pasdedeux.nn.seeded import seeded
from pasdedeux.training.dances import (
    DanceTraining,
    Trained,
    chained,
    drawn,
    on_device,
    opened,
    set_rate,
)
from pasdedeux.training.loop import fit, update

SYSTEM = "tang2018"
MUSIC, INDICES = 53, 3
FLAT = 1e-6  # a channel that spans less than this is constant


@dataclass(frozen=True)
class TangSettings(DanceTraining):
    """What is chosen for Tang 2018; the defaults are those of the re-implementation."""

    batch: int = 10
    rates: tuple[tuple[int, float], ...] = ((0, 1e-3),)
    dense: int = 24  # units before the indices join
    hidden: int = 32  # units of each LSTM layer
    layers: int = 3
    code: int = 10  # numbers that music is reduced to
    threshold: float = 0.045  # a reconstruction better than this teaches nothing more
    masked: bool = True  # whether the code is kept at beats only

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in ("dense", "hidden", "layers", "code"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(self.threshold < 0, f"threshold must not be below 0, got {self.threshold}.")

    @classmethod
    def paper(cls) -> "TangSettings":
        """The sizes and rate of the re-implementation, five seeds."""
        return cls(seeds=(0, 1, 2, 3, 4), workers=1)

    @classmethod
    def gpu(cls) -> "TangSettings":
        """The same sizes, as many updates as the dual model at this profile."""
        return cls(seeds=(0, 1, 2), workers=1, steps=15_000)

    @classmethod
    def laptop(cls) -> "TangSettings":
        """The same sizes: the network is small as it is."""
        return replace(cls.gpu(), batch=16, steps=600, workers=2)

    @classmethod
    def quick(cls) -> "TangSettings":
        """One seed on a few synthetic dances."""
        few = PairSettings(genres=("Waltz", "Lock"), dances_a_genre=9, most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=60)


def indices(beats: Float[Tensor, "B T"]) -> Float[Tensor, "B T 3"]:
    """Return the temporal indices: seconds from the beginning, beat or not, seconds since a beat.

    Before the first beat the last one counts from the beginning, where none is known.
    """
    frame = torch.arange(beats.shape[1], device=beats.device).expand(beats.shape)
    beat = beats > 0.5
    last = torch.where(beat, frame, 0).cummax(dim=1).values
    return torch.stack([frame / RATE_HZ, beat.float(), (frame - last) / RATE_HZ], dim=-1).to(beats)


class Indexed(nn.Module):
    """A dense layer, the indices joined to its units, an LSTM, a dense layer."""

    def __init__(self, source: int, target: int, settings: TangSettings) -> None:
        super().__init__()
        self.reads = nn.Linear(source, settings.dense)
        inner = settings.dense + INDICES
        self.lstm = nn.LSTM(inner, settings.hidden, settings.layers, batch_first=True)
        self.writes = nn.Linear(settings.hidden, target)

    def forward(self, source: Float[Tensor, "B T C"], index: Float[Tensor, "B T 3"]) -> Tensor:
        """Return the frames of the target."""
        units = torch.cat([self.reads(source).relu(), index], dim=-1)
        return self.writes(self.lstm(units)[0])


class Range(nn.Module):
    """What brings each channel to 0..1 over the training windows; it is kept with the weights."""

    def __init__(self, frames: Float[Tensor, "N T C"]) -> None:
        super().__init__()
        low, high = frames.amin((0, 1)), frames.amax((0, 1))
        span = torch.where(high - low > FLAT, high - low, torch.ones_like(low))
        self.register_buffer("low", low)
        self.register_buffer("span", span)

    def forward(self, frames: Float[Tensor, "*any C"]) -> Float[Tensor, "*any C"]:
        """Return `frames` in 0..1."""
        return (frames - self.low) / self.span

    def undone(self, frames: Float[Tensor, "*any C"]) -> Float[Tensor, "*any C"]:
        """Return what `forward` was given."""
        return frames * self.span + self.low


class Melodic(nn.Module):
    """The autoencoder of music and the predictor of dance that share one code."""

    def __init__(self, settings: TangSettings) -> None:
        super().__init__()
        self.masked = settings.masked
        self.encoder = Indexed(MUSIC, settings.code, settings)
        self.decoder = Indexed(settings.code, MUSIC, settings)
        self.predictor = Indexed(settings.code, POSE, settings)

    def coded(
        self, music: Float[Tensor, "B T 53"], beats: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T E"]:
        """Return the code of `music`, 0 between the beats where it is masked."""
        code = self.encoder(music, indices(beats))
        return code * (beats > 0.5)[..., None] if self.masked else code


class Tang:
    """The learner: reconstruction and prediction in one loss."""

    def __init__(self, settings: TangSettings, pairs: Pairs, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.music, self.pose = on_device(pairs.train, settings)
        with seeded(number(seed, "weights", SYSTEM)):
            self.net = Melodic(settings).to(self.music)
        self.music_range, self.pose_range = Range(self.music), Range(self.pose)
        self.modules = {"net": self.net, "music": self.music_range, "pose": self.pose_range}
        self.optimizers = {"net": torch.optim.Adam(self.net.parameters(), settings.rate(0))}

    def step(self, index: int) -> dict[str, float]:
        """Do one update on a batch of windows."""
        at = drawn(len(self.music), self.settings, self.seed, index).to(self.music.device)
        set_rate(self.optimizers["net"], self.settings.rate(index))
        found = self.losses(self.music[at], self.pose[at])
        return update(self.optimizers["net"], found, clip=self.settings.clip)

    def losses(
        self, music: Float[Tensor, "B T 53"], pose: Float[Tensor, "B T 147"]
    ) -> dict[str, Tensor]:
        """Return both terms of the loss, mean squares over channels of 0..1."""
        beats, wanted = music[..., BEAT], self.music_range(music)
        code, index = self.net.coded(wanted, beats), indices(beats)
        rebuilt = (self.net.decoder(code, index) - wanted).square().mean()
        danced = self.net.predictor(code, index) - self.pose_range(pose)
        return {
            "reconstruction": rebuilt.clamp(min=self.settings.threshold),
            "motion": danced.square().mean(),
        }

    def window(
        self, music: Float[Tensor, "B T 53"], _first: Tensor, _noise: torch.Generator
    ) -> Float[Tensor, "B T 147"]:
        """Return the dance to `music`; neither a first pose nor noise enters."""
        beats = music[..., BEAT]
        code = self.net.coded(self.music_range(music), beats)
        return orthonormal(self.pose_range.undone(self.net.predictor(code, indices(beats))))


def parameters(settings: TangSettings) -> dict[str, int]:
    """Return how many numbers are learned, "dancing" those that a dance takes."""
    net = Melodic(settings)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    return {"dancing": sizes["encoder"] + sizes["predictor"], "learned": sum(sizes.values())}


def train(settings: TangSettings, pairs: Pairs, seed: int) -> Trained:
    """Train Tang 2018 (or load the finished run)."""
    run = opened(SYSTEM, settings, pairs, seed, code=__name__)
    learner = Tang(settings, pairs, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, task=f"seed {seed}: Tang 2018",
        threads=settings.threads,
    )  # fmt: skip
    where = device.pick(settings.device)
    return Trained(run, chained(learner.window, frames=settings.pairs.frames, where=where))
