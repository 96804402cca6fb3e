"""Two floors that hear nothing: a body that keeps one pose.

`frozen` keeps the first pose it is given; `mean_pose` the mean of all training poses, whatever the
first one. What a measure says of these two is what it says of standing still.
"""

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.data.pairs import Pairs
from pasdedeux.nn.pose import orthonormal
from pasdedeux.training.dances import DanceTraining, Trained, opened


def frozen(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the first pose."""
    run = opened("frozen", settings, pairs, seed, code=__name__)

    def dance(
        music: Float[np.ndarray, "B S 53"], first: Float[np.ndarray, "B 147"], seed: int
    ) -> Float[np.ndarray, "B S 147"]:
        return np.repeat(first[:, None].astype(np.float32), music.shape[1], axis=1)

    return Trained(run, dance)


def mean_pose(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return a system that stays in the mean of the training poses.

    The mean is taken in the windows' own frames of reference, so that of the first pose it keeps
    place and heading.
    """
    run = opened("mean-pose", settings, pairs, seed, code=__name__)
    still = mean(pairs.train.pose)

    def dance(
        music: Float[np.ndarray, "B S 53"], first: Float[np.ndarray, "B 147"], seed: int
    ) -> Float[np.ndarray, "B S 147"]:
        return np.tile(still, (*music.shape[:2], 1))

    return Trained(run, dance)


def mean(pose: Float[np.ndarray, "N T 147"]) -> Float[np.ndarray, " 147"]:
    """Return the mean of all frames; the mean 6-D form of each rotation is made orthonormal."""
    middle = pose.reshape(-1, pose.shape[-1]).mean(axis=0, dtype=np.float64)
    return orthonormal(torch.from_numpy(middle)).float().numpy()


def parameters(settings: DanceTraining) -> dict[str, int]:
    """Return how many numbers are learned: none."""
    return {"dancing": 0, "learned": 0}
