"""The machine listener for dances: planted genres, ranks by hand, intervals over dances."""

import dances
import numpy as np
import pytest

from pasdedeux.papers import dance_judge
from pasdedeux.papers.dual_evaluate import WINDOWS, Excerpts


def planted(count, centre, seed, D=7):
    return centre + np.random.default_rng(seed).normal(size=(count, D))


@pytest.fixture(scope="module")
def judge():
    """Three genres far apart, one with many more windows than the others."""
    rows = [planted(n, 6.0 * k, k) for k, n in enumerate((61, 11, 13))]
    names = ["Waltz"] * 61 + ["Lock"] * 11 + ["Pop"] * 13
    return dance_judge.trained(np.concatenate(rows), names)


def test_planted_genres_are_recognised(judge):
    assert judge.genres == ("Lock", "Pop", "Waltz")
    for name, centre in (("Waltz", 0.0), ("Lock", 6.0), ("Pop", 12.0)):
        found = judge.distances(planted(17, centre, 5)).argmin(axis=1)
        assert {judge.genres[place] for place in found} == {name}


def test_genres_count_alike_in_the_scale(judge):
    """With 61 waltzes and 11 others counted as they are, the mean would lie near the waltzes."""
    assert judge.scale.mean == pytest.approx(np.full(7, 6.0), abs=0.6)


def test_margins_by_hand():
    distances = np.array([[1.0, 4.0, 2.5], [3.0, 3.0, 9.0]])
    brute = [[min(d for h, d in enumerate(row) if h != g) - row[g] for g in range(3)]
             for row in distances]  # fmt: skip
    found = dance_judge.margins_of(distances)
    assert found == pytest.approx(np.array(brute))
    assert found[0].tolist() == [1.5, -3.0, -1.5]
    assert (found[1, :2] == 0).all()  # a tie: nobody is nearer


def test_ranks_by_hand():
    genre = np.array([0, 1, -1])
    margins = {
        "a": np.array([[5.0, 0.0], [0.0, 2.0], [9.0, 9.0]]),
        "b": np.array([[1.0, 9.0], [9.0, 3.0], [0.0, 0.0]]),
        "c": np.array([[1.0, 0.0], [0.0, -1.0], [0.0, 0.0]]),
    }
    assert dance_judge.average_ranks(margins, genre) == {"a": 1.5, "b": 1.75, "c": 2.75}


def test_balanced_accuracy_counts_genres_alike():
    """Nine excerpts of genre 0, all right; two of genre 1, one right: 75 and not 91 percent."""
    genre = np.array([0] * 9 + [1] * 2)
    margins = np.where(np.arange(2) == genre[:, None], 1.0, -1.0)
    margins[-1] = [1.0, -1.0]
    dance = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4])
    found = dance_judge.recognised(margins, genre, dance)
    assert found.balanced.value == pytest.approx(75.0)
    assert (found.chance, found.genres, found.excerpts) == (50.0, 2, 11)
    assert found.balanced.listeners == 5
    assert found.balanced.low < 75 < found.balanced.high


def test_few_dances_that_are_all_right_have_no_narrow_interval():
    genre, dance = np.array([0, 1, 1]), np.array([4, 5, 6])
    margins = np.where(np.arange(2) == genre[:, None], 1.0, -1.0)
    found = dance_judge.recognised(margins, genre, dance).balanced
    assert (found.value, found.high) == (100.0, 100.0)
    assert found.low < 50


def test_unknown_genres_are_left_out():
    margins = np.array([[1.0, -1.0], [1.0, -1.0]])
    found = dance_judge.recognised(margins, np.array([0, -1]), np.array([0, 1]))
    assert (found.balanced.value, found.excerpts) == (100.0, 1)
    with pytest.raises(ValueError, match="no excerpt is of a genre"):
        dance_judge.recognised(margins, np.array([-1, -1]), np.array([0, 1]))


def test_an_excerpt_is_judged_by_its_windows_together():
    pairs = dances.pairs(count=23)
    judge = dance_judge.judge(pairs)
    assert judge.genres == ("Lock", "Waltz")
    whole = dances.poses(2, WINDOWS * dances.T, 3)
    margins = dance_judge.heard(judge, whole)
    parts = [judge.distances(dance_judge.vectors(one.reshape(WINDOWS, dances.T, 147))).mean(axis=0)
             for one in whole]  # fmt: skip
    assert margins == pytest.approx(dance_judge.margins_of(np.array(parts)))


def test_vectors_do_not_see_where_a_dance_begins():
    pose = dances.poses(3, dances.T, 4)
    moved = pose.copy()
    moved[..., [0, 2]] += 5.0
    first = dance_judge.vectors(pose)
    assert first.shape == (3, 24 * 3 + 32)
    assert dance_judge.vectors(moved) == pytest.approx(first, abs=1e-2)


def _excerpts(pairs, rows):
    frames = WINDOWS * dances.T
    music, pose = dances.songs(len(rows), frames, 0), dances.poses(len(rows), frames, 0)
    return Excerpts(np.array(rows), np.zeros(len(rows), dtype=int), music, pose)


def test_one_genre_is_no_judge():
    pairs = dances.pairs(genres=("Waltz",))
    assert "one genre only (Waltz)" in dance_judge.why_not(pairs, _excerpts(pairs, [0]))
    both = dances.pairs()
    assert dance_judge.why_not(both, _excerpts(both, [0, 1])) == ""
    places = dance_judge.places_of(dance_judge.judge(both), _excerpts(both, [0, 1]), both)
    assert places.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda j: dance_judge.trained(np.zeros((3, 2)), ["Waltz"] * 3), "two genres at least"),
        (lambda j: dance_judge.trained(np.zeros((3, 2)), ["Waltz"]), "3 vectors for 1 genres"),
        (lambda j: j.distances(np.zeros((2, 3))), "7 long"),
        (lambda j: j.distances(np.full((2, 7), np.nan)), "vectors must be finite"),
        (
            lambda j: dance_judge.average_ranks({"a": np.zeros((1, 2))}, np.array([0])),
            "two methods",
        ),
        (
            lambda j: dance_judge.average_ranks(
                {"a": np.zeros((1, 2)), "b": np.zeros((2, 2))}, np.array([0])
            ),
            "different numbers",
        ),
        (lambda j: dance_judge.heard(j, np.zeros((2, 4, 147))), "of 3 windows"),
    ],
)
def test_what_cannot_be_judged_is_refused(judge, call, message):
    with pytest.raises(ValueError, match=message):
        call(judge)
