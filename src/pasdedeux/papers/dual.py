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

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import generator
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.motion import skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import geodesic, matrix_from_six, six_from_matrix
from pasdedeux.music.features import BEAT, CHROMA, MFCC
from pasdedeux.nn.transformer import TransformerConfig
from pasdedeux.nn.translator import Domains, Translator
from pasdedeux.ot import costs
from pasdedeux.ot.gromov import PRINTED_STEPS, algorithm_1

POSE, MUSIC, CHORD = 147, 53, 13
THIRDS = (4, 3)  # semitones of a major and of a minor third
Scalar = Float[Tensor, ""]
Dances = Float[Tensor, "B T 147"]
Songs = Float[Tensor, "B T 53"]


@dataclass(frozen=True)
class DualSettings:
    """What is chosen for dual learning; the defaults are the paper's (section 4.2)."""

    pairs: PairSettings = field(default_factory=PairSettings)
    seeds: tuple[int, ...] = (0,)
    width_dance: int = 512  # hidden units of G_MD
    width_music: int = 256  # hidden units of G_DM
    heads: int = 8
    layers: int = 6  # of each encoder and of each decoder
    dropout: float = 0.1  # ours
    noise: int = 64  # width of the random vector; ours
    batch: int = 16
    steps: int = 50_000  # the paper names the drops of the rate but no end
    rates: tuple[tuple[int, float], ...] = ((0, 1e-4), (20_000, 1e-5), (40_000, 5e-6))
    clip: float = 1.0  # global gradient norm; ours
    gromov: float = 1.0  # weight of L_GW; 0 leaves it out
    cycle: float = 1.0  # weight of both cycle losses; 0 leaves them out
    epsilon: float = 0.2
    gradient: Literal["envelope", "unrolled"] = "envelope"
    plan: Literal["gromov", "identity"] = "gromov"
    beats: Literal["entropy", "l1"] = "entropy"
    velocity: float = 1.0  # weight of the joints' steps from frame to frame
    position: float = 1.0  # weight of the joints' places
    residual: bool = True
    routing: Literal["joint", "printed"] = "joint"
    threads: int = 1
    workers: int = 2
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        for name in ("batch", "steps", "noise", "threads", "workers"):
            refuse(getattr(self, name) < 1, f"{name} must be at least 1, got {self}.")
        refuse(self.gromov and self.batch < 3, "Gromov-Wasserstein needs a batch of at least 3.")
        refuse(not self.rates or self.rates[0][0] != 0, "rates must begin with the one of step 0.")
        choice("plan", self.plan, ("gromov", "identity"))
        choice("beats", self.beats, ("entropy", "l1"))
        choice("routing", self.routing, ("joint", "printed"))

    @classmethod
    def paper(cls) -> "DualSettings":
        """The paper's sizes and schedule, five seeds."""
        return cls(seeds=(0, 1, 2, 3, 4))

    @classmethod
    def gpu(cls) -> "DualSettings":
        """The paper's sizes, fewer steps: at most 25 minutes a seed on one GPU (an estimate)."""
        steps = 15_000
        rates = ((0, 1e-4), (steps // 2, 1e-5), (9 * steps // 10, 5e-6))
        return cls(seeds=(0, 1, 2), steps=steps, rates=rates)

    @classmethod
    def laptop(cls) -> "DualSettings":
        """Two layers of 96 and 64 units, three seeds: minutes a seed on one CPU core."""
        return replace(
            cls.gpu(), width_dance=96, width_music=64, heads=4, layers=2, dropout=0.0, noise=16,
            steps=600, rates=((0, 1e-3), (300, 3e-4), (540, 1e-4)),
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "DualSettings":
        """One seed on a few synthetic dances: enough to see a body move."""
        few = PairSettings(genres=("Waltz", "Lock"), most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=60, rates=((0, 1e-3),))


def dance_distance(y: Dances, other: Dances) -> Scalar:
    """Eq. 7, a mean over sequences and frames: L1 of the translation, and squared geodesics."""
    apart = (y[..., :3] - other[..., :3]).abs().sum(-1)
    turned = geodesic(matrices(y), matrices(other)).square().sum(-1)
    return (apart + turned).mean()


def music_distance(x: Songs, other: Songs) -> Scalar:
    """Eq. 9, a mean over sequences and frames: L1 of the chroma and of the beats, nothing else."""
    chroma = (x[..., CHROMA] - other[..., CHROMA]).abs().sum(-1)
    return (chroma + (x[..., BEAT] - other[..., BEAT]).abs()).mean()


def matrices(y: Dances) -> Float[Tensor, "B T 24 3 3"]:
    """Return the 24 rotations of each frame, orthonormalised: Eq. 1 read backwards."""
    return matrix_from_six(y[..., 3:].unflatten(-1, (24, 6)))


def joints(y: Dances) -> Float[Tensor, "B T 24 3"]:
    """Return where the joints of SMPL's mean body are, in metres."""
    return placed(matrices(y), y[..., :3], skeleton.smpl()).joints_world


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
        out = out + first[:, None] if self.residual else out
        six = six_from_matrix(matrices(out)).flatten(-2)
        return torch.cat([out[..., :3], six], dim=-1)


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
