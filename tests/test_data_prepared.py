"""The slow steps: one time axis for dance and song, everything made once and kept."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pasdedeux.base import paths
from pasdedeux.data import prepared
from pasdedeux.data.dance import Recording
from pasdedeux.motion import fitting, keypoints, skeleton
from pasdedeux.music.features import BEAT, Features

SECONDS = 20


def _song():
    """Return features whose first column names the frame, with a beat every 0.6 s."""
    frames = np.zeros((25 * SECONDS, 53), np.float32)
    frames[:, 0] = np.arange(len(frames))
    beats = np.arange(0.31, SECONDS, 0.6)
    frames[np.rint(beats * 25).astype(int), BEAT] = 1
    return Features(frames, beats, beats, 100.0)


def test_a_dance_that_keeps_the_songs_time_has_the_songs_frames():
    music, beats = prepared.in_dance_time(_song(), Recording(Path("a.wav"), 4.0, 6.0), 150)
    assert np.array_equal(music[:, 0], np.arange(100, 250))
    song = _song().beat_seconds
    assert np.allclose(beats, song[(song >= 4.0) & (song < 10.0)] - 4.0)


@pytest.mark.parametrize("frames", [139, 150, 163])
def test_a_stretched_dance_hears_every_beat_once_at_its_own_time(frames):
    recording = Recording(Path("a.wav"), 4.0, 6.0)
    music, beats = prepared.in_dance_time(_song(), recording, frames)
    assert len(music) == frames
    assert music[:, BEAT].sum() == len(beats)
    assert np.array_equal(np.flatnonzero(music[:, BEAT]), np.rint(beats * 25).astype(int))
    heard = 4.0 + beats * 25 / frames * 6.0
    assert np.isin(np.round(heard, 6), np.round(_song().beat_seconds, 6)).all()
    place = 4.0 + np.arange(frames) * 6.0 / frames
    assert np.abs(music[:, 0] / 25 - place).max() <= 0.0201


def test_the_last_frame_of_a_song_is_held_for_a_moment_but_not_longer():
    song = _song()
    music, _ = prepared.in_dance_time(song, Recording(Path("a.wav"), 14.5, 6.0), 150)
    assert music[-1, 0] == len(song.frames) - 1
    with pytest.raises(ValueError, match="a.wav lasts 20.0 s, but its dance ends at second 26.0"):
        prepared.in_dance_time(song, Recording(Path("a.wav"), 20.0, 6.0), 150)


def _rest(frames, shift):
    """Return the points of a body at rest, swaying sideways."""
    points = keypoints.tang()
    body = skeleton.smpl()
    rest = body.rest_joints()[[body.index(name) for name in points.joints]] + points.offsets_metres
    sway = shift * np.sin(np.arange(frames) / 5)[:, None, None] * np.array([1.0, 0.0, 0.0])
    return (rest + sway + [0, 1, 0]).astype(np.float32)


def test_a_fit_is_made_once_and_kept(project, monkeypatch):
    takes = [_rest(13, 0.1), _rest(11, 0.2)]
    quick = fitting.FitSettings(iterations=3, shape_iterations=3)
    made = prepared.fitted(takes, quick)
    assert [len(fit.translation) for fit in made] == [13, 11]
    monkeypatch.setattr(fitting, "fit", None)
    for one, again in zip(made, prepared.fitted(takes, quick), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_synthetic_dances_are_made_once_with_their_sound_as_a_file(project, monkeypatch):
    asked = [("Waltz", 0), ("Lock", 1)]
    made = prepared.built_in(asked, seed=0, seconds=4.0)
    assert [take.name for take in made] == ["SYN_W_0", "SYN_gLO_1"]
    for take in made:
        sound, rate = soundfile.read(take.recording.path)
        assert len(sound) / rate == pytest.approx(take.recording.seconds) == 4.0
    monkeypatch.setattr(prepared.synthetic, "dance", None)
    again = prepared.built_in(asked, seed=0, seconds=4.0)
    assert np.array_equal(again[1].rotations, made[1].rotations)
    monkeypatch.undo()
    made[0].recording.path.unlink()
    assert prepared.built_in(asked, seed=0, seconds=4.0)[0].recording.path.is_file()


def test_a_song_that_cannot_be_read_is_told_and_the_others_are_heard(project):
    (take,) = prepared.built_in([("Lock", 0)], seed=0, seconds=5.0)
    broken = project / "broken.mp3"
    broken.write_bytes(b"no music at all")
    recordings = [take.recording, Recording(broken, 0.0, 5.0)]
    heard = prepared.heard(recordings, [100.0, 100.0], skip_bad=True)
    assert heard.songs[0].frames.shape == (125, 53)
    assert heard.songs[1] is None
    assert len(heard.messages) == 1
    assert "broken.mp3" in heard.messages[0]
    with pytest.raises(ValueError, match="broken.mp3"):
        prepared.heard(recordings, [100.0, 100.0], skip_bad=False)
    kept = [path for path in (paths.cache() / "features").glob("*.npz")]
    assert len(kept) == 1
