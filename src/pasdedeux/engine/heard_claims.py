"""The claims about what people hear, decided by the exported answers of a listening test.

Everything is a difference within listeners: each compares two systems, or two answers, and the
interval is over listeners, because answers of one listener are not independent. Mean ranks and
mean opinion scores have Student's t interval, as `report.claims` gives one over seeds. Shares and
FL are taken from all answers together; theirs is the bootstrap over listeners, with the answers
about both systems redrawn side by side. A percentile interval of few listeners is too narrow, so
its quantiles are moved outwards (`expanded`; Hesterberg, The American Statistician 69, 2015).

No interval is told of fewer listeners than a rank test needs to be clear at its level
(`metrics.listening.smallest_p`): six at 95 %, four at 80 %. The five dancers of the dual-learning
paper could lean to a claim and decide none. An export does not tell whether people gave its
answers; whoever simulates some says so beside the verdicts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from pasdedeux.base.checks import choice
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.engine import asked, heard
from pasdedeux.listening.design import MUSICALITY, TESTS
from pasdedeux.listening.export import Exported, read
from pasdedeux.metrics import listening
from pasdedeux.metrics.listening import Statistic
from pasdedeux.report.claims import (
    CONFIDENCE,
    LEANING,
    Claims,
    Evidence,
    Part,
    bounds,
    decide,
    interval,
    signed,
)
from pasdedeux.report.ledger import LISTENERS
from pasdedeux.report.reference import fact, reference, stated_claims

QUALITY_MARGIN = 0.3  # points; the least difference in coherence that CDCD calls better
EVEN_MARGIN = 10.0  # percentage points between jazz and folk; ours
RIGHT_MARGIN = 10.0  # percentage points around the printed share of right answers; ours
DRAWS = 4000
RULE = (
    "Differences are taken within listeners. holds / does not hold: their 95 % interval over "
    "listeners lies on the claimed side / on the other one, in every part / in one part; "
    "undecided: neither, or fewer than six listeners; not run: nobody was asked about a system."
)
MORE: Mapping[str, str] = {  # what the rule adds for a test
    "fusion": " Only qualified listeners count, except for how many listeners these are. Where a "
    "margin (±) stands beside a difference, the interval lies within it / wholly beyond it: as "
    f"jazz about as often as folk is within {EVEN_MARGIN:g} percentage points, two listeners in "
    f"three is a share of right answers within {RIGHT_MARGIN:g} points of the printed one.",
    "mos": f" About the same quality: the interval lies within ±{QUALITY_MARGIN:g} points / wholly "
    "beyond; a difference so large in coherence is what the paper calls better.",
}
Ends = tuple[float, float]
Counts = Mapping[str, Int[np.ndarray, "L C"]]


class Difference(NamedTuple):
    """How far two things lie apart, its 95 % and 80 % intervals, and over how many listeners.

    An interval has infinite ends where there are too few listeners for one.
    """

    value: float
    sure: Ends
    near: Ends
    listeners: int

    def evidence(self, what: str) -> Evidence:
        """Return what is known of the difference called `what`."""
        few = f"[{self.listeners} listeners are too few for an interval]"
        ends = bounds(self.sure) if math.isfinite(self.sure[0]) else few
        told = f"{what} = {signed(self.value)} {ends}"
        return Evidence(told, self.value, self.listeners, self.sure, self.near)


def paired(differences: Sequence[float]) -> Difference | None:
    """Return the mean of one difference a listener with its t interval; None of nobody."""
    if not differences:
        return None
    held = sorted(differences)  # who is participant 1 does not matter, not even in the last digit

    def ends(level: float) -> Ends:
        _, low, high = interval(held, level)
        return low, high

    return Difference(interval(held)[0], *_intervals(ends, len(held)), len(held))


def redrawn(counts: Int[np.ndarray, "L C"], statistic: Statistic, what: str) -> Difference | None:
    """Return `statistic` of all answers with its bootstrap interval over listeners; None of nobody.

    Each row of `counts` is a listener who answered. `what` names the random draws.
    """
    L = len(counts)
    if not L:
        return None
    held = counts[np.lexsort(counts.T)]  # the same draws whoever is participant 1

    def ends(level: float) -> Ends:
        drawn = numpy_generator(0, LISTENERS, what)
        wider = {"draws": DRAWS, "level": expanded(level, L)}
        told = listening.over_listeners(held, statistic, generator=drawn, **wider)
        return told.low, told.high

    value = float(statistic(held.sum(axis=0, keepdims=True).astype(float))[0])
    return Difference(value, *_intervals(ends, L), L)


def expanded(level: float, listeners: int) -> float:
    """Return the level of the percentile interval that is as wide as the t interval of `level`.

    Hesterberg's expanded percentile interval: for a mean, quantiles of the bootstrap at
    z = t sqrt(n / (n - 1)) lie where the t interval ends.
    """
    reach = float(stats.t.ppf(0.5 + level / 2, listeners - 1))
    return float(2 * stats.norm.cdf(reach * math.sqrt(listeners / (listeners - 1))) - 1)


def _intervals(ends: Callable[[float], Ends], listeners: int) -> tuple[Ends, Ends]:
    """Return the ends at 95 % and at 80 %, infinite where there are too few listeners."""
    least, endless = listening.smallest_p(listeners), (-math.inf, math.inf)
    sure, near = (ends(x) if least < 1 - x else endless for x in (CONFIDENCE, LEANING))
    return sure, near


def above(found: Difference | None, what: str) -> Part:
    """Return whether the difference called `what` is clearly above zero."""
    return found.evidence(what).above() if found else _nobody(what)


def within(found: Difference | None, what: str, margin: float) -> Part:
    """Return whether the difference called `what` is clearly less than `margin` either way."""
    return found.evidence(what).within(margin) if found else _nobody(what)


def _nobody(what: str) -> Part:
    return Part("not run", f"{what}: nobody has answered", 0)


# ------------------------------------------------------------------------------ the claims


def claims(test: str, answers: str = "", *, profile: str) -> Claims:
    """Return every claim that the test called `test` decides, by the exported `answers`.

    Where `answers` is "" nobody was asked, and no claim is decided. Raises `ValueError` for a file
    that holds no answers of this test.
    """
    paper, _ = asked.PLACES[choice("test", test, TESTS)]
    told = read(answers, test) if answers else None
    known = {} if told is None else parts(told)
    nobody = [Part("not run", asked.NOBODY, 0)]
    decided = tuple(
        decide(one, known.get(name) or nobody)
        for name, one in stated_claims(paper).items()
        if one.needs == LISTENERS
    )
    return Claims(decided, _notice(told), profile, RULE + MORE.get(test, ""))


def parts(told: Exported) -> dict[str, list[Part]]:
    """Return the parts of each claim that the exported answers can decide, by its id."""
    return {"fusion": _fusion, "ranking": _ranking, "mos": _mos}[told.test](told)


def _notice(told: Exported | None) -> str:
    if told is None:
        return f"none; {asked.NOBODY}."
    words = f"answers of {told.participants} participants to the {told.test} test"
    genres = " (jazz is {}, folk is {})".format(*told.genres) if told.genres else ""
    return f"{words} {told.version[:12]}{genres}."


def _ranking(told: Exported) -> dict[str, list[Part]]:
    """Return the parts of Table 3 of dual learning; who did not rank every item is left out."""
    return {
        "users-realism": _ranks(told, "realism"),
        "users-genre": _ranks(told, "consistency"),
    }


def _ranks(told: Exported, step: str) -> list[Part]:
    systems = sorted({row["system"] for row in told.rows if row["step"] == step})
    means = heard.ranked(told.rows, step, systems)[0].mean(axis=1)
    by_system = dict(zip(systems, means.T, strict=True))
    found = []
    for other in _others("dual", 3, "Ours"):
        both = "Ours" in by_system and other in by_system
        apart = (by_system[other] - by_system["Ours"]).tolist() if both else []
        found.append(above(paired(apart), f"rank of {other} - rank of Ours"))
    return found


def _mos(told: Exported) -> dict[str, list[Part]]:
    """Return the parts of what is said of the scores in Table 1 of CDCD."""
    vanilla, *best = (f"Ours {name}" for name in ("Vanilla", "Step-Intra", "Sample-Inter"))
    coherence, quality = (partial(_opinions, told, step) for step in ("coherence", "quality"))
    pairs = [(best[0], vanilla), (best[1], vanilla), (best[0], best[1])]
    return {
        "coherence": [above(coherence(a, vanilla), f"{a} - {vanilla}") for a in best],
        "quality": [within(quality(a, b), f"{a} - {b}", QUALITY_MARGIN) for a, b in pairs],
    }


def _opinions(told: Exported, step: str, a: str, b: str) -> Difference | None:
    """Return how much higher each listener scored `a` than `b`, over items that have both."""
    scores: dict[int, dict[tuple[str, str], float]] = {}
    for row in told.rows:
        if row["step"] == step:
            mine = scores.setdefault(row["participant"], {})
            mine[row["system"], row["item"]] = float(row["answer"])
    found = []
    for mine in scores.values():
        items = [item for system, item in mine if system == a and (b, item) in mine]
        if items:
            found.append(float(np.mean([mine[a, item] - mine[b, item] for item in items])))
    return paired(found)


def _fusion(told: Exported) -> dict[str, list[Part]]:
    """Return the parts of section IV-B of FusionGAN; the first genre stands for jazz."""
    right = heard.right_and_wrong(told.rows)
    fine = listening.qualified(right[:, 0], right.sum(axis=1))
    members = [one for one, inside in zip(heard.people_of(told.rows), fine, strict=True) if inside]
    answers = (*told.genres, "mixture", "neither")
    systems = reference("fusion", 2).rows
    count = partial(heard.counted, told.rows, members)
    genre = {system: count("genre", system, answers) for system in systems}
    composer = {system: count("musicality", system, MUSICALITY) for system in systems}
    higher = partial(_higher, genre)
    level, mixture = listening.fusion_levels, listening.shares(2)
    to_jazz, as_expert = "as jazz - as folk (%)", ((1, "newbie"), (2, "robot"))
    return {
        "fl-highest": [higher("Fusion", one, level, "FL") for one in _rest("Fusion")],
        "mle-mixture": [higher("MLE", one, mixture, "mixture (%)") for one in _rest("MLE")],
        "mle-jazz": [above(_of(genre["MLE"], 0, 1, "MLE"), f"MLE: {to_jazz}")],
        "rm-balanced": [
            within(_of(genre["RM"], 0, 1, "RM"), f"RM: {to_jazz}", EVEN_MARGIN),
            *(higher(one, "RM", _uneven, "|jazz - folk| (%)") for one in _rest("RM")),
        ],
        "mc-heard": [higher(one, "MC", level, "FL") for one in _rest("MC")],
        "expert": [
            above(_of(composer[one], 0, place, one), f"{one}: expert - {who} (%)")
            for one in ("MLE", "GAN", "Fusion")
            for place, who in as_expert
        ],
        "listeners-qualified": [_qualified(right)],
    }


def _qualified(right: Int[np.ndarray, "L 2"]) -> Part:
    """Return whether everybody's share of right answers is near the printed one."""
    printed = fact("fusion", "qualification-right").value
    found = redrawn(_answered(right), lambda c: listening.shares(0)(c) - printed, "qualification")
    return within(found, f"right answers - {printed:g} (%)", RIGHT_MARGIN)


def _higher(counts: Counts, a: str, b: str, statistic: Statistic, name: str) -> Part:
    """Return whether `statistic` of the answers about `a` is above that of those about `b`."""
    C = counts[a].shape[1]
    both = (counts[a].sum(axis=1) > 0) & (counts[b].sum(axis=1) > 0)
    aside = np.concatenate([counts[a], counts[b]], axis=1)[both]
    what = f"{name}: {a} - {b}"
    return above(redrawn(aside, lambda c: statistic(c[:, :C]) - statistic(c[:, C:]), what), what)


def _of(counts: Int[np.ndarray, "L C"], a: int, b: int, what: str) -> Difference | None:
    """Return how many percent more of the answers are of class `a` than of class `b`."""
    first, second = listening.shares(a), listening.shares(b)
    return redrawn(_answered(counts), lambda c: first(c) - second(c), f"{what} {a} {b}")


def _uneven(counts: Float[np.ndarray, "D 4"]) -> Float[np.ndarray, " D"]:
    """Return how far the answers "jazz" and "folk" lie apart, in percent of all."""
    return 100.0 * np.abs(counts[:, 0] - counts[:, 1]) / counts.sum(axis=1)


def _answered(counts: Int[np.ndarray, "L C"]) -> Int[np.ndarray, "M C"]:
    return counts[counts.sum(axis=1) > 0]


def _rest(system: str) -> list[str]:
    return _others("fusion", 2, system)


def _others(paper: str, table: int, system: str) -> list[str]:
    """Return the other rows of a printed table."""
    return [row for row in reference(paper, table).rows if row != system]
