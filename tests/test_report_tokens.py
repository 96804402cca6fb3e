"""Token pictures: numbers of codes, none in MASK, names, marks, refusals."""

import numpy as np
import pytest

from pasdedeux.report.picture import png
from pasdedeux.report.tokens import token_rows

TOKENS = np.array([[0, 1, 2, 5, 4], [5, 5, 3, 5, 0]])


def test_every_code_shows_its_number_and_mask_none():
    drawn = token_rows({"first": TOKENS, "second": TOKENS[:, ::-1]}, codes=5, rows=("a", "b"))
    one, two = drawn.axes
    assert [text.get_text() for text in one.texts] == ["0", "1", "2", "4", "3", "0"]
    assert [text.get_text() for text in two.texts] == ["4", "2", "1", "0", "0", "3"]
    assert [label.get_text() for label in one.get_yticklabels()] == ["a", "b"]
    assert not two.get_yticklabels()
    assert png(drawn)


def test_mask_has_a_grey_that_no_code_has():
    image = token_rows({"": TOKENS}, codes=5).axes[0].images[0]
    colours = image.cmap(image.norm(np.arange(6)))
    grey = colours[:, :3].std(axis=1) < 1e-6
    assert grey.tolist() == [False] * 5 + [True]


def test_many_codes_and_long_sequences_are_shades_without_numbers():
    many = np.arange(2 * 43).reshape(2, 43)
    drawn = token_rows({"": many}, codes=100)
    assert not drawn.axes[0].texts
    assert png(drawn)


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="at least one panel"):
        token_rows({}, codes=5)
    with pytest.raises(ValueError, match=r"0 \.\. 4 \(4 is MASK\), got 0 \.\. 5"):
        token_rows({"a": TOKENS}, codes=4)
    with pytest.raises(ValueError, match="2 rows, but 1 names"):
        token_rows({"a": TOKENS}, codes=5, rows=("only",))
