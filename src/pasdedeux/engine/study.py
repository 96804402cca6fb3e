"""Train and measure several systems over several seeds, in several processes.

Everything is kept in run folders, so a second call with the same settings, data and code loads
what the first one made, and a killed call goes on where it was.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from filelock import FileLock

from pasdedeux.base import files, progress, source
from pasdedeux.base.checks import refuse
from pasdedeux.training.run import KEY_LENGTH, Measured, Run, samples_file

Measure = Callable[[Any, Any], dict[str, float]]
DIVERGED = "diverged at update"


class DivergedError(ValueError):
    """A training that met a number that is not finite: its run, and the update, from 1.

    A `train` raises it where that is a result; `study` then measures only `DIVERGED`.
    """

    def __init__(self, run: Run, update: int) -> None:
        super().__init__(f"{run.name} {DIVERGED} {update}.")
        self.run, self.update = run, update


def study(
    systems: Mapping[str, tuple[Callable, Any]], data: Any, measure: Measure
) -> list[Measured]:
    """Return the measurements of every system under every seed of its settings.

    `systems` gives, for each label, the function `train(settings, data, seed)` and its settings,
    which name seeds, samples and workers. Seeds run in parallel, the systems of a seed one after
    another, so the phases they share are trained once; where that would leave workers idle, the
    systems run in parallel too, and who needs a shared phase waits for it. `measure(samples, data)`
    returns numbers. A training that raises `DivergedError` has one number, `DIVERGED`.
    """
    refuse(not systems, "study was given no systems; name at least one.")
    first = next(iter(systems.values()))[1]
    for label, (_, settings) in systems.items():
        refuse(
            settings.seeds != first.seeds,
            f"{label} has seeds {settings.seeds}, the others {first.seeds}; use the same.",
        )
    parts = [dict(systems)]
    if len(first.seeds) % first.workers:
        parts = [{label: system} for label, system in systems.items()]
    jobs = [
        joblib.delayed(_one_seed)(part, data, measure, seed)
        for seed in first.seeds
        for part in parts
    ]
    workers = min(first.workers, len(jobs))
    found = (
        joblib.Parallel(n_jobs=workers, return_as="generator")(jobs)
        if workers > 1
        else (job(*args, **named) for job, args, named in jobs)
    )
    return [measured for part in found for measured in part]


def finished(measured: Sequence[Measured]) -> list[Measured]:
    """Return the measurements, rows renamed that stand for trainings which could not go on.

    Where some seeds of a system diverged, its row says at which update the first one did, and its
    numbers are those of the other seeds.
    """
    ends: dict[str, list[int]] = {}
    seeds: dict[str, int] = {}
    for one in measured:
        seeds[one.system] = seeds.get(one.system, 0) + 1
        if DIVERGED in one.numbers:
            ends.setdefault(one.system, []).append(int(one.numbers[DIVERGED]))
    found = []
    for one in measured:
        failed, label = ends.get(one.system, []), one.system
        if failed:
            count = "" if len(failed) == seeds[label] else f"{len(failed)} of {seeds[label]} seeds "
            label = f"{label} ({count}{DIVERGED} {min(failed)})"
        found.append(one._replace(system=label))
    return found


def _one_seed(
    systems: Mapping[str, tuple[Callable, Any]], data: Any, measure: Measure, seed: int
) -> list[Measured]:
    rows, how = [], source.fingerprint(inspect.getfile(measure))[:KEY_LENGTH]
    for done, (label, (train, settings)) in enumerate(systems.items()):
        progress.report(f"seed {seed}: systems", done, len(systems), note=label)
        try:
            run, sample = train(settings, data, seed)
        except DivergedError as end:
            rows.append(Measured(label, seed, end.run.name, {DIVERGED: float(end.update)}))
            continue
        key = f"{label}, {settings.samples} samples, measured by {how}"
        place = run.folder / samples_file(label)
        numbers = run.metrics().get(key)
        if numbers is None or not (place.exists() or place.with_suffix(".npz").exists()):
            drawn = sample(settings.samples)
            _keep(drawn, place)
            numbers = measure(drawn, data)
            with FileLock(run.folder / ".metrics.lock"):  # several systems may play one run
                run.keep_metrics(key, numbers)
        rows.append(Measured(label, seed, run.name, numbers))
    return rows


def _keep(drawn: Any, place: Path) -> None:
    """Write windows of tokens as small integers; arrays of a record by their names, as they are."""
    if isinstance(drawn, np.ndarray):
        with files.whole(place) as part, part.open("wb") as file:
            np.save(file, drawn.astype(np.int16))
        return
    with files.whole(place.with_suffix(".npz")) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **drawn._asdict())
