"""Dance2Music (Aggarwal and Parikh, 2021): notes that repeat when the dance does; nothing learns.

A dance is alike itself as the cosine between the bodies of two frames, a melody as one minus the
distance of two notes on a scale of five:

    D_ij = cos(x_i, x_j)        M_ij = 1 - |n_i - n_j| / 4

Notes are chosen one by one, each of the five for each of the `beam` best melodies so far; the best
have the highest Pearson correlation between the two matrices over the last `history` notes. Every
entry of M stands for `frames` x `frames` entries of D. Equal neighbours are one long note.

Time. The original makes a note every 6 frames at 30 a second; that is every 5 frames at our 25.
Music begins one note late, as released: a note is heard once the frames it was chosen by are over.

| released                                | here                                               |
|-----------------------------------------|----------------------------------------------------|
| 2-D key points in the picture           | joints in space, seen from the root                |
| the first note is the third of five     | the same                                           |
| M in 256 steps; equals in any order     | M as it is; of equals the one that was better      |
| a small network imitates the search     | the search itself                                  |

A re-implementation: the row does not hear audio, and needs no transcripts. `B` melodies, `T`
frames, `N` notes, `J` joints.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base.checks import refuse
from pasdedeux.baselines import transcripts
from pasdedeux.data.clip_places import ClipSettings
from pasdedeux.music.transcribed import TranscriptSettings
from pasdedeux.training.musics import Material, MusicTraining, Trained

SYSTEM = "dance2music"
SCALE = (0, 2, 4, 7, 9)  # pitch classes: C, D, E, G, A
FIRST = 2  # place on the scale of the first note


@dataclass(frozen=True)
class Dance2MusicSettings(MusicTraining):
    """What is chosen for the search; the defaults are the released ones."""

    frames: int = 5  # of the dance for a note, 0.2 s
    beam: int = 50  # melodies that are kept
    history: int = 10  # notes that are compared

    def __post_init__(self) -> None:
        """Refuse a search that looks at nothing, naming the setting."""
        super().__post_init__()
        for name in ("frames", "beam", "history"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")

    @classmethod
    def paper(cls) -> "Dance2MusicSettings":
        """The released search."""
        return cls(workers=1)

    @classmethod
    def gpu(cls) -> "Dance2MusicSettings":
        """The released search."""
        return cls(workers=1)

    @classmethod
    def laptop(cls) -> "Dance2MusicSettings":
        """The released search."""
        return cls()

    @classmethod
    def quick(cls) -> "Dance2MusicSettings":
        """The released search for a few clips of the synthetic dances."""
        few = ClipSettings(genres=("Waltz", "Lock"), most_clips=128)
        return replace(cls.laptop(), clips=few, samples=8)


def of_dance(joints: Float[np.ndarray, "T J 3"]) -> Float[np.ndarray, "T T"]:
    """Return D, the cosine between the bodies of every two frames, 0 for a body without size."""
    refuse(not np.isfinite(joints).all(), "joints must be finite; fill or cut these frames.")
    bodies = (joints - joints[:, :1]).reshape(len(joints), -1).astype(np.float64)
    length = np.linalg.norm(bodies, axis=1, keepdims=True)
    unit = bodies / np.where(length > 0, length, 1.0)
    return unit @ unit.T


def of_notes(places: Int[np.ndarray, "B N"]) -> Float[np.ndarray, "B N N"]:
    """Return M of melodies given as places on the scale, 0 to 4."""
    apart = np.abs(places[:, :, None] - places[:, None, :])
    return 1 - apart / (len(SCALE) - 1)


def correlation(
    music: Float[np.ndarray, "B N N"], dance: Float[np.ndarray, "T T"]
) -> Float[np.ndarray, " B"]:
    """Return the Pearson correlation of each M with D, T = N frames; 0 where either is constant.

    Each entry of M is held for frames x frames entries of D. The sum of products needs only the
    mean of D over these, which is taken once for all melodies.
    """
    N, T = music.shape[1], len(dance)
    refuse(T % N, f"dance must have as many frames for each of {N} notes, got {T}.")
    blocks = dance.reshape(N, T // N, N, T // N).mean((1, 3))
    centred = music - music.mean((1, 2), keepdims=True)
    shared = (centred * (blocks - blocks.mean())).mean((1, 2))
    spread = centred.std((1, 2)) * dance.std()
    flat = spread < 1e-12
    return np.where(flat, 0.0, shared / np.where(flat, 1.0, spread))


def composed(
    joints: Float[np.ndarray, "T J 3"], settings: Dance2MusicSettings
) -> Int[np.ndarray, " N"]:
    """Return the melody that the search finds for a dance, N = T // frames places on the scale.

    Raises `ValueError` for a dance shorter than a note.
    """
    frames, count = settings.frames, len(joints) // settings.frames
    refuse(count < 1, f"joints must hold at least {frames} frames, got {len(joints)}.")
    dance = of_dance(joints)
    melodies = np.full((1, 1), FIRST)
    for length in range(2, count + 1):
        longer = np.repeat(melodies, len(SCALE), axis=0)
        longer = np.column_stack([longer, np.tile(np.arange(len(SCALE)), len(melodies))])
        begin = max(0, length - settings.history)
        part = slice(begin * frames, length * frames)
        alike = correlation(of_notes(longer[:, begin:]), dance[part, part])
        best = np.argsort(-alike.round(12), kind="stable")[: settings.beam]
        melodies = longer[best]
    return melodies[0]


def roll(
    melody: Int[np.ndarray, " N"], slots: int, *, slots_a_note: int
) -> Int[np.ndarray, "T 12"]:
    """Return `melody` as the roll of `music.transcribed`, one note late; equal neighbours merge."""
    made = np.zeros((slots, 12), int)
    begins = np.flatnonzero(np.concatenate([[True], np.diff(melody) != 0]))
    for begin, end in zip(begins, [*begins[1:], len(melody)], strict=True):
        slot = (begin + 1) * slots_a_note
        if slot < slots:
            lasts = (end - begin) * slots_a_note
            made[slot, SCALE[melody[begin]]] = min(lasts, slots - slot)
    return made


def train(settings: Dance2MusicSettings, material: Material, seed: int) -> Trained:
    """Return the search as a system; it learns nothing and draws nothing."""
    heard = TranscriptSettings()
    run = transcripts.open_run(SYSTEM, settings, material, seed, code=__name__, transcript=heard)
    slots = transcripts.slots(material)

    def compose(rows: Int[np.ndarray, " M"], seed: int) -> Int[np.ndarray, "M T 12"]:
        made = np.zeros((len(rows), slots, 12), int)
        for place, joints in enumerate(material.clips.joints(rows)):
            # a slot is a frame of the dance
            melody = composed(joints, settings)
            made[place] = roll(melody, slots, slots_a_note=settings.frames)
        return made

    return Trained(run, transcripts.sounding(compose, material.clips.settings.samples))


def parameters(settings: Dance2MusicSettings) -> int:
    """Return how many numbers are learned: none."""
    return 0
