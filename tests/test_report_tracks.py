"""Lines along an axis: one for each column, marks where they belong, the same bytes again."""

import numpy as np
import pytest

from pasdedeux.report.picture import png
from pasdedeux.report.tracks import tracks

X = np.linspace(0, 2, 11)


def test_a_panel_has_a_line_for_each_column_and_a_mark_for_each_moment():
    drawn = tracks(
        {"one": np.stack([X, X**2], 1), "two": X[:, None]},
        X,
        "seconds",
        marks={"beat": np.array([0.5, 1.5]), "step": np.array([1.0])},
    )
    first, second = drawn.axes
    assert (first.get_title(), second.get_title()) == ("one", "two")
    assert first.get_xlabel() == "seconds"
    curves = [line for line in first.lines if len(line.get_xdata()) == 11]
    assert [list(line.get_ydata()) for line in curves] == [list(X), list(X**2)]
    marks = sorted(line.get_xdata()[0] for line in second.lines if len(line.get_xdata()) == 2)
    assert marks == [0.5, 1.0, 1.5]
    assert [text.get_text() for text in drawn.legends[0].texts] == ["beat", "step"]


def test_the_same_numbers_give_the_same_bytes():
    assert png(tracks({"one": X[:, None]}, X, "x")) == png(tracks({"one": X[:, None]}, X, "x"))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="at least one panel"):
        tracks({}, X, "x")
    with pytest.raises(ValueError, match="one: a line needs finite"):
        tracks({"one": np.full((11, 1), np.nan)}, X, "x")
    with pytest.raises(ValueError, match="one: 10 rows, but x has 11"):
        tracks({"one": X[:10, None]}, X, "x")
