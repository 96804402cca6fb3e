"""The Weimar Jazz Database: one header-less table per solo, and a table of tempi.

`score_csv.zip` (or the folder `score_csv` it unpacks to) holds `<performer>_<tune>_FINAL_solo.csv`
with pitch, onset and duration in seconds; `df_solos.csv` gives the average tempo of most solos. No
key, metre or beats: the average tempo fixes the scale of time, not the place of the beats.
"""

import csv
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data import sources
from pasdedeux.data.corpus import Corpus, Song
from pasdedeux.music.melody import HIGHEST_PITCH, Melody

NAME = "wjazzd"
Timing = Literal["tempo", "nominal"]
NOMINAL_BPM = 120.0
NOTES, TEMPI, ENDING = "score_csv", "df_solos.csv", "_solo.csv"
TERCILES_BPM = (135.0, 200.0)  # they cut the published solos in three parts of a size
ANEW = f"delete it and run `pasdedeux data get {NAME}`, or copy it anew"
COLUMNS = ("pitch", "onset in seconds", "duration in seconds")


@dataclass(frozen=True, eq=False)
class Solo:
    """One solo in seconds; `bpm` is its average tempo, None where the table of tempi lacks it."""

    name: str
    performer: str
    tune: str
    pitch: Int[np.ndarray, " N"]
    onset_seconds: Float[np.ndarray, " N"]
    duration_seconds: Float[np.ndarray, " N"]
    bpm: float | None

    def melody(self, timing: Timing) -> Melody:
        """Return the solo in quarters, of its own tempo or of the nominal 120 a minute."""
        choice("timing", timing, get_args(Timing))
        bpm = self.bpm if timing == "tempo" else NOMINAL_BPM
        if bpm is None:
            raise ValueError(f"{self.name} has no tempo in {TEMPI}; use timing='nominal'.")
        onset, duration = self.onset_seconds * bpm / 60.0, self.duration_seconds * bpm / 60.0
        return Melody(self.name, self.pitch, onset, duration)

    @property
    def stratum(self) -> str:
        """The tempo third the solo belongs to."""
        if self.bpm is None:
            return "unknown tempo"
        return ("slow", "medium", "fast")[sum(self.bpm >= cut for cut in TERCILES_BPM)]


class Solos(NamedTuple):
    """Solos sorted by name, and a message for each one that was skipped."""

    solos: tuple[Solo, ...]
    skipped: tuple[str, ...]


def corpus(timing: Timing, *, folder: Path | None = None, skip_bad: bool = False) -> Corpus:
    """Return the solos as songs; with `timing="tempo"` only those whose tempo is known.

    Solos on one tune share a group, whatever take or performer; a tempo third is a stratum.
    """
    choice("timing", timing, get_args(Timing))
    found = read(folder, skip_bad=skip_bad)
    timed = [solo for solo in found.solos if timing == "nominal" or solo.bpm is not None]
    left_out = len(found.solos) - len(timed)
    remarks = (f"{left_out} solos left out: {TEMPI} has no tempo for them.",) if left_out else ()
    songs = tuple(Song(solo.melody(timing), solo.tune, solo.stratum) for solo in timed)
    return Corpus(NAME, songs, found.skipped, remarks)


def files(folder: Path | None = None) -> list[Path]:
    """Return the files the solos are read from: the notes (zip or tables) and the tempi.

    `folder` defaults to `$PASDEDEUX_DATA/wjazzd`, else the download. Raises `ValueError` telling
    what is missing and how to get it.
    """
    place = folder or sources.found(NAME)
    remedy = (
        f"Put {NOTES}.zip and {TEMPI} into $PASDEDEUX_DATA/{NAME}, or run `pasdedeux data "
        f"get {NAME}`."
    )
    if place is None:
        raise ValueError(f"the Weimar Jazz Database is not here. {remedy}")
    packed, tables = place / f"{NOTES}.zip", sorted((place / NOTES).glob(f"*{ENDING}"))
    refuse(not packed.is_file() and not tables, f"{place} has no {NOTES}.zip. {remedy}")
    tempi = place / TEMPI
    refuse(not tempi.is_file(), f"{place} has no {TEMPI}, the table of tempi. {remedy}")
    return [*([packed] if packed.is_file() else tables), tempi]


def read(folder: Path | None = None, *, skip_bad: bool = False) -> Solos:
    """Return all solos in `folder`, however many there are.

    Raises `ValueError` naming file, solo and line of bad input, with the remedy. With `skip_bad` a
    bad solo is left out and its message is among `skipped`; a zip that cannot be opened, and a bad
    table of tempi, are refused all the same.
    """
    *notes, tempi = files(folder)
    bpm = tempo_table(tempi)
    solos: list[Solo] = []
    skipped: list[str] = []
    for place, name, content in _tables(notes):
        try:
            solos.append(_solo(place, name, _text(content, place), bpm.get(name)))
        except ValueError as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
    refuse(not solos, f"{notes[0]} holds no readable solo (*{ENDING}). " + " ".join(skipped[:1]))
    return Solos(tuple(sorted(solos, key=lambda solo: solo.name)), tuple(skipped))


def tempo_table(path: Path) -> dict[str, float]:
    """Return the average tempo in quarters a minute by solo name, from `df_solos.csv`."""
    rows = csv.DictReader(io.StringIO(_text(path.read_bytes, str(path))))
    for column in ("base_name", "avgtempo"):
        refuse(
            column not in (rows.fieldnames or ()),
            f"{path}, line 1: no column {column!r}, got {rows.fieldnames}; take {TEMPI} as "
            "published.",
        )
    found = {}
    for row in rows:
        if row["avgtempo"]:
            bpm = found[row["base_name"]] = _value(row["avgtempo"])
            refuse(
                not 0 < bpm < math.inf,
                f"{path}, line {rows.line_num} ({row['base_name']}): avgtempo is "
                f"{row['avgtempo']!r}; write quarters a minute, above 0.",
            )
    return found


def _tables(notes: Sequence[Path]) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yield place for messages, solo name and a call that reads it, for each table of notes."""
    for path in notes:
        if path.suffix != ".zip":
            yield str(path), path.name.removesuffix(ENDING), path.read_bytes
            continue
        try:
            packed = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is not a whole zip file ({error}); {ANEW}.") from error
        with packed:
            for member in sorted(packed.namelist()):
                name = member.rsplit("/", 1)[-1]
                if name.endswith(ENDING) and not member.startswith("__MACOSX"):
                    content = partial(packed.read, member)
                    yield f"{path}, {name}", name.removesuffix(ENDING), content


def _text(content: Callable[[], bytes], place: str) -> str:
    try:
        return content().decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"{place} is damaged ({error}); {ANEW}.") from error


def _solo(place: str, name: str, text: str, bpm: float | None) -> Solo:
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    refuse(not lines, f"{place} holds no note; take the empty solo out of the corpus.")
    pitch, onset, duration = _columns(place, lines)
    _refuse_rows(place, lines, np.diff(onset, prepend=-np.inf) < 0, "sort the rows by onset")
    performer, tune = (*name.split("_"), "")[:2]
    named = re.sub(r"-\d+$", "", tune).casefold() or name
    return Solo(name, performer, named, pitch.astype(int), onset, duration, bpm)


def _columns(place: str, lines: Sequence[tuple[int, str]]) -> Float[np.ndarray, "3 N"]:
    """Return pitch, onset and duration of all `lines`, checked."""
    cells = [line.split(",") for _, line in lines]
    narrow = np.array([len(row) != len(COLUMNS) for row in cells])
    expected = f"expected {len(COLUMNS)} columns ({', '.join(COLUMNS)}), separated by commas"
    _refuse_rows(place, lines, narrow, expected)
    try:
        table = np.array(cells, float)
    except ValueError:  # find the cell
        table = np.array([[_value(cell) for cell in row] for row in cells])
    _refuse_rows(place, lines, ~np.isfinite(table).all(axis=1), "write finite numbers, no header")
    pitch, _, duration = table.T
    odd = (pitch % 1 != 0) | (pitch < 0) | (pitch > HIGHEST_PITCH)
    order = f"the pitch is no MIDI pitch 0..127; are the columns {', '.join(COLUMNS)}?"
    _refuse_rows(place, lines, odd, order)
    _refuse_rows(place, lines, duration < 0, "the duration is negative; correct or remove the row")
    return table.T


def _refuse_rows(
    place: str, lines: Sequence[tuple[int, str]], bad: Bool[np.ndarray, " N"], told: str
) -> None:
    """Refuse the first of `lines` that is `bad`, with its number and text."""
    if bad.any():
        number, line = lines[int(bad.argmax())]
        raise ValueError(f"{place}, line {number}: {line.strip()!r}: {told}.")


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
