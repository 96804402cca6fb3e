"""Every numbered equation and algorithm of the papers, what computes it and what checks it.

Read from `references/equations.toml`. The test suite refuses an equation that has neither, and a
name that is gone.
"""

import html
from dataclasses import dataclass
from pathlib import Path

from pasdedeux.base.checks import choice
from pasdedeux.report.cards import card, listing, named
from pasdedeux.report.markup import markdown_grid
from pasdedeux.report.reference import entries, known_papers, short_of


@dataclass(frozen=True)
class Equation:
    """One equation: its number, what it says, the functions and tests by name (`report.places`)."""

    paper: str
    name: str
    says: str
    functions: tuple[str, ...]
    tests: tuple[str, ...]
    note: str = ""

    @property
    def covered(self) -> bool:
        """Whether something computes it or checks it."""
        return bool(self.functions or self.tests)


def equations(paper: str = "") -> tuple[Equation, ...]:
    """Return all equations in the order of the papers, or those of `paper`."""
    if paper:
        choice("paper", paper, known_papers())
    named_ = ("functions", "tests")
    every = [
        Equation(**{**one, **{name: tuple(one[name]) for name in named_}})
        for one in entries("equations")
    ]
    return tuple(one for one in every if not paper or one.paper == paper)


def summary() -> tuple[list[str], list[list[str]]]:
    """Return header and lines of a grid: equations of each paper, with a function, with a test."""
    lines = []
    for paper in (*known_papers(), ""):
        held = equations(paper)
        numbers = (
            len(held),
            sum(bool(e.functions) for e in held),
            sum(bool(e.tests) for e in held),
        )
        lines.append([short_of(paper) if paper else "all", *map(str, numbers)])
    return ["paper", "equations and algorithms", "with a function", "with a test"], lines


def markdown() -> str:
    """Return all equations as Markdown, a table for each paper."""
    header, lines = summary()
    text = ["# Equations and algorithms", "", markdown_grid(header, lines)]
    for paper in known_papers():
        rows = [
            [e.name, e.says, ", ".join(e.functions), ", ".join(e.tests), e.note]
            for e in equations(paper)
        ]
        names = ["", "what it says", "computed by", "checked by", "remark"]
        text += ["", f"## {short_of(paper)}", "", markdown_grid(names, rows, text=5)]
    return "\n".join(text)


def cards(paper: str, folder: Path) -> str:
    """Return the equations of `paper` as folded cards for a page in `folder`."""
    return "\n".join(
        card(
            f"{e.paper}-{e.name.lower().replace('. ', '-').replace(' ', '-')}",
            f"{e.name}: {e.says}",
            "" if e.covered else "not run",
            [
                ("computed by", listing(named(name, folder) for name in e.functions)),
                ("checked by", listing(named(name, folder) for name in e.tests)),
                ("remark", html.escape(e.note)),
            ],
        )
        for e in equations(paper)
    )
