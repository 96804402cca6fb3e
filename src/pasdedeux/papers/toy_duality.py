"""The smallest duality whose answer is known: songs on a circle, dances on another.

Every song is a point of a circle, its dance the same point mirrored and turned; the dances are
listed in another order. Of a few songs the dance is told. Three questions have exact answers:

- how many pairs of maps satisfy each loss without error (`solutions`);
- which maps keep all distances, so that Gromov-Wasserstein cannot tell them apart (`isometries`);
- what two small networks make of each loss (`learn`).

The paper's L_GW looks for a plan of its own between the embeddings. Here the network itself is the
plan, which ties L_GW to what the network does as closely as can be: its best case. `K` points,
`R` runs side by side, `H` hidden units.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator, numpy_generator
from pasdedeux.ot.gromov import Gromov, gromov

TURN = 2.0  # radians from a song, mirrored, to its dance
SAME = 1e-6  # distances that differ by less are the same
DROP = 0.7  # share of the updates after which the rate is a fifth
Plane = Float[Tensor, "R K 2"]
Costs = Float[Tensor, " R"]


class Toy(NamedTuple):
    """Songs, dances in another order, and which dance belongs to each song."""

    songs: Float[np.ndarray, "K 2"]
    dances: Float[np.ndarray, "K 2"]
    truth: Int[np.ndarray, " K"]


class Solutions(NamedTuple):
    """How many pairs of maps, songs to dances and back, have no error at all."""

    reconstruction: int
    with_cycle: int
    with_cycle_and_gromov: int


@dataclass(frozen=True)
class Trial:
    """The losses two networks get: songs whose dance is told, and the weights of both ties."""

    known: tuple[int, ...] = ()
    cycle: float = 0.0
    gromov: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a trial that teaches nothing or counts a song twice."""
        none = not self.known and not self.cycle and not self.gromov
        refuse(none, "a trial needs a known song, cycle or gromov; got none.")
        twice = len(set(self.known)) < len(self.known)
        refuse(twice, f"known names a song twice, got {self.known}.")


class Learnt(NamedTuple):
    """What R pairs of networks made of a trial; distances where the circle has radius 1."""

    danced: Float[np.ndarray, "R K 2"]
    from_truth: Float[np.ndarray, " R"]  # mean distance of the dances from the true ones
    from_cycle: Float[np.ndarray, " R"]  # mean distance of the songs from there and back
    from_shape: Float[np.ndarray, " R"]  # root of the mean squared difference of inner distances


def ring(count: int = 12, *, uneven: float = 0.0, seed: int = 0) -> Toy:
    """Return `count` songs on a circle and their dances.

    Evenly spaced unless `uneven`, the standard deviation of their angles in spaces between two
    neighbours, is above 0; an uneven ring has no symmetry.
    """
    refuse(count < 3, f"count must be at least 3, got {count}.")
    draw = numpy_generator(seed, "ring")
    angle = 2 * math.pi * (np.arange(count) + uneven * draw.normal(size=count)) / count
    truth = draw.permutation(count)
    dances = np.empty((count, 2))
    dances[truth] = _on_circle(TURN - angle)
    return Toy(_on_circle(angle), dances, truth)


def inner(points: Float[np.ndarray, "K 2"]) -> Float[np.ndarray, "K K"]:
    """Return the distance of every two points."""
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def solutions(toy: Toy, known: Sequence[int] = ()) -> Solutions:
    """Return how many pairs of maps are without error when the dances of `known` songs are told.

    Reconstruction leaves every other song K dances and every other dance K songs. A cycle without
    error needs permutations, the second undoing the first, so (K - known)! pairs are left; the
    isometries among them are counted one by one.
    """
    count, free = len(toy.truth), len(toy.truth) - len(set(known))
    told = {song: int(toy.truth[song]) for song in known}
    same = isometries(inner(toy.songs), inner(toy.dances))
    left = [found for found in same if all(found[song] == told[song] for song in told)]
    return Solutions(count ** (2 * free), math.factorial(free), len(left))


def isometries(D: Float[np.ndarray, "K K"], C: Float[np.ndarray, "K K"]) -> list[tuple[int, ...]]:
    """Return every permutation p with C[p(i), p(j)] = D[i, j]: there L_GW is 0."""
    return list(_extended(D, C, ()))


def _extended(D: np.ndarray, C: np.ndarray, begun: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the isometries that begin with the images `begun`, one more point at a time."""
    i = len(begun)
    if i == len(D):
        yield begun
        return
    for image in sorted(set(range(len(C))) - set(begun)):
        chosen = [*begun, image]
        if (np.abs(C[image, chosen] - D[i, : i + 1]) < SAME).all():
            yield from _extended(D, C, tuple(chosen))


def matched(toy: Toy, starts: int, *, epsilon: float = 0.05, seed: int = 0) -> Gromov:
    """Return Gromov-Wasserstein plans between songs and dances from random first plans.

    No pair is told. The uniform plan is a stationary point of a ring, hence the random ones.
    """
    K = len(toy.truth)
    draw = generator(seed, "starts")
    start = torch.rand(starts, K, K, generator=draw, dtype=torch.float64).square()
    for _ in range(50):
        start = start / (K * start.sum(-1, keepdim=True))
        start = start / (K * start.sum(-2, keepdim=True))
    D, C = (torch.from_numpy(inner(points)) for points in (toy.songs, toy.dances))
    return gromov(D.expand(starts, K, K), C.expand(starts, K, K), epsilon=epsilon, start=start)


def learn(
    toy: Toy,
    trials: Sequence[Trial],
    *,
    runs: int = 16,
    steps: int = 300,
    rate: float = 0.01,
    hidden: int = 24,
    seed: int = 0,
) -> list[Learnt]:
    """Return what `runs` pairs of networks learn in each trial.

    Both are perceptrons with one hidden layer, trained together by Adam; run r has the same first
    weights in every trial. All runs of all trials are one batch, and none knows of the others.
    """
    draw, total = generator(seed, "toy weights"), runs * len(trials)
    networks = [[part.repeat(len(trials), 1, 1) for part in _first(runs, hidden, draw)]
                for _ in range(2)]  # fmt: skip
    weights = [part.requires_grad_() for network in networks for part in network]
    songs, dances = (
        torch.from_numpy(points).float().expand(total, -1, -1)
        for points in (toy.songs, toy.dances[toy.truth])
    )
    told = torch.zeros(len(trials), len(toy.truth))
    for row, trial in enumerate(trials):
        told[row, list(trial.known)] = 1 / max(1, len(trial.known))
    share = told.repeat_interleave(runs, 0)
    ties = torch.tensor([[t.cycle, t.gromov] for t in trials]).repeat_interleave(runs, 0)
    optimizer = torch.optim.Adam(weights, lr=rate)
    for index in range(steps):
        optimizer.param_groups[0]["lr"] = rate if index < DROP * steps else rate / 5
        rec, cycle, shape = losses(networks, songs, dances, share)
        optimizer.zero_grad()
        (rec + ties[:, 0] * cycle + ties[:, 1] * shape).sum().backward()
        optimizer.step()
    return _measured(networks, songs, dances, len(trials))


def summary(
    trials: Sequence[Trial], learnt: Sequence[Learnt], *, right: float = 0.1
) -> list[dict[str, int | float]]:
    """Return a row for each trial: medians over its runs, and the share of them, in percent, whose
    dances are less than `right` from the truth.
    """
    rows = []
    for trial, found in zip(trials, learnt, strict=True):
        medians = [float(np.median(values)) for values in found[1:]]
        rows.append(
            {
                "pairs told": len(trial.known),
                "cycle": trial.cycle,
                "GW": trial.gromov,
                "from the truth": medians[0],
                "after there and back": medians[1],
                "inner distances off by": medians[2],
                "right (%)": 100 * float((found.from_truth < right).mean()),
            }
        )
    return rows


def plan_of(images: Int[np.ndarray, " K"]) -> Float[np.ndarray, "K K"]:
    """Return the plan of a map: song k gives its whole weight to dance `images[k]`."""
    plan = np.zeros((len(images), len(images)))
    plan[np.arange(len(images)), images] = 1 / len(images)
    return plan


def nearest(toy: Toy, danced: Float[np.ndarray, "K 2"]) -> Int[np.ndarray, " K"]:
    """Return which dance lies nearest to what was made for each song."""
    return np.linalg.norm(danced[:, None] - toy.dances[None], axis=-1).argmin(axis=1)


def losses(
    networks: Sequence[Sequence[Tensor]], songs: Plane, dances: Plane, share: Float[Tensor, "R K"]
) -> tuple[Costs, Costs, Costs]:
    """Return reconstruction of the told pairs (Eq. 6), cycles (Eq. 10) and L_GW of each run.

    Row k of `dances` belongs to row k of `songs`; `share` says how much the pair counts.
    """
    there, back = networks
    made, heard = translated(there, songs), translated(back, dances)
    rec = (share * (_apart(made, dances) + _apart(heard, songs))).sum(-1)
    cycle = _apart(translated(back, made), songs) + _apart(translated(there, heard), dances)
    shape = _distortion(made, songs) + _distortion(heard, dances)
    return rec, cycle.mean(-1), shape


def translated(network: Sequence[Tensor], points: Plane) -> Plane:
    """Return what a network, four tensors, makes of the points of each run."""
    inward, shift, outward, place = network
    return torch.tanh(points @ inward + shift) @ outward + place


def _first(runs: int, hidden: int, draw: torch.Generator) -> list[Tensor]:
    return [
        torch.randn(runs, 2, hidden, generator=draw),
        torch.randn(runs, 1, hidden, generator=draw) / 2,
        torch.randn(runs, hidden, 2, generator=draw) / math.sqrt(hidden),
        torch.zeros(runs, 1, 2),
    ]


def _apart(points: Plane, others: Plane) -> Float[Tensor, "R K"]:
    return (points - others).square().sum(-1)


def _distortion(image: Plane, points: Plane) -> Costs:
    """Return the sum of Eq. 5 over four indices for the plan that sends each point to its image."""
    return (torch.cdist(image, image) - torch.cdist(points, points)).square().mean((1, 2))


def _measured(
    networks: Sequence[Sequence[Tensor]], songs: Plane, dances: Plane, trials: int
) -> list[Learnt]:
    with torch.no_grad():
        there, back = networks
        made = translated(there, songs)
        truth = _apart(made, dances).sqrt().mean(-1)
        cycle = _apart(translated(back, made), songs).sqrt().mean(-1)
        shape = _distortion(made, songs).sqrt()
    split = [x.unflatten(0, (trials, -1)).numpy() for x in (made, truth, cycle, shape)]
    return [Learnt(*parts) for parts in zip(*split, strict=True)]


def _on_circle(angle: Float[np.ndarray, " K"]) -> Float[np.ndarray, "K 2"]:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
