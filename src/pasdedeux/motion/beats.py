"""Kinematic beats: the moments at which a body comes to rest for an instant.

Local minima of the mean joint speed, the definition of the dual-learning paper's Beats Alignment,
without smoothing. Frame of reference: the world's; speed keeps the joints' unit, per second. `T`
frames, `J` joints, `N` beats.
"""

import math

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from pasdedeux.base.checks import refuse

REACH_SECONDS = 0.16  # four frames at 25 Hz, ten at 60 Hz (the AIST++ authors' choice there)


def mean_speed(joints_world: Float[np.ndarray, "T J 3"], rate_hz: float) -> Float[np.ndarray, " S"]:
    """Return the mean over joints of |x_(t+1) - x_t| `rate_hz`, S = T - 1 values.

    Value t belongs to the middle of its two frames, second (t + 1/2) / `rate_hz`.
    """
    check(joints_world, rate_hz)
    steps = np.linalg.norm(np.diff(joints_world, axis=0), axis=-1)
    return steps.mean(axis=-1) * rate_hz


def beat_seconds(
    joints_world: Float[np.ndarray, "T J 3"],
    rate_hz: float,
    *,
    reach_seconds: float = REACH_SECONDS,
) -> Float[np.ndarray, " N"]:
    """Return the seconds at which the mean speed is below all its values within `reach_seconds`.

    Two equal lowest values side by side are one beat between them, as when the body rests exactly
    on a frame; a longer stillness has no beat. The first and last value are never one; near them
    the values that exist decide.
    """
    speed = mean_speed(joints_world, rate_hz)
    order = round(reach_seconds * rate_hz)
    refuse(
        order < 1,
        f"reach_seconds must span at least one frame at {rate_hz} Hz, got {reach_seconds}; "
        "is it in seconds?",
    )
    padded = np.pad(speed, order, constant_values=np.inf)
    before = sliding_window_view(padded, order).min(axis=-1)[: len(speed)]
    after = sliding_window_view(padded, order).min(axis=-1)[order + 1 :]
    falls, rises = speed < before, speed < after
    falls[0] = rises[-1] = False
    single = np.flatnonzero(falls & rises)
    double = np.flatnonzero(falls[:-1] & rises[1:] & (speed[:-1] == speed[1:]))
    return (np.sort(np.concatenate([single, double + 0.5])) + 0.5) / rate_hz


def check(joints_world: Float[np.ndarray, "T J 3"], rate_hz: float) -> None:
    """Refuse joints that do not move through time: too few frames, none, or not finite."""
    refuse(
        not (rate_hz > 0 and math.isfinite(rate_hz)),
        f"rate_hz must be a number of frames per second above 0, got {rate_hz}.",
    )
    frames, joints, _ = joints_world.shape
    refuse(
        frames < 3 or joints < 1,
        f"joints_world must hold at least 3 frames of at least 1 joint, got {frames} of {joints}; "
        "is time its first axis?",
    )
    bad = np.flatnonzero(~np.isfinite(joints_world).all(axis=(1, 2)))
    refuse(
        len(bad) > 0,
        f"joints_world is not finite in {len(bad)} frames, first in frame {bad[:1]}; "
        "fill or cut these frames.",
    )
