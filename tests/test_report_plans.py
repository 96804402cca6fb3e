"""Pictures of transport: the numbers given are the numbers drawn."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

from pasdedeux.report.picture import png
from pasdedeux.report.plans import clouds, histograms, lines, matrices

RNG = np.random.default_rng(0)


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


def images(figure) -> list:
    return [axes.images[0] for axes in figure.axes if axes.images]


def test_matrices_are_drawn_as_given_with_white_at_zero() -> None:
    shown = {"first": RNG.random((3, 5)), "second": torch.rand(7, 2) + 2}
    drawn = matrices(shown, names=("dance", "music"))
    for image, matrix in zip(images(drawn), shown.values(), strict=True):
        np.testing.assert_allclose(image.get_array(), np.asarray(matrix))
        assert image.get_clim() == pytest.approx((0.0, float(matrix.max())))
    assert {"first", "second", "dance", "music"} <= texts(drawn)
    shared = matrices(shown, one_scale=True)
    assert len({image.get_clim() for image in images(shared)}) == 1


def test_rings_lie_on_the_plan_that_should_be_found() -> None:
    order = [2, 0, 1]
    drawn = matrices({"plan": np.ones((3, 3)) / 9}, ringed=np.eye(3)[order] / 3)
    (rings,) = drawn.axes[0].collections
    np.testing.assert_array_equal(rings.get_offsets(), [[2, 0], [0, 1], [1, 2]])


def test_matrices_go_on_in_the_next_line() -> None:
    drawn = matrices({str(k): np.eye(2) for k in range(4)}, across=3, one_scale=True)
    panels = [axes for axes in drawn.axes if axes.images and axes.get_visible()]
    assert len(panels) == 4


def test_clouds_tie_pairs_by_their_share_of_the_plan() -> None:
    x, y = RNG.random((3, 2)), torch.rand(2, 2)
    plan = np.array([[1.0, 0.0], [0.5, 0.01], [0.0, 0.25]])
    drawn = clouds({"before": {"x": x, "y": y}}, ties={"before": plan}, numbered=True)
    widths = sorted(line.get_linewidth() for line in drawn.axes[0].lines)
    assert widths == pytest.approx([0.4, 0.8, 1.6])
    assert len(drawn.axes[0].collections) == 2
    assert {"before", "x", "y", "0", "1", "2"} <= texts(drawn)


def test_lines_hold_the_numbers_and_the_levels() -> None:
    curves = {"fast": ([1, 2, 5], [1.0, 0.1, 0.01]), "slow": ([1, 3], torch.tensor([1.0, 0.5]))}
    drawn = lines({"gap": curves}, x="iterations", scale="both", levels={"enough": 0.3})
    (axes,) = drawn.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.0, 0.1, 0.01])
    np.testing.assert_allclose(axes.lines[1].get_xdata(), [1, 3])
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert {"gap", "iterations", "fast", "slow", "enough"} <= texts(drawn)
    assert lines({"gap": curves}, x="iterations").axes[0].get_yscale() == "linear"


def test_histograms_share_their_bins() -> None:
    drawn = histograms(
        {"a": [0.0, 1.0, 1.0], "b": torch.tensor([4.0])}, x="value", bins=4, mark=2.0
    )
    heights = [patch.get_height() for patch in drawn.axes[0].patches]
    assert heights == [1, 2, 0, 0, 0, 0, 0, 1]
    assert {"a", "b", "value", "count"} <= texts(drawn)


def test_the_same_picture_has_the_same_bytes() -> None:
    made = [png(matrices({"plan": np.eye(3)})) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize("draw", [matrices, clouds])
def test_nothing_to_draw_is_refused(draw) -> None:
    with pytest.raises(ValueError, match="at least one"):
        draw({})


def test_empty_lines_and_histograms_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        lines({}, x="iterations")
    with pytest.raises(ValueError, match="at least one set"):
        histograms({}, x="value")
