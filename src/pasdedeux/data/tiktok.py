"""TikTok dance videos: two seconds of music beside two-dimensional key points, for users who have
them.

Zhu et al., "Quantized GAN for Complex Music Generation from Dance Videos" (ECCV 2022). As published
there are lists `tiktok_<what>_<part>_segment.txt` of train and test, whose lines end in

| what     | file                          | content                                              |
|----------|-------------------------------|------------------------------------------------------|
| `audio`  | `audio_s2/<segment>.wav`      | the music                                            |
| `motion` | `motion_s2/<segment>.npy`     | 60 x 75: 25 joints of OpenPose (x, y, confidence) at |
|          |                               | 30 frames a second                                   |
| `video`  | a folder and `<segment>.npy`  | 2,048 numbers of a network trained on videos         |

and a segment is called 000007_12_193_seg1. The lists name folders of the authors' machine; here the
last folder and the name count, below the corpus' folder or `tiktok` in it. The second number of a
name is taken for the song: it differs between the authors' train and test. There are no genres, and
no list of a validation part: a tenth of train, by songs, is kept for that.

Arrays are read without pickle: a file that holds one is refused, and nothing in it is run.
`N` clips, `T` 60 frames, `S` samples.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int16, Shaped

from pasdedeux.base import stored
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.data import sources
from pasdedeux.data.clip_places import PEAK, SAMPLE_RATE_HZ, ClipSettings
from pasdedeux.data.recorded import FULL
from pasdedeux.data.splits import SHARES, split
from pasdedeux.music import recording

NAME, FRAMES, JOINTS, VISUAL = "tiktok", 60, 25, 2048
SECONDS = 2
VALID = {"train": 0.9, "valid": 0.1}  # of the authors' train; ours
SEGMENT = re.compile(r"(\d+)_(\d+)_(\d+)_seg(\d+)")
LATE_SECONDS = 0.1  # a segment may be so much shorter than 2 s; silence is added


class Segment(NamedTuple):
    """One line of the lists: its name, the authors' part, and its files (no video: None)."""

    name: str
    part: str
    audio: Path
    motion: Path
    video: Path | None

    @property
    def song(self) -> str:
        """The second number of the name."""
        return SEGMENT.fullmatch(self.name)[2]  # checked when the list was read


@dataclass(frozen=True, eq=False)
class TikTokClips:
    """Clips of two seconds, asked for by row numbers as those of `data.clips` are."""

    settings: ClipSettings
    names: tuple[str, ...]
    part: Shaped[np.ndarray, " N"]
    song: Int[np.ndarray, " N"]
    samples: Int16[np.ndarray, "N S"]
    keypoints: Float[np.ndarray, "N T 75"]
    visual: Float[np.ndarray, "N 2048"] | None
    left_out: Mapping[str, int]
    notice: str = "TikTok dance videos of Zhu et al. (2022)"

    genres = ("no genre",)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def genre(self) -> Int[np.ndarray, " N"]:
        """Zeros: the corpus has no genres."""
        return np.zeros(len(self), int)

    @property
    def checksum(self) -> str:
        """A digest of everything a training can see of the data."""
        arrays = (self.samples, self.keypoints, self.part, self.song)
        return digest(repr(self.settings), *(np.ascontiguousarray(a).tobytes() for a in arrays))

    def rows(self, part: str, *, most_copied: float = 0.0) -> Int[np.ndarray, " M"]:
        """Return the rows of "train", "valid" or "test"; near copies are not looked for."""
        choice("part", part, tuple(SHARES))
        refuse(not 0 <= most_copied <= 1, f"most_copied must lie in 0..1, got {most_copied}.")
        return np.flatnonzero(self.part == part)

    def sound(
        self, rows: Int[np.ndarray, " M"], *, peak: float | None = PEAK
    ) -> Float[np.ndarray, "M S"]:
        """Return the music at 22,050 Hz, float32, each clip's peak at `peak`; None: at 1."""
        return self.samples[rows].astype(np.float32) * np.float32((peak or 1.0) / FULL)

    def motion(self, rows: Int[np.ndarray, " M"]) -> Float[np.ndarray, "M T 75"]:
        """Return x, y and confidence of 25 joints, as published."""
        return self.keypoints[rows]

    def others(
        self,
        rows: Int[np.ndarray, " M"],
        count: int,
        generator: np.random.Generator,
        *,
        by: str = "song",
        part: str = "train",
    ) -> Int[np.ndarray, "M K"]:
        """Return for each row `count` rows of `part` with another song, drawn with replacement.

        Raises `ValueError` for another label than the song, and when all have one.
        """
        choice("by", by, ("song",))
        refuse(count < 1, f"count must be at least 1, got {count}.")
        pool = self.rows(part)
        found = [pool[self.song[pool] != song] for song in self.song[rows]]
        refuse(not all(map(len, found)), f"all clips of {part} have one song; negatives need two.")
        return np.stack([generator.choice(free, count) for free in found])

    def overlap(
        self, rows: Int[np.ndarray, " M"], others: Int[np.ndarray, " K"]
    ) -> Bool[np.ndarray, "M K"]:
        """Return which clips may share sound: those of one song, since where in it they lie is not
        told.
        """
        return self.song[rows][:, None] == self.song[others][None]


def clips(settings: ClipSettings) -> TikTokClips:
    """Return the clips of the lists in the user's folder; decoded once and kept.

    Raises `ValueError` naming file and remedy: a corpus or list that is missing, lists of different
    length, a name that is no segment, a wrong shape, what is not finite, a pickle.
    """
    refuse(
        settings.seconds != SECONDS,
        f"seconds must be {SECONDS}: TikTok was published in segments, got {settings.seconds}.",
    )
    folder = sources.found(NAME)
    refuse(folder is None, f"TikTok is not here; {sources.remedy(NAME)}")
    told = segments(folder)
    files = [path for one in told for path in (one.audio, one.motion, one.video) if path]
    key = digest(repr(settings), fingerprint("pasdedeux.data.tiktok"), *files)
    kept = stored.arrays(NAME, key, lambda: _arrays(told, settings))
    heard = [told[row] for row in np.flatnonzero(kept["heard"])]
    videos = kept["visual"] if len(kept["visual"]) else None
    songs = {name: number for number, name in enumerate(dict.fromkeys(s.song for s in heard))}
    return TikTokClips(
        settings,
        tuple(one.name for one in heard),
        _parts(heard),
        np.array([songs[one.song] for one in heard], int),
        kept["samples"],
        kept["keypoints"],
        videos,
        {"silent": int((~kept["heard"]).sum())},
    )


def segments(folder: Path) -> tuple[Segment, ...]:
    """Return what the lists in `folder`, or `dataset` in it, name."""
    return tuple(one for part in ("train", "test") for one in _listed(folder, part))


def _listed(folder: Path, part: str) -> list[Segment]:
    audio, motion = (_lines(folder, what, part) for what in ("audio", "motion"))
    refuse(audio is None or motion is None, f"{folder}: lacks the lists of {part}; {ANEW}.")
    video = _lines(folder, "video", part) or [None] * len(audio)
    refuse(
        not len(audio) == len(motion) == len(video),
        f"{folder}: the lists of {part} have {len(audio)}, {len(motion)} and {len(video)} lines; "
        f"{ANEW}.",
    )
    found = []
    for sound, pose, seen in zip(audio, motion, video, strict=True):
        names = {Path(line).stem for line in (sound, pose, seen) if line}
        name = next(iter(names))
        wrong = len(names) > 1 or not SEGMENT.fullmatch(name)
        refuse(wrong, f"{folder}: the lists of {part} name {sorted(names)} in one line; {ANEW}.")
        paths = (_place(folder, line) if line else None for line in (sound, pose, seen))
        found.append(Segment(name, part, *paths))
    return found


ANEW = "copy them from the folder dataset of github.com/L-YeZhu/D2M-GAN"


def _lines(folder: Path, what: str, part: str) -> list[str] | None:
    name = f"tiktok_{what}_{part}_segment.txt"
    for place in (folder / name, folder / "dataset" / name):
        if place.is_file():
            return place.read_text(encoding="utf-8").split()
    return None


def _place(folder: Path, line: str) -> Path:
    """Return where the last folder and name of a list's line lie below `folder`."""
    parts = Path(*Path(line).parts[-2:])
    for place in (folder / parts, folder / NAME / parts):
        if place.is_file():
            return place
    raise ValueError(f"{folder / parts}: no such file, but a list names it; unpack TikTok anew.")


def _parts(heard: list[Segment]) -> Shaped[np.ndarray, " N"]:
    """Return the authors' parts, and "valid" for a tenth of train, by songs."""
    told = np.array([one.part for one in heard], dtype="<U5")
    train = np.flatnonzero(told == "train")
    songs = [heard[row].song for row in train]
    ones = [1] * len(songs)
    told[train] = split(songs, [NAME] * len(songs), ones, shares=VALID, largest_group=1.0)
    return told


def _arrays(told: tuple[Segment, ...], settings: ClipSettings) -> dict[str, np.ndarray]:
    sounds, poses, seen, heard = [], [], [], np.ones(len(told), bool)
    for row, one in enumerate(told):
        sound = _sound(one.audio, settings)
        loud = np.sqrt(np.mean(np.square(sound))) >= settings.silence
        heard[row] = loud
        report("reading TikTok", row + 1, len(told))
        if not loud:
            continue
        sounds.append(np.rint(sound / np.abs(sound).max() * FULL).astype(np.int16))
        poses.append(_array(one.motion, FRAMES * 3 * JOINTS).reshape(FRAMES, 3 * JOINTS))
        if one.video is not None:
            seen.append(_array(one.video, VISUAL))
    refuse(not sounds, "TikTok has no clip that is not silent; are these its files?")
    visual = np.stack(seen) if len(seen) == len(sounds) else np.zeros((0, VISUAL), np.float32)
    return {
        "samples": np.stack(sounds),
        "keypoints": np.stack(poses),
        "visual": visual,
        "heard": heard,
    }


def _sound(path: Path, settings: ClipSettings) -> Float[np.ndarray, " S"]:
    """Return the first two seconds; silence is added to a segment a little too short."""
    least = SECONDS - LATE_SECONDS
    sound = recording.read(path, SAMPLE_RATE_HZ, least_seconds=least, silent=True)
    made = np.zeros(settings.samples, np.float32)
    made[: len(sound)] = sound[: settings.samples]
    return made


def _array(path: Path, numbers: int) -> Float[np.ndarray, " D"]:
    """Return the numbers of a .npy file, flat; raises `ValueError` naming it for anything else."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: no plain array ({error}); unpack TikTok anew.") from error
    good = isinstance(array, np.ndarray) and array.dtype.kind in "fiu" and array.size == numbers
    shape = getattr(array, "shape", None)
    refuse(not good, f"{path}: must hold {numbers} numbers, got shape {shape}; unpack anew.")
    refuse(not np.isfinite(array).all(), f"{path}: holds NaN or infinity; leave the segment out.")
    return array.astype(np.float32).ravel()
