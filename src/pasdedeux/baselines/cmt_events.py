"""Events of the Controllable Music Transformer, and what a dance tells of them.

See `baselines.cmt`. `T` events, `F` fields, `M` clips, `N` frames, `S` slots, `K` bars.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.training.musics import Material

BAR_SLOTS = 10
START, BAR, CHORD, NOTE = range(4)
# a field that an event does not have is 0; the others count from 1
FIELDS = ("genre", "density", "place", "notes", "pitch", "length")
OF_KIND: Mapping[int, tuple[str, ...]] = {
    BAR: ("density",),
    CHORD: ("place", "notes"),
    NOTE: ("pitch", "length"),
}
LONGEST = 25  # slots of a note; longer ones count as that
RATED = 512  # clips of training whose speed is ranked


def sizes(genres: int) -> dict[str, int]:
    """Return how many values each field has, the absent one counted."""
    counts = (genres, BAR_SLOTS + 1, BAR_SLOTS, 12, 12, LONGEST)
    return {name: count + 1 for name, count in zip(FIELDS, counts, strict=True)}


def event(kind: int, **fields: int) -> list[int]:
    """Return one event: its kind and all fields."""
    return [kind, *(fields.get(name, 0) for name in FIELDS)]


def events(roll: Int[np.ndarray, "S 12"], genre: int) -> Int[np.ndarray, "T F"]:
    """Return the events of a roll; a bar without a density ends them.

    Raises `ValueError` when the roll holds no whole number of bars.
    """
    refuse(len(roll) % BAR_SLOTS, f"roll must hold bars of {BAR_SLOTS} slots, got {len(roll)}.")
    made = [event(START, genre=genre + 1)]
    for bar in roll.reshape(-1, BAR_SLOTS, 12):
        begins = np.flatnonzero(bar.any(1))
        made.append(event(BAR, density=len(begins) + 1))
        for place in begins:
            classes = np.flatnonzero(bar[place])
            made.append(event(CHORD, place=int(place) + 1, notes=len(classes)))
            for pitch in classes:
                length = min(LONGEST, int(bar[place, pitch]))
                made.append(event(NOTE, pitch=int(pitch) + 1, length=length))
    return np.array([*made, event(BAR)])


def roll_of(made: Int[np.ndarray, "T F"], slots: int) -> Int[np.ndarray, "S 12"]:
    """Return the roll of events; notes end with the clip."""
    roll, begin, slot = np.zeros((slots, 12), int), -BAR_SLOTS, 0
    for kind, *values in made.tolist():
        told = dict(zip(FIELDS, values, strict=True))
        if kind == BAR:
            begin += BAR_SLOTS
        elif kind == CHORD:
            slot = begin + told["place"] - 1
        elif kind == NOTE:
            roll[slot, told["pitch"] - 1] = min(told["length"], slots - slot)
    return roll


def most_events(slots: int, voices: int) -> int:
    """Return the events that a clip has at most."""
    return 2 + slots // BAR_SLOTS + slots * (1 + voices)


def speeds(joints: Float[np.ndarray, "M N J 3"]) -> Float[np.ndarray, "M N"]:
    """Return the mean over joints of the distance to the frame before; the first has the next's."""
    steps = np.linalg.norm(np.diff(joints, axis=1), axis=-1).mean(-1)
    return np.concatenate([steps[:, :1], steps], axis=1)


def saliency(speed: Float[np.ndarray, "M N"]) -> Float[np.ndarray, "M N"]:
    """Return how much the speed changes at each frame where that is a peak, else 0."""
    change = np.abs(np.diff(speed, axis=1, prepend=speed[:, :1]))
    edge = np.pad(change, ((0, 0), (1, 1)))
    peak = (change > edge[:, :-2]) & (change >= edge[:, 2:])
    return np.where(peak, change, 0.0)


def by_rank(
    values: Float[np.ndarray, "*shape"],
    known: Float[np.ndarray, " K"],
    wanted: Int[np.ndarray, " L"],
) -> Int[np.ndarray, "*shape"]:
    """Return for each value what stands among `wanted` where it stands among `known`."""
    refuse(not len(known) or not len(wanted), "known and wanted must hold something to rank by.")
    low, high = (np.searchsorted(np.sort(known), values, side) for side in ("left", "right"))
    share = (low + high) / 2 / len(known)
    place = np.minimum((share * len(wanted)).astype(int), len(wanted) - 1)
    return np.sort(wanted)[place]


class Told:
    """What dances tell: chords in each bar, and notes of a chord at each slot (0: not told)."""

    def __init__(self, material: Material, rolls: Int[np.ndarray, "M S 12"]) -> None:
        self.material = material
        rows = material.clips.rows("train")
        some = rows[np.linspace(0, len(rows) - 1, min(RATED, len(rows))).astype(int)]
        speed = speeds(material.clips.joints(some))
        peaks = saliency(speed)
        chords = rolls.any(2)
        self.bars = self._bars(speed).ravel(), chords.reshape(-1, BAR_SLOTS).sum(1)
        self.peaks = peaks[peaks > 0], (rolls > 0).sum(2)[chords]

    def of(
        self, rows: Int[np.ndarray, " M"]
    ) -> tuple[Int[np.ndarray, "M K"], Int[np.ndarray, "M S"]]:
        """Return densities and notes for clips; a slot is a frame of the dance."""
        speed = speeds(self.material.clips.joints(rows))
        peaks = saliency(speed)
        if not len(self.peaks[0]) or not len(self.peaks[1]):
            return by_rank(self._bars(speed), *self.bars), np.zeros(speed.shape, int)
        notes = np.where(peaks > 0, by_rank(peaks, *self.peaks), 0)
        return by_rank(self._bars(speed), *self.bars), notes

    def _bars(self, speed: Float[np.ndarray, "M N"]) -> Float[np.ndarray, "M K"]:
        return speed.reshape(len(speed), -1, BAR_SLOTS).mean(2)
