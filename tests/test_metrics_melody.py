import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import wasserstein_distance

from pasdedeux.metrics import melody
from pasdedeux.music.melody import Vocabulary

WORDS = Vocabulary((60, 62, 64, 67, 72))  # ids 2..6
OFF, HOLD, C, D, E, G, HIGH = 0, 1, 2, 3, 4, 5, 6
WINDOWS = np.array(
    [
        [HOLD, C, HOLD, HOLD, OFF, HOLD, D],
        [C, C, E, HOLD, HIGH, G, HOLD],
    ]
)


def test_durations_count_holds_after_each_onset_by_hand():
    expected = np.zeros((2, 7), dtype=int)
    expected[0, [2, 0]] = 1  # C held twice; D not at all
    expected[1, 0], expected[1, 1] = 3, 2  # C, C, high C; E and G held once
    assert (melody.durations(WINDOWS, WORDS) == expected).all()


def test_pitch_classes_drop_special_tokens_by_hand():
    expected = np.zeros((2, 12), dtype=int)
    expected[0, [0, 2]] = 1
    expected[1, 0], expected[1, 4], expected[1, 7] = 3, 1, 1
    assert (melody.pitch_classes(WINDOWS, WORDS) == expected).all()


def test_interval_pairs_see_order_by_hand():
    found = melody.interval_pairs(WINDOWS, WORDS)
    assert found[0].sum() == 0, "two notes make one interval and no pair"
    middle, size = melody.LARGEST_INTERVAL, 2 * melody.LARGEST_INTERVAL + 1
    steps = [0, 4, 8, -5]  # C C E c G
    pairs = [(a + middle) * size + b + middle for a, b in zip(steps, steps[1:], strict=False)]
    assert sorted(np.flatnonzero(found[1])) == sorted(pairs)


distributions = hnp.arrays(np.float64, 11, elements=st.floats(0.01, 1)).map(lambda x: x / x.sum())


@given(distributions, distributions)
def test_earth_mover_is_scipys_and_pots(p, q):
    bins = np.arange(11.0)
    ours = melody.earth_mover(p, q)
    assert ours == pytest.approx(wasserstein_distance(bins, bins, p, q), abs=1e-12)
    assert ours == pytest.approx(ot.wasserstein_1d(bins, bins, p, q), abs=1e-9)


@given(distributions, distributions)
def test_circular_earth_mover_is_the_exact_transport_on_a_circle(p, q):
    around = np.abs(np.arange(11)[:, None] - np.arange(11)[None, :])
    exact = ot.emd2(p, q, np.minimum(around, 11 - around).astype(float))
    assert melody.earth_mover_circular(p, q) == pytest.approx(exact, abs=1e-9)


@given(distributions, distributions, distributions)
def test_distances_are_metrics(p, q, r):
    for distance in (*melody.DISTANCES.values(), melody.earth_mover_circular):
        assert distance(p, p) == pytest.approx(0, abs=1e-12)
        assert distance(p, q) == pytest.approx(distance(q, p))
        assert distance(p, r) <= distance(p, q) + distance(q, r) + 1e-12


def test_evaluate_on_one_of_the_references_shows_what_ratio_is_blind_to():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (13, 7)), rng.integers(2, 7, (11, 7))
    found = melody.evaluate(a, b, a, WORDS)
    for head in ("DD EUD", "DD EM", "NPD EUD", "NPD EM", "NPD circular EM"):
        assert found[f"{head} Ratio"] == pytest.approx(1.0)
        assert found[f"{head} imbalance"] == pytest.approx(1.0)
        assert found[f"{head} d_a"] == 0.0
    assert all(np.isfinite(list(found.values())))


def test_shuffled_notes_keep_dd_and_npd_and_lose_the_intervals():
    rng = np.random.default_rng(1)
    scale = np.tile([C, D, E, G, HIGH, G, E, D], (23, 2))
    shuffled = rng.permuted(scale, axis=1)
    drone = np.full_like(scale, C)
    drone[:, 1::3] = HOLD
    one, other = (melody.evaluate(scale, drone, x, WORDS) for x in (scale, shuffled))
    for label in ("DD", "NPD"):
        assert one[f"{label} EUD d_a"] == other[f"{label} EUD d_a"] == 0.0
    assert other["interval pairs"] > one["interval pairs"] + 0.1


def test_bad_windows_are_refused_by_name():
    good = np.full((3, 7), C)
    with pytest.raises(ValueError, match=r"estimate holds ids 2\.\.7, the vocabulary has 0\.\.6"):
        melody.evaluate(good, good, good + np.eye(3, 7, dtype=int) * 5, WORDS)
    with pytest.raises(ValueError, match="reference_a holds no note"):
        melody.evaluate(good * 0, good, good, WORDS)
    with pytest.raises(ValueError, match="Ratio is undefined"):
        melody.evaluate(good, good, good, WORDS)
