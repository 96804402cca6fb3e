"""Entropic Gromov-Wasserstein: match two sets by their inner distances alone.

    min over P of  sum_ijkl (D_ik - C_jl)^2 P_ij P_kl + epsilon KL(P | a b^T)               (1)

with P 1 = a and P^T 1 = b. Mirror descent replaces the quadratic term by its slope at the current
plan and solves the entropic transport problem that remains; where that returns the same plan, (1)
is stationary. The sum over four indices is never formed: the square loss factors into three
matrix products (Peyre, Cuturi, Solomon 2016, Eq. 6 and Prop. 1 and 2).

Rows of a plan belong to D, columns to C, as in Algorithm 1 of the dual-learning paper, where D are
the distances of the dances and C those of the music.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

from pasdedeux.base.checks import choice, refuse
from pasdedeux.ot import backend, costs
from pasdedeux.ot.sinkhorn import (
    GRADIENTS,
    Gradient,
    gap,
    marginals,
    project,
    reachable,
    scaled_kernel,
)

Source = Literal["printed", "corrected"]


@dataclass(frozen=True)
class Steps:
    """How long to iterate; tolerances are shares of the mass, so they mean the same at every size.

    outer: mirror steps at most. inner: Sinkhorn iterations at most in each. tolerance: stop a
    projection when it misses, and the descent when a step moves, no more than this share.
    """

    outer: int = 1000
    inner: int = 1000
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("outer", "inner"):
            refuse(getattr(self, name) < 1, f"{name} must be at least 1, got {self}.")
        refuse(self.tolerance < 0, f"tolerance must not be negative, got {self}.")


UNTIL_SOLVED = Steps()
PRINTED_STEPS = Steps(outer=20, inner=30)  # M and L, section 4.2 of the dual-learning paper


class Gromov(NamedTuple):
    """A plan between two metric spaces and its value; `gap` and `change` say how far from solved.

    `gap` is what the marginals miss and `change` what the last step moved, as shares of the mass.
    """

    plan: Float[Tensor, "*B N M"]
    value: Float[Tensor, "*B"]  # sum_ijkl (D_ik - C_jl)^2 P_ij P_kl
    objective: Float[Tensor, "*B"]  # what (1) minimises: value + epsilon KL(plan | a b^T)
    gap: Float[Tensor, "*B"]
    change: Float[Tensor, "*B"]
    steps: int


def gromov(
    D: Float[Tensor, "*B N N"],
    C: Float[Tensor, "*B M M"],
    a: Float[Tensor, "*#B N"] | None = None,
    b: Float[Tensor, "*#B M"] | None = None,
    *,
    epsilon: float = 0.05,
    start: Float[Tensor, "*B N M"] | None = None,
    steps: Steps = UNTIL_SOLVED,
    gradient: Gradient = "envelope",
) -> Gromov:
    """Return a stationary point of (1) for every pair of matrices, from a b^T unless `start` is.

    D and C need not be symmetric: the slope then has both orientations. With "envelope" the plan is
    a constant, which gives `objective` its exact gradient with respect to D and C at a stationary
    plan and `value` the gradient of a fixed plan; a and b are constants. "unrolled" differentiates
    every step. Problems are not convex: another start may end elsewhere.
    """
    refuse(epsilon <= 0, f"epsilon must be positive, got {epsilon}.")
    choice("gradient", gradient, GRADIENTS)
    for name, matrix in (("D", D), ("C", C)):
        refuse(not bool(torch.isfinite(matrix).all()), f"{name} must be finite, got nan or inf.")
    a, b = marginals((*D.shape[:-1], C.shape[-1]), D, a, b)
    with torch.set_grad_enabled(gradient == "unrolled" and torch.is_grad_enabled()):
        if start is None:
            start = a[..., :, None] * b[..., None, :] / a.sum(-1)[..., None, None]
        symmetric = not torch.is_grad_enabled() and torch.equal(D, D.mT) and torch.equal(C, C.mT)
        if gradient == "envelope" and backend.small(D, C, start):
            settings = (2 / epsilon, symmetric, steps.outer, steps.inner, float(steps.tolerance))
            found = Descent(*backend.descent(D, C, a, b, start, settings=settings))
        else:
            found = _descent(D, C, a, b, start, (epsilon, symmetric, steps))
    value = found.value
    if gradient == "envelope":
        value = _ValueOfPlan.apply(D, C, found.plan, value)
    objective = value + epsilon * found.divergence
    return Gromov(found.plan, value, objective, found.gap, found.change, int(found.steps))


class Descent(NamedTuple):
    """Where mirror descent ended: KL(plan | a b^T) as `divergence`, the rest as in `Gromov`."""

    plan: Float[Tensor, "*B N M"]
    value: Float[Tensor, "*B"]
    divergence: Float[Tensor, "*B"]
    gap: Float[Tensor, "*B"]
    change: Float[Tensor, "*B"]
    steps: int | Tensor


def _descent(
    D: Tensor,
    C: Tensor,
    a: Tensor,
    b: Tensor,
    start: Tensor,
    settings: tuple[float, bool, Steps],
) -> Descent:
    """Return the end of projected mirror descent in torch, on any device.

    The settings are epsilon, whether D and C are known to be symmetric, and the steps.
    """
    epsilon, symmetric, steps = settings
    log_a, log_b, mass, plan, column = a.log(), b.log(), a.sum(-1), start, None
    for done in range(1, steps.outer + 1):  # noqa: B007
        cross = 2 * (D @ plan @ C) if symmetric else D @ plan @ C.mT + D.mT @ plan @ C
        logits = cross * (2 / epsilon)
        found = project(
            logits, log_a, log_b, column, iterations=steps.inner, tolerance=steps.tolerance
        )
        column, before = found.column, plan
        log_plan = scaled_kernel(logits, found)
        plan = log_plan.exp()
        change = (plan - before).detach().abs().sum((-2, -1)) / mass
        enough = reachable(steps.tolerance, logits)
        if bool((change <= enough).all()) and bool((gap(plan, a, b) <= enough).all()):
            break
    divergence = (plan * (log_plan - log_a[..., :, None] - log_b[..., None, :])).sum((-2, -1))
    value = (tensor_product(D, C, plan) * plan).sum((-2, -1))
    return Descent(plan, value, divergence, gap(plan, a, b), change, done)


def tensor_product(
    D: Float[Tensor, "*B N N"], C: Float[Tensor, "*B M M"], plan: Float[Tensor, "*B N M"]
) -> Float[Tensor, "*B N M"]:
    """Return sum_kl (D_ik - C_jl)^2 P_kl in O(N^2 M + N M^2): Peyre et al., Prop. 1.

    With the marginals that the plan really has, not those it was meant to have: the difference is
    an error of the value as long as the projection has not converged.
    """
    rows = D.square() @ plan.sum(-1)[..., None]
    columns = C.square() @ plan.sum(-2)[..., None]
    return rows + columns.mT - 2 * D @ plan @ C.mT


class _ValueOfPlan(torch.autograd.Function):
    """A value already known, with its gradient for a constant plan: two products a matrix."""

    @staticmethod
    def forward(ctx: FunctionCtx, D: Tensor, C: Tensor, plan: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(D, C, plan)
        return value.clone()

    @staticmethod
    def backward(ctx: FunctionCtx, slope: Tensor) -> tuple[Tensor | None, ...]:
        D, C, plan = ctx.saved_tensors
        rows, columns, slope = (
            plan.sum(-1)[..., None],
            plan.sum(-2)[..., None],
            slope[..., None, None],
        )
        by_D = by_C = None
        if ctx.needs_input_grad[0]:
            by_D = 2 * slope * (D * (rows @ rows.mT) - plan @ C @ plan.mT)
        if ctx.needs_input_grad[1]:
            by_C = 2 * slope * (C * (columns @ columns.mT) - plan.mT @ D @ plan)
        return by_D, by_C, None, None


class Matching(NamedTuple):
    """Plan and output of Algorithm 1; rows are dances, columns pieces of music.

    The printed plan has marginals 1 and mass m, the corrected one mass 1.
    """

    plan: Float[Tensor, "*B M M"]
    value: Float[Tensor, "*B"]
    gap: Float[Tensor, "*B"]


def algorithm_1(
    dance: Float[Tensor, "*B M D"],
    music: Float[Tensor, "*B M E"],
    dance_other: Float[Tensor, "*B M D"] | None = None,
    music_other: Float[Tensor, "*B M E"] | None = None,
    *,
    source: Source = "corrected",
    epsilon: float = 0.2,
    steps: Steps = PRINTED_STEPS,
    gradient: Gradient = "envelope",
) -> Matching:
    """Return Algorithm 1 of the dual-learning paper for two batches of m embeddings.

    "printed" follows the letter: raw L1 distances, marginals 1, exp outside the log domain, exactly
    M times L iterations, the sum over four indices. It is nan for embeddings of any real width.
    "corrected" keeps epsilon, M, L and the order of rows and columns, and

    - divides each distance by its width, then both by the mean distance between dances;
    - iterates in the log domain from the last scalings and may stop early (`steps.tolerance`);
    - gives the plan mass 1. Marginals 1 and E without its factor 2 amount to 2 epsilon / m there;
      for the marginals 1 / m of Eq. 4 in the printed loop, give m times its epsilon;
    - stops the gradient at the dances, which the text leaves fixed, and by default at the plan.

    The paper reads a second pair of batches and never uses it; the MDOT README measures between the
    batches, D_ij = d(y_i, y'_j). Give the others for that: it assumes that one plan pairs both.
    """
    choice("source", source, ("printed", "corrected"))
    if source == "printed":
        D, C = _distances(dance, music, dance_other, music_other)
        return _printed(D, C, epsilon, steps, gradient)
    D, C = _scaled_distances(dance, music, dance_other, music_other)
    unit = 2 * epsilon / dance.shape[-2]
    found = gromov(D, C, epsilon=unit, steps=steps, gradient=gradient)
    return Matching(found.plan, found.value, found.gap)


def identity(
    dance: Float[Tensor, "*B M D"],
    music: Float[Tensor, "*B M E"],
    dance_other: Float[Tensor, "*B M D"] | None = None,
    music_other: Float[Tensor, "*B M E"] | None = None,
) -> Matching:
    """Return the corrected output at the plan I / m, each dance matched with its own music.

    An ablation of ours, not in the paper: the pairs are known in training, so nothing needs to be
    searched for. It asks more than Algorithm 1, whose value is 0 for wrong pairs of equal shape.
    """
    D, C = _scaled_distances(dance, music, dance_other, music_other)
    plan = torch.eye(D.shape[-1], dtype=D.dtype, device=D.device).expand_as(D) / D.shape[-1]
    value = (tensor_product(D, C, plan) * plan).sum((-2, -1))
    return Matching(plan, value, torch.zeros_like(value.detach()))


def remark(gap: Float[Tensor, "*B"], allowed: float = 0.1) -> str:
    """Return a sentence when a plan misses more than this share of its marginals, otherwise "".

    For a log or a notebook; nothing is printed or warned here, inside a training loop.
    """
    worst = float(gap.detach().amax())
    if worst <= allowed:  # false for nan
        return ""
    return (
        f"A plan misses {worst:.0%} of its marginals: it is not yet a matching. "
        "Give more inner steps or a larger epsilon."
    )


def _distances(
    dance: Tensor, music: Tensor, dance_other: Tensor | None, music_other: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return D and C of Algorithm 1: L1 within the batches, or between two of each."""
    others = (dance_other is None) + (music_other is None)
    refuse(others == 1, "dance_other and music_other go together; give both or none.")
    refuse(
        dance.shape[-2] != music.shape[-2],
        f"dance and music must hold as many points, got {dance.shape[-2]} and {music.shape[-2]}; "
        "`gromov` matches sets of different sizes.",
    )
    D = costs.l1(dance, dance if dance_other is None else dance_other)
    C = costs.l1(music, music if music_other is None else music_other)
    return D, C


def _scaled_distances(
    dance: Tensor, music: Tensor, dance_other: Tensor | None, music_other: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return both over their widths and then over one scale; no gradient reaches the dances."""
    dance, dance_other = dance.detach(), None if dance_other is None else dance_other.detach()
    D, C = _distances(dance, music, dance_other, music_other)
    return costs.by_one_scale(D / dance.shape[-1], C / music.shape[-1])


def _printed(D: Tensor, C: Tensor, epsilon: float, steps: Steps, gradient: str) -> Matching:
    """Algorithm 1, line by line; 1/n of its first line is read as 1/m."""
    choice("gradient", gradient, GRADIENTS)
    m = D.shape[-1]
    ones = torch.ones_like(D[..., :1])
    with torch.set_grad_enabled(gradient == "unrolled" and torch.is_grad_enabled()):
        plan = torch.full_like(D, 1 / m)
        for _ in range(steps.outer):
            E = D**2 @ ones @ ones.mT / m + ones @ ones.mT @ C**2 / m - 2 * D @ plan @ C.mT
            K = torch.exp(-E / epsilon)
            b = ones
            for _ in range(steps.inner):
                a = ones / (K @ b)
                b = ones / (K.mT @ a)
            plan = a * K * b.mT
    apart = (D[..., :, None, :, None] - C[..., None, :, None, :]) ** 2
    value = torch.einsum("...ijkl,...ij,...kl->...", apart, plan, plan)
    return Matching(plan, value, gap(plan, ones[..., 0], ones[..., 0]))
