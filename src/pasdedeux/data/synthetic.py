"""Built-in dances: music and motion made together, in every genre of Table 1, with known truth.

They stand in for licensed recordings where there are none, and let a metric or a claim be checked
against what is true by construction. Nothing about them was recorded: a table that uses them says
so. A dancer arrives at the keys of each move on the beats of the song, except in the moves drawn to
be off the beat, which come a stated share of a beat late.

Three dances in turn are kin: the second shares its song with the first and its choreography with
the third, so that a split has something to keep together. `T` frames at 25 a second, `N` beats.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.dance import AIST_GENRES, GENRES, RATE_HZ, TANG_GENRES
from pasdedeux.motion.choreography import Dancer
from pasdedeux.motion.dancing import danced
from pasdedeux.motion.moves import Move, phrase, vocabulary
from pasdedeux.motion.rotation import six_from_matrix
from pasdedeux.music.band import Piece, composed, played
from pasdedeux.music.style import Chord

CORPUS = "synthetic"
CODES = {genre: code for code, genre in (TANG_GENRES | AIST_GENRES).items()}
KIN = 3  # dances in turn that share songs and choreographies
SAMPLE_RATE_HZ = 24_000
OFF_BEAT = 0.1  # share of the moves that are danced off the beat
LATE_BEATS = 0.5  # how late they come


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a dance and its music; beats are those of the music, in seconds.

    on_beat: whether the dancer means to be on each beat. chords: the chord of each beat.
    """

    genre: str
    bpm: float
    beats_per_bar: int
    beat_seconds: Float[np.ndarray, " N"]
    on_beat: Bool[np.ndarray, " N"]
    onset_seconds: Float[np.ndarray, " K"]
    chords: tuple[Chord, ...]
    key: Chord
    moves: tuple[str, ...]
    dancer: Dancer


@dataclass(frozen=True, eq=False)
class Made:
    """A dance, its sound (mono float32) and the truth: all of `dance.Dance` but the features."""

    name: str
    genre: str
    group: str
    song: str
    sound: Float[np.ndarray, " S"]
    sample_rate_hz: int
    translation: Float[np.ndarray, "T 3"]
    rotations: Float[np.ndarray, "T 24 6"]
    offsets_metres: Float[np.ndarray, "24 3"]
    truth: Truth


def dance(
    genre: str,
    index: int,
    *,
    seed: int,
    seconds: float | int,
    off_beat: float = OFF_BEAT,
    late_beats: float = LATE_BEATS,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Made:
    """Return dance number `index` of `genre`, the same whatever else is made.

    off_beat: share of the moves that come `late_beats` beats late. A dance made longer keeps its
    moves and its dancer; its song is another take, because a song is composed as a whole.
    """
    choice("genre", genre, GENRES)
    refuse(index < 0, f"index must be at least 0, got {index}.")
    refuse(seconds < 2, f"seconds must be at least 2, got {seconds}.")
    refuse(not 0 <= off_beat <= 1, f"off_beat must be a share from 0 to 1, got {off_beat}.")
    family, member = divmod(index, KIN)
    song, group = 2 * family + (member > 1), 2 * family + (member > 0)
    piece = composed(genre, seconds=seconds, generator=numpy_generator(seed, "song", genre, song))
    sound = played(piece, sample_rate_hz, numpy_generator(seed, "noise", genre, song))
    generator = numpy_generator(seed, "choreography", genre, group)
    bars = len(piece.downbeat_seconds) + 1
    moves = phrase(genre, bars, piece.beats_per_bar, generator)
    who = dancer(genre, numpy_generator(seed, "dancer", genre, index))
    timing = numpy_generator(seed, "timing", genre, index)
    late = _late(moves, off_beat, timing)
    at = _clock(piece, late * late_beats, who, timing)
    made = danced(moves, vocabulary().manner(genre), at, who)
    code = CODES[genre]
    beats = len(piece.beat_seconds)
    return Made(
        name=f"SYN_{code}_{index}",
        genre=genre,
        group=f"SYN_{code}_choreography_{group}",
        song=f"SYN_{code}_song_{song}",
        sound=sound,
        sample_rate_hz=sample_rate_hz,
        translation=made.translation.astype(np.float32),
        rotations=six_from_matrix(torch.from_numpy(made.rotations_local)).float().numpy(),
        offsets_metres=made.body.offsets_metres,
        truth=Truth(
            genre,
            piece.bpm,
            piece.beats_per_bar,
            piece.beat_seconds,
            ~late[:beats],
            piece.onset_seconds,
            piece.chords,
            piece.key,
            tuple(move.name for move in moves),
            who,
        ),
    )


def dances(
    count: int,
    *,
    seed: int,
    seconds: float | int,
    genres: Sequence[str] = GENRES,
    off_beat: float = OFF_BEAT,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Iterator[Made]:
    """Yield dances 0 to `count` - 1 of each of `genres`, one after the other, made when asked."""
    for genre in genres:
        for index in range(count):
            yield dance(
                genre,
                index,
                seed=seed,
                seconds=seconds,
                off_beat=off_beat,
                sample_rate_hz=sample_rate_hz,
            )


def dancer(genre: str, generator: np.random.Generator) -> Dancer:
    """Return somebody who dances `genre`; nobody mirrors a genre that is danced in hold."""
    mirrored = bool(generator.uniform() < 0.5) and not vocabulary().manner(genre).partnered
    return Dancer(
        size=float(generator.uniform(0.93, 1.07)),
        amplitude=float(generator.uniform(0.8, 1.15)),
        energy=float(generator.uniform(0.75, 1.25)),
        mirrored=mirrored,
        lag_seconds=float(generator.normal(0, 0.008)),
        jitter_seconds=float(generator.uniform(0.002, 0.008)),
        stoop_degrees=float(generator.normal(0, 3)),
        elbows_degrees=float(generator.normal(0, 8)),
    )


def _late(
    moves: Sequence[Move], off_beat: float, generator: np.random.Generator
) -> Bool[np.ndarray, " M"]:
    """Return for each beat of `moves` whether its move is danced off the beat."""
    drawn = generator.uniform(size=len(moves)) < off_beat
    return np.repeat(drawn, [move.beats for move in moves])


def _clock(
    piece: Piece, late_beats: np.ndarray, who: Dancer, generator: np.random.Generator
) -> Float[np.ndarray, " T"]:
    """Return for each frame which beat it is by the dancer's clock, 0 at the first downbeat."""
    periods = np.diff(piece.beat_seconds)
    begin, end = periods[0] * np.arange(-3, 0), periods[-1] * np.arange(1, 4)
    beats = piece.beat_seconds
    arrivals = np.concatenate([beats[0] + begin, beats, beats[-1] + end])
    late = np.concatenate([np.zeros(3), late_beats, np.zeros(3)])[: len(arrivals)]
    drift = who.jitter_seconds * generator.standard_normal(len(arrivals))
    arrivals = arrivals + late * np.gradient(arrivals) + who.lag_seconds + drift
    frames = np.arange(round(piece.seconds * RATE_HZ)) / RATE_HZ
    return np.interp(frames, arrivals, np.arange(len(arrivals)) - 3.0)
