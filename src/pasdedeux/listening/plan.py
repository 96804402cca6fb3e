"""In which order each participant meets the questions: Latin squares over participants.

Participant p (0, 1, ...) gets row p of Williams' squares (1949), laid over seeded permutations.
After as many participants as a square has rows, every system has stood at every place of its block
equally often, and has followed every other system equally often.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.listening.design import Step
from pasdedeux.listening.stimuli import Test


class Question(NamedTuple):
    """One question as one participant meets it: its stimuli in the order in which they stand."""

    id: str
    step: str
    stimuli: tuple[str, ...]
    reference: str = ""  # a stimulus shown beside, "" for none


def williams(count: int) -> Int[np.ndarray, "R N"]:
    """Return a Latin square of `count` symbols balanced for what follows what; two if odd.

    Each row is an order. Over all rows each symbol has each place, and each ordered pair of
    neighbours occurs, equally often.
    """
    refuse(count < 1, f"a Latin square needs at least one symbol, got {count}.")
    first = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
    rows = (np.array(first) + np.arange(count)[:, None]) % count
    return np.concatenate([rows, rows[:, ::-1]]) if count % 2 and count > 1 else rows


def questions(test: Test, participant: int) -> tuple[Question, ...]:
    """Return every question in the order of participant number `participant`, from 0."""
    refuse(participant < 0, f"participant must be at least 0, got {participant}.")
    found: list[Question] = []
    # rankings of the same dances are asked together: nobody has to watch them twice
    together = groupby(test.design.steps, key=lambda step: (step.kind, step.pool))
    for (kind, _), group in together:
        steps = list(group)
        if kind == "ranking":
            found += _rankings(test, steps, participant)
        else:
            found += [question for step in steps for question in _choices(test, step, participant)]
    return tuple(found)


def _choices(test: Test, step: Step, participant: int) -> list[Question]:
    """Return blocks in which each system occurs once, its items in turn."""
    by_system = _pool(test, step.pool)
    systems = _shuffled(test, sorted(by_system), "systems", step.pool)
    items = {
        system: _shuffled(test, sorted(by_system[system].values()), "items", step.pool, system)
        for system in systems
    }
    square, blocks = williams(len(systems)), len(items[systems[0]])
    found = []
    for block in range(blocks):
        for place in square[(participant + block) % len(square)]:
            system = systems[place]
            name = items[system][(participant + block) % blocks]
            beside = by_system[step.reference][test.key[name].item] if step.reference else ""
            found.append(Question(f"{step.name}-{name}", step.name, (name,), beside))
    return found


def _rankings(test: Test, steps: Sequence[Step], participant: int) -> list[Question]:
    """Return, item by item, each step's ranking of all systems, the same order on the page."""
    by_system = _pool(test, steps[0].pool)
    systems = _shuffled(test, sorted(by_system), "systems", steps[0].pool)
    items = _shuffled(test, sorted(by_system[systems[0]]), "items", steps[0].pool)
    over_items, over_systems = williams(len(items)), williams(len(systems))
    found = []
    for item in over_items[participant % len(over_items)]:
        row = over_systems[(participant + item) % len(over_systems)]
        shown = tuple(by_system[systems[place]][items[item]] for place in row)
        found += [Question(f"{step.name}-i{item:02d}", step.name, shown) for step in steps]
    return found


def _pool(test: Test, pool: str) -> dict[str, dict[str, str]]:
    """Return the stimuli of a pool by system and item."""
    found: dict[str, dict[str, str]] = {}
    for name, known in test.key.items():
        if known.pool == pool:
            found.setdefault(known.system, {})[known.item] = name
    return found


def _shuffled(test: Test, names: Sequence[str], *use: str) -> list[str]:
    order = numpy_generator(test.seed, "plan", *use).permutation(len(names))
    return [names[place] for place in order]
