"""Genre accuracy on planted vectors, by plain loops, and what the default embedding hears."""

import numpy as np
import pytest

from pasdedeux.metrics import genre
from pasdedeux.metrics.genre import Database

RATE = genre.RATE_HZ


def _planted(seed, count, *, spread=0.05, genres=5, width=7):
    random = np.random.default_rng(seed)
    labels = random.integers(genres, size=count)
    middles = np.random.default_rng(99).standard_normal((genres, width))
    return middles[labels] + spread * random.standard_normal((count, width)), labels


def test_planted_genres_are_all_found():
    vectors, labels = _planted(0, 23)
    database = Database(*_planted(1, 41))
    found = genre.evaluate(vectors, labels, database, train=database.vectors)
    assert (found.accuracy, found.balanced, found.queries) == (100.0, 100.0, 23)


def test_an_embedding_of_nothing_finds_by_chance():
    random = np.random.default_rng(3)
    vectors, database = random.normal(size=(900, 2)), random.normal(size=(900, 2))
    labels, theirs = (np.random.default_rng(n).choice(3, 900, p=(0.6, 0.3, 0.1)) for n in (4, 5))
    found = genre.evaluate(vectors, labels, Database(database, theirs), train=database)
    assert found.chance == pytest.approx(46, abs=4)  # .6 .6 + .3 .3 + .1 .1
    assert found.accuracy == pytest.approx(found.chance, abs=5)
    assert found.balanced == pytest.approx(100 / 3, abs=6)
    assert found.majority == pytest.approx(60, abs=4)


@pytest.mark.parametrize("seed", range(5))
def test_everything_by_plain_loops(seed):
    vectors, labels = _planted(seed, 13, spread=1.5)
    originals, theirs = _planted(seed + 50, 29, spread=1.5)
    excluded = np.random.default_rng(seed).uniform(size=(13, 29)) < 0.4
    spread = originals[:17].std(0)
    right, chances = [], []
    for row in range(13):
        free = [k for k in range(29) if not excluded[row, k]]
        gaps = [np.linalg.norm((vectors[row] - originals[k]) / spread) for k in free]
        right.append(theirs[free[int(np.argmin(gaps))]] == labels[row])
        chances.append(np.mean([theirs[k] == labels[row] for k in free]))
    balanced = np.mean([np.mean(np.array(right)[labels == g]) for g in set(labels.tolist())])
    counts = [int((theirs == g).sum()) for g in range(5)]
    majority = np.mean(labels == int(np.argmax(counts)))
    found = genre.evaluate(
        vectors, labels, Database(originals, theirs), train=originals[:17], excluded=excluded
    )
    expected = [100 * float(x) for x in (np.mean(right), balanced, np.mean(chances), majority)]
    assert found[:4] == pytest.approx(expected)


def test_a_clip_must_not_find_itself():
    vectors, labels = _planted(7, 19, spread=9.0)
    database = Database(vectors, labels)
    itself = np.eye(19, dtype=bool)
    assert genre.retrieved(vectors, database).tolist() == list(range(19))
    assert genre.evaluate(vectors, labels, database, train=vectors).accuracy == 100.0
    found = genre.retrieved(vectors, database, excluded=itself)
    assert not (found == np.arange(19)).any()
    assert genre.evaluate(vectors, labels, database, train=vectors, excluded=itself).accuracy < 70


def test_who_always_says_waltz_is_right_as_often_as_waltzes_are():
    labels = np.array([2] * 8 + [0] * 2 + [1])
    database = Database(np.array([[0.0], [5.0], [9.0], [0.1]]), np.array([2, 0, 1, 2]))
    found = genre.evaluate(np.zeros((11, 1)), labels, database, train=database.vectors)
    assert found.accuracy == found.majority == pytest.approx(100 * 8 / 11)
    assert found.balanced == pytest.approx(100 / 3)
    assert found.chance == pytest.approx(100 * (8 * 0.5 + 3 * 0.25) / 11)


def test_the_scale_is_that_of_training():
    """One channel is a thousand times larger; on the scale of training it is not heard louder."""
    database = Database(np.array([[0.0, 0.0], [1.0, 500.0]]), np.array([0, 1]))
    query, train = np.array([[0.9, 10.0]]), np.array([[0.0, 0.0], [0.1, 9000.0]])
    assert genre.evaluate(query, np.array([1]), database, train=train).accuracy == 100.0
    assert genre.retrieved(query, database).tolist() == [0]


def _tone(hertz, pulse_hz, seed, seconds=2):
    time = np.arange(seconds * RATE) / RATE
    noise = 0.02 * np.random.default_rng(seed).standard_normal(len(time))
    return np.sin(2 * np.pi * hertz * time) * np.exp(-8 * ((time * pulse_hz) % 1)) + noise


def test_the_default_embedding_tells_timbre_and_pulse_apart():
    kinds = [(200.0, 2.0), (200.0, 3.3), (1500.0, 2.0)]
    sounds = np.stack([_tone(*kind, seed) for seed in range(4) for kind in kinds])
    labels = np.tile(np.arange(3), 4)
    vectors = genre.statistics(sounds)
    assert vectors.shape == (12, 138)
    itself = np.eye(12, dtype=bool)
    found = genre.evaluate(
        vectors, labels, Database(vectors, labels), train=vectors, excluded=itself
    )
    assert found.accuracy == 100.0


def test_the_pulse_peaks_at_its_period():
    strength = (np.arange(430) % 20 == 0).astype(float)
    lags = np.geomspace(genre.FASTEST_SECONDS, genre.SLOWEST_SECONDS, genre.PULSES)
    pulse = genre._pulse(strength, 43.0)
    period = 20 / 43.0
    strongest = lags[int(np.argmax(pulse[lags < 0.8]))]
    assert strongest == pytest.approx(period, rel=0.15)
    assert genre._pulse(np.ones(50), 43.0).tolist() == [0.0] * genre.PULSES


def test_silence_has_finite_statistics():
    assert np.isfinite(genre.statistics(np.zeros((2, 2 * RATE)))).all()
    assert genre.statistics(np.zeros((0, 2 * RATE))).shape == (0, 138)


def test_what_cannot_be_judged_is_refused():
    database = Database(np.zeros((3, 2)), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match="no original left"):
        genre.retrieved(np.zeros((2, 2)), database, excluded=np.ones((2, 3), bool))
    with pytest.raises(ValueError, match="excluded must have shape"):
        genre.retrieved(np.zeros((2, 2)), database, excluded=np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="as many vectors as genres"):
        genre.retrieved(np.zeros((2, 2)), Database(np.zeros((0, 2)), np.zeros(0, int)))
    with pytest.raises(ValueError, match="equally many"):
        genre.evaluate(np.zeros((0, 2)), np.zeros(0, int), database, train=database.vectors)
    with pytest.raises(ValueError, match=r"1\.5 s or longer"):
        genre.statistics(np.zeros((1, RATE)))
    with pytest.raises(ValueError, match="finite"):
        genre.statistics(np.full((1, 2 * RATE), np.nan))
