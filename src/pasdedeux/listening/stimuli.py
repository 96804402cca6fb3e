"""Blinded stimuli in a folder: what is served, apart from what says which system made it.

    <folder>/manifest.json   the design, the files that may be served and their SHA-256
    <folder>/served/017.ogg  stimuli, numbered by a seeded permutation; nothing else is served
    <folder>/key.json        system, item and run of each number; never served
    <folder>/consent.txt     the words that people agree to, to be edited by the teacher
    <folder>/answers.sqlite  what they answered (`store`)

All sounds of a test have the same loudness (BS.1770, `music.loudness`). `S` samples.
"""

import io
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from jaxtyping import Float

from pasdedeux import __version__
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest, write_bytes, write_json, write_text
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.listening.design import HEADPHONES, Design, from_plain
from pasdedeux.music.audio import ogg
from pasdedeux.music.loudness import equally_loud

MANIFEST, KEY, CONSENT, SERVED = "manifest.json", "key.json", "consent.txt", "served"
TONE_HZ, TONE_SECONDS, PAUSE_SECONDS, TONE_RATE_HZ = 200.0, 0.9, 0.5, 11_025
TONE_LEVEL, SOFTER = 0.25, 0.5  # -6 dB
CHECKS = 3
LEAST_SECONDS = 4.0  # so much of a stimulus, or all of it, is heard before an answer is taken


class Film(NamedTuple):
    """A film as a file: ".mp4" with the sound inside, or ".gif", whose sound is a file beside."""

    ending: str
    data: bytes


Filming = Callable[[Float[np.ndarray, " S"]], Film]  # is given the sound at its final loudness


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One thing to be judged.

    pool: which steps ask about it. system: who made it. item: what it was made from; a ranking
    compares the systems of one item. sound: mono, at the test's rate. film: makes the film, if
    there is one. hint: what people may know, for example the genre of a dance. right: the right
    answer, where there is one. source: the run it comes from. encoded: a file taken as it is, in
    place of sound and film.
    """

    pool: str
    system: str
    item: str
    sound: Float[np.ndarray, " S"] | None = None
    film: Filming | None = None
    hint: str = ""
    right: str = ""
    source: str = ""
    encoded: Film | None = None


class Known(NamedTuple):
    """What the key tells of a numbered stimulus."""

    pool: str
    system: str
    item: str
    hint: str
    right: str
    source: str


@dataclass(frozen=True, eq=False)
class Test:
    """A prepared test, its files checked."""

    __test__ = False  # no test of pytest

    folder: Path
    design: Design
    seed: int
    version: str  # SHA-256 of the manifest: answers belong to one version
    files: Mapping[str, tuple[str, ...]]  # of each stimulus
    key: Mapping[str, Known]
    loudness_lufs: float | None
    least_seconds: float = LEAST_SECONDS
    made_by: str = field(default="", compare=False)

    @property
    def served(self) -> Path:
        """The folder of the files that may be served."""
        return self.folder / SERVED

    @property
    def names(self) -> frozenset[str]:
        """The names of the files that may be served."""
        return frozenset(name for files in self.files.values() for name in files)

    def consent(self) -> str:
        """Return the words people agree to, as they stand in the file now."""
        file = self.folder / CONSENT
        refuse(not file.is_file(), f"{file} is missing; write what people agree to into it.")
        return file.read_text(encoding="utf-8").strip()


def prepare(
    folder: Path,
    design: Design,
    stimuli: Sequence[Stimulus],
    *,
    seed: int,
    rate_hz: int,
    least_seconds: float = LEAST_SECONDS,
    told: Callable[[int, int], object] = lambda done, total: None,
) -> Test:
    """Write a test into `folder`, whole or not at all, and return it.

    Of each stimulus `least_seconds`, or all, are heard before an answer is taken. `told` hears how
    many stimuli are written. Raises `ValueError` where the folder is there already, a sound is
    silent, or the systems of a pool do not have equally many items (for a ranking: the same items).
    """
    folder = Path(folder)
    told_there = f"{folder} is there already; give another name, or delete it with its answers."
    refuse(folder.exists(), told_there)
    checks = headphone_checks(seed) if _has(design, HEADPHONES) else []
    everything = [*checks, *stimuli]
    _check(design, everything)
    order = numpy_generator(seed, "names", design.test).permutation(len(everything))
    width = max(3, len(str(len(everything))))
    numbered = {f"{place:0{width}d}": everything[index] for place, index in enumerate(order)}
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        written = _write(part, numbered, rate_hz=rate_hz, told=told)
        about = {"design": design.plain(), "seed": seed, "least_seconds": least_seconds}
        write_json(part / MANIFEST, {**about, **written})
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load(folder)


def _has(design: Design, pool: str) -> bool:
    return any(step.pool == pool for step in design.steps)


def _check(design: Design, stimuli: Sequence[Stimulus]) -> None:
    """Refuse pools from which no balanced order can be made."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in stimuli:
        found[one.pool][one.system].append(one.item)
        empty = one.sound is None and one.encoded is None
        refuse(empty, f"{one.system}, {one.item}: a stimulus needs a sound or a file.")
    for step in design.steps:
        systems = found[step.pool]
        refuse(not systems, f"step {step.name} has no stimuli of pool {step.pool!r}.")
        for system, items in systems.items():
            twice = len(set(items)) != len(items)
            refuse(twice, f"{system} has an item of pool {step.pool!r} twice; name items apart.")
        counts = {system: len(items) for system, items in systems.items()}
        refuse(
            len(set(counts.values())) > 1,
            f"systems need equally many items in pool {step.pool!r}, got {counts}.",
        )
        apart = len({frozenset(items) for items in systems.values()}) > 1
        same = step.kind == "ranking" or bool(step.reference)
        refuse(same and apart, f"step {step.name} needs the same items of every system.")
        lost = bool(step.reference) and step.reference not in systems
        refuse(lost, f"the reference {step.reference!r} is not among {sorted(systems)}.")


def _write(
    folder: Path,
    numbered: Mapping[str, Stimulus],
    *,
    rate_hz: int,
    told: Callable[[int, int], object],
) -> dict[str, Any]:
    """Write everything but the manifest and return what it says of the files."""
    heard = [(name, one.sound) for name, one in numbered.items() if one.sound is not None]
    levelled = equally_loud([sound for _, sound in heard], rate_hz) if heard else None
    sounds = dict(zip([n for n, _ in heard], levelled.sounds, strict=True)) if levelled else {}
    files: dict[str, list[str]] = {}
    for done, (name, one) in enumerate(numbered.items(), start=1):
        encoded = _encoded(one, sounds.get(name), rate_hz)
        files[name] = [f"{name}{ending}" for ending, _ in encoded]
        for ending, data in encoded:
            write_bytes(folder / SERVED / f"{name}{ending}", data)
        told(done, len(numbered))
    known = {
        name: Known(one.pool, one.system, one.item, one.hint, one.right, one.source)._asdict()
        for name, one in numbered.items()
    }
    write_json(folder / KEY, known)
    words = resources.files("pasdedeux.listening").joinpath("web", CONSENT)
    write_text(folder / CONSENT, words.read_text(encoding="utf-8"))
    return {
        "loudness_lufs": None if levelled is None else round(levelled.lufs, 3),
        "made_by": f"pasdedeux {__version__}",
        "stimuli": files,
        "sha256": {
            name: digest_of(folder / SERVED / name) for part in files.values() for name in part
        },
        "key_sha256": digest_of(folder / KEY),
    }


def _encoded(
    one: Stimulus, sound: Float[np.ndarray, " S"] | None, rate_hz: int
) -> list[tuple[str, bytes]]:
    """Return the files of a stimulus, each as ending and content."""
    if one.encoded is not None:
        return [tuple(one.encoded)]
    if one.film is None:
        return [(".ogg", ogg(sound, rate_hz))]
    film = one.film(sound)
    beside = [(".ogg", ogg(sound, rate_hz))] if film.ending == ".gif" else []
    return [(film.ending, film.data), *beside]


def digest_of(file: Path) -> str:
    """Return the digest of a file as the manifest holds it."""
    return digest(Path(file))


def load(folder: Path) -> Test:
    """Return the test in `folder` after checking every file against the manifest.

    Raises `ValueError` naming the file that is missing, damaged or not as it was written.
    """
    folder = Path(folder)
    manifest = _json(folder / MANIFEST)
    try:
        design = from_plain(manifest["design"])
        files = {name: tuple(parts) for name, parts in manifest["stimuli"].items()}
        checksums, expected = manifest["sha256"], manifest["key_sha256"]
        seed, lufs = int(manifest["seed"]), manifest["loudness_lufs"]
        least, made_by = float(manifest["least_seconds"]), str(manifest["made_by"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / MANIFEST} lacks {error}; prepare the test anew.") from error
    for name, sha in {**checksums, KEY: expected}.items():
        file = folder / KEY if name == KEY else folder / SERVED / name
        refuse(not file.is_file(), f"{file} is missing; prepare the test anew.")
        changed = digest_of(file) != sha
        refuse(changed, f"{file} is not the file that was prepared; prepare the test anew.")
    key = {name: Known(**told) for name, told in _json(folder / KEY).items()}
    version = digest(folder / MANIFEST)
    return Test(folder, design, seed, version, files, key, lufs, least, made_by)


def _json(file: Path) -> dict[str, Any]:
    refuse(not file.is_file(), f"{file} is missing; prepare the test first.")
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); prepare the test anew.") from error
    refuse(not isinstance(told, dict), f"{file} holds no object; prepare the test anew.")
    return told


def headphone_checks(seed: int) -> list[Stimulus]:
    """Return the tones of the headphone check, the softest at a drawn place in each."""
    places = np.concatenate(
        [numpy_generator(seed, "headphones", n).permutation(3) for n in range(-(-CHECKS // 3))]
    )[:CHECKS]
    found = []
    for number, softest in enumerate(places.tolist(), start=1):
        turned = (softest + 1 + int(numpy_generator(seed, "phase", number).integers(2))) % 3
        out = io.BytesIO()
        soundfile.write(out, three_tones(softest, turned), TONE_RATE_HZ, "PCM_16", format="WAV")
        right = ("first", "second", "third")[softest]
        file = Film(".wav", out.getvalue())
        found.append(Stimulus(HEADPHONES, "tones", str(number), right=right, encoded=file))
    return found


def three_tones(softest: int, turned: int) -> Float[np.ndarray, "S 2"]:
    """Return three tones in stereo: one 6 dB softer, another with its right channel turned over."""
    refuse(softest == turned, f"the softest tone cannot be the turned one, both are {softest}.")
    time = np.arange(round(TONE_SECONDS * TONE_RATE_HZ)) / TONE_RATE_HZ
    flank = np.clip(np.minimum(time, time[-1] - time) / 0.1, 0.0, 1.0)
    tone = TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * time) * (0.5 - 0.5 * np.cos(np.pi * flank))
    pause = np.zeros((round(PAUSE_SECONDS * TONE_RATE_HZ), 2))
    pieces = [pause]
    for place in range(3):
        level = SOFTER if place == softest else 1.0
        pieces += [level * np.stack([tone, -tone if place == turned else tone], axis=1), pause]
    return np.concatenate(pieces)
