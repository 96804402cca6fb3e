"""TikTok: files in the published format, made here; negatives of another song; pickles refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiktok_files
from tiktok_files import RATE, TEST, TRAIN, lists, segment

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data import clips, tiktok
from pasdedeux.data.clip_places import ClipSettings

SETTINGS = ClipSettings(corpus="tiktok")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The folder of a small TikTok, and the poses written into it by name."""
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "tiktok"
    return folder, tiktok_files.corpus(folder)


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
        (lambda f: segment(f, TRAIN[0], 1, seconds=1.5), "2 s|1.50 s"),
        (lambda f: (f / "audio_s2" / f"{TRAIN[0]}.wav").write_bytes(b"RIFF"), "not audio"),
        (lambda f: lists(f, "test", TEST[:1], ("motion",)), "2, 1 and 2 lines"),
        (lambda f: lists(f, "test", TEST[::-1], ("motion",)), "in one line"),
        (lambda f: (f / "tiktok_motion_test_segment.txt").unlink(), "lacks the lists of test"),
        (lambda f: lists(f, "test", ["x", "y"]), "no such file|in one line"),
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
