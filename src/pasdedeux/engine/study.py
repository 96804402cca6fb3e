"""Train and measure several systems over several seeds, a seed in each process.

Everything is kept in run folders, so a second call with the same settings, data and code loads
what the first one made, and a killed call goes on where it was.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import joblib
import numpy as np
from jaxtyping import Int

from pasdedeux.base import files, paths, progress
from pasdedeux.base.checks import refuse
from pasdedeux.training.run import read_log

Measure = Callable[[np.ndarray, Any], dict[str, float]]


class Measured(NamedTuple):
    """One system under one seed: its run folder (relative to the project) and its numbers."""

    system: str
    seed: int
    run: str
    numbers: dict[str, float]

    def samples(self) -> Int[np.ndarray, "N T"]:
        """Return the windows the numbers were measured on."""
        return np.load(paths.root() / self.run / _file(self.system)).astype(np.int64)

    def log(self) -> list[dict[str, float | int]]:
        """Return the training log of the run; empty for a system that learns nothing."""
        return read_log(paths.root() / self.run)


def study(
    systems: Mapping[str, tuple[Callable, Any]], data: Any, measure: Measure
) -> list[Measured]:
    """Return the measurements of every system under every seed of its settings.

    `systems` gives, for each label, the function `train(settings, data, seed)` and its settings,
    which name seeds, samples and workers. Seeds run in parallel, the systems of a seed one after
    another, so the phases they share are trained once. `measure(samples, data)` returns numbers.
    """
    refuse(not systems, "study was given no systems; name at least one.")
    first = next(iter(systems.values()))[1]
    for label, (_, settings) in systems.items():
        refuse(
            settings.seeds != first.seeds,
            f"{label} has seeds {settings.seeds}, the others {first.seeds}; use the same.",
        )
    jobs = [joblib.delayed(_one_seed)(systems, data, measure, seed) for seed in first.seeds]
    workers = min(first.workers, len(jobs))
    found = (
        joblib.Parallel(n_jobs=workers, return_as="generator")(jobs)
        if workers > 1
        else (job(*args, **named) for job, args, named in jobs)
    )
    return [measured for seed in found for measured in seed]


def _one_seed(
    systems: Mapping[str, tuple[Callable, Any]], data: Any, measure: Measure, seed: int
) -> list[Measured]:
    rows = []
    for done, (label, (train, settings)) in enumerate(systems.items()):
        progress.report(f"seed {seed}: systems", done, len(systems), note=label)
        run, sample = train(settings, data, seed)
        key = f"{label} ({settings.samples} samples)"
        place = run.folder / _file(label)
        numbers = run.metrics().get(key)
        if numbers is None or not place.exists():
            drawn = sample(settings.samples)
            with files.whole(place) as part, part.open("wb") as file:
                np.save(file, drawn.astype(np.int16))
            numbers = measure(drawn, data)
            run.keep_metrics(key, numbers)
        rows.append(Measured(label, seed, run.name, numbers))
    return rows


def _file(label: str) -> str:
    return f"samples-{''.join(c if c.isalnum() else '-' for c in label)}.npy"
