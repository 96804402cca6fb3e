import json

import numpy as np
import pytest
import tiny_tang

from pasdedeux.data import tang_files


def edited(folder, change):
    """Apply `change` to the content of `skeletons.json`."""
    file = folder / "skeletons.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def put(frame, point, axis, value):
    def change(content):
        content["skeletons"][frame][point][axis] = value

    return change


def test_world_points_are_skeletons_plus_center_in_metres(tmp_path):
    points = tiny_tang.walk(61)
    raw = tang_files.load(tiny_tang.dance(tmp_path, "R_7", points=points, start=5, end=67))
    assert (raw.name, raw.genre, raw.start, raw.end) == ("R_7", "Rumba", 5, 67)
    np.testing.assert_allclose(raw.points_world, points, atol=1e-12)
    assert [file.name for file in raw.files] == ["skeletons.json", "config.json", "audio.mp3"]


def test_whole_numbers_are_numbers(tmp_path):
    points = np.round(100 * tiny_tang.walk(31))
    center = np.zeros((31, 3), int).tolist()
    folder = tiny_tang.dance(
        *(tmp_path, "C_3"), frames=31, center=center, skeletons=points.astype(int).tolist()
    )
    np.testing.assert_array_equal(tang_files.load(folder).points_world, points / 100)


def test_a_dance_may_lack_its_sound(tmp_path):
    raw = tang_files.load(tiny_tang.dance(tmp_path, "W_13", audio=None))
    assert raw.audio is None
    assert len(raw.files) == 2


def test_folders_come_by_letter_and_number_and_others_are_passed_over(tmp_path):
    for name in ("W_3", "W_21", "C_10", "W_4", "C_9"):
        tiny_tang.dance(tmp_path, name, frames=5)
    (tmp_path / "utils").mkdir()
    (tmp_path / "Readme.md").write_text("about")
    found = [folder.name for folder in tang_files.folders(tmp_path)]
    assert found == [f"DANCE_{name}" for name in ("C_9", "C_10", "W_3", "W_4", "W_21")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(17, 5, 1, float("nan")), r"skeletons is not finite in 1 numbers, .* \[17, 5, 1\]"),
        (put(3, 22, 0, float("inf")), r"not finite in 1 numbers, first at .* \[3, 22, 0\]"),
        (put(0, 0, 0, None), r"not finite"),
        (put(0, 0, 0, "left"), r"skeletons must be numbers, 23 x 3 in a frame"),
        (put(0, 0, 0, [1, 2]), r"skeletons must be numbers, 23 x 3 in a frame"),
        (lambda c: c["skeletons"][41].pop(), r"frame 41 of skeletons must hold 23 points, got 22"),
        (lambda c: c["skeletons"][7][9].pop(), r"must be numbers, 23 x 3 in a frame"),
        (lambda c: c["skeletons"].__setitem__(2, 8), r"frame 2 .* 23 points, got no list"),
        (lambda c: [f.append([0, 0, 0]) for f in c["skeletons"]], r"23 points, got 24"),
        (lambda c: c["center"][3].append(0), r"frame 3 of center must hold 3 numbers, got 4"),
        (lambda c: c["center"][3].__setitem__(0, float("nan")), r"\[frame, axis\] \[3, 0\]"),
        (lambda c: c["center"].pop(), r"center holds 210 frames, skeletons 211"),
        (lambda c: c.update(length=212), r"length says 212, skeletons hold 211 frames"),
        (lambda c: c.update(length=None), r"length says None"),
        (lambda c: c.update(skeletons=5), r"skeletons must be a list of frames"),
        (lambda c: c.pop("center"), r"has no center;"),
        (lambda c: (c.pop("length"), c.pop("skeletons")), r"has no length, skeletons;"),
        (lambda c: c.update(length=2, center=[[0] * 3] * 2, skeletons=[[[0] * 3] * 23] * 2), "few"),
        (lambda c: c.update(length=0, center=[], skeletons=[]), "0 frames are too few"),
    ],
)
def test_bad_skeletons_are_refused(tmp_path, change, message):
    folder = tiny_tang.dance(tmp_path, "W_5")
    edited(folder, change)
    with pytest.raises(ValueError, match=rf"DANCE_W_5.skeletons\.json.*{message}") as caught:
        tang_files.load(folder)
    assert "copy the folder anew" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"start": 300, "end": 200}, "start_position 300 must lie before end_position 200"),
        ({"start": 200, "end": 200}, "start_position 200 must lie before end_position 200"),
        ({"start": -4}, "start_position must be a frame number from 0 on, got -4"),
        ({"end": float("nan")}, "end_position must be a frame number from 0 on, got nan"),
        ({"end_position": "12"}, "end_position must be a frame number from 0 on, got '12'"),
        ({"start_position": True}, "start_position must be a frame number from 0 on, got True"),
    ],
)
def test_bad_spans_are_refused(tmp_path, changed, message):
    folder = tiny_tang.dance(tmp_path, "T_5", **changed)
    with pytest.raises(ValueError, match=rf"DANCE_T_5.config\.json: {message}; copy the folder"):
        tang_files.load(folder)


@pytest.mark.parametrize("file", ["skeletons.json", "config.json"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], r"is no whole JSON .* is it cut short\?"),
        (lambda text: "", "is no whole JSON"),
        (lambda text: "[" * 200_000, "is no whole JSON"),
        (lambda text: "[1, 2]", "must hold a JSON object"),
        (lambda text: "version https://git-lfs.github.com/spec/v1\noid x", "run `git lfs pull`"),
        (None, "is missing; copy the folder anew"),
    ],
)
def test_damaged_files_are_refused(tmp_path, file, damage, message):
    folder = tiny_tang.dance(tmp_path, "C_2")
    path = folder / file
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"DANCE_C_2.{file}.*{message}"):
        tang_files.load(folder)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    folder = tiny_tang.dance(tmp_path, "C_2")
    (folder / "skeletons.json").write_bytes(b'{"length": "\xff\xfe')
    with pytest.raises(ValueError, match="is no whole JSON"):
        tang_files.load(folder)


def test_unknown_genres_and_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="genre letter 'X' is none of R, C, T, W"):
        tang_files.load(tiny_tang.dance(tmp_path, "X_1"))
    with pytest.raises(ValueError, match=r"DANCE_W_new: the name must be DANCE_<letter>_<number>"):
        tang_files.load(tiny_tang.dance(tmp_path, "W_new"))


def test_folders_without_dances_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not a folder; give the one that holds"):
        tang_files.folders(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no folder DANCE_<letter>_<number>: it is empty"):
        tang_files.folders(tmp_path)
