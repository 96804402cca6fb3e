"""One dance of Tang et al. (2018) as it lies on disk: read, checked, and refused with a reason.

A folder `DANCE_<letter>_<number>` holds `skeletons.json` (`length`, `center` T x 3 and `skeletons`
T x 23 x 3, centimetres, y up), `config.json` (`start_position` and `end_position`: which part of
the music is danced, in frames of 1/25 s) and, for most dances, `audio.mp3`. `T` frames.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.data.dance import TANG_GENRES

POINTS = 23
SKELETONS, CONFIG, AUDIO = "skeletons.json", "config.json", "audio.mp3"
ANEW = "copy the folder anew from the release, or leave it out with skip_bad=True"
FEWEST_FRAMES = 3
_FOLDER = re.compile(r"DANCE_([A-Z])_(\d+)")
_LFS = b"version https://git-lfs"


@dataclass(frozen=True, eq=False)
class Raw:
    """A dance as published: points in the world, in metres, and the frames of music they span."""

    name: str
    genre: str
    points_world: Float[np.ndarray, "T 23 3"]
    start: float
    end: float
    audio: Path | None
    files: tuple[Path, ...]


def folders(place: Path) -> list[Path]:
    """Return the dances' folders in `place`, by letter and number; `ValueError` if none is there.

    A folder that begins with `DANCE_` and goes on in an unknown way counts, for `load` to refuse.
    """
    refuse(
        not place.is_dir(),
        f"{place} is not a folder; give the one that holds DANCE_C_2, DANCE_W_1 and so on.",
    )
    found = [path for path in place.iterdir() if path.is_dir() and path.name.startswith("DANCE_")]
    refuse(
        not found,
        f"{place} holds no folder DANCE_<letter>_<number>: it is empty or not this data set; give "
        "the top folder of the repository.",
    )
    return sorted(found, key=_order)


def load(folder: Path) -> Raw:
    """Return the dance in `folder`; its points are (skeletons + center) / 100.

    Both are in the same axes: `center`, about the mean of all markers, is no joint, and the
    skeletons alone float around it. Raises `ValueError` naming file, fault and remedy.
    """
    matched = _FOLDER.fullmatch(folder.name)
    refuse(
        matched is None,
        f"{folder}: the name must be DANCE_<letter>_<number>; rename it or move it away.",
    )
    letter, number = matched.groups()
    refuse(
        letter not in TANG_GENRES,
        f"{folder}: genre letter {letter!r} is none of {', '.join(TANG_GENRES)}; rename the folder "
        "or move it away.",
    )
    files = [folder / SKELETONS, folder / CONFIG]
    points = _points(files[0])
    start, end = _span(files[1])
    audio = folder / AUDIO
    if audio.is_file():
        files.append(audio)
    return Raw(
        name=f"{letter}_{number}",
        genre=TANG_GENRES[letter],
        points_world=points,
        start=start,
        end=end,
        audio=audio if audio.is_file() else None,
        files=tuple(files),
    )


def _order(path: Path) -> tuple[str, int, str]:
    matched = _FOLDER.fullmatch(path.name)
    return (matched[1], int(matched[2]), "") if matched else ("", 0, path.name)


def _points(file: Path) -> Float[np.ndarray, "T 23 3"]:
    content = _content(file, ("length", "center", "skeletons"))
    skeletons = _table(file, "skeletons", content["skeletons"], (POINTS, 3))
    center = _table(file, "center", content["center"], (3,))
    frames = len(skeletons)
    refuse(
        len(center) != frames,
        f"{file}: center holds {len(center)} frames, skeletons {frames}; {ANEW}.",
    )
    refuse(
        content["length"] != frames,
        f"{file}: length says {content['length']!r}, skeletons hold {frames} frames; {ANEW}.",
    )
    refuse(
        frames < FEWEST_FRAMES,
        f"{file}: {frames} frames are too few for a dance, {FEWEST_FRAMES} at least; {ANEW}.",
    )
    return (skeletons + center[:, None]) / 100


def _span(file: Path) -> tuple[float, float]:
    keys = ("start_position", "end_position")
    content = _content(file, keys)
    for key in keys:
        value = content[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        refuse(
            not number or not np.isfinite(value) or value < 0,
            f"{file}: {key} must be a frame number from 0 on, got {value!r}; {ANEW}.",
        )
    start, end = (float(content[key]) for key in keys)
    refuse(
        start >= end,
        f"{file}: start_position {start:g} must lie before end_position {end:g}; {ANEW}.",
    )
    return start, end


def _content(file: Path, keys: tuple[str, ...]) -> dict:
    refuse(not file.is_file(), f"{file} is missing; {ANEW}.")
    text = file.read_bytes()
    refuse(
        text.startswith(_LFS),
        f"{file} is only a pointer of Git LFS; run `git lfs pull` in the clone, or {ANEW}.",
    )
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no whole JSON ({error}); is it cut short? {ANEW}.") from error
    refuse(not isinstance(content, dict), f"{file} must hold a JSON object; {ANEW}.")
    missing = [key for key in keys if key not in content]
    refuse(missing, f"{file} has no {', '.join(missing)}; {ANEW}.")
    return content


def _table(
    file: Path, key: str, rows: object, shape: tuple[int, ...]
) -> Float[np.ndarray, "T ..."]:
    """Return `rows` as an array, every frame of `shape`, every number finite."""
    refuse(not isinstance(rows, list), f"{file}: {key} must be a list of frames; {ANEW}.")
    what = "points" if len(shape) > 1 else "numbers"
    for frame, row in enumerate(rows):
        got = len(row) if isinstance(row, list) else "no list"
        refuse(
            got != shape[0],
            f"{file}: frame {frame} of {key} must hold {shape[0]} {what}, got {got}; {ANEW}.",
        )
    try:
        table = np.array(rows, dtype=float).reshape(len(rows), *shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{file}: {key} must be numbers, {' x '.join(map(str, shape))} in a frame "
            f"({error}); {ANEW}."
        ) from error
    bad = np.argwhere(~np.isfinite(table))
    refuse(
        len(bad) > 0,
        f"{file}: {key} is not finite in {len(bad)} numbers, first at "
        f"{'[frame, point, axis]' if len(shape) > 1 else '[frame, axis]'} "
        f"{bad[:1].ravel().tolist()}; {ANEW}.",
    )
    return table
