"""Effects: paired differences with t intervals, decided only when the interval leaves out 0."""

import csv

import numpy as np
import pytest
from scipy import stats

from pasdedeux.report.effects import Effect, Effects, effect

WITH, WITHOUT = {0: 5.0, 1: 7.0, 2: 6.0, 9: -99.0}, {0: 4.0, 1: 5.5, 2: 5.25, 5: 99.0}


def test_the_difference_is_paired_and_its_interval_is_scipys():
    found = effect("GW", "distance", WITH, WITHOUT, better="lower")
    differences = np.array([1.0, 1.5, 0.75])
    low, high = stats.t.interval(0.95, 2, differences.mean(), stats.sem(differences))
    assert (found.mean, found.low, found.high) == pytest.approx((differences.mean(), low, high))
    assert found.n == 3


@pytest.mark.parametrize(
    ("better", "sign", "verdict"),
    [
        ("lower", 1, "worse"), ("lower", -1, "better"), ("higher", 1, "better"),
        ("higher", -1, "worse"), ("neither", 1, "higher"), ("neither", -1, "lower"),
    ],
)  # fmt: skip
def test_a_clear_difference_is_named_by_what_is_better(better, sign, verdict):
    moved = {seed: sign * value for seed, value in {0: 1.0, 1: 1.1, 2: 0.9}.items()}
    assert effect("a", "m", moved, dict.fromkeys(range(3), 0.0), better=better).verdict == verdict


def test_nothing_is_decided_by_seeds_that_disagree_by_one_seed_or_by_none():
    zero = dict.fromkeys(range(3), 0.0)
    assert effect("a", "m", {0: 1.0, 1: -1.0}, zero, better="lower").verdict == "undecided"
    one = effect("a", "m", {1: 8.0}, zero, better="lower")
    assert (one.verdict, one.mean, one.low, one.n) == ("undecided", 8.0, None, 1)
    none = effect("a", "m", {7: 8.0}, zero, better="lower")
    assert none == Effect("a", "m", None, None, None, 0, "not run")
    with pytest.raises(ValueError, match="not all finite"):
        effect("a", "m", {0: float("nan")}, zero, better="lower")


def test_effects_are_shown_and_written_whole(tmp_path):
    rows = (
        effect("GW | x", "distance", WITH, WITHOUT, better="lower"),
        effect("GW | x", "notes", {1: 0.5}, {1: 0.25}, better="higher"),
        effect("CC", "notes", {}, {1: 0.25}, better="higher"),
    )
    made = Effects("What it does.", "Made by a test.", "quick", rows)
    made.write(tmp_path, "effects")
    with (tmp_path / "effects.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["verdict"] for line in lines] == [row.verdict for row in rows]
    assert float(lines[0]["low"]) == rows[0].low
    assert lines[1]["low"] == lines[2]["mean"] == ""
    shown = (tmp_path / "effects.md").read_text(encoding="utf-8")
    assert shown.count("GW \\| x") == 1, "a change is named once"
    assert "not run" in shown
    assert "95 % t interval" in shown
    assert "Made by a test." in made._repr_html_()
    assert "tabular" in (tmp_path / "effects.tex").read_text(encoding="utf-8")
