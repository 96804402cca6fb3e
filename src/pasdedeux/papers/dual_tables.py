"""What the tables of the dual-learning paper are made of, and how far to trust its data."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from pasdedeux.data.copies import SMPL_HIPS, Audit, CopySettings, audit
from pasdedeux.data.dance import RATE_HZ, Dance
from pasdedeux.metrics import rhythm
from pasdedeux.motion import beats
from pasdedeux.motion.fitting import Fit
from pasdedeux.report.table import Measurement

BEATS = ("beats alignment (%)", "by chance (%)", "beats a second: dance", "music")
COPIES = ("dances", "windows", "near copies (%)", "median distance (cm)")
FIT = ("dances", "frames", "mean error (cm)", "95 % below (cm)", "worst point's mean (cm)")
PERCENT, CM = 100.0, 100.0


def table_1(dances: Iterable[Dance]) -> list[Measurement]:
    """Return how many sequences and frames of each genre there are, at 25 frames a second."""
    found: dict[str, list[Dance]] = defaultdict(list)
    for dance in dances:
        found[dance.genre].append(dance)
    return [
        Measurement(genre, column, None, float(value), "+".join(sorted({d.corpus for d in held})))
        for genre, held in found.items()
        for column, value in (
            ("sequences", len(held)),
            ("frames", sum(len(dance.translation) for dance in held)),
        )
    ]


def beat_alignment(dances: Sequence[Dance]) -> list[Measurement]:
    """Return Beats Alignment (section 4.3) of the recorded dances, genre by genre, with chance.

    A mean over dances; what uniform random beats would score comes beside it, and how dense both
    kinds of beats are.
    """
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    corpora: dict[str, set[str]] = defaultdict(set)
    for dance in dances:
        danced = beats.beat_seconds(dance.joints_world, float(RATE_HZ))
        if not len(danced) or not len(dance.beat_seconds):
            continue
        found = rhythm.alignment(dance.beat_seconds, danced, dance.seconds)
        density = (len(danced) / dance.seconds, len(dance.beat_seconds) / dance.seconds)
        rows[dance.genre].append((PERCENT * found.hits, PERCENT * found.chance, *density))
        corpora[dance.genre].add(dance.corpus)
    return [
        Measurement(genre, column, None, float(value), "+".join(sorted(corpora[genre])))
        for genre, held in rows.items()
        for column, value in zip(BEATS, np.mean(held, axis=0), strict=True)
    ]


def near_copies(
    dances: Sequence[Dance], settings: CopySettings | None = None
) -> tuple[Audit, list[Measurement]]:
    """Return the audit of three-second windows and its rows by genre, as measurements."""
    settings = CopySettings() if settings is None else settings
    joints, genres = [d.joints_world for d in dances], [d.genre for d in dances]
    found = audit(joints, genres, names=[d.name for d in dances], hips=SMPL_HIPS, settings=settings)
    rows = []
    for row in found.genres:
        told = (row.dances, row.windows, PERCENT * row.near_share, CM * row.median_metres)
        corpora = "+".join(sorted({d.corpus for d in dances if d.genre == row.name}))
        rows += [
            Measurement(row.name, column, None, float(value), corpora)
            for column, value in zip(COPIES, told, strict=True)
            if np.isfinite(value)
        ]
    return found, rows


def fit_errors(genres: Sequence[str], fits: Sequence[Fit], *, corpus: str) -> list[Measurement]:
    """Return how far the points of each genre lie from the fitted bodies, a fit for each dance."""
    rows = []
    for genre in dict.fromkeys(genres):
        errors = [f.error_metres for g, f in zip(genres, fits, strict=True) if g == genre]
        every = np.concatenate(errors)
        told = (
            len(errors),
            len(every),
            CM * every.mean(),
            CM * np.quantile(every, 0.95),
            CM * every.mean(axis=0).max(),
        )
        rows += [
            Measurement(genre, column, None, float(value), corpus)
            for column, value in zip(FIT, told, strict=True)
        ]
    return rows
