"""The very clips of AIST++ that the authors of the diffusion paper used, for users who have their
lists.

Zhu et al., "Discrete Contrastive Diffusion for Cross-Modal Music and Image Generation" (ICLR 2023).
The release has lists `aist_<what>_<part>_segment.txt` for 2 s, and `..._segment_s6.txt` for 6 s, of
audio, motion and video in train, val and test; for 4 s it has none, and a user's own `_s4` is read
as those of 6 s are. Line n of the three lists of a part is one segment, named as

    /data/somebody/aistplus/audio_s2/test/gPO_sBM_c01_d11_mPO1_ch02_seg1.wav

by a sequence of AIST++, seen from camera 1 (c01), and the place of the segment in it, from 1. The
lists lie in the folder of AIST++ or in one there, such as `data`. Only names count: sound and
motion are cut from AIST++ itself. The lists of video may be missing.

Where a segment begins is not told. Those of 2 s are taken to lie side by side from the first frame
on, since each dance of val and test has as many as fit into it. Those of 6 s do so too, but a dance
of 8 s has two: the last one of a dance begins at least 2 s before its end. How the authors filled
it up is not told; here it ends with its dance, begins up to 4 s earlier, and overlaps the one
before.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pasdedeux.base.checks import refuse
from pasdedeux.data import aistpp, sources
from pasdedeux.data.aistpp import Split
from pasdedeux.data.clip_places import ClipSettings, Known
from pasdedeux.data.dance import GENRES, RATE_HZ
from pasdedeux.data.paired import Paired

PARTS: dict[str, Split] = {"train": "train", "val": "valid", "test": "test"}
WHATS = ("audio", "motion", "video")
NEEDED = ("audio", "motion")
SUFFIX = {2: ""}  # of the lists for 2 s; those of n seconds end in _sn
LEAST_FRAMES = 2 * RATE_HZ  # of a segment that lie in its dance
LATE_FRAMES = 3  # a dance may end so much before its segment does: motion and video differ
SEGMENT = re.compile(
    r"(g[A-Z]{2}_s[A-Z]{2})_c(?:[0-9]{2}|All)_(d[0-9]{2}_m[A-Z]{2}[0-9]_ch[0-9]{2})_seg([1-9][0-9]*)"
)
ANEW = (
    "copy the lists anew from the folder data of github.com/L-YeZhu/CDCD, or take all of them away "
    "to have the clips cut here"
)


class Segment(NamedTuple):
    """One line of the lists: its sequence and place in it, its part, and where that is written."""

    dance: str
    number: int
    part: Split
    where: str  # file and line


def read(seconds: int, folder: Path | None = None) -> tuple[Segment, ...]:
    """Return what the lists for segments of `seconds` name; nothing where there are none.

    `folder` defaults to `$PASDEDEUX_DATA/aistpp`. Raises `ValueError` naming file, line and remedy:
    a list that is missing beside others, lists of different length, a line that names no segment,
    or another one than its neighbour in the other list, one of another part or length, a segment
    that is named twice, and a dance in two parts.
    """
    place = _place(folder, f"segment{_suffix(seconds)}")
    if place is None:
        return ()
    found = [one for part in PARTS for one in _listed(place, part, seconds)]
    first: dict[tuple[str, int], Segment] = {}
    homes: dict[str, Segment] = {}
    for one in found:
        home = homes.setdefault(one.dance, one)
        before = first.setdefault((one.dance, one.number), one)
        refuse(
            home.part != one.part,
            f"{one.where}: {one.dance} is in another part too, by {home.where}; {ANEW}.",
        )
        refuse(before is not one, f"{one.where}: names the segment of {before.where}; {ANEW}.")
    return tuple(found)


def known(told: Sequence[Segment], found: Paired, settings: ClipSettings) -> Known:
    """Return the dances of AIST++ in `found` that `told` names, with their parts and segments.

    Segments of other genres than asked for are left out; those of dances that AIST++ itself has on
    its list of poor motion are left out and counted in the notice. Raises `ValueError` naming file,
    line and remedy for a dance that is not in `found`, that the official split has in another part,
    or that ends before its segment begins.
    """
    ignored, official = _ignored(), aistpp.official_split()
    genres = settings.genres or GENRES
    asked = [one for one in told if aistpp.sequence(one.dance).genre in genres]
    kept = [one for one in asked if one.dance not in ignored]
    lengths = {dance.name: len(dance.translation) for dance in found.dances}
    starts = []
    for one in kept:
        part = official.get(one.dance, one.part)
        refuse(
            part != one.part,
            f"{one.where}: {one.dance} is in the {part} list of AIST++'s official split; {ANEW}.",
        )
        if one.dance not in lengths:
            raise ValueError(_absent(one, found))
        starts.append(_start(one, lengths[one.dance], settings))
    parts = {one.dance: one.part for one in kept}
    dances = tuple(dance for dance in found.dances if dance.name in parts)
    rows = {dance.name: row for row, dance in enumerate(dances)}
    segments = [(rows[one.dance], start) for one, start in zip(kept, starts, strict=True)]
    begins = [(one.number - 1) * settings.frames for one in kept]
    moved = [begin - start for begin, start in zip(begins, starts, strict=True) if begin != start]
    return Known(
        dances,
        tuple(parts[dance.name] for dance in dances),
        True,
        f"{found.notice}, {_words(kept, len(asked) - len(kept), moved, settings.seconds)}",
        len(found.dances) - len(dances),
        tuple(segments),
    )


def without(seconds: int, folder: Path | None = None) -> str:
    """Return words for the notice where lists of other lengths are here; none without any."""
    if _place(folder, "segment*") is None:
        return ""
    return f", in clips of our own, since the authors' lists here have none of {seconds} s"


def _suffix(seconds: int) -> str:
    return SUFFIX.get(seconds, f"_s{seconds}")


def _folders(folder: Path | None = None) -> list[Path]:
    """Return the folder of AIST++ and those in it."""
    top = folder or sources.found(aistpp.NAME)
    if top is None:
        raise ValueError(f"AIST++ is not here. {aistpp.REMEDY}")
    return [top, *(path for path in sorted(top.iterdir()) if path.is_dir())]


def _place(folder: Path | None, ending: str) -> Path | None:
    """Return the first folder that holds any list that ends so, None when there is none."""
    names = [f"aist_{what}_{part}_{ending}.txt" for what in WHATS for part in PARTS]
    holding = (place for place in _folders(folder) if any(list(place.glob(name)) for name in names))
    return next(holding, None)


def _ignored() -> frozenset[str]:
    """Return the sequences whose motion AIST++ itself calls poor."""
    lists = [place / aistpp.IGNORED for place in _folders() if (place / "motions").is_dir()]
    found = [path.read_text(encoding="utf-8") for path in lists[:1] if path.is_file()]
    return frozenset(name for text in found for name in text.split())


def _listed(place: Path, part: str, seconds: int) -> list[Segment]:
    files = {w: place / f"aist_{w}_{part}_segment{_suffix(seconds)}.txt" for w in WHATS}
    for what in NEEDED:
        refuse(
            not files[what].is_file(),
            f"{files[what]} is missing, but other lists of {seconds} s are here; {ANEW}.",
        )
    lists = [_lines(file, part, seconds) for file in files.values() if file.is_file()]
    for other in lists[1:]:
        for ours, theirs in zip(lists[0], other, strict=False):
            refuse(
                ours[:2] != theirs[:2],
                f"{theirs.where}: names another segment than {ours.where}; {ANEW}.",
            )
        longer = max(lists[0], other, key=len)[min(len(lists[0]), len(other)) :]
        if longer:
            raise ValueError(
                f"{longer[0].where}: has no line beside it, as the lists of {part} name "
                f"{len(lists[0])} and {len(other)} segments; {ANEW}."
            )
    refuse(not lists[0], f"{files['audio']}: names no segment; {ANEW}.")
    return lists[0]


def _lines(file: Path, part: str, seconds: int) -> list[Segment]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a list of names ({error}); {ANEW}.") from error
    told = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return [_segment(f"{file}:{number}", line, part, seconds) for number, line in told if line]


def _segment(where: str, line: str, part: str, seconds: int) -> Segment:
    path = PurePosixPath(line)
    said = SEGMENT.fullmatch(path.stem)
    if said is None:
        example = "gPO_sBM_c01_d11_mPO1_ch02_seg1"
        raise ValueError(f"{where}: {path.stem!r} is no segment such as {example}; {ANEW}.")
    above = ["", "", *path.parts][-3:-1]  # audio_s2 and test, on the authors' machine
    length = re.search(r"_s([0-9]+)$", above[0])
    refuse(
        length is not None and int(length[1]) != seconds,
        f"{where}: is of {above[0]} in a list for {seconds} s; {ANEW}.",
    )
    refuse(
        above[1] in PARTS and above[1] != part,
        f"{where}: is of {above[1]} in a list of {part}; {ANEW}.",
    )
    dance = f"{said[1]}_cAll_{said[2]}"
    try:
        aistpp.sequence(dance)
    except ValueError as error:
        raise ValueError(f"{where}: {error} To mend it, {ANEW}.") from error
    return Segment(dance, int(said[3]), PARTS[part], where)


def _absent(one: Segment, found: Paired) -> str:
    why = next((told for told in found.skipped if one.dance in told), "It or its song is missing.")
    song = aistpp.sequence(one.dance).song
    return (
        f"{one.where}: {one.dance} is not among the dances here. {why} Put motions/{one.dance}.pkl "
        f"and wav/{song}.wav into the folder of AIST++, or take all lists of segments away to have "
        f"the clips cut here."
    )


def _start(one: Segment, frames: int, settings: ClipSettings) -> int:
    """Return the first frame of a segment in a dance of `frames` frames."""
    begin = (one.number - 1) * settings.frames
    inside, least = frames - begin, min(LEAST_FRAMES, settings.frames) - LATE_FRAMES
    refuse(
        inside < least or frames < settings.frames,
        f"{one.where}: {one.dance} lasts {frames / RATE_HZ:.2f} s, too short for segment "
        f"{one.number} of {settings.seconds} s; unpack motions.zip of AIST++ anew, or leave the "
        f"line out of all lists.",
    )
    return min(begin, frames - settings.frames)


def _words(kept: Sequence[Segment], ignored: int, moved: Sequence[int], seconds: int) -> str:
    parts = [one.part for one in kept]
    counts = ", ".join(f"{parts.count(part)} {part}" for part in PARTS.values())
    words = f"cut as the authors' lists have it: segments of {seconds} s, {counts}"
    if ignored:
        words += f"; {ignored} more left out, as {aistpp.IGNORED} says"
    if moved:
        most = max(moved) / RATE_HZ
        words += f"; {len(moved)} begin up to {most:.2f} s earlier, to end with their dance"
    return words
