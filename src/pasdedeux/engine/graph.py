"""What the Snakefile needs to know: inputs, outputs, parameters and resources of each notebook.

A rule's inputs are the notebook, every file of the library that it imports, directly or not, and
what the notebooks it needs have written. So an edited file re-runs exactly what depends on it.
"""

import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, nearest, refuse
from pasdedeux.base.files import digest
from pasdedeux.base.profiles import PROFILES
from pasdedeux.base.source import closure
from pasdedeux.data import sources
from pasdedeux.engine.notebooks import NOTEBOOKS, Notebook

WALL_TIME_ALLOWANCE = 4  # a cluster's machine may be slower than the one that was measured
SHORTEST_MINUTES = 10
UNKNOWN_MINUTES = 24 * 60
ACCELERATED = ("gpu", "paper")


def stamp(notebook: Notebook, profile: str) -> str:
    """Return the file, relative to the root, that says this machine has run `notebook`.

    It is not committed: results that came with a clone do not count as a run of this machine.
    """
    return _relative(paths.cache() / "graph" / profile / f"{notebook.name}.done")


def inputs(notebook: Notebook, profile: str) -> list[str]:
    """Return the files, relative to the root, whose change re-runs `notebook`."""
    by_name = {entry.name: entry for entry in NOTEBOOKS}
    needed = [by_name[name] for name in notebook.needs]
    before = [
        path for entry in needed for path in (stamp(entry, profile), *outputs(entry, profile))
    ]
    library = [_relative(path) for path in closure(notebook.path)]
    return [_relative(notebook.path), *library, *before]


def outputs(notebook: Notebook, profile: str) -> list[str]:
    """Return the files, relative to the root, that a good run of `notebook` leaves behind."""
    folder = paths.results(profile)
    executed = [folder / "notebooks" / f"{notebook.name}{end}" for end in (".ipynb", ".json")]
    return [_relative(path) for path in (*executed, *(folder / name for name in notebook.outputs))]


def parameters(notebook: Notebook, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rule's `params` record: a change of any of them re-runs `notebook`.

    `config` is Snakemake's: `profile`, and under `parameters` the overrides of each notebook by
    name. The files of found corpora count too: with jazz the same tables come out otherwise.
    """
    asked = config.get("parameters", {})
    known = {entry.name for entry in NOTEBOOKS}
    for name in asked:
        refuse(name not in known, f"parameters for {name!r}, not a notebook.{nearest(name, known)}")
    return {
        "profile": choice("profile", config.get("profile", "quick"), PROFILES),
        "overrides": dict(asked.get(notebook.name, {})),
        "corpora": _corpora(notebook),
    }


def words(notebook: Notebook, recorded: Mapping[str, Any]) -> str:
    """Return the shell words after `pasdedeux run` that mean the `recorded` parameters."""
    given = [notebook.name, "--profile", recorded["profile"]]
    for name, value in recorded["overrides"].items():
        given += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(given)


def resources(notebook: Notebook, profile: str) -> dict[str, int]:
    """Return what a cluster must grant: memory in MB, wall time in minutes, accelerators."""
    expected = notebook.minutes_at(profile)
    minutes = UNKNOWN_MINUTES if expected is None else math.ceil(WALL_TIME_ALLOWANCE * expected)
    granted = {"mem_mb": notebook.memory_megabytes, "runtime": max(minutes, SHORTEST_MINUTES)}
    if notebook.gpu and profile in ACCELERATED:
        granted["gpu"] = 1
    return granted


def _corpora(notebook: Notebook) -> list[str]:
    """Return for each found corpus of `notebook` a digest of its files, by name and size."""
    told = []
    for name in notebook.corpora:
        folder = sources.found(name)
        if folder is not None:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            listed = [f"{path.relative_to(folder)} {path.stat().st_size}" for path in files]
            told.append(f"{name}: {len(files)} files, {digest(*listed)[:12]}")
    return told


def _relative(path: Path) -> str:
    """Return `path` from the root when it lies below it, as Snakemake records it, else whole."""
    root = paths.root()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
