"""Floors: bodies that keep one pose, and music that keeps one sound.

| system      | dances                                    | composes                              |
|-------------|-------------------------------------------|---------------------------------------|
| `frozen`    | the first pose it is given                | C, E and G, no beat                   |
| `mean_pose` | the mean of all training poses            | the mean of all training music        |
| `nodding`   | the first pose, sinking and rising by 2   | nothing                               |
|             | cm, at rest on every beat of the music    |                                       |
| `trembling` | the first pose, shaking by 2 cm, at rest  | nothing                               |
|             | five times a second                       |                                       |

What a measure says of the first two is what it says of standing still. The others dance nothing
either, and show what measures of rhythm are blind to.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float

from pasdedeux.data.pairs import Pairs
from pasdedeux.metrics.notes import held_chord
from pasdedeux.music.features import BEAT, CHROMA
from pasdedeux.nn.pose import orthonormal
from pasdedeux.training.dances import Compose, Dance, DanceTraining, Trained, opened

MUSIC = 53
HALF = 0.5  # a frame of music has a beat above it
NOD_METRES = 0.02
TREMBLE_FRAMES = 5  # from one rest to the next: the closest two that count as two beats


def frozen(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the first pose, and plays one chord."""
    run = opened("frozen", settings, pairs, seed, code=__name__)
    held = np.zeros(MUSIC, np.float32)
    held[CHROMA] = held_chord(1)[0]
    return Trained(run, _moved_by(lambda music: np.zeros(music.shape[:2])), _played(held))


def mean_pose(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the mean of the training poses, and plays their mean music.

    The mean is taken in the windows' own frames of reference, so that of the first pose it keeps
    place and heading.
    """
    run = opened("mean-pose", settings, pairs, seed, code=__name__)
    still = mean(pairs.train.pose)

    def dance(
        music: Float[np.ndarray, "B S 53"], first: Float[np.ndarray, "B 147"], seed: int
    ) -> Float[np.ndarray, "B S 147"]:
        return np.tile(still, (*music.shape[:2], 1))

    heard = pairs.train.music.reshape(-1, MUSIC).mean(axis=0, dtype=np.float64)
    return Trained(run, dance, _played(heard.astype(np.float32)))


def nodding(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the first pose but sinks and rises, at rest on every beat."""
    run = opened("nodding", settings, pairs, seed, code=__name__)

    def height(music: Float[np.ndarray, "B S 53"]) -> Float[np.ndarray, "B S"]:
        turns = np.stack([_beats_passed(beat > HALF) for beat in music[..., BEAT]])
        return NOD_METRES * np.cos(np.pi * turns)

    return Trained(run, _moved_by(height))


def trembling(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the first pose but shakes, at rest five times a second."""
    run = opened("trembling", settings, pairs, seed, code=__name__)

    def height(music: Float[np.ndarray, "B S 53"]) -> Float[np.ndarray, "B S"]:
        turns = (np.arange(music.shape[1]) + 0.5) / TREMBLE_FRAMES  # no two steps are equally slow
        return np.tile(NOD_METRES * np.cos(np.pi * turns), (len(music), 1))

    return Trained(run, _moved_by(height))


def _beats_passed(beat: Bool[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Return the number of beats before each frame, with the share of the one that is going on.

    Before the first and after the last beat it goes on at their mean pace, and stands still where
    there are fewer than two.
    """
    at = np.flatnonzero(beat)
    if len(at) < 2:
        return np.zeros(len(beat))
    pace = (at[-1] - at[0]) / (len(at) - 1)
    before = np.arange(at[0], -pace, -pace)[:0:-1]
    after = np.arange(at[-1], len(beat) + pace, pace)[1:]
    known = np.concatenate([before, at, after])
    return np.interp(np.arange(len(beat)), known, np.arange(len(known)))


def _moved_by(height: Callable[[np.ndarray], np.ndarray]) -> Dance:
    """Return a system that keeps the first pose, `height(music)` metres above where it stood."""

    def dance(
        music: Float[np.ndarray, "B S 53"], first: Float[np.ndarray, "B 147"], seed: int
    ) -> Float[np.ndarray, "B S 147"]:
        made = np.repeat(first[:, None].astype(np.float32), music.shape[1], axis=1)
        made[..., 1] += height(music)
        return made

    return dance


def _played(frame: Float[np.ndarray, " 53"]) -> Compose:
    """Return a system that plays one frame of scaled music for ever."""

    def compose(pose: Float[np.ndarray, "B S 147"], seed: int) -> Float[np.ndarray, "B S 53"]:
        return np.tile(frame, (*pose.shape[:2], 1))

    return compose


def mean(pose: Float[np.ndarray, "N T 147"]) -> Float[np.ndarray, " 147"]:
    """Return the mean of all frames; the mean 6-D form of each rotation is made orthonormal."""
    middle = pose.reshape(-1, pose.shape[-1]).mean(axis=0, dtype=np.float64)
    return orthonormal(torch.from_numpy(middle)).float().numpy()


def parameters(settings: DanceTraining) -> dict[str, int]:
    """Return how many numbers are learned: none."""
    return {"dancing": 0, "learned": 0}
