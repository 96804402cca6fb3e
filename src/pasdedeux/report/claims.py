"""The sentences of a paper, each decided by measurements over seeds.

A claim *holds* or *does not hold* only when the evidence leaves no doubt at the 95 % level, is
*undecided* while it does, and is *not run* when a measurement that it needs is missing. A claim of
several parts holds when every part holds and fails as soon as one part fails. A part that is
undecided may still *lean* to the claimed side, clear at the 80 % level but not at the 95 % level.

Differences are taken seed by seed, so that what two systems share under one seed cancels. Their
interval is Student's t: with the three to five seeds of a run a bootstrap over seeds has only a
handful of different resamples and comes out far too narrow.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_text
from pasdedeux.report.markup import about_data, html_grid, markdown_grid
from pasdedeux.report.reference import StatedClaim
from pasdedeux.report.table import Measurement

Outcome = Literal["holds", "does not hold", "undecided", "not run"]
CONFIDENCE, LEANING = 0.95, 0.8
RULE = (
    "holds / does not hold: every part is clear at the 95 % level over paired seeds, or one part "
    "clearly fails; undecided: the interval includes no difference, or there is one seed only; "
    "not run: a measurement is missing."
)
IN_REPORT = (
    'In the report of all papers "holds" is called reproduced, "does not hold" not reproduced, '
    '"not run" not testable here; "undecided" is called trend only where every part that is not '
    "clear leans to the claimed side (80 % level), and otherwise inconclusive."
)
NOTHING = 1e-9  # a difference below is rounding, and none
ORDER: tuple[Outcome, ...] = ("does not hold", "not run", "undecided", "holds")
FIELDS = ("id", "text", "where", "verdict", "evidence", "n", "data", "profile")
PARTS = "claims_parts.csv"


class Part(NamedTuple):
    """One test of a claim: its outcome, what was seen, over how many seeds.

    `effect` lies between `low` and `high` at the 95 % level where it is a number with an interval;
    `leans` is true of an undecided part that lies on the claimed side at the 80 % level.
    """

    verdict: Outcome
    evidence: str
    n: int
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    leans: bool = False


def signed(value: float) -> str:
    """Return a difference as evidence tells it: sign and three digits, 0 for what is rounding."""
    return "0" if abs(value) < NOTHING else f"{value:+.3g}"


def bounds(ends: Sequence[float]) -> str:
    """Return the two ends of an interval as evidence tells them."""
    return f"[{', '.join(map(signed, ends))}]"


class Evidence(NamedTuple):
    """A difference in words and as a number, over how many seeds or listeners, and its ends.

    `sure` are the ends at the 95 % level, `near` at the 80 % level; infinite where there is no
    interval. Zero is what `signed` tells as zero.
    """

    told: str
    value: float
    n: int
    sure: tuple[float, float]
    near: tuple[float, float]

    def above(self) -> Part:
        """Return whether the difference is clearly above zero."""
        (low, high), (near, _) = self.sure, self.near
        return self._part(low > NOTHING, high < -NOTHING, leans=near > NOTHING)

    def below(self) -> Part:
        """Return whether the difference is clearly below zero."""
        (low, high), (_, near) = self.sure, self.near
        return self._part(high < -NOTHING, low > NOTHING, leans=near < -NOTHING)

    def within(self, margin: float) -> Part:
        """Return whether the difference is clearly less than `margin` either way."""
        (low, high), (near, far) = self.sure, self.near
        inside, beyond = -margin < low and high < margin, low > margin or high < -margin
        told = self._replace(told=f"{self.told} of ±{margin:g}")
        return told._part(inside, beyond, leans=-margin < near and far < margin)

    def _part(self, holds: bool, fails: bool, *, leans: bool) -> Part:
        verdict: Outcome = "holds" if holds else "does not hold" if fails else "undecided"
        ends = self.sure if np.isfinite(self.sure).all() else (None, None)
        leans = leans and verdict == "undecided"
        return Part(verdict, self.told, self.n, self.value, *ends, leans)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper with the verdict that our runs give on it."""

    id: str
    text: str
    where: str
    verdict: Outcome
    evidence: str
    n: int  # seeds behind the weakest part
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)


def by_seed(measurements: Iterable[Measurement], row: str, column: str) -> dict[int, float]:
    """Return value by seed of one cell; empty when it did not run."""
    return {m.seed: m.value for m in measurements if (m.row, m.column) == (row, column)}


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Return mean and the two ends of its t interval; infinite ends with one value."""
    refuse(not values, "an interval needs at least one value, got none.")
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -math.inf, math.inf
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * error
    return mean, mean - reach, mean + reach


def compare(
    ours_a: Mapping[int, float],
    ours_b: Mapping[int, float],
    *,
    lower: bool = True,
    what: str = "a - b",
) -> Part:
    """Return whether `a` lies below `b` (above, with `lower=False`) over the seeds they share.

    Both map seed to value. Raises `ValueError` when a value is not finite.
    """
    seeds = sorted(set(ours_a) & set(ours_b))
    if not seeds:
        return Part("not run", f"{what}: no seed in common", 0)
    pairs = [(ours_a[seed], ours_b[seed]) for seed in seeds]
    told = f"{what}: values {pairs} are not all finite; leave failed runs out."
    refuse(not np.isfinite(pairs).all(), told)
    differences = [a - b for a, b in pairs]
    mean, low, high = interval(differences)
    ends = bounds((low, high)) if len(seeds) > 1 else "[one seed, no interval]"
    _, *near = interval(differences, LEANING)
    told = f"{what} = {signed(mean)} {ends}"
    found = Evidence(told, mean, len(seeds), (low, high), tuple(near))
    return found.below() if lower else found.above()


def observe(seen: Mapping[int, bool], *, what: str, least: int = 2) -> Part:
    """Return whether something that is there or not was there under every seed.

    It holds when true in all, fails when false in all, and is undecided when seeds disagree or
    fewer than `least` ran; it leans to the claim when true in more than half of at least three. A
    fact about the data needs no second seed: `least=1`.
    """
    if not seen:
        return Part("not run", f"{what}: no seed", 0)
    count = sum(seen.values())
    verdict: Outcome = "undecided"
    if len(seen) >= least and count in (0, len(seen)):
        verdict = "holds" if count else "does not hold"
    told, share = f"{what}: {count} of {len(seen)} seeds", count / len(seen)
    leans = verdict == "undecided" and len(seen) > least and share > 0.5  # noqa: PLR2004
    return Part(verdict, told, len(seen), effect=share, leans=leans)


def decide(stated: StatedClaim, parts: Sequence[Part]) -> Claim:
    """Return the claim that `stated` makes, decided by `parts`; none means not run.

    The evidence names first what speaks against the claim. A sentence of mathematics is decided by
    its test, whatever ran.
    """
    if stated.test and not parts:
        proved: Outcome = "holds" if stated.outcome == "reproduced" else "does not hold"
        parts = [Part(proved, f"by {stated.test}", 0)]
    verdicts = {part.verdict for part in parts}
    verdict = next((v for v in ORDER if v in verdicts), "not run")
    listed = sorted(parts, key=lambda part: ORDER.index(part.verdict))
    evidence = "; ".join(map(_told, listed))
    n = min((part.n for part in parts), default=0)
    named = (stated.id, stated.text, stated.where, verdict, evidence or "no run", n)
    return Claim(*named, parts=tuple(listed))


def _told(part: Part) -> str:
    return f"{part.evidence} ({part.verdict}, n={part.n})"


@dataclass(frozen=True, repr=False)
class Claims:
    """All claims of a paper; a notebook shows them, `write` puts them into files."""

    claims: tuple[Claim, ...]
    data_notice: str
    profile: str
    rule: str = RULE

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        refuse(len(set(ids)) != len(ids), f"a claim comes twice in {ids}.")

    def __repr__(self) -> str:
        return f"Claims({', '.join(f'{claim.id}: {claim.verdict}' for claim in self.claims)})"

    def _lines(self) -> list[list[str]]:
        return [[c.text, c.where, c.verdict, c.evidence] for c in self.claims]

    @property
    def caption(self) -> str:
        """What the claims were decided on."""
        data = about_data(self.data_notice)
        return f"Claims of the paper. {data} Profile: {self.profile}."

    def markdown(self) -> str:
        """Return the claims as a Markdown table with the rule below it."""
        grid = markdown_grid(["claim", "where", "verdict", "evidence"], self._lines(), text=4)
        return f"**{self.caption}**\n\n{grid}\n{self.rule}\n\n{IN_REPORT}\n"

    def csv(self) -> str:
        """Return one line per claim: fields of `Claim`, data, profile, and a rule of its own."""
        own = () if self.rule == RULE else (self.rule,)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*FIELDS, *("rule" for _ in own)])
        for claim in self.claims:
            values = [getattr(claim, name) for name in FIELDS[:-2]]
            writer.writerow([*values, self.data_notice, self.profile, *own])
        return out.getvalue()

    def parts_csv(self) -> str:
        """Return one line per part of each claim: its id and the fields of `Part`."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["id", *Part._fields])
        for claim in self.claims:
            writer.writerows([[claim.id, *part] for part in claim.parts])
        return out.getvalue()

    def write(self, folder: Path) -> None:
        """Write `claims.csv`, its parts and `claims.md` into `folder`, each whole or not at all."""
        write_text(Path(folder) / "claims.csv", self.csv())
        write_text(Path(folder) / PARTS, self.parts_csv())
        write_text(Path(folder) / "claims.md", self.markdown())

    def _repr_html_(self) -> str:
        header = ["claim", "where", "verdict", "evidence"]
        parted = [
            [*line[:-1], "\n".join(map(_told, claim.parts)) or line[-1]]
            for line, claim in zip(self._lines(), self.claims, strict=True)
        ]
        grid = html_grid(header, parted, caption=self.caption, text=4)
        return f"{grid}<p>{self.rule}</p><p>{IN_REPORT}</p>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


def read(path: Path) -> Claims:
    """Return the claims written to the CSV at `path`; `ValueError` naming it when it is another.

    Their parts come from the file beside it; where that is missing, claims have none.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        header, lines = tuple(reader.fieldnames or ()), list(reader)
    told = f"{Path(path).name} holds no claims of ours (columns {header}); write it again."
    refuse(header not in (FIELDS, (*FIELDS, "rule")) or not lines, told)
    parts = _parts(Path(path).with_name(PARTS))
    claims = tuple(
        Claim(
            **{name: int(line[name]) if name == "n" else line[name] for name in FIELDS[:-2]},
            parts=tuple(parts.get(line["id"], ())),
        )
        for line in lines
    )
    return Claims(claims, lines[0]["data"], lines[0]["profile"], lines[0].get("rule", RULE))


def _parts(path: Path) -> dict[str, list[Part]]:
    """Return the parts of each claim by its id; none when the file is not there."""
    found: dict[str, list[Part]] = {}
    if not path.is_file():
        return found
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            numbers = [float(line[name]) if line[name] else None for name in Part._fields[3:6]]
            told = (line["verdict"], line["evidence"], int(line["n"]))
            found.setdefault(line["id"], []).append(Part(*told, *numbers, line["leans"] == "True"))
    return found
