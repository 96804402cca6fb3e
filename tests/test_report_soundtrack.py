"""Features over the sound: one time axis, everything at its moment."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import soundfile

from pasdedeux.report.soundtrack import features_over_sound, listen_to, spectrograms

RATE_HZ, T = 8_000, 151


def song() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    frames = draw.uniform(size=(T, 53))
    frames[:, 52] = 0
    frames[[10, 60, 110], 52] = 1
    return frames, draw.uniform(-0.4, 0.4, T * RATE_HZ // 25)


def test_panels_share_the_time_and_frames_stand_at_their_moment():
    frames, sound = song()
    span = (1.0, 5.0)
    drawn = features_over_sound(frames, sound, sound_rate_hz=RATE_HZ, span_seconds=span, title="t")
    assert [axes.get_ylabel() for axes in drawn.axes] == ["waveform", "mel (kHz)", "MFCC", "chroma"]
    assert all(axes.get_xlim() == span for axes in drawn.axes)
    chroma = drawn.axes[3].images[0]
    assert np.asarray(chroma.get_array()) == pytest.approx(frames[25:125, 40:52].T)
    assert chroma.get_extent() == pytest.approx([0.98, 4.98, -0.5, 11.5])
    labels = [label.get_text() for label in drawn.axes[3].get_yticklabels()]
    assert labels[:3] == ["C", "C♯", "D"]
    mfcc = np.asarray(drawn.axes[2].images[0].get_array())
    assert mfcc.mean(axis=1) == pytest.approx(np.zeros(20), abs=1e-9)
    assert mfcc.std(axis=1) == pytest.approx(np.ones(20))
    assert drawn._repr_png_().startswith(b"\x89PNG")


def lines(axes, label):
    found = [part for part in axes.collections if part.get_label() == label]
    return [segment[0][0] for segment in found[0].get_segments()]


def test_beats_come_from_the_track_unless_given():
    frames, sound = song()
    drawn = features_over_sound(frames, sound, sound_rate_hz=RATE_HZ)
    assert lines(drawn.axes[0], "beat") == pytest.approx([0.4, 2.4, 4.4])
    given = features_over_sound(
        frames, sound, sound_rate_hz=RATE_HZ, beat_seconds=np.array([1.23]),
        onset_seconds=np.array([0.5, 3.0]),
    )  # fmt: skip
    assert lines(given.axes[0], "beat") == [1.23]
    assert lines(given.axes[0], "onset") == [0.5, 3.0]


def test_the_waveform_keeps_its_peaks():
    frames, sound = song()
    sound = 0 * sound
    sound[[4_000, 20_000]] = 0.7, -0.3
    drawn = features_over_sound(frames, sound, sound_rate_hz=RATE_HZ)
    points = drawn.axes[0].collections[0].get_paths()[0].vertices
    assert points[:, 1].max() == pytest.approx(0.7)
    assert points[:, 1].min() == pytest.approx(-0.3)
    assert points[points[:, 1].argmax(), 0] == pytest.approx(0.5, abs=0.01)


def test_silence_can_be_drawn():
    frames, sound = song()
    drawn = features_over_sound(0 * frames, 0 * sound, sound_rate_hz=RATE_HZ)
    assert drawn._repr_png_() == features_over_sound(
        0 * frames, 0 * sound, sound_rate_hz=RATE_HZ
    )._repr_png_()  # fmt: skip


def test_what_does_not_belong_together_is_refused():
    frames, sound = song()
    with pytest.raises(ValueError, match="features last 6.04 s but the sound 3.02 s"):
        features_over_sound(frames, sound, sound_rate_hz=2 * RATE_HZ)
    with pytest.raises(ValueError, match="holds nothing of the 6.04 s"):
        features_over_sound(frames, sound, sound_rate_hz=RATE_HZ, span_seconds=(7.0, 9.0))
    with pytest.raises(ValueError, match="features must be finite"):
        features_over_sound(frames * np.nan, sound, sound_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="sound must be finite"):
        features_over_sound(frames, sound * np.nan, sound_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="must be above 0"):
        features_over_sound(frames, sound, sound_rate_hz=RATE_HZ, rate_hz=0.0)


def test_any_sound_can_be_heard():
    quiet = 0.01 * np.sin(np.arange(2 * RATE_HZ) / 3)
    player = listen_to(quiet, "quiet", rate_hz=RATE_HZ)
    assert player.seconds == 2.0
    heard, _ = soundfile.read(io.BytesIO(player.encoded))
    assert np.abs(heard).max() > 0.7


def test_spectrograms_show_versions_side_by_side_with_flags():
    rate = 22_050
    time = np.arange(2 * rate) / rate
    rows = {
        name: {"original": np.sin(2 * np.pi * hz * time), "again": np.sin(4 * np.pi * hz * time)}
        for name, hz in (("low", 200.0), ("high", 900.0))
    }
    onsets = {name: {"original": np.array([0.2, 1.4]), "again": np.array([1.7])} for name in rows}
    drawn = spectrograms(rows, rate_hz=rate, onset_seconds=onsets)
    assert len(drawn.axes) == 4
    assert [axes.get_title() for axes in drawn.axes] == ["original", "again", "", ""]
    green, pale = (mpl.colors.to_rgba(colour) for colour in ("#009E73", "#C9C9C9"))
    flags = [[patch.get_facecolor() for patch in axes.patches] for axes in drawn.axes[:2]]
    assert flags == [[green, green], [pale, green]]
    assert drawn.axes[2].get_ylabel().startswith("high")
    with pytest.raises(ValueError, match="same versions"):
        spectrograms({"a": rows["low"], "b": {"original": time}}, rate_hz=rate)
