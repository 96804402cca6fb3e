"""Two ways to the same number, side by side: equal exactly, approximately, and by how much not.

A derivation is checked by computing each of its lines twice. One row of a `Comparisons` is one such
line; rows that are *meant* to differ (a misprint beside its correction) say so, and count as they
should when they do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Num

from pasdedeux.base.checks import choice, refuse
from pasdedeux.report.markup import html_grid, markdown_grid

Numbers = int | float | Sequence[int | float] | np.ndarray | np.generic | torch.Tensor
Expected = Literal["equal", "different"]
HEADER = ("", "exact", "approximate", "max difference", "expected", "as expected")
CAPTION = "Approximate: the largest difference is a small share of the largest number compared."


@dataclass(frozen=True, repr=False)
class Comparison:
    """Whether two arrays are equal; `max_difference` is absolute, inf or nan where either is."""

    name: str
    exact: bool
    approximate: bool
    max_difference: float
    expected: Expected

    @property
    def holds(self) -> bool:
        """Whether the two are approximately equal, or different, as `expected` says."""
        return self.approximate == (self.expected == "equal")

    def line(self) -> tuple[str, ...]:
        """Return the cells of its row in a table."""
        answers = [_word(value) for value in (self.exact, self.approximate)]
        return (
            *(self.name, *answers, f"{self.max_difference:.1e}"),
            *(self.expected, _word(self.holds)),
        )

    def __repr__(self) -> str:
        _, exact, approximate, difference, *_ = self.line()
        return f"{self.name} | exact: {exact} | approximate: {approximate} | max: {difference}"


@dataclass(frozen=True, repr=False)
class Comparisons:
    """Several comparisons, shown as one table with a verdict."""

    rows: tuple[Comparison, ...]

    @property
    def verdict(self) -> str:
        """How many rows are as expected, and which are not."""
        wrong = [row.name for row in self.rows if not row.holds]
        told = f"{len(self.rows) - len(wrong)} of {len(self.rows)} as expected"
        return told + (f"; not: {', '.join(wrong)}" if wrong else "")

    def __repr__(self) -> str:
        return "\n".join([*map(repr, self.rows), self.verdict])

    def _repr_html_(self) -> str:
        lines = [row.line() for row in self.rows]
        return f"{html_grid(HEADER, lines, caption=CAPTION)}<p><b>{self.verdict}</b></p>"

    def _repr_markdown_(self) -> str:
        return f"{markdown_grid(HEADER, [row.line() for row in self.rows])}\n**{self.verdict}**\n"


def comparison(
    name: str,
    ours: Numbers,
    theirs: Numbers,
    *,
    tolerance: float | None = None,
    expected: Expected = "equal",
) -> Comparison:
    """Return how `ours` compares with `theirs`; a single number is compared with every entry.

    Approximately equal means that the largest difference is at most `tolerance` times the largest
    absolute entry of `theirs` (or `tolerance` itself where that is 0), by default the square root
    of the machine epsilon of the coarser type. Raises `ValueError` for arrays of two shapes.
    """
    choice("expected", expected, ("equal", "different"))
    first, second = _array(ours), _array(theirs)
    refuse(
        first.shape != second.shape and 1 not in (first.size, second.size),
        f"{name}: ours has shape {first.shape}, theirs {second.shape}; compare like with like.",
    )
    refuse(not first.size or not second.size, f"{name}: there is nothing to compare.")
    if tolerance is None:
        tolerance = math.sqrt(max(_epsilon(first), _epsilon(second)))
    with np.errstate(invalid="ignore"):  # inf - inf is nan, which is then not equal
        difference = float(np.abs(first.astype(float) - second.astype(float)).max())
    size = float(np.abs(second).max())
    return Comparison(
        name,
        exact=bool((first == second).all()),
        approximate=difference <= tolerance * (size or 1.0),
        max_difference=difference,
        expected=expected,
    )


def comparisons(*rows: Comparison | Comparisons) -> Comparisons:
    """Return the rows, and those of whole tables, as one table."""
    refuse(not rows, "comparisons needs at least one row.")
    each = [row.rows if isinstance(row, Comparisons) else (row,) for row in rows]
    return Comparisons(tuple(row for part in each for row in part))


def _array(values: Numbers) -> Num[np.ndarray, "*N"]:
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values)


def _epsilon(values: Num[np.ndarray, "*N"]) -> float:
    kind = values.dtype if np.issubdtype(values.dtype, np.floating) else float
    return float(np.finfo(kind).eps)


def _word(value: bool) -> str:
    return "yes" if value else "no"
