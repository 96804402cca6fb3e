"""The body as a tree of joints: names, parents, and where each joint sits on its parent at rest.

Frame of reference of the built-in body: x to the dancer's left, y up, z forward, in metres. `J`
joints.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import choice, refuse

TABLE = Path(__file__).with_name("skeleton.toml")


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints in an order where parents come first; the first is the root, its parent -1.

    `offsets_metres` holds each joint's place relative to its parent at rest, the root's relative to
    the origin of the body (0 for the built-in one, joint 0 of a real SMPL file).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets_metres: Float[np.ndarray, "J 3"]

    def __post_init__(self) -> None:
        """Refuse what is no tree, naming the first joint that is wrong."""
        lengths = {len(self.names), len(self.parents), len(self.offsets_metres)}
        refuse(
            len(lengths) != 1 or not self.names,
            f"names, parents and offsets_metres must be equally long, got lengths {lengths}.",
        )
        refuse(len(set(self.names)) < len(self.names), f"names must be distinct, got {self.names}.")
        for joint, parent in enumerate(self.parents):
            refuse(
                not (0 <= parent < joint or joint == 0 == parent + 1),
                f"parents[{joint}] ({self.names[joint]}) is {parent}; the root comes first with "
                "parent -1, every other joint after its parent: reorder the joints.",
            )
        refuse(
            not np.isfinite(self.offsets_metres).all(),
            "offsets_metres must be finite; fill or drop the joints that were not measured.",
        )

    def index(self, name: str) -> int:
        """Return the place of joint `name`; an unknown name is refused with the nearest one."""
        return self.names.index(choice("name", name, self.names))

    @property
    def depths(self) -> tuple[int, ...]:
        """How many bones lie between the root and each joint."""
        found: list[int] = []
        for parent in self.parents:
            found.append(0 if parent < 0 else found[parent] + 1)
        return tuple(found)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the one on the other side of the body, itself on the middle line."""
        places = {name: joint for joint, name in enumerate(self.names)}
        swap = {"left": "right", "right": "left"}
        found = []
        for name in self.names:
            side, _, rest = name.partition("_")
            found.append(places.get(f"{swap.get(side, side)}_{rest}", places[name]))
        return tuple(found)

    def rest_joints(self) -> Float[np.ndarray, "J 3"]:
        """Return the joints of the body at rest, every rotation the identity, in metres."""
        joints = np.zeros_like(self.offsets_metres)
        for joint, parent in enumerate(self.parents):
            joints[joint] = self.offsets_metres[joint] + (joints[parent] if parent >= 0 else 0)
        return joints


@cache
def smpl() -> Skeleton:
    """Return the 24 joints of SMPL with public mean offsets; `skeleton.toml` names their source."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["joint"]
    names = tuple(row["name"] for row in table)
    parents = tuple(names.index(row["parent"]) if "parent" in row else -1 for row in table)
    offsets = np.array([row["offset_metres"] for row in table], dtype=float)
    offsets.setflags(write=False)
    return Skeleton(names, parents, offsets)
