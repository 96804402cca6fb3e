"""Points carried by a skeleton and their gradient, compiled: the fast half of a fit.

The forward sweep goes from the root to the leaves, as in `kinematics.placed`, with the six numbers
of each rotation made orthonormal on the way (`rotation.matrix_from_six`). With g the gradient, the
reverse sweep goes from the leaves to the root p = p(j):

    g(x_j) = sum of its points' g,         g(R_j) = sum of its points' g m^T,
    g(x_p) += g(x_j),                      g(R_p) += g(x_j) o_j^T + g(R_j) L_j^T,
    g(o_j) = R_p^T g(x_j),                 g(L_j) = R_p^T g(R_j),     g(m) = R_j^T g.

One frame at a time, all of it in the processor's nearest memory. `T` frames, `J` joints, `N` points.
"""

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_numba = numba.njit(cache=True, fastmath=True, error_model="numpy")


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
        given = [_array(x) for x in (*saved, to_points, to_columns)]
        _carry_back(*given, *ctx.tree, *(x.numpy() for x in found))
        return (*found, None, None)


def _array(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.detach().numpy())


@_numba
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


@_numba
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


@_numba
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


@_numba
def _orthonormal_back(six, L, lengths, G, given, out):
    """Write the gradient to `six`, from that to its matrix (`G`) and to its columns (`given`)."""
    u0, u1, u2 = L[0, 0], L[1, 0], L[2, 0]
    v0, v1, v2 = L[0, 1], L[1, 1], L[2, 1]
    w0, w1, w2 = G[0, 2], G[1, 2], G[2, 2]
    p0 = G[0, 0] + given[0] + v1 * w2 - v2 * w1
    p1 = G[1, 0] + given[1] + v2 * w0 - v0 * w2
    p2 = G[2, 0] + given[2] + v0 * w1 - v1 * w0
    q0 = G[0, 1] + given[3] + w1 * u2 - w2 * u1
    q1 = G[1, 1] + given[4] + w2 * u0 - w0 * u2
    q2 = G[2, 1] + given[5] + w0 * u1 - w1 * u0
    first, second, along = lengths[0], lengths[1], lengths[2]
    inside = q0 * v0 + q1 * v1 + q2 * v2
    q0, q1, q2 = (
        (q0 - inside * v0) / second,
        (q1 - inside * v1) / second,
        (q2 - inside * v2) / second,
    )
    inside = q0 * u0 + q1 * u1 + q2 * u2
    p0 -= inside * six[3] + along * q0
    p1 -= inside * six[4] + along * q1
    p2 -= inside * six[5] + along * q2
    out[3], out[4], out[5] = q0 - inside * u0, q1 - inside * u1, q2 - inside * u2
    inside = p0 * u0 + p1 * u1 + p2 * u2
    out[0], out[1], out[2] = (
        (p0 - inside * u0) / first,
        (p1 - inside * u1) / first,
        (p2 - inside * u2) / first,
    )


@_numba
def _carry_back(
    six,
    translation,
    offsets,
    markers,
    to_points,
    to_columns,
    parents,
    joints,
    to_six,
    to_translation,
    to_offsets,
    to_markers,
):
    """Fill the gradients to `six` and `translation`, add those to `offsets` and `markers`."""
    count = len(parents)
    local = np.empty((count, 3, 3), six.dtype)
    world = np.empty((count, 3, 3), six.dtype)
    places = np.empty((count, 3), six.dtype)
    lengths = np.empty((count, 3), six.dtype)
    turns = np.empty((count, 3, 3), six.dtype)
    moves = np.empty((count, 3), six.dtype)
    inner = np.empty((3, 3), six.dtype)
    for t in range(len(six)):
        _place(six[t], translation[t], offsets, parents, local, world, places, lengths)
        turns[:] = 0
        moves[:] = 0
        for n in range(len(joints)):
            j = joints[n]
            g, m, R = to_points[t, n], markers[n], world[j]
            for i in range(3):
                moves[j, i] += g[i]
                to_markers[n, i] += R[0, i] * g[0] + R[1, i] * g[1] + R[2, i] * g[2]
                for k in range(3):
                    turns[j, i, k] += g[i] * m[k]
        for j in range(count - 1, -1, -1):
            p, L, G, g = parents[j], local[j], turns[j], moves[j]
            if p < 0:
                for i in range(3):
                    to_translation[t, i] = g[i]
                    to_offsets[j, i] += g[i]
                _orthonormal_back(six[t, j], L, lengths[j], G, to_columns[t, j], to_six[t, j])
                continue
            P, o = world[p], offsets[j]
            for i in range(3):
                moves[p, i] += g[i]
                to_offsets[j, i] += P[0, i] * g[0] + P[1, i] * g[1] + P[2, i] * g[2]
                for k in range(3):
                    inner[i, k] = P[0, i] * G[0, k] + P[1, i] * G[1, k] + P[2, i] * G[2, k]
                    turns[p, i, k] += (
                        g[i] * o[k] + G[i, 0] * L[k, 0] + G[i, 1] * L[k, 1] + G[i, 2] * L[k, 2]
                    )
            _orthonormal_back(six[t, j], L, lengths[j], inner, to_columns[t, j], to_six[t, j])
