"""The claims of the diffusion paper about music, each decided on our runs.

Two systems are compared clip by clip under the same seed: they share first weights, batches and
noise, and are asked for the same clips. A difference counts when two intervals agree: Student's t
over the seeds' means, which tells whether training again would give it, and the paired bootstrap
over clips, which tells whether other clips would. Clips of one dance are counted as independent,
so the second is narrower than it would be over dances.

Genre is decided in two databases, B as printed and C (`cdcd_evaluate`): a small VQ-VAE can make
everything that plays its tokens nearest to one genre in B, where two such systems then cannot
differ. C is asked only of systems that play tokens.

"Hardly changes" holds when both intervals lie within what the paper itself calls the spread of
three samplings (Table 6, Step-Intra: 1.2 points of coverage, 1.5 of hit), and fails when both lie
outside.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.metrics.bootstrap import paired
from pasdedeux.papers.cdcd_evaluate import PERCENT, Performed
from pasdedeux.papers.cdcd_numbers import COVERAGE, GENRE, HIT
from pasdedeux.report.claims import (
    CONFIDENCE,
    LEANING,
    Claim,
    Evidence,
    Part,
    bounds,
    decide,
    interval,
    signed,
)
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.training.run import Measured, samples_file

RULE = (
    "Differences are paired: same seed, same clip. holds / does not hold: the 95 % t interval over "
    "seeds and the 95 % bootstrap interval over clips (seeds averaged) both leave out 0, on the "
    "claimed side / on the other one, in every part / in one part; undecided: either includes 0, "
    "or there is one seed only; not run: a measurement is missing. Genre is asked in database B, "
    "as printed, and where both play tokens in C too, added when B had told nothing apart."
)
ONSETS, CODED = "Onset F1", "Accuracy in C"
FIELDS = {
    COVERAGE: "coverage", HIT: "hit", GENRE: "right_b", CODED: "right_c", ONSETS: "onset_f1",
}  # fmt: skip
BEATS, GENRES = (COVERAGE, HIT), (GENRE, CODED)
ALL = (COVERAGE, HIT, GENRE)
OTHER_SONG, OTHER_DANCE = "random other clip", "its music for other dances"
VANILLA, STEP_INTRA, STEP_INTER = "Ours Vanilla", "Ours Step-Intra", "Ours Step-Inter"
SAMPLE_INTRA, SAMPLE_INTER = "Ours Sample-Intra", "Ours Sample-Inter"
SETTINGS = (STEP_INTRA, STEP_INTER, SAMPLE_INTRA, SAMPLE_INTER)
BEST = (STEP_INTRA, SAMPLE_INTER)
RIVALS = ("Foley", "Dance2Music", "CMT", "D2M-GAN")
PerClip = Mapping[str, Float[np.ndarray, " _"]]  # by column, in percent
Seeds = Mapping[int, PerClip]
Scores = Mapping[str, Mapping[str, Seeds]]  # by table and row


class Difference(NamedTuple):
    """What two rows differ by: the mean, its ends over seeds and over clips, and each seed's."""

    mean: float
    seeds: tuple[float, float]
    clips: tuple[float, float]
    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.values)

    @property
    def leaning(self) -> tuple[float, float]:
        """Both intervals at the 80 % level, that over clips as a normal one; the wider ends."""
        share = stats.norm.ppf(0.5 + LEANING / 2) / stats.norm.ppf(0.5 + CONFIDENCE / 2)
        _, *seeds = interval(self.values, LEANING)
        clips = [float(self.mean + share * (end - self.mean)) for end in self.clips]
        return min(seeds[0], clips[0]), max(seeds[1], clips[1])

    @property
    def ends(self) -> tuple[float, float]:
        """The lower of the two low ends and the higher of the two high ones."""
        return min(self.seeds[0], self.clips[0]), max(self.seeds[1], self.clips[1])

    def evidence(self, what: str) -> Evidence:
        """Return what is known of the difference called `what`."""
        seeds = "one seed" if self.n == 1 else bounds(self.seeds)
        told = f"{what} = {signed(self.mean)}, seeds {seeds}, clips {bounds(self.clips)}"
        return Evidence(told, self.mean, self.n, self.ends, self.leaning)


def per_clip(kept: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " _"]]:
    """Return the scores in percent of the fields of a `cdcd_evaluate.Performed`."""
    return {name: PERCENT * np.asarray(kept[field], float) for name, field in FIELDS.items()}


def scores(
    measured: Iterable[Measured],
    rows: Mapping[str, str],
    score: Callable[[Mapping[str, np.ndarray]], PerClip] = per_clip,
) -> dict[str, dict[int, PerClip]]:
    """Return the scores of each clip by row and seed, from the records that `engine.study` kept.

    `rows` maps a row to its system; `score` makes scores of a record.
    """
    held: dict[str, dict[int, PerClip]] = {}
    for one in measured:
        for row in (row for row, system in rows.items() if system == one.system):
            place = paths.root() / one.run / samples_file(one.system)
            with np.load(place.with_suffix(".npz"), allow_pickle=False) as kept:
                held.setdefault(row, {})[one.seed] = score(kept)
    return held


def other_songs(passes: Iterable[Performed]) -> dict[str, Float[np.ndarray, " _"]]:
    """Return the scores of each clip for real music of other songs, means over the passes."""
    found = [per_clip(one._asdict()) for one in passes]
    return {name: np.mean([each[name] for each in found], axis=0) for name in FIELDS}


def difference(a: Seeds, b: Seeds, column: str) -> Difference | None:
    """Return a - b over the seeds that both have; None where they share none.

    Raises `ValueError` when they were not measured on equally many clips.
    """
    shared = sorted(set(a) & set(b))
    if not shared:
        return None
    pairs = [(a[seed][column], b[seed][column]) for seed in shared]
    lengths = sorted({len(one) for pair in pairs for one in pair})
    refuse(len(lengths) > 1, f"{column} was measured on {lengths} clips; they must be the same.")
    values = np.stack([one - other for one, other in pairs])
    draw = numpy_generator(0, "claims", column)
    mean, *clips = paired(values, generator=draw)
    means = values.mean(axis=1).tolist()
    _, *seeds = interval(means)
    return Difference(mean, tuple(seeds), tuple(clips), tuple(means))


def above(a: Seeds, b: Seeds, column: str, what: str) -> Part:
    """Return whether a lies above b in `column`, by the rule of this module."""
    found = _evidence(a, b, column, what)
    return found if isinstance(found, Part) else found.above()


def within(a: Seeds, b: Seeds, column: str, what: str, margin: float) -> Part:
    """Return whether a and b differ by less than `margin` in `column`."""
    found = _evidence(a, b, column, what)
    return found if isinstance(found, Part) else found.within(margin)


def _evidence(a: Seeds, b: Seeds, column: str, what: str) -> Evidence | Part:
    """Return what is known of a - b, or the part that is not run."""
    found = difference(a, b, column)
    if found is None:
        return Part("not run", f"{column}: {what}: no seed in common", 0)
    return found.evidence(f"{column}: {what}")


def claims(
    tables: Scores, other_song: PerClip | None = None, other_dance: Seeds | None = None
) -> tuple[Claim, ...]:
    """Return every claim about music with the verdict of our runs.

    `tables` holds the scores by table ("1", "2", "6", "7", "9", "10", "4 left") and row;
    `other_song` those of real music of other songs for the same clips, `other_dance` those of
    Step-Intra's music for dances to other songs (`cdcd_swapped`).
    """
    main = {**tables.get("1", {}), **tables.get("6", {})}
    parts = {
        **_main(main),
        **_steps(tables.get("4 left", {})),
        **_lengths(tables.get("7", {})),
        **_strengths(tables.get("9", {}), tables.get("10", {})),
        "tiktok": _ahead(tables.get("2", {}), BEST, [VANILLA, "D2M-GAN"], BEATS),
    }
    if other_song is not None and other_dance is not None and STEP_INTRA in main:
        made = main[STEP_INTRA]
        against = {OTHER_SONG: dict.fromkeys(made, other_song), OTHER_DANCE: other_dance}
        parts["heard-beats"] = [
            above(made, other, ONSETS, f"{STEP_INTRA} - {name}") for name, other in against.items()
        ]
    return tuple(decide(one, parts.get(name, [])) for name, one in stated_claims("cdcd").items())


def _ahead(
    rows: Mapping[str, Seeds], first: Iterable[str], others: Sequence[str], columns: Iterable[str]
) -> list[Part]:
    """Return whether each of `first` lies above each of `others` in each of `columns`."""
    return [
        above(rows.get(a, {}), rows.get(b, {}), column, f"{a} - {b}")
        for column in columns
        for a in first
        for b in others
        if a != b
    ]


def _main(rows: Mapping[str, Seeds]) -> dict[str, list[Part]]:
    """Return the parts of what is said of Tables 1 and 6."""
    return {
        "vanilla-over-rivals": _ahead(rows, [VANILLA], RIVALS, ALL),
        "contrast-over-rivals": _ahead(rows, BEST, RIVALS, ALL),
        "step-intra-beats": _ahead(rows, [STEP_INTRA], [VANILLA], BEATS),
        "sample-inter-genre": _ahead(rows, [SAMPLE_INTER], [VANILLA], GENRES),
        "rhythm-or-genre": [
            *_ahead(rows, [STEP_INTRA], [SAMPLE_INTER], BEATS),
            *_ahead(rows, [SAMPLE_INTER], [STEP_INTRA], GENRES),
        ],
        "all-help-beats": _ahead(rows, SETTINGS, [VANILLA], BEATS),
        "all-help-genre": _ahead(rows, SETTINGS, [VANILLA], GENRES),
        "step-intra-first": _ahead(rows, [STEP_INTRA], SETTINGS, BEATS),
        "sample-inter-first": _ahead(rows, [SAMPLE_INTER], SETTINGS, GENRES),
    }


def _steps(rows: Mapping[str, Seeds]) -> dict[str, list[Part]]:
    """Return the parts of what is said of Figure 4, left; T are the paper's."""
    late = f"{VANILLA}, T = 120"
    return {
        "fewer-steps": _ahead(rows, [f"{row}, T = 80" for row in BEST], [late], BEATS),
        "vanilla-needs-steps": _ahead(rows, [late], [f"{VANILLA}, T = 80"], BEATS),
    }


def _lengths(rows: Mapping[str, Seeds]) -> dict[str, list[Part]]:
    """Return the parts of what is said of Table 7."""
    return {
        "longer-over-gan": _ahead(
            rows, [f"4s {row}" for row in BEST], ["4s D2M-GAN"], (*BEATS, *GENRES)
        ),
        "longer-over-vanilla": [
            part
            for length in ("4s", "6s")
            for part in _ahead(
                rows, [f"{length} {row}" for row in BEST], [f"{length} {VANILLA}"], BEATS
            )
        ],
    }


def _strengths(
    weights: Mapping[str, Seeds], contrasted: Mapping[str, Seeds]
) -> dict[str, list[Part]]:
    """Return the parts of what is said of Tables 9 and 10."""
    spread = reference("cdcd", "6 spread").printed[STEP_INTRA]

    def near(rows: Mapping[str, Seeds], names: Iterable[str], base: str) -> list[Part]:
        return [
            within(rows.get(a, {}), rows.get(base, {}), column, f"{a} - {base}", spread[column])
            for a in names
            for column in BEATS
        ]

    return {
        "lambda-robust": near(weights, ("5e-4", "1e-5"), "5e-5"),
        "fewer-contrasts": near(contrasted, ("T_c = 80", "T_c = 60"), "Full (T_c = 100)"),
    }
