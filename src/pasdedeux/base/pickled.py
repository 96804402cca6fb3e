"""Arrays out of a pickle that somebody else wrote, without running anything it asks for.

A pickle is a programme: it names functions, and Python calls them. Here every name in the file
stands for a record of ours that only keeps what it is given; afterwards the records of numpy
arrays, scipy's sparse columns and chumpy's wrapped arrays (old body models hold them) are read off.
Any other name is refused before anything is made of it.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from pasdedeux.base.checks import refuse

_NUMPY = re.compile(r"numpy(\._?core)?(\.(_?multiarray|numeric))?")
_KNOWN = {
    **dict.fromkeys(("_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"), _NUMPY),
    "csc_matrix": re.compile(r"scipy\.sparse(\._?csc)?"),
    "Ch": re.compile(r"chumpy(\.ch)?"),
    "Select": re.compile(r"chumpy\.reordering"),
    "_reconstructor": re.compile(r"copy_?reg"),
    "object": re.compile(r"builtins|__builtin__"),
    "bytes": re.compile(r"builtins|__builtin__"),
    "encode": re.compile(r"_codecs"),
}
_PLAIN = re.compile(r"[<>=|]?([?bB]|b1|[iufc][0-9]{1,2})")
MOST_VALUES_A_BYTE = 10  # a list of single numbers, the densest of honest files, has about one
_TYPES = (str, bytes, bytearray, int, float, bool, type(None))


class _Record:
    """What a pickle says about one object: its name, what it was made from, what it was given."""

    name = ""

    def __new__(cls, *arguments: Any) -> "_Record":
        record = object.__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Record]:
        if name not in _KNOWN or not _KNOWN[name].fullmatch(module):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")
        return type(
            "_Record", (_Record,), {"name": name}
        )  # a new one: a file cannot spoil the next


def load(path: Path) -> Any:
    """Return the content of the pickle at `path`: plain values, containers and numpy arrays.

    Python 2 files are read as latin-1. Raises `ValueError` that names the file for anything else.
    """
    path = Path(path)
    refuse(not path.is_file(), f"{path}: no such file; give the path of a pickle of arrays.")
    try:
        with path.open("rb") as file:
            content = _Reader(file, encoding="latin1").load()
        _refuse_repetition(content, path.stat().st_size)
        return _value(content)
    except OSError:
        raise
    except MemoryError as problem:  # a wrong length is enough; it says nothing of this machine
        raise ValueError(f"{path} asks for more memory than there is; copy it anew.") from problem
    except Exception as problem:  # a damaged pickle may raise nearly anything
        raise ValueError(
            f"{path} is not a pickle of plain arrays: {problem}. Nothing in it was run; "
            "save its arrays with numpy.savez and give that .npz file instead."
        ) from problem


def _refuse_repetition(content: Any, size_bytes: int) -> None:
    """Refuse a few bytes that stand for millions of values: a list of twice a list of twice ..."""
    known: dict[int, int] = {}

    def count(thing: Any) -> int:
        if id(thing) not in known:
            known[id(thing)] = 1 + sum(count(part) for part in _parts(thing))
        return known[id(thing)]

    if count(content) > MOST_VALUES_A_BYTE * size_bytes:
        raise ValueError("its few bytes repeat themselves into too many values")


def _parts(thing: Any) -> tuple[Any, ...]:
    if isinstance(thing, dict):
        return (*thing.keys(), *thing.values())
    if isinstance(thing, _Record):
        return (*thing.arguments, thing.state)
    return tuple(thing) if isinstance(thing, (list, tuple)) else ()


def _value(thing: Any) -> Any:
    """Return `thing` with its records read off, through dictionaries, lists and tuples."""
    if isinstance(thing, dict):
        return {_value(key): _value(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return type(thing)(_value(value) for value in thing)
    if isinstance(thing, _Record):
        return _READ[thing.name](thing)
    if type(thing) in _TYPES:
        return thing
    raise ValueError(f"it holds a {type(thing).__name__}")


def _array(record: _Record) -> np.ndarray:
    _, shape, kind, columns_first, raw = record.state
    return _shaped(_bytes(raw), kind, shape, "F" if columns_first else "C")


def _from_buffer(record: _Record) -> np.ndarray:
    raw, kind, shape, order = record.arguments
    return _shaped(_bytes(raw), kind, shape, order)


def _scalar(record: _Record) -> Any:
    kind, raw = record.arguments
    return _shaped(_bytes(raw), kind, (), "C")[()]


def _shaped(raw: bytes, kind: _Record, shape: Any, order: str) -> np.ndarray:
    """Return an array of our own; numpy checks that `raw` has the size that `shape` says."""
    return np.frombuffer(raw, dtype=_dtype(kind)).reshape(shape, order=order).copy()


def _dtype(record: _Record) -> np.dtype:
    """Return the number type of `record`; objects, fields and text are refused."""
    name = record.arguments[0]
    if record.name != "dtype" or not isinstance(name, str) or not _PLAIN.fullmatch(name):
        raise ValueError(f"it holds an array of {name!r}, not of numbers")
    order = record.state[1] if record.state else "="
    return np.dtype(name).newbyteorder({"<": "<", ">": ">"}.get(order, "="))


def _bytes(raw: Any) -> bytes:
    """Return the bytes of an array: as such, as Python 2's text, or as an encoding of text."""
    found = _value(raw)
    return found.encode("latin1") if isinstance(found, str) else bytes(memoryview(found))


def _encoded(record: _Record) -> bytes:
    """Return what `_codecs.encode(text, "latin1")` or, for nothing, `bytes()` stands for."""
    return record.arguments[0].encode("latin1") if record.arguments else b""


def _sparse(record: _Record) -> np.ndarray:
    """Return the dense matrix of compressed columns; entries of one place add up."""
    state = {key: _value(value) for key, value in record.state.items()}
    shape = state.get("_shape", state.get("shape"))
    columns = np.repeat(np.arange(shape[1]), np.diff(state["indptr"]))
    dense = np.zeros(shape, state["data"].dtype)
    np.add.at(dense, (state["indices"], columns), state["data"])
    return dense


def _wrapped(record: _Record) -> np.ndarray:
    return np.asarray(_value(record.state["x"]))


def _selected(record: _Record) -> np.ndarray:
    """Return the entries that chumpy's Select takes from the flattened array it wraps."""
    state = {key: _value(record.state[key]) for key in ("a", "idxs")}
    taken = np.asarray(state["a"]).ravel()[state["idxs"]]
    shape = record.state.get("preferred_shape")
    return taken if shape is None else taken.reshape(_value(shape))


def _old(record: _Record) -> Any:
    """Return what the oldest protocols make by naming a class and giving it a state."""
    made = record.arguments[0]()
    made.__setstate__(record.state)
    return _value(made)


def _refused(record: _Record) -> Any:
    raise ValueError(f"it holds a bare {record.name}")


_READ = {
    "_reconstruct": _array,
    "_frombuffer": _from_buffer,
    "scalar": _scalar,
    "csc_matrix": _sparse,
    "Ch": _wrapped,
    "Select": _selected,
    "_reconstructor": _old,
    **dict.fromkeys(("encode", "bytes"), _encoded),
    **dict.fromkeys(("ndarray", "dtype", "object"), _refused),
}
