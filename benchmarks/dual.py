"""Dual learning: the share of Gromov-Wasserstein in a step, cached decoding, torch's layers.

Rounds take turns; a ratio is taken inside each round and printed as median [least, most], more
being better for us. Equal results are checked before anything is timed.
Run: python benchmarks/dual.py
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from pasdedeux.base.seeding import generator
from pasdedeux.nn.transformer import Cache, Transformer, TransformerConfig
from pasdedeux.ot.gromov import algorithm_1
from pasdedeux.papers import dual

FRAMES, BATCH = 75, 16


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def race(title: str, ours: Callable, peer: Callable, rounds: int) -> None:
    """Print the ratio of the peer's time to ours."""
    ratios, own = [], []
    for _ in range(rounds):
        own.append(seconds(ours))
        ratios.append(seconds(peer) / own[-1])
    told = f"{statistics.median(ratios):.2f}x [{min(ratios):.2f}, {max(ratios):.2f}]"
    print(f"{title}: ours {statistics.median(own) * 1e3:.1f} ms, peer {told}")


def gromov_share(settings: dual.DualSettings, rounds: int) -> None:
    """Print which share of one update is Algorithm 1 with its gradient."""
    draw = generator(0, "benchmark")
    songs = torch.randn(BATCH, FRAMES, 53, generator=draw)
    songs[..., 40:53] = songs[..., 40:53].sigmoid()
    poses = torch.randn(BATCH, FRAMES, 147, generator=draw)
    dancing, composing = dual.Dancing(settings), dual.Composing(settings)
    learner = object.__new__(dual.Dual)
    learner.settings, learner.seed, learner.where = settings, 0, torch.device("cpu")
    learner.dancing, learner.composing = dancing, composing

    def step() -> None:
        one, other = learner.losses(songs, poses, 0)
        sum((one | other).values()).backward()

    music = torch.randn(BATCH, settings.width_dance, generator=draw, requires_grad=True)
    dance = torch.randn(BATCH, settings.width_music, generator=draw)

    def matched() -> None:
        algorithm_1(dance, music).value.backward()

    for call in (step, matched):
        call()
    shares = [seconds(matched) / seconds(step) for _ in range(rounds)]
    print(
        f"widths {settings.width_dance}/{settings.width_music}: Algorithm 1 is "
        f"{100 * statistics.median(shares):.1f} % [{100 * min(shares):.1f}, "
        f"{100 * max(shares):.1f}] of a step"
    )


def decoding(batch: int, rounds: int) -> None:
    """Race one frame at a time with a cache against computing everything anew."""
    torch.manual_seed(0)
    made = Transformer(TransformerConfig(width=512, causal=True, memory=512)).eval()
    x, memory = torch.randn(batch, FRAMES, 512), torch.randn(batch, FRAMES, 512)

    def cached() -> torch.Tensor:
        caches, read = [Cache() for _ in made.blocks], made.read(memory)
        return torch.cat([made(part, read, caches=caches) for part in x.split(1, 1)], 1)

    def anew() -> torch.Tensor:
        ends = range(1, FRAMES + 1)
        return torch.cat([made(x[:, :end], memory)[:, -1:] for end in ends], 1)

    with torch.inference_mode():
        apart = (cached() - anew()).abs().max()
        race(f"decoding 75 frames, batch {batch}, equal to {apart:.0e}", cached, anew, rounds)


def layers(rounds: int) -> None:
    """Race a training step of our decoder against torch's own layers of the same size."""
    torch.manual_seed(0)
    config = TransformerConfig(width=256, heads=8, layers=3, memory=256)
    ours = Transformer(config)
    layer = nn.TransformerDecoderLayer(256, 8, 1024, dropout=0.0, batch_first=True, norm_first=True)
    theirs = nn.TransformerDecoder(layer, 3, norm=nn.LayerNorm(256))
    x, memory = torch.randn(BATCH, FRAMES, 256), torch.randn(BATCH, FRAMES, 256)
    calls = [lambda m=m: m(x, memory).square().mean().backward() for m in (ours, theirs)]
    for call in calls:
        call()
    race("forward and backward of 3 layers of 256, batch 16; torch.nn", *calls, rounds)


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"float32, {asked.threads} thread(s), {asked.rounds} rounds")
    small = dual.DualSettings.laptop()
    for settings in (small, replace(small, width_dance=256, width_music=128, layers=3)):
        gromov_share(settings, asked.rounds)
    for batch in (1, 16):
        decoding(batch, asked.rounds)
    layers(asked.rounds)


if __name__ == "__main__":
    main()
