"""How close a set of melodies is to two genres: FusionGAN section IV-A, and what it is blind to.

Task. Given windows of tokens of two genres (`reference_a`, `reference_b`) and of a system
(`estimate`), compare their note statistics. Defined by Chen et al., ICDM 2017.

Conventions. Windows are int arrays of shape (N, T) with the ids of one `Vocabulary`; references
come before estimates. A histogram holds counts, a distribution sums to 1; distances are taken
between distributions, so they do not depend on how much was sampled.

- DD: duration length of a note = number of hold tokens after its onset, bins 0 .. T - 1.
- NPD: pitch class of a note's onset, 12 bins from C; off and hold tokens are left out.
- EUD: Euclidean distance. EM: earth mover (Wasserstein-1) distance with unit distance between
  neighbouring bins.

With distributions, Diff >= 0 and Ratio >= 1 by the triangle inequality, and *any* mixture of the
two references, even one of them alone, has Ratio 1 under EUD. So Ratio never comes alone: read it
beside d_a, d_b and imbalance.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.music.melody import Vocabulary

PITCH_CLASSES = 12
DECIMALS = 12
LARGEST_INTERVAL = 12  # semitones; wider leaps are counted with the octave
Distribution = Float[np.ndarray, " C"]
Distance = Callable[[np.ndarray, np.ndarray], float]


def validate(windows: Int[np.ndarray, "N T"], vocabulary: Vocabulary, name: str) -> None:
    """Raise `ValueError` naming `name` unless `windows` are tokens with at least one onset."""
    refuse(windows.ndim != 2 or not windows.size, f"{name} must be (N, T) and not empty.")
    low, high = int(windows.min()), int(windows.max())
    refuse(
        low < 0 or high >= vocabulary.size,
        f"{name} holds ids {low}..{high}, the vocabulary has 0..{vocabulary.size - 1}; "
        "encode both with the same vocabulary.",
    )
    refuse(not vocabulary.is_onset(windows).any(), f"{name} holds no note; nothing to compare.")


def durations(windows: Int[np.ndarray, "N T"], vocabulary: Vocabulary) -> Int[np.ndarray, "N C"]:
    """Return the DD histogram of each window: C = T bins of hold tokens after an onset."""
    N, T = windows.shape
    held = windows == vocabulary.encode(np.array([vocabulary.HOLD]))[0]
    run = np.zeros((N, T + 1), dtype=np.int64)
    for t in range(T - 1, -1, -1):
        run[:, t] = np.where(held[:, t], run[:, t + 1] + 1, 0)
    return _count_rows(run[:, 1:], vocabulary.is_onset(windows), T)


def pitch_classes(
    windows: Int[np.ndarray, "N T"], vocabulary: Vocabulary
) -> Int[np.ndarray, "N C"]:
    """Return the NPD histogram of each window: C = 12 pitch classes of onsets, from C."""
    onsets = vocabulary.is_onset(windows)
    classes = np.where(onsets, vocabulary.pitch_class(windows), 0)
    return _count_rows(classes, onsets, PITCH_CLASSES)


def interval_pairs(
    windows: Int[np.ndarray, "N T"], vocabulary: Vocabulary
) -> Int[np.ndarray, "N C"]:
    """Return counts of pairs of successive melodic intervals in each window (25 x 25 bins).

    An interval is the semitones from one onset to the next, clipped to an octave. Unlike DD and
    NPD this sees order: shuffling the notes of a melody changes it.
    """
    size = 2 * LARGEST_INTERVAL + 1
    rows, places = np.nonzero(vocabulary.is_onset(windows))
    steps = np.diff(vocabulary.decode(windows)[rows, places])
    steps = steps.clip(-LARGEST_INTERVAL, LARGEST_INTERVAL) + LARGEST_INTERVAL
    inside = rows[2:] == rows[:-2]  # three onsets of one window make a pair of intervals
    pairs = (rows[2:] * size * size + steps[:-1] * size + steps[1:])[inside]
    counts = np.bincount(pairs, minlength=len(windows) * size * size)
    return counts.reshape(len(windows), size * size)


def distribution(histograms: Int[np.ndarray, "N C"]) -> Distribution:
    """Return all windows' counts together, divided by their total; refuses an empty histogram."""
    total = histograms.sum(axis=0).astype(np.float64)
    refuse(not total.sum() > 0, "the histogram is empty; the windows hold nothing to count.")
    return total / total.sum()


def euclidean(reference: Distribution, estimate: Distribution) -> float:
    """Return EUD, the L2 norm of the difference of two distributions."""
    return float(np.linalg.norm(reference - estimate))


def earth_mover(reference: Distribution, estimate: Distribution) -> float:
    """Return EM, the Wasserstein-1 distance on a line with unit spacing: sum |CDF difference|."""
    return float(np.abs(np.cumsum(reference - estimate))[:-1].sum())


def earth_mover_circular(reference: Distribution, estimate: Distribution) -> float:
    """Return the Wasserstein-1 distance on a circle with unit spacing (pitch classes).

    The flow round the circle is free up to a constant; its median is the cheapest.
    """
    flow = np.cumsum(reference - estimate)
    return float(np.abs(flow - np.median(flow)).sum())


def mean_absolute(reference: Distribution, estimate: Distribution) -> float:
    """Return the mean absolute difference per bin: what the printed "EM" of Table I fits best."""
    return float(np.abs(reference - estimate).mean())


def total_variation(reference: Distribution, estimate: Distribution) -> float:
    """Return half the sum of absolute differences: 0 for equal, 1 for disjoint distributions."""
    return float(np.abs(reference - estimate).sum() / 2)


def diff(d_a: float, d_b: float, between: float) -> float:
    """Return Diff = d_a + d_b - d, the slack of the triangle inequality (section IV-A)."""
    return d_a + d_b - between


def ratio(d_a: float, d_b: float, between: float) -> float:
    """Return Ratio = (d_a + d_b) / d (section IV-A); refuses references that are equal."""
    refuse(not between > 0, "the two references have the same distribution; Ratio is undefined.")
    return (d_a + d_b) / between


def imbalance(d_a: float, d_b: float, between: float) -> float:
    """Return |d_a - d_b| / d: 0 midway, 1 for one of the references itself."""
    refuse(not between > 0, "the two references have the same distribution; no middle exists.")
    return abs(d_a - d_b) / between


PROPERTIES: Mapping[str, Callable] = {"DD": durations, "NPD": pitch_classes}
DISTANCES: Mapping[str, Distance] = {
    "EUD": euclidean,
    "EM": earth_mover,
    "MAD": mean_absolute,
}


class Triangle(NamedTuple):
    """The three sides of one comparison: system to A, system to B, and A to B."""

    d_a: float
    d_b: float
    between: float


def triangle(
    reference_a: Distribution, reference_b: Distribution, estimate: Distribution, distance: Distance
) -> Triangle:
    """Return the distances among two references and an estimate."""
    return Triangle(
        distance(reference_a, estimate),
        distance(reference_b, estimate),
        distance(reference_a, reference_b),
    )


def evaluate(
    reference_a: Int[np.ndarray, "N T"],
    reference_b: Int[np.ndarray, "M T"],
    estimate: Int[np.ndarray, "B T"],
    vocabulary: Vocabulary,
) -> dict[str, float]:
    """Return every number of Table I and those it lacks, under names like "DD EUD Ratio".

    For each property (DD, NPD) and distance (EUD, EM, and MAD, the mean absolute difference):
    d_a, d_b, d, Diff, Ratio and imbalance; besides, the "circular" EM of pitch classes and
    "interval pairs", the total variation of interval pairs against both references pooled equally.
    """
    named = {"reference_a": reference_a, "reference_b": reference_b, "estimate": estimate}
    for name, windows in named.items():
        validate(windows, vocabulary, name)
    numbers: dict[str, float] = {}
    measures = [(p, d) for p in PROPERTIES for d in DISTANCES.items()]
    measures.append(("NPD", ("circular EM", earth_mover_circular)))
    known = {
        label: [distribution(count(windows, vocabulary)) for windows in named.values()]
        for label, count in PROPERTIES.items()
    }
    for label, (distance_name, distance) in measures:
        sides = triangle(*known[label], distance)
        head = f"{label} {distance_name}"
        numbers |= {f"{head} d_a": sides.d_a, f"{head} d_b": sides.d_b, f"{head} d": sides.between}
        numbers |= {f"{head} Diff": diff(*sides), f"{head} Ratio": ratio(*sides)}
        numbers[f"{head} imbalance"] = imbalance(*sides)
    pairs = [distribution(interval_pairs(windows, vocabulary)) for windows in named.values()]
    numbers["interval pairs"] = total_variation((pairs[0] + pairs[1]) / 2, pairs[2])
    # what differs from zero by rounding alone is zero, so that no table shows a Diff of -0.0
    return {name: round(value, DECIMALS) + 0.0 for name, value in numbers.items()}


def _count_rows(
    bins: Int[np.ndarray, "N T"], counted: Bool[np.ndarray, "N T"], size: int
) -> Int[np.ndarray, "N C"]:
    N = len(bins)
    places = (np.arange(N)[:, None] * size + bins)[counted]
    return np.bincount(places, minlength=N * size).reshape(N, size)
