"""MLE (FusionGAN section IV): one LSTM that learns to predict the next token of both genres."""

from jaxtyping import Int
from numpy import ndarray

from pasdedeux.data.melodies import MelodyPair
from pasdedeux.training import phases
from pasdedeux.training.config import MelodyTraining


def train(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return MLE on the mixture; it is also where G_F of FusionGAN starts from."""
    return on(settings, pair, seed, "both")


def on(settings: MelodyTraining, pair: MelodyPair, seed: int, genre: str) -> phases.Trained:
    """Return MLE on `genre` ("a", "b" or "both"): one genre alone shows what Ratio cannot see."""
    generator, run = phases.likelihood(settings, pair, seed, genre)

    def sample(count: int) -> Int[ndarray, "N T"]:
        length = settings.melody.window
        return phases.sampled(generator, count, length=length, seed=seed, name=f"mle {genre}")

    return phases.Trained(run, sample)
