"""Machine listeners before what finished runs played and danced: the automatic counterparts.

Never people: every row that comes from here is labelled `MACHINE`. Nothing of a system is trained;
what its notebook kept is heard, windows evenly from all of it (RL plays the one genre's generator
first and the other's after it).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.base.profiles import settings as profile_settings
from pasdedeux.data.melodies import MelodyPair, melody_pair
from pasdedeux.data.pairs import Pairs, pairs
from pasdedeux.engine.dance_systems import dual_settings
from pasdedeux.engine.listen_sources import HELD_OUT, Finished, finished
from pasdedeux.engine.systems import fusion_settings
from pasdedeux.metrics.listening import GENRE_ANSWERS, fusion_level
from pasdedeux.papers import dance_judge, dual_shown, fusion_judge
from pasdedeux.papers.dance_judge import Recognised
from pasdedeux.papers.dual_evaluate import excerpts
from pasdedeux.papers.dual_numbers import GROUND_TRUTH
from pasdedeux.papers.fusion_judge import MACHINE, HeldOut, JudgeSettings
from pasdedeux.report.reference import reference
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured

__all__ = ["MACHINE", "Dances", "Melodies", "dances", "melodies"]
MOST_HEARD = 500  # windows of each system and seed
RISKS = (0.02, 0.05, 0.1, 0.2, 0.4)
LEVEL = "FL"
SIDE_ROWS = ("MLE, A only", "MLE, B only", HELD_OUT)
FLOORS = ("any training window", "frozen pose, one chord")
RANK, RECOGNISED = "Genre Consistency", "genre recognised (%)"


class Melodies(NamedTuple):
    """What the panel heard: Table II's rows, others that say how to read it, and by risk.

    by_risk: columns "risk 0.02" and so on.
    """

    data: MelodyPair
    settings: JudgeSettings
    held_out: HeldOut
    rows: list[Measurement]
    side_rows: list[Measurement]
    by_risk: list[Measurement]

    @property
    def meaning(self) -> str:
        """What the columns "jazz" and "folk" mean on this pair; "" where they mean just that."""
        named = dict(zip(GENRE_ANSWERS, (self.data.a.name, self.data.b.name), strict=False))
        told = [f'column "{column}" is {name}' for column, name in named.items() if column != name]
        return f"Here {' and '.join(told)}." if told else ""


def melodies(profile: str) -> Melodies:
    """Return what the jazz/folk/mixture/neither judges say of a finished FusionGAN study.

    Raises `ValueError` naming the command where the study is missing or of other data.
    """
    done = finished("21", profile)
    chosen = fusion_settings(profile, pair=done.parameters["pair"], seed=done.parameters["seed"])
    data = melody_pair(chosen.melody)
    settings: JudgeSettings = profile_settings(JudgeSettings, profile)
    panel = fusion_judge.panel(settings, data)
    rows: dict[str, list[Measurement]] = {"main": [], "side": [], "risk": []}
    printed = reference("fusion", 2).rows
    for label in (*printed, *SIDE_ROWS):
        for run in _runs(done, label, data.checksum):
            heard = fusion_judge.hear(panel, fusion_judge.spread(run.samples(), MOST_HEARD))
            counts = fusion_judge.counted(heard, settings.risk)
            told = answered(counts)
            rows["main" if label in printed else "side"] += _measured(run, told)
            levels = {f"risk {r:g}": fusion_level(fusion_judge.counted(heard, r)) for r in RISKS}
            rows["risk"] += _measured(run, levels) if label in printed else []
    held = fusion_judge.held_out(panel, data, settings)
    return Melodies(data, settings, held, rows["main"], rows["side"], rows["risk"])


def answered(counts: np.ndarray) -> dict[str, float]:
    """Return the four shares in percent and FL."""
    shares = 100.0 * counts / counts.sum()
    return dict(zip(GENRE_ANSWERS, shares.tolist(), strict=True)) | {LEVEL: fusion_level(counts)}


def _measured(run: Measured, numbers: Mapping[str, float]) -> list[Measurement]:
    return [Measurement(run.system, name, run.seed, x, run.run) for name, x in numbers.items()]


def _runs(done: Finished, label: str, checksum: str) -> list[Measured]:
    """Return the runs of every seed of `label`; refuses those of other data."""
    found = done.every_seed(label)
    for run in found:
        other = done.runs[run.run]["data"] != checksum
        refuse(other, f"{run.run} was trained on other data than are here now; {done.remedy}.")
    return found


class Dances(NamedTuple):
    """What the genre judge saw: held-out accuracy, and the columns `RANK` and `RECOGNISED`.

    why_not: why there is no judge, "" where there is one; then nothing else is told. genres: those
    that it knows.
    """

    data: Pairs
    why_not: str
    genres: tuple[str, ...]
    held_out: Recognised | None
    ranks: list[Measurement]
    recognised: list[Measurement]


def dances(profile: str) -> Dances:
    """Return what the genre judge says of the dances of a finished dual-learning study.

    A rank is told for seeds under which all four methods of Table 3 ran. Raises `ValueError` naming
    the command where the study is missing or of other data.
    """
    done = finished("11", profile)
    told = done.parameters
    chosen = dual_settings(profile, corpus=told["corpus"], seed=told["seed"])
    data = pairs(chosen.pairs)
    found = excerpts(data, most_a_genre=chosen.samples)
    why_not = dance_judge.why_not(data, found)
    if why_not:
        return Dances(data, why_not, (), None, [], [])
    judge = dance_judge.judge(data)
    genre = dance_judge.places_of(judge, found, data)
    truth = dance_judge.recognised(dance_judge.heard(judge, found.pose), genre, found.dance)
    recognised = [Measurement(GROUND_TRUTH, RECOGNISED, None, truth.balanced.value, "recorded")]
    methods = reference("dual", 3).rows
    by_seed: dict[int, dict[str, tuple[Measured, Float[np.ndarray, "E G"]]]] = {}
    for label in (*methods, *FLOORS):
        for run in _runs(done, label, data.checksum):
            margins = dance_judge.heard(judge, dual_shown.kept(run).danced)
            share = dance_judge.recognised(margins, genre, found.dance).balanced.value
            recognised += _measured(run, {RECOGNISED: share})
            by_seed.setdefault(run.seed, {})[label] = run, margins
    ranks: list[Measurement] = []
    for seen in by_seed.values():
        if set(methods) <= set(seen):  # a rank among fewer is another number
            margins = {label: seen[label][1] for label in methods}
            for label, rank in dance_judge.average_ranks(margins, genre).items():
                ranks += _measured(seen[label][0], {RANK: rank})
    return Dances(data, "", judge.genres, truth, ranks, recognised)
