"""What the 53 features see in a sound: everything drawn over one time axis.

Arrays come in, nothing is computed here but the mel spectrogram: frames have 20 MFCC, 20 deltas, 12
chroma and 1 beat, `rate_hz` a second. `T` frames, `S` samples, `N` beats.
"""

from collections.abc import Mapping

import librosa
import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from pasdedeux.base.checks import refuse
from pasdedeux.music.audio import levelled, ogg
from pasdedeux.report.figures import PITCH_NAMES
from pasdedeux.report.picture import BLUE, GREEN, GREY, ORANGE, PALE_GREY, STYLE, Picture, picture
from pasdedeux.report.viewer import Sound

FEATURES = 53
MFCC, CHROMA, BEAT = slice(0, 20), slice(40, 52), 52
HEIGHTS = (1.0, 1.3, 1.1, 1.3)
MOST_BINS = 1600  # of a waveform; each shows lowest and highest sample
MEL_BANDS, HOP_SAMPLES, LOUDNESS_RANGE_DB = 80, 512, 70.0
KHZ_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def listen_to(sound: Float[np.ndarray, " S"], title: str, *, rate_hz: int) -> Sound:
    """Return a player for any sound, peaks brought to 0.9; the bytes are part of the notebook."""
    return Sound(title, len(sound) / rate_hz, ogg(levelled(sound), rate_hz))


def features_over_sound(
    frames: Float[np.ndarray, "T 53"],
    sound: Float[np.ndarray, " S"],
    *,
    sound_rate_hz: int,
    rate_hz: float = 25.0,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    onset_seconds: Float[np.ndarray, " K"] | None = None,
    span_seconds: tuple[float, float] = (0.0, 10.0),
    title: str = "",
) -> Picture:
    """Return waveform with beats and onsets, mel spectrogram, MFCC and chroma, one above the other.

    Shows what lies within `span_seconds`. Beats come from the features' own beat track unless
    `beat_seconds` are given. MFCC are standardised over the shown time, number by number, so that
    all twenty can be seen. Raises `ValueError` for frames and sound of different lengths.
    """
    begin, end = _span(frames, sound, sound_rate_hz, rate_hz, span_seconds)
    beats = (
        np.flatnonzero(frames[:, BEAT] > 0.5) / rate_hz if beat_seconds is None else beat_seconds
    )
    rows = slice(round(begin * rate_hz), round(end * rate_hz))
    heard = sound[round(begin * sound_rate_hz) : round(end * sound_rate_hz)]
    with mpl.rc_context(STYLE):
        drawn = picture(9.0, 1.35 * sum(HEIGHTS) + 0.5)
        grid = drawn.subplots(4, 1, sharex=True, height_ratios=HEIGHTS)
        _wave(grid[0], heard, begin, end)
        _marks(grid[0], onset_seconds, ORANGE, "onset", (0.0, 0.12))
        _marks(grid[0], beats, GREEN, "beat", (0.0, 1.0))
        _mel(grid[1], heard, sound_rate_hz, begin)
        _mfcc(grid[2], frames[rows, MFCC], begin, 1 / rate_hz)
        _chroma(grid[3], frames[rows, CHROMA], begin, 1 / rate_hz)
        for axes in grid[1:]:
            _marks(axes, beats, "white", "", (0.0, 1.0))
        grid[3].set_xlabel("time (s)")
        grid[0].set_xlim(begin, end)  # columns at either end are cut in half
        drawn.suptitle(title, fontsize=10)
    return drawn


def spectrograms(
    rows: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]],
    *,
    rate_hz: int,
    onset_seconds: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]] | None = None,
) -> Picture:
    """Return mel spectrograms of sounds: a row for each title, its versions side by side.

    Colours show decibels below the loudest moment of the row's first version. Onsets are white
    ticks; under each picture every begun second is green where an onset falls into it, else pale:
    the flags that beats are counted by. Raises `ValueError` for rows of different versions.
    """
    versions = [tuple(shown) for shown in rows.values()]
    refuse(not rows or not versions[0], "spectrograms needs at least one sound.")
    refuse(len(set(versions)) > 1, f"every row needs the same versions, got {versions}.")
    with mpl.rc_context(STYLE):
        drawn = picture(0.6 + 3.4 * len(versions[0]), 0.4 + 1.6 * len(rows))
        grid = drawn.subplots(len(rows), len(versions[0]), squeeze=False, sharex=True)
        for line, (title, shown) in zip(grid.tolist(), rows.items(), strict=True):
            powers = [_mel_power(sound, rate_hz) for sound in shown.values()]
            loudest = max(1e-10, float(powers[0].max()))
            for axes, (name, sound), power in zip(line, shown.items(), powers, strict=True):
                level = librosa.power_to_db(power, ref=loudest, top_db=None)
                _image(
                    axes, level, 0.0, HOP_SAMPLES / rate_hz, "magma", "",
                    limits=(-LOUDNESS_RANGE_DB, 0.0),
                )  # fmt: skip
                _khz(axes, rate_hz)
                if onset_seconds is not None:
                    _flag(axes, onset_seconds[title][name], len(sound) / rate_hz)
            line[0].set_ylabel(f"{title}\nmel (kHz)", fontsize=8)
        for name, top, bottom in zip(versions[0], grid[0], grid[-1], strict=True):
            top.set_title(name, fontsize=9)
            bottom.set_xlabel("time (s)")
    return drawn


def _mel_power(sound: np.ndarray, rate_hz: int) -> Float[np.ndarray, "C T"]:
    return librosa.feature.melspectrogram(
        y=sound.astype(np.float32), sr=rate_hz, n_mels=MEL_BANDS, hop_length=HOP_SAMPLES
    )


def _khz(axes: Axes, rate_hz: int) -> None:
    edges = librosa.mel_frequencies(n_mels=MEL_BANDS + 2, fmax=rate_hz / 2)[1:-1] / 1000
    ticks = [tick for tick in KHZ_TICKS if tick < edges[-1]]
    axes.set_yticks(np.interp(ticks, edges, np.arange(MEL_BANDS)), [f"{tick:g}" for tick in ticks])


def _flag(axes: Axes, onsets: Float[np.ndarray, " N"], seconds: float) -> None:
    """Draw onsets as ticks, and below the picture which begun seconds have one."""
    axes.vlines(onsets, 0.86, 1.0, transform=axes.get_xaxis_transform(), color="white", linewidth=1)
    for begin in range(int(np.ceil(seconds))):
        held = bool(((onsets >= begin) & (onsets < begin + 1)).any())
        colour = GREEN if held else PALE_GREY
        axes.axvspan(begin + 0.02, min(begin + 0.98, seconds), 0, 0.045, color=colour)


def _span(
    frames: np.ndarray,
    sound: np.ndarray,
    sound_rate_hz: int,
    rate_hz: float,
    wanted: tuple[float, float],
) -> tuple[float, float]:
    """Return begin and end of what is shown; refuse arrays that do not belong together."""
    refuse(not (rate_hz > 0 and sound_rate_hz > 0), "rate_hz and sound_rate_hz must be above 0.")
    refuse(not np.isfinite(frames).all(), "features must be finite everywhere.")
    refuse(not np.isfinite(sound).all(), "the sound must be finite everywhere.")
    long, heard = len(frames) / rate_hz, len(sound) / sound_rate_hz
    refuse(
        abs(long - heard) > 0.5,
        f"features last {long:.2f} s but the sound {heard:.2f} s; give the sound that the features "
        "were computed from and its own sound_rate_hz.",
    )
    begin, end = wanted[0], min(long, heard, wanted[1])
    refuse(
        not 0 <= begin < end - 1 / rate_hz,
        f"span_seconds {wanted} holds nothing of the {min(long, heard):.2f} s that there are.",
    )
    return begin, end


def _wave(axes: Axes, sound: np.ndarray, begin: float, end: float) -> None:
    """Draw the lowest and highest sample of each of many short spans as one filled band."""
    count = min(MOST_BINS, len(sound))
    cuts = np.linspace(0, len(sound), count + 1).astype(int)[:-1]
    time = begin + (end - begin) * (np.arange(count) + 0.5) / count
    low, high = np.minimum.reduceat(sound, cuts), np.maximum.reduceat(sound, cuts)
    axes.fill_between(time, low, high, color=BLUE, linewidth=0.3)
    reach = max(1e-3, float(np.abs(sound).max()))
    axes.set(ylim=(-1.05 * reach, 1.05 * reach), ylabel="waveform", yticks=[])


def _marks(
    axes: Axes,
    seconds: Float[np.ndarray, " N"] | None,
    colour: str,
    label: str,
    heights: tuple[float, float],
) -> None:
    """Draw thin lines at `seconds`, from and to these shares of the panel's height."""
    if seconds is None or not len(seconds):
        return
    thin = {"color": colour, "linewidth": 0.8 if label else 0.4, "alpha": 0.9}
    transform = axes.get_xaxis_transform()
    lines = axes.vlines(seconds, *heights, transform=transform, **thin)
    if label:
        lines.set_label(label)
        axes.legend(loc="upper right", fontsize=7, ncols=2, frameon=True, framealpha=0.8)


def _mel(axes: Axes, sound: np.ndarray, rate_hz: int, begin: float) -> None:
    power = _mel_power(sound, rate_hz)
    level = librosa.power_to_db(power, ref=max(1e-10, float(power.max())), top_db=LOUDNESS_RANGE_DB)
    _image(axes, level, begin, HOP_SAMPLES / rate_hz, "magma", "mel (kHz)")
    _khz(axes, rate_hz)


def _mfcc(axes: Axes, values: np.ndarray, begin: float, step_seconds: float) -> None:
    spread = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    _image(axes, standard.T, begin, step_seconds, "RdBu_r", "MFCC", limits=(-3.0, 3.0))
    axes.set_yticks([0, 5, 10, 15, 19])


def _chroma(axes: Axes, values: np.ndarray, begin: float, step_seconds: float) -> None:
    _image(axes, values.T, begin, step_seconds, "magma", "chroma", limits=(0.0, 1.0))
    axes.set_yticks(range(12), PITCH_NAMES, fontsize=6.5)


def _image(
    axes: Axes,
    values: np.ndarray,
    begin: float,
    step_seconds: float,
    colours: str,
    label: str,
    limits: tuple[float | None, float | None] = (None, None),
) -> None:
    """Draw one column for each frame, in the middle of which the frame's moment lies."""
    bins, count = values.shape
    first = begin - step_seconds / 2
    extent = (first, first + count * step_seconds, -0.5, bins - 0.5)
    axes.imshow(
        values, origin="lower", aspect="auto", extent=extent, cmap=colours,
        interpolation="nearest", vmin=limits[0], vmax=limits[1],
    )  # fmt: skip
    axes.set_ylabel(label)
    axes.tick_params(axis="y", labelsize=7, colors=GREY, labelcolor="black")
