"""Which corpora there are, where they lie, under which terms, and how to get them once.

Nothing is ever downloaded unless `fetch` is called (`pasdedeux data get wjazzd`).
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
from pasdedeux.data import repository

LIST = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True)
class File:
    """One file of a corpus: where it lies below the corpus' address, and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """What is known about a corpus before it is read; `sources.toml` says what each field is."""

    name: str
    title: str
    size: str
    licence: str
    citation: str
    base_url: str
    files: Mapping[str, File]
    repository: str = ""
    commit: str = ""
    obtain: str = ""
    terms: str = ""
    folders: tuple[str, ...] = ()
    counted: tuple[str, str] = ("*", "files")

    @property
    def own_folders(self) -> tuple[str, ...]:
        """The names that the user's own folder may have."""
        return self.folders or (self.name,)

    @property
    def fetched(self) -> bool:
        """Whether `fetch` can get it."""
        return bool(self.files or self.repository)

    @property
    def built_in(self) -> bool:
        """Whether it is there without anything being put or fetched."""
        return not self.fetched and not self.obtain


@cache
def _sources() -> dict[str, Source]:
    table = tomllib.loads(LIST.read_text(encoding="utf-8"))
    found = {}
    for name, entry in table.items():
        files = {label: File(**file) for label, file in entry.pop("files", {}).items()}
        lists = {key: tuple(entry.pop(key)) for key in ("folders", "counted") if key in entry}
        found[name] = Source(**{"name": name, "base_url": "", **entry, **lists, "files": files})
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
    """Return the folder of a corpus, or None when it is not there or built in.

    The user's own folder below `$PASDEDEUX_DATA`, of the corpus' name or another of its `folders`,
    comes before what `fetch` downloaded. An own folder counts as soon as it holds anything, so that
    its reader can tell what is missing; a download counts when it is complete.
    """
    told, own = source(name), paths.data()
    for folder in [own / each for each in told.own_folders] if own else []:
        if folder.is_dir() and any(folder.iterdir()):
            return folder
    downloaded = download_folder(name)
    complete = told.fetched and downloaded.is_dir()
    complete = complete and all((downloaded / label).is_file() for label in told.files)
    return downloaded if complete else None


def fetch(name: str, *, base_url: str | None = None) -> Path:
    """Download the corpus `name` unless it is there already, and return its folder.

    Each file is checked against its SHA-256, a repository against its commit, and kept whole or not
    at all. `base_url` names a mirror. Raises `ValueError` when it cannot be had, differs from what
    was published, or is not fetched by this project.
    """
    told = source(name)
    refuse(told.built_in, f"{name} is not downloaded: it is {told.size}; it is there already.")
    refuse(not told.fetched, f"{name} is not fetched by this project: {remedy(name)}")
    folder = download_folder(name)
    if told.repository:
        return repository.checkout(base_url or told.repository, told.commit, folder, _by_hand(told))
    for label, file in told.files.items():
        if (folder / label).is_file() and digest_of(folder / label) == file.sha256:
            continue
        _retrieve(f"{base_url or told.base_url}/{file.path}", folder / label, file.sha256)
    return folder


def remedy(name: str) -> str:
    """Return what to do to have the corpus `name`; "" for what is built in."""
    told = source(name)
    return f"`pasdedeux data get {name}`" if told.fetched else told.obtain.strip()


def _by_hand(told: Source) -> str:
    return (
        f"or get its files in another way and put them into $PASDEDEUX_DATA/{told.own_folders[0]}"
    )


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
    parts = [f"{name}: {state(name)}\n  {about(name)}" for name in names()]
    return "\n\n".join(parts)


def state(name: str) -> str:
    """Return whether a corpus is here, without spelling a folder of this machine."""
    if source(name).built_in:
        return "built in"
    folder = found(name)
    if folder is None:
        return f"not here; {remedy(name)}"
    downloaded = folder == download_folder(name)
    return "downloaded" if downloaded else f"found in $PASDEDEUX_DATA/{folder.name}"
