"""A small band that plays dance music whose every beat, chord and note is known.

A `Style` (one table of `band.toml`) says what a genre sounds like: tempo, metre, grooves, chords,
voices. `composed` draws a piece from it, `played` turns the piece into a waveform. The piece begins
as if cut from the middle: its first downbeat comes within the first beat, and notes that begin
earlier ring into it. `N` beats, `K` onsets, `S` samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

from pasdedeux.base.checks import choice, refuse
from pasdedeux.music.style import SCALES, STEPS_PER_BEAT, Chord, Style, chord, styles
from pasdedeux.music.timbre import drum, note

SECTION_BARS = 8
LOUDNESS = {"X": 1.0, "x": 0.7, "o": 0.35}
DRUM_LEVELS = {
    **{"kick": 1.0, "boom": 1.0, "snare": 0.75, "clap": 0.7, "stomp": 0.6, "rim": 0.5},
    **{"hat": 0.25, "open_hat": 0.2, "ride": 0.3, "brush": 0.45, "shaker": 0.22, "guiro": 0.4},
    **{"clave": 0.35, "cowbell": 0.4, "conga_low": 0.6, "conga_high": 0.5, "slap_hand": 0.5},
    "tambourine": 0.25,
}
PART_LEVELS = {"bass": 0.42, "comp": 0.15, "lead": 0.22}
RMS = 0.13  # of a whole piece, before the limiter
PEAK = 0.95


class Note(NamedTuple):
    """One note or stroke; `pitch` is its MIDI number, or -1 for a drum. `level` is an amplitude."""

    voice: str
    pitch: int
    start_seconds: float
    seconds: float
    level: float


@dataclass(frozen=True, eq=False)
class Piece:
    """Music before it sounds. `beat_seconds` are those within 0..`seconds`, the first a downbeat.

    chords: the chord of each beat. key: the tonic chord. bpm: of the mean beat.
    """

    style: str
    seconds: float
    bpm: float
    beats_per_bar: int
    beat_seconds: Float[np.ndarray, " N"]
    chords: tuple[Chord, ...]
    key: Chord
    notes: tuple[Note, ...] = field(repr=False)
    hiss: float

    @property
    def downbeat_seconds(self) -> Float[np.ndarray, " M"]:
        """The first beat of each bar."""
        return self.beat_seconds[:: self.beats_per_bar]

    @property
    def onset_seconds(self) -> Float[np.ndarray, " K"]:
        """When notes and strokes begin; what begins within 20 ms is one onset."""
        found = np.array(sorted(n.start_seconds for n in self.notes if n.start_seconds >= 0))
        fresh = np.diff(found, prepend=-1.0) > 0.02
        return found[fresh & (found < self.seconds)]


def composed(style: str, *, seconds: float | int, generator: np.random.Generator) -> Piece:
    """Return a piece in `style` of `seconds`, every choice drawn from `generator`."""
    kind = styles()[choice("style", style, styles())]
    refuse(not 1 <= seconds < 3600, f"seconds must be from 1 to 3600, got {seconds}.")
    key = Chord(int(generator.integers(12)), kind.mode)
    clock = _Clock(kind, float(seconds), generator)
    progression = str(generator.choice(kind.progressions)).split()
    chords = [
        chord(name, key)
        for bar in range(clock.bars)
        for name in _beats_of(progression[(bar - 1) % len(progression)], kind.beats_per_bar)
    ]
    notes = [*_drums(kind, clock, generator), *_bass(kind, clock, chords, generator)]
    notes += [*_comp(kind, clock, chords, key, generator)]
    notes += [*_lead(kind, clock, chords, key, generator)]
    beats = clock.beats
    inside = (beats >= 0) & (beats < seconds)
    return Piece(
        style=style,
        seconds=float(seconds),
        bpm=60 / float(np.diff(beats[inside]).mean()),
        beats_per_bar=kind.beats_per_bar,
        beat_seconds=beats[inside],
        chords=tuple(c for c, kept in zip(chords, inside, strict=True) if kept),
        key=key,
        notes=tuple(sorted(n for n in notes if -1 < n.start_seconds < seconds)),
        hiss=kind.hiss,
    )


def played(piece: Piece, rate_hz: int, generator: np.random.Generator) -> Float[np.ndarray, " S"]:
    """Return `piece` as mono float32, `seconds` x `rate_hz` samples within -0.95..0.95.

    `generator` makes the noise of drums and room; the notes are the same whatever it is.
    """
    refuse(rate_hz < 8000, f"rate_hz must be at least 8000 samples a second, got {rate_hz}.")
    count = round(piece.seconds * rate_hz)
    sound = np.zeros(count, np.float32)
    made: dict[tuple[str, int, float], np.ndarray] = {}
    for one in piece.notes:
        what = (one.voice, one.pitch, round(one.seconds, 2))
        if what not in made:
            pitched = one.pitch >= 0
            made[what] = note(*what, rate_hz) if pitched else drum(one.voice, rate_hz, generator)
        _add(sound, made[what], round(one.start_seconds * rate_hz), one.level)
    hiss = lfilter([0.5], [1, -0.5], generator.standard_normal(count, np.float32))
    sound *= RMS / max(1e-9, float(np.sqrt(np.mean(sound**2))))
    sound += piece.hiss * hiss.astype(np.float32)
    ramp = min(count, round(0.01 * rate_hz))
    sound[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
    sound[count - ramp :] *= np.linspace(1, 0, ramp, dtype=np.float32)
    return (PEAK * np.tanh(sound / PEAK)).astype(np.float32)


def _add(sound: np.ndarray, part: np.ndarray, start: int, level: float) -> None:
    """Add `level` x `part` into `sound` from sample `start`, which may lie before its beginning."""
    cut = max(0, -start)
    part = part[cut : len(sound) - start]
    sound[start + cut : start + cut + len(part)] += np.float32(level) * part


class _Clock:
    """When each beat and step of a piece comes; one bar lies before the first downbeat."""

    def __init__(self, kind: Style, seconds: float, generator: np.random.Generator) -> None:
        bpm = float(generator.uniform(*kind.bpm))
        per_bar = 60 / bpm * kind.beats_per_bar
        self.bars = int(np.ceil(seconds / per_bar)) + 3
        count = self.bars * kind.beats_per_bar
        cycle = float(generator.uniform(40, 70))
        wander = np.sin(2 * np.pi * (np.arange(count) / cycle + generator.uniform()))
        periods = 60 / bpm * (1 + kind.drift * wander)
        times = np.concatenate([[0.0], np.cumsum(periods)[:-1]])
        first = float(generator.uniform(0.02, 0.98)) * periods[kind.beats_per_bar]
        self.beats = times - times[kind.beats_per_bar] + first
        self.kind, self.generator = kind, generator

    def seconds(self, step: int) -> float:
        """Return the moment of `step`, counted from the bar before the first, with its swing."""
        beat, unit = step / STEPS_PER_BEAT, self.kind.swing_unit / STEPS_PER_BEAT * 2
        place, inside = divmod(beat, unit)
        inside /= unit
        late = self.kind.swing
        swung = inside * late / 0.5 if inside < 0.5 else late + (inside - 0.5) * (1 - late) / 0.5
        return float(np.interp(unit * (place + swung), np.arange(len(self.beats)), self.beats))

    def moment(self, step: int) -> float:
        """Return when a player who is not a machine plays `step`."""
        return self.seconds(step) + self.kind.loose * float(self.generator.standard_normal())

    def level(self, step: int) -> float:
        """Return how loud it is at `step`: sections differ, and every stroke a little."""
        section = (step // self.kind.steps_per_bar - 1) // SECTION_BARS
        return (0.9, 1.0, 0.95, 1.05)[section % 4] * float(self.generator.uniform(0.92, 1.08))


def _beats_of(word: str, beats_per_bar: int) -> list[str]:
    parts = word.split("+")
    return [parts[beat * len(parts) // beats_per_bar] for beat in range(beats_per_bar)]


def _signs(pattern: str, bars: int, per_bar: int) -> Iterator[tuple[int, str, int]]:
    """Yield step, sign and length in steps of every sign of a pattern, over all bars."""
    for step in range(bars * per_bar):
        sign = pattern[step % len(pattern)]
        if sign not in ".-":
            length = 1
            while pattern[(step + length) % len(pattern)] == "-" and length < len(pattern):
                length += 1
            yield step, sign, length


def _drums(kind: Style, clock: _Clock, generator: np.random.Generator) -> Iterator[Note]:
    groove = kind.grooves[int(generator.integers(len(kind.grooves)))]
    per_bar, level = kind.steps_per_bar, kind.levels["drums"]
    for name, pattern in groove.items():
        for step, sign, _ in _signs(pattern, clock.bars, per_bar):
            loud = LOUDNESS[sign] * DRUM_LEVELS[name] * clock.level(step)
            yield Note(name, -1, clock.moment(step), 0.0, 0.5 * level * loud)
    filler = next((n for n in ("snare", "clap", "conga_low", "brush", "rim") if n in groove), "")
    for bar in range(SECTION_BARS + 1, clock.bars, SECTION_BARS):
        for back in range(1, 4) if filler else ():
            loud = DRUM_LEVELS[filler] * (0.85 - 0.15 * back)
            yield Note(filler, -1, clock.moment(bar * per_bar - back), 0.0, 0.5 * level * loud)


def _bass(
    kind: Style, clock: _Clock, chords: list[Chord], generator: np.random.Generator
) -> Iterator[Note]:
    pattern = str(generator.choice(kind.bass))
    level = PART_LEVELS["bass"] * kind.levels["bass"]
    for step, sign, length in _signs(pattern, clock.bars, kind.steps_per_bar):
        now = chords[step // STEPS_PER_BEAT]
        root = 31 + (now.root - 31) % 12
        third = (now.pitch_classes[1] - now.root) % 12
        pitch = root + {"1": 0, "3": third, "5": 7, "8": 12}[sign]
        yield _held(clock, kind.bass_voice, pitch, step, length, level)


def _comp(
    kind: Style,
    clock: _Clock,
    chords: list[Chord],
    key: Chord,
    generator: np.random.Generator,
) -> Iterator[Note]:
    voice = str(generator.choice(kind.comp_voice))
    lowest = int(generator.integers(52, 58))
    for step, sign, length in _signs(kind.comp, clock.bars, kind.steps_per_bar):
        now = chords[step // STEPS_PER_BEAT]
        level = PART_LEVELS["comp"] * kind.levels["comp"] * (1.25 if sign == "X" else 1.0)
        for pitch_class in now.pitch_classes:
            pitch = lowest + (pitch_class - lowest) % 12
            yield _held(clock, voice, pitch, step, length, level)
        if kind.seventh:
            pitch = lowest + (_seventh(now, key) - lowest) % 12
            yield _held(clock, voice, pitch, step, length, 0.4 * level)


def _seventh(now: Chord, key: Chord) -> int:
    """Return the pitch class of the minor seventh, or of the major one where the key has that."""
    scale = {(key.root + degree) % 12 for degree in SCALES[key.quality]}
    minor, major = (now.root + 10) % 12, (now.root + 11) % 12
    return major if minor not in scale and major in scale else minor


def _lead(
    kind: Style,
    clock: _Clock,
    chords: list[Chord],
    key: Chord,
    generator: np.random.Generator,
) -> Iterator[Note]:
    """Yield a tune: a motif of two bars, kept for a section, on chord tones where beats begin."""
    voice = str(generator.choice(kind.lead_voice))
    level, per_bar = PART_LEVELS["lead"] * kind.levels["lead"], kind.steps_per_bar
    scale = np.array([key.root + degree for degree in SCALES[key.quality]]) % 12
    for section in range(1, clock.bars, SECTION_BARS):
        motif = str(generator.choice(kind.lead)) + str(generator.choice(kind.lead))
        contour = generator.integers(-2, 3, size=len(motif))
        degree, silent = int(generator.integers(7, 12)), generator.uniform() < 0.2
        bars = min(SECTION_BARS, clock.bars - section)
        for step, _, length in _signs(motif, 0 if silent else bars, per_bar):
            at = step + section * per_bar
            degree = int(np.clip(degree + contour[step % len(motif)], 5, 14))
            pitch = 60 + 12 * (degree // 7) - 12 + int(scale[degree % 7])
            on_beat = step % STEPS_PER_BEAT == 0 or length >= STEPS_PER_BEAT
            pitch = _nearest(pitch, chords[at // STEPS_PER_BEAT]) if on_beat else pitch
            yield _held(clock, voice, pitch, at, length, level * (1.0 if on_beat else 0.7))


def _nearest(pitch: int, now: Chord) -> int:
    """Return the tone of the chord that is nearest to `pitch`, the lower of two."""
    tones = [p for p in range(pitch - 4, pitch + 5) if p % 12 in now.pitch_classes]
    return min(tones, key=lambda tone: (abs(tone - pitch), tone))


def _held(clock: _Clock, voice: str, pitch: int, step: int, length: int, level: float) -> Note:
    start, end = clock.seconds(step), clock.seconds(step + length)
    held = max(0.06, 0.92 * (end - start))
    return Note(voice, pitch, clock.moment(step), held, level * clock.level(step))
