"""Melodies as notes, as values on a grid, and as token ids.

One value for each time step: a MIDI pitch where a note begins, `HOLD` where nothing happens (the
note goes on, or the silence does), `OFF` where a silence begins. A duration is therefore 1 plus the
number of holds that follow. Shapes: `N` notes, `T` steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base.checks import refuse

OFF, HOLD = -1, -2
BAR_QUARTERS = 4.0
HIGHEST_PITCH = 127


@dataclass(frozen=True, eq=False)
class Melody:
    """Notes in time order; onsets and durations in quarters, `tonic` as a pitch class (C is 0)."""

    name: str
    pitch: Int[np.ndarray, " N"]
    onset_quarters: Float[np.ndarray, " N"]
    duration_quarters: Float[np.ndarray, " N"]
    tonic: int | None = None

    def __post_init__(self) -> None:
        """Refuse notes that cannot be played, naming the melody and the first such note."""
        lengths = {len(self.pitch), len(self.onset_quarters), len(self.duration_quarters)}
        refuse(
            len(lengths) != 1,
            f"{self.name}: pitch, onset and duration must be equally long, got lengths {lengths}.",
        )
        pitch, onset, duration = self.pitch, self.onset_quarters, self.duration_quarters
        self._refuse_note((pitch < 0) | (pitch > HIGHEST_PITCH), pitch, "pitches are MIDI 0..127")
        self._refuse_note(~np.isfinite(onset), onset, "onsets must be finite")
        late = np.diff(onset, prepend=-np.inf) < 0 if len(onset) else np.zeros(0, bool)
        self._refuse_note(late, onset, "onsets must not decrease; sort the notes by onset")
        self._refuse_note(~(duration >= 0), duration, "durations are quarters, at least 0")
        self._refuse_note(np.isinf(duration), duration, "durations must be finite")
        refuse(
            self.tonic is not None and not 0 <= self.tonic < 12,
            f"{self.name}: tonic must be a pitch class 0..11 or None, got {self.tonic}.",
        )

    def _refuse_note(self, bad: np.ndarray, values: np.ndarray, rule: str) -> None:
        if bad.any():
            where = int(bad.argmax())
            raise ValueError(f"{self.name}, note {where + 1}: {rule}, got {values[where]}.")

    def shifted(self, semitones: int) -> "Melody":
        """Return this melody `semitones` higher, its tonic moved along."""
        tonic = None if self.tonic is None else (self.tonic + semitones) % 12
        return Melody(
            self.name, self.pitch + semitones, self.onset_quarters, self.duration_quarters, tonic
        )


class GridNotes(NamedTuple):
    """Notes on a grid, in steps from the first note: no two begin together, none overlap."""

    pitch: Int[np.ndarray, " N"]
    onset: Int[np.ndarray, " N"]
    end: Int[np.ndarray, " N"]


def on_grid(melody: Melody, steps_per_quarter: int) -> GridNotes:
    """Return the notes of `melody` on a grid that begins with its first note.

    Onset and end are rounded half up; a note of length 0 gets one step; of the notes that fall on
    one step the first is kept; a note ends where the next begins.
    """
    refuse(steps_per_quarter < 1, f"steps_per_quarter must be above 0, got {steps_per_quarter}.")
    begin = melody.onset_quarters - melody.onset_quarters[:1].sum()
    onset = _round_half_up(begin * steps_per_quarter)
    end = _round_half_up((begin + melody.duration_quarters) * steps_per_quarter)
    end = np.maximum(end, onset + 1)
    first = np.diff(onset, prepend=-1) > 0
    pitch, onset, end = melody.pitch[first], onset[first], end[first]
    end[:-1] = np.minimum(end[:-1], onset[1:])
    return GridNotes(pitch, onset, end)


def steps(
    melody: Melody, steps_per_quarter: int, *, longest_silence: float | None = BAR_QUARTERS
) -> Int[np.ndarray, " T"]:
    """Return one value per step (pitch, `HOLD` or `OFF`) from the first onset to the last end.

    A silence above `longest_silence` quarters is shortened to it; None keeps every silence. A
    melody without notes gives no steps.
    """
    pitch, onset, end = on_grid(melody, steps_per_quarter)
    if longest_silence is not None:
        refuse(longest_silence < 0, f"longest_silence must be at least 0, got {longest_silence}.")
        longest = int(longest_silence * steps_per_quarter)
        surplus = np.maximum(onset[1:] - end[:-1] - longest, 0)
        earlier = np.concatenate([np.zeros(min(1, len(onset)), int), np.cumsum(surplus)])
        onset, end = onset - earlier, end - earlier
    values = np.full(int(end.max(initial=0)), HOLD)
    values[end[:-1]] = OFF
    values[onset] = pitch  # a note that begins where another ends replaces its OFF
    return values


def notes(values: Int[np.ndarray, " T"], steps_per_quarter: int, name: str = "melody") -> Melody:
    """Return the melody that `values` stand for, its onsets counted from the first step.

    A hold before the first onset is silence; a note that nothing ends lasts to the last step.
    Raises `ValueError` for a value that is neither a pitch, `HOLD` nor `OFF`.
    """
    refuse(steps_per_quarter < 1, f"steps_per_quarter must be above 0, got {steps_per_quarter}.")
    low, high = values.min(initial=0), values.max(initial=0)
    refuse(
        low < HOLD or high > HIGHEST_PITCH,
        f"{name} holds values {low}..{high}; expected pitches 0..127, OFF {OFF} and HOLD {HOLD}. "
        "Token ids must be decoded first.",
    )
    events = np.flatnonzero(values != HOLD)
    ends = np.append(events[1:], len(values))
    sounding = values[events] >= 0
    onset, end = events[sounding], ends[: len(events)][sounding]
    return Melody(
        name,
        values[onset].astype(int),
        onset / steps_per_quarter,
        (end - onset) / steps_per_quarter,
    )


@dataclass(frozen=True)
class Vocabulary:
    """Token ids: 0 is `OFF`, 1 is `HOLD`, then the pitches of the corpora, ascending.

    `size` ids can be emitted; `begin` is one more, given to a generator before the first token.
    """

    pitches: tuple[int, ...]
    OFF: ClassVar[int] = OFF
    HOLD: ClassVar[int] = HOLD

    def __post_init__(self) -> None:
        """Refuse pitches that are not ascending MIDI pitches."""
        fine = all(0 <= pitch <= HIGHEST_PITCH for pitch in self.pitches)
        refuse(
            not fine or list(self.pitches) != sorted(set(self.pitches)) or not self.pitches,
            f"pitches must be distinct ascending MIDI pitches 0..127, got {self.pitches}.",
        )

    @classmethod
    def of(cls, sequences: Sequence[Int[np.ndarray, " _"]]) -> "Vocabulary":
        """Return the vocabulary of all pitches in `sequences` of values."""
        found = np.unique(np.concatenate([np.unique(values) for values in sequences]))
        return cls(tuple(int(value) for value in found if value >= 0))

    @property
    def size(self) -> int:
        """The number of ids that can be emitted."""
        return 2 + len(self.pitches)

    @property
    def begin(self) -> int:
        """The id that comes before the first token; it is never emitted."""
        return self.size

    def encode(self, values: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Return ids of `values`; raises `ValueError` for a value that has none."""
        inside = np.clip(values, HOLD, HIGHEST_PITCH)
        ids = self._ids[inside - HOLD]
        unknown = np.unique(values[(ids < 0) | (inside != values)])
        refuse(
            len(unknown) > 0,
            f"no token for values {unknown.tolist()}; the pitches are {self.pitches}. "
            "Build the vocabulary from all corpora, after transposition.",
        )
        return ids

    def decode(self, ids: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Return the values of `ids`; raises `ValueError` for an id that is never emitted."""
        low, high = ids.min(initial=0), ids.max(initial=0)
        refuse(
            low < 0 or high >= self.size,
            f"ids must lie in 0..{self.size - 1}, got {low}..{high}"
            + (" (the begin token is never emitted)." if high == self.begin else "."),
        )
        return self._values[ids]

    def is_onset(self, ids: Int[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
        """Return where a note begins."""
        return (ids >= 2) & (ids < self.size)

    def pitch_class(self, ids: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Return the pitch class (C is 0) of each onset, -1 for every other id."""
        return np.where(self.is_onset(ids), self._values[np.clip(ids, 0, self.size - 1)] % 12, -1)

    @cached_property
    def _values(self) -> np.ndarray:
        return np.array([OFF, HOLD, *self.pitches])

    @cached_property
    def _ids(self) -> np.ndarray:
        ids = np.full(HIGHEST_PITCH + 1 - HOLD, -1)
        ids[self._values - HOLD] = np.arange(self.size)
        return ids


def _round_half_up(steps: Float[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    return np.floor(steps + 0.5).astype(int)
