"""Every place where a paper is ambiguous, wrong or contradicts its own code, and what was decided.

Read from `references/deviations.toml`. Each names its evidence, tests or cells of notebooks, and
the setting that switches it where one does; the test suite refuses a name that is gone.
"""

import html
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pasdedeux.base.checks import choice
from pasdedeux.report.cards import card, listing, named
from pasdedeux.report.markup import html_grid, markdown_grid
from pasdedeux.report.reference import entries, known_papers, short_of

Kind = Literal["ambiguous", "wrong", "contradicts its code", "not given"]
Letter = str | float | int | bool
KINDS: tuple[Kind, ...] = get_args(Kind)
MEANS = (
    "ambiguous: it can be read in two ways; wrong: it cannot be as printed; contradicts its code: "
    "what was released does otherwise; not given: one has to choose."
)
PAGE = "deviations.html"


@dataclass(frozen=True)
class Deviation:
    """One place: what the paper or its code says, what is done here, and what shows it."""

    paper: str
    id: str
    where: str
    kind: Kind
    says: str
    decision: str
    evidence: tuple[str, ...]  # names, see `report.places`
    notebook: str  # where it matters
    setting: str = ""  # that switches it; "" where nothing does
    letter: Letter | None = None  # a value under which it is otherwise than decided
    beside: Mapping[str, Letter] = field(default_factory=dict)  # what that value needs

    @property
    def anchor(self) -> str:
        """Its name on the page."""
        return f"{self.paper}-{self.id}"

    @property
    def switch(self) -> str:
        """The setting with its other value, as people write it."""
        if self.letter is None:
            return self.setting
        more = "".join(f", {name} = {value!r}" for name, value in self.beside.items())
        return f"{self.setting} = {self.letter!r}{more}"


@dataclass(frozen=True, repr=False)
class Deviations:
    """Some of them, as a notebook shows them."""

    held: tuple[Deviation, ...]

    def __repr__(self) -> str:
        return f"Deviations({len(self.held)})"

    def _lines(self) -> list[list[str]]:
        return [[one.where, one.says, one.decision, one.switch] for one in self.held]

    def _repr_html_(self) -> str:
        header = ["where", "the paper, or its code", "here", "setting"]
        told = f"{len(self.held)} places where something had to be decided. {MEANS}"
        return html_grid(header, self._lines(), caption=told, text=4)

    def _repr_markdown_(self) -> str:
        return markdown_grid(["where", "the paper", "here", "setting"], self._lines(), text=4)


def deviations(paper: str = "", *, notebook: str = "") -> tuple[Deviation, ...]:
    """Return all of them, or those of a paper, or those that matter in a notebook, by its name."""
    every = [
        Deviation(**{**one, "evidence": tuple(one["evidence"])}) for one in entries("deviations")
    ]
    if paper:
        choice("paper", paper, known_papers())
    return tuple(
        one
        for one in every
        if (not paper or one.paper == paper) and (not notebook or one.notebook == notebook)
    )


def of_notebook(name: str) -> Deviations:
    """Return those that matter in the notebook `name`; raises `ValueError` when there are none."""
    choice("name", name, sorted({one.notebook for one in deviations()}))
    return Deviations(deviations(notebook=name))


def summary() -> tuple[list[str], list[list[str]]]:
    """Return header and lines of a grid: how many of each kind each paper has."""
    counts = {short_of(p): Counter(one.kind for one in deviations(p)) for p in known_papers()}
    total = sum(counts.values(), Counter())
    lines = [
        [name, *[str(count[kind]) for kind in KINDS], str(count.total())]
        for name, count in [*counts.items(), ("all", total)]
    ]
    return ["paper", *KINDS, "places"], lines


def markdown() -> str:
    """Return all of them as Markdown, a table for each paper."""
    header, lines = summary()
    text = ["# Where the papers leave something open, or err", "", markdown_grid(header, lines)]
    text += [MEANS]
    for paper in known_papers():
        rows = [
            [one.where, one.kind, one.says, one.decision, one.switch, ", ".join(one.evidence)]
            for one in deviations(paper)
        ]
        names = ["where", "kind", "the paper, or its code", "here", "setting", "evidence"]
        text += ["", f"## {short_of(paper)}", "", markdown_grid(names, rows, text=6)]
    return "\n".join(text)


def cards(held: Iterable[Deviation], folder: Path) -> str:
    """Return them as folded cards for a page in `folder`."""
    return "\n".join(_card(one, folder) for one in held)


def _card(one: Deviation, folder: Path) -> str:
    page = folder / "notebooks" / f"{one.notebook}.html"
    shown = f"<code>{html.escape(one.notebook)}</code>"
    if page.is_file():
        shown = f'<a href="notebooks/{one.notebook}.html">{shown}</a>'
    setting = named(one.setting, folder) if one.setting else "nothing switches it"
    if one.letter is not None:
        other = one.switch.partition(" = ")[2]
        setting += f", otherwise with <code>{html.escape(other)}</code>"
    facts = [
        ("here", html.escape(one.decision)),
        ("setting", setting),
        ("evidence", listing(named(name, folder) for name in one.evidence)),
        ("matters in", shown),
    ]
    return card(one.anchor, f"{one.where}: {one.says}", one.kind, facts)
