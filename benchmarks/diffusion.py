"""The closed form of the contrastive diffusion losses against dense log-space tensors.

Both take the same logits, tokens and N negatives; losses and gradients are compared before anything
is timed. They take turns; a cell is the median [least, most] over the rounds of time(peer) /
time(ours), more being better for us. A full step is network, loss, gradients and AdamW.

    python benchmarks/diffusion.py                         about six minutes
    python benchmarks/diffusion.py --sections loss --sizes small --rounds 3 --clock cpu

Memory is the largest resident set of a child process that does one thing, less that of a child that
makes the inputs only.
"""

import argparse
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from peers.diffusion_peers import Dense, plain_sample
from torch import Tensor, nn

from pasdedeux.base.seeding import generator, number
from pasdedeux.diffusion.algorithm import algorithm_1
from pasdedeux.diffusion.contrast import Contrast, Noised, objective
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.negative import shuffled
from pasdedeux.diffusion.sampling import sample
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.transformer import Transformer, TransformerConfig

Call = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
LAMBDA, STEPS, SAMPLED = 5e-5, 80, 20
chosen = argparse.Namespace(rounds=5, clock="wall", negatives=10, condition="token")


class Size(NamedTuple):
    """Batch, positions and codes, and width and layers of the network."""

    B: int
    L: int
    K: int
    width: int
    layers: int


SIZES = {
    "small": Size(16, 86, 256, 96, 3),
    "middle": Size(8, 172, 512, 128, 4),
    "large": Size(2, 344, 2048, 128, 4),
}


class Network(nn.Module):
    """Codes and their places to logits; the step sets the normalisations.

    The music's condition is a memory of one vector, as in the paper, or with `--condition bias` a
    vector added to the input: attention to one position is a bias whatever asks for it.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.tokens = nn.Embedding(size.K + 1, size.width)
        self.places = nn.Parameter(torch.randn(size.L, size.width) * 0.02)
        self.steps = nn.Embedding(STEPS + 1, size.width)
        memory = size.width if chosen.condition == "token" else None
        self.body = Transformer(
            TransformerConfig(
                size.width, heads=4, layers=size.layers, memory=memory, condition=size.width
            )
        )
        self.head = nn.Linear(size.width, size.K)
        self.music = nn.Parameter(torch.randn(1, 1, size.width))

    def forward(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return logits (B, K, L)."""
        x, memory = self.tokens(noisy) + self.places, self.music.expand(len(noisy), -1, -1)
        if chosen.condition == "bias":
            x, memory = x + memory, None
        x = self.body(x, memory, condition=self.steps(t))
        return torch.matmul(self.head.weight, x.mT) + self.head.bias[:, None]


class Problem:
    """One batch of random codes, their negatives, and the two ways to its losses."""

    def __init__(self, size: Size) -> None:
        self.size, self.schedule = size, Schedule(size.K, STEPS)
        self.dense = Dense(self.schedule)
        start = torch.randint(size.K, (size.B, size.L), generator=generator(0, "codes"))
        t = torch.randint(1, STEPS + 1, (size.B,), generator=generator(0, "t"))
        t[0] = 1  # the step whose loss the dense form treats apart
        noisy = corrupted(self.schedule, start, t, generator(0, "noise"))
        self.noised = Noised(start, noisy, t, torch.full((size.B,), 1 / STEPS))
        self.negatives = shuffled(start, generator(0, "negatives"), negatives=chosen.negatives)
        self.contrast = Contrast.system("step-intra", LAMBDA)
        with seeded(number(0, "network")):
            self.network = Network(size)
        draw = generator(0, "logits")
        self.logits = torch.randn(size.B, size.K, size.L, generator=draw).requires_grad_()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4, fused=True)

    def ours(self, logits: Tensor, contrast: Contrast | None = None) -> Tensor:
        """Return the total by the closed form."""
        found = objective(
            self.schedule,
            logits,
            self.noised,
            contrast or self.contrast,
            {"intra": self.negatives},
        )
        return sum(found.weights.get(name, 1.0) * loss for name, loss in found.losses.items())

    def theirs(self, logits: Tensor, *, batched: bool = False) -> Tensor:
        """Return the same total by dense logarithms."""
        start, noisy, t, probability = self.noised
        loss = self.dense.batched if batched else self.dense.loss
        own, wrong, others = loss(logits, start, noisy, t, self.negatives)
        share = t / STEPS
        total = own + self.contrast.auxiliary * (2 - share) * wrong
        total = total - LAMBDA * (1 + share) * others
        return (total / probability).sum() / start.numel()

    def literal(self) -> Tensor:
        """Return the total with every negative sent through the network at its own z_t."""
        start, _, t, probability = self.noised
        lines = algorithm_1(
            self.network, self.schedule, start, self.negatives, t, generator(0, "literal"),
            terms="last",
        )  # fmt: skip
        return ((lines.bound + LAMBDA * lines.contrast) / probability).sum() / start.numel()

    def slope(self, total: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the gradient with respect to the logits."""
        return torch.autograd.grad(total(self.logits), self.logits)[0]

    def step(self, total: Callable[[Tensor], Tensor] | None = None) -> None:
        """Train the network once; without a loss of logits, by the literal algorithm."""
        self.optimizer.zero_grad(set_to_none=True)
        if total is None:
            self.literal().backward()
        else:
            total(self.network(self.noised.noisy, self.noised.t)).backward()
        self.optimizer.step()


def race(title: str, ours: Call, peers: dict[str, Call]) -> None:
    """Print the ratio of every peer to ours, taken inside each round."""
    for call in (ours, *peers.values()):
        call()
    own, ratios = [], {name: [] for name in peers}
    now = CLOCKS[chosen.clock]
    for _ in range(chosen.rounds):
        begun = now()
        ours()
        own.append(now() - begun)
        for name, peer in peers.items():
            begun = now()
            peer()
            ratios[name].append((now() - begun) / own[-1])
    print(f"  {title}: ours {statistics.median(own) * 1e3:.1f} ms")
    for name, found in ratios.items():
        print(f"    {name}: {statistics.median(found):.1f}x [{min(found):.1f}, {max(found):.1f}]")


def agreement(problem: Problem) -> str:
    """Return how far loss and gradient are apart; refuse to race other numbers."""
    ours, theirs = problem.ours(problem.logits).item(), problem.theirs(problem.logits).item()
    slopes = [problem.slope(total) for total in (problem.ours, problem.theirs)]
    apart = ((slopes[0] - slopes[1]).norm() / slopes[1].norm()).item()
    assert abs(ours - theirs) < 1e-4 * abs(theirs), (ours, theirs)
    assert apart < 1e-4, apart
    return f"loss {ours:.5f} and {theirs:.5f}, gradients {apart:.0e} apart"


def losses(problem: Problem) -> None:
    """Race loss and gradient of the logits."""
    vanilla = Contrast()
    race(
        "loss and gradient",
        lambda: problem.slope(problem.ours),
        {
            "dense, loop over negatives": lambda: problem.slope(problem.theirs),
            "dense, negatives in one batch": lambda: problem.slope(
                lambda logits: problem.theirs(logits, batched=True)
            ),
            "ours without negatives": lambda: problem.slope(
                lambda logits: problem.ours(logits, vanilla)
            ),
        },
    )


def steps(problem: Problem) -> None:
    """Race whole training steps."""
    race(
        "training step",
        lambda: problem.step(problem.ours),
        {
            "dense, loop over negatives": lambda: problem.step(problem.theirs),
            "Algorithm 1 to the letter, closed form": problem.step,
            "ours without negatives": lambda: problem.step(
                lambda logits: problem.ours(logits, Contrast())
            ),
        },
    )


def sampling(problem: Problem) -> None:
    """Race sampling in `SAMPLED` steps, with the network and with logits that cost nothing."""
    size, schedule = problem.size, Schedule(problem.size.K, SAMPLED)
    dense, shape, logits = Dense(schedule), (size.B, size.L), 3 * problem.logits.detach()
    networks = {"network": problem.network, "no network": lambda noisy, t: logits}
    for name, network in networks.items():
        race(
            f"sampling in {SAMPLED} steps, {name}",
            lambda net=network: sample(net, schedule, shape, generator(0, "sample")),
            {
                "dense with sort and Gumbel numbers": lambda net=network: plain_sample(
                    dense, net, shape, generator(0, "sample"), 0.86
                )
            },
        )


def resident(size: Size, entrant: str) -> float:
    """Return the largest resident set of this process in MB."""
    torch.set_num_threads(1)
    problem = Problem(size)
    if entrant != "inputs":
        problem.slope(problem.ours if entrant == "closed form" else problem.theirs)
    return largest_resident()


def largest_resident() -> float:
    """Return the largest resident set of this process so far in MB; Linux only."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def memory(problem: Problem) -> None:
    """Print what loss and gradient need beside the inputs; Linux only."""
    context, found = multiprocessing.get_context("spawn"), {}
    for entrant in ("inputs", "closed form", "dense"):
        with ProcessPoolExecutor(1, mp_context=context) as pool:  # a process for each
            found[entrant] = pool.submit(resident, problem.size, entrant).result()
    ours, dense = (found[name] - found["inputs"] for name in ("closed form", "dense"))
    print(f"  peak memory of loss and gradient: ours {ours:.0f} MB, dense {dense:.0f} MB")


SECTIONS = {"loss": losses, "step": steps, "sampling": sampling, "memory": memory}


def main() -> None:
    """Race the sections asked for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--negatives", type=int, default=10)
    options.add_argument("--condition", choices=["token", "bias"], default="token")
    options.add_argument("--clock", choices=CLOCKS, default="wall")
    options.add_argument("--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    options.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    options.parse_args(namespace=chosen)
    torch.set_num_threads(chosen.threads)
    print(f"float32, {chosen.threads} thread(s), {chosen.rounds} rounds, {chosen.clock} seconds; "
          f"load {os.getloadavg()[0]:.1f}; N = {chosen.negatives}")  # fmt: skip
    for name in chosen.sizes:
        problem = Problem(SIZES[name])
        print(f"{name}: {problem.size}; {agreement(problem)}")
        for section in chosen.sections:
            SECTIONS[section](problem)


if __name__ == "__main__":
    main()
