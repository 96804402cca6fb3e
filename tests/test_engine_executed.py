"""Executed notebooks: which cell did not end, and nothing of this machine left in them."""

import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pytest

from pasdedeux.engine.executed import begun, tidy, unreached, with_injected_cell

ROOT = Path("/somewhere/a project")
KERNEL_FILE = f"{tempfile.gettempdir()}/ipykernel_12/345.py"
BEGUN = "2026-11-21T00:00:00"


def _code(source, *, reached, outputs=()):
    metadata = {"papermill": {"start_time": BEGUN if reached else None, "status": "completed"}}
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=list(outputs))


def _notebook(*cells):
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {
        "kernelspec": kernel,
        "papermill": {"input_path": f"{ROOT}/x.ipynb"},
        "widgets": {"state": {}},
    }
    return nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)


def _marks(notebook):
    return [cell.metadata.papermill.status for cell in notebook.cells if cell.cell_type == "code"]


def _tidy(notebook, status="ok"):
    return tidy(notebook, status=status, note="because.", record={"seed": 3}, root=ROOT)


@pytest.mark.parametrize("status", ["failed", "dead", "timeout", "interrupted"])
def test_the_cell_that_did_not_end_is_the_one_marked(status):
    run = _notebook(_code("a", reached=True), _code("b", reached=True), _code("c", reached=False))
    kept = _tidy(run, status)
    assert _marks(kept) == ["completed", status, "pending"]
    assert kept.cells[0].source == "**This run did not finish.** because."
    assert _marks(run) == ["completed"] * 3, "the argument must stay as it was"
    nbformat.validate(kept)


def test_a_good_run_has_no_banner_and_only_our_metadata():
    kept = _tidy(_notebook(_code("a", reached=True), _code("b", reached=True)))
    assert _marks(kept) == ["completed", "completed"]
    assert len(kept.cells) == 2
    assert set(kept.metadata) == {"kernelspec", "pasdedeux"}
    assert kept.metadata.pasdedeux == {"seed": 3}


def test_papermills_own_banner_is_replaced():
    banner = nbformat.v4.new_markdown_cell("x", metadata={"tags": ["papermill-error-cell-tag"]})
    kept = _tidy(_notebook(banner, _code("a", reached=True)), "failed")
    assert [cell.source for cell in kept.cells] == ["**This run did not finish.** because.", "a"]


def test_no_path_of_this_machine_is_kept():
    text = f"{ROOT}/src/a.py {sys.prefix}/lib/b.py {Path.home()}/c {KERNEL_FILE}\n"
    outputs = [
        nbformat.v4.new_output("stream", text=text),
        nbformat.v4.new_output("error", ename="E", evalue=text, traceback=[text]),
        nbformat.v4.new_output("display_data", data={"text/html": text, "image/png": "AAAA"}),
    ]
    cell = _tidy(_notebook(_code("a", reached=True, outputs=outputs))).cells[0]
    told = [cell.outputs[0].text, cell.outputs[1].evalue, cell.outputs[1].traceback[0]]
    told.append(cell.outputs[2].data["text/html"])
    assert set(told) == {"./src/a.py <python>/lib/b.py ~/c <cell>\n"}
    assert cell.outputs[2].data["image/png"] == "AAAA"


def test_only_the_last_state_of_a_progress_line_is_kept():
    output = nbformat.v4.new_output("stream", text="a\n10 %\r50 %\r100 %\nb\r\nc")
    kept = _tidy(_notebook(_code("a", reached=True, outputs=[output])))
    assert kept.cells[0].outputs[0].text == "a\n100 %\nb\r\nc"


def test_a_cell_that_was_never_reached_is_found():
    empty = _code(" ", reached=False)
    assert unreached(_notebook(_code("a", reached=True), empty)) is None
    run = _notebook(_code("a", reached=True), empty, _code("c", reached=False))
    assert unreached(run) == 2
    assert begun(run.cells) == [0]


def test_the_injected_cell_follows_the_parameters():
    tagged = nbformat.v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_markdown_cell("# a"), tagged, nbformat.v4.new_code_cell("b")]
    injected = with_injected_cell(cells)
    assert [bool(cell["source"]) for cell in injected] == [True, True, False, True]
    assert [cell["source"] for cell in cells] == ["# a", "seed = 0", "b"]


def test_a_large_embedded_picture_takes_no_time():
    page = "<img src='data:image/png;base64," + "iVBOR/w0+" * 60_000 + "'>"
    outputs = [nbformat.v4.new_output("display_data", data={"text/html": page})]
    began = time.monotonic()
    kept = _tidy(_notebook(_code("a", reached=True, outputs=outputs)))
    assert time.monotonic() - began < 1
    assert kept.cells[0].outputs[0].data["text/html"] == page
