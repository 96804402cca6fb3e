"""Figures: the right numbers in the right place, and the same bytes when drawn again."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from pasdedeux.music.melody import Melody
from pasdedeux.report.figures import (
    Histograms,
    Interval,
    bars_with_intervals,
    curves,
    figure6,
    piano_rolls,
    save,
)
from pasdedeux.report.picture import png

RNG = np.random.default_rng(0)


def histograms(*names: str) -> dict[str, Histograms]:
    return {name: Histograms(RNG.integers(1, 99, 17), RNG.integers(1, 99, 12)) for name in names}


def heights(axes: mpl.axes.Axes) -> list[float]:
    return [patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)]


def texts(figure: mpl.figure.Figure) -> set[str]:
    found = figure.findobj(mpl.text.Text)
    return {text.get_text() for text in found}


def test_figure6_shows_percent_of_each_histogram() -> None:
    given = histograms("jazz", "folk", "MC", "Fusion")
    drawn = figure6(given, systems=("MC", "RL", "Fusion"), longest=5)
    grid = np.array(drawn.axes).reshape(2, 5)
    for column, name in ((0, "jazz"), (1, "folk"), (2, "MC"), (4, "Fusion")):
        durations, classes = (np.asarray(x, float) for x in given[name])
        shares = 100 * durations / durations.sum()
        expected = [*shares[:5], shares[5:].sum()]
        assert heights(grid[0, column]) == pytest.approx(expected)
        assert heights(grid[1, column]) == pytest.approx(100 * classes / classes.sum())
        assert grid[0, column].get_title() == name
    assert heights(grid[0, 3]) == []
    assert {"not run", "≥5", "jazz (outline)", "notes (%)"} <= texts(drawn)


def test_figure6_takes_other_domains_and_short_histograms() -> None:
    given = {name: Histograms(np.array([1, 3]), np.eye(12)[4]) for name in ("x", "y")}
    drawn = figure6(given, domains=("x", "y"), systems=(), longest=7)
    assert heights(drawn.axes[0]) == pytest.approx([25, 75, 0, 0, 0, 0, 0, 0])


def test_figure6_refuses_what_it_cannot_show() -> None:
    given = histograms("jazz", "fold")
    with pytest.raises(ValueError, match="needs the domain 'folk'.*Did you mean 'fold'"):
        figure6(given)
    bad = given | {"folk": Histograms(np.zeros(5), np.ones(12))}
    with pytest.raises(ValueError, match="histogram of 'folk' must hold counts"):
        figure6(bad)
    bad = given | {"folk": Histograms(np.ones(5), np.ones(11))}
    with pytest.raises(ValueError, match="pitch classes of 'folk' must be 12 numbers, got 11"):
        figure6(bad)


def log(seed: int, steps: int = 7) -> list[dict[str, float]]:
    rows = [{"step": 5 * i, "gap": seed + i, "player": float(i % 2)} for i in range(steps)]
    rows[3]["validation"] = 1.0
    return rows


def test_curves_show_each_seed_and_their_mean() -> None:
    drawn = curves({0: log(0), 4: log(4)}, {"gap": "gap (nats)"}, title="D_F")
    lines = drawn.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["0", "4", "mean"]
    assert list(lines[2].get_xdata()) == [0, 5, 10, 15, 20, 25, 30]
    assert list(lines[2].get_ydata()) == [2, 3, 4, 5, 6, 7, 8]
    assert {"gap (nats)", "update", "D_F"} <= texts(drawn)


def test_curves_of_one_player_and_of_unequal_length() -> None:
    drawn = curves({0: log(0), 1: log(1, 5)}, {"gap": "gap"}, only={"player": 1.0})
    first, second, mean = drawn.axes[0].get_lines()
    assert list(first.get_xdata()) == [5, 15, 25]
    assert list(second.get_xdata()) == [5, 15]
    assert list(mean.get_ydata()) == [1.5, 3.5]
    assert len(curves({0: log(0)}, {"gap": "gap"}).axes[0].get_lines()) == 1


def test_curves_name_a_key_that_is_missing() -> None:
    with pytest.raises(ValueError, match="no row of the logs holds 'gpa'. Did you mean 'gap'"):
        curves({0: log(0)}, {"gpa": "gap"})


def melody(name: str, *notes: tuple[int, float, float]) -> Melody:
    pitch, onset, duration = zip(*notes, strict=True) if notes else ((), (), ())
    return Melody(name, np.array(pitch, int), np.array(onset, float), np.array(duration, float))


def test_piano_rolls_begin_with_the_bar_of_the_first_note() -> None:
    given = {"a": melody("a", (60, 9.0, 1.0), (67, 10.0, 4.0)), "b": melody("b", (72, 0.5, 0.5))}
    drawn = piano_rolls(given)
    first, second = (axes.collections for axes in drawn.axes)
    boxes = [note.get_paths()[0].get_extents().bounds for note in first]
    assert np.allclose(boxes, [(1.0, 59.5, 1.0, 1.0), (2.0, 66.5, 4.0, 1.0)])
    assert len(second) == 1
    assert drawn.axes[0].get_xlim() == (0.0, 6.0)
    assert drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim() == (57.5, 74.5)
    assert {"C4", "C5", "time (quarters)", "a", "b"} <= texts(drawn)


def test_piano_rolls_of_silence_and_of_nothing() -> None:
    assert len(piano_rolls({"rest": melody("rest")}).axes[0].collections) == 0
    with pytest.raises(ValueError, match="at least one melody"):
        piano_rolls({})


def test_bars_begin_at_the_floor_and_show_the_printed_number() -> None:
    panels = {"Ratio": {"MC": Interval(1.25, 1.125, 1.5), "RM": Interval(2.0, -np.inf, np.inf)}}
    drawn = bars_with_intervals(
        panels, floors={"Ratio": 1.0}, printed={"Ratio": {"MC": 1.132, "GAN": 1.233}}
    )
    axes = drawn.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["MC", "GAN", "RM"]
    boxes = [(patch.get_x(), patch.get_width()) for patch in axes.patches]
    assert boxes == [(1.0, 0.25), (1.0, 1.0)]
    bars = [c.get_segments() for c in axes.collections]
    assert len(bars) == 1  # one seed has no interval
    assert bars[0][0][:, 0].tolist() == [1.125, 1.5]
    assert {"  not run", "paper", "ours, 95 % interval"} <= texts(drawn)


def test_bars_refuse_an_interval_beside_its_mean() -> None:
    with pytest.raises(ValueError, match=r"'MC': interval \[1.5, 2.0\] does not hold its mean 1.0"):
        bars_with_intervals({"Ratio": {"MC": Interval(1.0, 1.5, 2.0)}})
    with pytest.raises(ValueError, match="at least one value"):
        bars_with_intervals({"Ratio": {}}, printed={"Ratio": {"MC": 1.0}})


def test_saved_pictures_are_equal_to_the_byte(tmp_path: Path) -> None:
    given = histograms("jazz", "folk", "Fusion")
    for place in ("one", "two"):
        save(figure6(given), tmp_path / place, "figure_6")
    for name in ("figure_6.png", "figure_6.svg"):
        first, second = (tmp_path / place / name for place in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
    with Image.open(tmp_path / "one/figure_6.png") as image:
        assert image.size[0] > 1000
        assert len(image.convert("RGB").getcolors(100_000)) > 20
    text = (tmp_path / "one/figure_6.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    assert "<dc:date>" not in text


def test_a_notebook_shows_a_picture_and_settings_stay_as_they_were() -> None:
    before = dict(mpl.rcParams)
    drawn = curves({0: log(0)}, {"gap": "gap"})
    assert drawn._repr_png_() == png(drawn)
    assert drawn._repr_png_()[:4] == b"\x89PNG"
    assert dict(mpl.rcParams) == before
