"""Accepting outputs: only those that are compared are stored, and only from a matching run."""

import nbformat
import pytest
import tiny

from pasdedeux.base.files import write_text
from pasdedeux.engine.accept import accept

COMPARED = "a = 7\n# NBVAL_CHECK_OUTPUT\nprint(a)"


def _executed(project, *cells):
    path = tiny.notebook(project / "elsewhere" / "20_toy.ipynb", *cells)
    whole = nbformat.read(path, as_version=4)
    for number, cell in enumerate(whole.cells):
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text=f"output {number}\n")]
    write_text(project / "results/quick/notebooks/20_toy.ipynb", nbformat.writes(whole))


def test_only_compared_outputs_are_stored(project):
    path = tiny.notebook(project / "notebooks" / "20_toy.ipynb", "# A", COMPARED, "print(11)")
    _executed(project, "# A", COMPARED, "print(11)")
    assert accept("20") == 1
    cells = nbformat.read(path, as_version=4).cells
    assert [len(cell.get("outputs", [])) for cell in cells] == [0, 0, 1, 0]
    assert cells[2].outputs[0].text == "output 2\n"
    assert [cell.get("execution_count") for cell in cells] == [None, None, 1, None]
    assert accept("20") == 1, "accepting twice changes nothing"
    assert nbformat.read(path, as_version=4).cells == cells


def test_a_run_of_another_state_is_refused(project):
    path = tiny.notebook(project / "notebooks" / "20_toy.ipynb", COMPARED)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has no run; `pasdedeux run 20_toy` first"):
        accept("20")
    _executed(project, COMPARED.replace("7", "13"))
    with pytest.raises(ValueError, match="changed since its run"):
        accept("20")
    assert path.read_bytes() == before
