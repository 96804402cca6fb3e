"""What systems that write notes share: transcripts to learn from, and music as sound.

They are re-implementations on transcribed audio: the originals learnt from MIDI files, which no
dance corpus here has. A transcript is the roll of `music.transcribed`. Settings and code of the
transcription take the place of the VQ-VAE in a run's key. `M` clips, `T` slots.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from pasdedeux.base import progress, stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.base.source import fingerprint
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.music.transcribed import SLOT_SAMPLES, TranscriptSettings, played, transcribed
from pasdedeux.training.musics import Generate, Material, MusicTraining, opened
from pasdedeux.training.run import Run

AT_ONCE = 64  # clips cut together
Compose = Callable[[Int[np.ndarray, " M"], int], Int[np.ndarray, "M T 12"]]


@dataclass(frozen=True)
class EventTraining(MusicTraining):
    """What systems share that write notes as events, one after the other."""

    batch: int = 32
    steps: int = 20_000
    width: int = 128
    layers: int = 4
    heads: int = 4
    rate: float = 3e-4  # Adam
    clip: float = 1.0  # global gradient norm
    transcript: TranscriptSettings = field(default_factory=TranscriptSettings)

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        for name in ("width", "layers", "heads"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(self.width % self.heads, f"heads {self.heads} must divide width {self.width}.")
        refuse(self.rate <= 0, f"rate must be above 0, got {self.rate}.")

    @classmethod
    def paper(cls) -> "EventTraining":
        """128 units, as deep as named; the updates are ours: the originals' corpora are larger."""
        return cls(seeds=(0, 1, 2), workers=1)

    @classmethod
    def gpu(cls) -> "EventTraining":
        """The same for 4,000 updates."""
        return replace(cls.paper(), steps=4000)

    @classmethod
    def laptop(cls) -> "EventTraining":
        """Two layers of 64 units: about a minute on one CPU core."""
        return replace(
            cls.gpu(), width=64, layers=2, batch=16, steps=600, rate=1e-3, workers=2
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "EventTraining":
        """One seed on a few synthetic dances."""
        few = ClipSettings(genres=("Waltz", "Lock"), most_clips=128)
        return replace(cls.laptop(), clips=few, seeds=(0,), samples=8, steps=60)


def slots(material: Material) -> int:
    """Return the slots of a clip."""
    return material.clips.settings.samples // SLOT_SAMPLES


def of_training(material: Material, settings: TranscriptSettings) -> Int[np.ndarray, "M T 12"]:
    """Return the rolls of the clips of training, in the order of `rows("train")`; they are kept."""
    rows, clips = material.clips.rows("train"), material.clips

    def made() -> dict[str, np.ndarray]:
        rolls = np.zeros((len(rows), slots(material), 12), np.int16)
        for begin in range(0, len(rows), AT_ONCE):
            for place, sound in enumerate(clips.sound(rows[begin : begin + AT_ONCE])):
                rolls[begin + place] = transcribed(sound, settings)
            progress.report("transcripts", min(begin + AT_ONCE, len(rows)), len(rows))
        return {"rolls": rolls}

    key = digest(clips.checksum, _code(settings))
    return stored.arrays("transcripts", key, made)["rolls"].astype(int)


def open_run(
    system: str,
    settings: MusicTraining,
    material: Material,
    seed: int,
    *,
    code: str,
    transcript: TranscriptSettings,
) -> Run:
    """Return the run of `system`, whose key has the transcription in place of the VQ-VAE."""
    heard = replace(material, made_by=_code(transcript))
    return opened(system, settings, heard, seed, code=code)


def _code(settings: TranscriptSettings) -> str:
    # rooms of music count by the data they change, which a run's key holds: here they must be named
    return digest(fingerprint("pasdedeux.music.transcribed"), repr(asdict(settings)))


def sounding(compose: Compose, samples: int) -> Generate:
    """Return the system that plays what `compose(rows, seed)` writes, `samples` long."""

    def generate(rows: Int[np.ndarray, " M"], seed: int) -> Float32[np.ndarray, "M S"]:
        return played(compose(rows, seed), samples)

    return generate


def padded(sequences: Sequence[Int[np.ndarray, "_ F"]]) -> Int[Tensor, "B T F"]:
    """Return sequences of events as one tensor, -1 behind the end of each."""
    longest = max(map(len, sequences))
    made = np.full((len(sequences), longest, sequences[0].shape[1]), -1)
    for row, sequence in enumerate(sequences):
        made[row, : len(sequence)] = sequence
    return torch.from_numpy(made)


def chances(
    rows: Int[np.ndarray, " M"], count: int, *, seed: int, name: str
) -> Float[np.ndarray, "M N"]:
    """Return `count` uniform numbers for each clip, the same whatever clips are beside it."""
    return np.stack([numpy_generator(seed, name, int(row)).random(count) for row in rows])


def picked(
    logits: Float[Tensor, "M V"], allowed: Bool[np.ndarray, "M V"], chance: Float[np.ndarray, " M"]
) -> Int[np.ndarray, " M"]:
    """Return a choice for each clip, drawn from the softmax over what is allowed.

    Raises `ValueError` where nothing is allowed.
    """
    refuse(not allowed.any(1).all(), "allowed must leave a choice in every row.")
    kept = np.where(allowed, logits.detach().double().cpu().numpy(), -np.inf)
    weight = np.exp(kept - kept.max(1, keepdims=True))
    passed = weight.cumsum(1)
    return (passed > chance[:, None] * passed[:, -1:]).argmax(1)
