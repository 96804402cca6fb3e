"""The compiled sweeps against the torch form, against finite differences, against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.motion import fitting, keypoints, skeleton
from pasdedeux.motion.compiled import Carried, Penalty
from pasdedeux.motion.fitting import FitSettings, Pose, Rig, Seen, carried, loss, losses
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.rotation import matrix_from_axis_angle, matrix_from_six
from pasdedeux.motion.skeleton import Skeleton

T = 7
SETTINGS = FitSettings(hold=1.7, limit=0.9, smooth=0.6)


def problem(dtype=torch.float64, frames=T, seed=0):
    """Bodies in any pose whatever, with any points to reach."""
    body, points = skeleton.smpl(), keypoints.tang()
    draw = generator(seed, "problem")

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64).to(dtype)

    rig = Rig(
        body,
        torch.tensor(body.offsets_metres, dtype=dtype).requires_grad_(),
        (torch.tensor(points.offsets_metres) + 0.02 * normal(23, 3)).to(dtype).requires_grad_(),
        np.array(body.parents),
        np.array([body.index(joint) for joint in points.joints]),
    )
    six, translation = normal(frames, 24, 6), normal(frames, 3)
    seen = Seen(normal(frames, 23, 3), matrix_from_axis_angle(normal(frames, 3)))
    return rig, six.requires_grad_(), translation.requires_grad_(), seen


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 3e-4)])
def test_both_sweeps_agree_on_the_loss_and_on_every_gradient(dtype, tolerance):
    rig, six, translation, seen = problem(dtype)
    parameters = [six, translation, rig.offsets, rig.markers]
    results = []
    for sweep in ("torch", "compiled"):
        total = loss(rig, six, translation, seen, replace(SETTINGS, sweep=sweep))
        results.append([total.detach(), *torch.autograd.grad(total, parameters)])
    for plain, fast in zip(*results, strict=True):
        assert fast.dtype == dtype
        assert (plain - fast).abs().max() < tolerance * plain.abs().max()


def test_points_and_columns_are_those_of_the_torch_form():
    rig, six, translation, _ = problem()
    fast = Carried.apply(six, translation, rig.offsets, rig.markers, rig.parents, rig.joints)
    for one, other in zip(fast, carried(rig, six, translation), strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_finite_differences():
    """A small tree, its joints carrying none, one or several points."""
    body = Skeleton(("a", "b", "c", "d"), (-1, 0, 1, 0), np.eye(4)[:, :3] + 0.1)
    points = Keypoints(("p", "q", "r"), ("b", "d", "d"), np.eye(3))
    joints = np.array([body.index(joint) for joint in points.joints])
    draw = generator(0, "small")
    sizes = ((2, 4, 6), (2, 3), (4, 3), (3, 3))
    given = [torch.randn(*s, generator=draw, dtype=torch.float64).requires_grad_() for s in sizes]
    parents = np.array(body.parents)
    assert torch.autograd.gradcheck(lambda *x: Carried.apply(*x, parents, joints), given)


def test_the_gradient_of_the_penalty_is_that_of_finite_differences():
    _, six, _, seen = problem(frames=5)
    points = (seen.points + 0.05).requires_grad_()
    columns = six.detach().requires_grad_()
    weights = (0.05, 1.7, 0.9, 0.6)

    def penalty(*x):
        return 3 * Penalty.apply(*x, *seen, fitting._tables(), weights)

    assert torch.autograd.gradcheck(penalty, (points, columns))


def test_the_losses_are_what_their_definition_says():
    _, six, _, seen = problem()
    rotations = matrix_from_six(six.detach())
    columns = torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)
    pose = Pose(seen.points + 0.1 * seen.points.flip(0), columns)
    names = skeleton.smpl().names
    total = dict.fromkeys(("points", "hold", "limit", "smooth"), 0.0)
    bend = SETTINGS.bend_metres
    world = rotations.clone()
    world[:, 0] = seen.turn @ rotations[:, 0]
    for t in range(T):
        for n in range(23):
            d = float((pose.points[t, n] - seen.points[t, n]).norm())
            total["points"] += bend * ((1 + (d / bend) ** 2) ** 0.5 - 1) / T
        for j, name in enumerate(names):
            short = name.removeprefix("left_").removeprefix("right_")
            turn = rotations[t, j]
            axis, pull = fitting.HINGES.get(short, (0, 0.0))
            held = fitting.HOLDS[short] * (3 - float(turn.trace())) / 2
            held += pull * (1 - float(turn[axis, axis])) / 2
            total["hold"] += 1.7 * held / T
            cosine = (float(turn.trace()) - 1) / 2
            limit = np.cos(np.radians(fitting.LIMITS_DEGREES.get(short, 180)))
            total["limit"] += 0.9 * max(0.0, limit - cosine) / T
            if 0 < t < T - 1:
                second = world[t - 1, j] - 2 * world[t, j] + world[t + 1, j]
                total["smooth"] += 0.6 * float(second[:, :2].square().sum()) / T
    found = losses(pose, seen, SETTINGS)
    assert set(found) == set(total)
    for name, value in total.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-9), name


def test_a_body_at_rest_on_its_points_has_no_loss():
    rig, *_ = problem()
    six = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=torch.float64).repeat(T, 24, 1)
    translation = torch.zeros(T, 3, dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64).repeat(T, 1, 1)
    seen = Seen(carried(rig, six, translation).points.detach(), turn)
    for sweep in ("torch", "compiled"):
        value = loss(rig, six, translation, seen, replace(SETTINGS, sweep=sweep))
        assert abs(value.item()) < 1e-12


def test_arguments_are_left_alone():
    rig, six, translation, seen = problem()
    kept = [x.detach().clone() for x in (six, translation, rig.offsets, rig.markers, *seen)]
    loss(rig, six, translation, seen, SETTINGS).backward()
    now = (six, translation, rig.offsets, rig.markers, *seen)
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True))
