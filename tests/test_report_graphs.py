"""Graphs: the numbers given are the numbers drawn."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

from pasdedeux.report.graphs import clouds, histograms, lines
from pasdedeux.report.picture import png

RNG = np.random.default_rng(0)


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


def test_clouds_draw_every_set_under_its_name() -> None:
    x, y = RNG.random((3, 2)), torch.rand(2, 2)
    drawn = clouds({"before": {"x": x, "y": y}, "after": {"x": x + 1}}, numbered=True)
    first, second = drawn.axes[0].collections
    np.testing.assert_allclose(first.get_offsets(), x)
    np.testing.assert_allclose(second.get_offsets(), y)
    assert len(drawn.axes[1].collections) == 1
    assert {"before", "after", "x", "y", "0", "1", "2"} <= texts(drawn)


def test_lines_hold_the_numbers_and_the_levels() -> None:
    curves = {"fast": ([1, 2, 5], [1.0, 0.1, 0.01]), "slow": ([1, 3], torch.tensor([1.0, 0.5]))}
    drawn = lines({"gap": curves}, x="iterations", scale="both", levels={"enough": 0.3})
    (axes,) = drawn.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.0, 0.1, 0.01])
    np.testing.assert_allclose(axes.lines[1].get_xdata(), [1, 3])
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert {"gap", "iterations", "fast", "slow", "enough"} <= texts(drawn)
    assert lines({"gap": curves}, x="iterations").axes[0].get_yscale() == "linear"


def test_a_legend_that_would_lie_on_a_line_stands_above_all_panels() -> None:
    across = np.arange(200)
    busy = {"up and down": (across, across % 2), "down and up": (across, 1 - across % 2)}
    drawn = lines({"one": busy, "two": busy}, x="update")
    assert all(axes.get_legend() is None for axes in drawn.axes)
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == list(busy)
    drawn.draw_without_rendering()
    below = max(axes.get_window_extent().y1 for axes in drawn.axes)
    assert legend.get_window_extent().y0 > below
    free = lines({"one": {"a": ([0, 1], [0, 1]), "b": ([0, 1], [0, 2])}}, x="update")
    assert free.axes[0].get_legend() is not None
    assert free.legends == []


def test_a_label_has_one_colour_in_all_panels() -> None:
    line = ([0, 1], [0, 1])
    drawn = lines({"one": {"b": line}, "both": {"a": line, "b": line}}, x="update")
    (alone,), (other, same) = (axes.lines for axes in drawn.axes)
    assert alone.get_color() == same.get_color() != other.get_color()


def test_histograms_share_their_bins() -> None:
    drawn = histograms(
        {"a": [0.0, 1.0, 1.0], "b": torch.tensor([4.0])}, x="value", bins=4, mark=2.0
    )
    heights = [patch.get_height() for patch in drawn.axes[0].patches]
    assert heights == [1, 2, 0, 0, 0, 0, 0, 1]
    assert {"a", "b", "value", "count"} <= texts(drawn)


def test_the_same_picture_has_the_same_bytes() -> None:
    made = [png(clouds({"points": {"x": np.eye(2)}})) for _ in range(2)]
    assert made[0] == made[1]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="clouds needs at least one panel"):
        clouds({})
    with pytest.raises(ValueError, match="at least one panel"):
        lines({}, x="iterations")
    with pytest.raises(ValueError, match="at least one set"):
        histograms({}, x="value")
