"""One torch thread and the same drawn examples in every run: exact repeats on two busy cores."""

import os

# before torch reads it, and for what tests start: several processes, each with as many threads as
# there are processors, wait for each other (three notebooks at once took 1.6 times the CPU time)
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items):
    """Let the longest file begin first, so that the processes are done at about the same time."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A throw-away project root: whatever a test trains or caches stays under tmp_path."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
