"""Pictures of plans, distances and convergence: the numbers that are drawn, and bad input."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from pasdedeux.report import transport

N, M = 7, 11


def plan(seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).uniform(size=(N, M))
    return drawn / drawn.sum()


def test_a_plan_stands_between_its_marginals():
    first, second = plan(), 3 * plan(1)
    drawn = transport.plans({"ε = 0.5": first, "ε = 0.1": second}, rows="dance", columns="music")
    for part, given in zip(drawn.subfigs, (first, second), strict=True):
        _, above, left, heat = part.axes
        assert [bar.get_height() for bar in above.patches] == pytest.approx(given.sum(axis=0))
        assert [bar.get_width() for bar in left.patches] == pytest.approx(given.sum(axis=1))
        assert np.asarray(heat.images[0].get_array()) == pytest.approx(given)
        assert heat.images[0].get_clim() == pytest.approx((0, given.max()))
        assert left.get_xlim()[0] > left.get_xlim()[1]  # bars grow away from the plan
        assert heat.get_xlabel() == "music"
    assert drawn.subfigs[0].axes[2].get_ylabel() == "dance"
    assert "mass 3" in drawn.subfigs[1].axes[1].get_title()
    shared = transport.plans({"a": first, "b": second}, shared_scale=True)
    limits = [part.axes[3].images[0].get_clim() for part in shared.subfigs]
    assert limits[0] == limits[1] == pytest.approx((0, second.max()))
    assert shared._repr_png_().startswith(b"\x89PNG")


def test_an_empty_plan_can_be_drawn():
    assert transport.plans({"nothing": np.zeros((3, 2))})._repr_png_()


def test_distances_share_a_scale():
    near, far = np.eye(5), 4 * np.ones((3, 3))
    drawn = transport.distances({"near": near, "far": far})
    assert [axes.get_title() for axes in drawn.axes[:2]] == ["near", "far"]
    assert all(axes.images[0].get_clim() == (0.0, 4.0) for axes in drawn.axes[:2])
    assert drawn.axes[2].get_ylabel() == "distance"


def test_lines_of_a_plan_join_its_points():
    draw = np.random.default_rng(2)
    first, second = draw.normal(size=(N, 2)), draw.normal(size=(M, 2))
    given = np.zeros((N, M))
    given[2, 5], given[4, 1], given[0, 0] = 1.0, 0.25, 0.001
    drawn = transport.matched(first, second, {"plan": given})
    lines = next(c for c in drawn.axes[0].collections if isinstance(c, LineCollection))
    ends = np.array(lines.get_segments())
    assert ends == pytest.approx(np.array([[first[2], second[5]], [first[4], second[1]]]))
    assert lines.get_alpha() == pytest.approx([1.0, 0.25])
    assert transport.matched(first, second, {"a": given, "b": 0 * given})._repr_png_()


def test_convergence_by_iteration():
    curves = {"ε = 0.5": 0.1 ** np.arange(5.0), "ε = 0.1": np.array([1.0, 0.5, 0.0])}
    drawn = transport.convergence(curves, goal=1e-3, title="Sinkhorn")
    axes = drawn.axes[0]
    assert axes.get_yscale() == "log"
    for line, values in zip(axes.lines, curves.values(), strict=False):
        assert line.get_xdata().tolist() == list(range(1, len(values) + 1))
        shown = line.get_ydata()
        assert shown[values > 0] == pytest.approx(values[values > 0])
        assert np.isnan(shown[values == 0]).all()
    assert [text.get_text() for text in drawn.legends[0].texts] == list(curves)
    every = {name: 10 * np.arange(len(values)) for name, values in curves.items()}
    tens = transport.convergence(curves, iterations=every).axes[0].lines[0]
    assert tens.get_xdata().tolist() == [0, 10, 20, 30, 40]


def test_pictures_are_the_same_again():
    first, second = (transport.plans({"a": plan()})._repr_png_() for _ in range(2))
    assert first == second


def test_bad_input_is_refused():
    points = np.zeros((2, 2))
    for make, told in (
        (lambda: transport.plans({}), "at least one plan"),
        (lambda: transport.plans({"p": -plan()}), "plan 'p' must be finite and at least 0"),
        (lambda: transport.distances({}), "at least one matrix"),
        (lambda: transport.distances({"d": plan() * np.nan}), "matrix 'd' must be finite"),
        (lambda: transport.matched(points, points, {}), "at least one plan"),
        (
            lambda: transport.matched(points * np.nan, points, {"p": points}),
            "points must be finite",
        ),
        (lambda: transport.convergence({}), "at least one curve"),
        (lambda: transport.convergence({"c": np.array([np.nan])}), "curve 'c' must have finite"),
    ):
        with pytest.raises(ValueError, match=told):
            make()
