"""Transport between few points, compiled: the steps of `sinkhorn` and `gromov` in plain loops.

One problem after the other, each small enough to stay in a fast cache. `backend` calls this
for a batch. Two things differ from the code in torch, neither of them in exact arithmetic:

- the kernel is exponentiated once a projection and stays as it is while the scalings move, unless
  they leave the range in which nothing is lost. Torch does so in every block of iterations;
- each problem of a batch stops on its own, so what is found does not depend on its neighbours.

Every compiled function is in this file, because numba compiles anew only when the file of the
function that is called has changed. Loops, not operations on whole arrays: those compile longer.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from pasdedeux.ot.sinkhorn import BLOCK

RANGE = 1e10  # what a scaling may gain or lose before the kernel takes it in
FAST = {
    "nogil": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",  # a division by zero is inf, which the range check sees
    "fastmath": {"reassoc", "contract"},  # vectorised sums; nan and inf keep their meaning
}
PART = {**FAST, "no_cpython_wrapper": True}  # compiled with, and kept with, what calls it
# `no_type_check` keeps the checker of shapes, which the tests wrap around everything, out of these


@njit(**PART)
@no_type_check
def _fill(out, number):
    for i in range(out.size):
        out[i] = number


@njit(**PART)
@no_type_check
def _copy(source, out):
    for i in range(out.size):
        out[i] = source[i]


@njit(**PART)
@no_type_check
def _half_step(kernel, weights, target, out):
    """Set out = target / (kernel^T weights).

    Four rows at a time: waiting for `out` to be written is what takes the time at 16 points.
    """
    fours = weights.size - weights.size % 4
    _fill(out, 0)
    for i in range(0, fours, 4):
        w, x, y, z = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for j in range(out.size):
            out[j] += (
                kernel[i, j] * w
                + kernel[i + 1, j] * x
                + kernel[i + 2, j] * y
                + kernel[i + 3, j] * z
            )
    for i in range(fours, weights.size):
        for j in range(out.size):
            out[j] += kernel[i, j] * weights[i]
    for j in range(out.size):
        out[j] = target[j] / out[j]


@njit(**PART)
@no_type_check
def _log_half_step(logits, weights, target, out):
    """Set out = log target - logsumexp over the first index of (logits + weights)."""
    for j in range(out.size):
        largest = logits[0, j] + weights[0]
        for i in range(1, weights.size):
            largest = max(largest, logits[i, j] + weights[i])
        total = 0.0
        for i in range(weights.size):
            total += np.exp(logits[i, j] + weights[i] - largest)
        out[j] = np.log(target[j]) - largest - np.log(total)


@njit(**PART)
@no_type_check
def _lift(logits, column, row):
    """Set row to what makes the largest entry of each row of the kernel 1: none is lost then."""
    for i in range(row.size):
        largest = logits[i, 0] + column[0]
        for j in range(1, column.size):
            largest = max(largest, logits[i, j] + column[j])
        row[i] = -largest


@njit(**PART)
@no_type_check
def _exponentiate(logits, row, column, kernel, turned):
    """Set kernel = diag(e^row) exp(logits) diag(e^column), and turned to its transpose."""
    for i in range(row.size):
        for j in range(column.size):
            kernel[i, j] = np.exp(logits[i, j] + row[i] + column[j])
    for i in range(row.size):
        for j in range(column.size):
            turned[j, i] = kernel[i, j]


@njit(**PART)
@no_type_check
def _absorb(scaling, logarithm):
    """Add the logarithm of a scaling to the logarithms that the kernel has taken in."""
    for i in range(scaling.size):
        logarithm[i] += np.log(scaling[i])


@njit(**PART)
@no_type_check
def _within_range(scaling, target):
    """Return whether every scaling is near enough to its target; nan and inf are not."""
    for i in range(scaling.size):
        ratio = scaling[i] / target[i]
        if not 1 / RANGE <= ratio <= RANGE:
            return False
    return True


@njit(**PART)
@no_type_check
def _rows_missed(turned, u, v, a, after):
    """Return what the rows of diag(u) kernel diag(v) miss of a, as a share of the mass.

    Sets `after` to the row scalings of the next iteration, which say it: a / after is kernel v.
    """
    _half_step(turned, v, a, after)
    missed, mass = 0.0, 0.0
    for i in range(u.size):
        missed += abs(u[i] / after[i] - 1) * a[i]
        mass += a[i]
    return missed / mass


@njit(**PART)
@no_type_check
def _project(logits, weights, logarithms, plan, space, iterations, enough):
    """Set plan and logarithms (row, column) to the projection of exp(logits) on weights (a, b).

    Begins from column and returns the iterations done. As in `sinkhorn.project`: one iteration,
    then blocks of them, until the rows miss at most `enough`; 0 asks for all.
    """
    (a, b), (row, column) = weights, logarithms
    kernel, turned, u, v, u_before, v_before = space
    _fill(u, 1)
    _fill(v, 1)
    _lift(logits, column, row)
    _exponentiate(logits, row, column, kernel, turned)
    done, block = 0, 1
    while True:
        _copy(u, u_before)
        _copy(v, v_before)
        for _ in range(block):
            _half_step(turned, v, a, u)
            _half_step(kernel, u, b, v)
        if not (_within_range(u, a) and _within_range(v, b)):
            _absorb(u_before, row)
            _absorb(v_before, column)
            for _ in range(block):  # the same iterations again, in logarithms
                _log_half_step(logits.T, column, a, row)
                _log_half_step(logits, row, b, column)
            _exponentiate(logits, row, column, kernel, turned)
            _fill(u, 1)
            _fill(v, 1)
        done += block
        if done == iterations or (enough and _rows_missed(turned, u, v, a, u_before) <= enough):
            break
        block = min(BLOCK, iterations - done)
    for i in range(row.size):
        for j in range(column.size):
            plan[i, j] = u[i] * kernel[i, j] * v[j]
    _absorb(u, row)
    _absorb(v, column)
    return done


@njit(**PART)
@no_type_check
def _space(plan):
    """Return what `_project` writes on: the kernel, its transpose, scalings and scalings before."""
    n, m, dtype = *plan.shape, plan.dtype
    rows, columns = np.empty((2, n), dtype), np.empty((2, m), dtype)
    return (
        np.empty((n, m), dtype), np.empty((m, n), dtype),
        rows[0], columns[0], rows[1], columns[1],
    )  # fmt: skip


@njit(**PART)
@no_type_check
def _reachable(tolerance, logits):
    """Return `sinkhorn.reachable` of one problem."""
    if tolerance == 0:
        return 0.0
    largest = 0.0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            largest = max(largest, abs(logits[i, j]))
    return max(tolerance, 2 * np.finfo(logits.dtype).eps * largest)


@njit(**PART)
@no_type_check
def _gap(plan, a, b):
    """Return `sinkhorn.gap` of one problem."""
    missed, mass = 0.0, 0.0
    for i in range(a.size):
        total = 0.0
        for j in range(b.size):
            total += plan[i, j]
        missed += abs(total - a[i])
        mass += a[i]
    for j in range(b.size):
        total = 0.0
        for i in range(a.size):
            total += plan[i, j]
        missed += abs(total - b[j])
    return missed / mass


@njit(**PART)
@no_type_check
def _moved(before, plan, a):
    """Return the sum of all absolute differences, as a share of the mass."""
    total, mass = 0.0, 0.0
    for i in range(a.size):
        for j in range(plan.shape[1]):
            total += abs(plan[i, j] - before[i, j])
        mass += a[i]
    return total / mass


@njit(**PART)
@no_type_check
def _cross(D, plan, C_turned, left, out):
    """Set out = D plan C^T."""
    np.dot(D, plan, left)
    np.dot(left, C_turned, out)


@njit(**PART)
@no_type_check
def _slope(spaces, plan, scale, symmetric, left, other, logits):
    """Set logits = scale (D plan C^T + D^T plan C); of symmetric matrices both terms are equal."""
    D, C, D_turned, C_turned = spaces
    _cross(D, plan, C_turned, left, logits)
    if symmetric:
        _copy(logits.reshape(-1), other.reshape(-1))
    else:
        _cross(D_turned, plan, C, left, other)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            logits[i, j] = scale * (logits[i, j] + other[i, j])


@njit(**PART)
@no_type_check
def _value(spaces, plan, left, cross):
    """Return sum_ijkl (D_ik - C_jl)^2 P_ij P_kl, with the marginals that the plan really has."""
    D, C, _, C_turned = spaces
    _cross(D, plan, C_turned, left, cross)
    rows, columns, total = np.zeros_like(D[0]), np.zeros_like(C[0]), 0.0
    for i in range(rows.size):
        for j in range(columns.size):
            rows[i] += plan[i, j]
            columns[j] += plan[i, j]
    for i in range(rows.size):
        for k in range(rows.size):
            total += D[i, k] ** 2 * rows[i] * rows[k]
        for j in range(columns.size):
            total -= 2 * cross[i, j] * plan[i, j]
    for j in range(columns.size):
        for k in range(columns.size):
            total += C[j, k] ** 2 * columns[j] * columns[k]
    return total


@njit(**PART)
@no_type_check
def _divergence(plan, logits, logarithms, weights):
    """Return KL(plan | a b^T) of a plan whose logarithm is logits + row + column."""
    (a, b), (row, column) = weights, logarithms
    total = 0.0
    for i in range(row.size):
        above = row[i] - np.log(a[i])
        for j in range(column.size):
            total += plan[i, j] * (logits[i, j] + above + column[j] - np.log(b[j]))
    return total


@njit(**FAST, cache=True)
@no_type_check
def transports(logits, weights, logarithms, plans, told, settings):
    """Project every problem; `told` takes divergence, gap and iterations of each."""
    iterations, tolerance = settings
    space = _space(plans[0])
    for k in range(len(plans)):
        plan, own = plans[k], (weights[0][k], weights[1][k])
        pair, enough = (logarithms[0][k], logarithms[1][k]), _reachable(tolerance, logits[k])
        told[k, 2] = _project(logits[k], own, pair, plan, space, iterations, enough)
        told[k, 0] = _divergence(plan, logits[k], pair, own)
        told[k, 1] = _gap(plan, own[0], own[1])


@njit(**FAST, cache=True)
@no_type_check
def descents(spaces, weights, plans, told, settings):
    """Move every plan down its slope as `gromov` does.

    Spaces are D, C and their transposes; `told` takes value, divergence, gap, change and steps.
    """
    scale, symmetric, outer, inner, tolerance = settings
    first = plans[0]
    logits, left, before = np.empty_like(first), np.empty_like(first), np.empty_like(first)
    logarithms, space = (np.empty_like(weights[0][0]), np.empty_like(weights[1][0])), _space(first)
    for k in range(len(plans)):
        plan, a, b, done, change = plans[k], weights[0][k], weights[1][k], 0, np.inf
        D, C, D_turned, C_turned = spaces
        own = D[k], C[k], D_turned[k], C_turned[k]
        _fill(logarithms[1], 0)
        while done < outer:
            _slope(own, plan, scale, symmetric, left, before, logits)
            _copy(plan.reshape(-1), before.reshape(-1))
            enough = _reachable(tolerance, logits)
            _project(logits, (a, b), logarithms, plan, space, inner, enough)
            done += 1
            change = _moved(before, plan, a)
            if enough and change <= enough and _gap(plan, a, b) <= enough:
                break
        told[k, 0] = _value(own, plan, left, before)
        told[k, 1] = _divergence(plan, logits, logarithms, (a, b))
        told[k, 2], told[k, 3], told[k, 4] = _gap(plan, a, b), change, done
