"""GAN (FusionGAN section IV): one generator and one critic on the mixture of both genres.

It is not in the released code. It starts from maximum likelihood, as every GAN of Algorithm 1, and
is given as many policy updates as FusionGAN gives G_F (`blend_updates`).
"""

from jaxtyping import Int
from numpy import ndarray

from pasdedeux.data.melodies import MelodyPair
from pasdedeux.training import phases
from pasdedeux.training.config import MelodyTraining


def train(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return the single GAN on the mixture."""
    learner, run = phases.duel(settings, pair, seed, "both", settings.blend_updates)

    def sample(count: int) -> Int[ndarray, "N T"]:
        length = settings.melody.window
        return phases.sampled(learner.live, count, length=length, seed=seed, name="gan")

    return phases.Trained(run, sample)
