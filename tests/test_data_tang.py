import numpy as np
import pytest
import tiny_tang
from tiny_tang import needs_tang

from pasdedeux.data import sources, tang


def test_takes_by_hand(tmp_path):
    points = tiny_tang.walk(211)
    tiny_tang.dance(tmp_path, "W_10", frames=101)
    tiny_tang.dance(tmp_path, "W_2", points=points, start=50, end=262)
    tiny_tang.dance(tmp_path, "C_9", audio=None)
    takes, skipped, remarks = tang.read(tmp_path)
    assert [(take.name, take.genre) for take in takes] == [
        *(("C_9", "Cha Cha"), ("W_2", "Waltz"), ("W_10", "Waltz"))
    ]
    assert (skipped, remarks) == ((), ())
    waltz = takes[1]
    assert waltz.points_world.dtype == np.float32
    np.testing.assert_allclose(waltz.points_world, points - [0, 0.03, 0], atol=1e-6)
    assert waltz.recording.path.read_bytes() == b"sound"
    assert (waltz.recording.start_seconds, waltz.recording.seconds) == (2.0, 212 / 25)
    assert takes[0].recording is None
    assert "no audio: motion only" in takes[0].flags


@pytest.mark.parametrize(("start", "frames", "span"), [(0, 211, 212), (137, 101, 103), (8, 83, 82)])
def test_frame_k_sounds_at_its_share_of_the_span(tmp_path, start, frames, span):
    tiny_tang.dance(tmp_path, "W_2", frames=frames, start=start, end=start + span)
    (take,) = tang.read(tmp_path).takes
    found = tang.music_frames(take)
    assert found.tolist() == [round(start + k * span / frames) for k in range(frames)]
    sound = take.recording
    seconds = sound.start_seconds + np.arange(frames) / frames * sound.seconds
    assert np.abs(found / 25 - seconds).max() <= 0.02 + 1e-9
    assert tang.music_frames(take, 7).tolist() == found[:7].tolist()


def test_music_frames_are_refused_where_there_are_none(tmp_path):
    tiny_tang.dance(tmp_path, "W_2", audio=None)
    tiny_tang.dance(tmp_path, "W_3")
    silent, sounding = tang.read(tmp_path).takes
    with pytest.raises(ValueError, match="W_2 has no audio; leave it out"):
        tang.music_frames(silent)
    with pytest.raises(ValueError, match="count must be 0 to 211, got 212"):
        tang.music_frames(sounding, 212)


def test_dances_to_the_same_sound_are_of_one_song(tmp_path):
    for name, audio in (("T_1", b"a"), ("T_2", b"b"), ("T_9", b"a"), ("W_1", None), ("W_2", None)):
        tiny_tang.dance(tmp_path, name, audio=audio)
    assert tang.songs(tang.read(tmp_path).takes) == ("T_1", "T_2", "T_1", "W_1", "W_2")


@pytest.mark.parametrize("frames", [51, 143, 307])
def test_a_wrong_frame_rate_is_found_and_stretched(tmp_path, frames):
    points = np.linspace(tiny_tang.walk(3)[0], tiny_tang.walk(5)[4] + 1, frames)
    tiny_tang.dance(tmp_path, "R_6", points=points, start=9, end=220)
    ((take,), _, remarks) = tang.read(tmp_path)
    count = round(0.9955 * 211)
    expected = np.linspace(points[0], points[-1], count)
    assert take.points_world.shape == (count, 23, 3)
    np.testing.assert_allclose(take.points_world[..., ::2], expected[..., ::2], atol=1e-5)
    assert take.recording.seconds == 211 / 25
    assert tang.music_frames(take)[-1] == round(9 + (count - 1) * 211 / count)
    assert take.flags[0] == f"stretched: a first-release file of {frames / 211:.3f} of its length"
    assert remarks == (
        f"R_6 is of the first release, with a wrong frame rate: stretched from {frames / 211:.3f} "
        "to 0.9955 of its span.",
    )


def test_frames_on_straight_lines_keep_their_ends():
    points = tiny_tang.walk(29)
    np.testing.assert_array_equal(tang.stretched(points, 29), points)
    np.testing.assert_allclose(tang.stretched(points, 4 * 29 - 3)[::4], points, atol=1e-12)
    doubled = tang.stretched(points, 57)
    np.testing.assert_allclose(doubled[1::2], (points[1:] + points[:-1]) / 2, atol=1e-12)


def test_a_wrong_frame_rate_is_refused_on_demand(tmp_path):
    tiny_tang.dance(tmp_path, "R_6", frames=143, start=0, end=211)
    tiny_tang.dance(tmp_path, "R_7")
    message = r"DANCE_R_6.*143 frames for a span of 211 are 0\.678 of it.*wrong_rate='stretch'"
    with pytest.raises(ValueError, match=message):
        tang.read(tmp_path, wrong_rate="refuse")
    takes, (told,), remarks = tang.read(tmp_path, wrong_rate="refuse", skip_bad=True)
    assert [take.name for take in takes] == ["R_7"]
    assert "wrong frame rate" in told
    assert remarks == ()


@pytest.mark.parametrize(("frames", "name"), [(30, "W_1"), (350, "C_1")])
def test_lengths_of_no_release_are_refused(tmp_path, frames, name):
    tiny_tang.dance(tmp_path, name, frames=frames, start=0, end=211)
    with pytest.raises(ValueError, match=r"outside 2\.5% and of any release; do .* belong togeth"):
        tang.read(tmp_path)


def test_the_tolerance_lets_the_short_tango_in(tmp_path):
    tiny_tang.dance(tmp_path, "T_5", frames=489, start=0, end=500)
    tiny_tang.dance(tmp_path, "W_2", frames=487, start=0, end=500)
    tango, waltz = tang.read(tmp_path).takes
    assert tango.suspect
    assert len(tango.points_world) == 489
    assert not waltz.suspect
    assert len(waltz.points_world) == round(0.9955 * 500)


def test_the_second_release_goes_before_the_first(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    tiny_tang.dance(new, "W_3", frames=211)
    tiny_tang.dance(new, "W_11", frames=211)
    tiny_tang.dance(old, "W_3", frames=53, start=13, end=225)
    tiny_tang.dance(old, "W_4", frames=53, start=13, end=225)
    takes, _, remarks = tang.read(new, first_release=old)
    assert [take.name for take in takes] == ["W_3", "W_4", "W_11"]
    assert [len(take.points_world) for take in takes] == [211, round(0.9955 * 212), 211]
    assert remarks[0] == "DANCE_W_3 of the first release is not used: the second has it."
    assert remarks[1].startswith("W_4 is of the first release")


def test_a_damaged_file_of_the_second_release_leaves_the_place_to_the_first(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    tiny_tang.dance(new, "W_3", length=7)
    tiny_tang.dance(old, "W_3", frames=53, start=13, end=225)
    with pytest.raises(ValueError, match="length says 7, skeletons hold 211"):
        tang.read(new, first_release=old)
    (take,), (told,), _ = tang.read(new, first_release=old, skip_bad=True)
    assert (take.name, len(take.points_world)) == ("W_3", 211)
    assert "length says 7" in told


def test_bad_dances_are_left_out_on_demand(tmp_path):
    tiny_tang.dance(tmp_path, "W_3", length=7)
    with pytest.raises(ValueError, match="no dance in .* can be read; the first: .*length says 7"):
        tang.read(tmp_path, skip_bad=True)
    tiny_tang.dance(tmp_path, "X_4")
    tiny_tang.dance(tmp_path, "W_5")
    takes, skipped, _ = tang.read(tmp_path, skip_bad=True)
    assert [take.name for take in takes] == ["W_5"]
    assert len(skipped) == 2
    assert "genre letter 'X'" in skipped[1]


def test_the_users_own_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    tiny_tang.dance(tmp_path / "tang2018", "W_3")
    assert [take.name for take in tang.read().takes] == ["W_3"]
    tiny_tang.dance(tmp_path / "tang2018_first_release", "R_6", frames=113, end=224)
    takes, _, remarks = tang.read()
    assert [take.name for take in takes] == ["R_6", "W_3"]
    assert len(remarks) == 1
    monkeypatch.setattr(sources, "found", lambda name: None)
    with pytest.raises(ValueError, match=r"Put their DANCE_\* folders into \$PASDEDEUX_DATA/tang"):
        tang.read()


@pytest.mark.slow
@needs_tang
def test_the_published_dances():
    takes, skipped, remarks = tang.read()
    second = [take for take in takes if abs(take.quality.length_share - 1) <= tang.TOLERANCE]
    assert len(second) == 37
    assert skipped == ()
    assert [take.name for take in takes if take.suspect] == ["T_5"]
    shares = [take.quality.length_share for take in second if not take.suspect]
    assert (min(shares), max(shares)) == pytest.approx((0.983, 0.999), abs=5e-4)
    frozen = {take.name: take.quality.frozen_frames for take in second}
    still = {name: count for name, count in frozen.items() if count}
    assert still == {"C_4": 29, "R_3": 17, "R_4": 50, "R_8": 109}
    for take in takes:
        floor = take.points_world[:, [10, 11, 19, 20], 1].min(axis=1)
        assert np.abs(np.median(floor)) < 0.03, take.name
    first = tiny_tang.REAL.with_name("tang2018_first_release")
    if first.is_dir():
        assert len(remarks) == 3
        old = tang.read(first).takes
        assert [(take.name, round(take.quality.length_share, 3)) for take in old] == [
            *(("R_6", 0.561), ("R_10", 0.682), ("W_3", 0.237))
        ]
