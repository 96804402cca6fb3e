"""Clips: sound beside its motion, a split that leaks nothing, negatives of another genre."""

from dataclasses import replace
from types import SimpleNamespace

import aist
import numpy as np
import pytest
import soundfile
import torch

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data import clips
from pasdedeux.data.canonical import canonical_points, pose_heading
from pasdedeux.data.clip_places import ClipSettings, Known
from pasdedeux.data.copies import CopySettings
from pasdedeux.data.dance import Dance, Recording
from pasdedeux.data.pairs import PairSettings
from pasdedeux.data.recorded import recorded
from pasdedeux.motion import skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six

RATE = 22_050
SETTINGS = ClipSettings(stride=17)
PARTS = ("train", "train", "train", "valid", "test", "test", "train")
GENRES = ("Waltz", "Rumba", "House", "Waltz", "Rumba", "House", "Rumba")


def _dance(number, folder, *, frames=137, genre="Waltz", seconds=None, silent=False, lasts=None):
    """A random dance whose music tells, sample by sample, which second of the file it is."""
    draw = np.random.default_rng(number)
    seconds = frames / 25 if seconds is None else seconds
    time = np.arange(round((seconds + 1 if lasts is None else lasts) * RATE)) / RATE
    sound = np.sin(2 * np.pi * 55 * time) * (0.1 + 0.8 * time / 20)
    if silent:
        sound[RATE:] = 0
    path = folder / f"{number}.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    bend = draw.normal(0, 0.5, (1, 24, 6)) + draw.normal(0, 0.02, (frames, 24, 6)).cumsum(0)
    return Dance(
        name=f"d{number}",
        corpus="test",
        genre=genre,
        group=f"g{number}",
        song=f"s{number}",
        translation=draw.normal(0, 0.02, (frames, 3)).cumsum(0).astype(np.float32),
        rotations=(np.array([1, 0, 0, 0, 1, 0]) + 0.5 * bend).astype(np.float32),
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
        music=np.zeros((frames, 53), np.float32),
        beat_seconds=np.arange(0.0, frames / 25, 0.6),
        recording=Recording(path, 0.3, seconds),
    )


def _cut(dances, parts=PARTS, settings=SETTINGS, *, official=False):
    return clips.cut((Known(tuple(dances), tuple(parts), official, "random"),), settings)


@pytest.fixture
def made(project):
    dances = [_dance(n, project, genre=genre, frames=137 + n) for n, genre in enumerate(GENRES)]
    return _cut(dances)


def test_sound_and_motion_of_a_clip_are_those_of_its_dance_at_its_time(made):
    rows = np.arange(len(made))
    sound, pose, joints = made.sound(rows, peak=None), made.pose(rows), made.joints(rows)
    assert sound.shape == (len(made), 44_100)
    assert sound.dtype == pose.dtype == np.float32
    for row in rows:
        dance, start = made.dances[made.places.dance[row]], made.places.start[row]
        whole, _ = soundfile.read(dance.recording.path)
        begin = round((0.3 + start / 25) * RATE)
        assert abs(made.places.first[row] - begin) <= 1
        first = made.places.first[row]
        assert np.abs(sound[row] - whole[first : first + 44_100]).max() < 1e-4
        world = dance.joints_world[None, start : start + 50]
        heading = pose_heading(dance.pose[None, start : start + 50])
        assert np.allclose(joints[row], canonical_points(world, heading)[0], atol=1e-5)


def test_joints_are_those_of_the_pose(made):
    rows = made.rows("test")
    pose, dance = torch.from_numpy(made.pose(rows)), made.dances[made.places.dance[rows[0]]]
    matrices = matrix_from_six(pose[0, :, 3:].unflatten(-1, (24, 6)))
    again = placed(matrices, pose[0, :, :3], dance.body).joints_world
    assert np.allclose(made.joints(rows)[0], again.numpy(), atol=1e-5)
    flat = made.motion(rows)
    assert flat.shape == (len(rows), 50, 219)
    assert np.allclose(flat[0, :, :216].reshape(50, 24, 3, 3), matrices.numpy(), atol=1e-6)
    assert np.allclose(flat[..., 216:], made.pose(rows)[..., :3])


def test_every_clip_has_the_same_peak(made):
    sound = made.sound(made.rows("train"))
    assert np.allclose(np.abs(sound).max(axis=1), 0.95, atol=1e-6)
    assert made.sound(np.zeros(0, int)).shape == (0, 44_100)
    assert made.pose(np.zeros(0, int)).shape == (0, 50, 147)


def test_a_span_longer_than_its_frames_is_met_in_the_middle(project):
    dance = _dance(1, project, frames=200, seconds=8.2)  # 200 frames are 8 s
    made = _cut([dance], ["train"], ClipSettings(stride=50))
    middle = (made.places.first + 22_050) / RATE
    frame = made.places.start + 25
    assert np.allclose(middle, 0.3 + frame / 200 * 8.2, atol=1 / RATE)


def test_training_clips_overlap_and_held_out_ones_do_not(made):
    for part, gap in (("train", 17), ("valid", 50), ("test", 50)):
        rows = made.rows(part, most_copied=1.0)
        assert len(rows) > 0
        same = np.diff(made.places.dance[rows]) == 0
        assert set(np.diff(made.places.start[rows])[same]) == {gap}
        assert {made.split[d] for d in made.places.dance[rows]} == {part}
    shared = made.overlap(np.arange(len(made)), np.arange(len(made)))
    held = np.flatnonzero(made.places.part != "train")
    assert np.array_equal(shared[np.ix_(held, held)], np.eye(len(held), dtype=bool))
    train = made.rows("train")
    assert shared[train[0], train[1]]
    assert not shared[np.ix_(train, held)].any()


def test_leaks_are_none_and_would_be_counted(made):
    assert set(clips.leaks(made).values()) == {0}
    dances = list(made.dances)
    dances[4] = replace(dances[4], group="g0", song="s1", recording=dances[2].recording)
    told = clips.leaks(_cut(dances))
    assert told == {"dances": 0, "choreographies": 1, "songs": 1, "recordings": 1}


def test_a_held_out_clip_tells_how_much_of_it_is_copied(project):
    dances = [_dance(n, project, frames=220) for n in range(3)]
    for name in ("translation", "rotations"):  # of the tested dance: frames 50 to 99, from a train
        mixed = getattr(dances[2], name).copy()
        mixed[50:100] = getattr(dances[0], name)[31:81]
        dances[2] = replace(dances[2], **{name: mixed})
    short = _cut(dances, ["train", "train", "test"])
    assert short.places.copied[short.places.part == "test"].tolist() == [0, 1, 0, 0]
    assert len(short.rows("test")) == 3
    longer = _cut(dances, ["train", "train", "test"], replace(SETTINGS, seconds=4))
    assert longer.places.copied[longer.places.part == "test"].tolist() == [0.5, 0]
    assert len(longer.rows("test")) == 1
    assert len(longer.rows("test", most_copied=0.5)) == 2
    official = _cut(dances, ["train", "train", "test"], official=True)
    assert not official.places.copied.any()


@pytest.mark.parametrize("by", ["genre", "song"])
def test_negatives_never_share_the_label_and_are_drawn_evenly(made, by):
    rows = np.concatenate([made.rows("train")[:3], made.rows("test", most_copied=1.0)])
    drawn = made.others(rows, 4000, numpy_generator(0, "negatives"), by=by)
    label, train = getattr(made, by), made.rows("train")
    for row, others in zip(rows, drawn, strict=True):
        allowed = train[label[train] != label[row]]
        found, counts = np.unique(others, return_counts=True)
        assert np.array_equal(found, allowed)
        assert counts.min() > 0.5 * 4000 / len(allowed)
    again = made.others(rows, 4000, numpy_generator(0, "negatives"), by=by)
    assert np.array_equal(drawn, again)


def test_genre_and_song_are_numbered(made):
    assert made.genres == ("Rumba", "Waltz", "House")
    for row in range(len(made)):
        dance = made.dances[made.places.dance[row]]
        assert made.genres[made.genre[row]] == dance.genre
    assert len(set(made.song)) == 7


def test_silent_and_short_clips_are_left_out_and_counted(project):
    dances = [
        _dance(0, project, frames=200),
        _dance(1, project, frames=200, silent=True),
        _dance(2, project, frames=200, lasts=4.5),
    ]
    made = _cut(dances, ["train"] * 3, ClipSettings(stride=50))
    # of dance 1 only the first clip has sound, from 0.3 to 1 s; the music of dance 2 ends after two
    assert made.left_out == {"silent": 3, "short": 2, "no official split": 0}
    assert made.places.dance.tolist() == [0, 0, 0, 0, 1, 2, 2]


def test_a_clip_may_be_moved_by_a_frame_to_end_with_its_recording(project):
    dance = _dance(0, project, frames=100, lasts=4.3 - 0.03)
    made = _cut([dance], ["train"], ClipSettings(stride=50))
    assert made.left_out["short"] == 0
    assert made.places.first[-1] + 44_100 == round(4.27 * RATE)


def test_fewer_training_clips_are_drawn_evenly_and_kept(made, monkeypatch):
    few = _cut(made.dances, settings=replace(SETTINGS, most_clips=7))
    assert len(few.rows("train")) == 7
    assert len(few.rows("test")) == len(made.rows("test"))
    monkeypatch.setattr(clips, "arrays", None)
    again = _cut(made.dances, settings=replace(SETTINGS, most_clips=7))
    assert again.checksum == few.checksum != made.checksum


def test_what_cannot_be_cut_is_refused(made):
    with pytest.raises(ValueError, match="multiple of 2"):
        ClipSettings(seconds=3)
    assert ClipSettings(seconds=3, copies=CopySettings(frames=25)).samples == 66_150
    with pytest.raises(ValueError, match="stride"):
        ClipSettings(stride=0)
    with pytest.raises(ValueError, match="left to learn from"):
        _cut(made.dances, ["test"] * 7)
    with pytest.raises(ValueError, match="has no recording"):
        _cut([replace(made.dances[0], recording=None)], ["train"])
    with pytest.raises(ValueError, match="part must be one of"):
        made.rows("validation")
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        made.rows("test", most_copied=50.0)
    alone = _cut(made.dances[:1], ["train"])
    with pytest.raises(ValueError, match="have one genre"):
        alone.others(alone.rows("train"), 2, numpy_generator(0))


def test_recordings_are_kept_as_16_bit_and_cut_exactly(project):
    loud = 1.3 * np.sin(np.arange(5 * RATE) / 7)
    soundfile.write(project / "loud.wav", loud, RATE, subtype="FLOAT")
    (kept,) = recorded([project / "loud.wav"], RATE)
    assert kept.samples.dtype == np.int16
    assert kept.peak == pytest.approx(1.3, abs=1e-3)
    first = np.array([0, 311, 5 * RATE - 1009])
    cut = kept.cut(first, 1009)
    for row, begin in enumerate(first):
        assert np.abs(cut[row] - loud[begin : begin + 1009]).max() < 1.3 / 32_767
        rms = np.sqrt(np.mean(np.square(loud[begin : begin + 1009])))
        assert kept.loudness(first, 1009)[row] == pytest.approx(rms, rel=1e-3)
    with pytest.raises(ValueError, match="must begin at 0 to"):
        kept.cut(np.array([5 * RATE]), 1009)


def test_dances_are_split_as_for_the_other_paper(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    dances = tuple(_dance(n, project, genre=genre) for n, genre in enumerate(GENRES))
    asked = []

    def pairs(settings):
        asked.append(settings)
        return SimpleNamespace(dances=dances, split=PARTS, notice="random")

    monkeypatch.setattr(clips, "pairs", pairs)
    settings = ClipSettings(genres=("Waltz",), dances_a_genre=5, seed=3, seconds=4)
    made = clips.clips(settings)
    (told,) = asked
    assert (told.corpus, told.genres, told.dances_a_genre, told.seed) == (
        "synthetic",
        ("Waltz",),
        5,
        3,
    )
    assert (told.frames, told.copies) == (75, PairSettings().copies)  # whatever a clip's length
    assert made.split == PARTS


def test_aist_has_its_official_split_and_needs_the_lists(project, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_DATA", str(project))
    folder = aist.folder(project / "aistpp")
    names = [*aist.NAMES[:2], aist.NAMES[3]]
    tone = 0.1 * np.sin(np.arange(4 * 8000) / 5)
    for seed, name in enumerate(names):
        aist.write(folder / "motions" / f"{name}.pkl", aist.motion(200, seed))
        soundfile.write(folder / "wav" / f"{aist.NAMES[seed].split('_')[4]}.wav", tone, 8000)
    soundfile.write(folder / "wav" / "mPO3.wav", tone, 8000)
    made = clips.clips(ClipSettings(corpus="aistpp"))
    parts = dict(zip((d.name for d in made.dances), made.split, strict=True))
    assert parts[aist.NAMES[1]] == "train"
    assert parts[aist.NAMES[0]] == "valid"
    assert aist.NAMES[3] not in parts
    assert made.left_out["no official split"] == 1
    assert clips.leaks(made) == dict.fromkeys(clips.leaks(made), 0)
    (folder / "motions" / f"{aist.NAMES[2]}.pkl").unlink()
    for path in (folder / "splits").glob("*.txt"):
        path.unlink()
    with pytest.raises(ValueError, match="no list of its split"):
        clips.clips(ClipSettings(corpus="aistpp"))


def test_a_hostile_pickle_among_the_motions_runs_nothing(project, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_DATA", str(project))
    folder, mark = aist.folder(project / "aistpp"), project / "ran"
    for path in (folder / "motions").glob("*.pkl"):
        path.write_bytes(f"cos\nsystem\n(S'touch {mark}'\ntR.".encode())
    with pytest.raises(ValueError, match=r"no sequence that can be used.*posix\.system|os\.system"):
        clips.clips(ClipSettings(corpus="aistpp"))
    assert not mark.exists()
