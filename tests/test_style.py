"""The house style as far as a machine can judge it: ruff, imports, lengths, notebooks, words."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pasdedeux.engine.accept import COMPARED
from pasdedeux.engine.parameters import declared

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_FILE = 350
LONGEST_CELL = 12
LARGEST_EXECUTED_BYTES = 1_500_000
TEXT = {".py", ".toml", ".md", ".yml", ".lock", ".ipynb", ".json", ".csv", ".tex", ".html", ""}
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.…~*])/(?:home|Users|root|work|mnt)/\w")
HOSTS = re.compile(r"(?:pypi|pythonhosted|conda|anaconda)\.(?:org|com)", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")

EMBEDDED = re.compile(r"[A-Za-z0-9+/=]{70,}")  # pictures and sounds spell anything by chance


def _files():
    """Return the project's own files: what git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


FILES = _files()
TEXTS = [path for path in FILES if path.suffix in TEXT]
SOURCES = [path for path in FILES if path.suffix == ".py"]


def _name(path):
    return str(path.relative_to(ROOT))


def _tool(*words):
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_something_to_judge():
    assert len(SOURCES) > 30
    assert len(NOTEBOOKS) >= 4
    assert len(TEXTS) > len(SOURCES)


def test_ruff_finds_nothing():
    _tool(sys.executable, "-m", "ruff", "check", "--no-cache", ".")


def test_everything_is_formatted():
    _tool(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".")


def test_imports_go_down_only():
    _tool(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_file_is_longer_than_350_lines(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines: split it by idea"


def test_no_text_names_a_folder_of_somebody_or_a_package_host():
    found = []
    for path in TEXTS:
        text = EMBEDDED.sub("", path.read_text(encoding="utf-8"))
        forbidden = [HOSTS, UNFINISHED]
        forbidden += [] if path.parts[-2] == "tests" else [SOMEBODYS_FOLDER]
        hits = [hit.group() for pattern in forbidden for hit in pattern.finditer(text)]
        found += [f"{_name(path)}: {hit}" for hit in hits]
    assert not found, "\n".join(found)


def test_rooms_have_empty_init_files():
    """Else importing one file of a room would import others; the list of papers is no room's."""
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name not in ("pasdedeux", "papers"):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert all(isinstance(node, ast.Expr) for node in body), f"{_name(path)} runs code"


def _cells(path, kind):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def _source(cell):
    return "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_defines_nothing_in_short_cells(path):
    for cell in _cells(path, "code"):
        source = _source(cell)
        assert len(source.splitlines()) <= LONGEST_CELL, f"longer than {LONGEST_CELL}:\n{source}"
        code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, defined)]
        assert not found, f"belongs in the library:\n{source}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_has_literal_parameters_and_the_small_profile(path):
    known = declared(path)
    assert known["profile"].default == "quick"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_begins_with_its_title_and_names_the_plain_kernel(path):
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["metadata"]["kernelspec"]["name"] == "python3"
    assert whole["cells"][0]["cell_type"] == "markdown"
    assert _source(whole["cells"][0]).startswith("# ")
    assert "widgets" not in whole["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_stores_only_the_outputs_that_are_compared(path):
    for cell in _cells(path, "code"):
        compared = COMPARED.search(_source(cell)) is not None
        assert bool(cell["outputs"]) == compared, f"outputs of:\n{_source(cell)}"
        assert cell["execution_count"] == (1 if compared else None), "`pasdedeux accept NN` sets it"


EXECUTED = sorted(path for path in FILES if path.suffix == ".ipynb" and "results" in path.parts)


@pytest.mark.skipif(not EXECUTED, reason="no executed notebook is committed yet")
@pytest.mark.parametrize("path", EXECUTED, ids=_name)
def test_an_executed_notebook_is_small_and_ran_to_its_end(path):
    assert path.stat().st_size < LARGEST_EXECUTED_BYTES
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["metadata"]["pasdedeux"]["status"] == "ok"
    assert "widgets" not in whole["metadata"]
    for cell in _cells(path, "code"):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert "\r" not in "".join(output.get("text", []))
