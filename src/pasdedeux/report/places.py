"""Where a name lives: a function of the library, a test, a cell of a notebook, a setting.

The lists of deviations and of equations name their evidence; a name is looked up by reading the
source, without importing it, so that a page can link to it and a test can refuse one that is gone.

| form                                             | means                            |
|--------------------------------------------------|----------------------------------|
| `ot.gromov:algorithm_1`                          | a function or class              |
| `papers.dual_settings:DualSettings.beats`        | a field or method of a class     |
| `ot.gromov:algorithm_1(source)`                  | an argument of a function        |
| `tests/test_ot_gromov.py::test_nonsense`         | a test                           |
| `notebooks/04_gromov_wasserstein.ipynb#04-22-02` | a cell of a notebook, by its id  |
"""

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pasdedeux.base import paths
from pasdedeux.base.checks import nearest, refuse

PACKAGE = Path(__file__).resolve().parents[1]
_CODE = re.compile(
    r"(?P<module>[a-z0-9_.]+):(?P<name>\w+)(?:\.(?P<field>\w+)|\((?P<argument>\w+)\))?"
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Place(NamedTuple):
    """A file and the line in it, counted from 1; a cell of a notebook has line 0."""

    file: Path
    line: int

    def shown(self) -> str:
        """Return the place as people write it."""
        name = self.file.name
        return f"{name}:{self.line}" if self.line else name


def located(name: str) -> Place:
    """Return where `name` is; `ValueError` with the nearest name when it is nowhere."""
    if name.startswith("tests/"):
        path, _, test = name.partition("::")
        return _top(_file(path, name), test, name)
    if name.startswith("notebooks/"):
        path, _, cell = name.partition("#")
        return _cell(_file(path, name), cell, name)
    found = _CODE.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no name of a function, a test or a cell.")
    file = PACKAGE.joinpath(*found["module"].split(".")).with_suffix(".py")
    refuse(not file.is_file(), f"{name!r}: the library has no module {found['module']!r}.")
    place = _top(file, found["name"], name)
    inner = found["field"] or found["argument"]
    return place if inner is None else _inside(file, found["name"], inner, name)


def _file(path: str, name: str) -> Path:
    file = paths.root() / path
    refuse(not file.is_file(), f"{name!r}: there is no file {path!r} in the project.")
    return file


@cache
def _tree(file: Path, _changed: int) -> dict[str, ast.AST]:
    """Return the names that a file defines at its top, functions, classes and values."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, _Named):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                found |= {part.id: node for part in parts if isinstance(part, ast.Name)}
    return found


def _names(file: Path) -> dict[str, ast.AST]:
    return _tree(file, file.stat().st_mtime_ns)


def _top(file: Path, wanted: str, name: str) -> Place:
    known = _names(file)
    refuse(
        wanted not in known, f"{name!r}: {file.name} defines no {wanted!r}.{nearest(wanted, known)}"
    )
    return Place(file, getattr(known[wanted], "lineno", 0))


def _inside(file: Path, outer: str, wanted: str, name: str) -> Place:
    """Return the place of a field or method of a class, or of an argument of a function."""
    node = _names(file)[outer]
    lines: dict[str, int] = {}
    if isinstance(node, _FUNCTIONS):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        lines = {one.arg: one.lineno for one in every}
    elif isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                lines[one.target.id] = one.lineno
            elif isinstance(one, _FUNCTIONS):
                lines[one.name] = one.lineno
        if wanted not in lines:
            place = _inherited(file, node, wanted)
            if place is not None:
                return place
    refuse(wanted not in lines, f"{name!r}: {outer} has no {wanted!r}.{nearest(wanted, lines)}")
    return Place(file, lines[wanted])


def _inherited(file: Path, node: ast.ClassDef, wanted: str) -> Place | None:
    """Return the place of a field in a class that `node` is derived from, None where it has none.

    Only classes imported from the library by name are followed.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    origins = {
        alias.asname or alias.name: one.module
        for one in ast.walk(tree)
        if isinstance(one, ast.ImportFrom) and one.module and one.module.startswith("pasdedeux.")
        for alias in one.names
    }
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in origins:
            module = origins[base.id].removeprefix("pasdedeux.")
            try:
                return located(f"{module}:{base.id}.{wanted}")
            except ValueError:
                continue
    return None


def _cell(file: Path, wanted: str, name: str) -> Place:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    known = [cell["id"] for cell in cells]
    refuse(
        wanted not in known,
        f"{name!r}: {file.name} has no cell {wanted!r}.{nearest(wanted, known)}",
    )
    return Place(file, 0)


def link(name: str, folder: Path) -> str:
    """Return a link from a page in `folder` to the file of `name`; "" where there is none to show.

    An installed library has neither tests nor notebooks, and lies outside the project.
    """
    try:
        file = located(name).file.resolve()
    except ValueError:
        return ""
    root = paths.root().resolve()
    if not file.is_relative_to(root) or not folder.resolve().is_relative_to(root):
        return ""
    up = "../" * len(folder.resolve().relative_to(root).parts)
    return f"{up}{file.relative_to(root).as_posix()}"
