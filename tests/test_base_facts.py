"""Notes of a running notebook reach the runner, and only the runner."""

import os
from pathlib import Path

import pytest

from pasdedeux.base import facts
from pasdedeux.base.progress import FOLDER


def test_notes_of_all_processes_are_gathered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    for name in ("runs/b", "runs/a", "runs/b"):
        facts.note("run", name)
    facts.note("device", {"threads": 1, "device": "cpu"})
    (tmp_path / "99999.facts").write_text('{"run": "runs/c"}\n{"run": "runs/a"}\n')
    assert facts.noted(tmp_path) == {
        "device": [{"device": "cpu", "threads": 1}],
        "run": ["runs/a", "runs/b", "runs/c"],
    }


def test_without_a_runner_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    facts.note("run", "runs/a")
    assert list(tmp_path.iterdir()) == []
    assert facts.noted(tmp_path) == {}


def test_a_runner_that_went_away_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "gone"))
    facts.note("run", "runs/a")
    assert FOLDER not in os.environ
