"""Composed music seen and kept: Figure 6 of the dual-learning paper, MIDI and sound files.

Figure 6 shows "generated music (light blue) and original music (dark blue)": the notes in time, and
their histogram. Drums have no pitch and are left out of both.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import matplotlib as mpl
import numpy as np
import soundfile
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.music.audio import RATE_HZ, Synthesiser, ogg
from pasdedeux.music.render import waveform_of
from pasdedeux.music.score import Score, write_midi
from pasdedeux.report.figures import PITCH_NAMES, SHARPS
from pasdedeux.report.picture import SKY, STYLE, Picture, picture

GENERATED, ORIGINAL = SKY, "#0B3C6F"
LANES = ((ORIGINAL, 0.0), (GENERATED, -0.5))  # halves of a pitch's row: the original's lies above
Sound = Literal["ogg", "wav"]


def figure_6(
    generated: Score,
    original: Score,
    *,
    start_seconds: float = 0.0,
    seconds: float | None = None,
    title: str = "",
) -> Picture:
    """Return the notes of both pieces in time, and how many of each pitch begin there.

    Both share the rows of the pitches; in each row the original has the upper half, so that neither
    hides the other. Shows `seconds` from `start_seconds` on, to the end of the longer piece unless
    given. Raises `ValueError` when nothing but drums sounds there.
    """
    end = max(generated.seconds, original.seconds)
    end = end if seconds is None else start_seconds + seconds
    told = f"nothing lies between second {start_seconds:g} and {end:g}; choose another span."
    refuse(not 0 <= start_seconds < end, told)
    pieces = [_within(piece, start_seconds, end) for piece in (original, generated)]
    sounding = np.concatenate([piece.pitch for piece in pieces])
    refuse(not len(sounding), f"no note sounds from second {start_seconds:g} to {end:g}.")
    low, high = int(sounding.min()) - 2, int(sounding.max()) + 2
    with mpl.rc_context(STYLE):
        drawn = picture(9.0, min(8.0, max(2.4, 0.1 * (high - low + 1) + 0.9)))
        roll, bars = drawn.subplots(1, 2, sharey=True, width_ratios=(3.0, 1.0))
        for axes in (roll, bars):
            _keys(axes, low, high)
        for piece, (colour, below) in zip(pieces, LANES, strict=True):
            _notes(roll, piece, colour, below)
            counts = note_counts(piece.only(piece.onset_seconds >= start_seconds))
            rows = np.flatnonzero(counts)
            bars.barh(rows + below + 0.25, counts[rows], height=0.5, color=colour)
        roll.set(xlabel="time (s)", xlim=(start_seconds, end), ylim=(low - 0.5, high + 0.5))
        bars.set(xlabel="notes", xlim=(0, None))
        bars.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        roll.set_title(title, loc="left")
        _legend(drawn)
    return drawn


def note_counts(piece: Score) -> Int[np.ndarray, " 128"]:
    """Return how many notes of each MIDI pitch `piece` has, drums left out."""
    return np.bincount(piece.pitch[~piece.is_drum], minlength=128)


def _within(piece: Score, begin: float, end: float) -> Score:
    """Return the notes of `piece` that sound between `begin` and `end`, without drums."""
    ends = piece.onset_seconds + piece.duration_seconds
    return piece.only(~piece.is_drum & (piece.onset_seconds < end) & (ends > begin))


def _keys(axes: Axes, low: int, high: int) -> None:
    """Draw the rows of the black keys, and name each C."""
    for pitch in range(low, high + 1):
        if pitch % 12 in SHARPS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#EFEFEF", linewidth=0, zorder=0)
    named = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    named = named or [low + 2]
    axes.set_yticks(named, [f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}" for pitch in named])
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)


def _notes(axes: Axes, piece: Score, colour: str, below: float) -> None:
    for pitch in np.unique(piece.pitch):
        mine = piece.pitch == pitch
        spans = np.stack([piece.onset_seconds[mine], piece.duration_seconds[mine]], axis=1)
        axes.broken_barh(
            spans.tolist(), (float(pitch) + below, 0.5), facecolors=colour,
            edgecolors="white", linewidth=0.3,
        )  # fmt: skip


def _legend(drawn: Picture) -> None:
    marks = [mpl.patches.Patch(color=colour) for colour in (ORIGINAL, GENERATED)]
    names = ("original", "generated")
    drawn.legend(marks, names, loc="outside upper right", ncols=2, fontsize=8)


def wav(sound: Float[np.ndarray, " S"], rate_hz: int = RATE_HZ) -> bytes:
    """Return `sound` as a WAV file of 16 bits; a sound without samples is refused."""
    refuse(not len(sound), "a sound needs at least one sample, got none.")
    out = io.BytesIO()
    soundfile.write(out, sound, rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()


def export(
    scores: Mapping[str, Score],
    folder: Path,
    *,
    bpm: float = 120.0,
    audio: Sound = "ogg",
    synthesiser: Synthesiser = "built-in",
) -> list[Path]:
    """Write `<name>.mid` and `<name>.ogg` or `.wav` of each score into `folder`; return the files.

    The built-in synthesiser is the default here, so that files are the same on every machine that
    has the same libraries. Each file is written whole or not at all. Raises `ValueError` for a name
    that is no plain file name, before anything is written.
    """
    choice("audio", audio, get_args(Sound))
    for name in scores:
        plain = name not in ("", ".", "..") and Path(name).name == name
        refuse(not plain, f"{name!r} is no plain file name; leave out folders.")
    written = []
    for name, piece in scores.items():
        sound = waveform_of(piece, synthesiser=synthesiser)
        encoded = ogg(sound) if audio == "ogg" else wav(sound)
        midi, heard = Path(folder) / f"{name}.mid", Path(folder) / f"{name}.{audio}"
        write_midi(midi, piece, bpm)
        write_bytes(heard, encoded)
        written += [midi, heard]
    return written
