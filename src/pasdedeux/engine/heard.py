"""From the answers of a listening test to the numbers that the papers' tables print.

Whoever did not qualify is kept apart, never dropped: their numbers stand in a group of their own.
Rankings need every item of a listener; who stopped before is counted and left out. Simulated
answers are no people: whoever makes some says so beside the numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.listening.design import MUSICALITY
from pasdedeux.metrics import listening
from pasdedeux.metrics.listening import Estimate

Row = Mapping[str, Any]  # one line of `listening.export.rows`
Numbers = dict[str, dict[str, Estimate]]
QUALIFIED, UNQUALIFIED, EVERYBODY = "qualified", "not qualified", "all listeners"
RANKINGS = {"realism": "Realism", "consistency": "Genre Consistency"}
OPINIONS = {"coherence": "Coherence", "quality": "Quality"}


class Group(NamedTuple):
    """What one group of listeners said: `numbers[system][column]`, and remarks on it."""

    name: str
    listeners: int
    numbers: Numbers
    notes: tuple[str, ...]


def results(
    test: str, rows: Sequence[Row], genres: Sequence[str] = ("jazz", "folk")
) -> list[Group]:
    """Return the numbers of the test called `test` from its exported rows, group by group.

    Raises `ValueError` when nobody has answered yet.
    """
    refuse(not rows, "nobody has answered yet; there is nothing to tell.")
    if test == "fusion":
        return fusion(rows, genres)
    return [ranking(rows)] if test == "ranking" else [mos(rows)]


def fusion(rows: Sequence[Row], genres: Sequence[str] = ("jazz", "folk")) -> list[Group]:
    """Return Table II of FusionGAN: shares of the answers in percent, and FL, of each system."""
    counts = {"headphones": (0, 0), "qualification": (0, 0)}
    for row in rows:
        if row["step"] in counts:
            good, all_ = counts[row["step"]]
            counts[row["step"]] = (good + bool(row["right"]), all_ + 1)
    people, told_right = people_of(rows), right_and_wrong(rows)
    fine = listening.qualified(told_right[:, 0], told_right.sum(axis=1))
    told = tuple(_told(name, *pair) for name, pair in counts.items() if pair[1])
    groups = []
    for name, chosen in ((QUALIFIED, fine), (UNQUALIFIED, ~fine)):
        members = [one for one, inside in zip(people, chosen, strict=True) if inside]
        if members:
            groups.append(_fusion_of(name, rows, members, genres, told))
    return groups


def right_and_wrong(rows: Sequence[Row]) -> Int[np.ndarray, "L 2"]:
    """Return how many answers of the qualification each listener had right, and how many wrong."""
    people = people_of(rows)
    found = np.zeros((len(people), 2), dtype=int)
    for row in rows:
        if row["step"] == "qualification":
            found[people.index(row["participant"]), 0 if row["right"] else 1] += 1
    return found


def _told(name: str, right: int, asked: int) -> str:
    value, low, high = listening.share_right(right, asked)
    return f"{name}: {value:.1f} % right ({low:.1f} to {high:.1f}; {asked} answers of everybody)"


def _fusion_of(
    name: str, rows: Sequence[Row], members: list[int], genres: Sequence[str], told: tuple[str, ...]
) -> Group:
    classes = (*genres, "mixture", "neither")
    numbers: Numbers = {}
    for step, answers in (("genre", classes), ("musicality", MUSICALITY)):
        for system in _systems(rows, step):
            counts = counted(rows, members, step, system, answers)
            if not counts.any():
                continue
            line = numbers.setdefault(system, {})
            for place, answer in enumerate(answers):
                line[answer] = _over(counts, listening.shares(place), answer)
            if step == "genre":
                line["FL"] = _over(counts, listening.fusion_levels, "FL")
    return Group(name, len(members), numbers, (*told, *_agreement(rows, members, "genre")))


def _over(counts: Int[np.ndarray, "L C"], statistic: listening.Statistic, name: str) -> Estimate:
    drawn = numpy_generator(0, "listeners", name)
    return listening.over_listeners(counts, statistic, generator=drawn)


def counted(
    rows: Sequence[Row], members: list[int], step: str, system: str, answers: Sequence[str]
) -> Int[np.ndarray, "L C"]:
    """Return how often each of `members` gave each of `answers` about `system` in `step`."""
    counts = np.zeros((len(members), len(answers)), dtype=int)
    for row in rows:
        if row["step"] == step and row["system"] == system and row["participant"] in members:
            counts[members.index(row["participant"]), answers.index(row["answer"])] += 1
    return counts


def _agreement(rows: Sequence[Row], members: list[int], step: str) -> tuple[str, ...]:
    """Return Krippendorff's alpha in words; nothing where it is not defined."""
    chosen = [row for row in rows if row["step"] == step and row["participant"] in members]
    answers = sorted({str(row["answer"]) for row in chosen})
    names = sorted({row["stimulus"] for row in chosen})
    values = np.full((len(members), len(names)), np.nan)
    for row in chosen:
        place = members.index(row["participant"]), names.index(row["stimulus"])
        values[place] = answers.index(str(row["answer"]))
    level = "ordinal" if step in OPINIONS else "nominal"
    try:
        alpha = listening.krippendorff_alpha(values, level)
    except ValueError:  # one listener, or one answer only
        return ()
    return (f"agreement on {step}: Krippendorff's alpha ({level}) {alpha:.2f}",)


def ranking(rows: Sequence[Row]) -> Group:
    """Return Table 3 of dual learning: the average rank of each system, 1 is best."""
    numbers: Numbers = {}
    notes: list[str] = []
    listeners = 0
    for step, column in RANKINGS.items():
        systems = _systems(rows, step)
        ranks, left_out = ranked(rows, step, systems)
        if not len(ranks):
            notes.append(f"{column}: nobody has ranked every item yet")
            continue
        listeners = max(listeners, len(ranks))
        told = listening.average_rank(ranks, generator=numpy_generator(0, "listeners", column))
        for system, estimate in zip(systems, told, strict=True):
            numbers.setdefault(system, {})[column] = estimate
        notes += _tests(column, systems, ranks, left_out)
    return Group(EVERYBODY, listeners, numbers, tuple(notes))


def ranked(
    rows: Sequence[Row], step: str, systems: Sequence[str]
) -> tuple[Int[np.ndarray, "L N K"], int]:
    """Return the ranks of listeners who ranked every item, and how many others there are."""
    chosen = [row for row in rows if row["step"] == step]
    people, items = people_of(chosen), sorted({row["item"] for row in chosen})
    ranks = np.zeros((len(people), len(items), len(systems)), dtype=int)
    for row in chosen:
        place = people.index(row["participant"]), items.index(row["item"])
        ranks[(*place, systems.index(row["system"]))] = int(row["answer"])
    whole = (ranks > 0).all(axis=(1, 2))
    return ranks[whole], int((~whole).sum())


def _tests(
    column: str, systems: Sequence[str], ranks: Int[np.ndarray, "L N K"], left_out: int
) -> list[str]:
    found = [f"{column}: {left_out} listeners stopped before the end"] if left_out else []
    if len(ranks) < 2 or len(systems) < 3:
        return found
    whole = listening.friedman(ranks)
    words = f"Friedman {whole.statistic:.2f}, p {whole.p:.2g}, Kendall's W {whole.agreement:.2f}"
    found.append(f"{column}: {words}")
    least = listening.smallest_p(len(ranks))
    found.append(f"{column}: no pair can have p below {least:.2g} with {len(ranks)} listeners")
    for pair in listening.pairwise(ranks):
        names = f"{systems[pair.first]} - {systems[pair.second]}"
        found.append(f"{column}: {names} {pair.difference:+.2f}, Wilcoxon-Holm p {pair.p_holm:.2g}")
    return found


def mos(rows: Sequence[Row]) -> Group:
    """Return the mean opinion scores of CDCD's Table 1, 1 to 5."""
    people = people_of(rows)
    numbers: Numbers = {}
    notes: list[str] = []
    for step, column in OPINIONS.items():
        for system in _systems(rows, step):
            drawn = numpy_generator(0, "listeners", column)
            scores = _scores(rows, people, step, system)
            told = listening.mean_opinion(scores, generator=drawn)
            numbers.setdefault(system, {})[column] = told
        notes += _agreement(rows, people, step)
    return Group(EVERYBODY, len(people), numbers, tuple(notes))


def _scores(
    rows: Sequence[Row], people: list[int], step: str, system: str
) -> Float[np.ndarray, "L N"]:
    chosen = [row for row in rows if row["step"] == step and row["system"] == system]
    names = sorted({row["stimulus"] for row in chosen})
    scores = np.full((len(people), len(names)), np.nan)
    for row in chosen:
        place = people.index(row["participant"]), names.index(row["stimulus"])
        scores[place] = float(row["answer"])
    return scores


def people_of(rows: Sequence[Row]) -> list[int]:
    """Return the numbers of all who answered, in their order."""
    return sorted({row["participant"] for row in rows})


def _systems(rows: Sequence[Row], step: str) -> list[str]:
    return sorted({row["system"] for row in rows if row["step"] == step})


def told(groups: Sequence[Group]) -> str:
    """Return the numbers as plain lines for a terminal: value and 95 % interval over listeners."""
    lines: list[str] = []
    for group in groups:
        lines.append(f"{group.name}: {group.listeners}")
        for system, cells in group.numbers.items():
            words = [f"{c} {e.value:.1f} ({e.low:.1f}-{e.high:.1f})" for c, e in cells.items()]
            lines.append(f"  {system}: {', '.join(words)}")
        lines += [f"  {note}" for note in group.notes]
    return "\n".join(lines)
