"""The clips of the diffusion paper on AIST++: the authors' lists, in their format, made here."""

import shutil

import aist
import numpy as np
import pytest
import soundfile

from pasdedeux.data import aist_segments, clips
from pasdedeux.data.clip_places import ClipSettings

RATE = 22_050
FRAMES = 493  # at 60 a second: 206 at 25, or 8.24 s
ENDINGS = {"audio": "wav", "motion": "npy", "video": "npy"}
TRAIN = ["gBR_sBM_cAll_d04_mBR0_ch01", "gWA_sBM_cAll_d25_mBR0_ch03"]
VALID = "gBR_sBM_cAll_d04_mBR2_ch04"
TEST = ["gWA_sBM_cAll_d25_mBR2_ch05", "gBR_sBM_cAll_d06_mBR2_ch06"]
TWO = {
    "train": [(TRAIN[1], 3), (TRAIN[0], 1), (TRAIN[1], 1)],
    "val": [(VALID, 4), (VALID, 2)],
    "test": [(TEST[1], 2), (TEST[0], 4), (TEST[1], 3), (TEST[0], 1)],
}
SIX = {
    "train": [(TRAIN[1], 1), (TRAIN[0], 2)],
    "val": [(VALID, 1)],
    "test": [(TEST[1], 2), (TEST[0], 1), (TEST[1], 1)],
}


def line(what, part, dance, number, seconds=2):
    name = f"{dance.replace('cAll', 'c01')}_seg{number}.{ENDINGS[what]}"
    return f"/data/somebody/aistplus/{what}_s{seconds}/{part}/{name}\n"


def file(folder, what, part, seconds=2):
    return folder / f"aist_{what}_{part}_segment{'' if seconds == 2 else f'_s{seconds}'}.txt"


def write(folder, told, seconds=2):
    folder.mkdir(exist_ok=True)
    for part, names in told.items():
        for what in ENDINGS:
            lines = "".join(line(what, part, *name, seconds) for name in names)
            file(folder, what, part, seconds).write_text(lines, encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """AIST++ with songs of nine seconds; each is louder, the later it is."""
    folder = aist.split_folder(tmp_path_factory.mktemp("data") / "aistpp", frames=FRAMES)
    time = np.arange(9 * RATE) / RATE
    for number, path in enumerate(sorted((folder / "wav").glob("*.wav"))):
        tone = np.sin(2 * np.pi * (200 + 31 * number) * time) * (0.1 + 0.08 * time)
        soundfile.write(path, tone, RATE)
    return folder


@pytest.fixture
def corpus(published, project, monkeypatch):
    """A copy of it, with the lists of 2 and 6 s beside it."""
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "data"))
    folder = shutil.copytree(published, project / "data" / "aistpp")
    write(folder, TWO)
    write(folder, SIX, 6)
    return folder


def made(seconds=2, **changes):
    return clips.clips(ClipSettings(corpus="aistpp", seconds=seconds, **changes))


def placed(found):
    """Return dance and first frame of every clip, by part."""
    told = {part: set() for part in ("train", "valid", "test")}
    for part, dance, start in zip(*found.places[:3], strict=True):
        told[part].add((found.dances[dance].name, int(start)))
    return told


def test_the_lists_of_two_seconds_are_the_clips_and_nothing_else_is(corpus):
    found = made()
    wanted = {part: {(dance, 50 * (n - 1)) for dance, n in TWO[part]} for part in TWO}
    assert placed(found) == {
        "train": wanted["train"],
        "valid": wanted["val"],
        "test": wanted["test"],
    }
    assert len(found) == 9
    assert len(found.rows("test")) == 4, "none is taken for a copy"
    for word in ("as the authors' lists have it", "segments of 2 s, 3 train, 2 valid, 4 test"):
        assert word in found.notice
    assert "earlier" not in found.notice
    assert found.left_out == {"silent": 0, "short": 0, "no official split": 2}
    assert set(clips.leaks(found).values()) == {0}
    whole, _ = soundfile.read(corpus / "wav" / "mBR2.wav")
    for row in found.rows("test"):
        begin = round(found.places.start[row] / 25 * RATE)
        heard = found.sound(np.array([row]), peak=None)[0]
        assert np.allclose(heard, whole[begin : begin + 2 * RATE], atol=1e-3)


def test_the_last_segment_of_six_seconds_ends_with_its_dance_and_the_notice_says_so(corpus):
    found = made(6)
    assert placed(found) == {
        "train": {(TRAIN[1], 0), (TRAIN[0], 56)},
        "valid": {(VALID, 0)},
        "test": {(TEST[1], 56), (TEST[0], 0), (TEST[1], 0)},
    }
    assert "segments of 6 s, 2 train, 1 valid, 3 test" in found.notice
    assert "2 begin up to 3.76 s earlier, to end with their dance" in found.notice


def test_without_lists_all_is_cut_here_and_a_length_they_lack_is_told(corpus):
    four = made(4)
    assert "clips of our own, since the authors' lists here have none of 4 s" in four.notice
    listed = made()
    for path in corpus.glob("aist_*.txt"):
        path.unlink()
    without, plain = made(), made(4)
    assert "lists" not in without.notice + plain.notice
    assert np.array_equal(plain.places.start, four.places.start)
    assert len(without.rows("test")) == 2 * 4
    assert without.checksum != listed.checksum


def test_lists_may_lie_in_the_folders_of_the_releases_and_lack_video(corpus):
    here = placed(made())
    for name in ("data", "dataset"):
        for path in corpus.rglob("aist_*.txt"):
            path.unlink()
        write(corpus / name, TWO)
        for part in TWO:
            file(corpus / name, "video", part).unlink()
        assert placed(made()) == here


def test_four_seconds_and_windows_line_ends_are_read_likewise(corpus):
    write(corpus, {part: [(dance, 2) for dance, _ in told[:1]] for part, told in TWO.items()}, 4)
    for path in corpus.glob("aist_*_s4.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert placed(made(4))["test"] == {(TEST[1], 100)}


def test_genres_and_the_list_of_poor_motion_leave_segments_out(corpus):
    street = made(genres=("Waack",))
    assert placed(street)["test"] == {(TEST[0], 150), (TEST[0], 0)}
    assert "left out" not in street.notice
    (corpus / "ignore_list.txt").write_text(f"{TEST[0]}\n", encoding="utf-8")
    fewer = made()
    assert placed(fewer)["test"] == {(TEST[1], 50), (TEST[1], 100)}
    assert "2 test; 2 more left out, as ignore_list.txt says" in fewer.notice


def test_the_lists_alone_tell_the_split(corpus):
    before = placed(made())
    for path in (corpus / "splits").glob("*.txt"):
        path.unlink()
    assert placed(made()) == before


def test_a_dance_may_end_a_little_before_its_last_segment(corpus):
    path = corpus / "motions" / f"{VALID}.pkl"
    aist.write(path, aist.motion(473, 3))  # 197 of 200 frames at 25 a second
    found = made()
    assert placed(found)["valid"] == {(VALID, 147), (VALID, 50)}
    assert "1 begin up to 0.12 s earlier" in found.notice
    aist.write(path, aist.motion(470, 3))  # 196
    with pytest.raises(ValueError, match=rf"val_segment.txt:1: {VALID} lasts 7.84 s, too short"):
        made()


def _line(what, part, number, *name, seconds=2):
    """Return what puts another segment, or words, into one line of a list."""

    def spoil(folder):
        path = file(folder, what, part)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        lines[number - 1] = name[0] if len(name) == 1 else line(what, *name, seconds)
        path.write_text("".join(lines), encoding="utf-8")

    return spoil


def _all(part, number, *name):
    """Return what puts a segment into one line of all three lists."""

    def spoil(folder):
        for what in ENDINGS:
            _line(what, part, number, *name)(folder)

    return spoil


GONE = "gBR_sBM_cAll_d04_mBR5_ch09"


@pytest.mark.parametrize(
    ("spoil", "where", "message"),
    [
        (_line("audio", "test", 2, "my dance.wav\n"), "audio_test_segment.txt:2", "no segment"),
        (_line("audio", "test", 2, "test", TEST[0], 0), "audio_test_segment.txt:2", "_seg0' is no"),
        (_all("test", 2, "test", GONE.replace("BR_", "XX_"), 1), "audio_test_segment.txt:2", "gXX"),
        (_line("motion", "val", 2, "val", VALID, 3), "motion_val_segment.txt:2", "another segment"),
        (_line("motion", "val", 2, ""), "audio_val_segment.txt:2", "2 and 1 segments"),
        (_line("audio", "val", 2, ""), "motion_val_segment.txt:2", "1 and 2 segments"),
        (_line("video", "train", 3, ""), "audio_train_segment.txt:3", "3 and 2 segments"),
        (
            _all("test", 3, "test", GONE, 1),
            "audio_test_segment.txt:3",
            rf"{GONE} is not .*mBR5.wav",
        ),
        (
            _all("test", 3, "test", TEST[0], 5),
            "audio_test_segment.txt:3",
            "lasts 8.24 s, too short",
        ),
        (_all("test", 3, "test", TEST[0], 1), "audio_test_segment.txt:4", "segment.txt:3;"),
        (_all("test", 3, "test", VALID, 1), "audio_test_segment.txt:3", r"another part.*val_seg"),
        (_all("test", 3, "val", TEST[0], 2), "audio_test_segment.txt:3", "is of val in a list of"),
        (_line("audio", "test", 1, "test", *TWO["test"][0], seconds=6), "txt:1", "is of audio_s6"),
        (
            lambda folder: file(folder, "motion", "train").unlink(),
            "motion_train_segment.txt",
            "is missing",
        ),
        (
            lambda folder: [file(folder, what, "val").write_text("\n") for what in ENDINGS],
            "audio_val_segment.txt",
            "names no segment",
        ),
        (
            lambda folder: file(folder, "audio", "val").write_bytes(b"\xff\xfe\x00"),
            "audio_val_segment.txt",
            "not a list of names",
        ),
        (
            lambda folder: (folder / "motions" / f"{TEST[0]}.pkl").write_bytes(b"cut"),
            "audio_test_segment.txt:2",
            rf"{TEST[0]}.pkl",
        ),
        (
            lambda folder: (
                (folder / "splits" / "crossmodal_val.txt").write_text(TEST[0] + "\n")
                and (folder / "splits" / "crossmodal_test.txt").write_text(VALID + "\n")
            ),
            "audio_val_segment.txt:1",
            "in the test list of AIST",
        ),
    ],
)
def test_bad_lists_are_named_by_file_and_line(corpus, spoil, where, message):
    spoil(corpus)
    with pytest.raises(ValueError, match=message) as told:
        made()
    assert where in str(told.value)
    assert any(word in str(told.value) for word in ("copy the lists anew", "Put ", "unpack "))


def test_lists_of_another_length_are_not_looked_at(corpus):
    _all("test", 2, "nothing of use\n")(corpus)
    assert len(aist_segments.read(6)) == 6
    with pytest.raises(ValueError, match="is no segment"):
        aist_segments.read(2)
