"""A dance with its music, frame by frame: what every reader of paired data ends in.

Frame of reference: the world's, y up, x left and z forward of a dancer who faces z; metres; 25
frames a second. `T` frames, `N` beats.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.motion import skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six
from pasdedeux.motion.skeleton import Skeleton

RATE_HZ = 25

# Table 1 of the dual-learning paper: the letter or code in a file's name, and the printed genre
TANG_GENRES = {"R": "Rumba", "C": "Cha Cha", "T": "Tango", "W": "Waltz"}
AIST_GENRES = {
    "gBR": "Break Dance",
    "gHO": "House",
    "gJB": "Ballet Jazz",
    "gJS": "Street Jazz",
    "gKR": "Krump",
    "gLH": "LA Style Hip Hop",
    "gLO": "Lock",
    "gMH": "Middle Hip Hop",
    "gPO": "Pop",
    "gWA": "Waack",
}
GENRES = (*TANG_GENRES.values(), *AIST_GENRES.values())


@dataclass(frozen=True, eq=False)
class Recording:
    """The sound of a dance: an audio file, and which seconds of it the frames cover."""

    path: Path
    start_seconds: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Dance:
    """One dance: where the body is and what the music does, at every frame.

    name: unique within its corpus. group: the choreography; song: the piece of music; neither may
    lie on both sides of a split. offsets_metres: the rest skeleton of this dancer. music: the
    features of `music.features`, not normalised. beat_seconds: beats of the music, counted from the
    first frame. flags: what is doubtful about it, in words; empty for a clean take. split: the part
    its publishers put it in, "" when their lists leave it out, None when there are no lists.
    """

    name: str
    corpus: str
    genre: str
    group: str
    song: str
    translation: Float[np.ndarray, "T 3"]
    rotations: Float[np.ndarray, "T 24 6"]
    offsets_metres: Float[np.ndarray, "24 3"]
    music: Float[np.ndarray, "T 53"]
    beat_seconds: Float[np.ndarray, " N"]
    flags: tuple[str, ...] = ()
    recording: Recording | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown genre, and what is not finite."""
        refuse(
            self.genre not in GENRES,
            f"{self.name}: genre must be one of {GENRES}, got {self.genre!r}.",
        )
        for field in ("translation", "rotations", "offsets_metres", "music", "beat_seconds"):
            fine = np.isfinite(getattr(self, field)).all()
            refuse(not fine, f"{self.name}: {field} must be finite; prepare the dance again.")

    @property
    def pose(self) -> Float[np.ndarray, "T 147"]:
        """Translation and 24 rotations in the 6-D form: section 3.1 of the dual-learning paper."""
        frames = len(self.translation)
        return np.concatenate([self.translation, self.rotations.reshape(frames, -1)], axis=1)

    @property
    def seconds(self) -> float:
        """How long the dance lasts."""
        return len(self.translation) / RATE_HZ

    @property
    def body(self) -> Skeleton:
        """The rest skeleton of this dancer."""
        return replace(skeleton.smpl(), offsets_metres=self.offsets_metres)

    @property
    def joints_world(self) -> Float[np.ndarray, "T 24 3"]:
        """Where the joints are at every frame, in metres: forward kinematics of `body`."""
        rotations, translation = torch.tensor(self.rotations), torch.tensor(self.translation)
        return placed(matrix_from_six(rotations), translation, self.body).joints_world.numpy()
