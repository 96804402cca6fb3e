"""An executed notebook made fit for keeping: honest cell marks, no paths of this machine, no noise.

papermill marks every cell `completed` when a kernel dies or a cell takes too long; here the marks
say which cell it was. Start times tell: a cell that never began has none.
"""

import copy
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "failed", "dead", "timeout", "interrupted"]

ERROR_TAG = "papermill-error-cell-tag"
INJECTED_TAG = "injected-parameters"
# begins at the edge of a word, else an embedded sound of 50,000 letters takes minutes
KERNEL_FILE = re.compile(r"(?<![^\s\"'])[^\s\"']*ipykernel_\d+/\d+\.py")
REWRITTEN = re.compile(r"^[^\n]*\r(?!\n)", re.MULTILINE)


def with_injected_cell(cells: Sequence[Any]) -> list[Any]:
    """Return `cells` as papermill will run them: one more code cell follows the parameters."""
    tagged = [i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])]
    injected = {"cell_type": "code", "metadata": {"tags": [INJECTED_TAG]}, "source": ""}
    return [*cells[: tagged[0] + 1], injected, *cells[tagged[0] + 1 :]]


def begun(cells: Iterable[Any]) -> list[int]:
    """Return the positions of the cells that the runner began."""
    return [
        place
        for place, cell in enumerate(cells)
        if cell["metadata"].get("papermill", {}).get("start_time")
    ]


def unreached(notebook: Any) -> int | None:
    """Return the position of the first code cell with content that never began, if any."""
    reached = set(begun(notebook["cells"]))
    for place, cell in enumerate(notebook["cells"]):
        holds_code = cell["cell_type"] == "code" and "".join(cell["source"]).strip()
        if holds_code and place not in reached:
            return place
    return None


def tidy(notebook: Any, *, status: Status, note: str, record: dict[str, Any], root: Path) -> Any:
    """Return `notebook`, a notebook node that papermill left, ready to be kept.

    Each cell is marked `completed`, `pending` or with `status`; when the run did not end well a
    first cell says so in `note`. `record` becomes the notebook's metadata `pasdedeux`. Paths of
    this machine, overwritten progress lines and papermill's own metadata are gone.
    """
    notebook = copy.deepcopy(notebook)
    cells = [
        cell for cell in notebook["cells"] if ERROR_TAG not in cell["metadata"].get("tags", [])
    ]
    reached = begun(cells)
    for place, cell in enumerate(cells):
        mark = "completed" if place in reached else "pending"
        if status != "ok" and reached and place == reached[-1]:
            mark = status
        cell["metadata"].pop("execution", None)
        cell["metadata"]["papermill"] = {"status": mark}
        if INJECTED_TAG in cell["metadata"].get("tags", []):
            cell["id"] = INJECTED_TAG
        for output in cell.get("outputs", []):
            _clean(output, root)
    if status != "ok":
        cells.insert(0, _banner(cells[0], note))
    notebook["cells"] = cells
    metadata = notebook["metadata"]
    kept = {name: metadata[name] for name in ("kernelspec", "language_info") if name in metadata}
    notebook["metadata"] = type(notebook)({**kept, "pasdedeux": record})
    return notebook


def without_paths(text: str, root: Path) -> str:
    """Return `text` with the project's folder, Python's and the home folder named, not spelled."""
    for folder, name in ((root, "."), (Path(sys.prefix), "<python>"), (Path.home(), "~")):
        if len(folder.parts) > 1:
            text = text.replace(f"{folder}/", f"{name}/").replace(str(folder), name)
    return KERNEL_FILE.sub("<cell>", text)


def _banner(like: Any, note: str) -> Any:
    return type(like)(
        cell_type="markdown",
        id="run-did-not-finish",
        metadata=type(like)(tags=["run-did-not-finish"]),
        source=f"**This run did not finish.** {note}",
    )


def _clean(output: Any, root: Path) -> None:
    """Rewrite the texts of `output`, which belongs to the copy that `tidy` returns."""
    if "text" in output:
        output["text"] = REWRITTEN.sub("", without_paths(output["text"], root))
    if "traceback" in output:
        output["traceback"] = [without_paths(line, root) for line in output["traceback"]]
        output["evalue"] = without_paths(output["evalue"], root)
    for kind, content in output.get("data", {}).items():
        if kind in ("text/plain", "text/html", "text/markdown") and isinstance(content, str):
            output["data"][kind] = without_paths(content, root)
