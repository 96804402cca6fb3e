"""Notes guessed from sound, and notes as sound: what systems that write MIDI learn from here.

No dance corpus comes with scores. So a rough one is read from each clip, on a grid of 40 ms slots
(a frame of the dances): where something begins, the pitch classes that are strongest until the next
beginning begin together, and last until then or until the music is silent. Octaves, voices,
loudness and drums are lost; `played` puts every class into the octave above middle C, on strings.

    roll[t, c] = slots that a note of class c lasts which begins in slot t, 0 where none begins

`M` clips, `S` samples, `T` slots, `C` = 12 pitch classes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from pasdedeux.base import quiet
from pasdedeux.base.checks import refuse
from pasdedeux.music import rhythm, score
from pasdedeux.music.render import waveform_of
from pasdedeux.music.score import Score
from pasdedeux.music.spectrum import spectrum

RATE_HZ = 22_050
SLOT_SAMPLES = 882
SLOT_SECONDS = SLOT_SAMPLES / RATE_HZ
LOWEST = 60  # MIDI pitch of class 0
PEAK = 0.95  # of what is played, as of every clip
FINE = 2  # places in a slot where onsets are looked for
CHROMA_WINDOW = 4096  # samples: semitones are told apart above 100 Hz


@dataclass(frozen=True)
class TranscriptSettings:
    """How much of a sound becomes notes."""

    voices: int = 3  # notes that begin together at most
    threshold: float = 0.6  # of the strongest class; weaker ones are left out
    silence: float = 0.01  # of the loudest slot; a slot below is silent

    def __post_init__(self) -> None:
        """Refuse settings that make no notes."""
        refuse(not 1 <= self.voices <= 12, f"voices must be 1 to 12, got {self.voices}.")
        refuse(not 0 < self.threshold <= 1, f"threshold must lie in (0, 1], got {self.threshold}.")
        refuse(not 0 < self.silence < 1, f"silence must lie in (0, 1), got {self.silence}.")


def transcribed(
    sound: Float[np.ndarray, " S"], settings: TranscriptSettings = TranscriptSettings()
) -> Int[np.ndarray, "T 12"]:
    """Return the roll of `sound`, T = S // 882 slots; silence has none.

    Raises `ValueError` for a sound that is not finite or shorter than 0.2 s.
    """
    refuse(not np.isfinite(sound).all(), "sound must be finite; it holds NaN or infinity.")
    refuse(
        len(sound) < CHROMA_WINDOW,
        f"sound must be at least {CHROMA_WINDOW} samples long at {RATE_HZ} Hz, got {len(sound)}.",
    )
    slots = len(sound) // SLOT_SAMPLES
    roll = np.zeros((slots, 12), int)
    sound = sound.astype(np.float32)
    loud = _loud(sound, slots, settings)
    begins = np.flatnonzero(_begins(sound, slots) & loud) if loud.any() else np.zeros(0, int)
    if not len(begins):
        return roll
    chroma = _chroma(sound)[:slots]
    for begin, end in zip(begins, [*begins[1:], slots], strict=True):
        silent = np.flatnonzero(~loud[begin:end])
        length = int(silent[0]) if len(silent) else int(end - begin)
        roll[begin, _strong(chroma[begin : begin + length].mean(0), settings)] = length
    return roll


def _loud(sound: Float32[np.ndarray, " S"], slots: int, settings: TranscriptSettings) -> np.ndarray:
    cut = sound[: slots * SLOT_SAMPLES].reshape(slots, SLOT_SAMPLES)
    loudness = np.sqrt(np.square(cut, dtype=np.float64).mean(1))
    return loudness > settings.silence * loudness.max()


def _begins(sound: Float32[np.ndarray, " S"], slots: int) -> np.ndarray:
    """Return in which slots something begins; each onset goes to the nearest slot's begin."""
    hop = SLOT_SAMPLES // FINE
    strength = rhythm.onset_strength(np.abs(spectrum(sound, hop)), RATE_HZ, hop)
    seconds = rhythm.onset_seconds(strength, RATE_HZ / hop)
    return rhythm.on_frames(seconds, slots, 1 / SLOT_SECONDS)


def _chroma(sound: Float32[np.ndarray, " S"]) -> np.ndarray:
    """Return the power of each pitch class around every slot's beginning, the largest 1.

    The constant-Q transform of `music.chroma` needs more than a clip of 2 s.
    """
    found = quiet.librosa().feature.chroma_stft(
        y=sound, sr=RATE_HZ, n_fft=CHROMA_WINDOW, hop_length=SLOT_SAMPLES, tuning=0.0
    )
    return found.T


def _strong(chroma: Float[np.ndarray, " 12"], settings: TranscriptSettings) -> np.ndarray:
    """Return the classes near the strongest, the strongest first; of equals, the lower."""
    order = np.argsort(-chroma, kind="stable")[: settings.voices]
    return order[chroma[order] >= settings.threshold * chroma[order[0]]]


def score_of(roll: Int[np.ndarray, "T 12"]) -> Score:
    """Return the notes of `roll`; those that outlast it end with it."""
    _check(roll)
    slot, pitch_class = np.nonzero(roll)
    slots = np.minimum(roll[slot, pitch_class], len(roll) - slot)
    onset, lasts = slot * SLOT_SECONDS, slots * SLOT_SECONDS
    return score.of(LOWEST + pitch_class, onset, lasts)


def played(rolls: Int[np.ndarray, "M T 12"], samples: int) -> Float32[np.ndarray, "M S"]:
    """Return `rolls` on the built-in strings, `samples` long, each with its peak at 0.95.

    A roll without notes is silence.
    """
    refuse(samples < 1, f"samples must be at least 1, got {samples}.")
    made = np.zeros((len(rolls), samples), np.float32)
    for row, roll in enumerate(rolls):
        notes = score_of(roll)
        if len(notes.pitch):
            sound = waveform_of(notes, synthesiser="built-in", seconds=samples / RATE_HZ)
            made[row] = sound * (PEAK / np.abs(sound).max())
    return made


def _check(roll: Int[np.ndarray, "T 12"]) -> None:
    refuse((roll < 0).any(), f"roll must hold lengths of 0 slots and more, got {roll.min()}.")
