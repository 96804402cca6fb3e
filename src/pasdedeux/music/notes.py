"""Melodies as MIDI, and back."""

import math
from pathlib import Path

import numpy as np
import pretty_midi

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import whole
from pasdedeux.music.melody import Melody

TICKS_PER_QUARTER = 480
VELOCITY = 100


def to_pretty_midi(melody: Melody, bpm: float = 120.0) -> pretty_midi.PrettyMIDI:
    """Return `melody` as one piano track at `bpm` quarters a minute; its times are seconds.

    A note shorter than one tick (1/480 quarter) lasts one tick, because MIDI drops empty notes.
    """
    refuse(not 0 < bpm < math.inf, f"bpm must be above 0, got {bpm}.")
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=float(bpm))
    piano = pretty_midi.Instrument(program=0, name=melody.name)
    lengths = np.maximum(melody.duration_quarters, 1 / TICKS_PER_QUARTER)
    quarter_seconds = 60.0 / bpm
    for pitch, onset, length in zip(melody.pitch, melody.onset_quarters, lengths, strict=True):
        start, end = float(onset) * quarter_seconds, float(onset + length) * quarter_seconds
        piano.notes.append(pretty_midi.Note(VELOCITY, int(pitch), start, end))
    midi.instruments.append(piano)
    return midi


def write_midi(path: Path, melody: Melody, bpm: float = 120.0) -> None:
    """Write `melody` to `path` as a MIDI file at `bpm`, whole or not at all."""
    midi = to_pretty_midi(melody, bpm)
    with whole(Path(path)) as part:
        midi.write(str(part))


def read_midi(path: Path) -> Melody:
    """Return the notes of the one instrument in the MIDI file `path`, in quarters from its start.

    Tempo changes do not matter, the file's own ticks are counted. Of notes that begin together the
    higher comes first. Raises `ValueError` naming the file when it is not MIDI, or holds no note or
    several instruments.
    """
    path = Path(path)
    refuse(not path.is_file(), f"{path} is not there; give the path of a MIDI file.")
    try:
        midi = pretty_midi.PrettyMIDI(str(path))
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read as MIDI ({error or type(error).__name__}); a MIDI file begins "
            f"with 'MThd', this one with {path.read_bytes()[:4]!r}. Export it again."
        ) from error
    playing = [part for part in midi.instruments if part.notes and not part.is_drum]
    refuse(
        len(playing) != 1,
        f"{path} has {len(playing)} instruments with notes; a melody has one, leave others out.",
    )
    found = sorted(playing[0].notes, key=lambda note: (note.start, -note.pitch))
    ticks = np.array(
        [[midi.time_to_tick(note.start), midi.time_to_tick(note.end)] for note in found], float
    )
    onset, end = (ticks / midi.resolution).T
    return Melody(path.stem, np.array([note.pitch for note in found]), onset, end - onset)
