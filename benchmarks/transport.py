"""Our transport against POT, ott-jax, geomloss and the sum over four indices.

All take turns; a cell is the median [least, most] over the rounds of time(peer) / time(ours), more
being better for us. A short call is repeated within its turn. Results are compared before anything
is timed, and the agreement is printed. `ot.batch.solve_gromov_batch` is a proximal solver: it takes
the same number of steps towards another point, so no agreement is printed for it.

    python benchmarks/transport.py                        about five minutes
    python benchmarks/transport.py --sections scaling --sizes 256 1024

On a busy machine, `--clock cpu` counts the seconds of this process alone. (Named after the room,
not `ot.py`: a script of that name would hide the package POT.)
"""

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import ot
import torch
from peers.transport_peers import (
    EPSILON,
    INNER,
    ITERATIONS,
    OUTER,
    SMALL,
    absent,
    geomloss_values,
    naive,
    ott_gradient,
    ott_plans,
    pot_batch,
    pot_loop,
    pot_value,
)
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import backend, costs
from pasdedeux.ot.gromov import Steps, gromov
from pasdedeux.ot.sinkhorn import sinkhorn, unbiased_distance

Call = Callable[[], object]
ALL_STEPS = Steps(OUTER, INNER, 0.0)
TURN = 0.02  # seconds that a turn lasts at least
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
chosen = argparse.Namespace(rounds=5, clock="wall", sizes=[64])


def seconds(call: Call) -> float:
    """Return the time of one call, averaged over as many as fill a turn."""
    now, count = CLOCKS[chosen.clock], 0
    begun = now()
    while not count or now() - begun < TURN:
        call()
        count += 1
    return (now() - begun) / count


def race(title: str, ours: Call, peers: dict[str, Call | None]) -> None:
    """Print the ratio of every peer to ours, taken inside each round."""
    entrants = {name: call for name, call in peers.items() if call}
    for call in (ours, *entrants.values()):
        call()  # compile, load, warm
    ratios: dict[str, list[float]] = {name: [] for name in entrants}
    own = []
    for _ in range(chosen.rounds):
        own.append(seconds(ours))
        for name, peer in entrants.items():
            ratios[name].append(seconds(peer) / own[-1])
    print(f"  {title}: ours {statistics.median(own) * 1e3:.2f} ms")
    for name, found in ratios.items():
        print(f"    {name}: {statistics.median(found):.1f}x [{min(found):.1f}, {max(found):.1f}]")


def in_torch(call: Call) -> Call:
    """Return the call with the compiled loops switched off."""

    def reference() -> object:
        with backend.torch_only():
            return call()

    return reference


def spaces(count: int, m: int, name: str, widths: tuple[int, int] = (256, 512)):
    """Return embeddings of two spaces, related by a smooth trend."""
    base = torch.randn(count, m, 8, generator=generator(0, name))
    left = torch.randn(8, widths[0], generator=generator(0, name, "left"))
    right = torch.randn(8, widths[1], generator=generator(0, name, "right"))
    return base @ left, base.flip(1) @ right


def matrices(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return both cost matrices, each over its maximum."""
    found = [costs.l1(z, z) for z in (x, y)]
    return tuple(one / one.detach().amax((1, 2), keepdim=True) for one in found)


def matching(count: int, m: int) -> None:
    """Race Gromov-Wasserstein without gradients, and say what bounds ours."""
    D, C = matrices(*spaces(count, m, "forward"))
    arrays = D.double().numpy(), C.double().numpy()
    exact = gromov(D.double(), C.double(), epsilon=EPSILON, steps=ALL_STEPS).plan

    def off(plan: np.ndarray | Tensor) -> str:
        apart = torch.as_tensor(plan) - exact[-len(plan) :]
        return f"{apart.abs().max() * m * m:.1e}"

    def ours(steps: Steps) -> Call:
        return lambda: gromov(D, C, epsilon=EPSILON, steps=steps)

    ott = ott_plans(D, C) if m <= 256 else None
    told = [f"POT {off(np.stack(pot_loop(*(each[-1:] for each in arrays))))}"]
    told += [f"our float32 {off(ours(ALL_STEPS)().plan)}"] + ([f"ott {off(ott())}"] if ott else [])
    print(f"GW m={m} B={count}; plan x m^2 from our float64: {', '.join(told)}")
    peers = {
        "POT numpy float64, looped": lambda: pot_loop(*arrays),
        "POT torch float32, looped": lambda: pot_loop(D, C),
        "POT batched (proximal)": lambda: pot_batch(D, C),
        "ott-jax, jitted": ott,
        "four indices, looped": (lambda: naive(D, C)) if m <= 16 else None,
        "ours in torch": in_torch(ours(ALL_STEPS)) if m <= backend.LARGEST else None,
    }
    race("all steps", ours(ALL_STEPS), peers)
    race("ours until 1e-6, peers all steps", ours(Steps(OUTER, INNER)), peers)
    whole, single = seconds(ours(ALL_STEPS)), seconds(ours(Steps(OUTER, 1, 0.0)))
    products = 2 * OUTER * seconds(lambda: torch.bmm(D, C))
    print(f"  bound: Sinkhorn iterations {1 - single / whole:.0%}, matrix products alone "
          f"{products / whole:.0%} of the time")  # fmt: skip


def gradient(count: int, m: int) -> None:
    """Race Gromov-Wasserstein with the gradient to the embeddings, L1 costs included."""
    x, y = spaces(count, m, "backward")
    y.requires_grad_()

    def slope(value: Callable[[Tensor, Tensor], Tensor]) -> Call:
        return lambda: torch.autograd.grad(value(*matrices(x, y)).sum(), y)

    def ours(way: str) -> Call:
        return slope(lambda D, C: gromov(D, C, epsilon=EPSILON, steps=ALL_STEPS, gradient=way)[1])

    def batched(way: str) -> Call:
        return slope(lambda D, C: pot_batch(D, C, way))

    print(f"GW and gradient to 512-wide embeddings, m={m} B={count}")
    ott = ott_gradient(x, y)
    if ott:
        apart = (
            torch.from_numpy(np.array(ott())) - ours("envelope")()[0]
        ).abs().max() / ott().max()
        print(f"  fixed plan: ott's gradient is ours within {apart:.1e} of its largest entry")
    race("fixed plan", ours("envelope"), {
        "POT batched, envelope": batched("envelope"), "ott-jax, jitted": ott,
        "POT torch, looped and unrolled": slope(pot_value),
        "ours in torch": in_torch(ours("envelope")),
    })  # fmt: skip
    race("unrolled", ours("unrolled"), {
        "POT batched, autodiff": batched("autodiff"),
        "POT torch, looped": slope(pot_value),
    })  # fmt: skip


def linear(count: int, m: int) -> None:
    """Race Sinkhorn, 100 iterations, costs over their maximum."""
    cost = costs.l1(*spaces(count, m, "linear", (64, 64)))
    cost = cost / cost.amax((1, 2), keepdim=True)
    arrays, p = cost.double().numpy(), torch.full((m,), 1 / m, dtype=torch.float64).numpy()

    def looped(method: str) -> Call:
        return lambda: [
            ot.sinkhorn(p, p, one, SMALL, method=method, numItermax=ITERATIONS, stopThr=0,
                        warn=False)
            for one in arrays
        ]  # fmt: skip

    def ours(tolerance: float, given: Tensor = cost, iterations: int = ITERATIONS):
        return sinkhorn(given, epsilon=SMALL, iterations=iterations, tolerance=tolerance)

    exact = ours(0.0, cost.double()).plan
    apart = (exact[-1] - torch.from_numpy(looped("sinkhorn_log")()[-1])).abs().max() * m * m
    print(f"Sinkhorn m={m} B={count}; plan x m^2 within {apart:.1e} of POT's log form")
    peers = {
        "POT numpy float64, looped": looped("sinkhorn"),
        "POT numpy log domain, looped": looped("sinkhorn_log"),
        "POT batched, log domain": lambda: ot.batch.solve_batch(
            cost, reg=SMALL, max_iter=ITERATIONS, tol=0, grad="detach"
        ),
        "ours in torch": in_torch(lambda: ours(0.0)),
    }
    race("all iterations", lambda: ours(0.0), peers)
    solved = ours(1e-12, cost.double(), 100_000).objective
    for scaling in (0.5, 0.9):
        theirs = geomloss_values(cost, scaling)
        if theirs is None:
            continue
        error = (theirs() - solved).abs().max().item()
        for tolerance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
            if (ours(tolerance, iterations=5000).objective - solved).abs().max() <= error:
                break
        race(f"ours until {tolerance}, as wrong as geomloss or less ({error:.0e})",
             lambda stop=tolerance: ours(stop, iterations=5000),
             {f"geomloss, scaling {scaling}": theirs})  # fmt: skip


def six_terms(m: int) -> None:
    """Race MDOT's distance and its gradient against six calls of POT and one of its batches."""
    batches = [torch.randn(m, 256, generator=generator(0, "six", k)) for k in range(4)]
    scale = float(costs.l1(batches[0], batches[2]).max())
    generated = tuple(one.requires_grad_() for one in batches[:2])
    pairs, signs = [(0, 2), (1, 2), (0, 3), (1, 3), (0, 1), (2, 3)], (1, 1, 1, 1, -2, -2)
    p = batches[0].new_full((m,), 1 / m)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return costs.l1(x, y) / scale

    def slope(value: Callable[[], Tensor]) -> Call:
        return lambda: torch.autograd.grad(value(), generated)

    def ours() -> Tensor:
        return unbiased_distance(
            generated, tuple(batches[2:]), cost=cost, epsilon=0.1, iterations=ITERATIONS,
            tolerance=0.0,
        ).value  # fmt: skip

    def pot() -> Tensor:
        found = [cost(batches[i], batches[j]) for i, j in pairs]
        settings = {"stopThr": 0, "warn": False, "numItermax": ITERATIONS}
        return sum(sign * (ot.sinkhorn(p, p, one, 0.1, **settings) * one).sum()
                   for sign, one in zip(signs, found, strict=True))  # fmt: skip

    def batched() -> Tensor:
        left, right = (torch.stack([batches[pair[k]] for pair in pairs]) for k in (0, 1))
        solved = ot.batch.solve_batch(
            cost(left, right), reg=0.1, max_iter=ITERATIONS, tol=0, grad="envelope"
        )
        return (solved.value * left.new_tensor(signs)).sum()

    print(f"Six terms, m={m}; value within {abs(ours().item() - pot().item()):.1e} of POT")
    peers = {"six POT calls, autograd": slope(pot), "POT batched, envelope": slope(batched)}
    race("value and gradient", slope(ours), peers | {"ours in torch": in_torch(slope(ours))})


def trap() -> None:
    """Show the float32 kernel of POT at a small epsilon: it fails, so it is no entrant."""
    x, y = spaces(1, 16, "trap", (64, 64))
    cost = costs.l1(x, y)[0] / costs.l1(x, y).max()
    p = torch.full((16,), 1 / 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mass = ot.sinkhorn(p, p, cost, 0.005, numItermax=ITERATIONS).sum().item()
    ours = sinkhorn(cost, epsilon=0.005).plan.sum().item()
    verdict = "fails" if abs(mass - 1) > 0.1 else "holds"
    print(f"float32 at epsilon 0.005: POT torch {verdict} (mass {mass:.0e}), ours {ours:.6f}")


def early(m: int = 400) -> None:
    """Show where POT's batched solver stops on a shuffled copy, whose distance is 0."""
    points = torch.randn(m, 3, generator=generator(0, "large cloud"), dtype=torch.float64)
    order = torch.randperm(m, generator=generator(0, "large cloud", "order"))
    D = costs.l2(points, points)[None] / costs.l2(points, points).max()
    C = D[:, order][:, :, order]
    pot = ot.batch.solve_gromov_batch(D, C, reg=0.005, max_iter=100)
    found = gromov(D, C, epsilon=0.005, steps=Steps(100, 100, 1e-5))
    right = [
        (plan[0].argmax(1) == order.argsort()).double().mean() for plan in (pot.plan, found.plan)
    ]
    print(f"A shuffled copy of {m} points, value 0 at the shuffling, epsilon 0.005")
    print(f"  POT batched: {pot.log['n_iter'] + 1} steps, value {pot.value.item():.4f}, "
          f"{right[0]:.0%} of the pairs")  # fmt: skip
    print(f"  ours: {found.steps} steps, value {found.value.item():.4f}, {right[1]:.0%} of the "
          f"pairs, gap {found.gap.item():.0e}, change {found.change.item():.0e}")  # fmt: skip


SECTIONS: dict[str, Call] = {
    "matching": lambda: [matching(count, 16) for count in (1, 64)],
    "gradient": lambda: [gradient(count, 16) for count in (1, 64)],
    "linear": lambda: [linear(count, 16) for count in (1, 64)],
    "six": lambda: six_terms(16),
    "trap": trap,
    "early": early,
    "scaling": lambda: [
        solve(max(1, 1024 // m), m) for m in chosen.sizes for solve in (matching, linear)
    ],
}


def main() -> None:
    """Race the sections asked for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--clock", choices=CLOCKS, default="wall")
    options.add_argument("--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    options.add_argument("--sizes", type=int, nargs="*", default=[64])
    options.parse_args(namespace=chosen)
    torch.set_num_threads(chosen.threads)
    print(f"float32, {chosen.threads} thread(s), {chosen.rounds} rounds, {chosen.clock} seconds; "
          f"load {os.getloadavg()[0]:.1f}; GW {OUTER} x {INNER} at epsilon {EPSILON}")  # fmt: skip
    print("\n".join(absent()), end="\n" if absent() else "")
    for name in chosen.sections:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
