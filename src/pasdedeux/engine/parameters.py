"""The parameters of a notebook: read from its tagged cell, checked against what was asked for.

The cell tagged `parameters` holds literals only, one name per line. A value must have the type of
the literal it replaces; `name: int | None = None` declares one that may be absent.
"""

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pasdedeux.base.checks import nearest, refuse

KINDS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str, "list": list}
EXAMPLES = {
    "bool": "true or false",
    "int": "for example 3",
    "float": "for example 0.5",
    "str": "any text",
    "list": "for example [0, 1, 2]",
}
WHOLE = re.compile(r"[+-]?\d+")


class Parameter(NamedTuple):
    """A name, its literal in the notebook, and the type that a replacement must have."""

    name: str
    default: Any
    kind: str
    optional: bool

    @property
    def wanted(self) -> str:
        """What may be given, in words."""
        return f"{self.kind} ({EXAMPLES[self.kind]}{', or none' if self.optional else ''})"


def declared(notebook: Path) -> dict[str, Parameter]:
    """Return the parameters of `notebook` by name, in the order of its tagged cell.

    Raises `ValueError` when there is not exactly one such cell, or when it holds anything but
    literals, naming the line.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    refuse(
        len(tagged) != 1,
        f"{notebook.name} has {len(tagged)} cells tagged 'parameters'; it must have one.",
    )
    parameters = [
        _parameter(node, notebook.name) for node in ast.parse("".join(tagged[0]["source"])).body
    ]
    return {parameter.name: parameter for parameter in parameters}


def from_text(pairs: Iterable[str], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the values of `name=value` texts, each read by the type of the parameter it names.

    Raises `ValueError` for a missing `=`, an unknown name (with the nearest one) or a wrong type.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        refuse(not equals, f"a parameter is given as name=value, got {pair!r}.")
        values[name] = _read(_known(name, known), text)
    return values


def checked(values: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return `values`, with whole numbers made float where a float is declared.

    Raises `ValueError` for an unknown name (with the nearest one) or a value of the wrong type.
    """
    return {name: _fitting(_known(name, known), value) for name, value in values.items()}


def _parameter(node: ast.stmt, where: str) -> Parameter:
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    target = targets[0] if len(targets) == 1 else None
    value = getattr(node, "value", None)
    try:
        refuse(not isinstance(target, ast.Name) or value is None, "not a name and a value")
        default = ast.literal_eval(value)
    except ValueError:
        raise ValueError(
            f"{where}, parameters cell, line {node.lineno}: {ast.unparse(node)!r} is not "
            "`name = literal`; derive other values in a later cell."
        ) from None
    kind = type(default).__name__
    if isinstance(node, ast.AnnAssign):
        kind = ast.unparse(node.annotation)
    names = [part.strip().split("[")[0] for part in kind.split("|")]
    kinds = [name for name in names if name != "None"]
    refuse(
        len(kinds) != 1 or kinds[0] not in KINDS,
        f"{where}, parameters cell, line {node.lineno}: {target.id} is {kind}; use one of "
        f"{', '.join(KINDS)}, or annotate it, for example `{target.id}: int | None = None`.",
    )
    return Parameter(target.id, default, kinds[0], "None" in names)


def _known(name: str, known: Mapping[str, Parameter]) -> Parameter:
    if name in known:
        return known[name]
    raise ValueError(
        f"unknown parameter {name!r}.{nearest(name, known)} "
        f"This notebook has: {', '.join(known) or 'none'}."
    )


def _read(parameter: Parameter, text: str) -> Any:
    """Return the value that `text` means for `parameter`."""
    value: Any = text
    if parameter.optional and text.lower() in ("none", "null"):
        value = None
    elif parameter.kind == "bool":
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif parameter.kind == "int" and WHOLE.fullmatch(text):
        value = int(text)
    elif parameter.kind == "float":
        value = _number(text)
    elif parameter.kind == "list":
        value = _list(text)
    return _fitting(parameter, value)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _list(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _fitting(parameter: Parameter, value: Any) -> Any:
    """Return `value` when it has the parameter's type, else raise `ValueError`."""
    if value is None and parameter.optional:
        return None
    if parameter.kind == "float" and type(value) is int:
        value = float(value)
    fits = type(value) is KINDS[parameter.kind]
    if fits and parameter.kind == "float":
        fits = math.isfinite(value)
    if fits and parameter.kind == "list" and parameter.default:
        fits = {type(item) for item in value} <= {type(item) for item in parameter.default}
    refuse(
        not fits,
        f"parameter {parameter.name!r} must be {parameter.wanted} like its default "
        f"{parameter.default!r}, got {value!r}.",
    )
    return value
