"""Which files of the library a module or a notebook stands on, found by reading its imports.

The graph declares them as inputs of a notebook, and a run's key holds their digest, so an edited
file re-runs exactly what depends on it.
"""

import ast
import json
from functools import cache
from pathlib import Path

from pasdedeux.base.files import digest

PACKAGE = Path(__file__).resolve().parents[1]
NAME = PACKAGE.name


def closure(start: str | Path, package: Path = PACKAGE) -> list[Path]:
    """Return, sorted, every file under `package` that `start` imports, directly or not.

    `start` is a dotted module name of the library, a Python file or a notebook. Package data
    (`*.toml`) beside an imported module count as imported with it. Raises `ValueError` when a
    module cannot be found.
    """
    path = Path(start)
    first = path if path.suffix in (".py", ".ipynb") else _module_file(str(start), package)
    if first is None:
        raise ValueError(f"no module {start!r} in {package.name}; give a dotted name or a file.")
    found: set[Path] = set()
    waiting = [Path(first)]
    while waiting:
        file = waiting.pop()
        for module in _imports(file, file.stat().st_mtime_ns):
            below = _module_file(module, package)
            if below is not None and below not in found:
                found.add(below)
                found.update(below.parent.glob("*.toml"))
                waiting.append(below)
    if first.suffix == ".py":
        found.add(Path(first))
    if any(file.parent.name == "report" for file in found):
        found.update((package / "references").glob("*.toml"))
    return sorted(found)


def fingerprint(
    start: str | Path, package: Path = PACKAGE, *, without: tuple[str, ...] = ()
) -> str:
    """Return the SHA-256 over names and contents of `closure(start)`, rooms `without` left out."""
    parts: list[str | Path] = []
    for file in closure(start, package):
        if file.parent.name not in without:
            parts += [file.name, file]
    return digest(*parts)


def _module_file(module: str, package: Path) -> Path | None:
    """Return the file of the dotted `module`, or None when it is not of the package."""
    names = module.split(".")
    if names[0] != package.name:
        return None
    place = package.joinpath(*names[1:])
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def _imports(file: Path, _changed: int) -> tuple[str, ...]:
    """Return the dotted names that `file` imports, packages on the way included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_code(file))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parents = {name.rsplit(".", i)[0] for name in names for i in range(name.count(".") + 1)}
    return tuple(sorted(names | parents))


def _code(file: Path) -> str:
    if file.suffix != ".ipynb":
        return file.read_text(encoding="utf-8")
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in _lines(cell)]
    return "".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def _lines(cell: dict) -> list[str]:
    return [*"".join(cell["source"]).splitlines(keepends=True), "\n"]
