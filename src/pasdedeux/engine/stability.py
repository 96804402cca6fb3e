"""How often trainings diverge: many short runs, each judged by a definition made beforehand.

A run has *diverged* when any of these is true, each of which is counted by itself (`CAUSES`):

| cause    | when                                                                              |
|----------|-----------------------------------------------------------------------------------|
| refused  | an update was refused: a loss, cost or gradient was not finite, or all generated  |
|          | dances were one; or what was generated in the end was not finite                  |
| farther  | the transport distance in the end is above that of the untrained generator        |
| too fast | generated dances move at more than 5 times the speed of real ones                 |
| still    | they move at less than 0.05 times that speed: collapse to a still body            |

"In the end" is after the last update, on batches that no update saw in this order and noise, the
same for every system and for the untrained generator. A run that refused is judged by that alone.
"""

import contextlib
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch

from pasdedeux.base import device, files, paths, progress, source
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.profiles import PROFILES
from pasdedeux.data.pairs import Pairs
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.papers.mdot import Batch, Generating, Mdot, MdotSettings, dance_cost, song_cost
from pasdedeux.papers.mdot_wgan import Wgan, WganSettings, beside
from pasdedeux.training.dances import DanceTraining, opened
from pasdedeux.training.loop import Learner, fit
from pasdedeux.training.run import KEY_LENGTH, Run, read_log

CAUSES = ("refused", "farther", "too fast", "still")
FASTEST, SLOWEST = 5.0, 0.05  # in speeds of real dances
PROBES = 4  # pairs of batches behind the numbers of the end
STOPPED, ENDING = "stopped.json", "ending.json"
CODE, PERCENT = "pasdedeux.papers.mdot_wgan", 100.0
Make = Callable[..., Generating]  # (settings, pairs, seed=...)
FULL = DualSettings()
SMALL = replace(DualSettings.laptop(), width_dance=48, layers=1)
TINY = replace(SMALL, width_dance=16, heads=2, noise=8)
SIZES = {"quick": (TINY, 6), "laptop": (SMALL, 8), "gpu": (FULL, 16), "paper": (FULL, 16)}


class StoppedError(ValueError):
    """An update refused: which one, counted from 1, and why."""

    def __init__(self, step: int, why: str) -> None:
        super().__init__(f"update {step} refused: {why}")
        self.step, self.why = step, why


class Guarded:
    """A learner whose refused update is told with its number."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.modules, self.optimizers = learner.modules, learner.optimizers

    def step(self, index: int) -> dict[str, float]:
        """Do update `index`; raises `StoppedError` where the learner refuses it."""
        try:
            return self.learner.step(index)
        except ValueError as error:
            raise StoppedError(index + 1, str(error)) from error


def attempt(learner: Learner, folder: Path, **fitting: Any) -> StoppedError | None:
    """Train as `training.loop.fit` does with `fitting`; returns why it stopped, or None.

    What stopped a run is kept in its folder, so that a second call does not train again.
    """
    kept = folder / STOPPED
    if kept.exists():
        told = json.loads(kept.read_text(encoding="utf-8"))
        return StoppedError(told["step"], told["why"])
    try:
        fit(Guarded(learner), folder=folder, **fitting)
    except StoppedError as stopped:
        files.write_json(kept, {"step": stopped.step, "why": stopped.why})
        return stopped
    return None


class Ending(NamedTuple):
    """One short run: what stopped it (0 where nothing did), and its numbers in the end.

    `transport`, `speed` and `speed, real` as logged; `untrained` is the transport before training;
    `geometry` and `own song (%)` as `probed` tells. Empty where an update refused.
    """

    system: str
    rate: float
    seed: int
    run: str
    stopped: int
    why: str
    numbers: dict[str, float]

    @property
    def causes(self) -> dict[str, bool]:
        """Each cause of `CAUSES`, and whether it is true of this run."""
        return causes(self.numbers, stopped=self.stopped > 0)

    @property
    def diverged(self) -> bool:
        """Whether any cause is true."""
        return any(self.causes.values())

    @property
    def not_only_farther(self) -> bool:
        """Whether any cause besides "farther" is true; a WGAN does not descend that distance."""
        return any(true for cause, true in self.causes.items() if cause != "farther")

    def log(self) -> list[dict[str, float | int]]:
        """Return the training log of the run, up to where it stopped."""
        return read_log(paths.root() / self.run)


def causes(numbers: Mapping[str, float], *, stopped: bool = False) -> dict[str, bool]:
    """Return which causes of divergence the numbers of a run's end show, as the table above."""
    values = [numbers.get(name, math.nan) for name in ("transport", "speed", "untrained")]
    if stopped or not all(map(math.isfinite, values)):
        return {cause: cause == "refused" for cause in CAUSES}
    ratio = numbers["speed"] / numbers["speed, real"]
    return {
        "refused": False,
        "farther": numbers["transport"] > numbers["untrained"],
        "too fast": ratio > FASTEST,
        "still": ratio < SLOWEST,
    }


@torch.no_grad()
def probed(learner: Generating) -> dict[str, float]:
    """Return what a generator makes of `PROBES` pairs of batches, a mean over them.

    transport, speed, speed, real: as logged. geometry: the correlation of the distances of songs
    and of the dances made of them, -1 to 1. own song (%): how often a dance to its own song is
    nearer to the real one than a dance from the same pose to another song, both without noise;
    50 by chance.
    """
    learner.dancing.eval()
    found = [
        _probe(learner, learner.batch(k, "probe"), learner.batch(k, "probe, other"))
        for k in range(PROBES)
    ]
    learner.dancing.train()
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _probe(learner: Generating, batch: Batch, other: Batch) -> dict[str, float]:
    settings = learner.settings
    songs = song_cost(batch.songs, other.songs).flatten()
    dances = dance_cost(batch.made, other.made, every=settings.every).flatten()
    both = torch.stack([songs, dances])
    alike = float(torch.corrcoef(both)[0, 1]) if bool((both.std(1) > 0).all()) else 0.0
    heard = [learner.dancing.encoded(y) for y in (batch.songs, batch.songs.roll(1, 0))]
    noise = torch.zeros(len(batch.songs), settings.network.noise).to(batch.songs)
    far = [
        dance_cost(learner.dancing.danced(memory, batch.real[:, 0], noise), batch.real).diagonal()
        for memory in heard
    ]
    own = (far[0] < far[1]).float() + 0.5 * (far[0] == far[1]).float()
    told = beside((batch, other), settings)
    return told | {"geometry": alike, "own song (%)": PERCENT * float(own.mean())}


@dataclass(frozen=True)
class StabilitySettings:
    """The grid of short runs."""

    rates: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    steps: int = 150  # updates of the generator
    log_every: int = 5  # updates from one row of a log to the next

    def __post_init__(self) -> None:
        """Refuse a grid without runs."""
        distinct = len(set(self.rates)) == len(self.rates)
        refuse(not self.rates or not distinct, f"rates must be distinct, got {self.rates}.")
        for name in ("steps", "log_every"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")

    @classmethod
    def paper(cls) -> "StabilitySettings":
        """Many more updates than `laptop`; the README gives no number."""
        return cls(steps=1000)

    @classmethod
    def gpu(cls) -> "StabilitySettings":
        """As `paper`."""
        return cls.paper()

    @classmethod
    def laptop(cls) -> "StabilitySettings":
        """Few, because there are 36 runs."""
        return cls(steps=40)

    @classmethod
    def quick(cls) -> "StabilitySettings":
        """Enough to see that the study runs, not to judge anything by it."""
        return cls(steps=5, log_every=1)


def stability(
    systems: Mapping[str, tuple[Make, MdotSettings]],
    pairs: Pairs,
    settings: StabilitySettings,
) -> list[Ending]:
    """Return the end of every system at every rate under every seed of its settings.

    `systems` gives for each label how its learner is made, and its settings; steps and rates are
    those of `settings`. Runs are kept, and a second call loads them.
    """
    refuse(not systems, "stability was given no systems; name at least one.")
    first = next(iter(systems.values()))[1]
    jobs = [joblib.delayed(_one_seed)(systems, pairs, settings, seed) for seed in first.seeds]
    workers = min(first.workers, len(jobs))
    found = (
        joblib.Parallel(n_jobs=workers, return_as="generator")(jobs)
        if workers > 1
        else (job(*args, **named) for job, args, named in jobs)
    )
    return [ending for seed in found for ending in seed]


def stability_systems(profile: str, like: DanceTraining) -> dict[str, tuple[Make, MdotSettings]]:
    """Return MDOT-Net with and without GW and both WGANs, on the data and seeds of `like`.

    The generator is smaller than that of the tables, so that many runs can be afforded.
    """
    network, batch = SIZES[choice("profile", profile, PROFILES)]
    shared = {name: getattr(like, name) for name in ("pairs", "seeds", "workers", "device")}
    ours = MdotSettings(**shared, network=network, batch=batch)
    wgan = WganSettings(**shared, network=network, batch=batch)
    return {
        "MDOT-Net": (Mdot, ours),
        "MDOT-Net without GW": (Mdot, replace(ours, gromov=0.0)),
        "WGAN, clipped": (Wgan, replace(wgan, lipschitz="clip")),
        "WGAN, penalty": (Wgan, wgan),
    }


def _one_seed(
    systems: Mapping[str, tuple[Make, MdotSettings]],
    pairs: Pairs,
    grid: StabilitySettings,
    seed: int,
) -> list[Ending]:
    found = []
    for label, (make, settings) in systems.items():
        # a rate changes nothing before the first update, so all runs of a system begin alike
        fresh = partial(make, settings, pairs, seed=seed)
        untrained = cache(lambda fresh=fresh: _measured(fresh())["transport"])
        for rate in grid.rates:
            chosen = _at(settings, rate, grid)
            run = opened(f"short-{_slug(label)}", chosen, pairs, seed, code=CODE)
            task = f"seed {seed}: {label} at {rate:g}"
            begin = partial(make, chosen, pairs, seed=seed)
            told = _ended(run, begin, untrained, task=task, log_every=grid.log_every)
            found.append(Ending(label, rate, seed, run.name, **told))
            total = len(systems) * len(grid.rates)
            progress.report(f"seed {seed}: short runs", len(found), total, note=label)
    return found


def _slug(label: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in label.lower())


def _at(settings: MdotSettings, rate: float, grid: StabilitySettings) -> MdotSettings:
    """Return `settings` at one rate of the grid, with its number of updates and rows."""
    rows = {"log_every": grid.log_every} if isinstance(settings, WganSettings) else {}
    return replace(settings, rates=((0, rate),), steps=grid.steps, **rows)


def _ended(
    run: Run, begin: Callable[[], Generating], untrained: Callable[[], float], **fitting: Any
) -> dict[str, Any]:
    """Return the last three fields of `Ending` by name; what is kept is read, and nothing made."""
    kept, how = run.folder / ENDING, source.fingerprint(__file__)[:KEY_LENGTH]
    told = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if told.get("measured by") != how:
        told = _made(begin(), run.folder, untrained(), **fitting) | {"measured by": how}
        files.write_json(kept, told)
    return {name: told[name] for name in ("stopped", "why", "numbers")}


def _made(learner: Generating, folder: Path, untrained: float, **fitting: Any) -> dict[str, Any]:
    """Train and measure; returns what `_ended` does."""
    settings = learner.settings
    with contextlib.redirect_stdout(io.StringIO()):  # many short runs: only the study tells lines
        stopped = attempt(
            learner, folder, steps=settings.steps, threads=settings.threads, **fitting
        )
    numbers: dict[str, float] = {}
    if stopped is None:
        try:
            numbers = _measured(learner) | {"untrained": untrained}
        except ValueError as error:
            stopped = StoppedError(settings.steps, f"in the end: {error}")
    step, why = (0, "") if stopped is None else (stopped.step, stopped.why)
    return {"stopped": step, "why": why, "numbers": numbers}


def _measured(learner: Generating) -> dict[str, float]:
    """Return what `probed` says, always with the same bits; refuses numbers that are not finite."""
    with device.reproducible(learner.settings.threads):
        found = probed(learner)
    bad = sorted(name for name, value in found.items() if not math.isfinite(value))
    refuse(bool(bad), f"{bad} of the generated dances are not finite.")
    return found
