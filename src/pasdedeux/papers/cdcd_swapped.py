"""Does the music belong to its dance? Made music scored against the true music of other dances.

Real music of another song has another number of onsets than what a system makes, so beating it may
only mean to beat as often as music does. Here that is shared: the same made clips are scored once
with the dance that each was made for, and once with every dance to another song. A system that
does not hear the dance scores alike; only the difference speaks of the dance.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int16

from pasdedeux.base.checks import refuse
from pasdedeux.metrics import beats
from pasdedeux.metrics.beats import Onsets
from pasdedeux.papers.cdcd_claims import FIELDS, ONSETS, PerClip, per_clip
from pasdedeux.papers.cdcd_evaluate import FULL, PERCENT, Performed, truth
from pasdedeux.papers.cdcd_numbers import HIT
from pasdedeux.report.table import Measurement
from pasdedeux.training.musics import Material
from pasdedeux.training.run import Measured

Rows = Mapping[str, Mapping[int, PerClip]]
BEATS, GROUND = (HIT, ONSETS), "ground truth"
OWN, OTHER = "its dance", "another dance"
COLUMNS = tuple(f"{name}, {whose} (%)" for name in BEATS for whose in (OWN, OTHER))


class Truth(NamedTuple):
    """The true music of the test clips: its scores, its onsets, a number for each one's song."""

    made: Performed
    onsets: Onsets
    song: Int[np.ndarray, " M"]
    seconds: float


def true_music(material: Material, count: int) -> Truth:
    """Return the true music of the test clips that every system is asked for."""
    clips, made = material.clips, truth(material, count)
    onsets = _onsets(made.sound)
    return Truth(made, onsets, clips.song[made.rows], float(clips.settings.seconds))


def swapped(true: Truth, kept: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " N"]]:
    """Return the beats of each scored clip in percent, means over the music made for dances to
    other songs.

    `kept` is the record of what a system made for the same clips (`Performed`). Raises `ValueError`
    for other clips, and where all clips have one song.
    """
    same = np.array_equal(kept["rows"], true.made.rows)
    refuse(not same, "a system was measured on other test clips; measure it again.")
    scored = true.made.scored
    others = true.song[scored][:, None] != true.song[None]
    refuse(
        not others.any(axis=1).all(),
        "all test clips are of one song, so no dance has other music; give more songs.",
    )
    which, whose = np.nonzero(others)
    heard = _onsets(kept["sound"])
    found = beats.scores(
        [true.onsets[scored[clip]] for clip in which], [heard[clip] for clip in whose], true.seconds
    )
    return {
        name: PERCENT * np.bincount(which, getattr(found, FIELDS[name])) / np.bincount(which)
        for name in BEATS
    }


def _onsets(sound: Int16[np.ndarray, "M S"]) -> list[Float[np.ndarray, " _"]]:
    return [beats.onset_seconds(one.astype(np.float32) / np.float32(FULL)) for one in sound]


def measurements(
    true: Truth, measured: Iterable[Measured], own: Rows, other: Rows, *, corpus: str
) -> list[Measurement]:
    """Return `COLUMNS` for true music and for each system and seed, means over clips.

    `own` and `other` are scores of each clip (`cdcd_claims.scores`), `other` by `swapped`.
    """
    record = true.made._asdict()
    found = _told(GROUND, None, per_clip(record), swapped(true, record), corpus)
    for one in measured:
        if one.system in own:
            clips = own[one.system][one.seed], other[one.system][one.seed]
            found += _told(one.system, one.seed, *clips, one.run)
    return found


def _told(
    row: str, seed: int | None, own: PerClip, other: PerClip, where: str
) -> list[Measurement]:
    return [
        Measurement(row, f"{name}, {whose} (%)", seed, float(clips[name].mean()), where)
        for name in BEATS
        for whose, clips in ((OWN, own), (OTHER, other))
    ]
