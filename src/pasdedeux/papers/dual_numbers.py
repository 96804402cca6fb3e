"""From the numbers of `papers.dual_evaluate` to the cells of the dual-learning paper's tables.

Columns map the name that a table prints to the key under which a system was measured. A number that
a system does not have (music of one that cannot compose) has no measurement, so its cell is "not
run". What was recorded is a fact of the data: its seed is None.
"""

from collections.abc import Iterable, Mapping, Sequence

from pasdedeux.data.dance import RATE_HZ
from pasdedeux.metrics import rhythm
from pasdedeux.metrics.dance import STILL_SHARE
from pasdedeux.metrics.notes import NotesSettings
from pasdedeux.motion.beats import REACH_SECONDS
from pasdedeux.motion.features import WINDOW
from pasdedeux.papers.dual_evaluate import NEAR_SECONDS, TAKES, WINDOWS
from pasdedeux.report.claims import Part, by_seed, compare
from pasdedeux.report.effects import Effect, effect
from pasdedeux.report.reference import reference
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured

Columns = Mapping[str, str]  # what a table prints -> key of `dual_evaluate.evaluate`
GROUND_TRUTH, OTHER_MUSIC = "Ground Truth", "ground truth, other music"
DISTANCE, DIVERSITY, BEATS = "Frechet distance", "Diversity", "Beats Alignment (%)"
NOTES = "Notes Accuracy"
TABLE_2: Columns = {
    DISTANCE: "distance world (mm)",
    DIVERSITY: "diversity (cm)",
    BEATS: "beats alignment (%)",
}
TABLE_4: Columns = {**TABLE_2, NOTES: "notes accuracy"}


def _as_measured(*keys: str) -> Columns:
    return {key: key for key in keys}


DISTANCES = _as_measured(
    "distance world (mm)", "distance root (mm)", "distance pose (mm)", "FID kinetic",
    "FID geometric", "diversity (cm)", "diversity, same start (cm)",
)  # fmt: skip
RHYTHM = _as_measured(
    "beats alignment (%)", "by chance (%)", "above chance (%)", "above chance, 2 frames (%)",
    "beat score, music", "beat score, dance", "without a beat (%)",
)  # fmt: skip
MOTION = _as_measured("PFC", "frozen (%)", "speed (m/s)", "acceleration (m/s^2)")
COMPOSING: Columns = _as_measured("notes accuracy", "notes F1", "best held note")
KNOBS: Columns = {**TABLE_4, **_as_measured("above chance (%)", "frozen (%)", "notes F1")}
EFFECTS: Mapping[str, tuple[str, str]] = {  # with the loss, and without it
    "GW, without CC": ("GW only", "neither"),
    "GW, with CC": ("GW and CC", "CC only"),
    "CC, without GW": ("CC only", "neither"),
    "CC, with GW": ("GW and CC", "GW only"),
    "GW and CC together": ("GW and CC", "neither"),
}


def excerpts_identity() -> str:
    """Return what every number of these tables was measured on."""
    return (
        f"Excerpts of {WINDOWS} windows of 3 s at {RATE_HZ} frames a second, of test dances without"
        " a near copy in training; the true first pose given; joints of SMPL's mean body."
    )


def dance_identity() -> str:
    """Return the parameters of the paper's measures of dance, in words for a caption."""
    return (
        f"Frechet distance: mean distance of 24 joints in the world, mm. Diversity: mean distance "
        f"in cm of {TAKES} dances to one song from other first poses, places of the first frame "
        f"taken off. Beats: minima of the mean joint speed within {REACH_SECONDS:g} s, not "
        f"smoothed; a hit lies within {rhythm.WINDOW_SECONDS:g} s of a music beat, many to one."
    )


def notes_identity() -> str:
    """Return the parameters of Notes Accuracy, in words for a caption."""
    return f"Notes Accuracy: strongest class {NotesSettings().identity}."


def field_identity() -> str:
    """Return the parameters of what the field reports, in words for a caption."""
    return (
        f"FID: squared, features normalised by the recorded excerpts, velocities at {RATE_HZ} Hz, "
        f"moving average of {2 * WINDOW + 1} frames, places of the first frame taken off. Beat "
        f"scores: sigma {rhythm.SIGMA_SECONDS:g} s, over the beats of the music or of the dance. "
        f"2 frames: a hit lies within {NEAR_SECONDS:g} s. PFC at {RATE_HZ} Hz, y up. Frozen: "
        f"slower than {STILL_SHARE:g} of the recorded mean speed. None of these is comparable "
        "with figures at 30 or 60 frames a second."
    )


def measurements(measured: Iterable[Measured], columns: Columns) -> list[Measurement]:
    """Return one measurement for each system, seed and column that the system has."""
    return [
        Measurement(one.system, column, one.seed, one.numbers[key], one.run)
        for one in measured
        for column, key in columns.items()
        if key in one.numbers
    ]


def facts(
    row: str, numbers: Mapping[str, float], columns: Columns, *, corpus: str
) -> list[Measurement]:
    """Return what was measured of recorded dances and songs, the same for every seed."""
    return [
        Measurement(row, column, None, numbers[key], corpus)
        for column, key in columns.items()
        if key in numbers
    ]


def of_table_2(measured: Iterable[Measured]) -> list[Measured]:
    """Return what was measured of the systems that Table 2 prints, in its order: Ours is last."""
    rows = reference("dual", "2").rows
    kept = [one for one in measured if one.system in rows]
    return sorted(kept, key=lambda one: rows.index(one.system))


def effects(measured: Sequence[Measured]) -> tuple[Effect, ...]:
    """Return what each of the two losses changes in Table 4, seed by seed, with and without the
    other one.
    """
    directions = reference("dual", "4").better
    numbers = measurements(measured, TABLE_4)
    return tuple(
        effect(
            name,
            column,
            by_seed(numbers, with_it, column),
            by_seed(numbers, without, column),
            better=directions[column],
        )
        for name, (with_it, without) in EFFECTS.items()
        for column in TABLE_4
    )


def ahead(
    numbers: Sequence[Measurement], row: str, others: Iterable[str], columns: Iterable[str]
) -> list[Part]:
    """Return whether `row` is better than each of `others` in each of `columns`, over paired seeds.

    Better is lower for the distance and higher for all else.
    """
    return [
        compare(
            by_seed(numbers, row, column),
            by_seed(numbers, other, column),
            lower=column == DISTANCE,
            what=f"{column}: {row} - {other}",
        )
        for other in others
        for column in columns
    ]
