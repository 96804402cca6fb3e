"""How every system of the dance tables is asked to dance and to compose, and measured.

Sections 4.3 and 4.4 of the paper. Test excerpts are nine seconds of test dances all of whose
windows are new (`data.pairs`). A system hears the music and gets the true first pose; for diversity
it gets five first poses of other excerpts, and once more five seeds with the same first pose. A
system that composes sees the recorded dance and gets a drawn chord. What a measure is blind to
stands in `metrics.dance`, `metrics.rhythm` and `metrics.notes`.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.canonical import canonical_pose, pose_heading
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs
from pasdedeux.metrics import dance, notes, rhythm
from pasdedeux.motion import beats, features
from pasdedeux.music.features import CHROMA
from pasdedeux.nn.pose import joints
from pasdedeux.training.dances import Trained

WINDOWS = 3  # nine seconds are three windows
TAKES = 5  # dances to one song for diversity
PERCENT = 100.0
NEAR_SECONDS = 0.08  # two frames: what Beats Alignment would be if it asked for precision
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
    """What a system danced to each excerpt, the takes for diversity of some, and what it composed
    for each, scaled as music is; none of the last for a system that cannot.
    """

    danced: Poses
    other_starts: Float[np.ndarray, "K R S 147"]
    other_noise: Float[np.ndarray, "K R S 147"]
    composed: Float[np.ndarray, "C S 53"]
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
    apart = max(1, len(found) // TAKES)  # neighbours in the list are mostly of one dance
    starts = [np.roll(first, -k * apart, axis=0)[rows] for k in range(TAKES)]
    other_starts = [trained.dance(found.music[rows], one, seed) for one in starts]
    other_noise = [trained.dance(found.music[rows], first[rows], seed + k) for k in range(TAKES)]
    none = found.music[:0]
    composed = none if trained.compose is None else trained.compose(found.pose, seed)
    return Performed(
        danced, np.stack(other_starts, 1), np.stack(other_noise, 1), composed, most_a_genre
    )


def joints_of(pose: Float[np.ndarray, "*any 147"]) -> Float[np.ndarray, "*any 24 3"]:
    """Return where the joints of SMPL's mean body are; every system is measured on this body."""
    return joints(torch.from_numpy(np.ascontiguousarray(pose)).float()).numpy()


def truth(pairs: Pairs, most_a_genre: int) -> Performed:
    """Return what was really danced and played, for the row of the ground truth: one take only."""
    found = excerpts(pairs, most_a_genre=most_a_genre)
    none = np.zeros((0, TAKES, *found.pose.shape[1:]), np.float32)
    return Performed(found.pose, none, none, found.music, most_a_genre)


def swapped(pairs: Pairs, most_a_genre: int) -> Performed:
    """Return each excerpt's real dance and music as if they belonged to another excerpt.

    That is the one half of all excerpts on, so mostly of another song. Whatever a measure credits
    these with is not the match of dance and music. Raises `ValueError` for a single excerpt.
    """
    real = truth(pairs, most_a_genre)
    refuse(len(real.danced) < 2, "there is one test excerpt only; give more dances to swap.")
    far = len(real.danced) // 2
    return real._replace(
        danced=np.roll(real.danced, far, axis=0), composed=np.roll(real.composed, far, axis=0)
    )


def evaluate(made: Performed, pairs: Pairs) -> dict[str, float]:
    """Return every number of the dance tables for what one system danced and composed."""
    found = excerpts(pairs, most_a_genre=int(made.most_a_genre))
    true, danced = joints_of(found.pose), joints_of(made.danced)
    numbers = {
        f"distance {frame} (mm)": _mean(
            dance.joint_distance(a, b, frame=frame) for a, b in zip(true, danced, strict=True)
        )
        for frame in ("world", "root", "pose")
    }
    if len(made.other_starts):
        numbers["diversity (cm)"] = _diversity(made.other_starts)
        numbers["diversity, same start (cm)"] = _diversity(made.other_noise)
    numbers |= rhythm_of(danced, found, pairs) | _field(true, danced)
    if len(made.composed):
        numbers |= notes_of(made.composed, found, pairs)
    return numbers


def _field(
    true: Float[np.ndarray, "N S 24 3"], danced: Float[np.ndarray, "N S 24 3"]
) -> dict[str, float]:
    """Return what the field reports of dances beside the paper's measures, and how they move."""
    rate, numbers = float(RATE_HZ), {}
    for name, kind in (("kinetic", features.kinetic), ("geometric", features.geometric)):
        real, ours = (
            np.stack([kind(_begun(one), rate) for one in moved]) for moved in (true, danced)
        )
        if len(real) > 1:
            x, y = dance.normalised(real, ours)
            numbers[f"FID {name}"] = dance.frechet_distance(x, y)
    numbers["PFC"] = _mean(dance.physical_foot_contact(one, rate) for one in danced)
    still = (dance.stillness(a, b) for a, b in zip(true, danced, strict=True))
    numbers["frozen (%)"] = PERCENT * _mean(still)
    numbers["speed (m/s)"] = float(_changes(danced, 1).mean())
    numbers["acceleration (m/s^2)"] = float(_changes(danced, 2).mean())
    return numbers


def _changes(danced: Float[np.ndarray, "N S 24 3"], order: int) -> Float[np.ndarray, " N"]:
    """Return the mean over frames and joints of how fast each dance changes, in seconds."""
    sizes = np.linalg.norm(np.diff(danced, n=order, axis=1), axis=-1) * float(RATE_HZ) ** order
    return sizes.mean(axis=(1, 2))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _begun(moved: Float[np.ndarray, "S 24 3"]) -> Float[np.ndarray, "S 24 3"]:
    return moved - moved[:1, :1]


def _diversity(takes: Float[np.ndarray, "K R S 147"]) -> float:
    return float(np.mean([dance.diversity(joints_of(one)) for one in takes]))


def rhythm_of(
    danced: Float[np.ndarray, "N S 24 3"], found: Excerpts, pairs: Pairs
) -> dict[str, float]:
    """Return Beats Alignment with chance and excess, within five frames and within two, and the
    beat score over the beats of the music and over those of the dance.

    A dance without a beat has no hit and scores 0; how many there are is told beside it. Beats of
    the music just outside the excerpt can be met in Beats Alignment. Excerpts whose music has no
    beat are left out.
    """
    seconds = danced.shape[1] / RATE_HZ
    reach = rhythm.WINDOW_SECONDS
    rows: list[tuple[float, ...]] = []
    for moved, number, start in zip(
        danced, found.dance.tolist(), found.start.tolist(), strict=True
    ):
        music = beats_in(pairs, number, start, seconds)
        if not len(music):
            continue
        steps = beats.beat_seconds(moved, float(RATE_HZ))
        probe = steps if len(steps) else np.array([0.0])
        around = beats_in(pairs, number, start, seconds, reach=reach)
        wide = rhythm.alignment(around, probe, seconds)
        near = rhythm.alignment(around, probe, seconds, window_seconds=NEAR_SECONDS)
        scores = [rhythm.beat_alignment_score(music, probe, over=o) for o in ("music", "dance")]
        met = (PERCENT * wide.hits, PERCENT * near.hits, *scores)
        met = met if len(steps) else (0.0,) * len(met)
        rows.append((*met, PERCENT * wide.chance, PERCENT * near.chance, float(not len(steps))))
    if not rows:
        return {}
    means = np.mean(rows, axis=0).tolist()
    hits, near_hits, over_music, over_dance, chance, near_chance, without = means
    return {
        "beats alignment (%)": hits,
        "by chance (%)": chance,
        "above chance (%)": hits - chance,
        "above chance, 2 frames (%)": near_hits - near_chance,
        "beat score, music": over_music,
        "beat score, dance": over_dance,
        "without a beat (%)": PERCENT * without,
    }


def beats_in(
    pairs: Pairs, number: int, start: int, seconds: float, *, reach: float = 0.0
) -> Float[np.ndarray, " N"]:
    """Return the beats of a dance's music from frame `start` on, in seconds from there.

    With `reach` also those that lie less than so many seconds outside.
    """
    music = pairs.dances[number].beat_seconds - start / RATE_HZ
    return music[(music >= -reach) & (music <= seconds + reach)]


def notes_of(
    composed: Float[np.ndarray, "N S 53"], found: Excerpts, pairs: Pairs
) -> dict[str, float]:
    """Return Notes Accuracy and F1, and what the best held note of each excerpt would reach.

    Means over the excerpts whose music has two beats and a note.
    """
    seconds = composed.shape[1] / RATE_HZ
    rows = []
    for made, real, number, start in zip(
        composed, found.music, found.dance.tolist(), found.start.tolist(), strict=True
    ):
        music = beats_in(pairs, number, start, seconds)
        silent = not real[:, CHROMA].any()
        if silent or len(np.unique(np.round(music * RATE_HZ))) < 2:
            continue
        pair = (np.clip(x[:, CHROMA], 0.0, 1.0).astype(float) for x in (real, made))
        told = notes.evaluate(*pair, music)
        if np.isfinite(told.accuracy):
            rows.append((told.accuracy, told.f1, told.majority))
    if not rows:
        return {}
    names = ("notes accuracy", "notes F1", "best held note")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
