"""AIST++: solo dances in ten street styles, as SMPL rotations at exactly 60 frames a second.

Li, Yang, Ross and Kanazawa, "AI Choreographer" (ICCV 2021), fitted to the AIST Dance Video Database
of Tsuchida et al. (ISMIR 2019). As published, a folder holds

| what                           | content                                                  |
|--------------------------------|----------------------------------------------------------|
| `motions/<sequence>.pkl`       | `smpl_poses` N x 72 or N x 24 x 3 axis-angle,            |
|                                | `smpl_trans` N x 3, `smpl_scaling` one number            |
| `ignore_list.txt`              | sequences whose motion is poor, one name a line          |
| `splits/crossmodal_<part>.txt` | the official split by song and steps: train, val, test   |

and beside them, put there by the user, the songs: `wav/<song>.wav`, or another folder and ending of
the lists below. A sequence is called gBR_sBM_cAll_d04_mBR0_ch01: genre, situation, all cameras,
dancer, song, choreography. Song and dance begin together, as the authors' own programs take it.

The body was fitted in centimetres, as `smpl_scaling` x SMPL + `smpl_trans`. Here both are divided
by `smpl_scaling`, as the authors do for training: everybody has the size of SMPL's template, in
metres, and the rest skeleton is `motion.skeleton.smpl()`. The axes are kept: y is up, as here.
SMPL's origin, which `smpl_trans` moves, lies above the pelvis by a constant that only the model's
file tells (0.2 m). So each take is moved up or down by one number, such that in a twentieth of the
frames its lowest joint is at or below the floor, y = 0; level, the constant (3 cm) is left in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base import pickled
from pasdedeux.base.checks import choice, refuse
from pasdedeux.data import sources
from pasdedeux.data.dance import AIST_GENRES, RATE_HZ, Recording
from pasdedeux.motion import rotation
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.skeleton import smpl

NAME = "aistpp"
PUBLISHED_HZ = 60.0
Situation = Literal["basic", "advanced"]
Split = Literal["train", "valid", "test"]
SITUATIONS: Mapping[str, Situation] = {"sBM": "basic", "sFM": "advanced"}
LISTS: Mapping[str, Split] = {
    "crossmodal_train.txt": "train",
    "crossmodal_val.txt": "valid",
    "crossmodal_test.txt": "test",
}
IGNORED = "ignore_list.txt"
SOUND_FOLDERS = ("wav", "wavs", "music", "audio")
SOUND_ENDINGS = (".wav", ".flac", ".mp3", ".ogg")
FLOOR_SHARE = 0.05  # of the frames have their lowest joint at or below the floor
FASTEST_METRES_A_SECOND = 15.0  # above this a joint was lost, not moved
SEQUENCE = re.compile(r"(g[A-Z]{2})_(s[A-Z]{2})_cAll_(d[0-9]{2})_(m[A-Z]{2}[0-9])_(ch[0-9]{2})")
ANEW = "unpack motions.zip of google.github.io/aistplusplus_dataset anew"
REMEDY = (
    f"Put motions/, splits/ and {IGNORED} of google.github.io/aistplusplus_dataset into "
    f"$PASDEDEUX_DATA/{NAME}."
)


class Sequence(NamedTuple):
    """What the name of a sequence says; `genre` in the words of Table 1."""

    genre: str
    situation: Situation
    dancer: str
    song: str
    group: str


@dataclass(frozen=True, eq=False)
class Take:
    """One sequence at 25 frames a second, y up, in metres of SMPL's template.

    group: steps that share genre, situation and number, whoever dances them; in basic dances the
    official count takes each dancer's apart. split: the official one, None for what it leaves out
    since song or steps would lie on both sides; its valid and test share their songs. scaling: what
    the published centimetres were divided by. recording: None when the song is not there. flags:
    what is doubtful about the motion. files: what the take was read from.
    """

    name: str
    genre: str
    situation: Situation
    dancer: str
    group: str
    song: str
    split: Split | None
    translation: Float[np.ndarray, "T 3"]
    rotations: Float[np.ndarray, "T 24 6"]
    scaling: float
    recording: Recording | None
    flags: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def offsets_metres(self) -> Float[np.ndarray, "24 3"]:
        """The rest skeleton, SMPL's mean body for everybody."""
        return smpl().offsets_metres


class Takes(NamedTuple):
    """Takes sorted by name, a message for each one skipped, and what else is good to know."""

    takes: tuple[Take, ...]
    skipped: tuple[str, ...]
    remarks: tuple[str, ...]


class _Motion(NamedTuple):
    axis_angle: Float[Tensor, "N 24 3"]
    translation: Float[Tensor, "N 3"]
    scaling: float


def song_bpm(song: str) -> float:
    """Return the tempo of a song by its name, for example 110 for mBR3.

    The six songs of a genre have 80, 90, ... 130 beats a minute, those of house 110, 115, ... 135
    (Tsuchida et al. 2019, section 3).
    """
    number = int(song[-1])
    return 110.0 + 5 * number if song.startswith("mHO") else 80.0 + 10 * number


def read(folder: Path | None = None, *, skip_bad: bool = False) -> Takes:
    """Return the sequences in `folder` but for those that the ignore list names.

    `folder` defaults to `$PASDEDEUX_DATA/aistpp`. Files are opened without running anything they
    ask for. Raises `ValueError` naming file and remedy for bad input; with `skip_bad` a bad
    sequence is left out and its message is among `skipped`, bad lists are refused all the same.
    """
    place = _place(folder)
    ignored = frozenset(_lines(place / IGNORED))
    split = _split(place / "splits")
    found = [path for path in sorted((place / "motions").glob("*.pkl")) if path.name[0] != "."]
    refuse(not found, f"{place / 'motions'} holds no .pkl file. {REMEDY}")
    takes: list[Take] = []
    skipped: list[str] = []
    for path in found:
        if path.stem in ignored:
            continue
        try:
            takes.append(_take(place, path, split.get(path.stem)))
        except ValueError as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
    why = "".join(f" {message}" for message in skipped[:1])
    refuse(not takes, f"{place / 'motions'} holds no sequence that can be used.{why}")
    there = frozenset(path.stem for path in found)
    return Takes(tuple(takes), tuple(skipped), tuple(_remarks(place, there, ignored, split, takes)))


def official_split(folder: Path | None = None) -> dict[str, Split]:
    """Return the part of each sequence that the official lists name; empty without lists."""
    return _split(_place(folder) / "splits")


def sequence(name: str) -> Sequence:
    """Return what the `name` of a sequence says; any other name raises `ValueError`."""
    parts = SEQUENCE.fullmatch(name)
    if parts is None:
        raise ValueError(f"{name!r} is no name of a sequence such as gBR_sBM_cAll_d04_mBR0_ch01.")
    genre, situation, dancer, song, steps = parts.groups()
    choice("the genre of a sequence", genre, AIST_GENRES)
    choice("the situation of a sequence", situation, SITUATIONS)
    group = f"{genre}_{situation}_{steps}"
    return Sequence(AIST_GENRES[genre], SITUATIONS[situation], dancer, song, group)


def _place(folder: Path | None) -> Path:
    """Return the folder that holds `motions`: the given or found one, or the one folder in it."""
    top = folder or sources.found(NAME)
    if top is None:
        raise ValueError(f"AIST++ is not here. {REMEDY}")
    inside = [top, *(sorted(top.iterdir()) if top.is_dir() else ())]
    fitting = [place for place in inside if (place / "motions").is_dir()]
    refuse(not fitting, f"{top} has no folder motions. {REMEDY}")
    return fitting[0]


def _lines(path: Path) -> tuple[str, ...]:
    """Return the names that the list at `path` holds; none when there is no such list."""
    if not path.is_file():
        return ()
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a list of names ({error}); copy it anew.") from error


def _split(folder: Path) -> dict[str, Split]:
    """Return the part of each listed sequence; a name in two lists is refused."""
    found: dict[str, Split] = {}
    for file, part in LISTS.items():
        for name in _lines(folder / file):
            refuse(
                found.setdefault(name, part) != part,
                f"{folder / file}: {name} is in the {found[name]} list too; copy splits/ anew.",
            )
    return found


def _take(place: Path, path: Path, split: Split | None) -> Take:
    try:
        told = sequence(path.stem)
    except ValueError as error:
        raise ValueError(f"{path}: {error} Rename it as published, or remove it.") from error
    motion = _motion(path)
    matrices = rotation.matrix_from_axis_angle(motion.axis_angle)
    matrices = rotation.resampled_rotations(matrices, PUBLISHED_HZ, float(RATE_HZ))
    translation = motion.translation / motion.scaling
    translation = rotation.resampled_points(translation, PUBLISHED_HZ, float(RATE_HZ))
    joints = placed(matrices, translation, smpl()).joints_world
    floor = joints[..., 1].amin(-1).quantile(FLOOR_SHARE)
    translation = translation - translation.new_tensor([0.0, 1.0, 0.0]) * floor
    sound = _sound(place, path.stem, told.song)
    seconds = len(translation) / RATE_HZ
    return Take(
        name=path.stem,
        **told._asdict(),
        split=split,
        translation=translation.float().numpy(),
        rotations=rotation.six_from_matrix(matrices).float().numpy(),
        scaling=motion.scaling,
        recording=None if sound is None else Recording(sound, 0.0, seconds),
        flags=_flags(joints),
        files=(path,) if sound is None else (path, sound),
    )


def _motion(path: Path) -> _Motion:
    """Return the arrays of one file, checked."""
    try:
        content = pickled.load(path)
    except MemoryError as error:  # a flipped bit in a length is enough
        raise ValueError(f"{path} asks for more memory than there is; {ANEW}.") from error
    refuse(not isinstance(content, dict), f"{path} holds no table of arrays; {ANEW}.")
    poses, trans, scaling = (
        _numbers(path, content, name) for name in ("smpl_poses", "smpl_trans", "smpl_scaling")
    )
    frames = len(poses) if poses.ndim else 0
    refuse(
        frames == 0 or poses.shape[1:] not in ((72,), (24, 3)),
        f"{path}: smpl_poses must have shape (N, 72) or (N, 24, 3), got {poses.shape}; {ANEW}.",
    )
    refuse(
        trans.shape != (frames, 3),
        f"{path}: smpl_trans must have shape ({frames}, 3) as smpl_poses has {frames} frames, "
        f"got {trans.shape}; {ANEW}.",
    )
    refuse(
        scaling.size != 1 or not (scaling > 0).all(),
        f"{path}: smpl_scaling must be one number above 0, got {scaling.tolist()}; {ANEW}.",
    )
    return _Motion(
        torch.from_numpy(poses).view(frames, 24, 3), torch.from_numpy(trans), float(scaling.item())
    )


def _numbers(path: Path, content: Mapping[str, object], name: str) -> np.ndarray:
    """Return the entry `name` as finite numbers of double precision."""
    refuse(name not in content, f"{path} has no {name}, only {sorted(map(str, content))}; {ANEW}.")
    value = content[name]
    fine = isinstance(value, float | int | np.number | np.ndarray)
    array = np.asarray(value if fine else [""])
    refuse(
        array.dtype.kind not in "fiu",
        f"{path}: {name} must be an array of numbers, got {type(value).__name__}; {ANEW}.",
    )
    if not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0][:1].tolist() or [0]
        raise ValueError(f"{path}: {name} is not finite at frame {first[0]}; {ANEW}.")
    return np.array(array, dtype=np.float64)


def _sound(place: Path, name: str, song: str) -> Path | None:
    """Return the audio file of `song`, or else of the sequence itself, as some copies cut it."""
    candidates = (
        place / folder / f"{stem}{ending}"
        for stem in (song, name)
        for folder in SOUND_FOLDERS
        for ending in SOUND_ENDINGS
    )
    return next((path for path in candidates if path.is_file()), None)


def _flags(joints: Float[Tensor, "T 24 3"]) -> tuple[str, ...]:
    flags = []
    fastest = float(joints.diff(dim=0).norm(dim=-1).max()) * RATE_HZ if len(joints) > 1 else 0.0
    if fastest > FASTEST_METRES_A_SECOND:
        flags.append(f"a joint moves at {fastest:.0f} m/s")
    head, pelvis = (joints[:, smpl().index(name), 1] for name in ("head", "pelvis"))
    if (head < pelvis).double().mean() > 0.5:
        flags.append("the head is below the hips in most frames; is y up?")
    return tuple(flags)


def _remarks(
    place: Path,
    there: frozenset[str],
    ignored: frozenset[str],
    split: Mapping[str, Split],
    takes: list[Take],
) -> list[str]:
    """Return what a reader of the takes should know about lists and songs."""
    remarks = [f"{file} is missing from {place.name}." for file in _missing(place)]
    out = len(there & ignored)
    if out:
        remarks.append(f"{out} of {len(there)} sequences left out, as {IGNORED} says.")
    for file, part in LISTS.items():
        listed = [name for name in split if split[name] == part]
        gone = sorted(set(listed) - there)
        if gone:
            told = f"{len(gone)} of {len(listed)} names have no motion here, such as {gone[0]}"
            remarks.append(f"{file}: {told}.")
    loose = sum(take.split is None for take in takes)
    if split and loose:
        remarks.append(f"{loose} of {len(takes)} sequences are in no list of the split.")
    silent = sorted({take.song for take in takes if take.recording is None})
    if silent:
        remarks.append(f"no sound here for {', '.join(silent)}.")
    return remarks


def _missing(place: Path) -> list[str]:
    lists = [IGNORED, *(f"splits/{file}" for file in LISTS)]
    return [file for file in lists if not (place / file).is_file()]
