"""Train, valid and test, so that versions of one tune never lie on both sides."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from pasdedeux.base.checks import refuse

SHARES: Mapping[str, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}
LARGEST_GROUP = 0.05  # of its stratum: one tune must not become most of a test set


def split(
    groups: Sequence[str],
    strata: Sequence[str],
    weights: Sequence[int],
    *,
    shares: Mapping[str, float] = SHARES,
    largest_group: float = LARGEST_GROUP,
) -> list[str]:
    """Return the name of the split of each item: "train", "valid" or "test".

    Items of one group stay together, in the stratum where the group weighs most. In each stratum
    the groups are visited in the order of the SHA-1 of their names, and each goes to the split that
    is furthest below its share of the stratum's weight; a group above `largest_group` of it goes to
    the first split. Adding an item therefore moves few others, and no random number is drawn.
    """
    refuse(
        not len(groups) == len(strata) == len(weights),
        f"groups, strata and weights must be equally long, got {len(groups)}, {len(strata)} and "
        f"{len(weights)}.",
    )
    refuse(abs(sum(shares.values()) - 1) > 1e-9, f"shares must add up to 1, got {dict(shares)}.")
    weight_of: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group, stratum, weight in zip(groups, strata, weights, strict=True):
        weight_of[group][stratum] += weight
    inside: dict[str, dict[str, int]] = defaultdict(dict)
    for group, weighed in weight_of.items():
        home = max(sorted(weighed), key=weighed.__getitem__)
        inside[home][group] = sum(weighed.values())
    places: dict[str, str] = {}
    for members in inside.values():
        places.update(_stratum(members, shares, largest_group))
    return [places[group] for group in groups]


def _stratum(
    members: Mapping[str, int], shares: Mapping[str, float], largest_group: float
) -> dict[str, str]:
    total = sum(members.values())
    filled = dict.fromkeys(shares, 0)
    first = next(iter(shares))
    places = {name: first for name, weight in members.items() if weight > largest_group * total}
    filled[first] = sum(members[name] for name in places)
    for name in sorted(members.keys() - places.keys(), key=_order):
        places[name] = max(shares, key=lambda part: shares[part] * total - filled[part])
        filled[places[name]] += members[name]
    return places


def balanced(rows: int, count: int, generator: np.random.Generator) -> Int[np.ndarray, " M"]:
    """Return `count` of `rows` row numbers, ascending, drawn without replacement."""
    refuse(count > rows, f"cannot draw {count} of {rows} rows without replacement.")
    return np.sort(generator.choice(rows, size=count, replace=False))


def _order(name: str) -> tuple[bytes, str]:
    return hashlib.sha1(name.encode(), usedforsecurity=False).digest(), name
