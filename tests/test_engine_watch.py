"""Watching a run: the step, the training told of, the time left, few lines in a log."""

import io
import json
import os
import subprocess
import sys
import time

import nbformat
import pytest

from pasdedeux.base import progress
from pasdedeux.engine.watch import Training, Watch, latest, seconds_left, steps


def _cells():
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    return [
        code("a = 1"),
        markdown("# Part one\ntext"),
        code("b = 2"),
        code("c = 3"),
        markdown("no heading"),
        markdown("## Part two"),
        code("d = 4"),
    ]


def test_each_cell_stands_under_the_last_heading():
    one, two = "Part one", "Part two"
    assert steps(_cells()) == ["start", one, one, one, one, two, two]


def test_a_log_gets_one_line_for_each_new_step():
    log, cells = io.StringIO(), _cells()
    with Watch("20_toy", cells, stream=log) as watch:
        for place, cell in enumerate(cells):
            watch.cell(cell, place)
    lines = log.getvalue().splitlines()
    assert [line.partition(" (after")[0] for line in lines] == [
        "20_toy: cell 1 of 4, start",
        "20_toy: cell 2 of 4, Part one",
        "20_toy: cell 4 of 4, Part two",
    ]


def test_the_training_of_a_run_is_heard_and_the_folder_goes(monkeypatch):
    monkeypatch.delenv(progress.FOLDER, raising=False)
    with Watch("20_toy", _cells(), stream=io.StringIO()) as watch:
        progress.report("GAN", 17, 17, "seed 3")
        heard = latest(watch.scratch)
        assert heard[:4] == ("GAN", 17, 17, "seed 3")
        assert latest(watch.scratch, since=heard.time + 1) is None
    assert not watch.scratch.exists()
    assert progress.FOLDER not in os.environ


def test_the_newest_word_counts_and_half_written_files_do_not(tmp_path):
    for number, moment in ((1, 5.0), (2, 7.0), (3, 6.0)):
        told = Training(f"task {number}", 1, 2, "", moment)._asdict()
        (tmp_path / f"{number}.json").write_text(json.dumps(told))
    (tmp_path / "4.json").write_text('{"task": "half')
    assert latest(tmp_path).task == "task 2"


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        (Training("a", 10, 100, "", 50.0), Training("a", 40, 100, "", 65.0), 30.0),
        (Training("a", 10, 100, "", 50.0), Training("a", 10, 100, "", 65.0), None),
        (Training("a", 10, 100, "", 50.0), Training("a", 100, 100, "", 65.0), None),
        (Training("b", 10, 100, "", 50.0), Training("a", 40, 100, "", 65.0), None),
    ],
)
def test_the_time_left_follows_the_pace(first, last, left):
    assert seconds_left(first, last) == left


def test_children_are_measured_and_ended():
    script = "import time; block = bytearray(60_000_000); time.sleep(60)"
    with Watch("20_toy", _cells(), stream=io.StringIO()) as watch:
        child = subprocess.Popen([sys.executable, "-c", script])
        deadline = time.monotonic() + 20
        while watch.peak_memory_bytes < 60_000_000 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert child.wait(timeout=60) == -9
    assert 60_000_000 <= watch.peak_memory_bytes < 500_000_000
