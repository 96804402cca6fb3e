"""The record of a dance: what it refuses, and where its joints are."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from pasdedeux.data.dance import AIST_GENRES, GENRES, TANG_GENRES, Dance
from pasdedeux.motion import skeleton

T = 5


def _made(**changed):
    rest = np.zeros((T, 24, 6), np.float32)
    rest[..., 0] = rest[..., 4] = 1
    made = Dance(
        name="one",
        corpus="test",
        genre="Waltz",
        group="one",
        song="one",
        translation=np.arange(T * 3, dtype=np.float32).reshape(T, 3),
        rotations=rest,
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32) * 1.1,
        music=np.zeros((T, 53), np.float32),
        beat_seconds=np.array([0.1]),
    )
    return replace(made, **changed)


def test_table_1_names_fourteen_genres_in_its_order():
    assert (*TANG_GENRES.values(), *AIST_GENRES.values()) == GENRES
    assert len(GENRES) == 14
    assert (GENRES[0], GENRES[3], GENRES[-1]) == ("Rumba", "Waltz", "Waack")


def test_a_body_at_rest_stands_where_its_translation_says():
    made = _made()
    expected = made.body.rest_joints() + made.translation[:, None]
    assert np.allclose(made.joints_world, expected, atol=1e-6)
    assert made.joints_world.dtype == np.float32


def test_joints_of_arrays_that_may_only_be_read_are_the_same():
    made, kept = _made(), _made()
    for array in (kept.rotations, kept.translation):
        array.flags.writeable = False
    with warnings.catch_warnings(action="error"):
        assert np.array_equal(kept.joints_world, made.joints_world)
    kept.joints_world[:] = 7  # what comes back is its own memory
    assert np.array_equal(kept.joints_world, made.joints_world)


def test_a_pose_is_translation_then_rotations():
    made = _made()
    assert made.pose.shape == (T, 147)
    assert np.array_equal(made.pose[:, :3], made.translation)
    assert np.array_equal(made.pose[:, 3:].reshape(T, 24, 6), made.rotations)
    assert made.seconds == 0.2


def test_an_unknown_genre_and_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="one: genre must be one of .*'waltz'"):
        _made(genre="waltz")
    for field in ("translation", "rotations", "music", "beat_seconds"):
        broken = getattr(_made(), field).copy()
        broken.flat[0] = np.nan
        with pytest.raises(ValueError, match=f"one: {field} must be finite"):
            _made(**{field: broken})
