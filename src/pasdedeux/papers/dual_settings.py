"""What is chosen for dual learning (`papers.dual`), and what the paper leaves open.

| setting        | default      | why                                                              |
|----------------|--------------|------------------------------------------------------------------|
| beats          | "entropy"    | Eq. 9's L1 on beats, 7 % of them ones, is least where none is    |
|                |              | foretold; "l1" is the letter                                     |
| velocity,      | 1            | without them the mean pose is soon reached and kept; 0 is the    |
| position       |              | letter                                                           |
| residual       | True         | the output is added to the start pose                            |
| decoding       | "parallel"   | nothing is masked (section 3.3), so all frames come at once;     |
|                |              | "autoregressive" makes each frame from those before it           |
| routing        | "joint"      | every loss reaches both networks; "printed" sends each sum to    |
|                |              | the network behind its arrow                                     |
| algorithm      | "corrected"  | Algorithm 1 as printed is not a number (`ot.gromov`)             |
| plan           | "gromov"     | "identity" pairs the embeddings as the batch does; ours          |
"""

from dataclasses import dataclass, replace
from typing import Literal

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data.pairs import PairSettings
from pasdedeux.training.dances import DanceTraining


@dataclass(frozen=True)
class DualSettings(DanceTraining):
    """What is chosen for dual learning; the defaults are the paper's (section 4.2)."""

    width_dance: int = 512  # hidden units of G_MD
    width_music: int = 256  # hidden units of G_DM
    heads: int = 8
    layers: int = 6  # of each encoder and of each decoder
    dropout: float = 0.1  # ours
    noise: int = 64  # width of the random vector; ours
    gromov: float = 1.0  # weight of L_GW; 0 leaves it out (Table 4)
    cycle: float = 1.0  # weight of both cycle losses; 0 leaves them out (Table 4)
    epsilon: float = 0.2  # of Algorithm 1
    gradient: Literal["envelope", "unrolled"] = "envelope"  # of Algorithm 1; ours
    algorithm: Literal["corrected", "printed"] = "corrected"
    plan: Literal["gromov", "identity"] = "gromov"
    beats: Literal["entropy", "l1"] = "entropy"
    velocity: float = 1.0  # weight of the joints' steps from frame to frame
    position: float = 1.0  # weight of the joints' places
    residual: bool = True
    decoding: Literal["parallel", "autoregressive"] = "parallel"
    routing: Literal["joint", "printed"] = "joint"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        least = 3 if self.gromov else 1
        refuse(self.batch < least, f"batch must be at least {least} with L_GW, got {self.batch}.")
        for name in ("gromov", "cycle", "velocity", "position"):
            value = getattr(self, name)
            refuse(value < 0, f"{name} is a weight and must not be negative, got {value}.")
        choice("algorithm", self.algorithm, ("corrected", "printed"))
        choice("plan", self.plan, ("gromov", "identity"))
        choice("decoding", self.decoding, ("parallel", "autoregressive"))
        choice("beats", self.beats, ("entropy", "l1"))
        choice("routing", self.routing, ("joint", "printed"))

    @classmethod
    def paper(cls) -> "DualSettings":
        """The paper's sizes, schedule and losses to the letter, five seeds."""
        return cls(
            seeds=(0, 1, 2, 3, 4), workers=1, beats="l1", velocity=0.0, position=0.0,
            residual=False, routing="printed",
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> "DualSettings":
        """The paper's sizes with losses that can teach; a time on one GPU is not measured yet."""
        steps = 15_000
        rates = ((0, 1e-4), (steps // 2, 1e-5), (9 * steps // 10, 5e-6))
        return cls(seeds=(0, 1, 2), workers=1, steps=steps, rates=rates)

    @classmethod
    def laptop(cls) -> "DualSettings":
        """Two layers of 96 and 64 units, three seeds: minutes a seed on one CPU core."""
        return replace(
            cls.gpu(), width_dance=96, width_music=64, heads=4, layers=2, dropout=0.0, noise=16,
            steps=600, rates=((0, 1e-3), (300, 3e-4), (540, 1e-4)), workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "DualSettings":
        """One seed on a few synthetic dances: enough to see a body move."""
        few = PairSettings(genres=("Waltz", "Lock"), dances_a_genre=9, most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=30, rates=((0, 1e-3),))
