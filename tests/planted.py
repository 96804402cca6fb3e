"""Exports of listening tests with planted answers: drawn by a program, nobody's opinion."""

import json

import numpy as np

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.listening.design import MUSICALITY
from pasdedeux.listening.export import COLUMNS

PEOPLE, GENRES = 11, ("jazz", "folk")
CDCD = ("Ours Vanilla", "Ours Step-Intra", "Ours Sample-Inter")


def line(person, step, system, item, answer, right=None):
    """Return one row of an export; what is not read says that it is planted."""
    return {
        **dict.fromkeys(COLUMNS, "planted"),
        **{"participant": person, "step": step, "system": system, "item": f"{item}"},
        **{"stimulus": f"{system}-{item}", "answer": answer, "right": right},
    }


def exported(path, test, rows):
    """Write planted rows as an export; returns its path as the notebook is given it."""
    genres = GENRES if test == "fusion" else ()
    about = {"test": test, "genres": genres, "version": "planted", "loudness_lufs": -23.0}
    people = len({row["participant"] for row in rows})
    told = {**about, "participants": people, "rows": rows}
    path.write_text(json.dumps(told), encoding="utf-8")
    return str(path)


def qualifying(person, right, of=9):
    """Return `right` right answers of `of`."""
    return [line(person, "qualification", "jazz", i, "jazz", i < right) for i in range(of)]


def melodies(shares, composers, *, people=PEOPLE, right=6, seed=0, of=20):
    """Return answers of qualified listeners about `of` melodies of each system.

    `shares` are chances of jazz, folk, mixture and neither by system, `composers` those of expert,
    newbie and robot.
    """
    rows = []
    for person in range(1, people + 1):
        rows += qualifying(person, right)
        draw = numpy_generator(seed, "planted", person)
        for system, chances in shares.items():
            kinds = (("genre", (*GENRES, "mixture", "neither"), chances),
                     ("musicality", MUSICALITY, composers[system]))  # fmt: skip
            for step, names, chance in kinds:
                drawn = draw.choice(names, of, p=chance)
                rows += [line(person, step, system, i, str(a)) for i, a in enumerate(drawn)]
    return rows


def ranks(order, *, people=PEOPLE, items=3, noise=0.0):
    """Return rankings with the `order` as its centre; large `noise` leaves nothing of it."""
    rows = []
    for person in range(1, people + 1):
        draw = numpy_generator(1, "ranks", person)
        for step in ("realism", "consistency"):
            for item in range(items):
                place = np.arange(len(order)) + noise * draw.normal(size=len(order))
                found = np.argsort(np.argsort(place)) + 1
                pairs = zip(order, found.tolist(), strict=True)
                rows += [line(person, step, system, item, rank) for system, rank in pairs]
    return rows


def scores(coherence, quality, *, people=PEOPLE, items=5, spread=0.5):
    """Return opinions about CDCD's systems around the given means."""
    rows = []
    for person in range(1, people + 1):
        draw = numpy_generator(2, "scores", person)
        for step, means in (("coherence", coherence), ("quality", quality)):
            for item in range(items):
                for system, mean in zip(CDCD, means, strict=True):
                    given = int(np.clip(round(draw.normal(mean, spread)), 1, 5))
                    rows.append(line(person, step, system, item, f"{given}"))
    return rows
