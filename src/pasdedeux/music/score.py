"""Notes of several voices in seconds, as MIDI and back.

A melody (`music.melody`) is one voice in quarters; a score holds chords, a bass and drums, timed in
seconds because it belongs to a dance. Shapes: `N` notes.
"""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pretty_midi
from jaxtyping import Bool, Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import whole
from pasdedeux.music import key
from pasdedeux.music.melody import HIGHEST_PITCH
from pasdedeux.music.notes import TICKS_PER_QUARTER

DRUMS = -1  # in place of a General MIDI program: the pitch names a drum
HIGHEST_PROGRAM = 127
LOUDEST = 127


@dataclass(frozen=True, eq=False)
class Score:
    """Notes ordered by onset; `instrument` is a General MIDI program 0..127, or `DRUMS`."""

    pitch: Int[np.ndarray, " N"]
    onset_seconds: Float[np.ndarray, " N"]
    duration_seconds: Float[np.ndarray, " N"]
    velocity: Int[np.ndarray, " N"]
    instrument: Int[np.ndarray, " N"]

    def __post_init__(self) -> None:
        """Refuse notes that cannot be played, naming the first such note."""
        lengths = {len(column) for column in self._columns()}
        refuse(len(lengths) > 1, f"the columns of a score must be equally long, got {lengths}.")
        _refuse_outside("pitch", self.pitch, 0, HIGHEST_PITCH)
        _refuse_outside("velocity", self.velocity, 1, LOUDEST)
        _refuse_outside("instrument", self.instrument, DRUMS, HIGHEST_PROGRAM)
        _refuse_outside("onset_seconds", self.onset_seconds, 0, math.inf)
        _refuse_outside("duration_seconds", self.duration_seconds, 0, math.inf)
        late = bool((np.diff(self.onset_seconds) < 0).any())
        refuse(late, "onset_seconds must not decrease; use score.of(...), which orders the notes.")

    def _columns(self) -> tuple[np.ndarray, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def seconds(self) -> float:
        """When the last note ends; 0 without notes."""
        return float((self.onset_seconds + self.duration_seconds).max(initial=0.0))

    @property
    def is_drum(self) -> Bool[np.ndarray, " N"]:
        """Which notes are drums."""
        return self.instrument == DRUMS

    def pitch_class_weights(self) -> Float[np.ndarray, " 12"]:
        """Return how much each pitch class sounds: seconds times velocity, drums left out."""
        weights = np.where(self.is_drum, 0.0, self.duration_seconds * self.velocity)
        return np.bincount(self.pitch % 12, weights=weights, minlength=12).astype(float)

    def only(self, which: Bool[np.ndarray, " N"]) -> "Score":
        """Return the notes of this score for which `which` is true."""
        return Score(*(column[which] for column in self._columns()))

    def shifted(self, semitones: int) -> "Score":
        """Return this score `semitones` higher, its drums as they are."""
        return replace(self, pitch=np.where(self.is_drum, self.pitch, self.pitch + semitones))

    def in_c(self) -> "Score":
        """Return this score shifted the shortest way to C major or A minor.

        Raises `ValueError` when its notes name no key.
        """
        found = key.estimate_from(self.pitch_class_weights())
        return self.shifted(key.semitones_to_c(key.signature_tonic(found)))


def of(
    pitch: Int[np.ndarray, " N"],
    onset_seconds: Float[np.ndarray, " N"],
    duration_seconds: Float[np.ndarray, " N"],
    *,
    velocity: Int[np.ndarray, " N"] | int = 100,
    instrument: Int[np.ndarray, " N"] | int = 0,
) -> Score:
    """Return the notes as a score ordered by onset, then instrument, then pitch.

    One `velocity` or `instrument` counts for all notes.
    """
    velocity = np.broadcast_to(velocity, pitch.shape)
    instrument = np.broadcast_to(instrument, pitch.shape)
    order = np.lexsort((pitch, instrument, onset_seconds))
    columns = (pitch, onset_seconds, duration_seconds, velocity, instrument)
    return Score(*(column[order] for column in columns))


def together(*scores: Score) -> Score:
    """Return all notes of `scores` as one."""
    refuse(not scores, "together needs at least one score, got none.")
    columns = [
        np.concatenate([getattr(part, field.name) for part in scores]) for field in fields(Score)
    ]
    return of(*columns[:3], velocity=columns[3], instrument=columns[4])


def to_pretty_midi(score: Score, bpm: float = 120.0) -> pretty_midi.PrettyMIDI:
    """Return `score` with one track for each instrument.

    Times are the score's seconds to the nearest tick, 1/480 quarter: about 1 ms at 120 `bpm`, which
    only sets the bars that other programs show. A note shorter than a tick lasts one.
    """
    refuse(not 0 < bpm < math.inf, f"bpm must be above 0, got {bpm}.")
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=float(bpm))
    shortest = 60.0 / bpm / TICKS_PER_QUARTER
    for number in np.unique(score.instrument):
        part = pretty_midi.Instrument(program=max(0, int(number)), is_drum=bool(number == DRUMS))
        for row in np.flatnonzero(score.instrument == number):
            start = float(score.onset_seconds[row])
            end = start + max(shortest, float(score.duration_seconds[row]))
            note = (int(score.velocity[row]), int(score.pitch[row]), start, end)
            part.notes.append(pretty_midi.Note(*note))
        midi.instruments.append(part)
    return midi


def write_midi(path: Path, score: Score, bpm: float = 120.0) -> None:
    """Write `score` to `path` as a MIDI file, whole or not at all."""
    midi = to_pretty_midi(score, bpm)
    with whole(Path(path)) as part:
        midi.write(str(part))


def from_pretty_midi(midi: pretty_midi.PrettyMIDI) -> Score:
    """Return all notes of `midi` as a score."""
    rows = [
        (note.pitch, note.start, note.end - note.start, note.velocity, number)
        for part in midi.instruments
        for number in [DRUMS if part.is_drum else part.program]
        for note in part.notes
    ]
    table = np.array(rows, dtype=float).reshape(-1, 5).T
    whole_numbers = table[[0, 3, 4]].astype(int)
    return of(
        whole_numbers[0], table[1], table[2], velocity=whole_numbers[1], instrument=whole_numbers[2]
    )


def _refuse_outside(name: str, values: np.ndarray, low: int, high: float | int) -> None:
    bad = ~((values >= low) & (values <= high) & np.isfinite(values))
    if bad.any():
        where = int(bad.argmax())
        raise ValueError(f"note {where + 1}: {name} must be {low}..{high}, got {values[where]}.")
