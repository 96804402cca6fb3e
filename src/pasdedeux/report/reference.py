"""What the papers print and claim: `references/<paper>.toml` and `references/claims.toml`.

Printed numbers are kept as text, digit for digit: `39742.2` also says that the paper rounded to one
decimal. Positions and units are the paper's own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pasdedeux.base.checks import choice, refuse

FOLDER = Path(__file__).resolve().parents[1] / "references"
LISTS = ("claims", "deviations", "equations")  # files beside those of the papers, about all of them
Better = Literal["lower", "higher", "neither"]
Settled = Literal["", "reproduced", "not reproduced"]


@dataclass(frozen=True)
class Reference:
    """One printed table: `text[row][column]` as printed, `printed[row][column]` as numbers."""

    paper: str  # name of the references file, e.g. "fusion"
    table: str  # its number, e.g. "1"
    title: str
    where: str  # section of the paper
    source: str  # authors, title, venue and arXiv number
    unit: str
    note: str
    columns: tuple[str, ...]
    text: Mapping[str, Mapping[str, str]]
    better: Mapping[str, Better]  # per column
    quoted: tuple[str, ...] = ()  # rows that nobody here means to run

    def __post_init__(self) -> None:
        for row, cells in self.text.items():
            wrong = set(cells) ^ set(self.columns)
            refuse(bool(wrong), f"row {row!r} of {self.title!r} and its columns differ in {wrong}.")

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows in the order of the paper."""
        return tuple(self.text)

    @property
    def printed(self) -> dict[str, dict[str, float]]:
        """The printed numbers in the unit of the paper; a cell left empty there is missing here."""
        return {
            row: {column: float(cell) for column, cell in cells.items() if cell}
            for row, cells in self.text.items()
        }

    def decimals(self, row: str, column: str) -> int:
        """Return how many decimals the paper prints in this cell."""
        return len(self.text[row][column].partition(".")[2])

    def half_unit(self, row: str, column: str) -> float:
        """Return how far rounding may have moved the printed number, half of its last digit."""
        return 0.5 * 10.0 ** -self.decimals(row, column)


@dataclass(frozen=True)
class StatedClaim:
    """A sentence of the paper that a measurement can decide."""

    id: str
    text: str  # in our words
    where: str  # where the paper says it
    paper: str = ""
    rule: str = "none"  # how it is decided, see `report.ledger.RULES`
    cells: tuple[str, ...] = ()  # "table | rows | columns", see `report.ledger.Cells`
    needs: str = ""  # what is not here, see `report.ledger.NEEDS`
    test: str = ""  # that decides a sentence of mathematics
    outcome: Settled = ""  # of that test


@dataclass(frozen=True)
class Fact:
    """A number that the text prints outside its tables."""

    text: str  # as printed
    unit: str
    where: str
    note: str

    @property
    def value(self) -> float:
        """The number in the unit of the paper."""
        return float(self.text)


@cache
def _file(paper: str) -> dict[str, Any]:
    choice("paper", paper, known_papers())
    return tomllib.loads((FOLDER / f"{paper}.toml").read_text(encoding="utf-8"))


def reference(paper: str, table: str | int) -> Reference:
    """Return the printed table called `table` of `paper`.

    Raises `ValueError` with the nearest name when there is no such paper or table, and when a row
    does not have one number per column.
    """
    content = _file(paper)
    entry = content["tables"][choice("table", str(table), tuple(content["tables"]))]
    columns, named = tuple(entry["columns"]), entry["better"]
    better: dict[str, Better] = (
        dict.fromkeys(columns, named)
        if isinstance(named, str)
        else {column: named.get(column, "neither") for column in columns}
    )
    about = content["paper"]
    text: dict[str, dict[str, str]] = {}
    for row, cells in entry["printed"].items():
        lengths = f"{len(cells)} numbers for {len(columns)} columns"
        refuse(len(cells) != len(columns), f"table {table} of {paper}, row {row!r}: {lengths}.")
        text[row] = dict(zip(columns, cells, strict=True))
    return Reference(
        paper=paper,
        table=str(table),
        title=entry["title"],
        where=entry["where"],
        source=f"{about['authors']}: {about['title']}. {about['venue']}, arXiv {about['arxiv']}",
        unit=entry["unit"],
        note=entry["note"],
        columns=columns,
        text=text,
        better=better,
        quoted=tuple(entry.get("quoted", ())),
    )


def title_of(paper: str) -> str:
    """Return short name, title and arXiv number of `paper`; raises `ValueError` if unknown."""
    about = _file(paper)["paper"]
    return f"{about['short']}: {about['title']} (arXiv {about['arxiv']})"


def short_of(paper: str) -> str:
    """Return the short name of `paper`; raises `ValueError` if unknown."""
    return str(_file(paper)["paper"]["short"])


def known_papers() -> tuple[str, ...]:
    """Return the names of the papers that have a references file."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml") if file.stem not in LISTS))


def tables_of(paper: str) -> tuple[str, ...]:
    """Return the names of the tables that `paper` prints, in the order of its numbers.

    What a figure or a footnote tells in numbers is kept beside them under a name of two words.
    """
    names = [name for name in _file(paper)["tables"] if name.isdigit()]
    return tuple(sorted(names, key=int))


@cache
def entries(name: str) -> tuple[dict[str, Any], ...]:
    """Return the entries of one of the lists about all papers: claims, deviations, equations."""
    choice("name", name, LISTS)
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return tuple(content[name])


def fact(paper: str, name: str) -> Fact:
    """Return the number called `name` of `paper`; raises `ValueError` with the nearest name."""
    known = _file(paper).get("facts", {})
    return Fact(**known[choice("name", name, tuple(known))])


def stated_claims(paper: str) -> dict[str, StatedClaim]:
    """Return the checkable sentences of `paper` by their id, in the order of the file."""
    choice("paper", paper, known_papers())
    mine = [one for one in entries("claims") if one["paper"] == paper]
    return {one["id"]: StatedClaim(**{**one, "cells": tuple(one.get("cells", ()))}) for one in mine}
