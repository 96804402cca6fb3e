"""What data there are, for people: found or not and where, how much, terms, and what to do."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from pasdedeux.base import paths
from pasdedeux.data import essen, sources

WIDTH = 80
LABEL = 21  # columns that the names of corpora take
MEGABYTE = 1e6
NOT_DERIVED = ("downloads", "graph")


def status() -> str:
    """Return one paragraph for each corpus, and one on the arrays that were prepared from them.

    Prepared arrays are named by a digest of all they were made from, so they are counted together.
    """
    parts = [_paragraph(name, _corpus(name)) for name in sources.names()]
    parts.append(_paragraph("prepared", _prepared()))
    if paths.data() is None:
        parts.append(_paragraph("PASDEDEUX_DATA", ["not set: no folder of yours is looked at"]))
    return "\n\n".join(parts)


def _corpus(name: str) -> list[str]:
    told = sources.source(name)
    folder = essen.folder() if name == essen.NAME else sources.found(name)
    lines = [told.title, sources.state(name).split(";")[0]]
    if folder is None:
        lines[1] += f": {told.size}"
        lines += [f"to do: {sources.remedy(name)}"] if not told.built_in else []
    else:
        lines[1] += f": {_amount(folder, *told.counted)}"
    return [*lines, f"terms: {told.terms}"]


def _amount(folder: Path, pattern: str, words: str) -> str:
    """Return the number of what matches `pattern` in `folder` or one below, and megabytes."""
    count = sum(1 for _ in folder.glob(pattern)) or sum(1 for _ in folder.glob(f"*/{pattern}"))
    return f"{count:,} {words}, {_megabytes(folder)}"


def _prepared() -> list[str]:
    """Return what lies in the cache, by kind."""
    cache = paths.cache()
    kinds = sorted(cache.iterdir()) if cache.is_dir() else []
    kinds = [kind for kind in kinds if kind.is_dir() and kind.name not in NOT_DERIVED]
    if not kinds:
        return ["nothing yet; arrays are kept as soon as a notebook has made them"]
    told = [f"{kind.name}: {_amount(kind, '*.npz', 'arrays')}" for kind in kinds]
    return [*told, "kept in .cache, which can be deleted at any time"]


def _megabytes(folder: Path) -> str:
    return f"{sum(_sizes(folder)) / MEGABYTE:,.1f} MB"


def _sizes(folder: Path) -> Iterator[int]:
    return (path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _paragraph(name: str, lines: list[str]) -> str:
    """Return `lines` beside `name`, folded to the width of a terminal."""
    margin = " " * LABEL
    folded = [
        textwrap.fill(
            line,
            WIDTH,
            initial_indent=margin,
            subsequent_indent=margin + "  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        for line in lines
    ]
    return name.ljust(LABEL) + "\n".join(folded)[LABEL:]
