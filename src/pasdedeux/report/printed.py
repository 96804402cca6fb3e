"""Every table that the four papers print, beside ours, with the state and the origin of each cell.

A cell has one of four states: match, trend, mismatch, not run (`report.table`); what the papers
only quote from others stays quoted. A table that no notebook has written at this profile is shown
with every cell not run, so that nothing printed is left out.
"""

import csv
import html
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pasdedeux.report import table
from pasdedeux.report.cards import many
from pasdedeux.report.markup import about_data, html_grid, markdown_grid
from pasdedeux.report.reference import known_papers, reference, short_of, tables_of

STATES = ("match", "trend", "mismatch", "not run")
NOTHING = "none: nothing was run for this table at this profile."
FIELDS = (
    *("paper", "table", "row", "column", "printed", "ours_mean", "ours_sd", "n", "state"),
    *("runs", "notebook", "commit", "data"),
)
SHORT_COMMIT = 10


class Origin(NamedTuple):
    """Where the numbers of one row come from."""

    row: str
    seeds: str
    runs: tuple[str, ...]
    devices: str
    notebook: str
    commit: str


@dataclass(frozen=True, repr=False)
class Printed:
    """One printed table with ours beside it; a notebook shows it with the origin of each row."""

    paper: str
    name: str
    made: table.Table
    ran: bool
    notebook: str  # that wrote it, "" where none tells
    sidecar: dict[str, Any]

    def __repr__(self) -> str:
        return f"Printed({self.paper!r}, {self.name!r}, {dict(self.states)})"

    @property
    def states(self) -> Counter[str]:
        """How many printed cells are in which state."""
        return Counter(cell.verdict for cell in self.made.cells if cell.paper)

    @property
    def title(self) -> str:
        """The title of the table in the paper."""
        return reference(self.paper, self.name).title

    def origins(self) -> list[Origin]:
        """Return the origin of each row that ran."""
        git = self.sidecar.get("git") or {}
        commit = (git.get("commit") or "")[:SHORT_COMMIT]
        commit += " (changed)" if commit and git.get("dirty") else ""
        known = self.sidecar.get("runs") or {}
        found = []
        for row in self.made.rows:
            cells = [c for c in self.made.cells if c.row == row and c.mean is not None]
            runs = tuple(sorted({run for cell in cells for run in cell.runs}))
            if not cells:
                continue
            seeds = sorted({cell.n for cell in cells})
            told = "a fact" if seeds == [0] else " or ".join(str(n) for n in seeds if n)
            devices = {str((known.get(run) or {}).get("device") or "") for run in runs} - {""}
            found.append(Origin(row, told, runs, ", ".join(sorted(devices)), self.notebook, commit))
        return found

    def _origin_lines(self) -> list[list[str]]:
        return [
            [o.row, o.seeds, ", ".join(o.runs), o.devices, o.notebook, o.commit]
            for o in self.origins()
        ]

    def _repr_html_(self) -> str:
        shown = self.made._repr_html_()
        lines = self._origin_lines()
        if not lines:
            return shown
        header = ["row", "seeds", "runs", "device", "notebook", "commit"]
        grid = html_grid(header, lines, caption=about_data(self.made.data_notice), text=6)
        return shown + many("Where each row comes from", grid)

    def _repr_markdown_(self) -> str:
        header = ["row", "seeds", "runs", "device", "notebook", "commit"]
        return f"{self.made.markdown()}\n{markdown_grid(header, self._origin_lines(), text=6)}"


@dataclass(frozen=True, repr=False)
class States:
    """How many printed cells of each paper are in which state."""

    tables: tuple[Printed, ...]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(line) for line in self._lines())

    def _lines(self) -> list[list[str]]:
        papers = dict.fromkeys(one.paper for one in self.tables)
        counts = {
            paper: sum((t.states for t in self.tables if t.paper == paper), Counter())
            for paper in papers
        }
        counts["all"] = sum(counts.values(), Counter())
        return [
            [
                short_of(paper) if paper in papers else paper,
                str(sum(t.paper == paper or paper == "all" for t in self.tables)),
                *[str(count[state]) for state in (*STATES, "quoted")],
                str(count.total()),
            ]
            for paper, count in counts.items()
        ]

    def _repr_html_(self) -> str:
        header = ["paper", "tables", *STATES, "quoted", "printed cells"]
        return html_grid(header, self._lines(), caption="Every printed cell of every table.")

    def _repr_markdown_(self) -> str:
        return markdown_grid(["paper", "tables", *STATES, "quoted", "cells"], self._lines())


def every(folder: Path, profile: str) -> tuple[Printed, ...]:
    """Return every printed table of every paper from the results of `profile` in `folder`."""
    return tuple(
        _printed(folder, profile, paper, name)
        for paper in known_papers()
        for name in tables_of(paper)
    )


def tidy(tables: Iterable[Printed]) -> str:
    """Return one CSV line for each printed cell of `tables`, with its state and its origin."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for one in tables:
        commit = ((one.sidecar.get("git") or {}).get("commit") or "")[:SHORT_COMMIT]
        for cell in one.made.cells:
            numbers = ["" if x is None else repr(x) for x in (cell.mean, cell.sd)]
            start = [one.paper, one.name, cell.row, cell.column, cell.paper, *numbers, cell.n]
            end = [";".join(cell.runs), one.notebook, commit, one.made.data_notice]
            writer.writerow([*start, cell.verdict, *end])
    return out.getvalue()


def note(one: Printed) -> str:
    """Return the paper's own remarks about a table as HTML."""
    about = reference(one.paper, one.name)
    return f'<p class="note">{html.escape(f"{about.where}. {about.note}".strip())}</p>'


def _printed(folder: Path, profile: str, paper: str, name: str) -> Printed:
    file = folder / paper / f"table_{name}.csv"
    if file.is_file():
        notebook, sidecar = writer_of(folder, f"{paper}/{file.name}")
        return Printed(paper, name, table.read(file), True, notebook, sidecar)
    about = reference(paper, name)
    made = table.table(about, [], caption=about.title, data_notice=NOTHING, profile=profile)
    return Printed(paper, name, made, False, "", {})


def writer_of(folder: Path, output: str) -> tuple[str, dict[str, Any]]:
    """Return name and sidecar of the executed notebook in `folder` that wrote `output`.

    Both are empty where no sidecar tells.
    """
    for file in sorted((folder / "notebooks").glob("*.json")):
        told = _sidecar(file, file.stat().st_mtime_ns)
        if output in (told.get("outputs") or {}):
            return file.stem, told
    return "", {}


@cache
def _sidecar(file: Path, _changed: int) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))
