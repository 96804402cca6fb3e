"""Keypoints to SMPL rotations: the fit that the dual-learning paper calls SMPLify (section 3.1).

SMPLify fits points in a picture; the dances of Tang et al. (2018) are points in space, so this is a
fit in space, in the manner of MoSh (Loper et al. 2014): every point sits at a constant, learned
place on one joint of a body whose bones have learned lengths. `losses` says what is minimised.

First bones and places, over some frames of the dance; then, with these fixed, the rotations of all
frames at once. Each frame is seen from its own pelvis, found from hips and shoulders, so that a
dance that is turned or carried elsewhere has the same fit, turned and carried.

What points cannot show stays near the body at rest: hands and toes, the twist of ankle and wrist,
the nod of the head (its two points lie on the axis), how a bend is shared along the spine and
between collar and shoulder. Frame of reference: right-handed, y up, metres. `T` frames, `N` points.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.motion import keypoints, skeleton
from pasdedeux.motion.compiled import Carried
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six, six_from_matrix
from pasdedeux.motion.skeleton import Skeleton

FEWEST = 5
SCALE, SHIFT = 0.1, 0.05  # log length and metres that a step of 1 means
BONES = {  # the joints at the far end of the bones that grow and shrink together
    "torso": ("spine1", "spine2", "spine3", "neck", "head"),
    "shoulder": ("collar", "shoulder"),
    "upper arm": ("elbow",),
    "forearm": ("wrist", "hand"),
    "hip": ("hip",),
    "thigh": ("knee",),
    "shin": ("ankle",),
    "foot": ("foot",),
}
HOLDS = {  # pull towards the body at rest; none on the pelvis
    "pelvis": 0.0, "hip": 1e-3, "knee": 1e-3, "shoulder": 1e-3, "elbow": 3e-3, "spine1": 4e-3,
    "spine2": 4e-3, "spine3": 4e-3, "collar": 2e-2, "neck": 6e-2, "head": 6e-2, "wrist": 6e-2,
    "ankle": 1e-2, "foot": 1e-1, "hand": 1e-1,
}  # fmt: skip
LIMITS_DEGREES = {
    "spine1": 35, "spine2": 35, "spine3": 35, "neck": 45, "head": 60, "collar": 40, "ankle": 75,
    "foot": 45, "wrist": 80, "elbow": 150, "knee": 150,
}  # fmt: skip


@dataclass(frozen=True)
class FitSettings:
    """How a fit is done; the defaults were chosen on the dances of Tang et al."""

    bend_metres: float = 0.05  # the distance from which on an error counts by its length
    smooth: float = 1e-2  # weight of the squared second difference of the rotations
    hold: float = 1.0  # weight of the pull towards rest
    limit: float = 5e-2  # weight of what a joint turns beyond its limit
    shape: float = 1e-2  # weight of bones and places that differ from those expected
    shape_frames: int = 200  # spread over the dance, for bones and places
    shape_iterations: int = 300
    iterations: int = 200
    learning_rate: float = 0.05  # of Adam; falls to 0 along a half cosine
    sweep: Literal["compiled", "torch"] = "compiled"

    def __post_init__(self) -> None:
        """Refuse settings under which nothing could be learned."""
        choice("sweep", self.sweep, ("compiled", "torch"))
        for name in ("shape_frames", "shape_iterations", "iterations"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        for name in ("bend_metres", "learning_rate"):
            value = getattr(self, name)
            refuse(not 0 < value < math.inf, f"{name} must be above 0, got {value}.")
        for name in ("smooth", "hold", "limit", "shape"):
            value = getattr(self, name)
            refuse(not 0 <= value < math.inf, f"{name} must not be negative, got {value}.")


class Fit(NamedTuple):
    """A fitted dance: plain arrays, so that `fit._asdict()` can be kept and `Fit(**kept)` read."""

    translation: Float[np.ndarray, "T 3"]  # of the pelvis, in the world, metres
    rotations: Float[np.ndarray, "T J 6"]  # local; the pelvis' is its orientation in the world
    offsets_metres: Float[np.ndarray, "J 3"]  # the body at rest, its bones as long as the dancer's
    markers_metres: Float[np.ndarray, "N 3"]  # where each point sits on its joint, at rest
    error_metres: Float[np.ndarray, "T N"]  # from each point to where the fitted body has it

    def body(self) -> Skeleton:
        """Return the SMPL skeleton with the dancer's bones."""
        standard = skeleton.smpl()
        return Skeleton(standard.names, standard.parents, self.offsets_metres)

    def mean_metres(self) -> Float[np.ndarray, " N"]:
        """Return the mean error of each point."""
        return self.error_metres.mean(axis=0)

    def p95_metres(self) -> Float[np.ndarray, " N"]:
        """Return for each point the error that 95 of 100 frames stay below."""
        return np.quantile(self.error_metres, 0.95, axis=0)


class Frame(NamedTuple):
    """Where the pelvis is and how it is turned, as hips and shoulders show it."""

    origin: Float[np.ndarray, "T 3"]
    turn: Float[np.ndarray, "T 3 3"]


class Rig(NamedTuple):
    """The body and its points as the arrays that the sweeps read."""

    body: Skeleton
    offsets: Float[Tensor, "J 3"]
    markers: Float[Tensor, "N 3"]
    parents: Int[np.ndarray, " J"]
    joints: Int[np.ndarray, " N"]
    group: Int[np.ndarray, " J"]


class Pose(NamedTuple):
    """What the losses look at, as seen from the frame of the pelvis."""

    points: Float[Tensor, "T N 3"]
    columns: Float[Tensor, "T J 6"]  # the first two of every local rotation


def losses(
    pose: Pose,
    target: Float[Tensor, "T N 3"],
    turn: Float[Tensor, "T 3 3"],
    settings: FitSettings,
    *,
    sequence: bool = True,
) -> dict[str, Tensor]:
    """Return the weighted terms of the loss, each a sum over the body and a mean over frames.

    With d the distance of a point, a the angle of a joint from rest and b the bend of the settings:

        points: b (sqrt(1 + (d/b)^2) - 1), a smooth form of Huber's: d^2 / 2b near 0, d far away
        smooth: |R_(t-1) - 2 R_t + R_(t+1)|^2 over the first two columns, the pelvis' in the world
        hold:   w (1 - cos a), about w a^2 / 2
        limit:  max(0, cos(limit) - cos a)

    `sequence` is false for frames that do not follow each other.
    """
    hold, limit = (x.to(target) for x in _tables())
    bend = settings.bend_metres
    square = (pose.points - target).square().sum(-1)
    c = pose.columns
    third = c[..., 0] * c[..., 4] - c[..., 1] * c[..., 3]
    cosine = (c[..., 0] + c[..., 4] + third - 1) / 2
    terms = {
        "points": bend * (torch.sqrt(1 + square / bend**2) - 1).sum(-1).mean(),
        "hold": settings.hold * ((1 - cosine) @ hold).mean(),
        "limit": settings.limit * (limit - cosine).clamp(min=0).sum(-1).mean(),
    }
    if sequence:
        root = turn @ c[:, 0].unflatten(-1, (2, 3)).mT
        jerk = [x[:-2] - 2 * x[1:-1] + x[2:] for x in (root, c[:, 1:])]
        terms["smooth"] = settings.smooth * sum(x.square().sum() for x in jerk) / len(root)
    return terms


def fit(
    points_world: Float[np.ndarray, "T N 3"],
    settings: FitSettings = FitSettings(),
    *,
    points: Keypoints | None = None,
    body: Skeleton | None = None,
) -> Fit:
    """Return rotations, translation and bones of the body that carries `points_world` (metres).

    `points` names the points, those of Tang et al. by default; `body` is a skeleton with SMPL's
    joints, the built-in one by default. Nothing is drawn: the same input has the same fit. Raises
    `ValueError` for points that are no dance in metres: missing, misplaced, mirrored, in
    centimetres.
    """
    points = keypoints.tang() if points is None else points
    body = skeleton.smpl() if body is None else body
    check(points_world, points)
    frame = pelvis_frame(points_world, points)
    seen = np.einsum("tji,tnj->tni", frame.turn, points_world - frame.origin[:, None])
    rig = _rig(body, points)
    count = min(settings.shape_frames, len(seen))
    some = np.linspace(0, len(seen) - 1, count).round().astype(int)
    shape = _shape(rig, seen[some], frame.turn[some], settings)
    rig = rig._replace(offsets=shape[0], markers=shape[1])
    return _motion(rig, points_world, seen, frame, settings)


def check(points_world: Float[np.ndarray, "T N 3"], points: Keypoints) -> None:
    """Refuse what is no dance of these points in metres, and guess the mistake."""
    frames, count, _ = points_world.shape
    refuse(
        count != len(points.names),
        f"points_world holds {count} points, {len(points.names)} are named; "
        "give one for every name, in that order.",
    )
    refuse(frames < FEWEST, f"points_world must hold at least {FEWEST} frames, got {frames}.")
    bad = np.flatnonzero(~np.isfinite(points_world).all(axis=(1, 2)))
    refuse(
        len(bad) > 0,
        f"points_world is not finite in {len(bad)} frames, first in frame {bad[:1]}; "
        "fill or cut these frames.",
    )
    extent = points_world.max(axis=1) - points_world.min(axis=1)
    size = float(np.median(np.linalg.norm(extent, axis=-1)))
    unit = next((u for u, k in (("centimetres", 100), ("millimetres", 1000)) if 0.8 * k < size < 3.5 * k), "")  # fmt: skip
    guess = f"are they in {unit}?" if unit else "are they scaled?"
    refuse(
        not 0.8 < size < 3.5,
        f"points_world must be in metres, but the body measures {size:.3g} across; {guess}",
    )


def pelvis_frame(points_world: Float[np.ndarray, "T N 3"], points: Keypoints) -> Frame:
    """Return the middle of the hips; y to the middle of the shoulders, x left, z = x cross y.

    Raises `ValueError` when the two are no directions, or when the toes point behind the heels.
    """
    part = {name: points_world[:, place] for place, name in enumerate(points.names)}
    origin = (part["left_hip"] + part["right_hip"]) / 2
    up = (part["left_shoulder"] + part["right_shoulder"]) / 2 - origin
    across = part["left_hip"] - part["right_hip"]
    across = across + 0.5 * (part["left_shoulder"] - part["right_shoulder"])
    y = up / np.linalg.norm(up, axis=-1, keepdims=True).clip(1e-9)
    across = across - (across * y).sum(-1, keepdims=True) * y
    x = across / np.linalg.norm(across, axis=-1, keepdims=True).clip(1e-9)
    thin = (np.linalg.norm(up, axis=-1) < 0.05) | (np.linalg.norm(across, axis=-1) < 0.05)
    bad = np.flatnonzero(thin)
    refuse(
        len(bad) > 0,
        f"points_world has hips and shoulders in one place or line in {len(bad)} frames, first in "
        f"frame {bad[:1]}; fill or cut these frames.",
    )
    z = np.cross(x, y)
    toes = [part[f"{side}_toe"] - part[f"{side}_heel"] for side in ("left", "right")]
    refuse(
        np.mean([(toe * z).sum(-1) < 0 for toe in toes]) > 0.5,
        "points_world has its toes behind its heels in most frames; are left and right exchanged, "
        "or is an axis mirrored?",
    )
    return Frame(origin, np.stack([x, y, z], axis=-1))


def carried(
    rig: Rig, six: Float[Tensor, "T J 6"], translation: Float[Tensor, "T 3"], sweep: str
) -> Pose:
    """Return the points of `rig` in every pose: the plain form in torch, or the compiled one."""
    if sweep == "compiled":
        sizes = (rig.offsets, rig.markers, rig.parents, rig.joints)
        return Pose(*Carried.apply(six, translation, *sizes))
    local = matrix_from_six(six)
    joints, turned = placed(local, translation, rig.body, offsets=rig.offsets)
    places = turned[:, rig.joints] @ rig.markers[:, :, None]
    return Pose(joints[:, rig.joints] + places.squeeze(-1), six_from_matrix(local))


def _rig(body: Skeleton, points: Keypoints) -> Rig:
    """Return body and points as arrays."""
    ends = {end: number for number, group in enumerate(BONES.values()) for end in group}
    return Rig(
        body,
        torch.tensor(body.offsets_metres, dtype=torch.float32),
        torch.tensor(points.offsets_metres, dtype=torch.float32),
        np.array(body.parents),
        np.array([body.index(joint) for joint in points.joints]),
        np.array([ends.get(_part(name), len(BONES)) for name in body.names]),
    )


def _part(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


@cache
def _tables() -> tuple[Tensor, Tensor]:
    """Return for every joint its pull towards rest, and the cosine of its limit (-1 where none)."""
    parts = [_part(name) for name in skeleton.smpl().names]
    hold = [HOLDS[part] for part in parts]
    limit = [math.cos(math.radians(LIMITS_DEGREES.get(part, 180))) for part in parts]
    return torch.tensor(hold), torch.tensor(limit)


def _still(frames: int, joints: int) -> tuple[Tensor, Tensor]:
    """Return the pose to start from: the body at rest in the frame of its pelvis."""
    six = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(frames, joints, 1)
    return six.requires_grad_(), torch.zeros(frames, 3, requires_grad=True)


def _shape(
    rig: Rig, seen: np.ndarray, turn: np.ndarray, settings: FitSettings
) -> tuple[Tensor, Tensor]:
    """Return the offsets of the bones and the places of the points that suit these frames."""
    target, turns = (torch.tensor(x, dtype=torch.float32) for x in (seen, turn))
    six, translation = _still(len(target), len(rig.parents))
    scales = torch.zeros(len(BONES) + 1, requires_grad=True)
    shifts = torch.zeros_like(rig.markers, requires_grad=True)

    def grown() -> Rig:
        length = torch.exp(SCALE * scales)[rig.group]
        return rig._replace(
            offsets=rig.offsets * length[:, None], markers=rig.markers + SHIFT * shifts
        )

    def terms() -> dict[str, Tensor]:
        pose = carried(grown(), six, SHIFT * translation, settings.sweep)
        unlike = scales.square().sum() + shifts.square().sum()
        found = losses(pose, target, turns, settings, sequence=False)
        return found | {"shape": settings.shape * unlike}

    _descend([six, translation, scales, shifts], terms, settings, settings.shape_iterations)
    final = grown()
    return final.offsets.detach(), final.markers.detach()


def _motion(
    rig: Rig, points_world: np.ndarray, seen: np.ndarray, frame: Frame, settings: FitSettings
) -> Fit:
    """Return the fit of all frames with the bones and places of `rig`."""
    target, turns = (torch.tensor(x, dtype=torch.float32) for x in (seen, frame.turn))
    six, translation = _still(len(target), len(rig.parents))

    def terms() -> dict[str, Tensor]:
        pose = carried(rig, six, SHIFT * translation, settings.sweep)
        return losses(pose, target, turns, settings)

    _descend([six, translation], terms, settings, settings.iterations)
    with torch.no_grad():
        pose = carried(rig, six, SHIFT * translation, settings.sweep)
    columns = pose.columns.double().numpy().copy()
    root = columns[:, 0].reshape(-1, 2, 3) @ frame.turn.swapaxes(1, 2)
    columns[:, 0] = root.reshape(-1, 6)
    moved = np.einsum("tij,tj->ti", frame.turn, SHIFT * translation.detach().double().numpy())
    apart = pose.points.double().numpy() - seen
    return Fit(
        frame.origin + moved,
        columns,
        rig.offsets.double().numpy(),
        rig.markers.double().numpy(),
        np.linalg.norm(apart, axis=-1),
    )


def _descend(parameters: list[Tensor], terms, settings: FitSettings, iterations: int) -> None:
    """Move `parameters` down the sum of `terms` by Adam, its rate falling along half a cosine."""
    adam = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    for step in range(iterations):
        share = (1 + math.cos(math.pi * step / iterations)) / 2
        adam.param_groups[0]["lr"] = settings.learning_rate * share
        adam.zero_grad(set_to_none=True)
        sum(terms().values()).backward()
        adam.step()
