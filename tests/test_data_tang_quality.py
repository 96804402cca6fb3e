import numpy as np
import pytest
import tiny_tang

from pasdedeux.data.copies import TANG_HIPS
from pasdedeux.data.tang_quality import DRIFT_CM, FEET, SUSPECT, THIGHS, flags, levelled, quality
from pasdedeux.motion import keypoints


def measured(points, share=1.0):
    return quality(points, levelled(points).floor_metres, share)


def test_a_level_floor_only_moves_to_zero():
    points = tiny_tang.walk(157)
    found = levelled(points)
    np.testing.assert_allclose(found.floor_metres, 0.03)
    np.testing.assert_allclose(found.points_world, points - [0, 0.03, 0], atol=1e-12)


def test_a_slow_drift_goes_and_a_jump_stays():
    points = tiny_tang.walk(1501)
    level = levelled(points).points_world
    drift = 0.25 * np.sin(np.arange(1501) / 500)
    jump = np.where(np.abs(np.arange(1501) - 700) < 10, 0.3, 0.0)
    given = points + np.array([0.0, 1.0, 0.0]) * (drift + jump)[:, None, None]
    found = levelled(given).points_world
    error = found[..., 1] - level[..., 1]
    assert np.abs(error[jump == 0]).max() < 0.025  # half a filter's width of the slope
    assert error[jump > 0] == pytest.approx(0.3, abs=0.025)
    assert measured(given).drift_cm == pytest.approx(25, abs=1)
    np.testing.assert_array_equal(found[..., ::2], given[..., ::2])


def test_frozen_and_fast_frames_are_counted():
    points = tiny_tang.walk(211)
    assert measured(points)[1:3] == (0, 0)
    points[50:61] = points[50]
    assert measured(points).frozen_frames == 10
    points[100, 6] += [0, 0.4, 0]
    assert measured(points).fast_frames == 3  # into it, at it, out of it


def test_soft_bones_are_measured_on_the_worse_thigh():
    points = tiny_tang.walk(1009)
    points[:, [8, 17]] = points[:, [7, 16]] - [0, 0.45, 0]
    assert measured(points).thigh_sd_cm == pytest.approx(0, abs=1e-9)
    points[:, 17, 1] -= 0.03 * np.sign(np.sin(np.arange(1009)))
    assert measured(points).thigh_sd_cm == pytest.approx(3, abs=0.01)


def test_a_clean_dance_has_no_flag_and_each_fault_has_its_number():
    clean = measured(tiny_tang.walk(211))._replace(thigh_sd_cm=0.8)
    assert flags(clean, 211, stretched=False, audio=True) == ()
    bad = clean._replace(frozen_frames=17, fast_frames=2, thigh_sd_cm=4.71, drift_cm=DRIFT_CM + 1)
    assert flags(bad, 211, stretched=False, audio=False) == (
        "no audio: motion only",
        "frozen: 17 frames do not move",
        "fast: 2 frames with a jolt above 25 cm",
        "soft bones: sd of the thigh 4.7 cm",
        "drift: 11 cm of the floor removed",
    )


def test_many_fast_frames_or_a_wrong_length_make_the_time_base_suspect():
    clean = measured(tiny_tang.walk(211))._replace(thigh_sd_cm=0.8)
    (fast, told) = flags(clean._replace(fast_frames=5), 211, stretched=False, audio=True)
    assert fast.startswith(SUSPECT)
    assert told.startswith("fast: 5")
    (short,) = flags(clean._replace(length_share=0.978), 211, stretched=False, audio=True)
    assert short == f"{SUSPECT}: 0.0% of the frames are fast, the length is 2.2% off"
    (old,) = flags(clean._replace(length_share=0.561), 211, stretched=True, audio=True)
    assert old == "stretched: a first-release file of 0.561 of its length"


def test_the_points_that_are_measured_bear_these_names():
    names = keypoints.tang().names
    assert [names[point] for point in FEET] == [
        *("right_heel", "right_toe", "left_heel", "left_toe")
    ]
    assert [[names[point] for point in thigh] for thigh in THIGHS] == [
        *(["right_hip", "right_knee"], ["left_hip", "left_knee"])
    ]
    assert [names[point] for point in TANG_HIPS] == ["left_hip", "right_hip"]
