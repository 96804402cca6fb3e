"""AIST++: what the official files say is what comes out, and no file is ever run."""

import os
import pickle
from pathlib import Path

import aist
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from pasdedeux.data import aistpp
from pasdedeux.data.dance import AIST_GENRES, GENRES
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six
from pasdedeux.motion.skeleton import smpl


@pytest.fixture
def corpus(tmp_path):
    return aist.folder(tmp_path / "aistpp")


def joints(take):
    matrices = matrix_from_six(torch.from_numpy(take.rotations).double())
    translation = torch.from_numpy(take.translation).double()
    return placed(matrices, translation, smpl()).joints_world.numpy()


def test_every_field_is_read_from_name_lists_and_folders(corpus):
    found = aistpp.read(corpus)
    assert [take.name for take in found.takes] == sorted(aist.NAMES[:4])
    assert found.skipped == ()
    by_name = {take.name: take for take in found.takes}
    first, second, third, fourth = (by_name[name] for name in aist.NAMES[:4])
    assert (first.genre, first.situation, first.dancer) == ("Break Dance", "basic", "d04")
    assert (first.song, first.group, first.split) == ("mBR0", "gBR_sBM_ch01", "valid")
    assert (second.situation, second.group, second.split) == ("advanced", "gBR_sFM_ch13", "train")
    assert (third.genre, third.split, third.recording) == ("Waack", "test", None)
    assert fourth.split is None
    assert first.recording.path == corpus / "wav" / "mBR0.wav"
    assert first.recording.start_seconds == 0.0
    assert first.recording.seconds == len(first.translation) / 25
    assert first.files == (corpus / "motions" / f"{first.name}.pkl", first.recording.path)
    assert third.files == (corpus / "motions" / f"{third.name}.pkl",)
    assert first.scaling == pytest.approx(90.0)
    assert all(take.flags == () for take in found.takes)


def test_the_remarks_tell_what_lists_and_songs_lack(corpus):
    remarks = " ".join(aistpp.read(corpus).remarks)
    for words in (
        "1 of 5 sequences left out, as ignore_list.txt says",
        "crossmodal_train.txt: 1 of 2 names have no motion here, such as gHO_sBM_cAll_d20_",
        "1 of 4 sequences are in no list of the split",
        "no sound here for mWA0",
    ):
        assert words in remarks
    assert "missing" not in remarks
    (corpus / "ignore_list.txt").unlink()
    (corpus / "splits" / "crossmodal_val.txt").unlink()
    found = aistpp.read(corpus)
    assert len(found.takes) == 5
    assert found.remarks[:2] == (
        "ignore_list.txt is missing from aistpp.",
        "splits/crossmodal_val.txt is missing from aistpp.",
    )


def test_frames_are_those_of_the_file_at_25_a_second(corpus):
    """Every fifth of ours is every twelfth of the file; those between lie on the arcs between."""
    name = aist.NAMES[1]
    published = aist.motion(107, 1, 91.0)
    take = next(take for take in aistpp.read(corpus).takes if take.name == name)
    assert len(take.rotations) == len(take.translation) == 106 * 25 // 60 + 1
    matrices = matrix_from_six(torch.from_numpy(take.rotations)).numpy()
    joint = 16
    theirs = Rotation.from_rotvec(published["smpl_poses"].reshape(107, 24, 3)[:, joint])
    assert np.allclose(matrices[::5, joint], theirs[::12].as_matrix(), atol=1e-5)
    between = Slerp(np.arange(107) / 60, theirs)(np.arange(len(matrices)) / 25)
    assert np.allclose(matrices[:, joint], between.as_matrix(), atol=1e-5)


def test_the_body_is_the_fitted_one_divided_by_its_scaling_and_put_on_the_floor(corpus):
    name = aist.NAMES[0]
    published = aist.motion(97, 0, 90.0)
    take = next(take for take in aistpp.read(corpus).takes if take.name == name)
    moved = published["smpl_trans"].astype(float) / 90.0
    shift = take.translation[::5] - moved[::12]
    assert np.allclose(shift[:, [0, 2]], 0, atol=1e-5)
    assert np.ptp(shift[:, 1]) < 1e-5
    low = joints(take)[..., 1].min(axis=1)
    assert np.quantile(low, 0.05) == pytest.approx(0, abs=1e-5)
    assert joints(take)[:, smpl().index("head"), 1].min() > 1.3


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_protocol_and_both_documented_shapes_are_one(corpus, protocol):
    name = aist.NAMES[0]
    before = aistpp.read(corpus).takes[0]
    content = aist.motion(97, 0, 90.0)
    content["smpl_poses"] = content["smpl_poses"].reshape(97, 24, 3)
    content["smpl_scaling"] = np.float32(90.0)
    aist.write(corpus / "motions" / f"{name}.pkl", content, protocol)
    after = aistpp.read(corpus).takes[0]
    assert after.name == before.name == name
    assert np.array_equal(after.rotations, before.rotations)
    assert np.array_equal(after.translation, before.translation)


def test_files_of_numpy_1_are_read(corpus):
    """Numpy 1 calls the module numpy.core that numpy 2 calls numpy._core."""
    path = corpus / "motions" / f"{aist.NAMES[0]}.pkl"
    before = aistpp.read(corpus).takes[0]
    old = pickle.dumps(aist.motion(97, 0, 90.0), protocol=2)
    assert b"numpy._core.multiarray" in old
    path.write_bytes(old.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert np.array_equal(aistpp.read(corpus).takes[0].rotations, before.rotations)


def test_the_sound_may_lie_in_several_folders_and_carry_either_name(corpus):
    name, song = aist.NAMES[2], "mWA0"
    (corpus / "wavs").mkdir()
    own = corpus / "wavs" / f"{name}.wav"
    own.touch()
    take = next(take for take in aistpp.read(corpus).takes if take.name == name)
    assert take.recording.path == own
    (corpus / "music").mkdir()
    (corpus / "music" / f"{song}.mp3").touch()
    take = next(take for take in aistpp.read(corpus).takes if take.name == name)
    assert take.recording.path == corpus / "music" / f"{song}.mp3"


def test_doubtful_motion_is_flagged(corpus):
    path = corpus / "motions" / f"{aist.NAMES[0]}.pkl"
    content = aist.motion(97, 0)
    content["smpl_trans"][50:, 0] += 200
    aist.write(path, content)
    assert aistpp.read(corpus).takes[0].flags[0].startswith("a joint moves at ")
    content = aist.motion(97, 0)
    content["smpl_poses"][:, :3] = [np.pi, 0, 0]
    aist.write(path, content)
    assert aistpp.read(corpus).takes[0].flags == (
        "the head is below the hips in most frames; is y up?",
    )


def test_names_are_parsed_for_every_genre_and_nothing_else_passes():
    for code, genre in AIST_GENRES.items():
        told = aistpp.sequence(f"{code}_sFM_cAll_d01_m{code[1:]}5_ch21")
        assert told == (genre, "advanced", "d01", f"m{code[1:]}5", f"{code}_sFM_ch21")
        assert genre in GENRES
    for name, message in (
        ("gXX_sBM_cAll_d04_mBR0_ch01", "genre of a sequence must be one of .*got 'gXX'"),
        ("gBR_sGR_cAll_d04_mBR0_ch01", "situation of a sequence must be one of .*got 'sGR'"),
        ("gBR_sBM_c01_d04_mBR0_ch01", "no name of a sequence such as"),
        ("gBR_sBM_cAll_d04_mBR0_ch01_x", "no name of a sequence such as"),
        ("dance", "no name of a sequence such as"),
    ):
        with pytest.raises(ValueError, match=message):
            aistpp.sequence(name)


class Hostile:
    """Unpickled in the usual way, it makes a file."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_is_refused_and_runs_nothing(corpus, protocol):
    trace = corpus / "ran"
    content = aist.motion() | {"smpl_loss": Hostile(trace)}
    path = aist.write(corpus / "motions" / f"{aist.NAMES[0]}.pkl", content, protocol)
    with pytest.raises(ValueError, match=f"{path.name} is not .* asks for posix.mkdir"):
        aistpp.read(corpus)
    found = aistpp.read(corpus, skip_bad=True)
    assert not trace.exists()
    assert len(found.takes) == 3
    assert len(found.skipped) == 1
    assert "Nothing in it was run" in found.skipped[0]
    with path.open("rb") as file:
        pickle.load(file)
    assert trace.exists(), "the attack was harmless; the test shows nothing"


def _bad(name, value):
    return aist.motion() | {name: value}


NAN = aist.motion()["smpl_poses"].copy()
NAN[13, 5] = np.nan
BAD = {
    "no dict": ([1, 2], "holds no table of arrays"),
    "no poses": ({"pos": np.zeros((7, 3))}, "has no smpl_poses, only .'pos'."),
    "few joints": (_bad("smpl_poses", np.zeros((97, 69))), r"\(N, 72\) or .*got \(97, 69\)"),
    "no frames": (_bad("smpl_poses", np.zeros((0, 72))), r"got \(0, 72\)"),
    "a number": (_bad("smpl_poses", 3.0), r"smpl_poses must have shape .*got \(\)"),
    "text": (_bad("smpl_poses", "x"), "smpl_poses must be an array of numbers, got"),
    "ragged": (
        _bad("smpl_poses", [[1.0], [1.0, 2.0]]),
        "smpl_poses must be an array of numbers, got",
    ),
    "NaN": (_bad("smpl_poses", NAN), "smpl_poses is not finite at frame 13"),
    "other length": (
        _bad("smpl_trans", np.zeros((96, 3))),
        r"smpl_trans must have shape \(97, 3\)",
    ),
    "no size": (_bad("smpl_scaling", np.zeros(1)), r"smpl_scaling must be one number above 0, got"),
    "two sizes": (
        _bad("smpl_scaling", np.ones(2)),
        r"smpl_scaling must be one number above 0, got",
    ),
    "infinite": (_bad("smpl_scaling", np.inf), "smpl_scaling is not finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_are_refused_with_file_and_remedy_or_skipped(corpus, case):
    content, message = BAD[case]
    path = aist.write(corpus / "motions" / f"{aist.NAMES[0]}.pkl", content)
    with pytest.raises(ValueError, match=f"{path.name}.*{message}.*motions.zip.*anew"):
        aistpp.read(corpus)
    found = aistpp.read(corpus, skip_bad=True)
    assert len(found.takes) == 3
    assert str(path) in found.skipped[0]


def test_a_damaged_pickle_and_a_strange_name_are_refused(corpus):
    path = corpus / "motions" / f"{aist.NAMES[0]}.pkl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{path.name} is not a pickle of plain arrays"):
        aistpp.read(corpus)
    path.write_bytes(b"\x80\x04\x8e" + (2**46).to_bytes(8, "little"))  # bytes that nobody can have
    with pytest.raises(ValueError, match=f"{path.name} asks for more memory .*anew"):
        aistpp.read(corpus)
    path.write_bytes(whole)
    for other in corpus.glob("motions/*.pkl"):
        other.write_bytes(whole[:99])
    with pytest.raises(ValueError, match="motions holds no sequence that can be used. .*is not a"):
        aistpp.read(corpus, skip_bad=True)
    aist.write(path, aist.motion())
    odd = path.rename(path.with_name("gBR_sBM_cAll_d04_mBR0.pkl"))
    with pytest.raises(ValueError, match=f"{odd.name}: .* is no name .*Rename it"):
        aistpp.read(corpus)


def test_bad_lists_are_refused_even_when_bad_sequences_are_skipped(corpus):
    test = corpus / "splits" / "crossmodal_test.txt"
    test.write_text(aist.NAMES[0], encoding="utf-8")
    with pytest.raises(ValueError, match=f"{aist.NAMES[0]} is in the valid list too; copy splits"):
        aistpp.read(corpus, skip_bad=True)
    test.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="crossmodal_test.txt is not a list of names"):
        aistpp.read(corpus, skip_bad=True)


def test_a_missing_folder_tells_what_to_put_where(tmp_path, corpus, monkeypatch, project):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    with pytest.raises(ValueError, match=r"not here. Put motions/, .*\$PASDEDEUX_DATA/aistpp"):
        aistpp.read()
    for place in (tmp_path / "nowhere", corpus / "wav"):
        with pytest.raises(ValueError, match=r"has no folder motions. Put motions/"):
            aistpp.read(place)
    (tmp_path / "empty" / "motions").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no .pkl file"):
        aistpp.read(tmp_path / "empty")


def test_the_users_folder_is_found_also_when_the_archive_made_one_more(corpus, monkeypatch):
    inner = corpus.parent / "own" / "aistpp" / "aist_plusplus_final"
    inner.parent.mkdir(parents=True)
    corpus.rename(inner)
    monkeypatch.setenv("PASDEDEUX_DATA", str(inner.parents[1]))
    assert len(aistpp.read().takes) == 4


REAL = Path(os.environ.get("PASDEDEUX_DATA") or "-") / "aistpp"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="PASDEDEUX_DATA does not name a folder with aistpp")
def test_the_published_files_have_the_documented_counts():
    found = aistpp.read()
    split = [take.split for take in found.takes]
    assert found.skipped == ()
    assert len(found.takes) > 1300
    assert {take.genre for take in found.takes} == set(AIST_GENRES.values())
    assert 900 < split.count("train") <= 980
    assert max(split.count("valid"), split.count("test")) <= 20
    assert sum(bool(take.flags) for take in found.takes) < len(found.takes) / 5
