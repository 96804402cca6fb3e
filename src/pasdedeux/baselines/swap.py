"""RL (FusionGAN section IV): each genre's generator is rewarded by the *other* genre's critic.

After the separate GANs, D_A rewards G_B and D_B rewards G_A; the critics no longer learn. It is not
in the released code, and the paper does not say which generator is heard: half of each here.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pasdedeux.data.melodies import MelodyPair
from pasdedeux.nn.textcnn import TextCNN
from pasdedeux.training import phases, policy, sequences
from pasdedeux.training.config import MelodyTraining
from pasdedeux.training.loop import fit


class Swap:
    """Two generators, each improved by the frozen critic of the other genre in every step."""

    def __init__(
        self, settings: MelodyTraining, duels: Mapping[str, sequences.Duel], seed: int
    ) -> None:
        self.settings, self.seed = settings, seed
        self.judges: dict[str, TextCNN] = {"a": duels["b"].critic, "b": duels["a"].critic}
        self.live = {genre: duel.live for genre, duel in duels.items()}
        self.delayed = {genre: sequences.copied(duel.live) for genre, duel in duels.items()}
        self.modules = {f"G_{genre}": part for genre, part in self.live.items()}
        self.modules |= {f"late G_{genre}": part for genre, part in self.delayed.items()}
        self.optimizers = {
            genre: torch.optim.Adam(part.parameters(), settings.policy_rate)
            for genre, part in self.live.items()
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one policy update of each generator; logs both, keys prefixed with the genre."""
        numbers: dict[str, float] = {}
        for genre, live in self.live.items():
            found = sequences.policy_update(
                live,
                self.delayed[genre],
                self.optimizers[genre],
                {"other": (1.0, self.judges[genre].score)},
                settings=self.settings,
                draw=lambda *use, genre=genre: self._draw(genre, index, *use),
            )
            policy.follow(self.delayed[genre], live, keep=self.settings.delay)
            numbers |= {f"{genre} {name}": value for name, value in found.items()}
        return numbers

    def _draw(self, genre: str, index: int, use: str, *shape: int) -> Tensor:
        return sequences.uniform(shape, self.seed, "swap", genre, index, use, like=self.live[genre])


def train(settings: MelodyTraining, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return RL after `blend_updates` policy updates of each generator."""
    found = {g: phases.duel(settings, pair, seed, g, settings.gan_updates) for g in ("a", "b")}
    learner = Swap(settings, {genre: duel for genre, (duel, _) in found.items()}, seed)
    after = tuple(run for _, run in found.values())
    run = phases.opened("swap", settings, pair, seed, after=after, code=__name__)
    fit(
        learner,
        steps=settings.blend_updates,
        folder=run.folder,
        task=f"seed {seed}: swapped critics",
        threads=settings.threads,
        log_every=1,
    )

    def sample(count: int) -> Int[np.ndarray, "N T"]:
        halves = [
            phases.sampled(
                part, share, length=settings.melody.window, seed=seed, name=f"rl {genre}"
            )
            for (genre, part), share in zip(
                learner.live.items(), (count // 2, count - count // 2), strict=True
            )
        ]
        return np.concatenate(halves)

    return phases.Trained(run, sample)
