"""Derived arrays, kept by what they were made from, so that nothing slow is computed twice."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from filelock import FileLock

from pasdedeux.base import paths
from pasdedeux.base.files import whole


def arrays(
    kind: str, key: str, make: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the arrays kept under `kind` and `key`; what is missing is made, and kept whole.

    `key` is a digest of everything the arrays depend on: input files, settings, code. A second
    process that asks for the same waits for the first. A file that cannot be read is made anew;
    nothing is kept when `make` raises. Only plain arrays are kept, never a pickle.
    """
    file = paths.cache() / kind / f"{key}.npz"
    kept = _read(file)
    if kept is not None:
        return kept
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        kept = _read(file)
        if kept is None:
            made = {name: np.asarray(array) for name, array in make().items()}
            with whole(file) as part, part.open("wb") as out:
                np.savez(out, allow_pickle=False, **made)
            return made
    return kept


def _read(file: Path) -> dict[str, np.ndarray] | None:
    """Return what `file` holds, None when it is not there or damaged."""
    try:
        # opened here: np.load leaves the file open when it turns out to be no whole zip
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except Exception:  # a damaged header or table makes numpy raise nearly anything
        return None
