"""What systems that write notes share: transcripts to learn from, and music as sound.

They are re-implementations on transcribed audio: the originals learnt from MIDI files, which no
dance corpus here has. A transcript is the roll of `music.transcribed`. Settings and code of the
transcription take the place of the VQ-VAE in a run's key. `M` clips, `T` slots.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
from jaxtyping import Float32, Int

from pasdedeux.base import progress, stored
from pasdedeux.base.files import digest
from pasdedeux.base.source import fingerprint
from pasdedeux.music.transcribed import SLOT_SAMPLES, TranscriptSettings, played, transcribed
from pasdedeux.training.musics import Generate, Material, MusicTraining, opened
from pasdedeux.training.run import Run

AT_ONCE = 64  # clips cut together
Compose = Callable[[Int[np.ndarray, " M"], int], Int[np.ndarray, "M T 12"]]


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
