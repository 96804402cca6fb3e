"""Provenance: complete, true about git, and silent about who and where."""

import getpass
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from pasdedeux.base import paths
from pasdedeux.report import provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own: settings, lock, a notebook and two runs, outside any git."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n')
    (tmp_path / "requirements.lock").write_text("numpy==2.0\n")
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("from pasdedeux.base.seeding import number\nnumber(0)"),
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/07_test.ipynb")
    for seed in (3, 5):
        folder = tmp_path / f"runs/fusion/mle-seed{seed}"
        folder.mkdir(parents=True)
        config = {"seed": seed, "data": "d" * 64, "code": "c" * 64, "settings": {"threads": 1}}
        (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collected(project: Path, **more: object) -> dict:
    notebook = project / "notebooks/07_test.ipynb"
    return provenance.collect(notebook, "quick", {"profile": "quick", "seed": 0}, **more)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_everything_is_recorded(project: Path) -> None:
    noted = {
        "run": ["runs/fusion/mle-seed5", "runs/fusion/mle-seed3"],
        "data": [{"checksum": "e" * 64, "corpora": ["jazz", "folk"]}],
        "device": [{"device": "cpu", "threads": 1, "precision": "float32"}],
    }
    record = collected(project, noted=noted)
    assert record["notebook"] == "07_test"
    assert record["profile"] == "quick"
    assert record["seeds"] == [0, 3, 5]
    assert record["runs"]["runs/fusion/mle-seed3"] == {
        "seed": 3,
        "data": "d" * 64,
        "code": "c" * 64,
        "device": None,
        "threads": 1,
    }
    assert record["data"] == noted["data"]
    assert record["device"] == noted["device"]
    assert record["packages"]["numpy"] == __import__("numpy").__version__
    assert record["python"] == ".".join(map(str, sys.version_info[:3]))
    for part in ("source", "lock", "notebook_code"):
        assert re.fullmatch("[0-9a-f]{64}", record[part])


def test_without_notes_lock_or_git_nothing_is_invented(project: Path) -> None:
    (project / "requirements.lock").unlink()
    record = collected(project)
    assert (record["runs"], record["data"], record["device"]) == ({}, [], [])
    assert record["lock"] is None
    assert record["git"] == {"commit": None, "dirty": None}
    assert provenance.versions(["no-such-package-here"]) == {"no-such-package-here": None}


def test_git_commit_and_dirty_flag(project: Path) -> None:
    git(project, "init", "-q")
    assert provenance.git_state(project) == {"commit": None, "dirty": None}  # no commit yet
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    clean = provenance.git_state(project)
    assert re.fullmatch("[0-9a-f]{40}", clean["commit"])
    assert clean["dirty"] is False
    (project / "results/quick").mkdir(parents=True)
    (project / "results/quick/table.csv").write_text("1")
    assert provenance.git_state(project)["dirty"] is False  # results are what a run writes
    (project / "new.py").write_text("1")
    assert provenance.git_state(project)["dirty"] is True
    # a folder inside somebody else's repository has no commit of its own
    (project / "inner").mkdir()
    assert provenance.git_state(project / "inner") == {"commit": None, "dirty": None}


def test_no_git_program(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    assert provenance.git_state(project) == {"commit": None, "dirty": None}


def test_code_counts_and_outputs_do_not(project: Path) -> None:
    file = project / "notebooks/07_test.ipynb"
    before = collected(project)
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(notebook, file)
    assert collected(project) == before
    notebook.cells[1].source += "\nnumber(1)"
    nbformat.write(notebook, file)
    assert collected(project)["notebook_code"] != before["notebook_code"]


def test_nothing_tells_who_or_where(project: Path) -> None:
    parameters = {
        "profile": "quick",
        "folder": str(project / "runs/a"),
        "other": "/home/somebody/secret place/score_csv.zip",
        "home": "/home/somebody",
        "windows": "C:\\Users\\somebody\\data\\x.zip",
    }
    notebook = project / "notebooks/07_test.ipynb"
    record = provenance.collect(notebook, "quick", parameters)
    given = record["parameters"]
    assert (given["folder"], given["other"]) == ("runs/a", "…/score_csv.zip")
    assert (given["home"], given["windows"]) == ("~", "…/x.zip")
    told = json.dumps(record, ensure_ascii=False)
    assert str(project) not in told
    assert "somebody" not in told
    assert socket.gethostname() not in told
    assert not re.search(rf"[/\"]{re.escape(getpass.getuser())}[/\"]", told)


@pytest.mark.parametrize(
    "text",
    ["https://example.org/a/b", "1/2/3", "results/quick/a.csv", "either / or", "a and/or b/c", "~"],
)
def test_scrub_leaves_other_text_alone(text: str) -> None:
    assert provenance.scrub({"x": [text, 1, None, True, 0.5]}) == {"x": [text, 1, None, True, 0.5]}


def test_scrub_inside_a_sentence() -> None:
    told = f"File '{paths.root()}/src/a.py', then /opt/python/lib/b.py: error"
    assert provenance.scrub(told) == "File 'src/a.py', then …/b.py: error"
    assert provenance.scrub(Path("results") / "x") == "results/x"
    with pytest.raises(ValueError, match="cannot stand in JSON"):
        provenance.scrub({"x": object()})


def test_write_is_readable_json(tmp_path: Path) -> None:
    provenance.write(tmp_path / "deep/a.json", {"status": "ok", "where": "/var/lib/x/y"})
    assert json.loads((tmp_path / "deep/a.json").read_text()) == {"status": "ok", "where": "…/y"}


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, pasdedeux.report.provenance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
