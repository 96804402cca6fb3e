"""Spectrograms with what the beat measures see of a sound: its onsets, and their flags.

`S` samples, `N` onsets.
"""

from collections.abc import Mapping, Sequence

import librosa
import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pasdedeux.base.checks import refuse
from pasdedeux.metrics import beats
from pasdedeux.report.picture import GREEN, GREY, ORANGE, PALE_GREY, STYLE, Picture, picture

BANDS, HOP_SAMPLES, RANGE_DB = 64, 512, 70.0
FLAG_BANDS = 8  # height of the strip of flags, in bands
KHZ_TICKS = (0.5, 1.0, 2.0, 4.0, 8.0)
Columns = Mapping[str, Mapping[str, Float[np.ndarray, " S"]]]


def spectrograms(
    columns: Columns,
    *,
    rate_hz: int,
    true_onsets: Sequence[Float[np.ndarray, " N"]],
    reference: str = "",
) -> Picture:
    """Return one column for each clip and in it one mel spectrogram for each of its sounds.

    White lines are the onsets of the sound. The strip above has a field for each second: filled
    where an onset falls into it; green in a second that the true music flags too, orange where only
    one of the two does. `true_onsets` are those of each clip's true music in seconds; the row
    called `reference` is that music. Raises `ValueError` when clips have other sounds, or none.
    """
    rows = list(next(iter(columns.values()), {}))
    refuse(not rows, "spectrograms needs a clip and a sound of it.")
    refuse(
        any(list(sounds) != rows for sounds in columns.values()),
        f"every clip must have the sounds {rows}.",
    )
    refuse(
        len(true_onsets) != len(columns),
        f"give the onsets of each clip's true music, got {len(true_onsets)} for {len(columns)}.",
    )
    with mpl.rc_context(STYLE):
        drawn = picture(2.3 * len(columns) + 0.6, 1.5 * len(rows) + 0.6)
        grid = drawn.subplots(len(rows), len(columns), sharex="col", sharey=True, squeeze=False)
        for across, (title, sounds) in enumerate(columns.items()):
            for down, name in enumerate(rows):
                true = None if name == reference else true_onsets[across]
                _panel(grid[down, across], sounds[name], rate_hz, true)
            grid[0, across].set_title(title, fontsize=8.5)
            grid[-1, across].set_xlabel("time (s)")
        for axes, name in zip(grid[:, 0], rows, strict=True):
            axes.set_ylabel(f"{name}\n(kHz)", fontsize=8.5)
    return drawn


def _panel(
    axes: Axes, sound: np.ndarray, rate_hz: int, true: Float[np.ndarray, " N"] | None
) -> None:
    refuse(not np.isfinite(sound).all(), "the sound must be finite everywhere.")
    seconds = len(sound) / rate_hz
    power = librosa.feature.melspectrogram(
        y=sound.astype(np.float32), sr=rate_hz, n_mels=BANDS, hop_length=HOP_SAMPLES
    )
    level = librosa.power_to_db(power, ref=max(1e-10, float(power.max())), top_db=RANGE_DB)
    extent = (0.0, power.shape[1] * HOP_SAMPLES / rate_hz, -0.5, BANDS - 0.5)
    axes.imshow(
        level, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest"
    )
    onsets = beats.onset_seconds(sound, rate_hz)
    axes.vlines(onsets, -0.5, BANDS - 0.5, color="white", linewidth=0.9, alpha=0.9)
    _flags(axes, beats.flags(onsets, seconds), None if true is None else beats.flags(true, seconds))
    axes.set(xlim=(0, seconds), ylim=(-0.5, BANDS + FLAG_BANDS))
    edges = librosa.mel_frequencies(n_mels=BANDS + 2, fmax=rate_hz / 2)[1:-1] / 1000
    axes.set_yticks(
        np.interp(KHZ_TICKS, edges, np.arange(BANDS)), [f"{tick:g}" for tick in KHZ_TICKS]
    )
    axes.tick_params(labelsize=7, colors=GREY, labelcolor="black")


def _flags(axes: Axes, made: np.ndarray, true: np.ndarray | None) -> None:
    """Draw the strip of flags above the spectrogram."""
    for second, flag in enumerate(made):
        agrees = true is None or flag == true[second]
        colour = (GREEN if flag else PALE_GREY) if agrees else ORANGE
        field = Rectangle(
            (second, BANDS), 1.0, FLAG_BANDS, facecolor=colour if flag else "white",
            edgecolor=colour if not agrees else GREY, linewidth=1.0,
        )  # fmt: skip
        axes.add_patch(field)
