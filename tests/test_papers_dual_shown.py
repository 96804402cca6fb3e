"""Figures 4 and 5 and the files of one dance and one song: the right rows, and what is in them."""

import numpy as np
import pytest
import soundfile
from test_data_pairs import SETTINGS, _dance

from pasdedeux.data import pairs
from pasdedeux.data.paired import Paired
from pasdedeux.engine.study import study
from pasdedeux.motion import skeleton
from pasdedeux.papers import dual_evaluate, dual_shown
from pasdedeux.report.bodies import filmstrip
from pasdedeux.training.run import open_run


@pytest.fixture(scope="module")
def made():
    dances = [_dance(n, frames=611) for n in range(11)]
    return pairs.cut(Paired(tuple(dances), "random"), SETTINGS)


@pytest.fixture(scope="module")
def found(made):
    return dual_evaluate.excerpts(made, most_a_genre=9)


@pytest.fixture(scope="module")
def danced(made):
    """What a system made that danced the recorded dances, and whose takes are numbered."""
    real = dual_evaluate.truth(made, 9)
    count = len(range(0, len(real.danced), dual_shown.EVERY))
    takes = np.repeat(real.danced[:count, None], dual_evaluate.TAKES, axis=1)
    takes[..., 0] += np.arange(dual_evaluate.TAKES)[:, None]
    return real._replace(other_starts=takes, other_noise=takes)


def test_figure_4_shows_the_truth_and_each_system_from_the_same_excerpt(found, danced):
    shown = dual_shown.figure_4(found, {"A": danced, "B": danced}, 1)
    assert [dancer.name for dancer in shown] == ["Ground Truth", "A", "B"]
    np.testing.assert_allclose(shown[0].joints_world, dual_evaluate.joints_of(found.pose[1]))
    made_only = dual_shown.figure_4(found, {"A": danced}, 1, truth=False)
    assert [dancer.name for dancer in made_only] == ["A"]
    drawn = filmstrip(shown, seconds=2.8)
    assert len(drawn.axes) == 3
    assert drawn._repr_png_().startswith(b"\x89PNG")


def test_figure_5_shows_the_takes_of_the_excerpt_asked_for(danced):
    shown = dual_shown.figure_5(danced, dual_shown.EVERY * (len(danced.other_starts) - 1))
    assert len(shown) == dual_evaluate.TAKES
    places = [dancer.joints_world[0, 0, 0] for dancer in shown]
    np.testing.assert_allclose(np.diff(places), 1, atol=1e-5)
    with pytest.raises(ValueError, match="every 4th excerpt"):
        dual_shown.figure_5(danced, 1)


def test_rows_are_found_by_genre(found, made):
    assert dual_shown.row_of(found, made, "Waltz") == 0
    assert dual_shown.row_of(found, made, "Krump") == 0
    assert dual_shown.genre_of(found, made, 0) == "Waltz"


def test_the_files_hold_the_dance_and_the_song(tmp_path, found, danced, made):
    files = dual_shown.write(found, danced, made, 0, tmp_path)
    assert all(path.stat().st_size > 100 for path in files)
    rows = dual_shown.sane_dance(files, danced, found, 0, run="runs/x", corpus="test")
    told = {(m.row, m.column): m for m in rows}
    for row in ("made", "recorded"):
        assert told[row, "bone lengths off by (mm)"].value < 1e-2
    assert told["made", "file off by (mm)"].value < 0.05
    joints = dual_evaluate.joints_of(found.pose[0])
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() * 25
    for row in ("made", "recorded"):  # this system danced what was recorded
        assert told[row, "speed (m/s)"].value == pytest.approx(speed, rel=1e-3)
    assert told["made", "speed (m/s)"].run == "runs/x"


def test_a_broken_bone_is_seen():
    joints = np.repeat(skeleton.smpl().rest_joints()[None], 7, axis=0)
    assert dual_shown._bones(joints) == pytest.approx(0, abs=1e-9)
    joints[3, 15] += [0, 0.02, 0]
    assert dual_shown._bones(joints) == pytest.approx(20, rel=0.2)


def test_loudness_of_the_song_is_that_of_its_file(tmp_path, found, danced, made):
    files = dual_shown.write(found, danced, made, 0, tmp_path)
    composed, original = dual_shown.songs(found, danced, made, 0)
    assert np.array_equal(composed.pitch, original.pitch), "this system composed what was played"
    tone = 0.5 * np.sin(np.arange(22_050 * 9) / 9)
    rows = dual_shown.sane_song(files, composed, (original, tone), run="runs/x", corpus="test")
    told = {(m.row, m.column): m.value for m in rows}
    heard, rate = soundfile.read(files.sound)
    assert told["made", "seconds"] == pytest.approx(len(heard) / rate)
    assert 0.5 < told["made", "peak"] <= 1
    assert told["recorded", "RMS (dB of full scale)"] == pytest.approx(-9.03, abs=0.02)
    assert told["made", "notes"] == (~composed.is_drum).sum()
    assert dual_shown.songs(found, danced, made, 0)[0].seconds == pytest.approx(9, abs=0.7)


def test_what_a_study_kept_is_read_back(project, made, danced):
    class Settings:
        seeds, samples, workers = (4,), 9, 1

    def train(settings, data, seed):
        run = open_run("toy", "one", seed=seed, settings={}, data="d", code="pasdedeux.base.checks")
        return run, lambda count: danced

    measured = study({"A system": (train, Settings())}, made, dual_evaluate.evaluate)
    found = dual_shown.of_seed(measured, 4)
    assert list(found) == ["A system"]
    np.testing.assert_array_equal(found["A system"].danced, danced.danced)
    assert dual_shown.of_seed(measured, 5) == {}


def test_no_song_is_shown_of_a_system_that_composed_none(found, danced, made):
    with pytest.raises(ValueError, match="no music was composed for excerpt 0"):
        dual_shown.songs(found, danced._replace(composed=danced.composed[:0]), made, 0)
