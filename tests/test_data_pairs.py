"""Windows for training and testing: where they come from, what they hide, what they never share."""

from dataclasses import replace

import aist
import numpy as np
import pytest

from pasdedeux.base.files import digest
from pasdedeux.data import copies, pairs
from pasdedeux.data.canonical import world_pose
from pasdedeux.data.copies import SMPL_HIPS
from pasdedeux.data.dance import Dance
from pasdedeux.data.paired import Paired
from pasdedeux.data.pairs import PairSettings
from pasdedeux.motion import skeleton

SETTINGS = PairSettings(stride=13)


def _dance(number, *, genre="Waltz", frames=211, group=None, song=None, **changed):
    draw = np.random.default_rng(number)
    bend = draw.normal(0, 0.5, (1, 24, 6)) + draw.normal(0, 0.02, (frames, 24, 6)).cumsum(0)
    rotations = np.array([1, 0, 0, 0, 1, 0]) + 0.5 * bend
    path = draw.normal(0, 0.02, (frames, 3)).cumsum(0) + draw.normal(0, 2, 3)
    music = draw.normal(number, 2, (frames, 53))
    music[:, 40:52], music[:, 52] = draw.uniform(size=(frames, 12)), draw.uniform(size=frames) < 0.1
    made = Dance(
        name=f"d{number}",
        corpus="test",
        genre=genre,
        group=group or f"g{number}",
        song=song or f"s{number}",
        translation=path.astype(np.float32),
        rotations=rotations.astype(np.float32),
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
        music=music.astype(np.float32),
        beat_seconds=np.arange(0.0, frames / 25, 0.6),
    )
    return replace(made, **changed)


def _cut(dances, settings=SETTINGS):
    return pairs.cut(Paired(tuple(dances), "random"), settings)


@pytest.fixture(scope="module")
def made():
    return _cut([_dance(n) for n in range(11)])


def test_all_three_parts_hold_windows_of_their_own_dances(made):
    assert set(made.split) == {"train", "valid", "test"}
    for name, part in made.parts.items():
        assert len(part) > 0
        assert {made.split[d] for d in part.dance} == {name}
        assert part.pose.shape[1:] == (75, 147)
        assert part.music.shape[1:] == (75, 53)
    assert set(np.diff(made.train.start)[np.diff(made.train.dance) == 0]) == {13}
    assert set(np.diff(made.test.start)[np.diff(made.test.dance) == 0]) <= {75, 150}


def test_a_window_is_its_dance_seen_from_its_first_frame(made):
    for part in made.parts.values():
        back = world_pose(part.pose, part.heading)
        for row in (0, len(part) // 2, len(part) - 1):
            dance, start = made.dances[part.dance[row]], part.start[row]
            assert np.allclose(back[row], dance.pose[start : start + 75], atol=1e-5)
        assert np.allclose(part.pose[:, 0, [0, 2]], 0, atol=1e-5)


def test_music_is_on_the_scale_of_the_training_dances_alone(made):
    train = [d for d, part in zip(made.dances, made.split, strict=True) if part == "train"]
    frames = np.concatenate([d.music for d in train])[:, :40]
    assert np.allclose(made.scale.mean[:40], frames.mean(0), atol=1e-3)
    window = made.scale.inverse(made.test.music)[0]
    dance, start = made.dances[made.test.dance[0]], made.test.start[0]
    assert np.allclose(window, dance.music[start : start + 75], atol=1e-4)


def test_dances_that_share_steps_or_song_lie_in_one_part():
    dances = [_dance(n, group=f"g{n // 2}", song=f"s{(n + 1) // 2 % 5}") for n in range(6)]
    dances += [_dance(n) for n in range(20, 27)]
    made = _cut(dances)
    parts = dict(zip((d.name for d in made.dances), made.split, strict=True))
    assert len({parts[f"d{n}"] for n in range(6)}) == 1


def test_a_test_window_with_a_near_copy_in_training_is_left_out():
    clip = _dance(99, frames=80)
    dances = []
    for number in range(11):  # every dance begins with the same figure, so none is quite new
        own = _dance(number)
        arrays = ("translation", "rotations", "music")
        begun = {n: np.concatenate([getattr(clip, n), getattr(own, n)]) for n in arrays}
        dances.append(replace(own, **begun))
    made = _cut(dances)
    joints = [d.joints_world for d in made.dances]
    known = [j for j, part in zip(joints, made.split, strict=True) if part == "train"]
    for name in ("valid", "test"):
        part = made.parts[name]
        assert made.left_out[name] == made.split.count(name)
        assert part.start.min() >= 75
        shown = np.stack(
            [joints[d][s : s + 75] for d, s in zip(part.dance, part.start, strict=True)]
        )
        assert copies.novel(shown, known, hips=SMPL_HIPS).all()


def test_a_stretched_dance_is_held_out_last():
    dances = [_dance(n) for n in range(5)]
    dances[3] = replace(dances[3], flags=("stretched: a first-release file",))
    made = _cut(dances)
    assert made.split[3] == "train"


def test_fewer_training_windows_are_drawn_evenly_and_the_same_again(made):
    few = _cut(made.dances, replace(SETTINGS, most_windows=17))
    again = _cut(made.dances, replace(SETTINGS, most_windows=17))
    assert len(few.train) == 17
    assert np.array_equal(few.train.pose, again.train.pose)
    assert len(set(few.train.dance)) > 3
    assert few.checksum == again.checksum != made.checksum


def test_what_cannot_be_cut_is_refused(made):
    with pytest.raises(ValueError, match="no dance of .*House.* has 75 frames"):
        _cut(made.dances, replace(SETTINGS, genres=("House",)))
    with pytest.raises(ValueError, match="must be the same"):
        PairSettings(frames=50)
    short = [_dance(n, frames=60) for n in range(3)]
    with pytest.raises(ValueError, match="has 75 frames"):
        _cut(short)


def test_windows_split_and_scale_are_cut_once_and_kept(project, monkeypatch, made):
    found = Paired(made.dances, "random")
    monkeypatch.setattr(pairs, "paired", lambda *_, **__: found)
    first = pairs.pairs(SETTINGS)
    monkeypatch.setattr(pairs, "cut", None)
    again = pairs.pairs(SETTINGS)
    for one in (first, again):
        assert (one.split, one.left_out, one.checksum) == (made.split, made.left_out, made.checksum)
        assert np.array_equal(one.scale.mean, made.scale.mean)
        for name, part in made.parts.items():
            assert np.array_equal(one.parts[name].pose, part.pose)
            assert np.array_equal(one.parts[name].music, part.music)
            assert np.array_equal(one.parts[name].heading.left, part.heading.left)
    with pytest.raises(TypeError, match="not callable"):
        pairs.pairs(replace(SETTINGS, stride=11))


def test_a_published_split_is_kept_and_near_copies_still_leave_the_test(project, monkeypatch):
    aist.split_folder(project / "own" / "aistpp")
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "own"))
    made = pairs.pairs(PairSettings(corpus="aistpp", stride=13))
    names = {"train": "train", "val": "valid", "test": "test"}
    wanted = {name: names[part] for name, part in aist.PARTS.items() if part}
    assert dict(zip((d.name for d in made.dances), made.split, strict=True)) == wanted
    assert "7 sequences of AIST++, 6 of them in its official split" in made.notice
    copied = next(n for n, d in enumerate(made.dances) if d.name == "gBR_sBM_cAll_d06_mBR2_ch06")
    assert made.left_out == {"train": 0, "valid": 0, "test": 1}
    assert made.test.start[made.test.dance == copied].tolist() == [75]
    other = _cut([replace(d, split=None) for d in made.dances])
    assert other.split != made.split


def test_beside_a_published_split_the_other_dances_are_split_as_without_it(made):
    lock = [_dance(30 + n, genre="Lock", split=part) for n, part in enumerate(("test", "train"))]
    lock.append(_dance(32, genre="Lock", split=""))
    both = _cut([*made.dances, *lock])
    assert both.split == (*made.split, "test", "train")
    assert "d32" not in {d.name for d in both.dances}


def test_a_published_split_without_training_here_is_refused():
    with pytest.raises(ValueError, match="no dance that is here in train; give the songs"):
        _cut([_dance(n, split="test") for n in range(2)])


def test_a_published_split_enters_no_checksum_of_the_other_corpora(made):
    """Old runs are found again: the key of a training holds the digest below."""
    told = [repr(made.settings), *(f"{len(part)}" for part in made.parts.values())]
    rows = [part.start.tobytes() + part.dance.tobytes() for part in made.parts.values()]
    arrays = ("translation", "rotations", "offsets_metres", "music")
    every = [(d.name, *(getattr(d, name).tobytes() for name in arrays)) for d in made.dances]
    numbers = digest(*(part for dance in every for part in dance))
    assert made.checksum == digest(numbers, *told, *rows)
    fields = "corpus dances_a_genre seed genres frames stride most_windows copies"
    assert [field.split("=")[0] for field in vars(made.settings)] == fields.split()
