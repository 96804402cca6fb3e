"""Run one notebook: checked parameters, honest status, the executed copy and its sidecar.

papermill executes. What it gets wrong is put right here: it takes any parameter, and it marks
every cell completed when the kernel dies or a cell takes too long. A run that did not end well
leaves `NN.failed.ipynb` and `NN.failed.json` and never touches the last good ones.
"""

import json
import logging
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook

from pasdedeux.base import facts
from pasdedeux.base.checks import choice
from pasdedeux.base.files import digest, write_json, write_text
from pasdedeux.base.paths import results, root
from pasdedeux.base.profiles import PROFILES
from pasdedeux.engine import notebooks, parameters
from pasdedeux.engine.executed import (
    Status,
    begun,
    tidy,
    unreached,
    with_injected_cell,
    without_paths,
)
from pasdedeux.engine.watch import Watch
from pasdedeux.report import provenance

# The kernel would say in every log that it runs over TCP, and tell of its sockets when it is ended.
QUIET_KERNEL = ("--log-level=50",)
FAILED, TIMEOUT, INTERRUPTED, DEAD, TERMINATED = 1, 124, 130, 137, 143


class Outcome(NamedTuple):
    """How a run ended: `exit_code` is what a shell gets, `message` one line for people."""

    status: Status
    exit_code: int
    message: str
    notebook: Path
    sidecar: Path


class _Ending(NamedTuple):
    status: Status
    exit_code: int
    reason: str


class _Terminated(KeyboardInterrupt):
    """The process was asked to stop by SIGTERM, as a cluster does."""


def run(
    notebook: str | Path,
    profile: str = "quick",
    overrides: Mapping[str, Any] | None = None,
    *,
    cell_timeout_seconds: float | None = None,
    plain: bool = False,
) -> Outcome:
    """Execute `notebook` at `profile` and return how it ended.

    The kernel works in the project's root wherever this is called from. Written are
    `results/<profile>/notebooks/<name>.ipynb` and `<name>.json`. Progress goes to standard error;
    `plain` asks for lines in place of a bar. Raises `ValueError` for an unknown notebook, profile
    or parameter or a value of the wrong type, before anything runs.
    """
    source = notebooks.file(notebook)
    known = parameters.declared(source)
    given = {"profile": choice("profile", profile, PROFILES), **(overrides or {})}
    values = parameters.checked(given, known)
    complete = {**{name: parameter.default for name, parameter in known.items()}, **values}
    cells = with_injected_cell(nbformat.read(source, as_version=4).cells)
    folder = results(profile) / "notebooks"
    expected = _expected_seconds(folder / f"{source.stem}.json", complete)
    started, clock = datetime.now(UTC), time.monotonic()
    with Watch(source.stem, cells, expected_seconds=expected, plain=plain) as watch:
        part = watch.scratch / "running.ipynb"
        ending = _execute(source, part, values, watch, cell_timeout_seconds)
        ran = nbformat.read(part if part.exists() else source, as_version=4)
        noted = facts.noted(watch.scratch)
    if ending.status == "ok" and unreached(ran) is not None:
        ending = _Ending("failed", FAILED, "a cell ended the kernel's work before the last cell.")
    message = without_paths(_message(source.stem, ran, ending, clock), root())
    record = {
        "notebook": source.stem,
        "profile": profile,
        "parameters": complete,
        "status": ending.status,
    }
    measured = {
        "exit_code": ending.exit_code,
        "message": message,
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.monotonic() - clock, 2),
        "peak_memory_bytes": watch.peak_memory_bytes,
        "outputs": _outputs(source.stem, profile),
    }
    kept = tidy(ran, status=ending.status, note=message, record=record, root=root())
    stem = source.stem if ending.status == "ok" else f"{source.stem}.failed"
    executed, sidecar = folder / f"{stem}.ipynb", folder / f"{stem}.json"
    write_text(executed, nbformat.writes(kept) + "\n")
    told = provenance.collect(source, profile, complete, noted=noted)
    write_json(sidecar, {**told, **record, **measured})
    if ending.status == "ok":
        for leftover in (f"{stem}.failed.ipynb", f"{stem}.failed.json"):
            (folder / leftover).unlink(missing_ok=True)
    return Outcome(ending.status, ending.exit_code, message, executed, sidecar)


def _execute(
    source: Path, part: Path, values: dict[str, Any], watch: Watch, timeout: float | None
) -> _Ending:
    """Run `source` into `part` and return how it ended; errors of the notebook do not escape."""
    options = {} if timeout is None else {"execution_timeout": timeout}
    try:
        with _termination_interrupts(), _quiet_papermill():
            execute_notebook(
                source,
                part,
                values,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                cwd=root(),
                coalesce_streams=True,
                record_timing=False,
                extra_arguments=list(QUIET_KERNEL),
                on_cell_start=watch.cell,
                **options,
            )
    except PapermillExecutionError as error:
        return _Ending("failed", FAILED, f"{error.ename}: {error.evalue}")
    except CellTimeoutError:
        return _Ending("timeout", TIMEOUT, f"the cell took longer than {timeout:g} s.")
    except _Terminated:
        return _Ending("interrupted", TERMINATED, "the run was asked to stop.")
    except KeyboardInterrupt:
        return _Ending("interrupted", INTERRUPTED, "the run was interrupted.")
    except RuntimeError as error:
        if not isinstance(error, DeadKernelError) and "Kernel died" not in str(error):
            raise
        return _Ending("dead", DEAD, "the kernel died; often the memory was not enough.")
    return _Ending("ok", 0, "done")


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C does, so that the kernel ends and a sidecar is left."""

    def stop(_number: int, _frame: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet_papermill() -> Iterator[None]:
    """Leave it to the outcome's one line to say what went wrong."""
    logger = logging.getLogger("papermill")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _message(name: str, ran: Any, ending: _Ending, clock: float) -> str:
    seconds = time.monotonic() - clock
    if ending.status == "ok":
        return f"{name} ran in {seconds:.0f} s."
    place = max(begun(ran.cells), default=0)
    number = 1 + sum(cell["cell_type"] == "code" for cell in ran.cells[:place])
    return f"{name}: {ending.status} in code cell {number} after {seconds:.0f} s: {ending.reason}"


def _expected_seconds(sidecar: Path, complete: dict[str, Any]) -> float | None:
    """Return the wall time of the last good run with the same parameters, if there is one."""
    if not sidecar.is_file():
        return None
    last = json.loads(sidecar.read_text(encoding="utf-8"))
    return last["wall_seconds"] if last.get("parameters") == complete else None


def _outputs(name: str, profile: str) -> dict[str, str]:
    """Return the SHA-256 of each file that the list of notebooks says `name` writes."""
    listed = [notebook for notebook in notebooks.NOTEBOOKS if notebook.name == name]
    files = {path: results(profile) / path for entry in listed for path in entry.outputs}
    return {path: digest(file) for path, file in files.items() if file.is_file()}
