"""MLE (FusionGAN section IV): one LSTM that learns to predict the next token of both genres."""

from jaxtyping import Int
from numpy import ndarray

from pasdedeux.data.melodies import MelodyPair
from pasdedeux.training import phases
from pasdedeux.training.config import MelodyTraining


def train(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return MLE on the mixture; it is also where G_F of FusionGAN starts from."""
    return _on(settings, pair, seed, "both")


def on_a(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return MLE on the first genre alone, which Ratio cannot tell from a perfect fusion."""
    return _on(settings, pair, seed, "a")


def on_b(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return MLE on the second genre alone."""
    return _on(settings, pair, seed, "b")


def _on(settings: MelodyTraining, pair: MelodyPair, seed: int, genre: str) -> phases.Trained:
    generator, run = phases.likelihood(settings, pair, seed, genre)

    def sample(count: int) -> Int[ndarray, "N T"]:
        length = settings.melody.window
        return phases.sampled(generator, count, length=length, seed=seed, name=f"mle {genre}")

    return phases.Trained(run, sample)
