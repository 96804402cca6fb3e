"""The Essen folk songs, read from the installed package music21.

They are never copied: their note of licence permits use and distribution within music21. Only the
package's folder is looked up; importing music21 itself would take seconds.
"""

import importlib.util
import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from pasdedeux.base.checks import nearest, refuse
from pasdedeux.data.corpus import Corpus, Song
from pasdedeux.music import abc

NAME = "essen"
FOLDER = Path("corpus") / "essenFolksong"
SCRATCH = re.compile(r"test.*")  # four files for music21's own tests, 52 songs
# A number is five characters, then one for the variant: A-Z, after that a-z, after that 0-9.
ESSEN_NUMBER = re.compile(r"[A-Z][A-Z0-9][0-9]{3}")
# Collections that are German but for a few songs in a hundred, by the songs' own O field. Left out
# of both: ballad (ballads of all Europe), dva and lot (Lorraine), lux (Luxembourg), irl (Ireland),
# folkHaydn and variant (small and mixed).
GERMAN = ("altdeu", "boehme", "erk", "fink", "kinder", "zuccal")
CHINESE = ("han",)


def folder() -> Path:
    """Return the folder of the songs; raises `ValueError` when music21 does not bring them."""
    found = importlib.util.find_spec("music21")
    places = list(found.submodule_search_locations or []) if found else []
    songs = Path(places[0]) / FOLDER if places else None
    if songs is None or not songs.is_dir():
        raise ValueError(
            f"the Essen folk songs are not in the installed music21 ({songs}); "
            "install the package music21 in full, for example with `make setup`."
        )
    return songs


def files(families: Collection[str] | None = None, *, place: Path | None = None) -> list[Path]:
    """Return the ABC files of `families`, all when None, sorted by name; scratch files left out.

    Raises `ValueError` for a family without files, with the nearest one there is.
    """
    songs = place or folder()
    there = [file for file in sorted(songs.glob("*.abc")) if not SCRATCH.fullmatch(file.stem)]
    refuse(not there, f"{songs} holds no ABC file; give the folder of the songs.")
    known = sorted({family(file.name) for file in there})
    for name in families or ():
        told = f"no family {name!r} of songs in {songs}; there are {', '.join(known)}."
        refuse(name not in known, told + nearest(name, known))
    return [file for file in there if families is None or family(file.name) in families]


def family(file_name: str) -> str:
    """Return the collection a file belongs to: its name without the number, `han` for han1.abc."""
    return Path(file_name).stem.rstrip("0123456789")


def tunes(
    families: Collection[str] | None = None, *, place: Path | None = None, skip_bad: bool = False
) -> abc.Tunes:
    """Return the tunes of `families` as they are written, duplicates included, with their fields.

    Raises `ValueError` naming file, song and line of a bad tune, or leaves it out and tells it in
    `skipped` when `skip_bad` is set.
    """
    read = [_read(file, file.stat().st_mtime_ns, skip_bad) for file in files(families, place=place)]
    return abc.Tunes(
        tuple(tune for found in read for tune in found.tunes),
        tuple(message for found in read for message in found.skipped),
    )


def corpus(
    families: Collection[str] | None = None, *, place: Path | None = None, skip_bad: bool = False
) -> Corpus:
    """Return the songs of `families` (all when None), each once, in the order of the files.

    A song that equals an earlier one in notes and number of rests, once both are in C, is left out.
    Variants of one Essen number share a group; a family is a stratum. A stray length or tie without
    a note (22 in all) is passed over and told in `remarks`. For bad tunes see `tunes`.
    """
    found, skipped = tunes(families, place=place, skip_bad=skip_bad)
    once = distinct(found)
    remarks = [remark for tune in once for remark in tune.remarks]
    if len(once) < len(found):
        remarks.append(f"{len(found) - len(once)} songs left out that equal an earlier one.")
    songs = tuple(Song(tune.melody, group(tune), family(tune.source)) for tune in once)
    return Corpus(NAME, songs, skipped, tuple(remarks))


def distinct(tunes: Sequence[abc.Tune]) -> list[abc.Tune]:
    """Return `tunes` without those that equal an earlier one, in their order."""
    return list({_content(tune): tune for tune in reversed(tunes)}.values())[::-1]


def group(tune: abc.Tune) -> str:
    """Return the Essen number of `tune` without its variant mark, else file and song number."""
    number = ESSEN_NUMBER.match(tune.fields.get("N", ""))
    return number[0] if number else f"{tune.source} {tune.number}"


@cache
def _read(file: Path, _changed: int, skip_bad: bool) -> abc.Tunes:
    return abc.read(file, skip_bad=skip_bad, strays="remark")


def _content(tune: abc.Tune) -> tuple[int, bytes, bytes, bytes]:
    melody = tune.melody
    relative = melody.pitch - (melody.tonic or 0)
    times = (melody.onset_quarters, melody.duration_quarters)
    return (
        tune.rests,
        relative.tobytes(),
        *(np.ascontiguousarray(each).tobytes() for each in times),
    )
