import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.data.splits import SHARES, balanced, split


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
