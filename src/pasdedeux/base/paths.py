"""Where things are: the project, the user's data, derived arrays, runs and results.

One environment variable matters: `PASDEDEUX_DATA`, the folder that holds the user's own corpora
(for example `$PASDEDEUX_DATA/wjazzd/score_csv.zip`). Without it the built-in data are used.
"""

import os
from pathlib import Path


def _is_project(folder: Path) -> bool:
    settings = folder / "pyproject.toml"
    return settings.is_file() and 'name = "pasdedeux"' in settings.read_text(encoding="utf-8")


def root() -> Path:
    """Return the project's root: the nearest `pyproject.toml` of pasdedeux above the working
    directory, else above this file, else the working directory itself (installed as a wheel).
    """
    here, package = Path.cwd(), Path(__file__).resolve()
    for folder in (here, *here.parents, *package.parents):
        if _is_project(folder):
            return folder
    return here


def data() -> Path | None:
    """Return the folder named by `PASDEDEUX_DATA`, or None when it is unset or empty.

    Raises `ValueError` when the variable names something that is not a folder.
    """
    named = os.environ.get("PASDEDEUX_DATA", "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"PASDEDEUX_DATA is {named!r}, which is not a folder; "
            "set it to the folder that holds your corpora, or unset it to use the built-in data."
        )
    return folder.resolve()


def cache() -> Path:
    """Return the folder of derived arrays and downloads; it can be deleted at any time."""
    return root() / ".cache"


def runs() -> Path:
    """Return the folder of training runs (settings, log, metrics, checkpoint)."""
    return root() / "runs"


def results(profile: str) -> Path:
    """Return the folder of tables, figures and executed notebooks of `profile`."""
    return root() / "results" / profile
