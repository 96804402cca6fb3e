"""Which corpora there are, where they lie, under which terms, and how to get them once.

Nothing is ever downloaded unless `fetch` is called (`pasdedeux data fetch wjazzd`).
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import whole

LIST = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True)
class File:
    """One file of a corpus: where it lies below the corpus' address, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """What is known about a corpus before it is read."""

    name: str
    title: str
    size: str
    licence: str
    citation: str
    base_url: str  # "" when it comes with an installed package
    files: Mapping[str, File]


@cache
def _sources() -> dict[str, Source]:
    table = tomllib.loads(LIST.read_text(encoding="utf-8"))
    found = {}
    for name, entry in table.items():
        files = {label: File(**file) for label, file in entry.pop("files", {}).items()}
        found[name] = Source(**{"name": name, "base_url": "", **entry, "files": files})
    return found


def names() -> tuple[str, ...]:
    """Return the names of all corpora."""
    return tuple(_sources())


def source(name: str) -> Source:
    """Return what is known about the corpus `name`; an unknown name raises `ValueError`."""
    return _sources()[choice("corpus", name, names())]


def about(name: str) -> str:
    """Return title, size, licence and citation of the corpus `name`, to be shown to people."""
    told = source(name)
    return (
        f"{told.title} ({told.size})\n  licence: {told.licence.strip()}\n"
        f"  please cite: {told.citation.strip()}"
    )


def download_folder(name: str) -> Path:
    """Return the folder that `fetch` puts the corpus `name` into."""
    return paths.cache() / "downloads" / source(name).name


def found(name: str) -> Path | None:
    """Return the folder of a corpus that is not built in, or None when it is not there.

    The user's own `$PASDEDEUX_DATA/<name>` comes before what `fetch` downloaded. An own folder
    counts as soon as it holds anything, so that its reader can tell what is missing; a download
    counts when it is complete.
    """
    own = paths.data()
    if own and (own / name).is_dir() and any((own / name).iterdir()):
        return own / name
    downloaded = download_folder(name)
    complete = all((downloaded / label).is_file() for label in source(name).files)
    return downloaded if complete else None


def fetch(name: str, *, base_url: str | None = None) -> Path:
    """Download the corpus `name` unless it is there already, and return its folder.

    Each file is checked against its SHA-256 and kept whole or not at all. `base_url` names a
    mirror. Raises `ValueError` when a file cannot be had or differs from the published one.
    """
    told = source(name)
    refuse(
        not told.files,
        f"{name} is not downloaded: it is {told.size}; it is there already.",
    )
    folder = download_folder(name)
    for label, file in told.files.items():
        if (folder / label).is_file() and digest_of(folder / label) == file.sha256:
            continue
        _retrieve(f"{base_url or told.base_url}/{file.path}", folder / label, file.sha256)
    return folder


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as it is usually printed (hex, of the bytes alone)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _retrieve(url: str, path: Path, sha256: str) -> None:
    import pooch  # here, because it loads requests, and most programs never download

    try:
        with whole(path) as part:
            got = pooch.retrieve(
                url, known_hash=sha256, fname=part.name + ".download", path=part.parent
            )
            Path(got).replace(part)
    except (OSError, ValueError) as error:
        by_hand = f"or put {path.name} into a folder {path.parent.name} below $PASDEDEUX_DATA"
        raise ValueError(
            f"{url} could not be fetched: {error}. Check the network and try again, {by_hand}."
        ) from error


def overview() -> str:
    """Return, for people, each corpus: whether it was found and where, its licence and citation."""
    parts = []
    for name in names():
        state = _where(name, found(name)) if source(name).files else "built in"
        parts.append(f"{name}: {state}\n  {about(name)}")
    return "\n\n".join(parts)


def _where(name: str, folder: Path | None) -> str:
    """Return where a corpus lies without spelling a folder of this machine."""
    if folder is None:
        return f"not here; `pasdedeux data fetch {name}`"
    return "downloaded" if folder == download_folder(name) else f"found in $PASDEDEUX_DATA/{name}"
