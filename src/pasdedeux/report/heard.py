"""What listeners said, voice by voice: printed people, people here, and machine listeners apart.

A row of a table has one line for each voice. No verdict compares a machine listener with people:
they are not asked the same thing. Where nobody was asked a cell says "not run"; where there is no
machine listener for a question it says "none".
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import matplotlib as mpl
import numpy as np

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_text
from pasdedeux.report.markup import about_data, html_grid, latex_grid, markdown_grid
from pasdedeux.report.picture import BLUE, GREY, ORANGE, PALE_GREY, STYLE, Picture, picture
from pasdedeux.report.reference import Reference
from pasdedeux.report.table import Measurement

PRINTED, HERE = "people, printed", "people, here"
NOT_RUN, NONE = "not run", "none"
FIELDS = ("row", "column", "who", "value", "spread", "n", "data", "profile", "caption")
RULE = (
    "People: value (95 % interval over listeners); not run: nobody was asked. Machine listener: "
    "mean ± sd over n seeds of the system (no sd with one seed); none: no machine listener for "
    "this question. A machine listener is not people."
)


class Said(NamedTuple):
    """One number of one voice: the text after it (interval or sd) and on how many it rests."""

    value: float
    spread: str
    n: int


Numbers = Mapping[str, Mapping[str, Said]]  # row, column


class Voice(NamedTuple):
    """Who speaks, what a missing cell says, and the numbers; `counts` is what `Said.n` counts."""

    name: str
    missing: str
    numbers: Numbers
    decimals: int = 1
    counts: str = "n"

    def title(self, row: str) -> str:
        """Return the name with the number that the row rests on, the least of its cells'."""
        numbers = [said.n for said in self.numbers.get(row, {}).values()]
        return f"{self.name} ({self.counts}={min(numbers)})" if numbers else self.name

    def cell(self, row: str, column: str) -> str:
        """Return the cell as people read it."""
        said = self.numbers.get(row, {}).get(column)
        return self.missing if said is None else f"{said.value:.{self.decimals}f}{said.spread}"


def by_seeds(
    measurements: Iterable[Measurement], *, decimals: int = 1
) -> dict[str, dict[str, Said]]:
    """Return mean and sd over seeds of each cell; no sd where there is one seed."""
    held: dict[tuple[str, str], list[float]] = {}
    for one in measurements:
        held.setdefault((one.row, one.column), []).append(one.value)
    found: dict[str, dict[str, Said]] = {}
    for (row, column), values in held.items():
        sd = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
        found.setdefault(row, {})[column] = Said(fmean(values), sd, len(values))
    return found


def with_interval(value: float, low: float, high: float, n: int, *, decimals: int = 1) -> Said:
    """Return a number of people with its interval over listeners."""
    return Said(value, f" ({low:.{decimals}f} to {high:.{decimals}f})", n)


@dataclass(frozen=True, repr=False)
class Beside:
    """A printed table of people beside ours; a notebook shows it, `write` puts it into files."""

    reference: Reference
    voices: tuple[Voice, ...]
    caption: str
    data_notice: str
    profile: str

    def __post_init__(self) -> None:
        """Refuse a voice that speaks of rows or columns that are not printed."""
        for voice in self.voices:
            rows = set(voice.numbers) - set(self.reference.rows)
            columns = {c for cells in voice.numbers.values() for c in cells}
            wrong = sorted(rows | (columns - set(self.reference.columns)))
            refuse(bool(wrong), f"{voice.name}: {wrong} are not in {self.reference.title!r}.")

    def __repr__(self) -> str:
        return f"Beside({self.caption!r}, {len(self.voices)} voices)"

    @property
    def full_caption(self) -> str:
        """Caption, data and profile in one text."""
        return f"{self.caption} {about_data(self.data_notice)} Profile: {self.profile}."

    def _grid(self) -> tuple[list[str], list[list[str]]]:
        lines = []
        for row in self.reference.rows:
            printed = [self.reference.text[row][c] or "–" for c in self.reference.columns]
            lines.append([row, PRINTED, *printed])
            for voice in self.voices:
                cells = [voice.cell(row, column) for column in self.reference.columns]
                lines.append(["", voice.title(row), *cells])
        return ["", "who", *self.reference.columns], lines

    def markdown(self) -> str:
        """Return caption, table and rule as Markdown."""
        header, lines = self._grid()
        return f"**{self.full_caption}**\n\n{markdown_grid(header, lines, text=2)}\n{RULE}\n"

    def latex(self) -> str:
        """Return a LaTeX table that needs no package."""
        header, lines = self._grid()
        return latex_grid(header, lines, caption=f"{self.full_caption} {RULE}", text=2)

    def csv(self) -> str:
        """Return one line for each printed cell and voice; what was not run has no value."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(FIELDS)
        end = [self.data_notice, self.profile, self.caption]
        for row in self.reference.rows:
            for column in self.reference.columns:
                printed = self.reference.text[row][column]
                writer.writerow([row, column, PRINTED, printed, "", "", *end])
                for voice in self.voices:
                    said = voice.numbers.get(row, {}).get(column)
                    told = ["", voice.missing, 0] if said is None else [*said]
                    writer.writerow([row, column, voice.name, *told, *end])
        return out.getvalue()

    def write(self, folder: Path, stem: str) -> None:
        """Write `<stem>.csv`, `.md` and `.tex` into `folder`, each whole or not at all."""
        for suffix, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            write_text(Path(folder) / f"{stem}.{suffix}", text)

    def _repr_html_(self) -> str:
        header, lines = self._grid()
        grid = html_grid(header, lines, caption=self.full_caption, text=2)
        return f"{grid}<p>{RULE}</p>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


# ------------------------------------------------------------------------------ pictures


class Place(NamedTuple):
    """A point of the plane of FL: |jazz - folk| and neither in percent; printed, or thought up."""

    apart: float
    neither: float
    printed: bool


def level_plane(places: Mapping[str, Place]) -> Picture:
    """Return the plane on which FL is straight: FL = 100 - across - up, "mixture" nowhere on it.

    Printed rows are dots, thought experiments crosses.
    """
    refuse(not places, "level_plane was given no places; name at least one.")
    with mpl.rc_context(STYLE):
        drawn = picture(6.4, 4.4)
        axes = drawn.add_subplot()
        grid = np.linspace(0, 100, 101)
        across, up = np.meshgrid(grid, grid)
        lines = axes.contour(
            across, up, 100 - across - up, levels=range(0, 100, 10), colors=PALE_GREY
        )
        axes.clabel(lines, fmt="FL %d", fontsize=7)
        for name, place in places.items():
            colour, mark = (BLUE, "o") if place.printed else (ORANGE, "X")
            axes.plot(place.apart, place.neither, mark, color=colour, clip_on=False, zorder=3)
            beside = {"textcoords": "offset points", "xytext": (7, 3), "color": colour}
            axes.annotate(name, (place.apart, place.neither), fontsize=8, **beside)
        axes.set(xlim=(0, 70), ylim=(0, 70), xlabel="|jazz − folk| (% of answers)")
        axes.set(ylabel="neither (% of answers)")
    return drawn


def width_curves(
    widths: Mapping[str, tuple[list[int], list[float]]], *, gap: float, gap_name: str
) -> Picture:
    """Return the width of FL's interval by number of listeners; `gap` is drawn as a level line."""
    refuse(not widths, "width_curves was given no curves; name at least one.")
    with mpl.rc_context(STYLE):
        drawn = picture(6.4, 3.4)
        axes = drawn.add_subplot()
        for (name, (listeners, width)), colour in zip(
            widths.items(), (BLUE, ORANGE, GREY, "black"), strict=False
        ):
            axes.loglog(listeners, width, color=colour, label=name)
        axes.axhline(gap, color=GREY, linestyle=":")
        axes.annotate(gap_name, (min(next(iter(widths.values()))[0]), gap), fontsize=8, va="bottom")
        axes.set(xlabel="listeners", ylabel="width of the 95 % interval (points)")
        axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        axes.set_xticks([5, 10, 30, 100, 300, 1000], ["5", "10", "30", "100", "300", "1000"])
        axes.minorticks_off()
        axes.legend()
    return drawn
