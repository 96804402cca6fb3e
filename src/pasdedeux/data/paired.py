"""Dances with music, ready to learn from: readers, fits and sound features joined, and kept.

Everything slow is computed once and kept by what it was made from (`base.stored`), so a second call
reads arrays. Real corpora are used where they are found, else the built-in synthetic dances.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import joblib
import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base import stored
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.data import aistpp, sources, synthetic, tang
from pasdedeux.data.dance import RATE_HZ, Dance
from pasdedeux.motion import fitting, skeleton
from pasdedeux.music import features
from pasdedeux.music.features import BEAT, FeatureSettings

CORPORA = ("tang", "aistpp")
START_BPM = {"Rumba": 100.0, "Cha Cha": 122.0, "Tango": 128.0, "Waltz": 88.0}  # tempo priors


class Paired(NamedTuple):
    """Dances in the order of their names, and what tables and people must be told about them."""

    dances: tuple[Dance, ...]
    notice: str  # which data these are, for the caption of every table
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def song_in_dance_time(
    song: features.Features, start_seconds: float, seconds: float, frames: int
) -> tuple[Float[np.ndarray, "T 53"], Float[np.ndarray, " N"]]:
    """Return the song's features at each of `frames` frames of a dance, and its beats.

    Frame k sounds at second `start_seconds` + k / `frames` * `seconds` of the song. Beats come in
    seconds of the dance; the beat column is set from them, so that none is lost between frames.
    """
    place = start_seconds + np.arange(frames) * (seconds / frames)
    index = np.round(place * RATE_HZ).astype(int)
    last = len(song.frames) - 1
    refuse(
        index[-1] > last + RATE_HZ,
        f"the dance ends at {place[-1]:.1f} s of a sound of {last / RATE_HZ:.1f} s; is this its "
        "music?",
    )
    music = song.frames[np.minimum(index, last)].copy()
    beats = (song.beat_seconds - start_seconds) * (frames / RATE_HZ) / seconds
    beats = beats[(beats >= 0) & (beats * RATE_HZ <= frames - 1)]
    music[:, BEAT] = 0
    music[np.round(beats * RATE_HZ).astype(int), BEAT] = 1
    return music, beats
