"""Comparisons: the three answers by known cases, and tables that say what they hold."""

import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from pasdedeux.report.compare import comparison, comparisons


@pytest.mark.parametrize(
    ("ours", "theirs", "exact", "approximate", "difference"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], True, True, 0.0),
        ([1.0, 2.0, 3.0 + 1e-9], [1.0, 2.0, 3.0], False, True, 1e-9),
        ([1.0, 2.0, 3.5], [1.0, 2.0, 3.0], False, False, 0.5),
        ([math.inf, 0.0], [1.0, 0.0], False, False, math.inf),
        (7, 7.0, True, True, 0.0),
        ([2.0, 2.0, 2.0], 2.0, True, True, 0.0),
    ],
)
def test_known_cases(ours, theirs, exact, approximate, difference):
    found = comparison("case", ours, theirs)
    assert (found.exact, found.approximate) == (exact, approximate)
    assert found.max_difference == pytest.approx(difference, rel=1e-3)


def test_nan_is_equal_to_nothing():
    for theirs in (math.nan, 1.0):
        found = comparison("nan", math.nan, theirs)
        assert not found.exact and not found.approximate
        assert math.isnan(found.max_difference)
    assert not comparison("inf", math.inf, math.inf).approximate


def test_the_coarser_type_sets_the_tolerance_and_size_does_not_matter():
    theirs = torch.tensor([1.0, 3.0], dtype=torch.float64)
    near = theirs + 3e-5
    assert not comparison("float64", near, theirs).approximate
    assert comparison("float32", near.float(), theirs).approximate
    assert comparison("told", near, theirs, tolerance=1e-4).approximate
    assert comparison("large", 1e9 * near, 1e9 * theirs, tolerance=1e-4).approximate
    assert comparison("nothing", [0.0, 1e-12], [0.0, 0.0]).approximate


def test_tensors_with_gradients_arrays_and_numbers_compare():
    leaf = torch.tensor([2.0, 5.0], requires_grad=True)
    assert comparison("leaf", leaf, np.array([2.0, 5.0])).exact
    assert comparison("order", torch.tensor([3, 1, 2]), [3, 1, 2]).exact


def test_what_is_meant_to_differ_is_as_expected_when_it_does():
    misprint = comparison("misprint", 3.0, 2.0, expected="different")
    assert misprint.holds and not misprint.approximate
    assert not comparison("misprint", 2.0, 2.0, expected="different").holds
    assert not comparison("mistake", 3.0, 2.0).holds


def test_several_make_one_table_with_a_verdict():
    good, bad = comparison("a < b", 1.0, 1.0), comparison("wrong", 1.0, 2.0)
    table = comparisons(good, comparisons(good, bad))
    assert table.verdict == "2 of 3 as expected; not: wrong"
    assert comparisons(good).verdict == "1 of 1 as expected"
    lines = repr(table).splitlines()
    assert lines[0] == "a < b | exact: yes | approximate: yes | max: 0.0e+00"
    assert lines[-1] == table.verdict
    assert table._repr_markdown_().count("\n| ") == 4
    seen = []
    parser = HTMLParser()
    parser.handle_data = seen.append
    parser.feed(table._repr_html_())
    assert "a < b" in seen and "1.0e+00" in seen and table.verdict in seen


def test_unlike_shapes_and_nothing_are_refused():
    with pytest.raises(ValueError, match=r"case: ours has shape \(2,\), theirs \(3,\)"):
        comparison("case", [1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="nothing to compare"):
        comparison("case", [], [])
    with pytest.raises(ValueError, match="at least one row"):
        comparisons()
    with pytest.raises((TypeCheckError, ValueError), match="expected"):
        comparison("case", 1.0, 1.0, expected="unequal")
