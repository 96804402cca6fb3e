"""Hear and see melodies in a notebook, also after it was saved and opened without a kernel."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.music.audio import RATE_HZ, Synthesiser, ogg, waveform
from pasdedeux.music.melody import Melody
from pasdedeux.music.notes import write_midi
from pasdedeux.report.figures import PITCH_NAMES, piano_rolls
from pasdedeux.report.markup import html_grid, markdown_grid
from pasdedeux.report.picture import Picture


@dataclass(frozen=True, repr=False)
class Sound:
    """A sound that a notebook shows as a player; the bytes are part of the notebook."""

    title: str
    seconds: float
    encoded: bytes  # Ogg Vorbis

    def __repr__(self) -> str:
        return f"{self.title}: {self.seconds:.1f} s of sound"

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.encoded).decode()
        return (
            f'<figure style="margin:0.4em 0"><figcaption>{html.escape(self.title)} '
            f'({self.seconds:.1f} s)</figcaption><audio controls preload="metadata" '
            f'src="data:audio/ogg;base64,{source}">This browser plays no Ogg Vorbis; '
            "the MIDI file is among the results.</audio></figure>"
        )


@dataclass(frozen=True, repr=False)
class NotesTable:
    """The first notes of a melody as a table."""

    title: str
    lines: tuple[tuple[str, ...], ...]
    left_out: int

    HEADER = ("note", "pitch", "name", "onset (quarters)", "duration (quarters)")

    def __repr__(self) -> str:
        return f"{self._caption()}\n" + "\n".join("  ".join(line) for line in self.lines)

    def _caption(self) -> str:
        more = f", {self.left_out} more not shown" if self.left_out else ""
        return f"{self.title}: {len(self.lines)} notes{more}"

    def _repr_html_(self) -> str:
        return html_grid(self.HEADER, self.lines, caption=self._caption())

    def _repr_markdown_(self) -> str:
        return f"**{self._caption()}**\n\n{markdown_grid(self.HEADER, self.lines, text=0)}"


def pitch_name(pitch: int) -> str:
    """Return the name of a MIDI pitch with its octave; 60 is C4."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def listen(
    melody: Melody,
    title: str = "",
    *,
    bpm: float = 120.0,
    rate_hz: int = RATE_HZ,
    synthesiser: Synthesiser = "auto",
) -> Sound:
    """Return a player for `melody`, under `title` or the melody's own name."""
    sound = waveform(melody, bpm=bpm, rate_hz=rate_hz, synthesiser=synthesiser)
    return Sound(title or melody.name, len(sound) / rate_hz, ogg(sound, rate_hz))


def piano_roll(melody: Melody, title: str = "") -> Picture:
    """Return the piano roll of one melody, under `title` or the melody's own name."""
    return piano_rolls({title or melody.name: melody})


def notes_table(melody: Melody, *, first: int = 12) -> NotesTable:
    """Return the `first` notes of `melody` as a table."""
    refuse(first < 1, f"first must be at least 1, got {first}.")
    lines = tuple(
        (str(place), str(int(pitch)), pitch_name(int(pitch)), f"{onset:g}", f"{duration:g}")
        for place, (pitch, onset, duration) in enumerate(
            zip(melody.pitch, melody.onset_quarters, melody.duration_quarters, strict=True), 1
        )
    )
    return NotesTable(melody.name, lines[:first], max(0, len(lines) - first))


def export(
    melodies: Mapping[str, Melody],
    folder: Path,
    *,
    bpm: float = 120.0,
    synthesiser: Synthesiser = "built-in",
) -> list[Path]:
    """Write `<name>.mid` and `<name>.ogg` of each melody into `folder` and return the files.

    The built-in synthesiser is the default here, so that files are the same on every machine that
    has the same libraries. Raises `ValueError` for a name that is no plain file name.
    """
    written = []
    for name, melody in melodies.items():
        refuse(Path(name).name != name, f"{name!r} is no plain file name; leave out folders.")
        sound = waveform(melody, bpm=bpm, synthesiser=synthesiser)
        midi, encoded = Path(folder) / f"{name}.mid", Path(folder) / f"{name}.ogg"
        write_bytes(encoded, ogg(sound))
        write_midi(midi, melody, bpm)
        written += [midi, encoded]
    return written
