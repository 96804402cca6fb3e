"""Which code solves a problem: compiled loops for small ones on the CPU, torch for all others.

Torch is the reference. It runs on every device and differentiates its own steps, but a problem of
16 points leaves it waiting for its next operation. `compiled` is its translation for that case; it
is imported where it is used, for numba takes a while, and so does the first call of each dtype,
which compiles. What was compiled is kept on disk.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 256  # points on either side up to which loops in one thread clearly beat torch
WORTH_A_THREAD = 4_000_000  # matrix entries times iterations: about a millisecond
_ALLOWED = ContextVar("compiled", default=True)


@contextmanager
def torch_only() -> Iterator[None]:
    """Solve every problem inside the block with torch, whatever its size: to test and to race."""
    token = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def small(*tensors: Tensor) -> bool:
    """Return whether compiled loops take these matrices: on the CPU, float32 or float64, small."""
    dtype = tensors[0].dtype
    return _ALLOWED.get() and all(
        each.device.type == "cpu"
        and each.dtype == dtype
        and each.dtype in (torch.float32, torch.float64)
        and each.numel() > 0
        and max(each.shape[-2:]) <= LARGEST
        for each in tensors
    )


def _flat(tensor: Tensor, points: int) -> np.ndarray:
    """Return an array with one dimension for the batch before the last `points` dimensions."""
    kept = tensor.shape[tensor.dim() - points :]
    return tensor.detach().reshape(-1, *kept).contiguous().numpy()


def _share(solve: Callable[[slice], None], problems: int, work: int) -> None:
    """Call solve on slices of a batch, one for each thread that torch may use, if worth a thread.

    The threads end with the call: there is no pool that a fork of the process could find dead.
    """
    shares = min(torch.get_num_threads(), problems)
    if shares == 1 or work < WORTH_A_THREAD:
        solve(slice(None))
        return
    ends = [problems * k // shares for k in range(shares + 1)]
    with ThreadPoolExecutor(shares) as pool:
        list(pool.map(solve, map(slice, ends[:-1], ends[1:])))


def transport(
    logits: Float[Tensor, "*B N M"],
    a: Float[Tensor, "*B N"],
    b: Float[Tensor, "*B M"],
    *,
    iterations: int,
    tolerance: float,
) -> tuple[Tensor, ...]:
    """Return the fields of `sinkhorn.Solution`, compiled."""
    from pasdedeux.ot import compiled

    arrays, weights = _flat(logits, 2), (_flat(a, 1), _flat(b, 1))
    logarithms = np.empty_like(weights[0]), np.zeros_like(weights[1])
    plans, told = np.empty_like(arrays), np.empty((len(arrays), 3), arrays.dtype)

    def solve(part: slice) -> None:
        compiled.transports(
            arrays[part], tuple(x[part] for x in weights), tuple(x[part] for x in logarithms),
            plans[part], told[part], (iterations, float(tolerance)),
        )  # fmt: skip

    _share(solve, len(arrays), arrays.size * iterations)
    found = zip((plans, *logarithms), (logits, a, b), strict=True)
    shaped = (torch.from_numpy(array).reshape(like.shape) for array, like in found)
    divergence, gap, done = torch.from_numpy(told).reshape(*a.shape[:-1], 3).unbind(-1)
    return *shaped, divergence, gap, done.max()


def descent(
    D: Float[Tensor, "*B N N"],
    C: Float[Tensor, "*B M M"],
    a: Float[Tensor, "*B N"],
    b: Float[Tensor, "*B M"],
    start: Float[Tensor, "*B N M"],
    *,
    settings: tuple[float, bool, int, int, float],
) -> tuple[Tensor, ...]:
    """Return the fields of `gromov.Descent`, compiled.

    The settings: 2 / epsilon, whether D and C are symmetric, outer and inner steps, tolerance.
    """
    from pasdedeux.ot import compiled

    spaces, weights = [_flat(D, 2), _flat(C, 2)], (_flat(a, 1), _flat(b, 1))
    spaces += spaces if settings[1] else [x.swapaxes(1, 2).copy() for x in spaces]
    plans = _flat(start, 2).copy()
    told = np.empty((len(plans), 5), plans.dtype)

    def solve(part: slice) -> None:
        compiled.descents(
            tuple(x[part] for x in spaces), tuple(x[part] for x in weights),
            plans[part], told[part], settings,
        )  # fmt: skip

    _share(solve, len(plans), plans.size * settings[2] * settings[3])
    figures = torch.from_numpy(told).reshape(*start.shape[:-2], 5).unbind(-1)
    return torch.from_numpy(plans).reshape(start.shape), *figures[:-1], figures[-1].max()
