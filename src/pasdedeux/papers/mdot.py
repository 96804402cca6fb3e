"""MDOT-Net (Wu et al., as its public README describes it): music to dance by optimal transport.

Letters as in the README: y music, x real dances, x~ = g(y) generated ones; every update draws two
independent mini-batches (X, Y) and (X', Y') and descends

    unbiased OT(X~, X~', X, X')  +  GW(X~, X~', Y, Y').                    (its pipeline)

No loss knows which dance belongs to which song: only the two laws are compared, and the two inner
geometries. The README leaves open:

| what                | chosen here                                                          |
|---------------------|----------------------------------------------------------------------|
| c, two dances       | mean over frames of the squared geodesics of 24 joints and the L1    |
|                     | distance of the translation: Eq. 7 of the dual-learning paper        |
| d, two songs        | mean over frames of the L1 distance of the 53 features               |
| unit of epsilon     | the mean cost between the two batches of real dances                 |
| unit of GW          | either domain's own mean distance, detached                          |
| frames              | every fifth enters a cost: its neighbours are nearly the same pose   |
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.nn.pose import joints, matrices
from pasdedeux.nn.seeded import seeded
from pasdedeux.ot import costs
from pasdedeux.ot.gromov import PRINTED_STEPS, gromov
from pasdedeux.ot.sinkhorn import unbiased_distance
from pasdedeux.papers.dual_networks import Dancing, dancer
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import (
    DanceTraining,
    Trained,
    drawn,
    on_device,
    opened,
    set_rate,
)
from pasdedeux.training.loop import fit, update

CODE = "pasdedeux.papers.mdot"
QUARTER = 4.0  # the six-term distance is four times the scale of a Sinkhorn divergence


@dataclass(frozen=True)
class MdotSettings(DanceTraining):
    """What is chosen for MDOT-Net; the README gives no figure but the two regularisations' names.

    The generator is G_MD of dual learning, so that the losses are all that differs.
    """

    network: DualSettings = DualSettings()  # noqa: RUF009  sizes of the generator
    epsilon: float = 0.05  # of OT, in mean costs between real dances; ours
    epsilon_gromov: float = 0.2  # of GW, as Algorithm 1 of the dual-learning paper counts it
    iterations: int = 100  # of Sinkhorn, at most; ours
    gromov: float = 1.0  # weight of GW; the README adds it unweighted
    every: int = 5  # frames from one that a cost looks at to the next; ours

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        refuse(self.batch < 3, f"batch must be at least 3, got {self.batch}.")
        for name in ("epsilon", "epsilon_gromov"):
            refuse(getattr(self, name) <= 0, f"{name} must be above 0, got {getattr(self, name)}.")
        refuse(self.gromov < 0, f"gromov is a weight, got {self.gromov}.")
        refuse(self.every < 1, f"every must be at least 1, got {self.every}.")

    @classmethod
    def paper(cls) -> "MdotSettings":
        """The generator at the sizes of the dual-learning paper, every frame in the costs."""
        return cls(seeds=(0, 1, 2, 3, 4), network=DualSettings.paper(), every=1, workers=1)

    @classmethod
    def gpu(cls) -> "MdotSettings":
        """The same generator, fewer updates; a time on one GPU is not measured yet."""
        base = DualSettings.gpu()
        return cls(seeds=base.seeds, network=base, steps=base.steps, rates=base.rates, workers=1)

    @classmethod
    def laptop(cls) -> "MdotSettings":
        """The generator of dual learning at laptop size, with as many updates."""
        base = DualSettings.laptop()
        return replace(cls.gpu(), network=base, steps=base.steps, rates=base.rates, workers=2)

    @classmethod
    def quick(cls) -> "MdotSettings":
        """One seed on a few synthetic dances."""
        base = DualSettings.quick()
        few = replace(PairSettings(), **vars(base.pairs))
        return replace(cls.laptop(), pairs=few, network=base, seeds=(0,), steps=30)


def dance_cost(
    x: Float[Tensor, "*B N T 147"], other: Float[Tensor, "*B M T 147"], *, every: int = 1
) -> Float[Tensor, "*B N M"]:
    """Return c(x_i, x'_j): Eq. 7 of the dual-learning paper per frame, over every `every`-th."""
    x, other = x[..., ::every, :], other[..., ::every, :]
    T = x.shape[-2]
    turned = [matrices(y).flatten(-4, -3) for y in (x, other)]
    moved = [y[..., :3].flatten(-2) for y in (x, other)]
    return (costs.squared_geodesic(*turned) + costs.l1(*moved)) / T


def song_cost(
    y: Float[Tensor, "*B N T 53"], other: Float[Tensor, "*B M T 53"]
) -> Float[Tensor, "*B N M"]:
    """Return d(y_i, y'_j): the L1 distance of the features, a mean over frames."""
    return costs.l1(y.flatten(-2), other.flatten(-2)) / y.shape[-2]


def relational(
    generated: tuple[Tensor, Tensor], songs: tuple[Tensor, Tensor], settings: MdotSettings
) -> Float[Tensor, ""]:
    """GW of the README between two batches: D_ij = c(x~_i, x~'_j) against C_ij = d(y_i, y'_j).

    Each is divided by its own mean, a constant: metres and features have no common unit, and the
    loss cannot be lowered by shrinking all dances.
    """
    C, D = song_cost(*songs), dance_cost(*generated, every=settings.every)
    refuse(
        not float(D.detach().mean()) > 0, "all generated dances are one; lower the learning rate."
    )
    unit = 2 * settings.epsilon_gromov / len(C)
    return gromov(D / D.detach().mean(), C / C.mean(), epsilon=unit, steps=PRINTED_STEPS).value


def transport(
    generated: tuple[Tensor, Tensor], real: tuple[Tensor, Tensor], settings: MdotSettings
) -> Float[Tensor, ""]:
    """Return the unbiased OT distance of the README between two batches each, over 4.

    Costs are counted in the mean cost between the two real batches.
    """
    unit = dance_cost(*real, every=settings.every).mean()
    far = unbiased_distance(
        generated,
        real,
        cost=lambda x, other: dance_cost(x, other, every=settings.every) / unit,
        epsilon=settings.epsilon,
        iterations=settings.iterations,
    )
    return far.value / QUARTER


@torch.no_grad()
def speed(dances: tuple[Float[Tensor, "B T 147"], ...]) -> float:
    """Return the mean speed of the 24 joints over all frames of the windows, in m/s."""
    bodies = joints(torch.cat(dances))
    return float(bodies.diff(dim=1).norm(dim=-1).mean()) * RATE_HZ


class Batch(NamedTuple):
    """One mini-batch of the pipeline: songs Y, their real dances X, the generated ones X~."""

    songs: Float[Tensor, "B T 53"]
    real: Float[Tensor, "B T 147"]
    made: Float[Tensor, "B T 147"]


class Generating:
    """The generator and its mini-batches: what MDOT-Net and a rival with other losses share."""

    def __init__(self, settings: MdotSettings, pairs: Pairs, *, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.songs, self.dances = on_device(pairs.train, settings)
        with seeded(number(seed, "weights")):
            self.dancing = Dancing(settings.network).to(self.songs.device)
        self.modules: dict[str, nn.Module] = {"dancing": self.dancing}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "dancing": torch.optim.Adam(self.dancing.parameters())
        }

    def batch(self, index: int, name: str) -> Batch:
        """Return the mini-batch `name` of update `index`, danced with its own noise."""
        settings = self.settings
        rows = drawn(len(self.songs), settings, self.seed, index, name).to(self.songs.device)
        noise = torch.randn(
            len(rows), settings.network.noise, generator=generator(self.seed, name, index)
        ).to(self.songs)
        songs, real = self.songs[rows], self.dances[rows]
        made = self.dancing.danced(self.dancing.encoded(songs), real[:, 0], noise)
        return Batch(songs, real, made)


class Mdot(Generating):
    """The generator and one update of it: a `training.loop.Learner`."""

    def step(self, index: int) -> dict[str, float]:
        """Do update `index`; returns its losses, and the speeds of both kinds of dances in m/s."""
        set_rate(self.optimizers["dancing"], self.settings.rate(index))
        with seeded(number(self.seed, "dropout", index)):
            both = self.batch(index, "first"), self.batch(index, "second")
        weights = {"gromov": self.settings.gromov} if self.settings.gromov else {}
        told = update(
            self.optimizers["dancing"],
            self.losses(both),
            clip=self.settings.clip,
            weights=weights,
        )
        _, real, made = zip(*both, strict=True)
        return told | {"speed": speed(made), "speed, real": speed(real)}

    def losses(self, both: tuple[Batch, Batch]) -> dict[str, Tensor]:
        """Return the two terms of the pipeline for the two mini-batches of an update."""
        songs, real, made = zip(*both, strict=True)
        losses = {"transport": transport(made, real, self.settings)}
        if self.settings.gromov:
            losses["gromov"] = relational(made, songs, self.settings)
        return losses


def train(settings: MdotSettings, pairs: Pairs, seed: int) -> Trained:
    """Return MDOT-Net as a system of the dance tables."""
    run = opened("mdot", settings, pairs, seed, code=CODE)
    learner = Mdot(settings, pairs, seed=seed)
    task = f"seed {seed}: MDOT-Net"
    fit(learner, steps=settings.steps, folder=run.folder, task=task, threads=settings.threads)
    learner.dancing.eval()
    return Trained(run, dancer(learner.dancing, replace(settings.network, device=settings.device)))
