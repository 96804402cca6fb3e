"""The papers' three tables of people, filled from exported answers where somebody gave any.

Without an export every cell of people here is "not run"; a machine listener never fills one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from pasdedeux.base.checks import choice, refuse
from pasdedeux.engine import heard
from pasdedeux.listening.design import TESTS
from pasdedeux.listening.export import read
from pasdedeux.metrics.listening import Estimate
from pasdedeux.papers.fusion_judge import MACHINE
from pasdedeux.report.heard import HERE, NONE, NOT_RUN, Beside, Said, Voice, by_seeds, with_interval
from pasdedeux.report.reference import Reference, reference
from pasdedeux.report.table import Measurement, Table, own_table, table

NOBODY = "no people were asked"
PLACES: Mapping[str, tuple[str, int]] = {"fusion": ("fusion", 2), "ranking": ("dual", 3),
                                         "mos": ("cdcd", 1)}  # fmt: skip
MOS = {"Coherence": "Coherence MOS", "Quality": "Quality MOS"}
DECIMALS = {"fusion": 1, "ranking": 2, "mos": 2}


class People(NamedTuple):
    """What an export says: numbers of printed rows, those of other systems, and remarks.

    listeners: whose numbers these are. Both maps are empty where nobody was asked.
    """

    printed: dict[str, dict[str, Estimate]]
    others: dict[str, dict[str, Estimate]]
    listeners: int
    notes: tuple[str, ...]
    source: str


def printed(test: str) -> Reference:
    """Return the printed table that a test repeats; of CDCD's Table 1 the columns of people."""
    paper, number = PLACES[choice("test", test, TESTS)]
    found = reference(paper, number)
    if test != "mos":
        return found
    columns = tuple(MOS.values())
    text = {row: {c: cells[c] for c in columns} for row, cells in found.text.items()}
    better = {column: found.better[column] for column in columns}
    return replace(found, columns=columns, text=text, better=better)


def people(test: str, answers: str = "") -> People:
    """Return what the exported answers at the path `answers` say; nobody was asked where it is "".

    Of the fusion test these are the qualified listeners; its first genre takes the column "jazz".
    Raises `ValueError` for a file that holds no answers of this test.
    """
    names = printed(test)
    if not answers:
        return People({}, {}, 0, (NOBODY,), "")
    told = read(answers, test)
    groups = heard.results(test, told.rows, told.genres)
    group = groups[0]
    if test == "fusion" and group.name != heard.QUALIFIED:
        return People({}, {}, 0, ("nobody has qualified", *group.notes), told.version[:12])
    columns = {**MOS, **dict(zip(told.genres, names.columns, strict=False))}
    numbers = {
        system: {columns.get(column, column): estimate for column, estimate in cells.items()}
        for system, cells in group.numbers.items()
    }
    notes = [f"{one.name}: {one.listeners} listeners" for one in groups]
    own = {row: cells for row, cells in numbers.items() if row in names.rows}
    others = {row: cells for row, cells in numbers.items() if row not in names.rows}
    refuse(not numbers, f"{answers} holds no answers about systems; ask for more of the test.")
    return People(own, others, group.listeners, (*notes, *group.notes), told.version[:12])


def beside(
    test: str,
    asked: People,
    *,
    machine: Iterable[Measurement] | None = None,
    data_notice: str,
    profile: str,
) -> Beside:
    """Return the printed table beside people here and, where `machine` is given, its listener."""
    decimals, names = DECIMALS[test], printed(test)
    said: dict[str, dict[str, Said]] = {
        row: {
            c: with_interval(e.value, e.low, e.high, e.listeners, decimals=decimals)
            for c, e in cells.items()
        }
        for row, cells in asked.printed.items()
    }
    voices = [Voice(HERE, NOT_RUN, said, decimals)]
    if machine is not None:
        numbers = by_seeds(machine, decimals=decimals)
        voices.append(Voice(MACHINE, NONE, numbers, decimals))
    told = f"{asked.listeners} listeners" if asked.listeners else NOBODY
    caption = f"{names.title[0].upper()}{names.title[1:]}; here: {told}."
    return Beside(names, tuple(voices), caption, data_notice, profile)


def of_people(test: str, asked: People, *, data_notice: str, profile: str) -> Table:
    """Return the table of people alone, in the form of all other tables; without machines."""
    rows = [
        Measurement(row, column, None, estimate.value, f"answers {asked.source}")
        for row, cells in asked.printed.items()
        for column, estimate in cells.items()
    ]
    names = printed(test)
    told = {"data_notice": data_notice, "profile": profile}
    return table(names, rows, caption=f"{names.title}, people only.", **told)


def others(test: str, asked: People, *, data_notice: str, profile: str) -> Table | None:
    """Return what people said of systems that the paper does not print; None where there is none.

    The test of opinion scores also plays what the VQ-VAE makes of the true music; and systems of
    the dual-learning tables, none of CDCD's, where notebook 34 had not finished.
    """
    rows = [
        Measurement(row, column, None, estimate.value, f"answers {asked.source}")
        for row, cells in asked.others.items()
        for column, estimate in cells.items()
    ]
    if not rows:
        return None
    columns = list(dict.fromkeys(one.column for one in rows))
    caption = (
        f"People here ({asked.listeners}) on systems that {printed(test).title} does not have."
    )
    told = {"data_notice": data_notice, "profile": profile}
    return own_table(columns, rows, caption=caption, **told)
