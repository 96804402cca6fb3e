"""Ren et al. (2020), "Self-supervised Dance Video Synthesis": a GAN with a perceptual loss.

A generator hears music through a recurrent network, joins noise and makes a pose a frame. It has
to convince a local critic (5 frames at a time, 3 apart) and a critic of the whole sequence with its
music, and to come near the true dance in three ways:

    L_G = L_local + L_sequence + |features of the sequence critic|_1 + 200 |pose|_1 + L_perceptual,

the last being the L1 distance of all layers of a graph network (ST-GCN) that was first taught to
tell the genres of dances. Both critics learn by cross-entropy; that of the sequence has a gradient
penalty on its probability. Sizes, weights and rates are the released code's. What was adapted:

| original                             | here                                                      |
|--------------------------------------|-----------------------------------------------------------|
| 0.1 s of waveform a frame, convolved | 53 features a frame, two layers of convolution of width 1 |
| 18 joints in the picture, tanh       | poses of 147 numbers, rotations made orthonormal          |
| critics and ST-GCN see those joints  | they see the 24 joints of the body in space, in metres    |
| 50 frames at 10 a second             | the windows of every other system; critics average time   |
| ST-GCN of 16 classes, given          | taught here on the genres of the training windows         |
| pose and music joined by convolution | by a linear layer                                         |
| no clipping                          | gradients are clipped as in every system                  |

The first pose is not used by design, neither there nor here: of it, only place and heading enter,
as the frame of reference of the window. What varies from dance to dance is the noise.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data.dance import GENRES
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.motion import skeleton
from pasdedeux.nn.dance_critics import (
    Hearing,
    LocalCritic,
    SequenceCritic,
    against,
    apart,
    gradient_penalty,
)
from pasdedeux.nn.graph import GraphNetwork
from pasdedeux.nn.pose import POSE, joints, orthonormal
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

SYSTEM = "ren2020"
NOISE_SD = 0.33
BLOCKS = 3  # residual blocks of the generator
PERCEPTUAL = (20.0, 5.0)  # weights of the first layers of the ST-GCN; 1 for every other


@dataclass(frozen=True)
class RenSettings(DanceTraining):
    """What is chosen for Ren 2020; the defaults are those of the released code."""

    rates: tuple[tuple[int, float], ...] = ((0, 3e-4),)  # of the generator
    local_rate: float = 3e-4
    sequence_rate: float = 5e-4
    hear: int = 256  # width of the music
    hidden: int = 1024  # width of the generator's blocks
    noise: int = 10
    dropout: float = 0.5
    channels: int = 64  # of the critics
    local_frames: int = 5
    local_stride: int = 3
    widths: tuple[int, ...] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)  # of the ST-GCN
    genre_steps: int = 5_000  # updates of the ST-GCN before the GAN begins; ours
    genre_rate: float = 1e-3  # ours
    pose: float = 200.0  # weight of the L1 distance of poses
    perceptual: float = 1.0  # weight of the perceptual loss
    penalty: float = 1.0  # weight of the gradient penalty

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in ("hear", "hidden", "noise", "genre_steps", "local_stride"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(
            not 3 <= self.local_frames <= self.pairs.frames,
            f"local_frames must be 3 to the {self.pairs.frames} of a window, "
            f"got {self.local_frames}.",
        )
        refuse(not 0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}.")
        refuse(self.batch < 2, "batch must be at least 2: the generator normalises over it.")

    @classmethod
    def paper(cls) -> "RenSettings":
        """The released sizes and rates, five seeds."""
        return cls(seeds=(0, 1, 2, 3, 4), workers=1)

    @classmethod
    def gpu(cls) -> "RenSettings":
        """The released sizes, as many updates as the dual model at this profile."""
        return cls(seeds=(0, 1, 2), workers=1, steps=15_000, genre_steps=2_000)

    @classmethod
    def laptop(cls) -> "RenSettings":
        """An eighth to a quarter of each width and three layers of ST-GCN, three seeds."""
        return replace(
            cls.gpu(), hear=64, hidden=128, channels=16, widths=(16, 16, 32), steps=600,
            genre_steps=200, rates=((0, 1e-3),), workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "RenSettings":
        """One seed on a few synthetic dances."""
        few = PairSettings(genres=("Waltz", "Lock"), dances_a_genre=9, most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=60, genre_steps=20)


class Block(nn.Module):
    """Two linear layers, normalised over all frames of the batch, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return the next values of `x`."""
        return x + self.layers(x)


class Generator(nn.Module):
    """From music and noise to a dance."""

    def __init__(self, settings: RenSettings) -> None:
        super().__init__()
        self.noise = settings.noise
        self.hearing = Hearing(settings.hear)
        self.moods = nn.GRU(settings.noise, settings.noise, batch_first=True)
        blocks = [Block(settings.hidden) for _ in range(BLOCKS)]
        self.poses = nn.Sequential(
            nn.Linear(settings.hear + settings.noise, settings.hidden), *blocks,
            nn.Dropout(settings.dropout), nn.Linear(settings.hidden, POSE),
        )  # fmt: skip

    def drawn(self, music: Float[Tensor, "B T 53"], noise: torch.Generator) -> Tensor:
        """Return noise for each frame of `music`."""
        shape = (*music.shape[:2], self.noise)
        return (NOISE_SD * torch.randn(shape, generator=noise)).to(music)

    def forward(
        self, music: Float[Tensor, "B T 53"], noise: Float[Tensor, "B T Z"]
    ) -> Float[Tensor, "B T 147"]:
        """Return the dance, its rotations orthonormal."""
        known = torch.cat([self.hearing(music), self.moods(noise)[0].tanh()], dim=-1)
        return orthonormal(self.poses(known.flatten(0, 1)).unflatten(0, known.shape[:2]))


class Seen(NamedTuple):
    """Dances as poses, and the joints that the critics see."""

    pose: Float[Tensor, "B T 147"]
    bodies: Float[Tensor, "B T 24 3"]


def seen(pose: Float[Tensor, "B T 147"]) -> Seen:
    """Return dances with their joints."""
    return Seen(pose, joints(pose))


def frozen(module: nn.Module, still: bool = True) -> nn.Module:
    """Switch off (or on again) the learning and the dropout of `module`; returns it."""
    return module.train(not still).requires_grad_(not still)


class Genres:
    """The learner that teaches the ST-GCN to tell genres."""

    def __init__(self, settings: RenSettings, pairs: Pairs, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.music, self.pose = on_device(pairs.train, settings)
        named = [pairs.dances[dance].genre for dance in pairs.train.dance]
        genres = sorted(set(named))
        refuse(
            len(genres) < 2,
            f"Ren 2020 learns to tell genres apart, and all dances are {', '.join(genres)}; "
            "choose at least two genres, or leave this system out.",
        )
        self.labels = torch.tensor([genres.index(name) for name in named]).to(self.pose.device)
        with seeded(number(seed, "weights", SYSTEM, "genres")):
            net = GraphNetwork(skeleton.smpl().parents, settings.widths, len(genres))
        self.net = net.to(self.pose)
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.Adam(net.parameters(), settings.genre_rate)}

    def step(self, index: int) -> dict[str, float]:
        """Do one update; logs the share of windows whose genre was told."""
        at = drawn(len(self.pose), self.settings, self.seed, index, "genres").to(self.labels.device)
        logits = self.net.train()(joints(self.pose[at]))
        told = (logits.argmax(-1) == self.labels[at]).float().mean()
        losses = {"genre": F.cross_entropy(logits, self.labels[at])}
        found = update(self.optimizers["net"], losses, clip=self.settings.clip)
        return found | {"accuracy": float(told)}


class Ren:
    """The learner: the generator, then each critic, in every update."""

    def __init__(
        self, settings: RenSettings, pairs: Pairs, perceiving: GraphNetwork, seed: int
    ) -> None:
        self.settings, self.seed, self.perceiving = settings, seed, frozen(perceiving)
        self.music, self.pose = on_device(pairs.train, settings)
        with seeded(number(seed, "weights", SYSTEM)):
            self.modules = networks(settings)
        for module in self.modules.values():
            module.to(self.music)
        rates = (settings.rate(0), settings.local_rate, settings.sequence_rate)
        self.optimizers = {
            name: torch.optim.Adam(module.parameters(), rate)
            for (name, module), rate in zip(self.modules.items(), rates, strict=True)
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one update of the generator and of each critic on one batch."""
        at = drawn(len(self.music), self.settings, self.seed, index).to(self.music.device)
        set_rate(self.optimizers["generator"], self.settings.rate(index))
        music, pose = self.music[at], self.pose[at]
        made = self.modules["generator"].train()
        noise = made.drawn(music, generator(self.seed, "noise", index))
        mix = torch.rand(len(at), generator=generator(self.seed, "mix", index)).to(music)
        with seeded(number(self.seed, "dropout", index)):
            true, danced = seen(pose), seen(made(music, noise))
            found = self._update("generator", self.generator_losses(music, true, danced))
            real, fake = true.bodies, danced.bodies.detach()
            found |= self._update("local", self.local_losses(real, fake))
            return found | self._update("sequence", self.sequence_losses(music, real, fake, mix))

    def _update(self, name: str, losses: dict[str, Tensor]) -> dict[str, float]:
        s = self.settings
        every = {"real": 0.5, "fake": 0.5, "penalty": s.penalty}
        every |= {"pose": s.pose, "perceptual": s.perceptual}
        weights = {loss: every[loss] for loss in losses if loss in every}
        found = update(self.optimizers[name], losses, clip=s.clip, weights=weights)
        return {f"{name} {loss}": value for loss, value in found.items()}

    def generator_losses(self, music: Tensor, true: Seen, danced: Seen) -> dict[str, Tensor]:
        """Return the five terms of L_G; the critics are held still meanwhile."""
        local, sequence = (frozen(self.modules[name]) for name in ("local", "sequence"))
        real, fake = true.bodies, danced.bodies
        maps = sequence.body.maps(fake)
        losses = {
            "local": against(local(fake), 1.0),
            "sequence": against(sequence.judged(maps, sequence.heard(music)), 1.0),
            "features": apart(maps, sequence.body.maps(real)),
            "pose": (danced.pose - true.pose).abs().mean(),
            "perceptual": apart(self.perceiving.maps(fake), self.perceiving.maps(real), PERCEPTUAL),
        }
        for critic in (local, sequence):
            frozen(critic, still=False)
        return losses

    def local_losses(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return what the local critic minimises."""
        critic = self.modules["local"]
        return {"real": against(critic(real), 1.0), "fake": against(critic(fake), 0.0)}

    def sequence_losses(
        self, music: Tensor, real: Tensor, fake: Tensor, mix: Tensor
    ) -> dict[str, Tensor]:
        """Return what the critic of sequences minimises; the penalty is that of its probability."""
        critic = self.modules["sequence"]
        heard = critic.heard(music)

        def logit(bodies: Tensor) -> Tensor:
            return critic.judged(critic.body.maps(bodies), heard)

        return {
            "real": against(logit(real), 1.0),
            "fake": against(logit(fake), 0.0),
            "penalty": gradient_penalty(lambda b: logit(b).sigmoid(), real, fake, mix),
        }

    def window(
        self, music: Float[Tensor, "B T 53"], _first: Tensor, noise: torch.Generator
    ) -> Float[Tensor, "B T 147"]:
        """Return the dance to `music`; `noise` draws what varies, no first pose enters."""
        made = self.modules["generator"].eval()
        return made(music, made.drawn(music, noise))


def networks(settings: RenSettings) -> dict[str, nn.Module]:
    """Return the generator and both critics, fresh."""
    s = settings
    return {
        "generator": Generator(s),
        "local": LocalCritic(
            frames=s.local_frames, stride=s.local_stride, channels=s.channels, hidden=s.hear,
            dropout=s.dropout,
        ),
        "sequence": SequenceCritic(width=s.hear, channels=s.channels, dropout=s.dropout),
    }  # fmt: skip


def parameters(settings: RenSettings) -> dict[str, int]:
    """Return how many numbers are learned, "dancing" those of the generator.

    The ST-GCN is counted with the genres that `settings` names, or with all there are.
    """
    classes = len(settings.pairs.genres) or len(GENRES)
    graph = GraphNetwork(skeleton.smpl().parents, settings.widths, classes)
    every = {**networks(settings), "graph": graph}
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in every.items()}
    return {"dancing": sizes["generator"], "learned": sum(sizes.values())}


def train(settings: RenSettings, pairs: Pairs, seed: int) -> Trained:
    """Train the ST-GCN, then the GAN (or load the finished runs)."""
    first = opened(f"{SYSTEM}-genres", settings, pairs, seed, code=__name__)
    genres = Genres(settings, pairs, seed)
    fit(
        genres, steps=settings.genre_steps, folder=first.folder, threads=settings.threads,
        task=f"seed {seed}: Ren 2020, genres",
    )  # fmt: skip
    run = opened(SYSTEM, settings, pairs, seed, code=__name__)
    learner = Ren(settings, pairs, genres.net, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, threads=settings.threads,
        task=f"seed {seed}: Ren 2020",
    )  # fmt: skip
    where = device.pick(settings.device)
    return Trained(run, chained(learner.window, frames=settings.pairs.frames, where=where))
