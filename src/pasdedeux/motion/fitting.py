"""Keypoints to SMPL rotations: the fit that the dual-learning paper calls SMPLify (section 3.1).

SMPLify fits points in a picture; the dances of Tang et al. (2018) are points in space, so this is a
fit in space, in the manner of MoSh (Loper et al. 2014): every point sits at a constant, learned
place on one joint of a body whose bones have learned lengths. `losses` says what is minimised.

First bones and places, over some frames of the dance; then, with these fixed, the rotations of all
frames at once, from limbs aimed along their points. Each frame is seen from its own pelvis, found
from hips and shoulders, so that a dance that is turned or carried elsewhere has the same fit,
turned and carried.

What points cannot show stays near the body at rest: hands and toes, the twist of ankle and wrist,
the nod of the head (its two points lie on the axis), how a bend is shared along the spine and
between collar and shoulder. Frame of reference: right-handed, y up, metres. `T` frames, `N` points.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.motion import keypoints, skeleton
from pasdedeux.motion.compiled import Carried, Penalty
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six, six_from_matrix
from pasdedeux.motion.skeleton import Skeleton
from pasdedeux.motion.stance import aimed, check, pelvis_frame

SCALE, SHIFT = 0.3, 0.05  # log length and metres that a step of 1 means
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
HOLDS = {  # pull towards the body at rest, weakest where the points show the joint best
    "pelvis": 0.0, "hip": 3e-4, "knee": 3e-4, "shoulder": 3e-4, "elbow": 1e-3, "spine1": 1.2e-3,
    "spine2": 1.2e-3, "spine3": 1.2e-3, "ankle": 3e-3, "collar": 6e-3, "neck": 2e-2, "head": 2e-2,
    "wrist": 2e-2, "foot": 3e-2, "hand": 3e-2,
}  # fmt: skip
HINGES = {"knee": (0, 1e-2), "elbow": (1, 1e-2)}  # the axis a hinge turns about, x or y: held still
LIMITS_DEGREES = {
    "spine1": 35, "spine2": 35, "spine3": 35, "neck": 45, "head": 60, "collar": 40, "ankle": 75,
    "foot": 45, "wrist": 80, "elbow": 150, "knee": 150,
}  # fmt: skip


@dataclass(frozen=True)
class FitSettings:
    """How a fit is done; the defaults were chosen on the dances of Tang et al."""

    bend_metres: float = 0.05  # the distance from which on an error counts by its length
    smooth: float = 0.1  # weight of the squared second difference of the rotations
    hold: float = 1.0  # weight of the pull towards rest
    limit: float = 5e-2  # weight of what a joint turns beyond its limit
    shape: float = 1e-3  # weight of bones and places that differ from those expected
    shape_frames: int = 200  # spread over the dance, for bones and places
    shape_iterations: int = 300
    iterations: int = 200
    learning_rate: float = 0.05  # of Adam; falls to 0 along a half cosine
    sweep: Literal["compiled", "torch"] = "compiled"  # torch is the reference, and slower

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


class Rig(NamedTuple):
    """The body and its points as the arrays that the sweeps read."""

    body: Skeleton
    offsets: Float[Tensor, "J 3"]
    markers: Float[Tensor, "N 3"]
    parents: Int[np.ndarray, " J"]
    joints: Int[np.ndarray, " N"]


class Seen(NamedTuple):
    """What is fitted: points as the frame of the pelvis sees them, and how that frame is turned."""

    points: Float[Tensor, "T N 3"]
    turn: Float[Tensor, "T 3 3"]


class Pose(NamedTuple):
    """Where a body has its points, and the first two columns of its local rotations."""

    points: Float[Tensor, "T N 3"]
    columns: Float[Tensor, "T J 6"]


def losses(pose: Pose, seen: Seen, settings: FitSettings) -> dict[str, Tensor]:
    """Return the weighted terms of the loss, each a sum over the body and a mean over frames.

    With d the distance of a point, a the angle of a joint from rest and b the bend of the settings:

        points: b (sqrt(1 + (d/b)^2) - 1), a smooth form of Huber's: d^2 / 2b near 0, d far away
        hold:   sum over axes k of w_k (1 - R_kk) / 2, for equal w the same as w (1 - cos a)
        limit:  max(0, cos(limit) - cos a)
        smooth: |R_(t-1) - 2 R_t + R_(t+1)|^2 over the first two columns, the pelvis' in the world
    """
    *holds, limit = torch.tensor(_tables()).to(pose.columns)
    bend = settings.bend_metres
    square = (pose.points - seen.points).square().sum(-1)
    a0, a1, _, b0, b1, _ = pose.columns.unbind(-1)
    diagonal = (a0, b1, a0 * b1 - a1 * b0)
    cosine = (sum(diagonal) - 1) / 2
    pulls = sum((1 - entry) @ hold / 2 for entry, hold in zip(diagonal, holds, strict=True))
    pelvis = (seen.turn @ pose.columns[:, 0].reshape(-1, 2, 3).mT).mT.reshape(-1, 1, 6)
    turns = torch.cat([pelvis, pose.columns[:, 1:]], dim=1)
    second = turns[:-2] - 2 * turns[1:-1] + turns[2:]
    return {
        "points": bend * (torch.sqrt(1 + square / bend**2) - 1).sum(-1).mean(),
        "hold": settings.hold * pulls.mean(),
        "limit": settings.limit * (limit - cosine).clamp(min=0).sum(-1).mean(),
        "smooth": settings.smooth * second.square().sum() / len(turns),
    }


def carried(rig: Rig, six: Float[Tensor, "T J 6"], translation: Float[Tensor, "T 3"]) -> Pose:
    """Return the points that `rig` carries in every pose."""
    local = matrix_from_six(six)
    joints, turned = placed(local, translation, rig.body, offsets=rig.offsets.to(six))
    places = turned[:, rig.joints] @ rig.markers.to(six)[:, :, None]
    return Pose(joints[:, rig.joints] + places.squeeze(-1), six_from_matrix(local))


def loss(
    rig: Rig,
    six: Float[Tensor, "T J 6"],
    translation: Float[Tensor, "T 3"],
    seen: Seen,
    settings: FitSettings,
) -> Float[Tensor, ""]:
    """Return the sum of `losses`, by torch or by the compiled sweeps, which agree."""
    if settings.sweep == "torch":
        return torch.stack([*losses(carried(rig, six, translation), seen, settings).values()]).sum()
    pose = Carried.apply(six, translation, rig.offsets, rig.markers, rig.parents, rig.joints)
    weights = (settings.bend_metres, settings.hold, settings.limit, settings.smooth)
    return Penalty.apply(*pose, *seen, _tables(), weights)


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
    points_world = points_world.astype(float)
    frame = pelvis_frame(points_world, points)
    away = np.einsum("tji,tnj->tni", frame.turn, points_world - frame.origin[:, None])
    seen = Seen(*(torch.tensor(x, dtype=torch.float32) for x in (away, frame.turn)))
    start = six_from_matrix(aimed(away, points, body)).float()
    count = min(settings.shape_frames, len(away))
    some = np.linspace(0, len(away) - 1, count).round().astype(int)
    rig = _shaped(_rig(body, points), start[some], Seen(*(x[some] for x in seen)), settings)
    six, translation = _moved(rig, start, seen, settings)
    pose = carried(rig, six.double(), translation.double())
    columns = pose.columns.numpy().copy()
    columns[:, 0] = (frame.turn @ columns[:, 0].reshape(-1, 2, 3).mT).mT.reshape(-1, 6)
    return Fit(
        frame.origin + np.einsum("tij,tj->ti", frame.turn, translation.double().numpy()),
        columns,
        rig.offsets.double().numpy(),
        rig.markers.double().numpy(),
        np.linalg.norm(pose.points.numpy() - away, axis=-1),
    )


def _rig(body: Skeleton, points: Keypoints) -> Rig:
    """Return body and points as arrays."""
    offsets, markers = (
        torch.tensor(x, dtype=torch.float32) for x in (body.offsets_metres, points.offsets_metres)
    )
    joints = np.array([body.index(joint) for joint in points.joints])
    return Rig(body, offsets, markers, np.array(body.parents), joints)


def _part(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


@cache
def _tables() -> Float[np.ndarray, "4 J"]:
    """Return for every joint the pull on its three axes, and the cosine of its limit, or -1."""
    parts = [_part(name) for name in skeleton.smpl().names]
    holds = np.tile([HOLDS[part] for part in parts], (3, 1))
    for joint, part in enumerate(parts):
        axis, pull = HINGES.get(part, (0, 0.0))
        holds[axis, joint] += pull
    limits = np.radians([LIMITS_DEGREES.get(part, 180) for part in parts])
    return np.vstack([holds, np.cos(limits)])


def _shaped(rig: Rig, start: Tensor, seen: Seen, settings: FitSettings) -> Rig:
    """Return `rig` with the bones and places that suit these frames, which need not follow."""
    ends = {end: number for number, group in enumerate(BONES.values()) for end in group}
    group = [ends.get(_part(name), len(BONES)) for name in rig.body.names]
    six = start.clone().requires_grad_()
    translation = torch.zeros(len(start), 3, requires_grad=True)
    scales = torch.zeros(len(BONES) + 1, requires_grad=True)
    shifts = torch.zeros_like(rig.markers, requires_grad=True)
    single = replace(settings, smooth=0.0)

    def grown() -> Rig:
        lengths = torch.exp(SCALE * scales)[group, None]
        return rig._replace(offsets=rig.offsets * lengths, markers=rig.markers + SHIFT * shifts)

    def total() -> Tensor:
        unlike = settings.shape * (scales.square().sum() + shifts.square().sum())
        return loss(grown(), six, SHIFT * translation, seen, single) + unlike

    _descend([six, translation, scales, shifts], total, settings, settings.shape_iterations)
    with torch.no_grad():
        return grown()


def _moved(
    rig: Rig, start: Tensor, seen: Seen, settings: FitSettings
) -> tuple[Float[Tensor, "T J 6"], Float[Tensor, "T 3"]]:
    """Return the rotations and the translation of all frames, for the bones and places of `rig`."""
    six = start.clone().requires_grad_()
    translation = torch.zeros(len(start), 3, requires_grad=True)
    _descend(
        [six, translation],
        lambda: loss(rig, six, SHIFT * translation, seen, settings),
        settings,
        settings.iterations,
    )
    return six.detach(), SHIFT * translation.detach()


def _descend(
    parameters: list[Tensor], total: Callable[[], Tensor], settings: FitSettings, iterations: int
) -> None:
    """Move `parameters` down `total` by Adam, its rate falling to 0 along half a cosine.

    A mean over thousands of frames has small gradients: hence the small `eps`. The short memory of
    their squares (0.95 for 0.999) is worth as much as several times the iterations here.
    """
    adam = torch.optim.Adam(
        parameters, lr=settings.learning_rate, betas=(0.9, 0.95), eps=1e-14, fused=True
    )
    for step in range(iterations):
        share = (1 + math.cos(math.pi * step / iterations)) / 2
        adam.param_groups[0]["lr"] = settings.learning_rate * share
        adam.zero_grad()
        total().backward()
        adam.step()
