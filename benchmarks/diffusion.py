"""The closed form of the contrastive diffusion losses against dense log-space tensors.

Both take the same logits, tokens and N negatives; losses and gradients are compared before anything
is timed. They take turns; a cell is the median [least, most] over the rounds of time(peer) /
time(ours), more being better for us. A training step is network, loss, gradients and AdamW. The
network of the step "as released" has the same weights, and writes its attention out, also that to
the one position of the condition. `cdcd.py` races whole updates, with the motion encoder.

    python benchmarks/diffusion.py                         about six minutes
    python benchmarks/diffusion.py --sections loss --sizes small --rounds 3 --clock cpu

Memory is the largest resident set of a child process that does one thing, less that of a child that
makes the inputs only.
"""

import argparse
import copy
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
from peers.diffusion_peers import Dense, plain_sample, released
from torch import Tensor, nn

from pasdedeux.base.seeding import generator, number
from pasdedeux.diffusion.algorithm import algorithm_1
from pasdedeux.diffusion.contrast import Contrast, Noised, objective
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.negative import shuffled
from pasdedeux.diffusion.sampling import sample
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.denoiser import Denoiser, DenoiserConfig
from pasdedeux.nn.seeded import seeded

Call = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
LAMBDA, STEPS, SAMPLED = 5e-5, 80, 20
chosen = argparse.Namespace(rounds=5, clock="wall", negatives=10)


class Size(NamedTuple):
    """Batch, positions and codes, and width and layers of the network."""

    B: int
    L: int
    K: int
    width: int
    layers: int


SIZES = {
    "laptop": Size(4, 344, 256, 96, 3),
    "small": Size(16, 86, 256, 96, 3),
    "middle": Size(8, 172, 512, 128, 4),
    "large": Size(2, 344, 2048, 128, 4),
}


class Network(nn.Module):
    """The denoiser of `papers.cdcd` and one condition: codes and their steps to logits."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.denoiser = Denoiser(
            DenoiserConfig(
                size.K, size.L, steps=STEPS, width=size.width, layers=size.layers, heads=4,
                condition=size.width, activation="relu",
            )
        )  # fmt: skip
        self.music = nn.Parameter(torch.randn(1, 1, size.width))

    def forward(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return logits (B, K, L)."""
        return self.denoiser(noisy, t, self.music.expand(len(noisy), -1, -1))

    def as_released(self) -> "Network":
        """Return a copy that attends as the release does."""
        twin = copy.deepcopy(self)
        twin.denoiser = released(self.denoiser)
        return twin


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

    def literal(self, network: Network) -> Tensor:
        """Return the total with every negative sent through the network at its own z_t."""
        start, _, t, probability = self.noised
        lines = algorithm_1(
            network, self.schedule, start, self.negatives, t, generator(0, "literal"), terms="last"
        )
        return ((lines.bound + LAMBDA * lines.contrast) / probability).sum() / start.numel()

    def slope(self, total: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the gradient with respect to the logits."""
        return torch.autograd.grad(total(self.logits), self.logits)[0]


class Step:
    """Training of a network of its own, which begins as all others do."""

    def __init__(self, network: Network, total: Callable[[Network], Tensor]) -> None:
        self.network, self.total = copy.deepcopy(network), total
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4, fused=True)

    def __call__(self) -> dict[str, Tensor]:
        """Train once; returns the loss and some gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.total(self.network)
        loss.backward()
        self.optimizer.step()
        read = self.network.denoiser
        learnt = {"tokens": read.tokens, "head": read.head}
        found = {name: layer.weight.grad for name, layer in learnt.items()}
        return {"loss": loss.detach(), "condition": self.network.music.grad} | found


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

    def step(total: Callable[[Tensor], Tensor], network: Network = problem.network) -> Step:
        return Step(network, lambda network: total(network(*problem.noised[1:3])))

    ours, same = step(problem.ours), {
        "as released: dense, loop over negatives": step(
            problem.theirs, problem.network.as_released()
        ),
        "our network, dense losses": step(problem.theirs),
    }  # fmt: skip
    first = ours()
    for name, one in same.items():
        apart = {key: ((x - first[key]).norm() / first[key].norm()).item()
                 for key, x in one().items()}  # fmt: skip
        assert max(apart.values()) < 1e-4, (name, apart)
    literal = Step(problem.network, problem.literal)
    vanilla = step(lambda logits: problem.ours(logits, Contrast()))
    more = {"Algorithm 1 to the letter, closed form": literal, "ours without negatives": vanilla}
    race("training step", ours, same | more)


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
