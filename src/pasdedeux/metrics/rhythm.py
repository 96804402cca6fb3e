"""Whether a dance keeps time with its music: the paper's Beats Alignment, and AIST++'s score.

Conventions. Beats are in seconds, ascending. Dance beats are the local minima of the mean joint
speed (`motion.beats`). Music beats are the reference, dance beats the estimate.

What they are blind to. Music at 105 beats a minute has a beat within 0.2 s of seven moments in ten,
so Beats Alignment never comes alone: `alignment` returns the level of chance and the excess over
it. A dance with one single well-placed beat scores 1 by the AIST++ script's direction.

References: section 4.3 of the dual-learning paper; Li et al. (2021, AIST++), whose text averages
over the music's beats and whose public script over the dance's.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import choice, refuse

Direction = Literal["music", "dance"]
WINDOW_SECONDS = 0.2  # five frames at 25 a second
SIGMA_SECONDS = 0.05  # three frames at 60 a second, the AIST++ authors' choice


class Alignment(NamedTuple):
    """Share of dance beats near a music beat; the share expected by chance; their difference."""

    hits: float
    chance: float
    excess: float


def alignment(
    music_seconds: Float[np.ndarray, " N"],
    dance_seconds: Float[np.ndarray, " M"],
    duration_seconds: float,
    *,
    window_seconds: float = WINDOW_SECONDS,
) -> Alignment:
    """Return the paper's Beats Alignment (section 4.3) with what random dance beats would reach.

    Several dance beats may meet one music beat. `chance` is the share of the `duration_seconds`
    that lies within `window_seconds` of a music beat, exactly what uniform random beats score.
    """
    _validate(music_seconds, dance_seconds)
    refuse(duration_seconds <= 0, f"duration_seconds must be above 0, got {duration_seconds}.")
    hits = float((_nearest(dance_seconds, music_seconds) <= window_seconds + 1e-9).mean())
    begins = np.maximum(music_seconds - window_seconds, 0.0)
    ends = np.minimum(music_seconds + window_seconds, duration_seconds)
    fresh = np.maximum(begins, np.concatenate([[0.0], np.maximum.accumulate(ends)[:-1]]))
    chance = float(np.maximum(ends - fresh, 0.0).sum() / duration_seconds)
    return Alignment(hits, chance, hits - chance)


def beat_alignment_score(
    music_seconds: Float[np.ndarray, " N"],
    dance_seconds: Float[np.ndarray, " M"],
    *,
    over: Direction,
    sigma_seconds: float = SIGMA_SECONDS,
) -> float:
    """Return the mean of exp(-d^2 / 2 sigma^2), d the distance to the nearest beat of the other.

    `over` names whose beats are averaged: "music" as the AIST++ paper writes, "dance" as its public
    script computes.
    """
    choice("over", over, get_args(Direction))
    refuse(sigma_seconds <= 0, f"sigma_seconds must be above 0, got {sigma_seconds}.")
    _validate(music_seconds, dance_seconds)
    pair = (music_seconds, dance_seconds)
    near = _nearest(*pair) if over == "music" else _nearest(*pair[::-1])
    return float(np.exp(-(near**2) / (2 * sigma_seconds**2)).mean())


def _nearest(
    points: Float[np.ndarray, " N"], others: Float[np.ndarray, " M"]
) -> Float[np.ndarray, " N"]:
    """Return the distance of each point to the nearest of `others`, both ascending."""
    place = np.searchsorted(others, points)
    before = np.abs(points - others[np.maximum(place - 1, 0)])
    after = np.abs(points - others[np.minimum(place, len(others) - 1)])
    return np.minimum(before, after)


def _validate(music_seconds: np.ndarray, dance_seconds: np.ndarray) -> None:
    for name, beats in (("music_seconds", music_seconds), ("dance_seconds", dance_seconds)):
        refuse(
            not len(beats),
            f"{name} holds no beat; alignment is undefined, leave the sequence out and count it.",
        )
        wrong = not np.isfinite(beats).all() or (np.diff(beats) < 0).any()
        refuse(wrong, f"{name} must be finite and ascend; are they in seconds?")
