"""The ledger: for every checkable sentence of the four papers, whether it held here.

What a notebook has decided (`report.claims`) becomes one of five verdicts:

- *reproduced*: every part is clear on the claimed side at the 95 % level;
- *not reproduced*: at least one part is clear on the other side;
- *trend only*: no part fails, and each that is not clear lies on the claimed side at 80 %;
- *inconclusive*: neither, or one seed only;
- *not testable here*: a measurement is missing; the reason stands beside it.

A sentence of mathematics is decided by a test, one about people by their answers alone, where a
listener takes the place of a seed. The ledger reads files and runs nothing.
"""

import csv
import html
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from urllib.parse import quote

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_text
from pasdedeux.report import claims, table
from pasdedeux.report.cards import card, listing, named
from pasdedeux.report.claims import ORDER, Part
from pasdedeux.report.markup import badge, html_grid, markdown_grid
from pasdedeux.report.printed import writer_of
from pasdedeux.report.reference import StatedClaim, known_papers, short_of, stated_claims

Verdict = Literal["reproduced", "trend only", "not reproduced", "inconclusive", "not testable here"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
RULE = (
    "reproduced: every part is clear on the claimed side at the 95 % level; not reproduced: a part "
    "is clear on the other side; trend only: no part fails, and each that is not clear lies on the "
    "claimed side at the 80 % level; inconclusive: neither, or one seed only; not testable here: a "
    "measurement is missing. Each claim is judged alone: among many, some fall on either side by "
    "chance. What is not reproduced at the size and on the data beside it may hold at the paper's."
)
RULES: Mapping[str, str] = {  # what decides a claim, and the function that does
    "paired": "report.claims:compare",
    "seen": "report.claims:observe",
    "both intervals": "papers.cdcd_claims:above",
    "margin": "papers.cdcd_claims:within",
    "reached": "papers.dual_claims:_reached",
    "heard": "engine.heard_claims:parts",
    "proved": "report.claims:decide",
    "none": "",
}
LISTENERS = "listeners"
NEEDS: Mapping[str, str] = {
    LISTENERS: "it needs answers of listeners; `pasdedeux listen` asks for them",
    "tiktok": "it needs the TikTok Dance-Music corpus, which only its owners may pass on",
    "images": "it is about images, which nothing here makes yet",
    "experiment": "no experiment of the paper measures it, and none here does",
}
UNMEASURED = "not every measurement that it needs was run at this profile"
NOTEBOOKS, HEARD = "notebooks", "listening"  # HEARD: claims that listeners decide, by paper
FIELDS = (
    *("paper", "id", "claim", "where", "rule", "verdict", "why", "effect", "low", "high", "n"),
    *("evidence", "data", "runs"),
)
ALL = "*"


class Held(NamedTuple):
    """What a file of claims says: claims by their id, the data, and the notebook that wrote it."""

    claims: Mapping[str, claims.Claim]
    data: str
    notebook: str


class Cells(NamedTuple):
    """Cells that a claim rests on: a table or figure, rows and columns; "*" is all of them."""

    table: str
    rows: tuple[str, ...] = (ALL,)
    columns: tuple[str, ...] = (ALL,)

    @property
    def stem(self) -> str:
        """The name of the file without ending."""
        own = self.table.startswith(("figure", "curves")) or not self.table
        return self.table if own else f"table_{self.table}"

    def has(self, cell: table.Cell) -> bool:
        """Return whether `cell` is one of them."""
        return all(
            ALL in names or name in names
            for names, name in ((self.rows, cell.row), (self.columns, cell.column))
        )


@dataclass(frozen=True)
class Entry:
    """One claim with its verdict, what decided it, and the files and runs behind it."""

    claim: StatedClaim
    verdict: Verdict
    why: str
    parts: tuple[Part, ...]
    data: str
    runs: tuple[str, ...]
    files: tuple[str, ...]  # relative to the folder of the profile

    @property
    def n(self) -> int:
        """Seeds, or listeners, behind the weakest part."""
        return min((part.n for part in self.parts), default=0)

    @property
    def deciding(self) -> Part | None:
        """The part that speaks most against the claim."""
        return min(self.parts, key=lambda part: ORDER.index(part.verdict), default=None)


@dataclass(frozen=True, repr=False)
class Ledger:
    """All claims as a notebook shows them: the counts, and a card for each."""

    entries: tuple[Entry, ...]
    folder: Path

    def __repr__(self) -> str:
        header, lines = summary(self.entries)
        return "\n".join(" | ".join(line) for line in [header, *lines])

    def _repr_html_(self) -> str:
        header, lines = summary(self.entries)
        grid = html_grid(header, lines, caption=f"{len(self.entries)} claims.")
        return f"{grid}<p>{RULE}</p>{cards(self.entries, self.folder)}"

    def _repr_markdown_(self) -> str:
        return markdown(self.entries, "The claims")


def parsed(text: str) -> Cells:
    """Return the cells that "table | rows | columns" means; names are parted by "; "."""
    head, *rest = (part.strip() for part in text.split("|"))
    refuse(not head or len(rest) > len(Cells._fields) - 1, f"cells {text!r} name no table.")
    return Cells(head, *(tuple(part.split("; ")) for part in rest))


def verdict(parts: Sequence[Part], needs: str = "") -> tuple[Verdict, str]:
    """Return the verdict on a claim of these parts, and why it is not testable, otherwise ""."""
    kinds = {part.verdict for part in parts}
    if "does not hold" in kinds:
        return "not reproduced", ""
    if not parts or "not run" in kinds:
        return "not testable here", NEEDS[needs] if needs else UNMEASURED
    unclear = [part for part in parts if part.verdict == "undecided"]
    if not unclear:
        return "reproduced", ""
    return ("trend only" if all(part.leans for part in unclear) else "inconclusive"), ""


def ledger(folder: Path, papers: Iterable[str] = ()) -> tuple[Entry, ...]:
    """Return an entry for every claim of `papers`, all when none is named, from the results of a
    profile in `folder`. A paper without results has claims that are not testable here.

    A claim that needs listeners is decided by their answers alone, whatever else was measured.
    """
    found: list[Entry] = []
    for paper in papers or known_papers():
        choice("paper", paper, known_papers())
        measured, heard = _held(folder, paper), _held(folder, f"{HEARD}/{paper}")
        tables = _tables(folder / paper)
        for stated in stated_claims(paper).values():
            mine = heard if stated.needs == LISTENERS else measured
            claim = mine.claims.get(stated.id) or claims.decide(stated, [])
            parts = claim.parts or (Part(claim.verdict, claim.evidence, claim.n),)
            runs, files = _behind(stated, tables, folder / paper)
            if mine.notebook and not stated.test:
                files = (*files, f"{NOTEBOOKS}/{mine.notebook}.html")
            data = "" if stated.test else mine.data
            named = (*verdict(parts, stated.needs), parts, data)
            found.append(Entry(stated, *named, runs, files))
    return tuple(found)


def _held(folder: Path, name: str) -> Held:
    """Return what the claims in the folder called `name` say; nothing where there are none."""
    file = folder / name / "claims.csv"
    if not file.is_file():
        return Held({}, "", "")
    held = claims.read(file)
    notebook, _ = writer_of(folder, f"{name}/claims.csv")
    return Held({claim.id: claim for claim in held.claims}, held.data_notice, notebook)


def counted(entries: Iterable[Entry]) -> dict[str, Counter[str]]:
    """Return how many claims of each paper have each verdict."""
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        counts.setdefault(entry.claim.paper, Counter())[entry.verdict] += 1
    return counts


def summary(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of a grid: papers, and how many of their claims have each verdict."""
    counts = counted(entries)
    total = sum(counts.values(), Counter())
    lines = [
        [name, *[str(count[verdict]) for verdict in VERDICTS], str(count.total())]
        for name, count in [*((short_of(p), c) for p, c in counts.items()), ("all", total)]
    ]
    return ["paper", *VERDICTS, "claims"], lines


def cards(entries: Iterable[Entry], folder: Path) -> str:
    """Return the entries as folded cards for a page in `folder`."""
    return "\n".join(_card(entry, folder) for entry in entries)


def _card(entry: Entry, folder: Path) -> str:
    claim = entry.claim
    parts = [f"{badge(part.verdict)} {html.escape(part.evidence)}" for part in entry.parts]
    files = [
        f'<a href="{quote(file)}">{html.escape(file)}</a>'
        for file in entry.files
        if (folder / file).is_file()
    ]
    runs = ", ".join(f"<code>{html.escape(run)}</code>" for run in entry.runs)
    facts = [
        ("why", html.escape(entry.why)),
        ("what was seen", "" if entry.why and not entry.n else listing(parts)),
        (LISTENERS if claim.rule == "heard" else "seeds", str(entry.n) if entry.n else ""),
        ("data", html.escape(entry.data)),
        ("decided by", named(RULES[claim.rule], folder) if RULES[claim.rule] else ""),
        ("test", named(claim.test, folder) if claim.test else ""),
        ("shown in", listing(files)),
        ("runs", runs),
    ]
    part = entry.deciding
    seen = f" · {part.evidence}, n = {entry.n}" if part is not None and entry.n else ""
    under = f"{claim.where}{seen}"
    return card(f"{claim.paper}-{claim.id}", claim.text, entry.verdict, facts, under=under)


def markdown(entries: Sequence[Entry], title: str) -> str:
    """Return the ledger as Markdown: counts, rule, and a table for each paper."""
    header, lines = summary(entries)
    text = [f"# {title}", "", markdown_grid(header, lines), RULE]
    for paper in counted(entries):
        rows = [_line(entry) for entry in entries if entry.claim.paper == paper]
        names = ["verdict", "claim", "where", "what decides", "seeds", "data", "runs"]
        text += ["", f"## {short_of(paper)}", "", markdown_grid(names, rows, text=4)]
    return "\n".join(text)


def tidy(entries: Iterable[Entry]) -> str:
    """Return one CSV line for each claim, with the numbers of the part that decides it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for entry in entries:
        part, claim = entry.deciding or Part("not run", "", 0), entry.claim
        numbers = ["" if x is None else repr(x) for x in (part.effect, part.low, part.high)]
        start = [claim.paper, claim.id, claim.text, claim.where, claim.rule, entry.verdict]
        end = [entry.n, part.evidence, entry.data, ";".join(entry.runs)]
        writer.writerow([*start, entry.why, *numbers, *end])
    return out.getvalue()


def write(folder: Path, title: str) -> tuple[Entry, ...]:
    """Write `claims.md` and `claims.csv` of a profile into `folder`; returns the entries."""
    entries = ledger(folder)
    write_text(folder / "claims.md", markdown(entries, title))
    write_text(folder / "claims.csv", tidy(entries))
    return entries


def _line(entry: Entry) -> list[str]:
    part, more = entry.deciding, len(entry.parts) - 1
    told = entry.why or ("" if part is None else part.evidence)
    told += f" (and {more} more)" if more > 0 and not entry.why else ""
    runs = ", ".join(entry.runs) or ("a test" if entry.claim.test else "none")
    counted_by = f"{entry.n} {LISTENERS}" if entry.claim.rule == "heard" else str(entry.n)
    return [
        *(entry.verdict, entry.claim.text, entry.claim.where, told),
        *(counted_by, entry.data or "none", runs),
    ]


def _tables(folder: Path) -> dict[str, table.Table]:
    """Return every table of ours in `folder` by the stem of its file."""
    found = {}
    for file in sorted(folder.glob("*.csv")):
        try:
            found[file.stem] = table.read(file)
        except ValueError:  # a CSV of another kind
            continue
    return found


def _behind(
    stated: StatedClaim, tables: Mapping[str, table.Table], folder: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the runs behind the cells of a claim, and the files that show them."""
    runs: set[str] = set()
    files: list[str] = []
    for cells in map(parsed, stated.cells):
        for name in (f"{cells.stem}.csv", f"{cells.table}.csv", f"{cells.stem}.png"):
            if (folder / name).is_file():
                files.append(f"{folder.name}/{name}")
        held = [tables[cells.stem]] if cells.stem in tables else []
        if cells.stem.startswith("figure"):  # its runs stand in the tables
            held = list(tables.values()) if ALL not in cells.rows else []
        runs |= {run for one in held for cell in one.cells if cells.has(cell) for run in cell.runs}
    return tuple(sorted(run for run in runs if "/" in run)), tuple(dict.fromkeys(files))
