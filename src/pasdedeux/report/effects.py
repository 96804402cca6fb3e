"""What one change does to each number: differences seed by seed, with intervals and verdicts.

The two sides of a difference share data, first weights and draws under each seed, so the interval
is Student's t over the paired differences, as for claims (`report.claims`).
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_text
from pasdedeux.report.claims import interval, signed
from pasdedeux.report.markup import about_data, html_grid, latex_grid, markdown_grid
from pasdedeux.report.reference import Better

Change = Literal["better", "worse", "higher", "lower", "undecided", "not run"]
RULE = (
    "Mean over seeds of the difference, with the ends of its 95 % t interval. Better / worse "
    "(higher / lower where neither is): the interval leaves out 0; undecided: it includes 0, or "
    "there is one seed only; not run: no seed in common."
)
HEADER = ("change", "measure", "mean difference", "95 % interval", "seeds", "verdict")


@dataclass(frozen=True)
class Effect:
    """One difference; mean and ends are None where nothing ran, ends also with one seed."""

    change: str
    measure: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    verdict: Change

    def cells(self) -> list[str]:
        """Return the row as people read it."""
        mean = "not run" if self.mean is None else signed(self.mean)
        known = self.low is not None and self.high is not None
        ends = f"{signed(self.low)} to {signed(self.high)}" if known else "–"
        return [self.change, self.measure, mean, ends, str(self.n), self.verdict]


def effect(
    change: str,
    measure: str,
    with_it: Mapping[int, float],
    without: Mapping[int, float],
    *,
    better: Better,
) -> Effect:
    """Return the difference that `change` makes, over the seeds that both sides have.

    Both map seed to value. Raises `ValueError` when a value is not finite.
    """
    choice("better", better, ("lower", "higher", "neither"))
    seeds = sorted(set(with_it) & set(without))
    if not seeds:
        return Effect(change, measure, None, None, None, 0, "not run")
    differences = [with_it[seed] - without[seed] for seed in seeds]
    told = f"{change}, {measure}: {differences} are not all finite; leave failed runs out."
    refuse(not all(map(math.isfinite, differences)), told)
    mean, low, high = interval(differences)
    sign = (low > 0) - (high < 0)
    names: Mapping[Better, tuple[Change, Change]] = {
        "lower": ("worse", "better"), "higher": ("better", "worse"), "neither": ("higher", "lower"),
    }  # fmt: skip
    verdict: Change = "undecided" if not sign else names[better][0 if sign > 0 else 1]
    ends = (low, high) if len(seeds) > 1 else (None, None)
    return Effect(change, measure, mean, *ends, len(seeds), verdict)


@dataclass(frozen=True, repr=False)
class Effects:
    """All effects of an ablation; a notebook shows them, `write` puts them into files."""

    caption: str
    data_notice: str
    profile: str
    effects: tuple[Effect, ...]

    def __repr__(self) -> str:
        return f"Effects({self.caption!r}, {len(self.effects)} rows)"

    @property
    def full_caption(self) -> str:
        """Caption, data and profile in one text."""
        return f"{self.caption} {about_data(self.data_notice)} Profile: {self.profile}."

    def _lines(self) -> list[list[str]]:
        """Return the rows, a change named once."""
        lines = [one.cells() for one in self.effects]
        before = ["", *(line[0] for line in lines)]
        return [
            ["" if line[0] == above else line[0], *line[1:]]
            for line, above in zip(lines, before, strict=False)
        ]

    def markdown(self) -> str:
        """Return caption, table and rule as Markdown."""
        return (
            f"**{self.full_caption}**\n\n{markdown_grid(HEADER, self._lines(), text=2)}\n{RULE}\n"
        )

    def latex(self) -> str:
        """Return a LaTeX table that needs no package."""
        caption = f"{self.full_caption} {RULE}"
        return latex_grid(HEADER, self._lines(), caption=caption, text=2)

    def csv(self) -> str:
        """Return one line for each effect, numbers in full, with data, profile and caption."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names = [field.name for field in fields(Effect)]
        writer.writerow([*names, "data", "profile", "caption"])
        for one in self.effects:
            values = [getattr(one, name) for name in names]
            told = ["" if value is None else value for value in values]
            writer.writerow([*told, self.data_notice, self.profile, self.caption])
        return out.getvalue()

    def write(self, folder: Path, stem: str) -> None:
        """Write `<stem>.csv`, `.md` and `.tex` into `folder`, each whole or not at all."""
        for suffix, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            write_text(Path(folder) / f"{stem}.{suffix}", text)

    def _repr_html_(self) -> str:
        grid = html_grid(HEADER, self._lines(), caption=self.full_caption, text=2)
        return f"{grid}<p>{RULE}</p>"

    def _repr_markdown_(self) -> str:
        return self.markdown()
