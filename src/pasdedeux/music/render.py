"""Music out: chroma and beats to notes, notes to sound, and back to chroma.

A dance-to-music model predicts a chroma and beats, no notes. These rules make notes of them: one
chord between two beats (or in each half, ...), its pitch classes those that are strong in the mean
chroma there, in the octave above middle C with the strongest doubled below; a hi-hat on each beat.
Frames are `rate_hz` a second, frame k at second k / `rate_hz`. `T` frames, `N` beats, `K` segments.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.music import percussion, score
from pasdedeux.music.audio import RATE_HZ as SOUND_RATE_HZ
from pasdedeux.music.audio import Synthesiser, levelled, mixed, takes_fluidsynth, tones
from pasdedeux.music.score import DRUMS, LOUDEST, Score, to_pretty_midi

FRAME_RATE_HZ = 25.0
CHORD_OCTAVE, BASS_OCTAVE = 60, 48  # MIDI pitch of their C
HAT_DURATION_SECONDS = 0.05
DRUM_LEVEL = 0.35  # of a note of the same velocity


@dataclass(frozen=True)
class RenderSettings:
    """How a chroma becomes notes; the defaults give one chord a beat.

    More segments per beat keep more of a song's chroma (on twelve dance songs the strongest class
    of 82 % of the frames with 1, 88 % with 2, 92 % with 4) and make twice as many notes.
    """

    rate_hz: float = FRAME_RATE_HZ  # frames a second of chroma and beat track
    segments_per_beat: int = 1  # chords between two beats
    threshold: float = 0.5  # of the strongest class in a segment; weaker classes are left out
    voices: int = 3  # pitch classes of a chord at most
    silence: float = 1e-3  # a segment whose strongest mean chroma is below has no notes
    beat_seconds_without_beats: float = 0.5  # where fewer than two beats tell no tempo
    velocity: tuple[int, int] = (40, 80)  # of a class of strength x: first + second * x
    program: int = 0  # General MIDI program of the chords, 0 is a piano
    hat_velocity: int = 80

    def __post_init__(self) -> None:
        """Refuse settings that make no notes or unplayable ones."""
        refuse(not self.rate_hz > 0, f"rate_hz must be above 0, got {self.rate_hz}.")
        least = min(self.segments_per_beat, self.voices)
        refuse(least < 1, f"segments_per_beat and voices must be at least 1, got {least}.")
        refuse(not 0 < self.threshold <= 1, f"threshold must lie in (0, 1], got {self.threshold}.")
        refuse(not self.silence > 0, f"silence must be above 0, got {self.silence}.")
        pace = self.beat_seconds_without_beats
        refuse(not pace > 0, f"beat_seconds_without_beats must be above 0, got {pace}.")
        low, range_ = self.velocity
        outside = not (low >= 1 and range_ >= 0 and low + range_ <= LOUDEST)
        refuse(outside, f"velocity must stay in 1..{LOUDEST}, got {low} + {range_} x.")


class Chords(NamedTuple):
    """Pitch classes by segment; segment k lasts from `edge_seconds[k]` to `edge_seconds[k + 1]`."""

    edge_seconds: Float[np.ndarray, " E"]
    strength: Float[np.ndarray, "K 12"]  # mean chroma over its maximum; 0 where a class is left out
    strongest: Int[np.ndarray, " K"]  # -1 in silence


def beat_seconds_of(
    track: Float[np.ndarray, " T"], *, rate_hz: float = FRAME_RATE_HZ, threshold: float = 0.5
) -> Float[np.ndarray, " N"]:
    """Return a beat for each run of frames at or above `threshold`, at the run's highest frame.

    A track of zeros and ones gives its ones when no two stand side by side.
    """
    refuse(not np.isfinite(track).all(), "the beat track must be finite.")
    high = np.concatenate([[False], track >= threshold, [False]])
    starts, ends = np.flatnonzero(np.diff(high.astype(int))).reshape(-1, 2).T
    peaks = [
        int(start + track[start:end].argmax()) for start, end in zip(starts, ends, strict=True)
    ]
    return np.array(peaks, dtype=float) / rate_hz


def chords(
    chroma: Float[np.ndarray, "T 12"],
    beat_seconds: Float[np.ndarray, " N"],
    settings: RenderSettings = RenderSettings(),
) -> Chords:
    """Return the pitch classes that are strong in each segment of `chroma`.

    Segments lie between beats; before the first and after the last beat they go on at the median
    distance of the beats. Of equally strong classes the lower comes first. Raises `ValueError` for
    a chroma that is negative or not finite, and for beats that do not increase.
    """
    _check(chroma, beat_seconds, settings)
    edge_seconds = _edge_seconds(len(chroma), beat_seconds, settings)
    edges = _frames(edge_seconds, settings.rate_hz)
    lengths = np.diff(edges)[:, None]
    mean = np.add.reduceat(chroma, edges[:-1], axis=0) / lengths if len(chroma) else chroma[:0]
    loudest = mean.max(axis=1, initial=0.0)
    sounding = loudest >= settings.silence
    strength = mean / np.where(sounding, loudest, 1.0)[:, None]
    place = np.argsort(np.argsort(-strength, axis=1, kind="stable"), axis=1)
    kept = (strength >= settings.threshold) & (place < settings.voices) & sounding[:, None]
    strongest = np.where(sounding, strength.argmax(axis=1), -1)
    return Chords(edge_seconds, np.where(kept, strength, 0.0), strongest)


def notes(
    chroma: Float[np.ndarray, "T 12"],
    beat_seconds: Float[np.ndarray, " N"],
    settings: RenderSettings = RenderSettings(),
) -> Score:
    """Return chords, bass and hi-hat for `chroma` and its beats; see `chords` for the rules.

    A pitch that is kept in one segment after the other is one long note, as loud as its loudest
    segment. The beats of a last second behind the end of the chroma are left out.
    """
    found = chords(chroma, beat_seconds, settings)
    bass = np.where(np.arange(12) == found.strongest[:, None], found.strength, 0.0)
    upper = _voice(found.edge_seconds, found.strength, CHORD_OCTAVE, settings)
    lower = _voice(found.edge_seconds, bass, BASS_OCTAVE, settings)
    beats = beat_seconds[beat_seconds < len(chroma) / settings.rate_hz].astype(float)
    hats = score.of(
        np.full(len(beats), percussion.CLOSED_HAT),
        beats,
        np.full(len(beats), HAT_DURATION_SECONDS),
        velocity=settings.hat_velocity,
        instrument=DRUMS,
    )
    return score.together(upper, lower, hats)


def chroma_of(
    played: Score, frames: int, *, rate_hz: float = FRAME_RATE_HZ
) -> Float[np.ndarray, "T 12"]:
    """Return the chroma of `played` in `frames` frames: at most 1 in each, 0 in silence.

    A class is as strong as the root of the summed squares of its velocities, because the powers of
    notes that sound together add. Drums have none.
    """
    refuse(frames < 0, f"frames must be at least 0, got {frames}.")
    begin = _frames(played.onset_seconds, rate_hz)
    end = _frames(played.onset_seconds + played.duration_seconds, rate_hz)
    power = np.zeros((frames, 12))
    for row in np.flatnonzero(~played.is_drum):
        power[begin[row] : end[row], played.pitch[row] % 12] += float(played.velocity[row]) ** 2
    chroma = np.sqrt(power)
    loudest = chroma.max(axis=1, keepdims=True)
    return chroma / np.where(loudest > 0, loudest, 1.0)


def waveform_of(
    played: Score,
    *,
    rate_hz: int = SOUND_RATE_HZ,
    synthesiser: Synthesiser = "auto",
    seconds: float | None = None,
) -> Float[np.ndarray, " S"]:
    """Return `played` as sound from second 0 on, peaks at 0.9; exactly `seconds` long when given.

    "auto" takes fluidsynth when it can be loaded, else the built-in strings and drums, which give
    every program the same string. Raises `ValueError` for a rate or length that is not above 0, and
    when fluidsynth is asked for and missing.
    """
    refuse(rate_hz < 1, f"rate_hz must be above 0, got {rate_hz}.")
    refuse(seconds is not None and not seconds > 0, f"seconds must be above 0, got {seconds}.")
    if takes_fluidsynth(synthesiser) and len(played.pitch):
        sound = np.asarray(to_pretty_midi(played).fluidsynth(fs=rate_hz), dtype=float)
    else:
        sound = _built_in(played, rate_hz)
    if seconds is not None:
        wanted = max(1, round(seconds * rate_hz))
        sound = np.pad(sound[:wanted], (0, max(0, wanted - len(sound))))
    return levelled(sound)


def _check(chroma: np.ndarray, beat_seconds: np.ndarray, settings: RenderSettings) -> None:
    fine = bool((np.isfinite(chroma) & (chroma >= 0)).all())
    refuse(not fine, "chroma must be finite and at least 0 everywhere; fill or clip it first.")
    beats = bool((np.isfinite(beat_seconds) & (beat_seconds >= 0)).all())
    increase = bool((np.diff(beat_seconds) > 0).all())
    refuse(not (beats and increase), "beat_seconds must increase from 0 or later.")
    last, seconds = float(beat_seconds.max(initial=0.0)), len(chroma) / settings.rate_hz
    refuse(
        last > seconds + 1,
        f"the last beat is at second {last:g}, the chroma ends at {seconds:g}; are the beats in "
        "seconds? Leave out those behind the end.",
    )


def _frames(seconds: Float[np.ndarray, " N"], rate_hz: float) -> Int[np.ndarray, " N"]:
    """Return the nearest frames, halves up, also those that rounding errors moved a hair down."""
    return np.floor(seconds * rate_hz + 0.5 + 1e-6).astype(int)


def _edge_seconds(
    frames: int, beat_seconds: Float[np.ndarray, " N"], settings: RenderSettings
) -> Float[np.ndarray, " E"]:
    """Return the beginnings of all segments and the end; each segment has one frame at least."""
    beats = beat_seconds.astype(float) if len(beat_seconds) else np.zeros(1)
    distances = np.diff(beats)
    pace = float(np.median(distances)) if len(distances) else settings.beat_seconds_without_beats
    end = frames / settings.rate_hz
    before = np.arange(beats[0] - pace, -pace, -pace)[::-1]
    after = np.arange(beats[-1] + pace, end + pace, pace)
    grid = np.concatenate([before, beats, after])
    places = np.arange((len(grid) - 1) * settings.segments_per_beat + 1)
    edges = np.interp(places / settings.segments_per_beat, np.arange(len(grid)), grid)
    frame, first = np.unique(_frames(edges, settings.rate_hz), return_index=True)
    inside = edges[first[(frame > 0) & (frame < frames)]]
    return np.concatenate([[0.0], inside, [end] if frames else []])


def _voice(
    edge_seconds: Float[np.ndarray, " E"],
    strength: Float[np.ndarray, "K 12"],
    octave: int,
    settings: RenderSettings,
) -> Score:
    """Return one note for each run of segments in which a pitch class is kept."""
    padded = np.pad(strength, ((1, 1), (0, 0)))
    turns = np.diff((padded > 0).astype(int), axis=0).T  # 1 where a run begins, -1 behind its end
    pitch_class, start = np.nonzero(turns == 1)
    end = np.nonzero(turns == -1)[1]
    low, range_ = settings.velocity
    rows = zip(pitch_class, start, end, strict=True)
    peak = np.array([strength[a:b, chosen].max() for chosen, a, b in rows], dtype=float)
    onset_seconds = edge_seconds[start]
    return score.of(
        octave + pitch_class,
        onset_seconds,
        edge_seconds[end] - onset_seconds,
        velocity=np.round(low + range_ * peak).astype(int),
        instrument=settings.program,
    )


def _built_in(played: Score, rate_hz: int) -> Float[np.ndarray, " S"]:
    """Return strings and drums together."""
    level, drum = played.velocity / LOUDEST, played.is_drum
    strings = played.only(~drum)
    sound = tones(
        strings.pitch,
        strings.onset_seconds,
        strings.duration_seconds,
        rate_hz=rate_hz,
        loudness=level[~drum],
    )
    pairs = zip(played.pitch[drum], level[drum], strict=True)
    hits = [DRUM_LEVEL * loud * percussion.hit(int(pitch), rate_hz) for pitch, loud in pairs]
    beats = mixed(hits, played.onset_seconds[drum], rate_hz=rate_hz)
    length = max(len(sound), len(beats))
    return np.pad(sound, (0, length - len(sound))) + np.pad(beats, (0, length - len(beats)))
