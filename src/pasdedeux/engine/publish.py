"""Make the executed notebooks of a profile fit to be passed on: without excerpts of the corpora.

Cells tagged `corpus` show or play songs that belong to others. Whoever runs a notebook sees them;
a copy that is committed or sent has a line in their place.
"""

import copy
from pathlib import Path
from typing import Any

import nbformat

from pasdedeux.base.files import write_text
from pasdedeux.base.paths import results

TAG = "corpus"
NOTICE = "Left out of this copy: an excerpt of a corpus that is not ours to pass on. Run to see it."


def publish(profile: str) -> list[Path]:
    """Rewrite the executed notebooks of `profile` without excerpts; returns those that had any."""
    changed = []
    for path in sorted((results(profile) / "notebooks").glob("*.ipynb")):
        found = nbformat.read(path, as_version=4)
        kept = without_excerpts(found)
        if kept != found:
            write_text(path, nbformat.writes(kept) + "\n")
            changed.append(path)
    return changed


def without_excerpts(notebook: Any) -> Any:
    """Return a copy of `notebook` whose cells tagged `corpus` say that something was left out."""
    kept = copy.deepcopy(notebook)
    for cell in kept.cells:
        if TAG in cell.metadata.get("tags", []) and cell.cell_type == "code" and cell.outputs:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{NOTICE}\n")]
    return kept
