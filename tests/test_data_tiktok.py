"""TikTok: files in the published format, made here; negatives of another song; pickles refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data import clips, tiktok
from pasdedeux.data.clip_places import ClipSettings

RATE = 22_050
SETTINGS = ClipSettings(corpus="tiktok")
TRAIN = [f"00000{song}_{song}_{video}_seg{seg}" for song in (1, 2, 3, 4, 5, 6)
         for video in (song * 10, song * 10 + 1) for seg in (1, 2)]  # fmt: skip
TEST = ["000007_12_193_seg1", "000007_12_193_seg2"]


def _segment(folder, name, number, *, seconds=2.0, video=True):
    draw = np.random.default_rng(number)
    time = np.arange(round(seconds * RATE)) / RATE
    path = folder / "audio_s2" / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * (100 + 10 * number) * time), RATE)
    (folder / "motion_s2").mkdir(exist_ok=True)
    pose = draw.normal(size=(60, 25, 3))
    np.save(folder / "motion_s2" / f"{name}.npy", pose)
    if video:
        (folder / "video_s2").mkdir(exist_ok=True)
        np.save(folder / "video_s2" / f"{name}.npy", draw.normal(size=(1, 2048)))
    return pose


def _lists(folder, part, names, whats=("audio", "motion", "video")):
    places = {"audio": ("/data/somebody/tiktok/audio_s2", "wav")}
    for what in whats:
        where, ending = places.get(what, (f"./tiktok/{what}_s2", "npy"))
        lines = "".join(f"{where}/{name}.{ending}\n" for name in names)
        (folder / f"tiktok_{what}_{part}_segment.txt").write_text(lines, encoding="utf-8")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The folder of a small TikTok, and the poses written into it by name."""
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PASDEDEUX_HOME", str(tmp_path))
    folder = tmp_path / "data" / "tiktok"
    poses = {name: _segment(folder, name, number) for number, name in enumerate(TRAIN + TEST)}
    _lists(folder, "train", TRAIN)
    _lists(folder, "test", TEST)
    return folder, poses


def test_clips_are_what_the_lists_name(corpus, project):
    folder, poses = corpus
    made = clips.clips(SETTINGS)
    assert isinstance(made, tiktok.TikTokClips)
    assert made.names == tuple(TRAIN + TEST)
    assert made.settings.frames == 60
    assert made.settings.samples == 2 * RATE
    assert [made.names[row] for row in made.rows("test")] == TEST
    rows = made.rows("test")
    assert np.allclose(made.motion(rows)[1], poses[TEST[1]].reshape(60, 75), atol=1e-6)
    sound = made.sound(rows)
    assert sound.shape == (2, 2 * RATE)
    assert np.allclose(np.abs(sound).max(axis=1), 0.95, atol=1e-4)
    there, rate = soundfile.read(folder / "audio_s2" / f"{TEST[0]}.wav")
    assert np.corrcoef(sound[0], there)[0, 1] > 0.999
    assert made.visual is not None
    assert made.visual.shape == (len(made), 2048)


def test_songs_stay_together_and_negatives_are_of_another_song(corpus, project):
    made = clips.clips(SETTINGS)
    parts = [set(made.song[made.rows(part)].tolist()) for part in ("train", "valid", "test")]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    rows = made.rows("train")
    drawn = made.others(rows, 10, numpy_generator(0, "negatives"))
    assert drawn.shape == (len(rows), 10)
    assert (made.song[drawn] != made.song[rows][:, None]).all()
    assert np.isin(drawn, rows).all()
    assert made.overlap(rows, rows).diagonal().all()


def test_a_pickle_is_refused_and_not_run(corpus, project, tmp_path):
    folder, _ = corpus
    proof = tmp_path / "it ran"

    class Hostile:
        def __reduce__(self):
            return Path.touch, (proof,)

    name = f"{TRAIN[3]}.npy"
    (folder / "motion_s2" / name).write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match=name):
        clips.clips(SETTINGS)
    boxed = np.empty(1, object)
    boxed[0] = Hostile()
    np.save(folder / "motion_s2" / name, boxed, allow_pickle=True)
    with pytest.raises(ValueError, match=name):
        clips.clips(SETTINGS)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: np.save(f / "motion_s2" / f"{TRAIN[0]}.npy", np.zeros((50, 75))), "4500 numb"),
        (lambda f: np.save(f / "motion_s2" / f"{TRAIN[0]}.npy", np.full(4500, np.nan)), "NaN"),
        (lambda f: (f / "audio_s2" / f"{TRAIN[0]}.wav").unlink(), "no such file"),
        (lambda f: _segment(f, TRAIN[0], 1, seconds=1.5), "2 s|1.50 s"),
        (lambda f: (f / "audio_s2" / f"{TRAIN[0]}.wav").write_bytes(b"RIFF"), "not audio"),
        (lambda f: _lists(f, "test", TEST[:1], ("motion",)), "2, 1 and 2 lines"),
        (lambda f: _lists(f, "test", TEST[::-1], ("motion",)), "in one line"),
        (lambda f: (f / "tiktok_motion_test_segment.txt").unlink(), "lacks the lists of test"),
        (lambda f: _lists(f, "test", ["x", "y"]), "no such file|in one line"),
    ],
)
def test_bad_files_are_named(corpus, project, spoil, message):
    folder, _ = corpus
    spoil(folder)
    with pytest.raises(ValueError, match=message):
        clips.clips(SETTINGS)


def test_silence_is_left_out_and_counted(corpus, project):
    folder, _ = corpus
    soundfile.write(folder / "audio_s2" / f"{TRAIN[0]}.wav", np.zeros(2 * RATE), RATE)
    made = clips.clips(SETTINGS)
    assert TRAIN[0] not in made.names
    assert made.left_out == {"silent": 1}
    assert made.visual is not None
    assert len(made.visual) == len(made)


def test_other_lengths_and_a_missing_corpus_are_refused(project, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="seconds must be 2"):
        clips.clips(ClipSettings(corpus="tiktok", seconds=4))
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="TikTok is not here; get the segments"):
        clips.clips(SETTINGS)
