"""How many samples a transport distance needs, in more and more dimensions.

The README says that entropic transport is not subject to the curse of dimensionality. Where both
laws are Gaussian the answer is known, so that an estimate can be wrong by a known amount. The laws
are N(0, 1/D) and N(0, s^2/D) in each of D dimensions: the mean squared length is 1 and s^2 for
every D, and the costs keep their size. `N` samples of each law, `D` dimensions.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator
from pasdedeux.ot import costs
from pasdedeux.ot.sinkhorn import unbiased_distance
from pasdedeux.papers.mdot import QUARTER

ESTIMATES = ("exact transport", "six terms, large epsilon", "six terms, epsilon as trained")


@dataclass(frozen=True)
class SampleSettings:
    """What is drawn and how often."""

    dimensions: tuple[int, ...] = (1, 4, 16, 64)
    counts: tuple[int, ...] = (8, 16, 32, 64, 128)
    scale: float = 1.5  # s, the second law's standard deviation in that of the first
    large: float = 1.0  # epsilon, in mean squared lengths of the first law
    trained: float = 0.1  # 0.05 of the mean cost, 2, between two samples of the first law
    draws: int = 20  # of every (D, N)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn or fitted."""
        refuse(min(self.dimensions) < 1, f"dimensions must be at least 1, got {self.dimensions}.")
        told = f"counts must be two or more numbers above 1, got {self.counts}."
        refuse(len(self.counts) < 2 or min(self.counts) < 2, told)
        for name in ("scale", "large", "trained"):
            value = getattr(self, name)
            refuse(not value > 0, f"{name} must be above 0, got {value}.")
        refuse(self.draws < 1, f"draws must be at least 1, got {self.draws}.")


class Error(NamedTuple):
    """The root mean square error of an estimate from N samples, as a share of the true value."""

    estimate: str
    dimension: int
    count: int
    error: float
    bias: float  # the mean error, signed, as the same share


def between_gaussians(a: float, b: float, epsilon: float) -> float:
    """Return <P, C> of entropic transport from N(0, a^2) to N(0, b^2), C the squared distance.

    The plan is Gaussian with covariance c = (sqrt(4 a^2 b^2 + e^2) - e) / 2, e = epsilon / 2
    (Janati et al. 2020, Theorem 1, in one dimension); <P, C> = a^2 + b^2 - 2 c.
    """
    half = epsilon / 2
    return a * a + b * b - (math.sqrt(4 * a * a * b * b + half * half) - half)


def true_distance(settings: SampleSettings, dimension: int, epsilon: float) -> float:
    """Return the six terms over 4 of the two laws: of infinitely many samples. Epsilon 0 is exact.

    All dimensions cost the same and none sees another, so D problems on the line are one in D; an
    epsilon of the whole is one of each.
    """
    one, other = 1 / math.sqrt(dimension), settings.scale / math.sqrt(dimension)
    crossed, first, second = (
        between_gaussians(*pair, epsilon) for pair in ((one, other), (one, one), (other, other))
    )
    return dimension * (crossed - (first + second) / 2)


def sample_errors(settings: SampleSettings, *, seed: int = 0) -> list[Error]:
    """Return the errors of three estimates at every dimension and count.

    "exact transport" is the best matching of one sample of each law, what a WGAN's critic
    would find were it perfect; the others are MDOT's six terms over 4, two samples of each law.
    """
    rows = []
    for dimension in settings.dimensions:
        truths = [true_distance(settings, dimension, e) for e in _epsilons(settings)]
        for count in settings.counts:
            draw = generator(seed, "samples", dimension, count)
            found = np.array(
                [_drawn(settings, dimension, count, draw) for _ in range(settings.draws)]
            )
            wrong = found / truths - 1
            rows += [
                Error(name, dimension, count, float(error), float(bias))
                for name, error, bias in zip(
                    ESTIMATES, np.sqrt((wrong**2).mean(0)), wrong.mean(0), strict=True
                )
            ]
    return rows


def _epsilons(settings: SampleSettings) -> tuple[float, float, float]:
    return (0.0, settings.large, settings.trained)


def _drawn(
    settings: SampleSettings, dimension: int, count: int, draw: torch.Generator
) -> list[float]:
    """Return the three estimates from one draw."""
    samples = torch.randn(4, count, dimension, generator=draw, dtype=torch.float64)
    near, far = (samples / math.sqrt(dimension)).split(2)
    first, second = tuple(near), tuple(settings.scale * far)
    cost = costs.squared_l2(first[0], second[0]).numpy()
    exact = float(cost[linear_sum_assignment(cost)].mean())  # the best plan is a matching
    six = [
        float(unbiased_distance(first, second, cost=costs.squared_l2, epsilon=e).value) / QUARTER
        for e in _epsilons(settings)[1:]
    ]
    return [exact, *six]


def rates_of(errors: list[Error]) -> dict[tuple[str, int], float]:
    """Return for each estimate and dimension r of the fit: error ~ N^r; -0.5 is the usual rate."""
    found = {}
    for key in dict.fromkeys((e.estimate, e.dimension) for e in errors):
        mine = [e for e in errors if (e.estimate, e.dimension) == key]
        slope = np.polyfit(np.log([e.count for e in mine]), np.log([e.error for e in mine]), 1)[0]
        found[key] = float(slope)
    return found
