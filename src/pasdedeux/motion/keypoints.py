"""The 23 points that Tang, Jia and Mao (2018) recorded, and where on an SMPL body they sit.

Frame of reference: x to the dancer's left, y up, z forward, in metres. `N` points.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import choice, refuse

TABLE = Path(__file__).with_name("keypoints.toml")
OTHER_SIDE = {"left": "right", "right": "left"}


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Points on a body: their names, the joint that carries each, and where on it each sits.

    `offsets_metres` are seen from the joint, in the body at rest. `segments` are the pairs of
    points that a picture joins by lines.
    """

    names: tuple[str, ...]
    joints: tuple[str, ...]
    offsets_metres: Float[np.ndarray, "N 3"]
    segments: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse points that do not agree with each other."""
        lengths = {len(self.names), len(self.joints), len(self.offsets_metres)}
        refuse(
            len(lengths) != 1 or not self.names,
            f"names, joints and offsets_metres must be equally long, got lengths {lengths}.",
        )
        refuse(len(set(self.names)) < len(self.names), f"names must be distinct, got {self.names}.")
        ends = [end for segment in self.segments for end in segment]
        refuse(
            any(not 0 <= end < len(self.names) for end in ends),
            f"segments must join points 0 to {len(self.names) - 1}, got {self.segments}.",
        )
        refuse(
            not np.isfinite(self.offsets_metres).all(),
            "offsets_metres must be finite; drop the points whose place is not known.",
        )

    def index(self, name: str) -> int:
        """Return the place of point `name`; an unknown name is refused with the nearest one."""
        return self.names.index(choice("name", name, self.names))

    @property
    def sides(self) -> tuple[str, ...]:
        """For each point `left`, `right` or `middle`."""
        first = [name.partition("_")[0] for name in self.names]
        return tuple(word if word in OTHER_SIDE else "middle" for word in first)

    @property
    def mirror(self) -> tuple[int | None, ...]:
        """For each point the one on the other side, itself in the middle, None where none is."""
        places = {name: point for point, name in enumerate(self.names)}
        return tuple(places.get(_swapped(name)) for name in self.names)

    def mirrored(self) -> "Keypoints":
        """Return the points of the mirror image, in the same order: what was left is right."""
        return Keypoints(
            tuple(_swapped(name) for name in self.names),
            tuple(_swapped(joint) for joint in self.joints),
            self.offsets_metres * [-1.0, 1.0, 1.0],
            self.segments,
        )


@cache
def tang() -> Keypoints:
    """Return the points of the dances of Tang et al.; `keypoints.toml` says how they were named."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    rows = table["point"]
    names = tuple(row["name"] for row in rows)
    offsets = np.array([row["offset_metres"] for row in rows], dtype=float)
    offsets.setflags(write=False)
    segments = tuple((names.index(a), names.index(b)) for a, b in table["segments"])
    return Keypoints(names, tuple(row["joint"] for row in rows), offsets, segments)


def _swapped(name: str) -> str:
    """Return `name` with its side, if it begins with one, exchanged for the other."""
    side, _, rest = name.partition("_")
    return f"{OTHER_SIDE[side]}_{rest}" if side in OTHER_SIDE else name
