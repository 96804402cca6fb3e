"""Points carried by a skeleton, the loss of a fit and both gradients, compiled.

`fitting.carried` and `fitting.losses` say in torch what is computed here.

The forward sweep goes from the root to the leaves, as in `kinematics.placed`, with the six numbers
of each rotation made orthonormal on the way (`rotation.matrix_from_six`). With g the gradient, the
reverse sweep goes from the leaves to the root p = p(j):

    g(x_j) = sum of its points' g,         g(R_j) = sum of its points' g m^T,
    g(x_p) += g(x_j),                      g(R_p) += g(x_j) o_j^T + g(R_j) L_j^T,
    g(o_j) = R_p^T g(x_j),                 g(L_j) = R_p^T g(R_j),     g(m) = R_j^T g.

One frame at a time, all of it in the processor's nearest memory. The root is joint 0. `T` frames,
`J` joints, `N` points.
"""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor

FAST = {"fastmath": True, "error_model": "numpy", "nogil": True}
# A part that is a call of its own would cost as much as what it does. `no_type_check` keeps the
# checker of shapes, which the tests wrap around everything, out of what numba compiles.
_whole = njit(cache=True, **FAST)
_part = njit(forceinline=True, **FAST)


class Carried(torch.autograd.Function):
    """Points and orthonormal columns of local rotations; differentiable in all real arguments."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        six: Float[Tensor, "T J 6"],
        translation: Float[Tensor, "T 3"],
        offsets: Float[Tensor, "J 3"],
        markers: Float[Tensor, "N 3"],
        parents: Int[np.ndarray, " J"],
        joints: Int[np.ndarray, " N"],
    ) -> tuple[Float[Tensor, "T N 3"], Float[Tensor, "T J 6"]]:
        """Return the points, and the first two columns of every local rotation."""
        ctx.tree = parents, joints
        ctx.save_for_backward(six, translation, offsets, markers)
        points = six.new_empty(len(six), len(markers), 3)
        columns = torch.empty_like(six)
        given = [_array(x) for x in (six, translation, offsets, markers)]
        _carry(*given, parents, joints, points.numpy(), columns.numpy())
        return points, columns

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx,
        to_points: Float[Tensor, "T N 3"],
        to_columns: Float[Tensor, "T J 6"],
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients to the real arguments."""
        saved = ctx.saved_tensors
        found = [torch.zeros_like(x) for x in saved]
        given = tuple(_array(x) for x in (*saved, to_points, to_columns))
        _carry_back(given, ctx.tree, tuple(x.numpy() for x in found))
        return (*found, None, None)


class Penalty(torch.autograd.Function):
    """The loss of a fit; differentiable in points and columns, whose gradients come with it."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        points: Float[Tensor, "T N 3"],
        columns: Float[Tensor, "T J 6"],
        target: Float[Tensor, "T N 3"],
        turn: Float[Tensor, "T 3 3"],
        tables: Float[np.ndarray, "4 J"],
        weights: tuple[float, float, float, float],
    ) -> Float[Tensor, ""]:
        """Return the sum of the terms; `weights` are bend, hold, limit and smooth."""
        given = tuple(_array(x) for x in (points, columns, target, turn))
        ctx.found = torch.empty_like(points), torch.zeros_like(columns)
        found = tuple(x.numpy() for x in ctx.found)
        tables, weights = (np.asarray(x, given[0].dtype) for x in (tables, weights))
        total = _penalty(given, tables, weights, found) + _roughness(given, weights, found[1])
        return points.new_tensor(total)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, to_total: Float[Tensor, ""]
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients to points and columns."""
        return (*(to_total * x for x in ctx.found), None, None, None, None)


def _array(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.detach().numpy())


@_part
@no_type_check
def _orthonormal(six, out):
    """Write the rotation of `six` to `out`; return both lengths and the product divided out."""
    a0, a1, a2, b0, b1, b2 = six[0], six[1], six[2], six[3], six[4], six[5]
    first = np.sqrt(a0 * a0 + a1 * a1 + a2 * a2)
    a0, a1, a2 = a0 / first, a1 / first, a2 / first
    along = a0 * b0 + a1 * b1 + a2 * b2
    b0, b1, b2 = b0 - along * a0, b1 - along * a1, b2 - along * a2
    second = np.sqrt(b0 * b0 + b1 * b1 + b2 * b2)
    b0, b1, b2 = b0 / second, b1 / second, b2 / second
    out[0, 0], out[1, 0], out[2, 0] = a0, a1, a2
    out[0, 1], out[1, 1], out[2, 1] = b0, b1, b2
    out[0, 2], out[1, 2], out[2, 2] = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
    return first, second, along


@_part
@no_type_check
def _place(six, translation, offsets, parents, local, world, places, lengths):
    """Write local and world rotations and the joints of one frame."""
    for j in range(len(parents)):
        L, R = local[j], world[j]
        lengths[j, 0], lengths[j, 1], lengths[j, 2] = _orthonormal(six[j], L)
        p = parents[j]
        if p < 0:
            for i in range(3):
                places[j, i] = translation[i] + offsets[j, i]
                for k in range(3):
                    R[i, k] = L[i, k]
            continue
        P = world[p]
        for i in range(3):
            x, y, z = P[i, 0], P[i, 1], P[i, 2]
            places[j, i] = places[p, i] + x * offsets[j, 0] + y * offsets[j, 1] + z * offsets[j, 2]
            for k in range(3):
                R[i, k] = x * L[0, k] + y * L[1, k] + z * L[2, k]


@_whole
@no_type_check
def _carry(six, translation, offsets, markers, parents, joints, points, columns):
    """Fill `points` and `columns`."""
    count = len(parents)
    local = np.empty((count, 3, 3), six.dtype)
    world = np.empty((count, 3, 3), six.dtype)
    places = np.empty((count, 3), six.dtype)
    lengths = np.empty((count, 3), six.dtype)
    for t in range(len(six)):
        _place(six[t], translation[t], offsets, parents, local, world, places, lengths)
        for j in range(count):
            for i in range(3):
                columns[t, j, i] = local[j, i, 0]
                columns[t, j, 3 + i] = local[j, i, 1]
        for n in range(len(joints)):
            R, m, x = world[joints[n]], markers[n], places[joints[n]]
            for i in range(3):
                points[t, n, i] = x[i] + R[i, 0] * m[0] + R[i, 1] * m[1] + R[i, 2] * m[2]


@_part
@no_type_check
def _orthonormal_back(six, L, lengths, G, given, out):
    """Write the gradient to `six`, from that to its matrix (`G`) and to its columns (`given`)."""
    u0, u1, u2 = L[0, 0], L[1, 0], L[2, 0]
    v0, v1, v2 = L[0, 1], L[1, 1], L[2, 1]
    w0, w1, w2 = G[0, 2], G[1, 2], G[2, 2]
    first, second, along = lengths[0], lengths[1], lengths[2]
    p0 = G[0, 0] + given[0] + v1 * w2 - v2 * w1
    p1 = G[1, 0] + given[1] + v2 * w0 - v0 * w2
    p2 = G[2, 0] + given[2] + v0 * w1 - v1 * w0
    q0 = G[0, 1] + given[3] + w1 * u2 - w2 * u1
    q1 = G[1, 1] + given[4] + w2 * u0 - w0 * u2
    q2 = G[2, 1] + given[5] + w0 * u1 - w1 * u0
    inside = q0 * v0 + q1 * v1 + q2 * v2
    q0 = (q0 - inside * v0) / second
    q1 = (q1 - inside * v1) / second
    q2 = (q2 - inside * v2) / second
    inside = q0 * u0 + q1 * u1 + q2 * u2
    out[3], out[4], out[5] = q0 - inside * u0, q1 - inside * u1, q2 - inside * u2
    p0 -= inside * six[3] + along * q0
    p1 -= inside * six[4] + along * q1
    p2 -= inside * six[5] + along * q2
    inside = p0 * u0 + p1 * u1 + p2 * u2
    out[0] = (p0 - inside * u0) / first
    out[1] = (p1 - inside * u1) / first
    out[2] = (p2 - inside * u2) / first


@_part
@no_type_check
def _collect(to_points, markers, joints, world, moves, turns, to_markers):
    """Write what the points of one frame hand to their joints; add what they hand to markers."""
    moves[:] = 0
    turns[:] = 0
    for n in range(len(joints)):
        j, R, m = joints[n], world[joints[n]], markers[n]
        g0, g1, g2 = to_points[n, 0], to_points[n, 1], to_points[n, 2]
        moves[j, 0] += g0
        moves[j, 1] += g1
        moves[j, 2] += g2
        for i in range(3):
            to_markers[n, i] += R[0, i] * g0 + R[1, i] * g1 + R[2, i] * g2
            turns[j, 0, i] += g0 * m[i]
            turns[j, 1, i] += g1 * m[i]
            turns[j, 2, i] += g2 * m[i]


@_part
@no_type_check
def _hand_on(P, L, G, g, offset, turn, inner):
    """Add to the parent's `turn`, and write the gradient to the local rotation to `inner`."""
    G00, G01, G02 = G[0, 0], G[0, 1], G[0, 2]
    G10, G11, G12 = G[1, 0], G[1, 1], G[1, 2]
    G20, G21, G22 = G[2, 0], G[2, 1], G[2, 2]
    g0, g1, g2 = g[0], g[1], g[2]
    for i in range(3):
        a, b, c = P[0, i], P[1, i], P[2, i]
        inner[i, 0] = a * G00 + b * G10 + c * G20
        inner[i, 1] = a * G01 + b * G11 + c * G21
        inner[i, 2] = a * G02 + b * G12 + c * G22
        a, b, c, o = L[i, 0], L[i, 1], L[i, 2], offset[i]
        turn[0, i] += g0 * o + G00 * a + G01 * b + G02 * c
        turn[1, i] += g1 * o + G10 * a + G11 * b + G12 * c
        turn[2, i] += g2 * o + G20 * a + G21 * b + G22 * c


@_part
@no_type_check
def _carry_move(P, g, move, to_offset):
    """Add to the parent's `move` and to the gradient of the bone between."""
    g0, g1, g2 = g[0], g[1], g[2]
    for i in range(3):
        to_offset[i] += P[0, i] * g0 + P[1, i] * g1 + P[2, i] * g2
    move[0] += g0
    move[1] += g1
    move[2] += g2


@_whole
@no_type_check
def _carry_back(given, tree, found):
    """Fill the gradients to six numbers and translation; add to those of offsets and markers."""
    six, translation, offsets, markers, to_points, to_columns = given
    to_six, to_translation, to_offsets, to_markers = found
    parents, joints = tree
    count = len(parents)
    local = np.empty((count, 3, 3), six.dtype)
    world, turns = np.empty_like(local), np.empty_like(local)
    places = np.empty((count, 3), six.dtype)
    lengths, moves = np.empty_like(places), np.empty_like(places)
    inner = np.empty((3, 3), six.dtype)
    for t in range(len(six)):
        _place(six[t], translation[t], offsets, parents, local, world, places, lengths)
        _collect(to_points[t], markers, joints, world, moves, turns, to_markers)
        for j in range(count - 1, 0, -1):
            p = parents[j]
            _hand_on(world[p], local[j], turns[j], moves[j], offsets[j], turns[p], inner)
            _carry_move(world[p], moves[j], moves[p], to_offsets[j])
            _orthonormal_back(
                six[t, j], local[j], lengths[j], inner, to_columns[t, j], to_six[t, j]
            )
        for i in range(3):
            to_translation[t, i] = moves[0, i]
            to_offsets[0, i] += moves[0, i]
        _orthonormal_back(six[t, 0], local[0], lengths[0], turns[0], to_columns[t, 0], to_six[t, 0])


@_whole
@no_type_check
def _penalty(given, tables, weights, found):
    """Return the terms of single frames; write their gradients to the arrays of `found`."""
    points, columns, target, _ = given
    to_points, to_columns = found
    bend, pull, stop = weights[0], weights[1], weights[2]
    real = weights.dtype.type
    zero, half, one, count = real(0), real(0.5), real(1), real(len(points))
    total = 0.0
    for t in range(len(points)):
        for n in range(points.shape[1]):
            d0 = points[t, n, 0] - target[t, n, 0]
            d1 = points[t, n, 1] - target[t, n, 1]
            d2 = points[t, n, 2] - target[t, n, 2]
            root = np.sqrt(one + (d0 * d0 + d1 * d1 + d2 * d2) / (bend * bend))
            total += bend * (root - one)
            share = one / (bend * root * count)
            to_points[t, n, 0], to_points[t, n, 1] = share * d0, share * d1
            to_points[t, n, 2] = share * d2
        for j in range(columns.shape[1]):
            c, out = columns[t, j], to_columns[t, j]
            third = c[0] * c[4] - c[1] * c[3]
            cosine = (c[0] + c[4] + third - one) * half
            beyond = max(tables[3, j] - cosine, zero)
            h0, h1, h2 = pull * tables[0, j], pull * tables[1, j], pull * tables[2, j]
            total += (h0 * (one - c[0]) + h1 * (one - c[4]) + h2 * (one - third)) * half
            total += stop * beyond
            held = stop if beyond > zero else zero
            first, second = -(h0 + held) * half / count, -(h1 + held) * half / count
            both = -(h2 + held) * half / count
            out[0], out[4] = first + both * c[4], second + both * c[0]
            out[1], out[3] = -both * c[3], -both * c[1]
    return total / len(points)


@_whole
@no_type_check
def _roughness(given, weights, to_columns):
    """Return the smoothness term; add its gradient to `to_columns`."""
    _, columns, _, turn = given
    weight, total = weights[3] / weights.dtype.type(len(columns)), 0.0
    flat, out = columns.reshape(len(columns), -1), to_columns.reshape(len(columns), -1)
    for t in range(1, len(flat) - 1):
        for i in range(6, flat.shape[1]):
            second = (flat[t - 1, i] - flat[t, i]) + (flat[t + 1, i] - flat[t, i])
            slope = weight * second
            total += slope * second
            slope += slope
            out[t - 1, i] += slope
            out[t, i] -= slope + slope
            out[t + 1, i] += slope
        for first in (0, 3):
            for i in range(3):
                before, now, after = turn[t - 1, i], turn[t, i], turn[t + 1, i]
                second = weight - weight
                for m in range(3):
                    second += before[m] * flat[t - 1, first + m] - now[m] * flat[t, first + m]
                    second += after[m] * flat[t + 1, first + m] - now[m] * flat[t, first + m]
                slope = weight * second
                total += slope * second
                slope += slope
                for m in range(3):
                    out[t - 1, first + m] += slope * before[m]
                    out[t, first + m] -= (slope + slope) * now[m]
                    out[t + 1, first + m] += slope * after[m]
    return total
