"""The other solvers of `transport.py`, each set to the same epsilon and the same number of steps.

POT is a dependency. ott-jax and geomloss are not: a peer that cannot be imported is left out, and
`absent` says so. ott-jax halves epsilon (its slope is half of POT's); its first call compiles.
"""

import importlib.util

import numpy as np
import ot
import torch
from torch import Tensor

OUTER, INNER, EPSILON = 20, 30, 0.2
ITERATIONS, SMALL = 100, 0.05


def absent() -> list[str]:
    """Return one line for each optional peer that is not installed."""
    names = {"ott": "ott-jax", "geomloss": "geomloss"}
    return [
        f"{package} is not importable here: its rows are left out"
        for module, package in names.items()
        if importlib.util.find_spec(module) is None
    ]


def pot_loop(D: Tensor | np.ndarray, C: Tensor | np.ndarray) -> list:
    """Solve one problem after the other with POT's projected gradient descent."""
    return [
        ot.gromov.entropic_gromov_wasserstein(
            left, right, epsilon=EPSILON, symmetric=True, max_iter=OUTER, tol=0,
            numItermax=INNER, stopThr=0, warn=False,
        )
        for left, right in zip(D, C, strict=True)
    ]  # fmt: skip


def pot_value(D: Tensor, C: Tensor) -> Tensor:
    """Return the sum of POT's values; its plan is differentiated through every step."""
    total = D.new_zeros(())
    for left, right, plan in zip(D, C, pot_loop(D, C), strict=True):
        p, q = plan.sum(1), plan.sum(0)
        total = total + p @ left**2 @ p + q @ right**2 @ q - 2 * (left @ plan @ right * plan).sum()
    return total


def pot_batch(D: Tensor, C: Tensor, grad: str = "detach") -> Tensor:
    """Return the values of POT's batched proximal solver after as many steps."""
    return ot.batch.solve_gromov_batch(
        D, C, reg=EPSILON, symmetric=True, max_iter=OUTER, tol=0, max_iter_inner=INNER,
        tol_inner=0, grad=grad,
    ).value  # fmt: skip


def naive(D: Tensor, C: Tensor) -> Tensor:
    """Return plans by the same steps with the cost tensor of four indices written out."""
    plans = []
    for left, right in zip(D, C, strict=True):
        m = len(left)
        apart = (left[:, None, :, None] - right[None, :, None, :]) ** 2
        plan = left.new_full((m, m), 1 / m**2)
        for _ in range(OUTER):
            kernel = torch.exp(-2 * torch.einsum("ijkl,kl->ij", apart, plan) / EPSILON)
            v = left.new_full((m,), 1.0)
            for _ in range(INNER):
                u = 1 / m / (kernel @ v)
                v = 1 / m / (kernel.T @ u)
            plan = u[:, None] * kernel * v
        plans.append(plan)
    return torch.stack(plans)


def _ott_plan():
    """Return ott-jax's solver of one problem, in its scaling mode, all steps."""
    from ott.geometry import geometry
    from ott.problems.quadratic import quadratic_problem
    from ott.solvers.linear import sinkhorn
    from ott.solvers.quadratic import gromov_wasserstein

    linear = sinkhorn.Sinkhorn(
        lse_mode=False, threshold=-1.0, inner_iterations=INNER, min_iterations=INNER,
        max_iterations=INNER,
    )  # fmt: skip
    solver = gromov_wasserstein.GromovWasserstein(
        linear_solver=linear, epsilon=EPSILON / 2, max_iterations=OUTER, min_iterations=OUTER,
        threshold=-1.0, warm_start=False,
    )  # fmt: skip

    def one(left, right):
        pair = (geometry.Geometry(cost_matrix=each) for each in (left, right))
        return solver(quadratic_problem.QuadraticProblem(*pair)).matrix

    return one


def ott_plans(D: Tensor, C: Tensor):
    """Return a call for ott-jax's plans, jitted and mapped over the batch; None without it."""
    if importlib.util.find_spec("ott") is None:
        return None
    import jax

    solve = jax.jit(jax.vmap(_ott_plan()))
    given = jax.numpy.asarray(D.numpy()), jax.numpy.asarray(C.numpy())
    return lambda: np.array(solve(*given))


def ott_gradient(x: Tensor, y: Tensor):
    """Return a call for ott-jax's gradient to y, the L1 costs included and the plan held fixed."""
    if importlib.util.find_spec("ott") is None:
        return None
    import jax
    from jax import numpy as jnp

    one = _ott_plan()

    def over_maximum(z):
        apart = jnp.abs(z[:, None] - z[None]).sum(-1)
        return apart / jax.lax.stop_gradient(apart.max())

    def value(points, others):
        D, C = over_maximum(points), over_maximum(others)
        plan = jax.lax.stop_gradient(one(D, C))
        p, q = plan.sum(1), plan.sum(0)
        return p @ D**2 @ p + q @ C**2 @ q - 2 * (D @ plan @ C * plan).sum()

    slope = jax.jit(jax.vmap(jax.grad(value, argnums=1)))
    given = jnp.asarray(x.numpy()), jnp.asarray(y.detach().numpy())
    return lambda: np.array(slope(*given))


def geomloss_values(cost: Tensor, scaling: float):
    """Return a call for geomloss's entropic values of given cost matrices; None without it.

    Its cost is a function of points, here of two marked sets of which it looks up the matrix. The
    epsilon falls from the diameter by this factor a step; none is said to be enough.
    """
    if importlib.util.find_spec("geomloss") is None:
        return None
    from geomloss import SamplesLoss

    x, y = torch.zeros_like(cost[..., :1]), torch.ones_like(cost[:, 0, :, None])

    def look_up(left: Tensor, _right: Tensor) -> Tensor:
        return cost if not left[0, 0, 0] else cost.mT

    loss = SamplesLoss(
        "sinkhorn", p=1, blur=SMALL, scaling=scaling, diameter=1.0, cost=look_up, debias=False,
        backend="tensorized",
    )  # fmt: skip
    return lambda: loss(x, y)
