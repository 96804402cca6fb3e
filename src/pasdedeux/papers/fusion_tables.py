"""What FusionGAN's tables and figure are made of: columns, histograms and the claims they decide.

Two scales need a word. The paper prints Diff as counts: 162,000 notes in each histogram explain its
numbers best, and its "EM" fits a mean absolute difference per bin rather than a Wasserstein-1
distance. Both are inferred, so Diff here is our distance times that count, with the mean absolute
difference under EM; Ratio has no scale, and Ratio under EM is the true Wasserstein-1 one.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.melodies import MelodyPair
from pasdedeux.metrics import melody
from pasdedeux.metrics.bootstrap import bootstrap
from pasdedeux.music.melody import Melody, notes
from pasdedeux.report.claims import Claim, Part, by_seed, compare, decide, observe
from pasdedeux.report.figures import Histograms, Interval
from pasdedeux.report.reference import stated_claims
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured

PRINTED_NOTES = 162_000  # notes per histogram that the printed distances imply (inferred)
Columns = Mapping[str, tuple[str, float]]  # table column -> key of `fusion.evaluate` and factor
TABLE_1: Columns = {
    f"{label} {name} {what}": key
    for label in ("DD", "NPD")
    for name, other in (("EUD", "EUD"), ("EM", "MAD"))
    for what, key in (
        ("Diff", (f"{label} {other} Diff", PRINTED_NOTES)),
        ("Ratio", (f"{label} {name} Ratio", 1.0)),
    )
}
BALANCE: Columns = {
    f"{label} EM {what}": (f"{label} EM {what}", 1.0)
    for label in ("DD", "NPD")
    for what in ("d_a", "d_b", "imbalance", "Ratio")
}
SEQUENCE: Columns = {
    "held-out NLL": ("held-out NLL", 1.0),
    "interval pairs": ("interval pairs", 1.0),
}
RATIOS = ("DD EUD Ratio", "DD EM Ratio", "NPD EUD Ratio", "NPD EM Ratio")
LANDMARKS = {
    "valley at C#": (1, -1),
    "valley at F#": (6, -1),
    "peak at C": (0, 1),
    "peak at G": (7, 1),
}
NEAR = 0.1  # two Ratios within a tenth of each other are "at about the same level"
D_SHARP = 3


def measurements(measured: Iterable[Measured], columns: Columns) -> list[Measurement]:
    """Return one measurement for each system, seed and column, scaled as `columns` says."""
    return [
        Measurement(one.system, column, one.seed, factor * one.numbers[key], one.run)
        for one in measured
        for column, (key, factor) in columns.items()
    ]


def histograms(windows: Int[np.ndarray, "N T"], pair: MelodyPair) -> Histograms:
    """Return the DD and NPD counts of `windows`, as Figure 6 shows them."""
    return Histograms(
        melody.durations(windows, pair.vocabulary).sum(axis=0),
        melody.pitch_classes(windows, pair.vocabulary).sum(axis=0),
    )


def pooled_histograms(measured: Sequence[Measured], pair: MelodyPair) -> dict[str, Histograms]:
    """Return the histograms of both genres' training windows and of each system, seeds together."""
    found = {side.name: histograms(side.train, pair) for side in (pair.a, pair.b)}
    for system in dict.fromkeys(one.system for one in measured):
        windows = [one.samples() for one in measured if one.system == system]
        found[system] = histograms(np.concatenate(windows), pair)
    return found


def ratio_panels(measured: Sequence[Measured], pair: MelodyPair) -> dict[str, dict[str, Interval]]:
    """Return the four Ratios of each system with bootstrap intervals over seeds and windows."""
    genres = [side.train for side in (pair.a, pair.b)]
    panels: dict[str, dict[str, Interval]] = {column: {} for column in RATIOS}
    for column in RATIOS:
        label, name, _ = column.split()
        count, distance = melody.PROPERTIES[label], melody.DISTANCES[name]
        a, b = (melody.distribution(count(windows, pair.vocabulary)) for windows in genres)

        def statistic(counts: Float[np.ndarray, " C"], a=a, b=b, distance=distance) -> float:  # noqa: ANN001
            return melody.ratio(*melody.triangle(a, b, counts / counts.sum(), distance))

        for system in dict.fromkeys(one.system for one in measured):
            seeds = [count(m.samples(), pair.vocabulary) for m in measured if m.system == system]
            drawn = numpy_generator(0, "bootstrap", column, system)
            panels[column][system] = Interval(*bootstrap(seeds, statistic, generator=drawn))
    return panels


def first_melodies(
    played: Mapping[str, Int[np.ndarray, "N T"]], pair: MelodyPair, *, least_notes: int, joined: int
) -> dict[str, Melody]:
    """Return, for each name, the first `joined` windows with at least `least_notes` notes, end to
    end as one melody. The order of the windows decides, so nothing is picked by ear.
    """
    found = {}
    for name, windows in played.items():
        rich = windows[pair.vocabulary.is_onset(windows).sum(axis=1) >= least_notes][:joined]
        values = pair.vocabulary.decode(rich).ravel()
        found[name] = notes(values, pair.settings.steps_per_quarter, name=name)
    return found


def file_name(label: str) -> str:
    """Return `label` as a plain file name: small letters, digits and dashes."""
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())


def landmarks(pitch_classes: Float[np.ndarray, " C"] | Int[np.ndarray, " C"]) -> set[str]:
    """Return which of MC's four landmarks the histogram has, each beside its neighbours."""
    found = set()
    for name, (place, sign) in LANDMARKS.items():
        here, *sides = (sign * pitch_classes[(place + step) % 12] for step in (0, -1, 1))
        if here > max(sides):
            found.add(name)
    return found


class Evidence:
    """Everything the claims are decided on: measurements by column, histograms by system."""

    def __init__(self, measured: Sequence[Measured], pair: MelodyPair) -> None:
        self.numbers = measurements(measured, {**TABLE_1, **BALANCE, **SEQUENCE})
        self.genres = [histograms(side.train, pair) for side in (pair.a, pair.b)]
        self.found = {(m.system, m.seed): histograms(m.samples(), pair) for m in measured}

    def lower(self, system: str, others: Iterable[str], columns: Iterable[str]) -> list[Part]:
        """Return whether `system` lies below each of `others` in each of `columns`."""
        return [
            compare(
                by_seed(self.numbers, system, column),
                by_seed(self.numbers, other, column),
                what=f"{column}: {system} - {other}",
            )
            for other in others
            for column in columns
        ]

    def seen(self, system: str, what: str, test) -> Part:  # noqa: ANN001
        """Return whether `test(histograms)` is true of `system` under every seed."""
        held = {seed: bool(test(h)) for (name, seed), h in self.found.items() if name == system}
        return observe(held, what=f"{system}: {what}")


def claims(measured: Sequence[Measured], pair: MelodyPair) -> tuple[Claim, ...]:
    """Return every testable sentence of section IV-A with the verdict of our runs."""
    e = Evidence(measured, pair)
    others = ("RL", "GAN", "MLE", "RM")
    dd, npd = RATIOS[:2], RATIOS[2:]
    imbalances = ("DD EM imbalance", "NPD EM imbalance")
    parts: dict[str, list[Part]] = {
        "dd-fusion-lower": e.lower("Fusion", others, dd),
        "npd-fusion-lower": e.lower("Fusion", others, npd),
        "mc-best": e.lower("MC", ("Fusion", *others), RATIOS),
        "rm-worst": [p for s in ("Fusion", "MC", *others[:3]) for p in e.lower(s, ("RM",), RATIOS)],
        "balance": e.lower("Fusion", others[:3], imbalances),
        "sequence": e.lower("Fusion", ("MC",), ("held-out NLL",)),
        "npd-mle-third": e.lower("MLE", ("RM", "RL", "GAN"), npd),
        "npd-gan-rl-improve": [p for s in ("GAN", "RL") for p in e.lower(s, ("RM",), npd)],
        "npd-fusion-second": e.lower("MC", ("Fusion",), npd) + e.lower("Fusion", others, npd),
        "dd-fusion-near-mc": [_near(e, column) for column in dd],
    }
    parts |= _shapes(e)
    return tuple(
        decide(stated, parts.get(key, [])) for key, stated in stated_claims("fusion").items()
    )


def _shapes(e: Evidence) -> dict[str, list[Part]]:
    """Return the tests of what the text reads off Figure 6."""
    short = [_short(genre) for genre in e.genres]
    names = ("first genre", "second genre")
    return {
        "dd-peak-short": [
            observe({0: _peaks_short(genre)}, what=f"{name}: peak at 0 or 1", least=1)
            for genre, name in zip(e.genres, names, strict=True)
        ],
        "dd-rm-differs": _apart(e, "RM", 0),
        "dd-rl-peak": [e.seen("RL", "more at 0 and 1 than both", lambda h: _short(h) > max(short))],
        "dd-others-similar": [
            e.seen(s, "peak at 0 or 1", _peaks_short) for s in ("GAN", "MLE", "MC")
        ],
        "npd-rl-differs": _apart(e, "RL", 1),
        "npd-gan-peak": [
            e.seen("GAN", "highest at D#", lambda h: int(np.argmax(h.pitch_classes)) == D_SHARP)
        ],
        "npd-mc-landmarks": [_marks(e, "MC", lambda found: len(found) == 4, "all four landmarks")],
        "npd-one-landmark": [
            _marks(e, "RM", lambda found: len(found) == 1, "exactly one landmark"),
            _marks(e, "RL", lambda found: len(found) == 1, "exactly one landmark"),
        ],
        "npd-gan-no-landmark": [_marks(e, "GAN", lambda found: not found, "no landmark")],
        "npd-mle-fusion-landmarks": [
            _marks(e, s, lambda found: len(found) == 4, "all four landmarks")
            for s in ("MLE", "Fusion")
        ],
    }


def _marks(e: Evidence, system: str, test, what: str) -> Part:  # noqa: ANN001
    return e.seen(system, what, lambda h: test(landmarks(h.pitch_classes)))


def _short(h: Histograms) -> float:
    """Return the share of notes held for 0 or 1 steps after their onset."""
    return float(h.durations[:2].sum() / h.durations.sum())


def _peaks_short(h: Histograms) -> bool:
    return int(np.argmax(h.durations)) <= 1


def _apart(e: Evidence, system: str, which: int) -> list[Part]:
    """Return whether `system` is further from each genre than the genres are apart, by EUD and EM.

    `which` is 0 for durations and 1 for pitch classes. The paper looks at the figure and names no
    measure, so "unlike both genres" has to be true of both measures of Table I.
    """

    def further(h: Histograms, distance: melody.Distance) -> bool:
        a, b, own = (melody.distribution(x[which][None]) for x in (*e.genres, h))
        return min(distance(a, own), distance(b, own)) > distance(a, b)

    return [
        e.seen(system, f"further ({name}) from both than they are apart",
               lambda h, name=name: further(h, melody.DISTANCES[name]))
        for name in ("EUD", "EM")
    ]  # fmt: skip


def _near(e: Evidence, column: str) -> Part:
    """Return whether Fusion's Ratio lies within a tenth of MC's, under every seed."""
    ours, theirs = (by_seed(e.numbers, system, column) for system in ("Fusion", "MC"))
    held = {seed: abs(ours[seed] / theirs[seed] - 1) <= NEAR for seed in ours if seed in theirs}
    return observe(held, what=f"{column}: Fusion within 10 % of MC")
