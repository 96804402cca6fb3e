"""Dual learning (Wu et al., MM 2021, arXiv 2201.11999): music to dance and dance to music at once.

Letters as in the paper: x music, y dance; G_MD and G_DM the two networks; B sequences of T frames.

    L_GW + L_rec_dance + L_cycle_dance  ->  G_MD          L_rec_music + L_cycle_music  ->  G_DM

What the paper leaves open, or what cannot work as printed, is a setting (`papers.dual_settings`).
Losses are means over sequences and frames: the sums of Eqs. 6 and 7 are a thousand times L_GW.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pasdedeux.base.seeding import generator, number
from pasdedeux.data.pairs import Pairs
from pasdedeux.motion.rotation import geodesic
from pasdedeux.music.features import BEAT, CHROMA
from pasdedeux.nn.pose import joints, matrices
from pasdedeux.nn.seeded import seeded
from pasdedeux.ot.gromov import Matching, algorithm_1, identity
from pasdedeux.papers.dual_networks import (
    Composing,
    Dances,
    Dancing,
    Heard,
    Songs,
    chords,
    composer,
    dancer,
)
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import Trained, drawn, keep, on_device, opened, set_rate
from pasdedeux.training.duo import update_each
from pasdedeux.training.loop import fit, update

CODE = "pasdedeux.papers.dual"
Scalar = Float[Tensor, ""]


def dance_distance(y: Dances, other: Dances) -> Scalar:
    """Eq. 7, a mean over sequences and frames: L1 of the translation, and squared geodesics."""
    apart = (y[..., :3] - other[..., :3]).abs().sum(-1)
    turned = geodesic(matrices(y), matrices(other)).square().sum(-1)
    return (apart + turned).mean()


def music_distance(x: Songs, other: Songs) -> Scalar:
    """Eq. 9, a mean over sequences and frames: L1 of the chroma and of the beats, nothing else."""
    chroma = (x[..., CHROMA] - other[..., CHROMA]).abs().sum(-1)
    return (chroma + (x[..., BEAT] - other[..., BEAT]).abs()).mean()


def matched(
    settings: DualSettings, dance: Float[Tensor, "B D"], music: Float[Tensor, "B E"]
) -> Matching:
    """L_GW: Algorithm 1 between the embeddings of dances and songs; only the music's encoder is
    moved by it.
    """
    if settings.plan == "identity":
        return identity(dance.detach(), music)
    return algorithm_1(
        dance, music, source=settings.algorithm, epsilon=settings.epsilon,
        gradient=settings.gradient,
    )  # fmt: skip


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
        made = self.dancing.danced(heard, first, self._noise(index, "dance", len(x)), after=y)
        played = self.composing.composed(seen, chord, self._noise(index, "music", len(x)), after=x)
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
                self.dancing.encoded(played.frames),
                first,
                self._noise(index, "back", len(x)),
                after=y,
            )
            again = self.composing.composed(
                self.composing.encoded(made), chord, self._noise(index, "again", len(x)), after=x
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
    """Return both networks after all updates, and them as a system that dances and composes."""
    run = opened("dual", settings, pairs, seed, code=CODE)
    learner = Dual(settings, pairs, seed=seed)
    task = f"seed {seed}: dual learning"
    fit(learner, steps=settings.steps, folder=run.folder, task=task, threads=settings.threads)
    keep(run, pairs)
    learner.dancing.eval()
    learner.composing.eval()

    dance, compose = dancer(learner.dancing, settings), composer(learner.composing, settings)
    return learner, Trained(run, dance, compose)


def train(settings: DualSettings, pairs: Pairs, seed: int) -> Trained:
    """Return dual learning as a system of the dance tables."""
    return trained(settings, pairs, seed)[1]
