"""Answers as one tidy table: a row for each stimulus that somebody judged, as CSV and JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_text
from pasdedeux.listening.design import TESTS
from pasdedeux.listening.plan import questions
from pasdedeux.listening.stimuli import Test
from pasdedeux.listening.store import Store

COLUMNS = (
    "test", "version", "participant", "place", "step", "question", "stimulus", "system", "item",
    "hint", "shown", "answer", "right", "response_ms", "plays", "client_time", "server_time",
    "source",
)  # fmt: skip


def rows(test: Test, store: Store) -> list[dict[str, Any]]:
    """Return one row for each judged stimulus, in the order of participants and of their questions.

    place: where the question stood for this participant, from 1. shown: where the stimulus stood on
    the page, from 1. answer: the option chosen, or the rank (1 is best). right: True or False where
    there is a right answer, else None.
    """
    found = []
    orders = {number: questions(test, number - 1) for number in store.participants()}
    for given in store.answers():
        order = orders[given.participant]
        place, question = next(
            (place, one) for place, one in enumerate(order, start=1) if one.id == given.question
        )
        for shown, name in enumerate(question.stimuli, start=1):
            known = test.key[name]
            choice = isinstance(given.answer, str)
            answer = given.answer if choice else given.answer.index(name) + 1
            asked = known.right and question.step in ("headphones", "qualification")
            values = (
                test.design.test, test.version[:12], given.participant, place, question.step,
                question.id, name, known.system, known.item, known.hint, shown, answer,
                answer == known.right if asked else None, given.response_ms, given.plays,
                given.client_time, given.server_time, known.source,
            )  # fmt: skip
            found.append(dict(zip(COLUMNS, values, strict=True)))
    return sorted(found, key=lambda row: (row["participant"], row["place"], row["shown"]))


def export(test: Test, store: Store, folder: Path | None = None) -> tuple[Path, Path]:
    """Write `answers.csv` and `answers.json` into `folder`, the test's own by default.

    Both hold the same rows; in the CSV what is not there is empty.
    """
    folder = test.folder if folder is None else Path(folder)
    told = rows(test, store)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(told)
    files = folder / "answers.csv", folder / "answers.json"
    write_text(files[0], text.getvalue())
    about = {
        "test": test.design.test,
        "genres": test.design.genres,
        "version": test.version,
        "loudness_lufs": test.loudness_lufs,
        "participants": len(store.participants()),
        "rows": told,
    }
    write_text(files[1], json.dumps(about, indent=1, allow_nan=False) + "\n")
    return files


class Exported(NamedTuple):
    """What `export` wrote: which test, the genres it was about, and a row for each answer."""

    test: str
    genres: tuple[str, ...]
    version: str
    participants: int
    rows: list[dict[str, Any]]


def read(path: Path | str, test: str) -> Exported:
    """Return the answers of the test called `test` from an `answers.json`.

    Raises `ValueError` naming the file and the remedy when it is not there, was not exported here,
    or is of another test.
    """
    path, remedy = Path(path), f"give the answers.json of `pasdedeux listen {test} --export`"
    refuse(not path.is_file(), f"{path} is no file; {remedy}.")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = Exported(
            choice("test", told["test"], TESTS),
            tuple(told["genres"]),
            str(told["version"]),
            int(told["participants"]),
            list(told["rows"]),
        )
        missing = [name for row in found.rows for name in COLUMNS if name not in row]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no exported answers ({error}); {remedy}.") from error
    refuse(bool(missing), f"{path} has rows without {missing[:1]}; {remedy}.")
    refuse(found.test != test, f"{path} is of the test {found.test!r}, not {test!r}; {remedy}.")
    return found
