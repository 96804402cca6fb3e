"""The graph on a copy of the project with three tiny notebooks: what re-runs, and what does not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import tiny

from pasdedeux.engine import graph
from pasdedeux.engine.notebooks import NOTEBOOKS, Notebook

ALL = ["00_alone", "20_trains", "21_tables"]


def _environment(folder):
    kept = {name: value for name, value in os.environ.items() if name != "PASDEDEUX_DATA"}
    return {**kept, "PYTHONPATH": str(folder / "src")}


def _snakemake(folder, *words, data=None):
    """Run Snakemake in `folder` and return what it said; a failure is the test's to judge."""
    extra = {} if data is None else {"PASDEDEUX_DATA": str(data)}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", *words],
        cwd=folder,
        env={**_environment(folder), **extra},
        capture_output=True,
        text=True,
        check=False,
    )


def _planned(folder, *words, data=None):
    """Return the notebooks that a run would execute now."""
    done = _snakemake(folder, "--dry-run", *words, data=data)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return sorted(set(re.findall(r"^Job \d+: (\w+) at profile", said, re.MULTILINE)))


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tiny.project(tmp_path_factory.mktemp("graph") / "a copy")
    done = _snakemake(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_first_run_leaves_every_output(project):
    folder = project / "results" / "quick"
    assert (folder / "toy" / "table_1.csv").read_text(encoding="utf-8") == "0\n"
    for name in ALL:
        sidecar = json.loads((folder / "notebooks" / f"{name}.json").read_text(encoding="utf-8"))
        assert sidecar["status"] == "ok"
        assert nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4).cells
    assert list(sidecar["outputs"]) == ["toy/table_1.csv"]


@pytest.mark.slow
def test_a_second_run_does_nothing(project):
    (project / "src" / "pasdedeux" / "base" / "progress.py").touch()
    assert _planned(project) == [], "a file that only looks newer is not a change"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "again"),
    [
        ("src/pasdedeux/base/profiles.py", ["00_alone"]),
        ("src/pasdedeux/base/progress.py", ["20_trains", "21_tables"]),
        ("src/pasdedeux/base/files.py", ["20_trains", "21_tables"]),
        ("src/pasdedeux/engine/runner.py", []),
        ("notebooks/21_tables.ipynb", ["21_tables"]),
    ],
)
def test_an_edit_reruns_exactly_what_depends_on_it(project, edited, again):
    path = project / edited
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n")
        assert _planned(project) == again
    finally:
        path.write_bytes(before)


@pytest.mark.slow
def test_a_parameter_a_profile_or_other_data_rerun(project, tmp_path):
    seed = ("--config", 'parameters={"20_trains": {"seed": 3}}')
    assert _planned(project, *seed) == ["20_trains", "21_tables"]
    assert _planned(project, "--config", "profile=laptop") == ALL
    corpus = tmp_path / "wjazzd" / "score_csv.zip"
    corpus.parent.mkdir()
    corpus.write_bytes(b"jazz")
    _edit(project / tiny.LIST_FILE, '"20_trains", ', '"20_trains", corpora=("wjazzd",), ')
    assert _planned(project) == []
    assert _planned(project, data=tmp_path) == ["20_trains", "21_tables"]


def test_a_corpus_counts_by_all_its_files_also_those_in_folders(tmp_path, monkeypatch):
    inner = tmp_path / "tang" / "DANCE_W_1" / "skeletons.json"
    inner.parent.mkdir(parents=True)
    inner.write_text("{}")
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    notebook = Notebook("02_toy", corpora=("tang",))
    before = graph.parameters(notebook, {})["corpora"]
    assert before[0].startswith("tang: 1 files, ")
    assert graph.parameters(notebook, {})["corpora"] == before
    inner.write_text("{}}")
    assert graph.parameters(notebook, {})["corpora"] != before


@pytest.mark.slow
def test_a_changed_parameter_reaches_the_table_and_a_failure_keeps_the_last_good_one(project):
    seed = ("--config", 'parameters={"20_trains": {"seed": 3}}')
    done = _snakemake(project, *seed)
    assert done.returncode == 0, done.stdout + done.stderr
    table = project / "results" / "quick" / "toy" / "table_1.csv"
    assert table.read_text(encoding="utf-8") == "3\n"
    assert _planned(project, *seed) == []
    notebook = project / "notebooks" / "20_trains.ipynb"
    before = notebook.read_bytes()
    _edit(notebook, "import pasdedeux.base.progress", "import pasdedeux.base.progrss")
    failed = _snakemake(project, *seed)
    assert failed.returncode != 0
    assert table.read_text(encoding="utf-8") == "3\n"
    folder = table.parents[1] / "notebooks"
    assert json.loads((folder / "20_trains.json").read_text(encoding="utf-8"))["status"] == "ok"
    told = json.loads((folder / "20_trains.failed.json").read_text(encoding="utf-8"))
    assert "No module named 'pasdedeux.base.progrss'" in told["message"]
    assert _planned(project, *seed) == ["20_trains", "21_tables"], "it is still to be done"
    notebook.write_bytes(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("profile=latop", "Did you mean 'laptop'"),
        ('parameters={"20_train": {"seed": 3}}', "Did you mean '20_trains'"),
    ],
)
def test_a_wrong_configuration_is_refused(project, config, message):
    done = _snakemake(project, "--dry-run", "--config", config)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


@pytest.mark.slow
def test_the_cluster_gets_its_jobs_with_their_resources(project):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    words = ("--executor", "slurm", "--jobs", "2", "--config", "profile=gpu", "--default-resources")
    assert _planned(project, *words, "slurm_account=a", "slurm_partition=b") == ALL


@pytest.mark.slow
def test_a_notebook_runs_from_a_folder_outside_the_project(project, tmp_path):
    done = subprocess.run(
        tiny.command("run", "00", "--profile", "paper"),
        cwd=tmp_path,
        env=_environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (project / "results" / "paper" / "notebooks" / "00_alone.ipynb").is_file()
    assert not list(tmp_path.iterdir())


def test_the_real_list_has_a_graph():
    for notebook in NOTEBOOKS:
        for path in graph.inputs(notebook, "quick"):
            assert not Path(path).is_absolute(), path
        assert graph.inputs(notebook, "quick")[0] == f"notebooks/{notebook.name}.ipynb"
        assert graph.outputs(notebook, "quick")[0].startswith("results/quick/notebooks/")


def test_resources_follow_the_profile():
    notebook = Notebook("20_trains", gpu=True, minutes={"gpu": 25.0, "quick": 0.5})
    assert graph.resources(notebook, "gpu") == {"mem_mb": 4000, "runtime": 100, "gpu": 1}
    assert graph.resources(notebook, "quick") == {"mem_mb": 4000, "runtime": 10}
    assert "gpu" not in graph.resources(Notebook("00_alone"), "gpu")


def test_words_are_safe_in_a_shell():
    recorded = {
        "profile": "gpu",
        "overrides": {"seeds": [0, 1], "note": "it's; rm -rf", "on": True},
    }
    words = graph.words(Notebook("20_trains"), recorded)
    printed = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {words}"], capture_output=True, text=True, check=True
    )
    assert printed.stdout.splitlines() == [
        "20_trains", "--profile", "gpu",
        "-p", "seeds=[0, 1]", "-p", "note=it's; rm -rf", "-p", "on=true",
    ]  # fmt: skip
