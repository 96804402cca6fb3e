import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.data.splits import SHARES, balanced, held_out, split, together


@st.composite
def items(draw):
    """Draw groups, strata and weights of many items."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 60), st.sampled_from("pqr"), st.integers(1, 30)),
            min_size=1,
            max_size=151,
        )
    )
    groups, strata, weights = zip(*rows, strict=True)
    return [f"tune {group}" for group in groups], list(strata), list(weights)


@given(items())
def test_no_tune_lies_on_two_sides(drawn):
    groups, strata, weights = drawn
    found = split(groups, strata, weights)
    places = {}
    for group, part in zip(groups, found, strict=True):
        assert places.setdefault(group, part) == part
    assert set(found) <= set(SHARES)


@given(items(), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(drawn, random):
    rows = list(zip(*drawn, split(*drawn), strict=True))
    random.shuffle(rows)
    *shuffled, expected = zip(*rows, strict=True)
    assert split(*map(list, shuffled)) == list(expected)


def test_every_stratum_gets_its_shares():
    rng = np.random.default_rng(7)
    groups = [f"tune {i}" for i in range(601)]
    strata = [("slow", "fast", "none")[i % 3] for i in range(601)]
    weights = rng.integers(20, 90, 601)
    found = np.array(split(groups, strata, weights.tolist()))
    for stratum in set(strata):
        inside = np.array(strata) == stratum
        for part, share in SHARES.items():
            got = weights[inside & (found == part)].sum() / weights[inside].sum()
            assert got == pytest.approx(share, abs=0.01)


def test_the_visits_by_hand():
    # SHA-1 order: d (3c..), c (84..), a (86..), b (e9..)
    assert split(list("abcd"), ["s"] * 4, [1, 1, 1, 1], largest_group=1.0) == [
        *("train", "valid", "train", "train")
    ]


def test_a_large_tune_goes_to_train_wherever_it_would_fall():
    groups = [f"tune {i}" for i in range(40)]
    small = split(groups, ["s"] * 40, [10] * 40)
    victim = small.index("test")
    weights = [10] * 40
    weights[victim] = 25
    assert 0.05 * sum(weights) < weights[victim]
    assert split(groups, ["s"] * 40, weights)[victim] == "train"


def test_a_tune_of_two_strata_lies_where_it_weighs_most():
    groups, strata = ["x", "x", "x", *map(str, range(40))], ["p", "q", "q", *(["p"] * 40)]
    assert len(set(split(groups, strata, [3, 1, 1] + [2] * 40)[:3])) == 1


def test_shares_and_lengths_are_checked():
    with pytest.raises(ValueError, match="shares must add up to 1"):
        split(["a"], ["s"], [1], shares={"train": 0.8, "test": 0.1})
    with pytest.raises(ValueError, match="equally long, got 2, 1 and 1"):
        split(["a", "b"], ["s"], [1])


def test_balanced_rows_are_distinct_ascending_and_of_all_places():
    found = balanced(101, 37, np.random.default_rng(3))
    assert len(set(found.tolist())) == 37
    assert (np.diff(found) > 0).all()
    drawn = np.concatenate([balanced(11, 3, np.random.default_rng(i)) for i in range(2000)])
    assert np.bincount(drawn, minlength=11) == pytest.approx(6000 / 11, rel=0.15)
    with pytest.raises(ValueError, match="cannot draw 5 of 3 rows"):
        balanced(3, 5, np.random.default_rng(0))


def test_together_by_hand():
    choreographies = ["a", "b", "b", "c", "d", "e"]
    songs = ["s", "s", "t", "u", "t", "v"]
    assert together(choreographies, songs) == ["a", "a", "a", "c", "a", "e"]
    assert together(choreographies) == choreographies
    assert together(songs, choreographies) == ["s", "s", "s", "u", "s", "v"]
    assert together([], []) == []
    with pytest.raises(ValueError, match=r"equally long, got lengths \[1, 2\]"):
        together(["a"], ["b", "c"])


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=23))
def test_clusters_share_nothing(rows):
    labels = [[f"{kind}{row[i]}" for row in rows] for i, kind in enumerate("gs")]
    found = together(*labels)
    for label in labels:
        homes = {}
        for name, cluster in zip(label, found, strict=True):
            assert homes.setdefault(name, cluster) == cluster
    for cluster in set(found):  # and each hangs together: grown from one item it is reached whole
        inside = {i for i, name in enumerate(found) if name == cluster}
        reached = {min(inside)}
        for _ in inside:
            reached |= {i for i in inside for j in reached if np.equal(rows[i], rows[j]).any()}
        assert reached == inside


@given(items(), st.randoms(use_true_random=False))
def test_held_out_groups_are_whole_and_the_order_does_not_matter(drawn, random):
    groups, strata, weights = drawn
    shares = [(int(group.split()[1]) * 37 % 101) / 100 for group in groups]
    found = held_out(groups, strata, weights, shares)
    places = {}
    for group, part in zip(groups, found, strict=True):
        assert places.setdefault(group, part) == part
    rows = list(zip(groups, strata, weights, shares, found, strict=True))
    random.shuffle(rows)
    *shuffled, expected = zip(*rows, strict=True)
    assert held_out(*map(list, shuffled)) == list(expected)


def test_the_least_copied_are_held_out_by_hand():
    names = [f"W_{i}" for i in range(10)]
    copied = [0.9, 0.4, 0.8, 0.95, 0.99, 0.5, 0.97, 1.0, 0.6, 0.7]
    found = held_out(names, ["w"] * 10, [10] * 10, copied)
    assert dict(zip(names, found, strict=True)) == dict.fromkeys(names, "train") | {
        "W_1": "test",
        "W_5": "valid",
    }
    light = held_out(names, ["w"] * 10, [10, 5, *([10] * 8)], copied)
    parts = [light[names.index(name)] for name in ("W_1", "W_5", "W_8", "W_9")]
    assert parts == ["test", "valid", "test", "train"]


def test_copied_shares_of_a_group_are_weighed():
    found = held_out(list("aabcd"), ["w"] * 5, [90, 10, 100, 100, 100], [0.5, 0.0, 0.4, 0.5, 0.9])
    assert found == ["valid", "valid", "test", "train", "train"]


def test_a_long_group_is_not_taken_for_a_copied_one():
    found = held_out(list("abcd"), ["w"] * 4, [500, 20, 20, 100], [0.1, 0.5, 0.6, 0.9])
    assert found == ["test", "valid", "valid", "train"]


def test_something_is_always_left_to_train_on():
    assert held_out(list("abc"), ["w"] * 3, [1, 1, 100], [0.1, 0.2, 0.3])[2] == "train"


def test_a_genre_of_two_cannot_fill_three_splits():
    assert held_out(list("abcde"), list("ttccc"), [1] * 5, [0.0] * 5)[:2] == ["train", "train"]
    assert sorted(held_out(list("abc"), ["c"] * 3, [1] * 3, [0.0] * 3)) == [
        "test",
        "train",
        "valid",
    ]
    assert held_out([], [], [], []) == []


def test_held_out_checks_what_it_gets():
    with pytest.raises(ValueError, match="equally long, got 2, 2, 2 and 1"):
        held_out(["a", "b"], ["s", "s"], [1, 1], [0.5])
    with pytest.raises(ValueError, match=r"near_shares must lie in 0\.\.1, got 94\.0 for a"):
        held_out(["a"], ["s"], [1], [94.0])
    with pytest.raises(ValueError, match="weights must be above 0, got 0"):
        held_out(["a"], ["s"], [0], [0.5])
    with pytest.raises(ValueError, match="shares must add up to 1"):
        held_out(["a"], ["s"], [1], [0.5], shares={"train": 0.5, "valid": 0.1, "test": 0.1})
