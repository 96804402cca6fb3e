"""One torch thread for every test: exact repeats, and no fight over two cores."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A throw-away project root: whatever a test trains or caches stays under tmp_path."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
