"""Every notebook runs from top to bottom at the profile `quick`, judged cell by cell by nbval.

They run in a throw-away root, on the built-in data, two at a time and after those they need. Cells
that hold `NBVAL_CHECK_OUTPUT` must print what is stored in them. What a notebook reads of another
one's run, the command line has left: those two are run once more, with everything trained.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
import tiny

from pasdedeux.engine.notebooks import NOTEBOOKS, ordered

SECONDS_A_CELL = 300
# pytest without a module that takes 1.7 s at each start, see `pasdedeux.cli.main`
PYTEST = "import sys; sys.modules['rfc3987_syntax'] = None; import pytest; sys.exit(pytest.main())"
READ_BY_OTHERS = ("11_dual_tables", "21_fusiongan_tables")


def _judge(root, name, needed):
    for other in needed:
        other.result()
    environment = {name: value for name, value in os.environ.items() if name != "PASDEDEUX_DATA"}
    words = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={SECONDS_A_CELL}"]
    plain = ["-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "-q"]
    where = {"cwd": root, "env": environment, "capture_output": True, "text": True, "check": False}
    nbval = [sys.executable, "-c", PYTEST, *words, *plain, f"notebooks/{name}.ipynb"]
    done = subprocess.run(nbval, **where)
    if name in READ_BY_OTHERS:  # where this fails, the notebook that reads it says so
        subprocess.run(tiny.command("run", name[:2], "--profile", "quick"), **where)
    return done


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    root = tiny.root(tmp_path_factory.mktemp("notebooks") / "a project")
    futures = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for notebook in ordered():
            copy = root / "notebooks" / f"{notebook.name}.ipynb"
            copy.write_bytes((tiny.LIBRARY / "notebooks" / copy.name).read_bytes())
            needed = [futures[name] for name in notebook.needs]
            futures[notebook.name] = pool.submit(_judge, root, notebook.name, needed)
    return {name: future.result() for name, future in futures.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [notebook.name for notebook in NOTEBOOKS])
def test_a_notebook_runs_at_quick(judged, name):
    done = judged[name]
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("stored", "outcome"), [("7\n", 0), ("13\n", 1)])
def test_a_compared_cell_must_print_what_is_stored(tmp_path, stored, outcome):
    root = tiny.root(tmp_path / "a project")
    path = tiny.notebook(
        root / "notebooks" / "10_toy.ipynb", "a = 7\n# NBVAL_CHECK_OUTPUT\nprint(a)"
    )
    whole = nbformat.read(path, as_version=4)
    whole.cells[-1].execution_count = 1
    whole.cells[-1].outputs = [nbformat.v4.new_output("stream", text=stored)]
    nbformat.write(whole, path)
    done = _judge(root, "10_toy", ())
    assert done.returncode == outcome, done.stdout


def test_some_cells_are_compared_with_what_is_stored():
    folder = Path(tiny.LIBRARY) / "notebooks"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.ipynb")]
    assert any("NBVAL_CHECK_OUTPUT" in text for text in texts)
