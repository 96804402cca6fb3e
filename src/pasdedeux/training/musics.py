"""What every system that makes music to a dance shares: settings, material, and what it returns.

A system is trained on clips of a few seconds (`data.clips`): the sound of each as tokens of the
music VQ-VAE, which are computed once, and the dance. It is asked through `Generate`: rows of clips
in, sound out. Of those clips it may look at the dance and its genre, never at the sound.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int, Int16
from numpy import ndarray
from torch import Tensor

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.data.clips import Clips
from pasdedeux.data.tiktok import TikTokClips
from pasdedeux.training.run import Run, open_run

PAPER = "cdcd"
NOT_IN_KEY = ("seeds", "workers", "clips", "samples")  # they change no trained weight
Generate = Callable[[Int[ndarray, " M"], int], Float32[ndarray, "M S"]]


@dataclass(frozen=True)
class MusicTraining:
    """Counts and rates that every trained system of the music tables has."""

    clips: ClipSettings = field(default_factory=ClipSettings)
    seeds: tuple[int, ...] = (0,)  # one complete training of every system for each
    samples: int = 86  # clips that are generated for the measures, as in the test set of AIST++
    batch: int = 16
    steps: int = 100_000  # updates
    threads: int = 1
    workers: int = 2
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        for name in ("samples", "batch", "steps", "threads", "workers"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(
            not self.seeds or len(set(self.seeds)) != len(self.seeds),
            f"seeds must be distinct and at least one, got {self.seeds}.",
        )


@runtime_checkable
class Tokenizer(Protocol):
    """The music VQ-VAE as others see it (`papers.cdcd_codec.Codec`)."""

    rate_hz: int
    hop: int

    @property
    def codes(self) -> int:
        """The number of codes."""
        ...

    def encode(self, sound: Float[Tensor, "B S"]) -> Int[Tensor, "B T"]:
        """Return tokens."""
        ...

    def decode(self, codes: Int[Tensor, "B T"]) -> Float[Tensor, "B S"]:
        """Return sound."""
        ...


@dataclass(frozen=True, eq=False)
class Material:
    """Clips, the VQ-VAE, and the tokens of all clips, kept so that a training touches no sound.

    made_by: the name of the VQ-VAE's run, part of every run's key.
    """

    clips: Clips | TikTokClips
    codec: Tokenizer
    tokens: Int16[ndarray, "N L"]
    made_by: str


class Trained(NamedTuple):
    """A system ready to play: its run, and `generate(rows, seed)`, which returns the music.

    Sound is mono at 22,050 Hz, finite, in [-1, 1] and `settings.samples` long: silence is added to
    what a system leaves short. `seed` draws whatever noise is used.
    """

    run: Run
    generate: Generate


def opened(
    system: str, settings: MusicTraining, material: Material, seed: int, *, code: str
) -> Run:
    """Return the run of `system`; every setting but those of `NOT_IN_KEY` decides its key."""
    names = [name for name in settings.__dataclass_fields__ if name not in NOT_IN_KEY]
    chosen: dict[str, Any] = {name: getattr(settings, name) for name in names}
    chosen |= {"device": device.pick(settings.device).type, "codec": material.made_by}
    data = material.clips.checksum
    return open_run(PAPER, system, seed=seed, settings=chosen, data=data, code=code)


def drawn(rows: Int[ndarray, " N"], batch: int, seed: int, step: int) -> Int[ndarray, " B"]:
    """Return the rows that update `step` sees, the same for every system: no row twice."""
    order = torch.randperm(len(rows), generator=generator(seed, "batch", step))
    return rows[order[:batch].numpy()]
