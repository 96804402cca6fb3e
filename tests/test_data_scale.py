import numpy as np
import pytest

from pasdedeux.data.scale import Scale


def songs(seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for frames in (31, 47, 5):
        loud = rng.normal(loc=-200, scale=30, size=(frames, 40))
        chroma = rng.uniform(size=(frames, 12))
        beat = rng.integers(0, 2, size=(frames, 1))
        found.append(np.concatenate([loud, chroma, beat], axis=1).astype(np.float32))
    return found


def test_by_hand():
    scale = Scale.fit(
        [np.array([[1.0, 5.0], [3.0, 6.0]]), np.array([[5.0, 7.0]])], channels=slice(1)
    )
    assert scale.mean.tolist() == [3, 0]
    assert scale.spread == pytest.approx([np.sqrt(8 / 3), 1])
    assert scale.apply(np.array([3.0, 9.0])).tolist() == [0, 9]


def test_mfcc_are_standardised_over_all_frames_and_the_rest_stays():
    given = songs()
    scale = Scale.fit(given)
    frames = np.concatenate([scale.apply(song) for song in given])
    assert frames.dtype == np.float32
    assert frames[:, :40].mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert frames[:, :40].std(axis=0) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(frames[:, 40:], np.concatenate(given)[:, 40:])


def test_only_the_songs_that_are_given_count():
    train, test = songs()[:2], songs(seed=5)
    scale = Scale.fit(train)
    again = Scale.fit(iter(train))
    np.testing.assert_array_equal(scale.mean, again.mean)
    assert np.abs(np.concatenate([scale.apply(song) for song in test])[:, :40].mean()) > 1e-4


def test_there_and_back_in_any_shape():
    scale = Scale.fit(songs())
    batch = np.stack([songs()[0][:5], songs()[1][:5]]).astype(float)
    np.testing.assert_allclose(scale.inverse(scale.apply(batch)), batch)
    assert scale.apply(batch[0, 0]).shape == (53,)


def test_a_constant_channel_only_loses_its_mean():
    frames = np.random.default_rng(0).normal(size=(13, 3))
    frames[:, 1] = -417.3
    frames[:, 2] = 0
    assert frames[:, 1].std() > 0  # by rounding alone
    scale = Scale.fit([frames], channels=slice(0, 3))
    assert scale.spread[1:].tolist() == [1, 1]
    assert scale.apply(frames)[:, 1:] == pytest.approx(0, abs=1e-4)


def test_one_frame_is_enough_and_none_is_refused():
    assert Scale.fit([songs()[0][:1]]).spread.tolist() == [1] * 53
    for nothing in ([], [np.zeros((0, 53))]):
        with pytest.raises(ValueError, match="no frame to fit on; give the features of the train"):
            Scale.fit(nothing)


def test_it_is_kept_as_arrays(tmp_path):
    scale = Scale.fit(songs())
    np.savez(tmp_path / "scale.npz", other=np.zeros(3), **scale.to_arrays())
    with np.load(tmp_path / "scale.npz") as kept:
        again = Scale.from_arrays({name: kept[name] for name in kept.files})
    np.testing.assert_array_equal(again.apply(songs()[0]), scale.apply(songs()[0]))
    with pytest.raises(ValueError, match="arrays lack spread; give what to_arrays returned"):
        Scale.from_arrays({"mean": np.zeros(3)})


def test_what_cannot_be_applied_is_refused():
    bad = songs()
    bad[1][3, 5] = np.nan
    with pytest.raises(ValueError, match="features to fit on must be finite"):
        Scale.fit(bad)
    with pytest.raises(ValueError, match="features must have 53 channels, got 52"):
        Scale.fit(songs()).apply(np.zeros((7, 52)))
    with pytest.raises(ValueError, match="spread must be above 0"):
        Scale(np.zeros(3), np.array([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="must be finite"):
        Scale(np.array([np.inf]), np.ones(1))
