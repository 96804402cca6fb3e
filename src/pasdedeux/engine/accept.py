"""Expected outputs of notebook cells: taken from a good run, compared by the tests ever after.

The notebooks store no outputs, but for cells with a line `# NBVAL_CHECK_OUTPUT`: these must print
the same again. After a change that is meant to change them, they are accepted anew.
"""

import re
from pathlib import Path

import nbformat

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_text
from pasdedeux.base.paths import results
from pasdedeux.engine import notebooks

COMPARED = re.compile(r"^\s*#\s*NBVAL_CHECK_OUTPUT", re.MULTILINE)  # nbval wants its own line
ACCEPTED_COUNT = 1


def accept(notebook: str | Path) -> int:
    """Store the compared outputs of the last good run at `quick`; return how many cells have one.

    All other outputs of the notebook are removed. Raises `ValueError` when it has not been run at
    `quick`, or not as it is now.
    """
    path = notebooks.file(notebook)
    executed = results("quick") / "notebooks" / path.name
    refuse(not executed.is_file(), f"{path.stem} has no run; `pasdedeux run {path.stem}` first.")
    ran = {cell.source: cell for cell in nbformat.read(executed, as_version=4).cells}
    whole = nbformat.read(path, as_version=4)
    accepted = 0
    for cell in whole.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        if COMPARED.search(cell.source):
            refuse(
                cell.source not in ran,
                f"{path.stem} changed since its run; `pasdedeux run {path.stem}` first.",
            )
            # nbval takes a cell without a count for one that was never run
            cell.outputs, cell.execution_count = ran[cell.source].outputs, ACCEPTED_COUNT
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = ACCEPTED_COUNT
            accepted += 1
    write_text(path, nbformat.writes(whole) + "\n")
    return accepted
