"""Where a result comes from: everything needed to make it again, and nothing about who made it.

A record holds settings, seeds, code, data, packages, machine kind and outcome of one notebook. It
holds no absolute path, no user's name and no host's name: paths inside the project are relative to
its root, of any other path only the last part is kept.
"""

import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest, write_json
from pasdedeux.base.source import fingerprint

PACKAGES = (
    *("pasdedeux", "torch", "numpy", "scipy", "pandas", "POT", "music21", "pretty_midi", "librosa"),
    *("matplotlib", "soundfile", "papermill", "nbconvert", "ipykernel", "pooch", "jaxtyping"),
)
RUN_PARTS = ("seed", "data", "code", "device", "threads")
SEED_PARAMETERS = ("seed", "seeds")
GIT_SECONDS = 20.0
HOMES = ("home", "Users")
_ABSOLUTE = re.compile(r"(?<![\w.:/~…])(?:[A-Za-z]:[\\/]|/)(?:[\w.+@-][\w.+@ -]*[\\/])+[\w.+@-]+")


def scrub(value: Any) -> Any:
    """Return `value` with the absolute paths in all its texts made relative or cut to their end."""
    if isinstance(value, Mapping):
        return {scrub(str(name)): scrub(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(inner) for inner in value]
    if isinstance(value, Path | str):
        return _ABSOLUTE.sub(_without_folder, str(value))
    refuse(not isinstance(value, bool | int | float | None), f"{value!r} cannot stand in JSON.")
    return value


def _without_folder(found: re.Match[str]) -> str:
    """Return what may be told of an absolute path: its place in the project, or its last part."""
    path, root = PurePath(found.group().replace("\\", "/")), paths.root()
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    of_somebody = path.parent.name in HOMES or path == Path.home()
    return "~" if of_somebody else f"…/{path.name}"


def git_state(folder: Path) -> dict[str, Any]:
    """Return commit and dirty flag of the project at `folder`; both None outside its own git.

    Dirty means changed or new files anywhere but in `results/`, which every run rewrites.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != folder.resolve():
        return {"commit": None, "dirty": None}
    changed = _git(folder, "status", "--porcelain", "--", ".", ":(exclude)results")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine, or it hangs on a disk
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str | None]:
    """Return the installed version of each package; None where it is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _code_digest(notebook: Path) -> str:
    """Return the SHA-256 over the code cells of `notebook`, so that outputs do not count."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return digest(*["".join(c["source"]) for c in cells if c["cell_type"] == "code"])


def _runs(names: Sequence[str], root: Path) -> dict[str, dict[str, Any]]:
    """Return seed, data checksum, code fingerprint, device and threads of the runs in `names`."""
    found = {}
    for name in names:
        file = root / name / "config.json"
        config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        told = config.get("settings", {}) | config
        found[name] = {part: told.get(part) for part in RUN_PARTS}
    return found


def _seeds(parameters: Mapping[str, Any], runs: Mapping[str, Mapping[str, Any]]) -> list[int]:
    given = [parameters[name] for name in SEED_PARAMETERS if parameters.get(name) is not None]
    seeds = {s for value in given for s in (value if isinstance(value, list | tuple) else [value])}
    return sorted(seeds | {run["seed"] for run in runs.values() if run["seed"] is not None})


def collect(
    notebook: Path,
    profile: str,
    parameters: Mapping[str, Any],
    *,
    noted: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Return the record of one execution of `notebook`, ready for JSON.

    `parameters` are complete, defaults included; `noted` is what `base.facts.noted` gathered while
    it ran: kinds "run" (folder names), "data" and "device". Without notes those parts are empty.
    The caller adds status, exit code, times, memory and the outputs' digests.
    """
    root, told = paths.root(), noted or {}
    lock = root / "requirements.lock"
    runs = _runs(sorted(told.get("run", ())), root)
    return scrub(
        {
            "notebook": notebook.stem,
            "notebook_code": _code_digest(notebook),
            "profile": profile,
            "parameters": dict(parameters),
            "seeds": _seeds(parameters, runs),
            "git": git_state(root),
            "source": fingerprint(notebook),
            "lock": digest(lock) if lock.is_file() else None,
            "runs": runs,
            "data": list(told.get("data", ())),
            "device": list(told.get("device", ())),
            "packages": versions(),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
        }
    )


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write `record` as JSON to `path`, whole or not at all, with paths scrubbed once more."""
    write_json(path, scrub(record))
