"""Tiny projects for the tests of the engine: a root, a few notebooks, nothing trained."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat

PARAMETERS = 'profile = "quick"\nseed = 0\nrate = 0.5\nverbose = False\nseeds = [0, 1]'
DESCRIPTION = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook: the parameters cell, then `cells`; one that begins with # is a heading."""
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    made = [
        nbformat.v4.new_markdown_cell(cell)
        if cell.startswith("# ")
        else nbformat.v4.new_code_cell(cell)
        for cell in cells
    ]
    whole = nbformat.v4.new_notebook(cells=[tagged, *made], metadata={"kernelspec": DESCRIPTION})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(whole, path)
    return path


def root(folder: Path) -> Path:
    """Make `folder` a project root without a library of its own."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n')
    return folder


def command(*words: str) -> list[str]:
    """Return the command line of `pasdedeux` with `words`, in this Python."""
    return [sys.executable, "-m", "pasdedeux.cli", *words]


def start(folder: Path, *words: str) -> subprocess.Popen:
    """Start `pasdedeux` with `words` in `folder`; its standard output and error are kept apart.

    A test run in the background ignores Ctrl-C, and so would its children; here they must not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        command(*words),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


LIBRARY = Path(__file__).resolve().parents[1]
LIST_FILE = "src/pasdedeux/engine/notebooks.py"
LIST = """NOTEBOOKS: tuple[Notebook, ...] = (
    Notebook("00_alone"),
    Notebook("20_trains", outputs=("toy/run.txt",), gpu=True, minutes={"gpu": 25.0}),
    Notebook("21_tables", needs=("20_trains",), outputs=("toy/table_1.csv",)),
)

"""


def project(folder: Path) -> Path:
    """Copy the library and the graph to `folder`, with three tiny notebooks in place of the real.

    `00_alone` imports `base.profiles`, `20_trains` imports `base.progress`, `21_tables` needs 20.
    """
    root(folder)
    shutil.copy(LIBRARY / "Snakefile", folder)
    shutil.copytree(
        LIBRARY / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    listed = folder / LIST_FILE
    text = listed.read_text(encoding="utf-8")
    before, after = text.index("NOTEBOOKS: tuple"), text.index("def ordered")
    listed.write_text(f"{text[:before]}{LIST}\n{text[after:]}", encoding="utf-8")
    notebooks = folder / "notebooks"
    write = "from pasdedeux.base import files, paths\nwhere = paths.results(profile) / 'toy'\n"
    notebook(notebooks / "00_alone.ipynb", "import pasdedeux.base.profiles")
    notebook(
        notebooks / "20_trains.ipynb",
        "import pasdedeux.base.progress",
        f"{write}files.write_text(where / 'run.txt', f'{{seed}}\\n')",
    )
    notebook(
        notebooks / "21_tables.ipynb",
        f"{write}files.write_text(where / 'table_1.csv', (where / 'run.txt').read_text())",
    )
    return folder
