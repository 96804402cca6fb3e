"""How every system of the dance tables is asked to dance, and measured: section 4.3 of the paper.

Test excerpts are nine seconds of test dances all of whose windows are new (`data.pairs`). A system
hears the music and gets the true first pose; for diversity it gets five first poses of other
excerpts, and once more five seeds with the same first pose. What a measure is blind to stands in
`metrics.dance` and `metrics.rhythm`.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.canonical import canonical_pose, pose_heading
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs
from pasdedeux.metrics import dance, rhythm
from pasdedeux.motion import beats, features
from pasdedeux.nn.pose import joints
from pasdedeux.training.dances import Trained

WINDOWS = 3  # nine seconds are three windows
TAKES = 5  # dances to one song for diversity
PERCENT = 100.0
Poses = Float[np.ndarray, "N S 147"]


class Excerpts(NamedTuple):
    """Nine seconds each: where they lie, what sounds and what was danced, canonical."""

    dance: np.ndarray
    start: np.ndarray
    music: Float[np.ndarray, "N S 53"]
    pose: Poses

    def __len__(self) -> int:
        return len(self.start)


class Performed(NamedTuple):
    """What a system danced: to each excerpt, and the takes for diversity of some of them."""

    danced: Poses
    other_starts: Float[np.ndarray, "K R S 147"]
    other_noise: Float[np.ndarray, "K R S 147"]
    most_a_genre: int


def excerpts(pairs: Pairs, *, most_a_genre: int, part: str = "test") -> Excerpts:
    """Return excerpts of `part` whose windows all are new, at most so many of a genre.

    They do not overlap; where a genre has more, some are drawn, the same for every system. Raises
    `ValueError` when there is none.
    """
    held, frames = pairs.parts[part], pairs.settings.frames
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    known = set(zip(held.dance.tolist(), held.start.tolist(), strict=True))
    taken: set[tuple[int, int]] = set()
    for number, start in sorted(known):
        windows = [(number, start + k * frames) for k in range(WINDOWS)]
        if known.issuperset(windows) and taken.isdisjoint(windows):
            taken.update(windows)
            rows[pairs.dances[number].genre].append((number, start))
    chosen = []
    for genre, found in sorted(rows.items()):
        order = numpy_generator(0, "excerpts", genre).permutation(len(found))[:most_a_genre]
        chosen += [found[place] for place in sorted(order)]
    refuse(
        not chosen, f"no dance of {part!r} has {WINDOWS} new windows in a row; give more dances."
    )
    length = WINDOWS * frames
    pose = np.stack([pairs.dances[n].pose[s : s + length] for n, s in chosen])
    music = np.stack([pairs.dances[n].music[s : s + length] for n, s in chosen])
    where = np.array(chosen)
    canonical = canonical_pose(pose, pose_heading(pose))
    return Excerpts(where[:, 0], where[:, 1], pairs.scale.apply(music), canonical)


def performed(trained: Trained, pairs: Pairs, most_a_genre: int, *, seed: int) -> Performed:
    """Return what a system dances to the excerpts, and the takes to every fourth of them."""
    found = excerpts(pairs, most_a_genre=most_a_genre)
    first = found.pose[:, 0]
    danced = trained.dance(found.music, first, seed)
    rows = np.arange(0, len(found), 4)
    starts = [np.roll(first, -k, axis=0)[rows] for k in range(TAKES)]
    other_starts = [trained.dance(found.music[rows], one, seed) for one in starts]
    other_noise = [trained.dance(found.music[rows], first[rows], seed + k) for k in range(TAKES)]
    return Performed(danced, np.stack(other_starts, 1), np.stack(other_noise, 1), most_a_genre)


def joints_of(pose: Float[np.ndarray, "*any 147"]) -> Float[np.ndarray, "*any 24 3"]:
    """Return where the joints of SMPL's mean body are; every system is measured on this body."""
    return joints(torch.from_numpy(np.ascontiguousarray(pose)).float()).numpy()


def truth(pairs: Pairs, most_a_genre: int) -> Performed:
    """Return what was really danced, for the row of the ground truth; it has one take only."""
    found = excerpts(pairs, most_a_genre=most_a_genre)
    none = np.zeros((0, TAKES, *found.pose.shape[1:]), np.float32)
    return Performed(found.pose, none, none, most_a_genre)


def evaluate(made: Performed, pairs: Pairs) -> dict[str, float]:
    """Return every number of the dance tables for what one system danced."""
    found = excerpts(pairs, most_a_genre=int(made.most_a_genre))
    true, danced = joints_of(found.pose), joints_of(made.danced)
    numbers = {
        f"distance {frame} (mm)": float(
            np.mean(
                [dance.joint_distance(a, b, frame=frame) for a, b in zip(true, danced, strict=True)]
            )
        )
        for frame in ("world", "root", "pose")
    }
    if len(made.other_starts):
        numbers["diversity (cm)"] = _diversity(made.other_starts)
        numbers["diversity, same start (cm)"] = _diversity(made.other_noise)
    numbers |= _rhythm(danced, found, pairs)
    rate = float(RATE_HZ)
    for name, kind in (("kinetic", features.kinetic), ("geometric", features.geometric)):
        real, ours = (
            np.stack([kind(_begun(one), rate) for one in moved]) for moved in (true, danced)
        )
        if len(real) > 1:
            x, y = dance.normalised(real, ours)
            numbers[f"FID {name}"] = dance.frechet_distance(x, y)
    numbers["PFC"] = float(np.mean([dance.physical_foot_contact(one, rate) for one in danced]))
    numbers["frozen (%)"] = PERCENT * float(
        np.mean([dance.stillness(a, b) for a, b in zip(true, danced, strict=True)])
    )
    return numbers


def _begun(moved: Float[np.ndarray, "S 24 3"]) -> Float[np.ndarray, "S 24 3"]:
    return moved - moved[:1, :1]


def _diversity(takes: Float[np.ndarray, "K R S 147"]) -> float:
    return float(np.mean([dance.diversity(joints_of(one)) for one in takes]))


def _rhythm(
    danced: Float[np.ndarray, "N S 24 3"], found: Excerpts, pairs: Pairs
) -> Mapping[str, float]:
    """Return Beats Alignment with chance and excess; a dance without a beat has no hit."""
    seconds = danced.shape[1] / RATE_HZ
    hits, chance = [], []
    for moved, number, start in zip(danced, found.dance, found.start, strict=True):
        music = pairs.dances[number].beat_seconds - start / RATE_HZ
        music = music[(music >= 0) & (music <= seconds)]
        if not len(music):
            continue
        steps = beats.beat_seconds(moved, float(RATE_HZ))
        probe = steps if len(steps) else np.array([0.0])
        told = rhythm.alignment(music, probe, seconds)
        hits.append(told.hits if len(steps) else 0.0)
        chance.append(told.chance)
    aligned, by_chance = (PERCENT * float(np.mean(values)) for values in (hits, chance))
    return {
        "beats alignment (%)": aligned,
        "by chance (%)": by_chance,
        "above chance (%)": aligned - by_chance,
    }
