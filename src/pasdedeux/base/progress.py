"""Progress of long work: plain lines for people and logs, a small file for the runner's bar."""

import json
import os
import sys
import time
from pathlib import Path

FOLDER = "PASDEDEUX_PROGRESS"
QUARTERS = 4
SECONDS_BETWEEN_WRITES = 0.5

_last: dict[str, float | int] = {"written": 0.0}


def report(task: str, done: int, total: int, note: str = "") -> None:
    """Tell that `done` of `total` steps of `task` are finished.

    A line goes to standard output when another quarter of the work is done, so a log holds few.
    When the environment variable `PASDEDEUX_PROGRESS` names a folder, `<folder>/<process>.json`
    is rewritten at most twice a second with task, done, total, note and time (seconds since 1970).
    """
    last = done >= total
    quarter = QUARTERS * done // max(total, 1)
    if quarter != _last.get(task) and (quarter or last):
        sys.stdout.write(f"{task}: {done}/{total}{' · ' + note if note else ''}\n")
        sys.stdout.flush()
    _last[task] = quarter
    folder, now = os.environ.get(FOLDER), time.time()
    if folder and (last or now - _last["written"] >= SECONDS_BETWEEN_WRITES):
        _last["written"] = now
        _write(Path(folder), {"task": task, "done": done, "total": total, "note": note})


def _write(folder: Path, state: dict[str, str | int]) -> None:
    part = folder / f"{os.getpid()}.part"
    try:
        part.write_text(json.dumps({**state, "time": time.time()}))
        os.replace(part, folder / f"{os.getpid()}.json")
    except OSError:  # the runner went away with its folder; the work itself must go on
        os.environ.pop(FOLDER, None)
