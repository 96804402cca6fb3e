"""A whole update of contrastive diffusion (`papers.cdcd`) against what the release does for it.

Everything is in it: drawing clips, steps, noise and negatives, motion encoder, denoiser, losses,
gradients, AdamW and the average of the weights. The peers take the same update with the dense
log-space losses of `peers/diffusion_peers.py`, one negative after the other; "as released" also
writes its attention out, that to the one position of the condition too. All numbers that come out
are compared before anything is timed. Entrants take turns; a cell is the median [least, most] over
the rounds of time(peer) / time(ours), more being better for us. `diffusion.py` races the step of
the denoiser alone.

    python benchmarks/cdcd.py                                  about five minutes
    python benchmarks/cdcd.py --sections step --sizes laptop --rounds 9 --clock cpu

The section "tokens" has a VQ-VAE of the laptop's size encode, at every update, the batch, and the
batch with its inter negatives, as released (there three encoders do it, of which one is used).
Clips are random: their music, their dances. Memory is the largest resident set of a child process
that takes one update, less that of one that takes none.
"""

import argparse
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from diffusion import CLOCKS, SIZES, Size, chosen, largest_resident, race
from peers.diffusion_peers import Dense, released

from pasdedeux.base.seeding import number
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.diffusion.contrast import Contrast, Objective, objective
from pasdedeux.nn.seeded import seeded
from pasdedeux.papers import cdcd
from pasdedeux.papers.cdcd_codec import Codec
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.musics import Material

CLIPS = 97


class RandomClips:
    """Stands for `data.clips.Clips`: random dances of three genres, all to be learnt from."""

    def __init__(self) -> None:
        self.settings, self.genres = ClipSettings(), ("a", "b", "c")
        self.genre = self.song = np.arange(CLIPS) % 3

    def __len__(self) -> int:
        return CLIPS

    def rows(self, part: str) -> np.ndarray:
        """Return all rows."""
        return np.arange(CLIPS)

    def motion(self, rows: np.ndarray) -> np.ndarray:
        """Return random motion."""
        shape = (CLIPS, self.settings.frames, 219)
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)[rows]


class DenseObjective:
    """Takes the place of `contrast.objective` for Step-Intra: the same losses, densely."""

    def __init__(self, schedule) -> None:
        self.dense = Dense(schedule)

    def __call__(self, schedule, logits, noised, contrast, negatives, *, active=None) -> Objective:
        """Return the losses."""
        start, noisy, t, probability = noised
        own, wrong, others = self.dense.loss(logits, start, noisy, t, negatives["intra"])
        over, share = 1 / (probability * start.numel()), t / schedule.steps
        losses = {
            "bound": (over * own).sum(),
            "auxiliary": (over * (2 - share) * wrong).sum(),
            "step_intra": -(over * (1 + share) * others).sum(),
        }
        weights = {"auxiliary": contrast.auxiliary, "step_intra": contrast.step_intra}
        return Objective(losses, weights, own.detach())


def settings(size: Size) -> CdcdSettings:
    """Return the laptop's settings at `size`."""
    contrast = replace(Contrast.system("step-intra"), negatives=chosen.negatives)
    return replace(
        CdcdSettings.laptop(), batch=size.B, width=size.width, layers=size.layers, device="cpu",
        contrast=contrast, diffusion_steps=80,
    )  # fmt: skip


class Update:
    """One learner on random clips, and how it comes to its losses."""

    def __init__(self, size: Size, *, dense: bool = False, plain: bool = False) -> None:
        codec = argparse.Namespace(codes=size.K)
        tokens = np.random.default_rng(1).integers(size.K, size=(CLIPS, size.L)).astype(np.int16)
        material = Material(RandomClips(), codec, tokens, "random")
        self.learner = cdcd.Cdcd(settings(size), material, seed=0)
        self.losses = DenseObjective(self.learner.schedule) if dense else objective
        if plain:
            self._attend()
        self.done = 0

    def _attend(self) -> None:
        """Give the learner a network of the same weights that attends as the release does."""
        learner, chosen_settings = self.learner, self.learner.settings
        for network in (learner.network, learner.average.inner):
            network.denoiser = released(network.denoiser)
        group = {"betas": chosen_settings.betas, "weight_decay": chosen_settings.weight_decay}
        adam = torch.optim.AdamW(learner.network.parameters(), **group, fused=True)
        learner.optimizers = {"network": adam}

    def __call__(self) -> dict[str, float]:
        """Take the next update; returns its numbers."""
        self.done += 1
        with patch.object(cdcd, "objective", self.losses):
            return self.learner.step(self.done - 1)


def agreement(size: Size) -> str:
    """Return how far the entrants' losses are apart; refuse to race other numbers."""
    found = [Update(size)(), Update(size, dense=True)(), Update(size, dense=True, plain=True)()]
    apart = max(abs(other[name] / found[0][name] - 1) for other in found[1:] for name in found[0])
    assert apart < 1e-3, found
    return f"losses and norm of the gradient {apart:.0e} apart"


def steps(size: Size) -> None:
    """Race whole updates."""
    race(
        "update",
        Update(size),
        {
            "dense losses, loop over negatives": Update(size, dense=True),
            "as released: the same with plain attention": Update(size, dense=True, plain=True),
        },
    )


class Encoding:
    """An update before which clips are encoded."""

    def __init__(self, size: Size, clips: int, *, released: bool = False) -> None:
        self.update = Update(size, dense=released, plain=released)
        with seeded(number(0, "codec")):
            self.codec = Codec(CodecSettings.laptop())
        self.sound = torch.randn(clips, 44_100).mul(0.1)

    def __call__(self) -> None:
        """Encode and take an update."""
        for one in self.sound:  # a clip at a time, as released
            self.codec.encode(one[None])
        self.update()


def tokens(size: Size) -> None:
    """Race updates on kept tokens against updates that encode."""
    every = size.B * (1 + chosen.negatives)
    race(
        "update on kept tokens",
        Update(size),
        {
            "encoding the batch": Encoding(size, size.B),
            "encoding batch and negatives": Encoding(size, every),
            "as released: the same, dense, with plain attention": Encoding(
                size, every, released=True
            ),
        },
    )


def resident(size: Size, entrant: str) -> float:
    """Return the largest resident set of this process in MB."""
    torch.set_num_threads(1)
    one = Update(size, dense=entrant == "dense", plain=entrant == "dense")
    if entrant != "none":
        one()
    return largest_resident()


def memory(size: Size) -> None:
    """Print what an update needs beside the learner; Linux only."""
    context, found = multiprocessing.get_context("spawn"), {}
    for entrant in ("none", "closed form", "dense"):
        with ProcessPoolExecutor(1, mp_context=context) as pool:  # a process for each
            found[entrant] = pool.submit(resident, size, entrant).result()
    ours, dense = (found[name] - found["none"] for name in ("closed form", "dense"))
    print(f"  peak memory of an update: ours {ours:.0f} MB, dense {dense:.0f} MB; "
          f"the whole process {found['closed form']:.0f} and {found['dense']:.0f} MB")  # fmt: skip


SECTIONS: dict[str, Callable[[Size], None]] = {"step": steps, "tokens": tokens, "memory": memory}


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
        size = SIZES[name]
        print(f"{name}: {size}; {agreement(size)}")
        for section in chosen.sections:
            SECTIONS[section](size)


if __name__ == "__main__":
    main()
