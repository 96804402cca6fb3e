"""Settings that every system trained on melodies shares, from maximum likelihood to three critics.

Sizes and schedule of `paper()` are those of the FusionGAN authors' released code (commit f506227);
what neither the paper nor the code fixes is marked "ours".
"""

from dataclasses import dataclass, field

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data.melodies import MelodySettings
from pasdedeux.training.critics import Lipschitz, Normalisation


@dataclass(frozen=True)
class MelodyTraining:
    """Sizes, rates and counts of generators, critics and their adversarial training."""

    melody: MelodySettings = field(default_factory=MelodySettings)
    seeds: tuple[int, ...] = (0,)  # one complete training of every system for each
    samples: int = 10_000  # sequences drawn from each system for the metrics; ours
    embedding: int = 32  # of the generators' tokens
    hidden: int = 32  # of the generators' LSTM
    batch: int = 64  # sequences in every update
    likelihood_epochs: int = 25  # maximum-likelihood pre-training
    likelihood_rate: float = 0.01  # Adam
    generator_clip: float = 5.0  # global gradient norm
    widths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)  # of the critics' filters
    filters: tuple[int, ...] = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
    critic_embedding: int = 64
    lipschitz: Lipschitz = "penalty"  # ours; the released code bounds nothing
    penalty: float = 10.0  # weight of the gradient penalty (Gulrajani et al. 2017)
    clip: float = 0.01  # weight clipping (Arjovsky et al. 2017), with lipschitz="clip"
    critic_rate: float = 1e-4  # Adam (0, 0.9), or 5e-5 with RMSprop when clipping; ours
    normalisation: Normalisation = "mean"  # of the signed terms of Eqs. 8 and 11
    critic_warmup: int = 200  # critic updates before the generator moves; ours
    critic_steps: int = 5  # critic updates for each generator update; ours
    gan_updates: int = 100  # policy updates of each separate GAN: 5 x 20
    policy_rate: float = 1e-4  # Adam; ours, chosen on validation windows: 1e-3 diverges
    rollouts: int = 16  # completions for each prefix
    prefix_stride: int = 1  # every how many tokens a rollout begins
    delay: float = 0.8  # the rollout copy keeps this share of its old weights at a refresh
    blend_updates: int = 500  # policy updates of the systems that learn from both genres
    threads: int = 1  # torch threads of one training; results are exact for a fixed number
    workers: int = 2  # trainings that run at the same time
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        counts = ("samples", "embedding", "hidden", "batch", "likelihood_epochs", "critic_steps")
        counts += ("critic_embedding", "gan_updates", "rollouts", "prefix_stride", "blend_updates")
        for name in (*counts, "threads", "workers"):
            refuse(getattr(self, name) < 1, f"{name} must be at least 1, got {getattr(self, name)}")
        refuse(not self.seeds, "seeds must name at least one seed, got ().")
        refuse(
            len(set(self.seeds)) != len(self.seeds), f"seeds must be distinct, got {self.seeds}."
        )
        refuse(
            len(self.widths) != len(self.filters),
            f"widths and filters must be equally long, got {self.widths} and {self.filters}.",
        )
        refuse(
            max(self.widths) > self.melody.window,
            f"a filter of width {max(self.widths)} does not fit a window of {self.melody.window}.",
        )
        choice("lipschitz", self.lipschitz, ("penalty", "clip"))
        choice("normalisation", self.normalisation, ("mean", "sum"))
        refuse(
            self.normalisation == "sum" and self.lipschitz == "penalty",
            "normalisation='sum' has no finite optimum; use it with lipschitz='clip' only.",
        )
        refuse(not 0 <= self.delay < 1, f"delay must be in [0, 1), got {self.delay}.")
