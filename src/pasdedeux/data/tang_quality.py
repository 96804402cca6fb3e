"""What is doubtful about a dance of Tang et al. (2018), measured, and its floor made level.

Nothing here is documented by the authors; the limits divide the published files as they are. `T`
frames.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

FEET = (10, 11, 19, 20)  # right heel and toe, left heel and toe
THIGHS = ((7, 8), (16, 17))  # hip and knee: right, left
FLOOR_FRAMES, FLOOR_SIGMA_FRAMES = 75, 25.0

STILL_METRES = 1e-6  # a stretched copy of a frozen span differs in the last digits only
FAST_METRES = 0.25  # change of a frame's step from the one before: 156 m/s^2
SUSPECT_SHARE = 0.01  # of the frames; T_5 has 5.5 %, every other file at most 0.2 %
SUSPECT_LENGTH = 0.02  # every file of the second release lies within it, except T_5
SOFT_CM = 2.0  # files have 0.8 to 1.4 or 3.6 to 5.4
DRIFT_CM = 10.0
SUSPECT = "suspect time base"  # how the flag begins by which T_5 is left out of training


class Quality(NamedTuple):
    """Measurements of one dance at 25 frames a second."""

    length_share: float  # frames of the file over the frames of music they are said to span
    frozen_frames: int  # frames in which no point moves
    fast_frames: int  # frames in which some point's step changes by more than 25 cm
    thigh_sd_cm: float  # standard deviation of the length, of the worse thigh
    drift_cm: float  # how far the floor moves up and down


class Levelled(NamedTuple):
    """Points whose feet stand on y = 0, and the height that was taken off in each frame."""

    points_world: Float[np.ndarray, "T 23 3"]
    floor_metres: Float[np.ndarray, " T"]


def levelled(points_world: Float[np.ndarray, "T 23 3"]) -> Levelled:
    """Return the points without the slow drift of the floor, up to 50 cm within one recording.

    The floor is the lowest heel or toe within 75 frames, smoothed by a Gaussian of 25 frames: a
    jump shorter than 3 s keeps its height.
    """
    lowest = points_world[:, FEET, 1].min(axis=1)
    floor = gaussian_filter1d(
        minimum_filter1d(lowest, FLOOR_FRAMES, mode="nearest"), FLOOR_SIGMA_FRAMES, mode="nearest"
    )
    return Levelled(points_world - floor[:, None, None] * np.array([0.0, 1.0, 0.0]), floor)


def quality(
    points_world: Float[np.ndarray, "T 23 3"],
    floor_metres: Float[np.ndarray, " T"],
    length_share: float,
) -> Quality:
    """Return the measurements of a dance before its floor was made level."""
    steps = np.diff(points_world, axis=0)
    moved = np.linalg.norm(steps, axis=-1).max(axis=1)
    jolts = np.linalg.norm(np.diff(steps, axis=0), axis=-1).max(axis=1)
    thighs = [
        np.linalg.norm(points_world[:, hip] - points_world[:, knee], axis=-1).std()
        for hip, knee in THIGHS
    ]
    return Quality(
        length_share=float(length_share),
        frozen_frames=int((moved < STILL_METRES).sum()),
        fast_frames=int((jolts > FAST_METRES).sum()),
        thigh_sd_cm=100 * float(max(thighs)),
        drift_cm=100 * float(np.ptp(floor_metres)),
    )


def flags(found: Quality, frames: int, *, stretched: bool, audio: bool) -> tuple[str, ...]:
    """Return in words, with its number, each thing that is doubtful; empty for a clean dance.

    A stretched dance's length says nothing about its time base any more, its speed still does.
    """
    fast_share = found.fast_frames / frames
    off = 0.0 if stretched else abs(found.length_share - 1)
    told = {
        f"{SUSPECT}: {fast_share:.1%} of the frames are fast, the length is {off:.1%} off": (
            fast_share > SUSPECT_SHARE or off > SUSPECT_LENGTH
        ),
        f"stretched: a first-release file of {found.length_share:.3f} of its length": stretched,
        "no audio: motion only": not audio,
        f"frozen: {found.frozen_frames} frames do not move": found.frozen_frames > 0,
        f"fast: {found.fast_frames} frames with a jolt above 25 cm": found.fast_frames > 0,
        f"soft bones: sd of the thigh {found.thigh_sd_cm:.1f} cm": found.thigh_sd_cm > SOFT_CM,
        f"drift: {found.drift_cm:.0f} cm of the floor removed": found.drift_cm > DRIFT_CM,
    }
    return tuple(words for words, holds in told.items() if holds)
