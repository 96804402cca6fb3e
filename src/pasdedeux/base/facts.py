"""What a running notebook used, told by the library at the moment of use.

Only the process that trains knows its device, its threads and the checksum of its data. It notes
them here; the runner gathers the notes into the notebook's provenance. Without a runner nothing is
written.
"""

import json
import os
from pathlib import Path
from typing import Any

from pasdedeux.base.progress import FOLDER

SUFFIX = ".facts"


def note(kind: str, value: Any) -> None:
    """Note one `value` (anything JSON can hold) under `kind`, for example "device" or "run".

    Goes to `<folder>/<process>.facts` when `PASDEDEUX_PROGRESS` names a folder, else nowhere.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    line = json.dumps({kind: value}, sort_keys=True) + "\n"
    try:
        with (Path(folder) / f"{os.getpid()}{SUFFIX}").open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError:  # the runner went away with its folder; the work itself must go on
        os.environ.pop(FOLDER, None)


def noted(folder: Path) -> dict[str, list[Any]]:
    """Return the distinct values noted under `folder` by kind, sorted, from all its processes."""
    lines: set[str] = set()
    for file in Path(folder).glob(f"*{SUFFIX}"):
        lines.update(file.read_text(encoding="utf-8").splitlines())
    gathered: dict[str, list[Any]] = {}
    for line in sorted(lines):
        for kind, value in json.loads(line).items():
            gathered.setdefault(kind, []).append(value)
    return gathered
