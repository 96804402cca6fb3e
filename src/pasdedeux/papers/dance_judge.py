"""A machine listener for Table 3's second column: is the dance of the genre of its music?

It stands in nobody's place: it measures how a body moves, and its rows are called "machine
listener". Realism, the first column, has no counterpart here: nothing tells a machine what people
take for real.

How it answers. Each window of a dance becomes one vector, the kinetic and geometric features of the
field (`motion.features`), kinetic ones as logarithms; channels are brought to mean 0 and spread 1
on real windows of training. A genre is its centroid there, and a dance is of the genre whose
centroid is nearest to its windows, all of them together. A method's rank is the place of its dance
among those that the methods danced to the same music: 1 is nearest to the genre of that music,
compared with the other genres.

Blind spots. Some genres of the corpora were danced by few dancers, so the judge may know a dancer
and not a genre. Copies of training dances are consistent with their genre. `N` windows, `T` frames,
`G` genres, `D` features, `E` excerpts, `K` methods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs
from pasdedeux.data.scale import Scale
from pasdedeux.metrics.listening import Estimate, over_listeners, share_right
from pasdedeux.motion import features
from pasdedeux.papers.dual_evaluate import WINDOWS, Excerpts, joints_of

TINY = 1e-6  # keeps the logarithm of a body that stands still finite
MOST_WINDOWS = 60  # of training, of each genre: evenly from all, which overlap anyhow


class Judge(NamedTuple):
    """The genres by name, their centroids, and the scale of the features."""

    genres: tuple[str, ...]
    centroids: Float[np.ndarray, "G D"]
    scale: Scale

    def distances(self, vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N G"]:
        """Return the squared distance of each vector to each centroid, a mean over features."""
        told = f"vectors must be finite and {self.centroids.shape[1]} long, got {vectors.shape}."
        fine = vectors.shape[1] == self.centroids.shape[1] and np.isfinite(vectors).all()
        refuse(not fine, told)
        scaled = self.scale.apply(vectors)
        return np.square(scaled[:, None] - self.centroids).mean(axis=2)


def margins_of(distances: Float[np.ndarray, "N G"]) -> Float[np.ndarray, "N G"]:
    """Return, for each genre, the smallest distance to another genre minus the own distance."""
    own = np.eye(distances.shape[1], dtype=bool)
    others = np.where(own, np.inf, distances[:, None, :]).min(axis=2)
    return others - distances


def vectors(pose: Float[np.ndarray, "N T 147"]) -> Float[np.ndarray, "N D"]:
    """Return the features of each window: log kinetic (72) and geometric (32), place taken off."""
    found = []
    for moved in joints_of(pose).astype(float):
        begun = moved - moved[:1, :1]
        kinetic = np.log(features.kinetic(begun, float(RATE_HZ)) + TINY)
        found.append(np.concatenate([kinetic, features.geometric(begun, float(RATE_HZ))]))
    return np.stack(found)


def trained(vectors: Float[np.ndarray, "N D"], genre: Sequence[str]) -> Judge:
    """Return the judge of the genres of real windows, in alphabetical order.

    Genres count equally in the scale, whatever their number of windows. Raises `ValueError` for
    fewer than two genres, or where vectors and genres are not equally many.
    """
    refuse(len(vectors) != len(genre), f"{len(vectors)} vectors for {len(genre)} genres.")
    genres = tuple(sorted(set(genre)))
    refuse(len(genres) < 2, f"a judge needs two genres at least, got {genres}.")
    rows = [vectors[np.array(genre) == name] for name in genres]
    least = min(map(len, rows))
    even = [one[np.linspace(0, len(one) - 1, least).round().astype(int)] for one in rows]
    scale = Scale.fit(even, channels=slice(None))
    return Judge(genres, np.stack([scale.apply(one).mean(axis=0) for one in rows]), scale)


def why_not(pairs: Pairs, found: Excerpts) -> str:
    """Return why no judge can be had of these dances, in words; "" where one can."""
    known = sorted({pairs.dances[int(number)].genre for number in pairs.train.dance})
    asked = {pairs.dances[int(number)].genre for number in found.dance}
    if len(known) < 2:
        return f"the training windows are of one genre only ({', '.join(known)})"
    return "" if asked & set(known) else f"no test excerpt is of a known genre ({', '.join(known)})"


def judge(pairs: Pairs) -> Judge:
    """Return the judge of the training windows of `pairs`, at most 60 of each genre."""
    genre = np.array([pairs.dances[int(number)].genre for number in pairs.train.dance])
    rows = []
    for name in sorted(set(genre)):
        mine = np.flatnonzero(genre == name)
        places = np.linspace(0, len(mine) - 1, min(MOST_WINDOWS, len(mine))).round().astype(int)
        rows.append(mine[places])
    chosen = np.concatenate(rows)
    return trained(vectors(pairs.train.pose[chosen]), genre[chosen].tolist())


def heard(judge: Judge, danced: Float[np.ndarray, "E S 147"]) -> Float[np.ndarray, "E G"]:
    """Return the margins of each excerpt: its windows' distances are added before."""
    E, S, D = danced.shape
    told = f"excerpts must be some, of {WINDOWS} windows, got {danced.shape}."
    refuse(not E or bool(S % WINDOWS), told)
    windows = danced.reshape(E * WINDOWS, S // WINDOWS, D)
    distances = judge.distances(vectors(windows))
    return margins_of(distances.reshape(E, WINDOWS, -1).mean(axis=1))


def places_of(judge: Judge, found: Excerpts, pairs: Pairs) -> Int[np.ndarray, " E"]:
    """Return the number of each excerpt's genre among the judge's; -1 where it is not known."""
    names = [pairs.dances[int(number)].genre for number in found.dance]
    known = {name: place for place, name in enumerate(judge.genres)}
    return np.array([known.get(name, -1) for name in names])


@dataclass(frozen=True)
class Recognised:
    """How often the judge names the genre: balanced over genres, in percent, with chance.

    The interval is over dances: excerpts of one dance are not independent. A bootstrap of a few
    dances that are all right has no width, so it reaches at least as far as Wilson's for as many.
    """

    balanced: Estimate
    chance: float
    genres: int
    excerpts: int


def recognised(
    margins: Float[np.ndarray, "E G"],
    genre: Int[np.ndarray, " E"],
    dance: Int[np.ndarray, " E"],
) -> Recognised:
    """Return the share of excerpts whose genre has the largest margin, each genre counting alike.

    `dance` says which excerpts are of one dance. Genres of -1 are left out; raises `ValueError`
    where none is left.
    """
    refuse(not len(margins) == len(genre) == len(dance), "margins, genre, dance differ in length.")
    known = genre >= 0
    refuse(not known.any(), "no excerpt is of a genre that the judge knows; train it on more.")
    right = margins.argmax(axis=1) == genre
    names = np.unique(genre[known])
    dances = np.unique(dance[known])
    counts = np.zeros((len(dances), 2 * len(names)), dtype=int)
    for row in np.flatnonzero(known):
        place = np.searchsorted(dances, dance[row]), 2 * np.searchsorted(names, genre[row])
        counts[place] += right[row]
        counts[place[0], place[1] + 1] += 1
    drawn = numpy_generator(0, "dances")
    told = over_listeners(counts, _balanced, generator=drawn)
    sure = [bool(right[known & (dance == number)].all()) for number in dances]
    _, low, high = share_right(sum(sure), len(sure))
    told = told._replace(low=min(told.low, low), high=max(told.high, high))
    return Recognised(told, 100.0 / margins.shape[1], len(names), int(known.sum()))


def _balanced(counts: Float[np.ndarray, "D C"]) -> Float[np.ndarray, " D"]:
    """Return the mean over genres of right / asked, in percent; genres not drawn are left out."""
    right, asked = counts[:, ::2], counts[:, 1::2]
    shares = np.where(asked > 0, right / np.maximum(asked, 1), 0.0)
    return 100.0 * shares.sum(axis=1) / (asked > 0).sum(axis=1)


def average_ranks(
    margins: Mapping[str, Float[np.ndarray, "E G"]], genre: Int[np.ndarray, " E"]
) -> dict[str, float]:
    """Return each method's mean rank by the margin of the music's genre, 1 is best; ties share.

    All methods danced to the same excerpts. Genres of -1 are left out.
    """
    refuse(len(margins) < 2, f"ranks need two methods at least, got {sorted(margins)}.")
    known = np.flatnonzero(genre >= 0)
    refuse(not len(known), "no excerpt is of a genre that the judge knows; train it on more.")
    sizes = {len(one) for one in margins.values()} | {len(genre)}
    refuse(len(sizes) > 1, f"methods danced to different numbers of excerpts: {sorted(sizes)}.")
    own = np.stack([one[known, genre[known]] for one in margins.values()], axis=1)
    ranks = rankdata(-own, axis=1).mean(axis=0)
    return dict(zip(margins, ranks.tolist(), strict=True))
