"""A run is a folder named by what made it: settings, data and code.

`runs/<paper>/<system>-seed<seed>-<key>/` holds `config.json`, `log.jsonl`, `checkpoint.pt` and,
once measured, `metrics.json`. Asking for the same thing again finds the same folder.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from pasdedeux.base import facts, files, paths, source
from pasdedeux.base.checks import refuse

KEY_LENGTH = 10
KNOWN_BY_CHECKSUM = ("data", "music")  # rooms that reach a training through its data alone


@dataclasses.dataclass(frozen=True)
class Run:
    """One system under one seed: the folder, and the short name that tables print."""

    folder: Path
    system: str
    seed: int

    @property
    def name(self) -> str:
        """The folder relative to the project, as table cells name it."""
        return self.folder.relative_to(paths.root()).as_posix()

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return the measured numbers of each system this run plays; empty when not measured."""
        path = self.folder / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def keep_metrics(self, label: str, numbers: dict[str, float]) -> None:
        """Add the numbers of the system called `label`; refuses NaN and infinity."""
        files.write_json(self.folder / "metrics.json", {**self.metrics(), label: numbers})


def read_log(folder: Path) -> list[dict[str, float | int]]:
    """Return the rows of the training log in `folder`, in order; empty where nothing learns."""
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


class Measured(NamedTuple):
    """One system under one seed: its run folder (relative to the project) and its numbers."""

    system: str
    seed: int
    run: str
    numbers: dict[str, float]

    def samples(self) -> Int[np.ndarray, "N T"]:
        """Return the windows the numbers were measured on."""
        return np.load(paths.root() / self.run / samples_file(self.system)).astype(np.int64)

    def log(self) -> list[dict[str, float | int]]:
        """Return the training log of the run; empty for a system that learns nothing."""
        return read_log(paths.root() / self.run)


def samples_file(label: str) -> str:
    """Return the name of the file, in its run's folder, of the windows drawn from a system."""
    return f"samples-{''.join(c if c.isalnum() else '-' for c in label)}.npy"


def open_run(
    paper: str,
    system: str,
    *,
    seed: int,
    settings: Any,
    data: str,
    code: str,
    after: tuple[Run, ...] = (),
) -> Run:
    """Return the run of `system` under `seed`, its folder made and its `config.json` written.

    `settings` is a frozen dataclass or a mapping, `data` the checksum of the data, `code` the
    dotted module whose import closure counts (readers of corpora count by what they read), `after`
    the runs this one starts from.
    """
    refuse("/" in system or not system, f"system must be a plain name, got {system!r}.")
    plain = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else dict(settings)
    config = {
        "paper": paper,
        "system": system,
        "seed": seed,
        "settings": plain,
        "data": data,
        "code": source.fingerprint(code, without=KNOWN_BY_CHECKSUM),
        "after": [run.folder.name for run in after],
    }
    text = json.dumps(config, sort_keys=True, default=str)
    key = files.digest(text)[:KEY_LENGTH]
    folder = paths.runs() / paper / f"{system}-seed{seed}-{key}"
    if not (folder / "config.json").exists():
        files.write_json(folder / "config.json", json.loads(text))
    run = Run(folder, system, seed)
    facts.note("run", run.name)
    return run
