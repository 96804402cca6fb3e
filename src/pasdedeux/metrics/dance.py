"""How good a generated dance is: the dual-learning paper's two measures, and those of the field.

Conventions. Joints are (T, J, 3) in metres in the world's frame, y up, at `rate_hz` frames a
second; the reference comes first. Distances to a reference come in millimetres, diversity in
centimetres, as the paper's figures do.

What they are blind to. `joint_distance` rewards a body that does not move over one that dances the
right steps somewhere else, or a moment late; the paper calls it Frechet distance, and it is neither
that of curves nor that of Gaussians. `diversity` grows with the distance of the starting poses,
also for a model that never moves. Rows for a frozen pose, the mean pose and another real dance
belong beside both.

References: section 4.3 of the paper; Heusel et al. (2017) for the distance of Gaussians; Li et al.
(2021, AIST++) for its use on dances; Tseng et al. (2023, EDGE) for physical foot contact.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import choice, refuse

Frame = Literal["world", "root", "pose"]
UP = 1
MM, CM = 1000.0, 100.0
PELVIS, HIPS = 0, (1, 2)  # left and right hip of SMPL
FEET = ((7, 10), (8, 11))  # ankle and foot, left and right
STILL_SHARE = 0.25  # slower than this share of the reference's mean speed is standing still


def joint_distance(
    reference: Float[np.ndarray, "T J 3"],
    estimate: Float[np.ndarray, "_ _ 3"],
    *,
    frame: Frame = "world",
) -> float:
    """Return the mean over frames and joints of |reference - estimate| in mm.

    "world" is the paper's Frechet distance; "root" subtracts the root's path from both; "pose"
    removes height-preserving place and heading of every frame as well.
    """
    _same(reference, estimate)
    one, other = (seen(joints, frame) for joints in (reference, estimate))
    return float(np.linalg.norm(one - other, axis=-1).mean() * MM)


def seen(joints: Float[np.ndarray, "T J 3"], frame: Frame) -> Float[np.ndarray, "T J 3"]:
    """Return joints as seen from the world, from the root, or from the body's own heading."""
    choice("frame", frame, get_args(Frame))
    if frame == "world":
        return joints
    if frame == "root":
        return joints - joints[:, PELVIS : PELVIS + 1]
    moved = joints - joints[:, PELVIS : PELVIS + 1] * np.array([1.0, 0.0, 1.0])
    left = joints[:, HIPS[0]] - joints[:, HIPS[1]]
    heading = np.arctan2(-left[:, 2], left[:, 0])  # 0 when the left hip points along x
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x, y, z = np.moveaxis(moved, -1, 0)
    return np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=-1)


def diversity(dances: Float[np.ndarray, "N T J 3"], *, frame: Frame = "world") -> float:
    """Return the mean distance in cm between the joints of two of the N dances.

    Each dance first loses the place of its first frame's root. The paper says "variation in 3D
    joint position" over five dances to the same music; this is one reading of it.
    """
    refuse(len(dances) < 2, f"diversity needs at least 2 dances, got {len(dances)}.")
    begun = dances - dances[:, :1, PELVIS : PELVIS + 1]
    placed = np.stack([seen(dance, frame) for dance in begun])
    apart = [
        np.linalg.norm(placed[i] - placed[j], axis=-1).mean()
        for i in range(len(placed))
        for j in range(i)
    ]
    return float(np.mean(apart) * CM)


def frechet_distance(
    reference: Float[np.ndarray, "N D"], estimate: Float[np.ndarray, "M _"]
) -> float:
    """Return the squared Frechet distance between the Gaussians of two sets of features.

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), with covariances over N - 1. The last trace is
    the nuclear norm of X Y' for centred factors S1 = X'X, S2 = Y'Y: exact also where fewer dances
    than features leave the covariances singular.
    """
    refuse(
        min(len(reference), len(estimate)) < 2,
        f"each set needs at least 2 dances, got {len(reference)} and {len(estimate)}.",
    )
    refuse(
        reference.shape[1] != estimate.shape[1],
        f"features differ in number: {reference.shape[1]} and {estimate.shape[1]}.",
    )
    x, y = (_factor(features) for features in (reference, estimate))
    shift = reference.mean(axis=0) - estimate.mean(axis=0)
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return float(max(shift @ shift + (x * x).sum() + (y * y).sum() - 2 * shared, 0.0))


def _factor(features: Float[np.ndarray, "N D"]) -> np.ndarray:
    """Return X with X'X the covariance, of at most as many rows as columns."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return centred if len(centred) <= centred.shape[1] else np.linalg.qr(centred, mode="r")


def normalised(
    reference: Float[np.ndarray, "N D"], *others: Float[np.ndarray, "_ D"]
) -> tuple[Float[np.ndarray, "_ D"], ...]:
    """Return all sets in units of the reference: its mean 0, its standard deviation 1.

    A feature that never changes in the reference is only centred.
    """
    mean, sd = reference.mean(axis=0), reference.std(axis=0)
    scale = np.where(sd > 1e-9, sd, 1.0)
    return tuple((features - mean) / scale for features in (reference, *others))


def spread(features: Float[np.ndarray, "N D"]) -> float:
    """Return the mean distance between two of the N dances' features (Div_k, Div_g)."""
    refuse(len(features) < 2, f"spread needs at least 2 dances, got {len(features)}.")
    squares = (features**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0.0)
    count = len(features)
    return float(np.sqrt(apart)[np.triu_indices(count, 1)].mean())


def physical_foot_contact(joints: Float[np.ndarray, "T J 3"], rate_hz: float) -> float:
    """Return EDGE's PFC times 10^4: sliding feet while the root accelerates; lower is better.

    Mean over frames of (slower part of the left foot) x (of the right foot) x root acceleration,
    whose downward part does not count and whose largest value is 1. It depends on `rate_hz`.
    """
    refuse(len(joints) < 3, f"joints must hold at least 3 frames, got {len(joints)}.")
    speed = np.diff(joints[:, PELVIS], axis=0) * rate_hz
    push = np.diff(speed, axis=0) * rate_hz
    push[:, UP] = np.maximum(push[:, UP], 0.0)
    effort = np.linalg.norm(push, axis=-1)
    if effort.max() == 0:
        return 0.0
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1)[1:] * rate_hz
    left, right = (steps[:, list(foot)].min(axis=1) for foot in FEET)
    return float((left * right * effort / effort.max()).mean() * 1e4)


def stillness(reference: Float[np.ndarray, "T J 3"], estimate: Float[np.ndarray, "S J 3"]) -> float:
    """Return the share of the estimate's frames slower than a quarter of the reference's mean."""
    speeds = [
        np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(axis=-1)
        for joints in (reference, estimate)
    ]
    return float((speeds[1] < STILL_SHARE * speeds[0].mean()).mean())


def _same(reference: np.ndarray, estimate: np.ndarray) -> None:
    refuse(
        reference.shape != estimate.shape,
        f"reference {reference.shape} and estimate {estimate.shape} must have the same frames and "
        "joints; cut the longer one.",
    )
    for name, joints in (("reference", reference), ("estimate", estimate)):
        refuse(not np.isfinite(joints).all(), f"{name} must be finite; drop the failed dance.")
