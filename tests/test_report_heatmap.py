"""Heat maps: every number is written, 0 is a dot, nonsense is refused."""

import numpy as np
import pytest

from pasdedeux.report.heatmap import heat_maps
from pasdedeux.report.picture import png

VALUES = np.array([[1.0, 0.0, 250.0], [0.031, 7.0, 2.0]])
NAMES = {"rows": ("up", "down"), "columns": ("a one", "b", "c")}


def test_each_cell_tells_its_number_and_a_dot_is_0():
    drawn = heat_maps({"first": VALUES, "second": 2 * VALUES}, **NAMES)
    one, two = drawn.axes
    assert [text.get_text() for text in one.texts] == ["1", "·", "2.5e+02", "0.031", "7", "2"]
    assert two.texts[0].get_text() == "2"
    assert [label.get_text() for label in one.get_yticklabels()] == ["up", "down"]
    assert one.images[0].norm.vmax == two.images[0].norm.vmax == 500
    assert png(drawn)


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="at least one table"):
        heat_maps({}, **NAMES)
    with pytest.raises(ValueError, match="its names are"):
        heat_maps({"first": VALUES.T}, **NAMES)
    with pytest.raises(ValueError, match="finite and at least 0"):
        heat_maps({"first": -VALUES}, **NAMES)
    with pytest.raises(ValueError, match="every number is 0"):
        heat_maps({"first": 0 * VALUES}, **NAMES)
