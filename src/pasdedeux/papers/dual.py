"""Dual learning (Wu et al., MM 2021, arXiv 2201.11999): music to dance and dance to music at once.

Letters as in the paper: x music, y dance; G_MD and G_DM the two networks; B sequences of T frames.

    L_GW + L_rec_dance + L_cycle_dance  ->  G_MD          L_rec_music + L_cycle_music  ->  G_DM

What the paper leaves open, or what cannot work as printed, is a setting:

| setting        | default   | why                                                                 |
|----------------|-----------|---------------------------------------------------------------------|
| beats          | "entropy" | Eq. 9's L1 on beats, 7 % of them ones, is least where none is       |
|                |           | foretold; "l1" is the letter                                        |
| velocity,      | 1         | without them the mean pose is soon reached and kept; 0 is the       |
| position       |           | letter                                                              |
| residual       | True      | the output is added to the start pose                               |
| routing        | "joint"   | every loss reaches both networks; "printed" sends each sum to the   |
|                |           | network behind its arrow                                            |
| plan           | "gromov"  | "identity" pairs the embeddings as the batch does; ours             |

Losses are means over sequences and frames: the sums of Eqs. 6 and 7 are a thousand times L_GW.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.motion.rotation import geodesic
from pasdedeux.music.features import BEAT, CHROMA
from pasdedeux.nn.pose import POSE, joints, matrices, orthonormal
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.transformer import TransformerConfig
from pasdedeux.nn.translator import Domains, Translator
from pasdedeux.ot.gromov import Matching, algorithm_1, identity
from pasdedeux.training.dances import (
    DanceTraining,
    Trained,
    chained,
    drawn,
    keep,
    on_device,
    opened,
    set_rate,
)
from pasdedeux.training.duo import update_each
from pasdedeux.training.loop import fit, update

MUSIC, CHORD = 53, 13
THIRDS = (4, 3)  # semitones of a major and of a minor third
CODE = "pasdedeux.papers.dual"
Scalar = Float[Tensor, ""]
Dances = Float[Tensor, "B T 147"]
Songs = Float[Tensor, "B T 53"]


@dataclass(frozen=True)
class DualSettings(DanceTraining):
    """What is chosen for dual learning; the defaults are the paper's (section 4.2)."""

    width_dance: int = 512  # hidden units of G_MD
    width_music: int = 256  # hidden units of G_DM
    heads: int = 8
    layers: int = 6  # of each encoder and of each decoder
    dropout: float = 0.1  # ours
    noise: int = 64  # width of the random vector; ours
    gromov: float = 1.0  # weight of L_GW; 0 leaves it out (Table 4)
    cycle: float = 1.0  # weight of both cycle losses; 0 leaves them out (Table 4)
    epsilon: float = 0.2  # of Algorithm 1
    gradient: Literal["envelope", "unrolled"] = "envelope"  # of Algorithm 1; ours
    plan: Literal["gromov", "identity"] = "gromov"
    beats: Literal["entropy", "l1"] = "entropy"
    velocity: float = 1.0  # weight of the joints' steps from frame to frame
    position: float = 1.0  # weight of the joints' places
    residual: bool = True
    routing: Literal["joint", "printed"] = "joint"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        least = 3 if self.gromov else 1
        refuse(self.batch < least, f"batch must be at least {least} with L_GW, got {self.batch}.")
        for name in ("gromov", "cycle", "velocity", "position"):
            value = getattr(self, name)
            refuse(value < 0, f"{name} is a weight and must not be negative, got {value}.")
        choice("plan", self.plan, ("gromov", "identity"))
        choice("beats", self.beats, ("entropy", "l1"))
        choice("routing", self.routing, ("joint", "printed"))

    @classmethod
    def paper(cls) -> "DualSettings":
        """The paper's sizes, schedule and losses to the letter, five seeds."""
        return cls(
            seeds=(0, 1, 2, 3, 4), workers=1, beats="l1", velocity=0.0, position=0.0,
            residual=False, routing="printed",
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> "DualSettings":
        """The paper's sizes with losses that can teach; a time on one GPU is not measured yet."""
        steps = 15_000
        rates = ((0, 1e-4), (steps // 2, 1e-5), (9 * steps // 10, 5e-6))
        return cls(seeds=(0, 1, 2), workers=1, steps=steps, rates=rates)

    @classmethod
    def laptop(cls) -> "DualSettings":
        """Two layers of 96 and 64 units, three seeds: minutes a seed on one CPU core."""
        return replace(
            cls.gpu(), width_dance=96, width_music=64, heads=4, layers=2, dropout=0.0, noise=16,
            steps=600, rates=((0, 1e-3), (300, 3e-4), (540, 1e-4)), workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "DualSettings":
        """One seed on a few synthetic dances: enough to see a body move."""
        few = PairSettings(genres=("Waltz", "Lock"), dances_a_genre=9, most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=30, rates=((0, 1e-3),))


def dance_distance(y: Dances, other: Dances) -> Scalar:
    """Eq. 7, a mean over sequences and frames: L1 of the translation, and squared geodesics."""
    apart = (y[..., :3] - other[..., :3]).abs().sum(-1)
    turned = geodesic(matrices(y), matrices(other)).square().sum(-1)
    return (apart + turned).mean()


def music_distance(x: Songs, other: Songs) -> Scalar:
    """Eq. 9, a mean over sequences and frames: L1 of the chroma and of the beats, nothing else."""
    chroma = (x[..., CHROMA] - other[..., CHROMA]).abs().sum(-1)
    return (chroma + (x[..., BEAT] - other[..., BEAT]).abs()).mean()


def chords(x: Songs) -> Float[Tensor, "B 13"]:
    """Return the start token of a song: the triad that holds most of its first chroma.

    12 numbers for the root, one that is 1 for minor. Section 3.3 draws both at inference.
    """
    chroma = x[:, 0, CHROMA]
    tones = [chroma, chroma.roll(-7, -1)]
    triads = torch.stack([sum(tones) + chroma.roll(-third, -1) for third in THIRDS], dim=1)
    best = triads.flatten(1).argmax(-1)
    return torch.cat([F.one_hot(best % 12, 12), (best // 12)[:, None]], dim=-1).to(x)


class Heard(NamedTuple):
    """Music as a network gives it: features, and the logit that its beat is the sigmoid of."""

    frames: Songs
    beat_logit: Float[Tensor, "B T"]


class Dancing(Translator):
    """G_MD: from music and a first pose to a dance."""

    def __init__(self, settings: DualSettings) -> None:
        domains = Domains(MUSIC, POSE, POSE, settings.noise, settings.pairs.frames)
        super().__init__(domains, config(settings, settings.width_dance))
        self.residual = settings.residual

    def danced(self, memory: Tensor, first: Float[Tensor, "B 147"], noise: Tensor) -> Dances:
        """Return the dance to what `encoded` read, from the pose `first`, rotations orthonormal."""
        out = self.decoded(memory, first, noise)
        return orthonormal(out + first[:, None] if self.residual else out)


class Composing(Translator):
    """G_DM: from a dance and a first chord to music."""

    def __init__(self, settings: DualSettings) -> None:
        domains = Domains(POSE, MUSIC, CHORD, settings.noise, settings.pairs.frames)
        super().__init__(domains, config(settings, settings.width_music))

    def composed(self, memory: Tensor, chord: Float[Tensor, "B 13"], noise: Tensor) -> Heard:
        """Return the music for what `encoded` read: MFCC as they are, chroma and beat in 0..1."""
        out = self.decoded(memory, chord, noise)
        played = out[..., CHROMA.start :].sigmoid()
        frames = torch.cat([out[..., : CHROMA.start], played], dim=-1)
        return Heard(frames, out[..., BEAT])


def config(settings: DualSettings, width: int) -> TransformerConfig:
    """Return the Transformer of one network."""
    return TransformerConfig(
        width, heads=settings.heads, layers=settings.layers, dropout=settings.dropout
    )


def matched(
    settings: DualSettings, dance: Float[Tensor, "B D"], music: Float[Tensor, "B E"]
) -> Matching:
    """L_GW: Algorithm 1 between the embeddings of dances and songs; only the music's encoder is
    moved by it.
    """
    if settings.plan == "identity":
        return identity(dance.detach(), music)
    return algorithm_1(dance, music, epsilon=settings.epsilon, gradient=settings.gradient)


class Dual:
    """Both networks and one update of them: a `training.loop.Learner`."""

    def __init__(self, settings: DualSettings, pairs: Pairs, *, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.songs, self.dances = on_device(pairs.train, settings)
        self.where = self.songs.device
        with seeded(number(seed, "weights")):
            self.dancing = Dancing(settings).to(self.where)
            self.composing = Composing(settings).to(self.where)
        self.modules = {"dancing": self.dancing, "composing": self.composing}
        self.optimizers = {
            name: torch.optim.Adam(part.parameters()) for name, part in self.modules.items()
        }
        if settings.routing == "joint":
            every = [p for part in self.modules.values() for p in part.parameters()]
            self.optimizers = {"both": torch.optim.Adam(every)}

    def step(self, index: int) -> dict[str, float]:
        """Do update `index` and return its losses."""
        settings = self.settings
        for optimizer in self.optimizers.values():
            set_rate(optimizer, settings.rate(index))
        rows = drawn(len(self.songs), settings, self.seed, index).to(self.where)
        with seeded(number(self.seed, "dropout", index)):
            dancing, composing = self.losses(self.songs[rows], self.dances[rows], index)
        if settings.routing == "joint":
            losses = dancing | composing
            return update(self.optimizers["both"], losses, clip=settings.clip, weights=self.weights)
        return update_each(
            {
                "dancing": (self.optimizers["dancing"], dancing),
                "composing": (self.optimizers["composing"], composing),
            },
            clip=settings.clip,
            weights=self.weights,
        )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every loss that can be there."""
        s = self.settings
        named = {"velocity": s.velocity, "position": s.position}
        cycles = {"cycle_dance": s.cycle, "cycle_music": s.cycle}
        every = {"gromov": s.gromov, **cycles, **named}
        return {name: weight for name, weight in every.items() if weight}

    def losses(
        self, x: Songs, y: Dances, index: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the losses behind the two arrows of section 3.4: of G_MD, and of G_DM."""
        s, first, chord = self.settings, y[:, 0], chords(x)
        heard, seen = self.dancing.encoded(x), self.composing.encoded(y)
        made = self.dancing.danced(heard, first, self._noise(index, "dance", len(x)))
        played = self.composing.composed(seen, chord, self._noise(index, "music", len(x)))
        dancing = {"dance": dance_distance(y, made)}
        composing = {"music": heard_distance(s, x, played)}
        if s.gromov:
            dancing["gromov"] = matched(s, seen.mean(1), heard.mean(1)).value
        if s.velocity or s.position:
            apart = joints(y) - joints(made)
            if s.position:
                dancing["position"] = apart.abs().sum((-2, -1)).mean()
            if s.velocity:
                dancing["velocity"] = apart.diff(dim=1).abs().sum((-2, -1)).mean()
        if s.cycle:
            back = self.dancing.danced(
                self.dancing.encoded(played.frames), first, self._noise(index, "back", len(x))
            )
            again = self.composing.composed(
                self.composing.encoded(made), chord, self._noise(index, "again", len(x))
            )
            dancing["cycle_dance"] = dance_distance(y, back)
            composing["cycle_music"] = heard_distance(s, x, again)
        return dancing, composing

    def _noise(self, index: int, name: str, count: int) -> Tensor:
        draw = generator(self.seed, "noise", name, index)
        return torch.randn(count, self.settings.noise, generator=draw).to(self.where)


def heard_distance(settings: DualSettings, x: Songs, played: Heard) -> Scalar:
    """Eq. 9, its beats by cross-entropy unless the settings say "l1".

    A missed beat weighs 13 times a false one, because 7 % of the frames have a beat.
    """
    if settings.beats == "l1":
        return music_distance(x, played.frames)
    chroma = (x[..., CHROMA] - played.frames[..., CHROMA]).abs().sum(-1)
    weight = x.new_tensor(13.0)
    beats = F.binary_cross_entropy_with_logits(
        played.beat_logit, x[..., BEAT], pos_weight=weight, reduction="none"
    )
    return (chroma + beats).mean()


def trained(settings: DualSettings, pairs: Pairs, seed: int) -> tuple[Dual, Trained]:
    """Return both networks after all updates, and G_MD as a system that dances."""
    run = opened("dual", settings, pairs, seed, code=CODE)
    learner = Dual(settings, pairs, seed=seed)
    task = f"seed {seed}: dual learning"
    fit(learner, steps=settings.steps, folder=run.folder, task=task, threads=settings.threads)
    keep(run, pairs)
    learner.dancing.eval()
    learner.composing.eval()

    def window(music: Tensor, first: Tensor, draw: torch.Generator) -> Tensor:
        noise = torch.randn(len(music), settings.noise, generator=draw).to(music)
        return learner.dancing.danced(learner.dancing.encoded(music), first, noise)

    where = device.pick(settings.device)
    return learner, Trained(run, chained(window, frames=settings.pairs.frames, where=where))


def train(settings: DualSettings, pairs: Pairs, seed: int) -> Trained:
    """Return dual learning as a system of the dance tables."""
    return trained(settings, pairs, seed)[1]
