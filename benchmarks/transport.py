"""Our transport against POT, looped and batched, and against the sum over four indices.

All take turns; a cell is the median [least, most] over the rounds of time(peer) / time(ours), more
being better for us. Results are compared before anything is timed, and the agreement is printed.
`ot.batch.solve_gromov_batch` is a proximal solver: it takes the same number of steps towards
another point, so no agreement is printed for it. Run: python benchmarks/transport.py

(Named after the room, not `ot.py`: a script of that name would hide the package POT.)
"""

import argparse
import statistics
import time
from collections.abc import Callable

import ot
import torch
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import costs
from pasdedeux.ot.gromov import Steps, gromov
from pasdedeux.ot.sinkhorn import sinkhorn, unbiased_distance

OUTER, INNER, EPSILON = 20, 30, 0.2
ITERATIONS, SMALL = 100, 0.05
Call = Callable[[], object]


def seconds(call: Call) -> float:
    """Return the wall time of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def race(title: str, ours: Call, peers: dict[str, Call], rounds: int) -> None:
    """Print the ratio of every peer to ours, taken inside each round."""
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    own = []
    for _ in range(rounds):
        own.append(seconds(ours))
        for name, peer in peers.items():
            ratios[name].append(seconds(peer) / own[-1])
    print(f"{title}: ours {statistics.median(own) * 1e3:.2f} ms")
    for name, found in ratios.items():
        print(f"    {name}: {statistics.median(found):.1f}x [{min(found):.1f}, {max(found):.1f}]")


def spaces(count: int, m: int, name: str) -> tuple[Tensor, Tensor]:
    """Return embeddings of two spaces, related by a smooth trend."""
    base = torch.randn(count, m, 8, generator=generator(0, name))
    left = torch.randn(8, 64, generator=generator(0, name, "left"))
    right = torch.randn(8, 32, generator=generator(0, name, "right"))
    return base @ left, base.flip(1) @ right


def matrices(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return both cost matrices, each over its maximum."""
    found = [costs.l1(z, z) for z in (x, y)]
    return tuple(one / one.detach().amax((1, 2), keepdim=True) for one in found)


def pot_loop(D: Tensor, C: Tensor) -> list:
    """Solve one problem after the other with POT's projected gradient descent."""
    return [
        ot.gromov.entropic_gromov_wasserstein(
            left, right, epsilon=EPSILON, symmetric=True, max_iter=OUTER, tol=0,
            numItermax=INNER, stopThr=0, warn=False,
        )
        for left, right in zip(D, C, strict=True)
    ]  # fmt: skip


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


def forward(count: int, m: int, rounds: int, fixed: Steps) -> None:
    """Race Gromov-Wasserstein without gradients."""
    D, C = matrices(*spaces(count, m, "forward"))
    arrays = D.double().numpy(), C.double().numpy()
    with torch.no_grad():
        exact = gromov(D.double(), C.double(), epsilon=EPSILON, steps=fixed).plan
        theirs = torch.from_numpy(pot_loop(*arrays)[-1])
        apart = (exact[-1] - theirs).abs().max() * m * m
        single = (gromov(D, C, epsilon=EPSILON, steps=fixed).plan - exact).abs().max() * m * m
        print(f"m={m} B={count}: plan x m^2 within {apart:.1e} of POT, float32 {single:.1e}")
        peers = {
            "POT numpy float64, looped": lambda: pot_loop(*arrays),
            "POT torch float32, looped": lambda: pot_loop(D, C),
            "POT batched (proximal)": lambda: pot_batch(D, C),
        }
        if m <= 16:
            peers["four indices, looped"] = lambda: naive(D, C)

        def ours(steps: Steps) -> Call:
            return lambda: gromov(D, C, epsilon=EPSILON, steps=steps)

        race("  GW, all steps", ours(fixed), peers, rounds)
        early = Steps(OUTER, INNER)
        race("  GW, ours until 1e-6, peers all steps", ours(early), peers, rounds)


def backward(count: int, m: int, rounds: int, fixed: Steps) -> None:
    """Race Gromov-Wasserstein with the gradient to the embeddings, L1 costs included."""
    x, y = spaces(count, m, "backward")
    y.requires_grad_()

    def ours(way: str) -> Call:
        return lambda: torch.autograd.grad(
            gromov(*matrices(x, y), epsilon=EPSILON, steps=fixed, gradient=way).value.sum(), y
        )

    def batched(way: str) -> Call:
        return lambda: torch.autograd.grad(pot_batch(*matrices(x, y), way).sum(), y)

    race(f"  GW and gradient, fixed plan, m={m} B={count}", ours("envelope"),
         {"POT batched, envelope": batched("envelope")}, rounds)  # fmt: skip
    race(f"  GW and gradient, unrolled, m={m} B={count}", ours("unrolled"),
         {"POT batched, autodiff": batched("autodiff")}, rounds)  # fmt: skip


def linear(count: int, m: int, rounds: int) -> None:
    """Race Sinkhorn, 100 iterations, costs over their maximum."""
    x, y = spaces(count, m, "linear")
    cost = costs.l1(x, y.repeat(1, 1, 2))
    cost = cost / cost.amax((1, 2), keepdim=True)
    weights = [1 / m] * m
    arrays, p = cost.double().numpy(), torch.tensor(weights, dtype=torch.float64).numpy()

    def looped(method: str) -> Call:
        return lambda: [
            ot.sinkhorn(p, p, one, SMALL, method=method, numItermax=ITERATIONS, stopThr=0,
                        warn=False)
            for one in arrays
        ]  # fmt: skip

    def ours(matrix: Tensor, tolerance: float) -> Tensor:
        return sinkhorn(matrix, epsilon=SMALL, iterations=ITERATIONS, tolerance=tolerance).plan

    exact = ours(cost.double(), 0.0)
    apart = (exact[-1] - torch.from_numpy(looped("sinkhorn_log")()[-1])).abs().max() * m * m
    print(f"m={m} B={count}: plan x m^2 within {apart:.1e} of POT's log form")
    peers = {
        "POT numpy float64, looped": looped("sinkhorn"),
        "POT numpy log domain, looped": looped("sinkhorn_log"),
        "POT batched, log domain": lambda: ot.batch.solve_batch(
            cost, reg=SMALL, max_iter=ITERATIONS, tol=0, grad="detach"
        ),
    }
    race("  Sinkhorn, 100 iterations", lambda: ours(cost, 0.0), peers, rounds)
    race(
        "  Sinkhorn, ours until 1e-6, peers all iterations", lambda: ours(cost, 1e-6), peers, rounds
    )


def six_terms(m: int, rounds: int) -> None:
    """Race MDOT's distance and its gradient against six calls of POT."""
    batches = [torch.randn(m, 256, generator=generator(0, "six", k)) for k in range(4)]
    scale = float(costs.l1(batches[0], batches[2]).max())
    generated = tuple(one.requires_grad_() for one in batches[:2])
    real = tuple(batches[2:])
    pairs = [(0, 2), (1, 2), (0, 3), (1, 3), (0, 1), (2, 3)]
    signs = (1, 1, 1, 1, -2, -2)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return costs.l1(x, y) / scale

    def ours() -> tuple[Tensor, ...]:
        found = unbiased_distance(
            generated, real, cost=cost, epsilon=0.1, iterations=ITERATIONS, tolerance=0.0
        )
        return torch.autograd.grad(found.value, generated)

    def pot() -> tuple[Tensor, ...]:
        p = batches[0].new_full((m,), 1 / m)
        total = sum(
            sign * (ot.sinkhorn(p, p, cost(batches[i], batches[j]), 0.1, stopThr=0, warn=False,
                                numItermax=ITERATIONS) * cost(batches[i], batches[j])).sum()
            for sign, (i, j) in zip(signs, pairs, strict=True)
        )  # fmt: skip
        return torch.autograd.grad(total, generated)

    def pot_batched() -> tuple[Tensor, ...]:
        left, right = (torch.stack([batches[pair[k]] for pair in pairs]) for k in (0, 1))
        solved = ot.batch.solve_batch(
            cost(left, right), reg=0.1, max_iter=ITERATIONS, tol=0, grad="envelope"
        )
        return torch.autograd.grad((solved.value * left.new_tensor(signs)).sum(), generated)

    peers = {"six POT calls, autograd": pot, "POT batched, envelope": pot_batched}
    race(f"  six terms and gradient, m={m}", ours, peers, rounds)


def main() -> None:
    """Race everything at the sizes of the paper and above."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--sizes", type=int, nargs="*", default=[64])
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"float32, {chosen.threads} thread(s), {chosen.rounds} rounds; GW {OUTER} x {INNER}")
    fixed = Steps(OUTER, INNER, 0.0)
    for count in (1, 64):
        forward(count, 16, chosen.rounds, fixed)
        backward(count, 16, chosen.rounds, fixed)
        linear(count, 16, chosen.rounds)
    six_terms(16, chosen.rounds)
    for m in chosen.sizes:
        forward(max(1, 256 // m), m, chosen.rounds, fixed)
        linear(max(1, 256 // m), m, chosen.rounds)


if __name__ == "__main__":
    main()
