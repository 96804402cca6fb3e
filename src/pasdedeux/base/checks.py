"""Refuse wrong input early, with a message that names it and says what to do."""

import difflib
from collections.abc import Collection, Sequence


def refuse(condition: object, message: str) -> None:
    """Raise `ValueError(message)` if `condition` is true; the message names argument and remedy."""
    if condition:
        raise ValueError(message)


def choice(name: str, value: str, allowed: Collection[str]) -> str:
    """Return `value` when it is one of `allowed`, else raise `ValueError` with the nearest one."""
    if value in allowed:
        return value
    listed = ", ".join(repr(item) for item in allowed)
    raise ValueError(f"{name} must be one of {listed}, got {value!r}.{nearest(value, allowed)}")


def nearest(value: object, allowed: Collection[object]) -> str:
    """Return ' Did you mean ...?' for the closest of `allowed`, or '' when nothing is close."""
    names: Sequence[str] = [str(item) for item in allowed]
    found = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    return f" Did you mean {found[0]!r}?" if found else ""
