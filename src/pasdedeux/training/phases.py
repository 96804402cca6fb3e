"""The phases that several systems start from, each a run of its own that is trained once.

Genres are "a", "b" and "both" (equal numbers of windows of each, shuffled together).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pasdedeux.base import device
from pasdedeux.base.checks import choice
from pasdedeux.data.melodies import MelodyPair
from pasdedeux.nn.recurrent import Recurrent
from pasdedeux.training import sequences
from pasdedeux.training.config import MelodyTraining
from pasdedeux.training.loop import fit
from pasdedeux.training.run import Run, open_run

PAPER = "fusion"
GENRES = ("a", "b", "both")
NOT_IN_KEY = ("seeds", "samples", "workers", "melody")  # they change no trained weight
CODE = "pasdedeux.training.phases"
SAMPLED_AT_ONCE = 2048


class Trained(NamedTuple):
    """A system ready to play: its run, and a way to draw windows of tokens."""

    run: Run
    sample: Callable[[int], Int[np.ndarray, "N T"]]


def windows(pair: MelodyPair, genre: str, settings: MelodyTraining) -> Int[Tensor, "N T"]:
    """Return the training windows of `genre` on the device of `settings`."""
    choice("genre", genre, GENRES)
    parts = [side.train for side, name in ((pair.a, "a"), (pair.b, "b")) if genre in (name, "both")]
    joined = np.concatenate(parts).astype(np.int64)
    return torch.from_numpy(joined).to(device.pick(settings.device))


def key(settings: MelodyTraining, cls: type = MelodyTraining) -> dict[str, Any]:
    """Return the settings of `cls` that decide trained weights, the device by its real name."""
    names = [field.name for field in dataclasses.fields(cls) if field.name not in NOT_IN_KEY]
    chosen = {name: getattr(settings, name) for name in names}
    return chosen | {"device": device.pick(settings.device).type}


def opened(system: str, settings: MelodyTraining, pair: MelodyPair, seed: int, **more: Any) -> Run:
    """Return the run of `system` on `pair`; `more` can name `after`, `code` and `cls`."""
    cls = more.pop("cls", MelodyTraining)
    code = more.pop("code", CODE)
    return open_run(
        PAPER, system, seed=seed, settings=key(settings, cls), data=pair.checksum, code=code, **more
    )


def likelihood(
    settings: MelodyTraining, pair: MelodyPair, seed: int, genre: str
) -> tuple[Recurrent, Run]:
    """Return a generator trained by maximum likelihood on `genre` (Algorithm 1, line 3)."""
    run = opened(f"likelihood-{genre}", settings, pair, seed)
    data = windows(pair, genre, settings)
    learner = sequences.Likelihood(settings, data, pair.vocabulary.size, seed=seed, name=genre)
    steps = sequences.likelihood_steps(settings, len(data))
    task = f"seed {seed}: likelihood on {genre}"
    fit(learner, steps=steps, folder=run.folder, task=task, threads=settings.threads, log_every=25)
    return learner.generator, run


def duel(
    settings: MelodyTraining, pair: MelodyPair, seed: int, genre: str, updates: int
) -> tuple[sequences.Duel, Run]:
    """Return the generator and critic of one GAN on `genre` after `updates` policy updates
    (Algorithm 1, lines 4 to 16), started from maximum likelihood.
    """
    started, before = likelihood(settings, pair, seed, genre)
    run = opened(f"gan-{genre}-{updates}", settings, pair, seed, after=(before,))
    data = windows(pair, genre, settings)
    learner = sequences.Duel(settings, data, started, seed=seed, name=genre)
    steps = settings.critic_warmup + updates
    task = f"seed {seed}: GAN on {genre}"
    fit(learner, steps=steps, folder=run.folder, task=task, threads=settings.threads, log_every=1)
    return learner, run


def sampled(
    generator: Recurrent, count: int, *, length: int, seed: int, name: str
) -> Int[np.ndarray, "N T"]:
    """Return `count` windows drawn from `generator` for the use called `name`."""
    spent = sequences.uniform((count, length), seed, "samples", name, like=generator)
    parts = [generator.sample(part) for part in spent.split(SAMPLED_AT_ONCE)]
    return torch.cat(parts).cpu().numpy()
