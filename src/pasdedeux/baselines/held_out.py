"""The ceiling of every table: real windows that no system was trained on, half of each genre."""

import numpy as np
from jaxtyping import Int

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.melodies import MelodyPair
from pasdedeux.training import phases
from pasdedeux.training.config import MelodyTraining


def train(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return a "system" that plays test windows of both genres, drawn with replacement."""
    run = phases.opened("held-out", settings, pair, seed, code=__name__)

    def sample(count: int) -> Int[np.ndarray, "N T"]:
        generator = numpy_generator(seed, "held-out")
        shares = ((pair.a.test, count // 2), (pair.b.test, count - count // 2))
        return np.concatenate([real[generator.integers(len(real), size=n)] for real, n in shares])

    return phases.Trained(run, sample)
