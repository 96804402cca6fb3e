"""The runner against real kernels: good, raising, killed, too slow, leaving early, interrupted.

The runs are started together and judged one by one; each is a process of its own, as for a user.
"""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import tiny

from pasdedeux.engine import runner

HANG = "import time\ntime.sleep(120)"
KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
TALK = """import sys, pathlib
for i in range(5):
    print(f"{i} of 5", end="\\r")
print("done in", pathlib.Path.cwd())"""
TRAIN = "from pasdedeux.base import facts\nfacts.note('device', 'tiny')\nprint(seed + 1, verbose)"


def _cells(middle):
    return "# Before", "a = 1", "# The step in question", middle, "# After", "b = 2"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tiny.root(tmp_path_factory.mktemp("engine") / "a project")
    notebooks = folder / "notebooks"
    tiny.notebook(notebooks / "10_good.ipynb", *_cells(TALK), TRAIN)
    tiny.notebook(notebooks / "11_raises.ipynb", *_cells("raise RuntimeError('no good')"))
    tiny.notebook(notebooks / "12_dies.ipynb", *_cells(KILL))
    tiny.notebook(notebooks / "13_hangs.ipynb", *_cells(HANG))
    tiny.notebook(notebooks / "14_leaves.ipynb", *_cells("import sys\nsys.exit(0)"))
    tiny.notebook(notebooks / "15_waits.ipynb", *_cells(HANG))
    tiny.notebook(notebooks / "16_waits.ipynb", *_cells(HANG))
    return folder


@pytest.fixture(scope="module")
def ended(root):
    """Exit code, output and error output of each run, by the number of its notebook."""
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    started = {
        "10": tiny.start(root / "notebooks", "run", "10", "-p", "seed=41", "-p", "verbose=true"),
        "11": tiny.start(root, "run", "11_raises"),
        "12": tiny.start(root, "run", "notebooks/12_dies.ipynb", "--profile", "laptop"),
        "13": tiny.start(root, "run", "13", "--timeout", "2"),
        "14": tiny.start(root, "run", "14"),
        "15": tiny.start(root, "run", "15"),
        "16": tiny.start(root, "run", "16"),
    }
    for number, how in (("15", signal.SIGINT), ("16", signal.SIGTERM)):
        _wait_for(started[number], "step in question")
        kernels = psutil.Process(started[number].pid).children(recursive=True)
        assert kernels, "the kernel should be running"
        started[number].send_signal(how)
        started[number].wait(timeout=300)
        assert not any(kernel.is_running() for kernel in kernels)
    return {
        number: (process.wait(timeout=300), *process.communicate())
        for number, process in started.items()
    }


def _wait_for(process, text):
    """Read the error output of `process` until a line holds `text`."""
    for line in process.stderr:
        if text in line:
            time.sleep(0.5)
            return
    raise AssertionError(f"ended before saying {text!r}")


def _record(root, name, profile="quick"):
    folder = root / "results" / profile / "notebooks"
    sidecar = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return nbformat.read(folder / f"{name}.ipynb", as_version=4), sidecar


def test_a_good_run_leaves_the_notebook_and_its_sidecar(root, ended):
    code, output, errors = ended["10"]
    assert code == 0, errors
    notebook, sidecar = _record(root, "10_good")
    assert sidecar["status"] == notebook.metadata.pasdedeux.status == "ok"
    assert sidecar["parameters"]["seed"] == 41
    assert sidecar["parameters"]["rate"] == 0.5, "the sidecar holds the defaults too"
    assert sidecar["device"] == ["tiny"]
    assert 0 < sidecar["wall_seconds"] < 120
    assert 20e6 < sidecar["peak_memory_bytes"] < 5e9
    assert notebook.cells[-1].outputs[0].text == "42 True\n"
    assert "10_good ran in" in output
    assert not list((root / "results/quick/notebooks").glob("10_good.failed*"))


def test_the_kernel_works_in_the_root_and_paths_stay_at_home(root, ended):
    assert ended["10"][0] == 0
    folder = root / "results" / "quick" / "notebooks"
    notebook, _ = _record(root, "10_good")
    assert notebook.cells[5].outputs[0].text == "done in .\n", "started in notebooks/, runs in root"
    for file in (folder / "10_good.ipynb", folder / "10_good.json"):
        text = file.read_text(encoding="utf-8")
        assert str(root) not in text
        assert sys.prefix not in text
        assert "\\r" not in text.replace("\\\\r", "")


def test_a_log_holds_a_few_plain_lines(ended):
    errors = ended["10"][2]
    lines = errors.splitlines()
    assert 3 <= len(lines) <= 5, errors
    assert all(line.startswith("10_good: cell ") for line in lines), errors


@pytest.mark.parametrize(
    ("number", "name", "profile", "status", "exit_code", "reason"),
    [
        ("11", "11_raises", "quick", "failed", 1, "RuntimeError: no good"),
        ("12", "12_dies", "laptop", "dead", 137, "the kernel died"),
        ("13", "13_hangs", "quick", "timeout", 124, "longer than 2 s"),
        ("14", "14_leaves", "quick", "failed", 1, "ended the kernel's work"),
        ("15", "15_waits", "quick", "interrupted", 130, "interrupted"),
        ("16", "16_waits", "quick", "interrupted", 143, "asked to stop"),
    ],
)
def test_a_run_that_did_not_end_well_says_so(
    root, ended, number, name, profile, status, exit_code, reason
):
    code, _, errors = ended[number]
    assert code == exit_code, errors
    assert reason in errors
    notebook, sidecar = _record(root, f"{name}.failed", profile)
    assert (sidecar["status"], sidecar["exit_code"]) == (status, exit_code)
    assert reason in sidecar["message"]
    assert "in code cell 4" in sidecar["message"]
    assert "did not finish" in notebook.cells[0].source
    marks = [c.metadata.papermill.status for c in notebook.cells if c.cell_type == "code"]
    assert marks == ["completed", "completed", "completed", status, "pending"]
    assert not (root / "results" / profile / "notebooks" / f"{name}.ipynb").exists()


def test_a_failed_run_keeps_the_last_good_one_and_a_good_one_clears_it(tmp_path, monkeypatch):
    folder = tiny.root(tmp_path)
    monkeypatch.chdir(folder)
    path = folder / "notebooks" / "17_changes.ipynb"
    tiny.notebook(path, "print('first')")
    first = runner.run(path)
    kept = first.notebook.read_bytes()
    tiny.notebook(path, "raise KeyError('gone')")
    second = runner.run("17")
    assert (second.status, second.exit_code) == ("failed", 1)
    assert first.notebook.read_bytes() == kept
    assert second.notebook.name == "17_changes.failed.ipynb"
    tiny.notebook(path, "print('third')")
    third = runner.run("17")
    assert third.notebook == first.notebook
    assert "third" in third.notebook.read_text(encoding="utf-8")
    assert sorted(file.name for file in third.notebook.parent.iterdir()) == [
        "17_changes.ipynb",
        "17_changes.json",
    ]


@pytest.mark.parametrize(
    ("profile", "overrides", "message"),
    [
        ("latop", {}, "Did you mean 'laptop'"),
        ("quick", {"sede": 3}, "Did you mean 'seed'"),
        ("quick", {"seed": "3"}, "'seed' must be int"),
    ],
)
def test_wrong_input_is_refused_before_anything_runs(
    root, monkeypatch, profile, overrides, message
):
    monkeypatch.chdir(root)
    with pytest.raises(ValueError, match=message):
        runner.run("10", profile, overrides)


def test_plain_papermill_runs_a_notebook_too(root, tmp_path):
    command = [sys.executable, "-m", "papermill", "10_good.ipynb", str(tmp_path / "out.ipynb")]
    done = subprocess.run(
        [*command, "-p", "profile", "laptop", "--no-progress-bar"],
        cwd=root / "notebooks",
        env={**os.environ, "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    assert 'profile = \\"laptop\\"' in text
