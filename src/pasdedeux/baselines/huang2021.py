"""Huang et al. (2021), "Dance Revolution": local attention hears, an LSTM dances, a curriculum.

The encoder is a Transformer whose frames see only those near them. The decoder makes one pose a
frame: an LSTM that is fed the pose before, and a linear layer over its output and what the encoder
heard at that frame. Trained on true poses alone it would never see its own mistakes; so a pattern
of k own predictions, then 10 true poses, repeats along the sequence, and k grows as training goes
on. Predictions that are fed back carry no gradient. The loss is the mean L1. What was adapted:

| original                           | here                                                       |
|------------------------------------|------------------------------------------------------------|
| 438 features, 25 joints in 2-D     | 53 features; poses of 147 numbers, orthonormal at last     |
| 900 frames at 15 a second          | the windows of every other system                          |
| a fixed pose begins every dance    | the first pose given, as for the dual model                |
| frame t of music makes pose t + 1  | frame t makes pose t from the pose before it               |
| k = epoch / 100 of 10 000 epochs   | k grows to the same 100 over as many updates as there are  |
| each LSTM cell reads what the one  | an LSTM of three layers, as the paper describes it         |
| below gave a frame ago (released)  |                                                            |
| no clipping                        | gradients are clipped as in every system                   |

In a window of 75 frames the published reach of 100 hides nothing, and the last quarter of the
curriculum is all own predictions. Longer music is danced window by window as by every system, from
a fresh random state each.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.nn.local import LocalConfig, LocalEncoder
from pasdedeux.nn.pose import POSE, orthonormal
from pasdedeux.nn.seeded import seeded
from pasdedeux.training.dances import (
    DanceTraining,
    Trained,
    chained,
    drawn,
    on_device,
    opened,
    set_rate,
)
from pasdedeux.training.loop import fit, update

SYSTEM = "huang2021"
MUSIC = 53
State = tuple[Tensor, Tensor]  # hidden and cell values, each (layers B D)


@dataclass(frozen=True)
class HuangSettings(DanceTraining):
    """What is chosen for Huang 2021; the defaults are the paper's and its released code's."""

    batch: int = 32
    rates: tuple[tuple[int, float], ...] = ((0, 1e-4),)
    width: int = 200  # of the encoder
    heads: int = 8
    head_width: int = 64
    inner: int = 1024  # of the encoder's MLP
    layers: int = 2  # of the encoder
    reach: int = 100  # frames that attention reaches on either side
    embedding: int = 50  # of the pose before
    hidden: int = 1024  # units of each LSTM layer
    cells: int = 3  # layers of the LSTM
    dropout: float = 0.1
    own: int = 100  # k at the end of training
    true: int = 10  # true poses between runs of own ones

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in ("embedding", "hidden", "cells", "true"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(self.own < 0, f"own must be 0 or more predictions, got {self.own}.")
        self.encoder()

    def encoder(self) -> LocalConfig:
        """Return the settings of the encoder."""
        return LocalConfig(
            self.width, self.heads, self.head_width, self.inner, self.layers, self.reach,
            self.dropout,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> "HuangSettings":
        """The published sizes and rate, five seeds."""
        return cls(seeds=(0, 1, 2, 3, 4), workers=1)

    @classmethod
    def gpu(cls) -> "HuangSettings":
        """The published sizes, as many updates as the dual model at this profile."""
        return cls(seeds=(0, 1, 2), workers=1, steps=15_000)

    @classmethod
    def laptop(cls) -> "HuangSettings":
        """About a tenth of each width, three seeds."""
        return replace(
            cls.gpu(), width=64, heads=4, head_width=16, inner=128, hidden=128, dropout=0.0,
            batch=16, steps=600, rates=((0, 1e-3), (300, 3e-4), (540, 1e-4)), workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "HuangSettings":
        """One seed on a few synthetic dances."""
        few = PairSettings(genres=("Waltz", "Lock"), dances_a_genre=9, most_windows=256)
        return replace(cls.laptop(), pairs=few, seeds=(0,), steps=60, rates=((0, 1e-3),))


def own_count(settings: HuangSettings, step: int) -> int:
    """Return k of update `step`: from 0, in equal runs of updates, up towards `own`."""
    return settings.own * step // settings.steps


def pattern(frames: int, own: int, true: int) -> Bool[Tensor, " T"]:
    """Return at which frames the pose before is a true one: `own` not, `true` so, and again.

    The first is true in any case: it is the first pose, which is given.
    """
    place = torch.arange(frames)
    return (place % (own + true) >= own) | (place == 0)


class Revolution(nn.Module):
    """Encoder of music, and the decoder that dances to it."""

    def __init__(self, settings: HuangSettings) -> None:
        super().__init__()
        self.encoder = LocalEncoder(MUSIC, settings.encoder())
        self.embeds = nn.Linear(POSE, settings.embedding)
        self.drop = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(settings.embedding, settings.hidden, settings.cells, batch_first=True)
        self.writes = nn.Linear(settings.hidden + settings.width, POSE)

    def state(self, count: int, noise: torch.Generator) -> State:
        """Return the random state that `count` dances begin in: normal, hidden and cell."""
        shape = (2, self.lstm.num_layers, count, self.lstm.hidden_size)
        hidden, cell = torch.randn(shape, generator=noise).to(self.writes.weight)
        return hidden, cell

    def forward(
        self,
        music: Float[Tensor, "B T 53"],
        before: Float[Tensor, "B S 147"],
        state: State,
        known: Bool[Tensor, " T"],
    ) -> Float[Tensor, "B T 147"]:
        """Return a pose for each frame of `music`, rotations as the linear layer gave them.

        `before` holds the true pose before each frame, as far as the last `known` one. Frames whose
        poses before are known follow each other at once; the others one by one.
        """
        heard, made = self.encoder(music), []
        for begin, end in runs(known):
            given = before[:, begin:end] if known[begin] else made[-1][:, -1:].detach()
            out, state = self.lstm(self.drop(self.embeds(given)), state)
            made.append(self.writes(torch.cat([out, heard[:, begin:end]], dim=-1)))
        return torch.cat(made, dim=1)


def runs(known: Bool[Tensor, " T"]) -> list[tuple[int, int]]:
    """Return the stretches of frames that can be made at once: all known ones, or one that is not.

    Each is where it begins and where the next one does.
    """
    flags = known.tolist()
    begins = [t for t in range(len(flags)) if not (t and flags[t] and flags[t - 1])]
    return list(zip(begins, [*begins[1:], len(flags)], strict=True))


class Huang:
    """The learner: L1 under the curriculum."""

    def __init__(self, settings: HuangSettings, pairs: Pairs, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.music, self.pose = on_device(pairs.train, settings)
        with seeded(number(seed, "weights", SYSTEM)):
            self.net = Revolution(settings).to(self.music)
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.Adam(self.net.parameters(), settings.rate(0))}

    def step(self, index: int) -> dict[str, float]:
        """Do one update on a batch of windows; logs the k of the curriculum as "own"."""
        settings = self.settings
        at = drawn(len(self.music), settings, self.seed, index).to(self.music.device)
        set_rate(self.optimizers["net"], settings.rate(index))
        own = own_count(settings, index)
        music, pose = self.music[at], self.pose[at]
        before = torch.cat([pose[:, :1], pose[:, :-1]], dim=1)
        state = self.net.state(len(at), generator(self.seed, "state", index))
        self.net.train()
        with seeded(number(self.seed, "dropout", index)):
            danced = self.net(music, before, state, pattern(pose.shape[1], own, settings.true))
        losses = {"motion": (danced - pose).abs().mean()}
        return update(self.optimizers["net"], losses, clip=settings.clip) | {"own": own}

    def window(
        self, music: Float[Tensor, "B T 53"], first: Float[Tensor, "B 147"], noise: torch.Generator
    ) -> Float[Tensor, "B T 147"]:
        """Return the dance to `music` from the pose `first`; `noise` draws the LSTM's state."""
        self.net.eval()
        state = self.net.state(len(music), noise)
        alone = pattern(music.shape[1], music.shape[1], 1)
        return orthonormal(self.net(music, first[:, None], state, alone))


def parameters(settings: HuangSettings) -> dict[str, int]:
    """Return how many numbers are learned, "dancing" those that a dance takes: all."""
    count = sum(p.numel() for p in Revolution(settings).parameters())
    return {"dancing": count, "learned": count}


def train(settings: HuangSettings, pairs: Pairs, seed: int) -> Trained:
    """Train Huang 2021 (or load the finished run)."""
    run = opened(SYSTEM, settings, pairs, seed, code=__name__)
    learner = Huang(settings, pairs, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, task=f"seed {seed}: Huang 2021",
        threads=settings.threads,
    )  # fmt: skip
    where = device.pick(settings.device)
    return Trained(run, chained(learner.window, frames=settings.pairs.frames, where=where))
