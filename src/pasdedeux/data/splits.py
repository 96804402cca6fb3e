"""Train, valid and test, so that versions of one tune or dance never lie on both sides."""

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
    places: dict[str, str] = {}
    for members in _inside(groups, strata, weights).values():
        places.update(_stratum(members, shares, largest_group))
    return [places[group] for group in groups]


def _inside(
    groups: Sequence[str], strata: Sequence[str], weights: Sequence[int]
) -> dict[str, dict[str, int]]:
    """Return for each stratum the groups that weigh most in it, with their whole weight."""
    weight_of: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group, stratum, weight in zip(groups, strata, weights, strict=True):
        weight_of[group][stratum] += weight
    inside: dict[str, dict[str, int]] = defaultdict(dict)
    for group, weighed in weight_of.items():
        home = max(sorted(weighed), key=weighed.__getitem__)
        inside[home][group] = sum(weighed.values())
    return inside


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


def together(*labels: Sequence[str]) -> list[str]:
    """Return for each item the name of its cluster: items that share any label lie in one.

    Each of `labels` tells one thing of all items (choreographies, pieces of music, ...). Sharing
    is passed on: a and b have one choreography, b and c one song, so a and c stay together. A
    cluster is named by the first label of its first item.
    """
    refuse(
        not labels or len({len(label) for label in labels}) > 1,
        f"labels must be given and equally long, got lengths {[len(label) for label in labels]}.",
    )
    cluster = list(range(len(labels[0])))
    for label in labels:
        first: dict[str, int] = {}
        for item, name in enumerate(label):
            kept = cluster[first.setdefault(name, item)]
            cluster = [kept if c == cluster[item] else c for c in cluster]
    named: dict[int, str] = {}
    for item, number in enumerate(cluster):
        named.setdefault(number, labels[0][item])
    return [named[number] for number in cluster]


def held_out(
    groups: Sequence[str],
    strata: Sequence[str],
    weights: Sequence[int],
    near_shares: Sequence[float],
    *,
    shares: Mapping[str, float] = SHARES,
) -> list[str]:
    """Return the split of each dance; those least copied elsewhere are held out.

    `near_shares` tells how much of each dance has a near copy in another (`copies.audit`): what is
    held out should hold something new. Groups (`together`) are not divided. In each stratum
    (genre) the groups are visited from the lowest share up, equal ones in the order of the SHA-1
    of their names, and each goes to test or valid, whichever is furthest below its share of the
    stratum's weight, test first; once both are full, the rest goes to train. A stratum of fewer
    than three groups goes to train: it cannot fill three splits. No random number is drawn.
    """
    refuse(
        not len(groups) == len(strata) == len(weights) == len(near_shares),
        f"groups, strata, weights and near_shares must be equally long, got {len(groups)}, "
        f"{len(strata)}, {len(weights)} and {len(near_shares)}.",
    )
    refuse(abs(sum(shares.values()) - 1) > 1e-9, f"shares must add up to 1, got {dict(shares)}.")
    refuse(min(weights, default=1) < 1, f"weights must be above 0, got {min(weights, default=1)}.")
    copied: dict[str, float] = defaultdict(float)
    for group, weight, share in zip(groups, weights, near_shares, strict=True):
        refuse(not 0 <= share <= 1, f"near_shares must lie in 0..1, got {share} for {group}.")
        copied[group] += share * weight
    places: dict[str, str] = {}
    for members in _inside(groups, strata, weights).values():
        order = sorted(members, key=lambda name: (copied[name] / members[name], _order(name)))
        places.update(_least_copied(order, members, shares))
    return [places[group] for group in groups]


def _least_copied(
    order: Sequence[str], members: Mapping[str, int], shares: Mapping[str, float]
) -> dict[str, str]:
    places = dict.fromkeys(order, "train")
    if len(order) < len(shares):
        return places
    total = sum(members.values())
    missing = {part: shares[part] * total for part in ("test", "valid")}
    for name in order[:-1]:
        part = max(missing, key=missing.__getitem__)
        if missing[part] <= 0:
            break
        places[name] = part
        missing[part] -= members[name]
    return places


def balanced(rows: int, count: int, generator: np.random.Generator) -> Int[np.ndarray, " M"]:
    """Return `count` of `rows` row numbers, ascending, drawn without replacement."""
    refuse(count > rows, f"cannot draw {count} of {rows} rows without replacement.")
    return np.sort(generator.choice(rows, size=count, replace=False))


def _order(name: str) -> tuple[bytes, str]:
    return hashlib.sha1(name.encode(), usedforsecurity=False).digest(), name
