"""A small reader of ABC notation: one voice, notes, rests, ties, bars.

It reads the notation of the Essen folk songs and refuses the rest of ABC (chords, tuplets, repeats,
fractional lengths, several voices) by name: a tune is read rightly or not at all. Rules, following
the ABC standard 2.1: the unit of length is the L field; sharps and flats come from the K field; an
accidental holds for its letter in every octave until the next bar line; the end of a line does not
end a bar; a tie joins two notes of one letter and octave, and a tied note without a mark of its
own keeps the accidental of the note before it, also across the bar line, as in print; a tie that
opens a line belongs to the last note of the line before.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn, get_args

import numpy as np

from pasdedeux.base.checks import choice
from pasdedeux.music.melody import HIGHEST_PITCH, Melody

FIELD = re.compile(r"([A-Za-z+]):(.*)")
KEY = re.compile(r"([A-H])(is|es|s|#|b)?\s*([A-Za-z]*)")
TOKEN = re.compile(
    r"(?P<bar>\|[\]|]?|\[\|)|(?P<accidental>\^{1,2}|_{1,2}|=)?(?P<letter>[A-Ga-gzx])"
    r"(?P<octave>[,']*)(?P<length>(?:[1-9][0-9]*)?)(?P<tie>-?)"
)
STRAY = re.compile(r"[0-9]+|-")
TEXT_FIELDS = frozenset("ABCDFGHNOQRSTWZrw")  # they do not change which notes are written
BODY_FIELDS = frozenset("NRTWrw")
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ALTERATIONS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
MODES = {
    "": 0, "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3,
    "mix": -1, "dor": -2, "phr": -4, "lyd": 1, "loc": -5,
}  # fmt: skip
REMEDIES = {
    ":": "repeats are not read; write them out",
    "[": "chords, endings and inline fields are not read; write one voice without them",
    "(": "slurs and tuplets are not read; leave slurs out and write lengths as multiples of L",
    ")": "slurs are not read; leave them out",
    "/": "fractional lengths are not read; choose a smaller L and write whole multiples",
    ">": "broken rhythm is not read; write the lengths out",
    "<": "broken rhythm is not read; write the lengths out",
    "{": "grace notes are not read; leave them out",
}
CHARACTERS = (
    "notes A-G a-g, rests z, accidentals ^ _ =, octave marks , ', whole lengths, ties and |"
)
MIDDLE_C = 60
Strays = Literal["refuse", "remark"]


@dataclass(frozen=True)
class Tune:
    """One tune: its notes in quarters, its header fields, how many rests it writes.

    `unusual_ties` counts ties that carry an accidental across a bar line or open a line: a plainer
    reader takes each for two notes. `remarks` tell each stray mark that was passed over.
    """

    source: str
    number: int
    title: str
    fields: Mapping[str, str]
    melody: Melody
    rests: int
    unusual_ties: int
    remarks: tuple[str, ...]


class Tunes(NamedTuple):
    """Tunes in the order of the file, and what was skipped: one message each, with the place."""

    tunes: tuple[Tune, ...]
    skipped: tuple[str, ...]


class Key(NamedTuple):
    """Tonic as a pitch class, and the alteration in semitones of each letter."""

    tonic: int
    signature: Mapping[str, int]


class _Line(NamedTuple):
    """One line of a tune and its number in the file."""

    number: int
    text: str


def read(path: Path, *, skip_bad: bool = False, strays: Strays = "refuse") -> Tunes:
    """Return the tunes of the ABC file `path` (UTF-8); see `parse`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        told = f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8."
        if skip_bad:
            return Tunes((), (told,))
        raise ValueError(told) from error
    return parse(text, path.name, skip_bad=skip_bad, strays=strays)


def parse(text: str, source: str, *, skip_bad: bool = False, strays: Strays = "refuse") -> Tunes:
    """Return the tunes in `text`, which came from the file called `source`.

    Raises `ValueError` naming file, song number, line and remedy. With `skip_bad` such a tune is
    left out and its message is among `skipped`. A length or a tie without a note before it is
    refused too, or with `strays="remark"` passed over and told in the tune's remarks.
    """
    choice("strays", strays, get_args(Strays))
    tunes, skipped = [], []
    for lines in _blocks(text):
        try:
            tunes.append(_tune(lines, source, strays))
        except ValueError as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
    if not tunes and not skipped:
        told = f"{source} holds no tune; an ABC tune begins with a line such as 'X:1'."
        if not skip_bad:
            raise ValueError(told)
        skipped.append(told)
    return Tunes(tuple(tunes), tuple(skipped))


def key(text: str) -> Key:
    """Return tonic and signature of a K field, for example 'Bb', 'F#', 'Dm', 'Gmix' or German 'Es'.

    Raises `ValueError` for anything else.
    """
    found = KEY.fullmatch(text.strip())
    mode = found[3].lower() if found else "?"
    mode = mode if mode in MODES else mode[:3]
    if found is None or mode not in MODES:
        raise ValueError(f"K is {text.strip()!r}; write a key such as 'G', 'Bb', 'F#' or 'Dm'")
    letter, sign = found[1], found[2] or ""
    if letter == "H":  # German for B natural
        letter = "B"
    alteration = {"": 0, "#": 1, "is": 1, "b": -1, "s": -1, "es": -1}[sign]
    fifths = FIFTHS[letter] + 7 * alteration + MODES[mode]
    order = "FCGDAEB" if fifths > 0 else "BEADGCF"
    step = 1 if fifths > 0 else -1
    signature = dict.fromkeys(SEMITONES, 0)
    for i in range(abs(fifths)):
        signature[order[i % 7]] += step
    return Key((SEMITONES[letter] + alteration) % 12, signature)


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Yield the lines of each tune, from its X field to the next one, comments and blanks left out.

    A blank line does not end a tune: one song of the Essen corpus goes on after it.
    """
    block: list[_Line] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.split("%", 1)[0].strip()
        if bare.startswith("X:") and block:
            yield block
            block = []
        if bare.startswith("X:") or (block and bare):
            block.append(_Line(number, bare))
    if block:
        yield block


def _tune(lines: list[_Line], source: str, strays: Strays) -> Tune:
    first, number = lines[0], _number(lines[0], source)
    place = f"{source}, song {number}"
    fields, body = _header(lines, place)
    unit, tonality = _unit(fields["L"], place), _key(fields["K"], place)
    notes = _Notes(place, unit=unit, key=tonality, strays=strays)
    for line in body:
        notes.follow(line)
    title = fields["T"].text if "T" in fields else ""
    if not notes.pitch:
        _fail(place, first, "holds no note; write notes below the K field, or take the tune out")
    texts = {name: line.text for name, line in fields.items()}
    melody = notes.melody(f"{source.removesuffix('.abc')} {number} {title}".strip())
    return Tune(
        source, number, title, texts, melody, notes.rests, notes.unusual_ties, tuple(notes.remarks)
    )


def _header(lines: list[_Line], place: str) -> tuple[dict[str, _Line], list[_Line]]:
    """Return the fields up to K, the first of each name, and the lines of music after them."""
    fields: dict[str, _Line] = {}
    last = ""
    end = next((i for i, line in enumerate(lines, 1) if line.text.startswith("K:")), len(lines))
    for line in lines[:end]:
        found = FIELD.match(line.text)
        if found is None or found[1] == "+":
            if last not in TEXT_FIELDS:
                _fail(place, line, f"{line.text!r} stands before K; a header holds fields only")
            continue  # a text that goes on, for example a long note
        last = found[1]
        if last not in TEXT_FIELDS | set("XMLK"):
            _fail(place, line, f"field {last!r} is not read; take it out or write one plain voice")
        fields.setdefault(last, _Line(line.number, found[2].strip()))
    for name, remedy in (("K", "K: C"), ("L", "L: 1/8")):
        if name not in fields:
            _fail(place, lines[-1], f"the header has no {name} field; add for example '{remedy}'")
    return fields, lines[end:]


class _Notes:
    """Notes gathered line by line; accidentals and ties stay open from one line to the next."""

    def __init__(self, place: str, *, unit: Fraction, key: Key, strays: Strays) -> None:
        self.place, self.key, self.strays = place, key, strays
        self.unit_quarters = float(4 * unit)
        self.pitch: list[int] = []
        self.onset: list[float] = []
        self.duration: list[float] = []
        self.rests = self.unusual_ties = 0
        self.remarks: list[str] = []
        self._now = 0.0
        self._altered: dict[str, int] = dict(key.signature)
        self._last: tuple[str, int] | None = None  # letter and octave of the note before, if any
        self._tie: Literal["", "-", "opens the line"] = ""

    def follow(self, line: _Line) -> None:
        """Add the notes of one line of music, which may go on from the line before.

        One loop without inner calls: a corpus has half a million notes.
        """
        for found in self._tokens(line):
            letter = found["letter"]
            if letter is None:  # a bar line
                self._altered = dict(self.key.signature)
                continue
            quarters = self.unit_quarters * int(found["length"] or 1)
            begin, self._now = self._now, self._now + quarters
            tie, self._tie = self._tie, ""
            if letter in "zx":
                self.rests += 1
                self._last = None
                continue
            name, marks, mark = letter.upper(), found["octave"], found["accidental"]
            octave = letter.islower() + marks.count("'") - marks.count(",")
            if mark:
                self._altered[name] = ALTERATIONS[mark]
            pitch = MIDDLE_C + SEMITONES[name] + self._altered[name] + 12 * octave
            last, self._last, self._tie = self._last, (name, octave), found["tie"]
            if tie and last == (name, octave) and (not mark or pitch == self.pitch[-1]):
                self.unusual_ties += pitch != self.pitch[-1] or tie != "-"
                self.duration[-1] += quarters
                continue
            if not 0 <= pitch <= HIGHEST_PITCH:
                place = f"{found[0]!r} is MIDI pitch {pitch}"
                _fail(self.place, line, f"{place}; use fewer octave marks")
            self.pitch.append(pitch)
            self.onset.append(begin)
            self.duration.append(quarters)

    def _tokens(self, line: _Line) -> list[re.Match[str]]:
        """Return the notes, rests and bar lines of `line`; text between the music has none."""
        text, at = line.text, 0
        field = FIELD.match(text)
        if field and field[1] in BODY_FIELDS:
            return []
        if field and field[1] not in SEMITONES and not text.startswith(("z", "x")):
            _fail(self.place, line, f"field {field[1]!r} inside the music is not read; take it out")
        tokens = []
        if text[0] == "-" and self._last:
            self._tie, at = "opens the line", 1
        while at < len(text):
            found = TOKEN.match(text, at)
            if found:
                tokens.append(found)
                at = found.end()
            elif text[at] in " \t\r\\":
                at += 1
            else:
                at = self._after_stray(text, at, line)
        return tokens

    def _after_stray(self, text: str, at: int, line: _Line) -> int:
        """Return where to go on behind the stray mark at `at`; refuse what is not one."""
        stray = STRAY.match(text, at)
        mark = stray[0] if stray else text[at]
        known = REMEDIES.get(mark, f"only {CHARACTERS} are read")
        remedy = "no note stands before this length or tie; write A2 or A2-A2" if stray else known
        message = f"{mark!r} at column {at + 1}: {remedy}"
        if stray is None or self.strays == "refuse":
            _fail(self.place, line, message)
        self.remarks.append(f"{self.place}, line {line.number}: passed over {message}.")
        return stray.end()

    def melody(self, name: str) -> Melody:
        """Return the notes gathered so far."""
        onset, duration = np.array(self.onset, float), np.array(self.duration, float)
        return Melody(name, np.array(self.pitch, int), onset, duration, self.key.tonic)


def _number(line: _Line, source: str) -> int:
    text = line.text[2:].strip()
    if not text.isdecimal():
        raise ValueError(
            f"{source}, line {line.number}: X is {text!r}; a tune needs a number, such as 'X:1'."
        )
    return int(text)


def _unit(line: _Line, place: str) -> Fraction:
    found = re.fullmatch(r"(\d+)/(\d+)", line.text)
    if not found or not int(found[1]) * int(found[2]):
        _fail(place, line, f"L is {line.text!r}; write a fraction of a whole note, such as '1/8'")
    return Fraction(int(found[1]), int(found[2]))


def _key(line: _Line, place: str) -> Key:
    try:
        return key(line.text)
    except ValueError as error:
        _fail(place, line, str(error))


def _fail(place: str, line: _Line, message: str) -> NoReturn:
    raise ValueError(f"{place}, line {line.number}: {message}.")
