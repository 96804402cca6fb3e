"""Entropic optimal transport by Sinkhorn's iteration, many problems at once.

    min over P of  <P, C> + epsilon KL(P | a b^T)      with  P 1 = a,  P^T 1 = b            (1)

The minimiser is P = diag(e^row) exp(-C / epsilon) diag(e^column); `project` finds row and column.
They stay logarithms, so a small epsilon neither overflows nor loses the plan. Between two visits
to the log domain the iteration runs on the current plan itself, whose entries never exceed the
mass: the same iterates for a tenth of the exponentials.

References: Cuturi (2013), Sinkhorn distances; Schmitzer (2019), Stabilized sparse scaling;
Feydy et al. (2019), Interpolating between optimal transport and MMD; the MDOT README.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.ot import backend

Gradient = Literal["envelope", "unrolled"]
GRADIENTS = ("envelope", "unrolled")
BLOCK = 10  # iterations between two visits to the log domain
TURNED = 128  # rows up to which a transposed copy of the plan is faster than a strided product


class Transport(NamedTuple):
    """A plan and what it costs; `gap` says how far it is from having the marginals asked for."""

    plan: Float[Tensor, "*B N M"]
    value: Float[Tensor, "*B"]  # <plan, cost>
    objective: Float[Tensor, "*B"]  # what (1) minimises: value + epsilon KL(plan | a b^T)
    f: Float[Tensor, "*B N"]  # potentials: plan = a b^T exp((f + g - cost) / epsilon)
    g: Float[Tensor, "*B M"]
    gap: Float[Tensor, "*B"]  # what both marginals miss, as a share of the mass
    iterations: int


class Divergence(NamedTuple):
    """A signed sum of transport problems; `gap` is the worst of them."""

    value: Float[Tensor, "*B"]
    terms: Float[Tensor, " K *B"]
    gap: Float[Tensor, "*B"]


class Scaling(NamedTuple):
    """Logarithms of the two scalings of a kernel, and the iterations they took."""

    row: Float[Tensor, "*B N"]
    column: Float[Tensor, "*B M"]
    iterations: int


def sinkhorn(
    cost: Float[Tensor, "*B N M"],
    a: Float[Tensor, "*#B N"] | None = None,
    b: Float[Tensor, "*#B M"] | None = None,
    *,
    epsilon: float = 0.05,
    iterations: int = 1000,
    tolerance: float = 1e-6,
    gradient: Gradient = "envelope",
) -> Transport:
    """Return the solution of (1) for every cost matrix; a and b are uniform unless given.

    Stops once every problem misses at most `tolerance` of its mass, whatever N and M are (or what
    rounding allows, see `reachable`), or after `iterations`; `gap` tells which. Epsilon is in the
    units of the cost.

    With "envelope" the plan is a constant and the gradient of `objective` is exact at the solution:
    plan for the cost, f and g for a and b. `value` then has the gradient of a fixed plan, which is
    what OT-GAN and MDOT follow. "unrolled" differentiates what was really computed.
    """
    _settings(epsilon, iterations, tolerance, gradient)
    refuse(not bool(torch.isfinite(cost).all()), "cost must be finite, got nan or inf in it.")
    a, b = marginals(cost.shape, cost, a, b)
    logits = cost / -epsilon
    envelope = gradient == "envelope"
    with torch.set_grad_enabled(not envelope and torch.is_grad_enabled()):
        solve = backend.transport if envelope and backend.small(logits) else _transport
        found = Solution(*solve(logits, a, b, iterations=iterations, tolerance=tolerance))
        f, g = epsilon * (found.row - a.log()), epsilon * (found.column - b.log())
    value = (found.plan * cost).sum((-2, -1))
    objective = value + epsilon * found.divergence
    if envelope:
        for potential, weights in ((f, a), (g, b)):
            if weights.requires_grad:
                linear = (potential * weights).sum(-1)
                objective = objective + linear - linear.detach()
    return Transport(found.plan, value, objective, f, g, found.gap, int(found.iterations))


class Solution(NamedTuple):
    """A projection: the plan, the logarithms of both scalings, KL(plan | a b^T) and the gap."""

    plan: Float[Tensor, "*B N M"]
    row: Float[Tensor, "*B N"]
    column: Float[Tensor, "*B M"]
    divergence: Float[Tensor, "*B"]
    gap: Float[Tensor, "*B"]
    iterations: int | Tensor


def _transport(
    logits: Tensor, a: Tensor, b: Tensor, *, iterations: int, tolerance: float
) -> Solution:
    """Return the projection in torch, on any device; differentiable when gradients are enabled."""
    log_a, log_b = a.log(), b.log()
    found = project(logits, log_a, log_b, iterations=iterations, tolerance=tolerance)
    log_plan = scaled_kernel(logits, found)
    plan = log_plan.exp()
    divergence = (plan * (log_plan - log_a[..., :, None] - log_b[..., None, :])).sum((-2, -1))
    missed = gap(plan, a, b)
    return Solution(plan, found.row, found.column, divergence, missed, found.iterations)


def project(
    logits: Float[Tensor, "*B N M"],
    log_a: Float[Tensor, "*B N"],
    log_b: Float[Tensor, "*B M"],
    column: Float[Tensor, "*B M"] | None = None,
    *,
    iterations: int,
    tolerance: float,
) -> Scaling:
    """Return the scalings that give exp(logits) the marginals a and b; `column` warm-starts them.

    The columns are exact after every iteration, so the rows alone tell how far it is.
    """
    a, b, enough = log_a.exp(), log_b.exp(), reachable(tolerance, logits)
    column = torch.zeros_like(log_b) if column is None else column
    row, column = _in_logarithms(logits, log_a, log_b, column, 1)
    done = 1
    while done < iterations:
        plan = scaled_kernel(logits, Scaling(row, column, done)).exp()
        missed = (plan.sum(-1) - a).abs().sum(-1) / a.sum(-1)
        if bool((missed <= enough).all()):
            break
        block = min(BLOCK, iterations - done)
        u, v = _rescaling(plan, a, b, block)
        moved = row + u.log(), column + v.log()
        if bool(torch.isfinite(moved[0]).all() & torch.isfinite(moved[1]).all()):
            row, column = moved
        else:  # a whole row of the plan has underflowed: only logarithms can bring it back
            row, column = _in_logarithms(logits, log_a, log_b, column, block)
        done += block
    return Scaling(row, column, done)


def _in_logarithms(
    logits: Tensor, log_a: Tensor, log_b: Tensor, column: Tensor, iterations: int
) -> tuple[Tensor, Tensor]:
    for _ in range(iterations):
        row = log_a - (logits + column[..., None, :]).logsumexp(-1)
        column = log_b - (logits + row[..., :, None]).logsumexp(-2)
    return row, column


def _rescaling(plan: Tensor, a: Tensor, b: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Return the factors that the same iterations on the plan give; two products and divisions."""
    a, b = a.reshape(-1, a.shape[-1], 1), b.reshape(-1, b.shape[-1], 1)
    flat, u, v = plan.reshape(-1, *plan.shape[-2:]), torch.empty_like(a), torch.ones_like(b)
    turned = flat.mT.contiguous() if flat.shape[-2] <= TURNED else flat.mT
    if torch.is_grad_enabled():
        for _ in range(iterations):
            u = a / torch.bmm(flat, v)
            v = b / torch.bmm(turned, u)
    else:  # at small sizes the allocations would cost as much as the arithmetic
        for _ in range(iterations):
            torch.div(a, torch.bmm(flat, v, out=u), out=u)
            torch.div(b, torch.bmm(turned, u, out=v), out=v)
    return u.reshape(plan.shape[:-1]), v.reshape(*plan.shape[:-2], plan.shape[-1])


def reachable(tolerance: float, logits: Float[Tensor, "*B N M"]) -> Float[Tensor, "*B"]:
    """Return the tolerance, or what the rounding of the logits allows where that is more.

    An entry of size s is known to s machine epsilons, and so is the exponential of it, relatively.
    A tolerance of 0 stays 0: it asks for every iteration.
    """
    rounding = 2 * torch.finfo(logits.dtype).eps * logits.detach().abs().amax((-2, -1))
    return rounding.clamp_min(tolerance) if tolerance else torch.zeros_like(rounding)


def scaled_kernel(logits: Float[Tensor, "*B N M"], scaling: Scaling) -> Float[Tensor, "*B N M"]:
    """Return the logarithm of the plan diag(e^row) exp(logits) diag(e^column)."""
    return logits + scaling.row[..., :, None] + scaling.column[..., None, :]


def gap(
    plan: Float[Tensor, "*B N M"], a: Float[Tensor, "*B N"], b: Float[Tensor, "*B M"]
) -> Float[Tensor, "*B"]:
    """Return |P 1 - a|_1 + |P^T 1 - b|_1 as a share of the mass: comparable between sizes."""
    plan, a, b = plan.detach(), a.detach(), b.detach()
    rows = (plan.sum(-1) - a).abs().sum(-1)
    columns = (plan.sum(-2) - b).abs().sum(-1)
    return (rows + columns) / a.sum(-1)


def marginals(
    shape: tuple[int, ...],
    like: Tensor,
    a: Float[Tensor, "*#B N"] | None = None,
    b: Float[Tensor, "*#B M"] | None = None,
) -> tuple[Float[Tensor, "*B N"], Float[Tensor, "*B M"]]:
    """Return one positive weight for each row and column of plans of this shape (*B, N, M).

    Uniform of mass 1 unless given; dtype and device are those of `like`.
    """
    *batch, rows, columns = shape
    refuse(not (rows and columns), f"cost must have points, got shape {tuple(shape)}.")
    found = []
    for name, weights, count in (("a", a, rows), ("b", b, columns)):
        if weights is None:
            found.append(like.new_full((*batch, count), 1 / count))
            continue
        refuse(
            not bool((weights > 0).all()),
            f"{name} must be positive; leave out the points of weight zero.",
        )
        found.append(weights.to(like).expand(*batch, count))
    if a is not None or b is not None:
        masses = [weights.detach().sum(-1) for weights in found]
        close = torch.allclose(*masses, rtol=1e-4, atol=0.0)
        refuse(not close, "a and b must have equal sums; divide each by its own, or leave one out.")
    return found[0], found[1]


def _settings(epsilon: float, iterations: int, tolerance: float, gradient: str) -> None:
    refuse(epsilon <= 0, f"epsilon must be positive, got {epsilon}.")
    refuse(iterations < 1, f"iterations must be at least 1, got {iterations}.")
    refuse(tolerance < 0, f"tolerance must not be negative, got {tolerance}.")
    choice("gradient", gradient, GRADIENTS)


def sinkhorn_divergence(
    cost: Float[Tensor, "*B N M"],
    cost_x: Float[Tensor, "*B N N"],
    cost_y: Float[Tensor, "*B M M"],
    *,
    weights: tuple[Float[Tensor, "*#B N"] | None, Float[Tensor, "*#B M"] | None] = (None, None),
    epsilon: float = 0.05,
    iterations: int = 1000,
    tolerance: float = 1e-6,
) -> Divergence:
    """Return OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 of the objectives: Feydy et al., Eq. 3.

    It is zero between equal measures and, for l1, l2 and squared_l2, never negative; the gradient
    is that of the envelope theorem. `terms` holds the three objectives in that order.
    """
    a, b = weights
    solved = [
        sinkhorn(matrix, p, q, epsilon=epsilon, iterations=iterations, tolerance=tolerance)
        for matrix, p, q in ((cost, a, b), (cost_x, a, a), (cost_y, b, b))
    ]
    terms = torch.stack([one.objective for one in solved])
    worst = torch.stack([one.gap for one in solved]).amax(0)
    return Divergence(terms[0] - (terms[1] + terms[2]) / 2, terms, worst)


def unbiased_distance(
    generated: tuple[Float[Tensor, " N *D"], Float[Tensor, " N *D"]],
    real: tuple[Float[Tensor, " N *D"], Float[Tensor, " N *D"]],
    *,
    cost: Callable[[Tensor, Tensor], Tensor],
    epsilon: float = 0.05,
    iterations: int = 1000,
    tolerance: float = 1e-6,
) -> Divergence:
    """Return MDOT's unbiased distance between two independent batches (X~, X~') and (X, X').

    OT(X~,X) + OT(X~',X) + OT(X~,X') + OT(X~',X') - 2 OT(X~,X~') - 2 OT(X,X'), in this order in
    `terms`, all six solved as one batch at unit mass. Its expectation is zero for equal laws, so
    half the time it is negative; it is four times the scale of a Sinkhorn divergence. Plans are
    constants, as in OT-GAN: the gradient goes through the costs alone.
    """
    fake, fake_other = generated
    true, true_other = real
    left = torch.stack([fake, fake_other, fake, fake_other, fake, true])
    right = torch.stack([true, true, true_other, true_other, fake_other, true_other])
    solved = sinkhorn(
        cost(left, right), epsilon=epsilon, iterations=iterations, tolerance=tolerance
    )
    signs = solved.value.new_tensor([1, 1, 1, 1, -2, -2])
    return Divergence((signs * solved.value).sum(), solved.value, solved.gap.amax())


def printed_sinkhorn(
    cost: Float[Tensor, "*B N N"], *, epsilon: float, iterations: int
) -> tuple[Float[Tensor, "*B N N"], Float[Tensor, "*B"]]:
    """Return plan and output of the algorithm as the MDOT README prints it, for comparison only.

    Its marginals are ones, so plan and output are N times those of `sinkhorn`; the kernel is not in
    the log domain, so a small epsilon gives nan; the number of iterations is fixed.
    """
    kernel = torch.exp(-cost / epsilon)
    b = torch.ones_like(cost[..., :1])
    for _ in range(iterations):
        a = 1 / (kernel @ b)
        b = 1 / (kernel.mT @ a)
    plan = a * kernel * b.mT
    return plan, (cost * plan).sum((-2, -1))
