"""The four sizes in which everything can be run; each paper's settings offer one of each."""

import dataclasses
from typing import Any, Literal, get_args

from pasdedeux.base.checks import choice, nearest

Profile = Literal["quick", "laptop", "gpu", "paper"]
PROFILES: tuple[str, ...] = get_args(Profile)


def settings(cls: type, profile: str, **overrides: Any) -> Any:
    """Return `cls.<profile>()` with `overrides` applied to its fields.

    Raises `ValueError` for an unknown profile or field, with the nearest known name.
    """
    chosen = getattr(cls, choice("profile", profile, PROFILES))()
    known = {field.name for field in dataclasses.fields(cls)}
    for name in overrides:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no setting {name!r}.{nearest(name, known)}")
    return dataclasses.replace(chosen, **overrides)
