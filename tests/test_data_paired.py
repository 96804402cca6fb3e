"""Dances joined with their music: one time axis, everything kept, real corpora where they are."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pasdedeux.base import paths
from pasdedeux.data import paired, tang
from pasdedeux.data.dance import GENRES, Recording
from pasdedeux.motion import fitting
from pasdedeux.music.features import BEAT, Features

SECONDS = 20
DATA = paths.data()


def _song():
    """Return features whose first column names the frame, with a beat every 0.6 s."""
    frames = np.zeros((25 * SECONDS, 53), np.float32)
    frames[:, 0] = np.arange(len(frames))
    beats = np.arange(0.31, SECONDS, 0.6)
    frames[np.rint(beats * 25).astype(int), BEAT] = 1
    return Features(frames, beats, beats, 100.0)


def test_a_dance_that_keeps_the_songs_time_has_the_songs_frames():
    music, beats = paired.in_dance_time(_song(), Recording(Path("a.wav"), 4.0, 6.0), 150)
    assert np.array_equal(music[:, 0], np.arange(100, 250))
    song = _song().beat_seconds
    assert np.allclose(beats, song[(song >= 4.0) & (song < 10.0)] - 4.0)


@pytest.mark.parametrize("frames", [139, 150, 163])
def test_a_stretched_dance_hears_every_beat_once_at_its_own_time(frames):
    recording = Recording(Path("a.wav"), 4.0, 6.0)
    music, beats = paired.in_dance_time(_song(), recording, frames)
    assert len(music) == frames
    assert music[:, BEAT].sum() == len(beats)
    assert np.array_equal(np.flatnonzero(music[:, BEAT]), np.rint(beats * 25).astype(int))
    heard = 4.0 + beats * 25 / frames * 6.0
    assert np.isin(np.round(heard, 6), np.round(_song().beat_seconds, 6)).all()
    place = 4.0 + np.arange(frames) * 6.0 / frames
    assert np.abs(music[:, 0] / 25 - place).max() <= 0.0201


def test_the_last_frame_of_a_song_is_held_for_a_moment_but_not_longer():
    song = _song()
    music, _ = paired.in_dance_time(song, Recording(Path("a.wav"), 14.5, 6.0), 150)
    assert music[-1, 0] == len(song.frames) - 1
    with pytest.raises(ValueError, match="a.wav lasts 20.0 s, but its dance ends at second 25.9"):
        paired.in_dance_time(song, Recording(Path("a.wav"), 20.0, 6.0), 150)


def _rest(frames, shift):
    """Return the points of a body at rest, swaying sideways."""
    from pasdedeux.motion import keypoints, skeleton

    points = keypoints.tang()
    rest = skeleton.smpl().rest_joints()[list(points.joints)] + points.offsets_metres
    sway = shift * np.sin(np.arange(frames) / 5)[:, None, None] * np.array([1.0, 0.0, 0.0])
    return (rest + sway + [0, 1, 0]).astype(np.float32)


def test_a_fit_is_made_once_and_kept(project, monkeypatch):
    takes = [_rest(13, 0.1), _rest(11, 0.2)]
    quick = fitting.FitSettings(iterations=3, shape_iterations=3)
    made = paired.fitted(takes, quick)
    assert [len(fit.translation) for fit in made] == [13, 11]
    monkeypatch.setattr(fitting, "fit", None)
    for one, again in zip(made, paired.fitted(takes, quick), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_without_a_real_corpus_the_dances_are_synthetic_and_the_notice_says_so(
    project, monkeypatch
):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    made = paired.paired(dances_a_genre=1)
    assert {dance.genre for dance in made.dances} == set(GENRES)
    assert "synthetic" in made.notice
    again = paired.paired(dances_a_genre=1)
    assert made.checksum == again.checksum != paired.paired(dances_a_genre=1, seed=1).checksum


def test_a_corpus_that_is_asked_for_and_not_there_is_refused(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    for corpus in ("tang", "aistpp"):
        with pytest.raises(ValueError, match="PASDEDEUX_DATA"):
            paired.paired(corpus)


@pytest.mark.slow
@pytest.mark.skipif(
    DATA is None or not (DATA / "tang2018").is_dir(),
    reason="PASDEDEUX_DATA has no folder tang2018 with the dances of Tang et al.",
)
def test_a_real_dance_is_fitted_and_hears_its_music(project, tmp_path, monkeypatch):
    root = tmp_path / "data"
    source = DATA / "tang2018" / "DANCE_W_22"
    shutil.copytree(source, root / "tang2018" / source.name)
    monkeypatch.setenv("PASDEDEUX_DATA", str(root))
    made = paired.paired(skip_bad=True)
    (dance,) = made.dances
    config = json.loads((source / "config.json").read_text())
    assert (dance.genre, dance.corpus) == ("Waltz", "tang")
    assert len(dance.music) == len(dance.pose) == len(tang.read().takes[0].points_world)
    assert dance.recording.seconds == (config["end_position"] - config["start_position"]) / 25
    bpm = 60 / np.median(np.diff(dance.beat_seconds))
    assert 84 < bpm < 92  # an English waltz
    height = np.ptp(dance.joints_world[..., 1], axis=1)
    assert 1.2 < np.median(height) < 1.9
