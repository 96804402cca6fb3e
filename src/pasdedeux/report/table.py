"""Tables that put the paper's number beside ours, with a verdict and the runs behind each cell.

The verdict of a cell follows one rule, printed under every table:

- *match*: the printed number lies within max(2 sd, 10 % of the printed number) of our mean;
- *trend*: no match, but our mean has the same rank among the rows of its column as in the paper
  (ranks over the rows that we ran, at least two; rows that tie must tie in print too);
- *mismatch*: neither;
- *not run*: no measurement. It is never a number;
- *quoted*: printed for comparison, and not among what is run here;
- none, shown as a dash: the paper leaves the cell empty and nothing was measured for it.

The standard deviation is over seeds with n - 1 degrees of freedom; with one seed it is unknown and
printed as a dash, so only the 10 % count.
"""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, NamedTuple

from pasdedeux.base.checks import choice, nearest, refuse
from pasdedeux.base.files import write_text
from pasdedeux.base.profiles import PROFILES
from pasdedeux.report.markup import about_data, html_grid, latex_grid, markdown_grid
from pasdedeux.report.reference import Reference

Verdict = Literal["match", "trend", "mismatch", "not run", "quoted", ""]
VERDICTS = (
    "match: the printed number is within max(2 sd, 10 % of it) of our mean; trend: no match, but "
    "the same rank among the rows of its column; mismatch: neither; not run: no measurement. "
)
QUOTED = "Quoted: printed for comparison, not among what is run here. "
SEEDED = "Ours is mean ± sd over n seeds; with one seed the sd is unknown (–)."
MIXED = "A number without n is a fact of the data, the same for every seed."
EMPTY = "A dash for ours: nothing is printed there and nothing was measured. "
UNSEEDED = "Ours are facts of the data, the same for every seed."
FIELDS = (
    *("row", "column", "paper", "ours_mean", "ours_sd", "n", "verdict", "runs"),
    *("data", "profile", "caption"),
)
DASH = "–"
MOST_DECIMALS = 6


class Measurement(NamedTuple):
    """One number of one seed; `run` is the run's folder relative to the project's root.

    `seed` is None for a fact of the data, which no seed changes; `run` then names the corpus.
    """

    row: str
    column: str
    seed: int | None
    value: float
    run: str


@dataclass(frozen=True)
class Cell:
    """One cell: `paper` as printed ('' where nothing is), ours over `n` seeds, and its runs.

    A mean with n = 0 is a fact of the data.
    """

    row: str
    column: str
    paper: str
    mean: float | None
    sd: float | None  # None with fewer than two seeds
    n: int
    verdict: Verdict
    runs: tuple[str, ...]

    def ours(self, *, count: bool = True) -> str:
        """Return our side of the cell as people read it, with or without n, or 'not run'."""
        if self.mean is None:
            return self.verdict or DASH
        decimals = max(len(self.paper.partition(".")[2]), _decimals(self.mean, self.sd))
        if self.n == 0:
            return f"{self.mean:.{0 if self.mean.is_integer() else decimals}f}"
        sd = DASH if self.sd is None else f"{self.sd:.{decimals}f}"
        return f"{self.mean:.{decimals}f} ± {sd}" + (f" (n={self.n})" if count else "")


def _decimals(mean: float, sd: float | None) -> int:
    """Return decimals that show two digits of the sd, or four of the mean when sd says nothing."""
    size, digits = (sd, 2) if sd else (abs(mean), 4)
    return 0 if size == 0 else min(MOST_DECIMALS, max(0, digits - 1 - math.floor(math.log10(size))))


@dataclass(frozen=True, repr=False)
class Table:
    """A finished table; a notebook shows it, `write` puts it into files."""

    caption: str
    data_notice: str
    profile: str
    cells: tuple[Cell, ...]

    def __repr__(self) -> str:
        return f"Table({self.caption!r}, {len(self.rows)} rows x {len(self.columns)} columns)"

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows in order."""
        return tuple(dict.fromkeys(cell.row for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns in order."""
        return tuple(dict.fromkeys(cell.column for cell in self.cells))

    @property
    def full_caption(self) -> str:
        """Caption, data and profile in one text."""
        return f"{self.caption} {about_data(self.data_notice)} Profile: {self.profile}."

    def _grid(self) -> tuple[list[str], list[list[str]]]:
        at = {(cell.row, cell.column): cell for cell in self.cells}
        compared = any(cell.paper for cell in self.cells)
        lines = []
        for row in self.rows:
            cells = [at[row, column] for column in self.columns]
            if not compared:
                lines.append([row, *[cell.ours() for cell in cells]])
                continue
            counts = {cell.n for cell in cells if cell.n}
            label = f"ours (n={counts.pop()})" if len(counts) == 1 else "ours"
            lines.append([row, "paper", *[cell.paper for cell in cells]])
            lines.append(["", label, *[cell.ours(count=label == "ours") for cell in cells]])
            lines.append(["", "verdict", *[cell.verdict for cell in cells]])
        return [*["", ""][: 1 + compared], *self.columns], lines

    def markdown(self) -> str:
        """Return caption, table, rule and the runs behind each row as Markdown."""
        header, lines = self._grid()
        table = markdown_grid(header, lines, text=len(header) - len(self.columns))
        runs = "".join(f"- {row}: {_listed(self.cells, row)}\n" for row in self.rows)
        return f"**{self.full_caption}**\n\n{table}\n{self._rule()}\n\nRuns:\n\n{runs}"

    def _rule(self) -> str:
        counts = [cell.n for cell in self.cells if cell.mean is not None]
        verdicts = VERDICTS if any(cell.paper for cell in self.cells) else ""
        verdicts += QUOTED if any(cell.verdict == "quoted" for cell in self.cells) else ""
        verdicts += EMPTY if any(cell.ours() == DASH for cell in self.cells) else ""
        if 0 in counts and any(counts):
            return f"{verdicts}{SEEDED} {MIXED}"
        return verdicts + (UNSEEDED if 0 in counts else SEEDED)

    def latex(self) -> str:
        """Return a LaTeX table that needs no package."""
        header, lines = self._grid()
        caption = f"{self.full_caption} {self._rule()}"
        return latex_grid(header, lines, caption=caption, text=len(header) - len(self.columns))

    def csv(self) -> str:
        """Return the tidy form: one line per cell, numbers in full, runs parted by ';'."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(FIELDS)
        for cell in self.cells:
            numbers = ["" if x is None else repr(x) for x in (cell.mean, cell.sd)]
            start = [cell.row, cell.column, cell.paper, *numbers, cell.n, cell.verdict]
            end = [";".join(cell.runs), self.data_notice, self.profile, self.caption]
            writer.writerow([*start, *end])
        return out.getvalue()

    def write(self, folder: Path, stem: str) -> None:
        """Write `<stem>.csv`, `.md` and `.tex` into `folder`, each whole or not at all."""
        for suffix, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            write_text(Path(folder) / f"{stem}.{suffix}", text)

    def _repr_html_(self) -> str:
        header, lines = self._grid()
        text = len(header) - len(self.columns)
        grid = html_grid(header, lines, caption=self.full_caption, text=text)
        return f"{grid}<p>{self._rule()}</p>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


def _listed(cells: Iterable[Cell], row: str) -> str:
    runs = sorted({run for cell in cells if cell.row == row for run in cell.runs})
    return ", ".join(f"`{run}`" for run in runs) or "none"


def read(path: Path) -> Table:
    """Return the table that `Table.write` left as tidy CSV at `path`.

    Raises `ValueError` naming the file when it has another header or no cell.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        header = tuple(reader.fieldnames or ())
        lines = list(reader)
    told = f"{Path(path).name} is no table of ours (columns {header}); write it again."
    refuse(header != FIELDS or not lines, told)
    cells = tuple(
        Cell(
            row=line["row"],
            column=line["column"],
            paper=line["paper"],
            mean=float(line["ours_mean"]) if line["ours_mean"] else None,
            sd=float(line["ours_sd"]) if line["ours_sd"] else None,
            n=int(line["n"]),
            verdict=line["verdict"],
            runs=tuple(line["runs"].split(";")) if line["runs"] else (),
        )
        for line in lines
    )
    return Table(lines[0]["caption"], lines[0]["data"], lines[0]["profile"], cells)


def table(
    reference: Reference,
    measurements: Iterable[Measurement],
    *,
    caption: str,
    data_notice: str,
    profile: str,
    beside: Iterable[str] = (),
) -> Table:
    """Return every printed cell of `reference` beside our measurements, with verdicts.

    A row or column without measurements is *not run*, or *quoted* where the reference says so.
    `beside` names rows of ours that stand below the printed ones.
    Raises `ValueError` for a measurement that is not finite, comes twice for one seed, belongs to
    no printed cell, or names an absolute path.
    """
    text = {**reference.text, **{row: dict.fromkeys(reference.columns, "") for row in beside}}
    made = _assemble(text, reference.columns, measurements, caption, data_notice, profile)
    cells = []
    for cell in made.cells:
        quoted = cell.row in reference.quoted
        if cell.mean is None and cell.row in reference.text and (quoted or not cell.paper):
            cell = replace(cell, verdict="quoted" if quoted else "")
        cells.append(cell)
    return replace(made, cells=tuple(cells))


def own_table(
    columns: Sequence[str],
    measurements: Iterable[Measurement],
    *,
    caption: str,
    data_notice: str,
    profile: str,
    rows: Sequence[str] | None = None,
) -> Table:
    """Return a table of numbers that the paper does not print: the same cells without verdict.

    `rows` defaults to the rows of the measurements in order of appearance; rows named without a
    measurement are *not run*. Raises `ValueError` as `table` does.
    """
    held = list(measurements)
    names = dict.fromkeys(rows if rows is not None else (m.row for m in held))
    blank = {row: dict.fromkeys(columns, "") for row in names}
    return _assemble(blank, columns, held, caption, data_notice, profile)


def _assemble(
    text: Mapping[str, Mapping[str, str]],
    columns: Sequence[str],
    measurements: Iterable[Measurement],
    caption: str,
    data_notice: str,
    profile: str,
) -> Table:
    choice("profile", profile, PROFILES)
    told = "a table must say which data it used; pass the notice of the corpus as data_notice."
    refuse(not data_notice.strip(), told)
    refuse(not text or not columns, f"table {caption!r} has no rows or no columns.")
    by_cell = _by_cell(measurements, tuple(text), tuple(columns))
    means = {place: statistics.fmean(m.value for m in held) for place, held in by_cell.items()}
    cells = []
    for row in text:
        for column in columns:
            held = by_cell.get((row, column), [])
            values = [m.value for m in held]
            sd = statistics.stdev(values) if len(values) > 1 else None
            seeds = sum(m.seed is not None for m in held)
            ran = [name for name in text if (name, column) in means]
            cells.append(
                Cell(
                    row=row,
                    column=column,
                    paper=text[row][column],
                    mean=means.get((row, column)),
                    sd=sd,
                    n=seeds,
                    verdict=_verdict(
                        row,
                        {name: text[name][column] for name in ran},
                        {name: means[name, column] for name in ran},
                        sd,
                    ),
                    runs=tuple(sorted({m.run for m in held})),
                )
            )
    return Table(caption, data_notice, profile, tuple(cells))


def _by_cell(
    measurements: Iterable[Measurement], rows: Sequence[str], columns: Sequence[str]
) -> dict[tuple[str, str], list[Measurement]]:
    """Return the measurements of each cell by seed, refusing those that cannot be right."""
    held: dict[tuple[str, str], dict[int, Measurement]] = {}
    for m in measurements:
        where = f"measurement of row {m.row!r}, column {m.column!r}, seed {m.seed}, run {m.run!r}"
        for name, known in ((m.row, rows), (m.column, columns)):
            refuse(name not in known, f"{where}: no {name!r} in the table.{nearest(name, known)}")
        refuse(not math.isfinite(m.value), f"{where} is {m.value}; leave a failed run out.")
        absolute = PurePosixPath(m.run).is_absolute() or PureWindowsPath(m.run).is_absolute()
        refuse(absolute or not m.run, f"{where}: give the run relative to the project's root.")
        refuse(";" in m.run, f"{where}: a run's folder must not hold ';'.")
        cell = held.setdefault((m.row, m.column), {})
        refuse(m.seed in cell, f"{where} comes twice; one value per seed.")
        refuse(cell and None in (m.seed, *cell), f"{where}: a fact of the data has no other value.")
        cell[m.seed] = m
    return {place: [cell[seed] for seed in sorted(cell)] for place, cell in held.items()}


def _verdict(
    row: str, printed: Mapping[str, str], means: Mapping[str, float], sd: float | None
) -> Verdict:
    """Return the verdict on `row` among the rows of its column that ran."""
    if row not in means:
        return "not run"
    if not printed[row]:
        return ""
    numbers = {name: float(text) for name, text in printed.items() if text}
    allowed = max(2 * (sd or 0.0), 0.1 * abs(numbers[row]))
    if abs(means[row] - numbers[row]) <= allowed:
        return "match"
    means = {name: means[name] for name in numbers}
    same = len(means) > 1 and _rank(row, means) == _rank(row, numbers)
    return "trend" if same else "mismatch"


def _rank(row: str, values: Mapping[str, float]) -> tuple[int, int]:
    """Return how many rows lie below `row` and how many tie with it (itself included)."""
    own = values[row]
    return sum(v < own for v in values.values()), sum(v == own for v in values.values())
