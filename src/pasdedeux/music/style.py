"""What each genre sounds like: the tables of `band.toml`, and the chords that their numerals name.

Tempo, metre, swing, progressions, patterns and voices of the 14 genres; the head of the table
explains its signs. Pitch classes count semitones from C.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pasdedeux.base.checks import refuse

TABLE = Path(__file__).with_name("band.toml")
STEPS_PER_BEAT = 4
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
DEGREES = ("i", "ii", "iii", "iv", "v", "vi", "vii")

Quality = Literal["major", "minor"]


class Chord(NamedTuple):
    """Root as a pitch class (C is 0), and whether its third is major or minor."""

    root: int
    quality: Quality

    @property
    def pitch_classes(self) -> tuple[int, int, int]:
        """Root, third and fifth."""
        third = 4 if self.quality == "major" else 3
        return (self.root, (self.root + third) % 12, (self.root + 7) % 12)


@dataclass(frozen=True)
class Style:
    """What a genre sounds like; `band.toml` tells the meaning of each field and pattern sign."""

    bpm: tuple[float, float]
    mode: Quality
    progressions: tuple[str, ...]
    bass: tuple[str, ...]
    bass_voice: str
    comp: str
    comp_voice: tuple[str, ...]
    lead: tuple[str, ...]
    lead_voice: tuple[str, ...]
    grooves: tuple[Mapping[str, str], ...]
    levels: Mapping[str, float]
    beats_per_bar: int = 4
    swing: float = 0.5
    swing_unit: int = 1
    drift: float = 0.0
    loose: float = 0.001
    hiss: float = 0.0015
    seventh: bool = False

    def __post_init__(self) -> None:
        """Refuse a pattern that does not fill whole bars."""
        grooves = [pattern for groove in self.grooves for pattern in groove.values()]
        for pattern in (*self.bass, self.comp, *self.lead, *grooves):
            refuse(
                len(pattern) % self.steps_per_bar or not pattern,
                f"a pattern must have a multiple of {self.steps_per_bar} signs, got {pattern!r}.",
            )

    @property
    def steps_per_bar(self) -> int:
        """Four steps a beat."""
        return self.beats_per_bar * STEPS_PER_BEAT


@cache
def styles() -> Mapping[str, Style]:
    """Return every style of `band.toml` by its name."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = {}
    for name, row in table.items():
        lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
        low, high = row["bpm"]
        found[name] = Style(**{**row, **lists, "bpm": (float(low), float(high))})
    return found


def chord(numeral: str, key: Chord) -> Chord:
    """Return the chord of a Roman `numeral` in `key`: capitals are major, b lowers the root."""
    flat = numeral.startswith("b")
    name = numeral[1:] if flat else numeral
    refuse(name.lower() not in DEGREES, f"numeral must be I to VII, got {numeral!r}.")
    root = key.root + SCALES[key.quality][DEGREES.index(name.lower())] - flat
    return Chord(root % 12, "major" if name.isupper() else "minor")
