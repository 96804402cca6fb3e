"""Progress of one command: a bar that moves on a terminal, plain lines anywhere else."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOBase

from tqdm import tqdm

from pasdedeux.base.progress import report

BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


def has_room(stream: TextIOBase) -> bool:
    """Return whether `stream` is a terminal with room for a bar; some have a size of zero."""
    return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0


@contextmanager
def told(task: str, stream: TextIOBase | None = None) -> Iterator[Callable[[int, int], None]]:
    """Yield a call that takes how many steps of `task` are done, and of how many.

    A bar is drawn on `stream` (standard error unless given) and taken away at the end.
    """
    stream = sys.stderr if stream is None else stream
    if not has_room(stream):
        yield lambda done, total: report(task, done, total)
        return
    with tqdm(
        total=1, desc=task, file=stream, bar_format=BAR, leave=False, dynamic_ncols=True
    ) as bar:

        def moved(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)
            bar.refresh()

        yield moved
