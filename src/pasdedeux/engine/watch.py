"""Watching a running notebook: its step, its training progress, its memory, the time left.

On a terminal this is one bar that moves; anywhere else it is one plain line for each new step and
at most one a minute while something trains, so that a log file stays short.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOBase
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from tqdm import tqdm

from pasdedeux.base.progress import FOLDER
from pasdedeux.engine.bar import has_room

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_LINES = 60.0
WIDEST_STEP = 32
BAR = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}{postfix}]"


class Training(NamedTuple):
    """What a process of the notebook last told about its work."""

    task: str
    done: int
    total: int
    note: str
    time: float


class Watch:
    """Follows one run; use as a context manager around it.

    `cell` is to be called when a cell starts. `peak_memory_bytes` is the largest sum of resident
    memory over the kernel and its children among looks half a second apart.
    """

    def __init__(
        self,
        name: str,
        cells: Sequence[Any],
        *,
        expected_seconds: float | None = None,
        plain: bool = False,
        stream: TextIOBase | None = None,
    ) -> None:
        self.peak_memory_bytes = 0
        self._name, self._expected, self._plain = name, expected_seconds, plain
        self._stream = sys.stderr if stream is None else stream
        self._code = [place for place, cell in enumerate(cells) if cell["cell_type"] == "code"]
        self._steps = steps(cells)
        self._place, self._step = 0, ""
        self._began = self._cell_began = self._line_time = time.time()
        self._first_seen = Training("", 0, 0, "", 0.0)
        self._before = {child.pid for child in psutil.Process().children(recursive=True)}
        self._children: dict[int, psutil.Process] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_until_stopped, daemon=True)
        self._bar: tqdm | None = None

    def __enter__(self) -> "Watch":
        self._scratch = tempfile.TemporaryDirectory(prefix="pasdedeux-")
        self.scratch = Path(self._scratch.name)
        self._outer = os.environ.get(FOLDER)
        os.environ[FOLDER] = str(self.scratch)
        if not self._plain and has_room(self._stream):
            self._bar = tqdm(
                total=len(self._code),
                file=self._stream,
                bar_format=BAR,
                leave=False,
                dynamic_ncols=True,
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()
        if self._outer is None:
            os.environ.pop(FOLDER, None)
        else:
            os.environ[FOLDER] = self._outer
        self._end_children()
        self._scratch.cleanup()

    def cell(self, cell: Any, cell_index: int) -> None:
        """Take note that the cell at `cell_index` starts; the signature is nbclient's hook."""
        if cell["cell_type"] != "code":
            return
        self._place, self._cell_began = cell_index, time.time()
        if self._steps[cell_index] != self._step:
            self._step = self._steps[cell_index]
            number = self._code.index(cell_index) + 1
            self._line(f"cell {number} of {len(self._code)}, {self._step}")

    def _line(self, text: str) -> None:
        """Write a plain line, unless there is a bar."""
        if self._bar is None:
            self._line_time = time.time()
            seconds = self._line_time - self._began
            self._stream.write(f"{self._name}: {text} (after {seconds:.0f} s)\n")
            self._stream.flush()

    def _look_until_stopped(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_LOOKS):
            self._measure()
            training = latest(self.scratch, self._cell_began)
            if training is not None and training.task != self._first_seen.task:
                self._first_seen = training
            words = self._words(training)
            if self._bar is not None:
                self._draw(self._bar, training, words)
            elif training is not None and time.time() - self._line_time > SECONDS_BETWEEN_LINES:
                self._line(words)

    def _words(self, training: Training | None) -> str:
        """Return the running training and the time left, as people say it."""
        parts = [f"{training.task} {training.done}/{training.total}"] if training else []
        if self._expected is not None and self._expected > time.time() - self._began:
            parts.append(f"{_spoken(self._expected - (time.time() - self._began))} left")
        elif training is not None:
            left = seconds_left(self._first_seen, training)
            parts += [f"{_spoken(left)} left for it"] if left is not None else []
        return ", ".join(parts)

    def _measure(self) -> None:
        total = 0
        for child in psutil.Process().children(recursive=True):
            if child.pid not in self._before:
                self._children[child.pid] = child
                with suppress(psutil.Error):  # it may end between two looks
                    total += child.memory_info().rss
        self.peak_memory_bytes = max(self.peak_memory_bytes, total)

    def _draw(self, bar: tqdm, training: Training | None, words: str) -> None:
        share = training.done / max(training.total, 1) if training else 0.0
        begun = sum(place < self._place for place in self._code)
        bar.n = begun + min(share, 1.0)
        bar.set_description_str(f"{self._name} {self._step[:WIDEST_STEP]}", refresh=False)
        bar.set_postfix_str(words, refresh=False)
        bar.refresh()

    def _end_children(self) -> None:
        """End what a killed or stuck kernel left running."""
        for child in self._children.values():
            with suppress(psutil.Error):  # it may end between two looks
                if child.is_running():
                    child.kill()


def steps(cells: Sequence[Any]) -> list[str]:
    """Return for each cell the heading that it stands under."""
    heading, found = "start", []
    for cell in cells:
        lines = "".join(cell["source"]).splitlines()
        if cell["cell_type"] == "markdown":
            titles = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
            heading = titles[-1] if titles else heading
        found.append(heading)
    return found


def latest(folder: Path, since: float = 0.0) -> Training | None:
    """Return the newest word in the progress files of `folder`, or None when older than `since`."""
    found = []
    for file in folder.glob("*.json"):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            found.append(Training(*(told[name] for name in Training._fields)))
        except (OSError, ValueError, KeyError):  # being replaced at this moment: next look
            continue
    newest = max(found, key=lambda training: training.time, default=None)
    return newest if newest is not None and newest.time >= since else None


def seconds_left(first: Training, last: Training) -> float | None:
    """Return the seconds that `last.task` still needs at its pace since `first`, if it has one."""
    done, seconds = last.done - first.done, last.time - first.time
    if first.task != last.task or done <= 0 or last.done >= last.total:
        return None
    return seconds / done * (last.total - last.done)


def _spoken(seconds: float) -> str:
    """Return a span of time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
