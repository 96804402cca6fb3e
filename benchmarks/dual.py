"""Dual learning: a training step against torch's layers, memory, the share of L_GW, decoding.

Rounds take turns; a ratio is taken inside each round and printed as median [least, most], more
being better for us. Equal results are checked before anything is timed. Peak memory is that of a
process of its own, less what it held before the model was made.
Run: python benchmarks/dual.py [--only step share memory decoding]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import torch
from peers.dual_peers import decoded_anew, with_torch_layers

from pasdedeux.base.seeding import generator
from pasdedeux.ot.gromov import algorithm_1
from pasdedeux.papers.dual import Dual
from pasdedeux.papers.dual_networks import Dancing
from pasdedeux.papers.dual_settings import DualSettings

FRAMES, BATCH, WINDOWS = 75, 16, 32
SAME = 1e-3  # of each loss: float32 over three steps


def sizes() -> dict[str, DualSettings]:
    """Return the settings that are timed, all without dropout, so that both can be compared."""
    laptop = replace(DualSettings.laptop(), device="cpu")
    paper = replace(DualSettings.gpu(), device="cpu", dropout=0.0)
    middle = replace(laptop, width_dance=256, width_music=128, heads=8, layers=3, noise=64)
    return {"laptop": laptop, "middle": middle, "paper": paper}


def named(settings: DualSettings) -> str:
    """Return the size in words; training batches are of 16."""
    widths, layers = f"{settings.width_dance}/{settings.width_music}", settings.layers
    return f"{widths}, {layers}+{layers} layers"


def learner(settings: DualSettings) -> Dual:
    """Return dual learning on random windows, before its first step."""
    draw = generator(0, "benchmark")
    songs = torch.randn(WINDOWS, FRAMES, 53, generator=draw)
    songs[..., 40:53] = songs[..., 40:53].sigmoid()
    poses = torch.randn(WINDOWS, FRAMES, 147, generator=draw)
    data = SimpleNamespace(train=SimpleNamespace(music=songs.numpy(), pose=poses.numpy()))
    return Dual(settings, data, seed=0)


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def race(title: str, ours: Callable, peer: Callable, rounds: int) -> None:
    """Print the ratio of the peer's time to ours; who goes first alternates."""
    ratios, own = [], []
    for number in range(rounds):
        order = (ours, peer) if number % 2 == 0 else (peer, ours)
        taken = {call: seconds(call) for call in order}
        own.append(taken[ours])
        ratios.append(taken[peer] / taken[ours])
    told = f"{statistics.median(ratios):.2f}x [{min(ratios):.2f}, {max(ratios):.2f}]"
    print(f"{title}: ours {statistics.median(own) * 1e3:.1f} ms, peer {told}", flush=True)


def step(settings: DualSettings, rounds: int) -> None:
    """Race a whole training step (losses, gradients, Adam) against torch.nn's layers."""
    ours = learner(settings)
    peer = with_torch_layers(ours)
    apart = 0.0
    for index in range(3):
        told, other = ours.step(index), peer.step(index)
        apart = max(apart, *(abs(other[name] / told[name] - 1) for name in told))
    if apart > SAME:
        raise SystemExit(f"{named(settings)}: losses differ by {apart:.1e}, nothing is timed.")
    title = f"training step, {named(settings)}, losses within {apart:.0e}; torch.nn"
    race(title, lambda: ours.step(3), lambda: peer.step(3), rounds)


def share(settings: DualSettings, rounds: int) -> None:
    """Print which share of one update is Algorithm 1 with its gradient."""
    ours, draw = learner(settings), generator(0, "embeddings")
    music = torch.randn(BATCH, settings.width_dance, generator=draw, requires_grad=True)
    dance = torch.randn(BATCH, settings.width_music, generator=draw)

    def matched() -> None:
        algorithm_1(dance, music).value.backward()

    for call in (lambda: ours.step(0), matched):
        call()
    shares = [100 * seconds(matched) / seconds(lambda: ours.step(1)) for _ in range(rounds)]
    told = f"{statistics.median(shares):.2f} % [{min(shares):.2f}, {max(shares):.2f}]"
    print(f"L_GW's share of a step, {named(settings)}: {told}", flush=True)


def decoding(settings: DualSettings, batch: int, rounds: int) -> None:
    """Race G_MD frame by frame with its cache against computing all frames anew."""
    torch.manual_seed(0)
    network = Dancing(replace(settings, decoding="autoregressive")).eval()
    memory = torch.randn(batch, FRAMES, settings.width_dance)
    start, noise = torch.randn(batch, 147), torch.randn(batch, settings.noise)

    def cached() -> torch.Tensor:
        return network.decoded(memory, start, noise)

    def anew() -> torch.Tensor:
        return decoded_anew(network, memory, start, noise)

    with torch.inference_mode():
        largest = float(anew().abs().max())
        apart = float((cached() - anew()).abs().max()) / largest
        if apart > SAME:
            raise SystemExit(f"decoding differs by {apart:.1e}, nothing is timed.")
        title = f"decoding {FRAMES} frames, {named(settings)}, {batch} at once"
        race(f"{title}, equal to {apart:.0e}; no cache", cached, anew, rounds)


def memory(size: str) -> None:
    """Print the peak memory of three training steps, ours and the peer's, each on its own."""
    found = {}
    for who in ("ours", "peer"):
        command = [sys.executable, __file__, "--child", size, who]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[who] = float(done.stdout)
    told = f"ours {found['ours']:.0f} MB, torch.nn {found['peer']:.0f} MB"
    print(f"peak memory of a training step, {named(sizes()[size])}: {told}", flush=True)


def child(size: str, who: str) -> None:
    """Do three steps and print how many MB the process has grown by."""
    torch.set_num_threads(1)
    before = peak_mb()
    made = learner(sizes()[size])
    made = made if who == "ours" else with_torch_layers(made)
    for index in range(3):
        made.step(index)
    print(peak_mb() - before)


def peak_mb() -> float:
    """Return the largest resident memory of this process so far.

    Where Linux tells it: `getrusage` counts there what the parent held when it started the child.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Run what is asked for."""
    parts = ("step", "share", "decoding", "memory")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child)
        return
    torch.set_num_threads(asked.threads)
    print(f"torch {torch.__version__}, float32, {asked.threads} thread(s), {asked.rounds} rounds")
    for size, settings in sizes().items():
        rounds = asked.rounds if size != "paper" else max(1, asked.rounds // 3)
        if "step" in asked.only and size != "paper":
            step(settings, rounds)
        if "share" in asked.only:
            share(settings, rounds)
        if "decoding" in asked.only and size != "middle":
            for batch in (1, 16):
                decoding(settings, batch, rounds)
        if "memory" in asked.only and size != "middle":
            memory(size)


if __name__ == "__main__":
    main()
