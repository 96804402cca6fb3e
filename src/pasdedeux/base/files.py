"""Files written whole or not at all, and digests of what was read."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it only when the block ends well.

    A process killed inside the block leaves the old file untouched. Missing parents are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole(path) as part:
        part.write_bytes(data)


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON to `path`; refuses NaN and infinity with `ValueError`."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def digest(*parts: str | bytes | Path) -> str:
    """Return the SHA-256 (hex) over `parts`; a `Path` counts by its content, not its name."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                piece = hashlib.file_digest(file, "sha256").digest()
        else:
            piece = hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()
        total.update(piece)
    return total.hexdigest()
