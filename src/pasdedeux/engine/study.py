"""Train and measure several systems over several seeds, a seed in each process.

Everything is kept in run folders, so a second call with the same settings, data and code loads
what the first one made, and a killed call goes on where it was.
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from pasdedeux.base import files, progress, source
from pasdedeux.base.checks import refuse
from pasdedeux.training.run import KEY_LENGTH, Measured, samples_file

Measure = Callable[[Any, Any], dict[str, float]]


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
    rows, how = [], source.fingerprint(inspect.getfile(measure))[:KEY_LENGTH]
    for done, (label, (train, settings)) in enumerate(systems.items()):
        progress.report(f"seed {seed}: systems", done, len(systems), note=label)
        run, sample = train(settings, data, seed)
        key = f"{label}, {settings.samples} samples, measured by {how}"
        place = run.folder / samples_file(label)
        numbers = run.metrics().get(key)
        if numbers is None or not (place.exists() or place.with_suffix(".npz").exists()):
            drawn = sample(settings.samples)
            _keep(drawn, place)
            numbers = measure(drawn, data)
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
