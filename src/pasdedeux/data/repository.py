"""The files of one commit of a git repository, whole or not at all.

A commit's name is a checksum of every file in it, which git verifies as it receives them.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from pasdedeux.base.checks import refuse

# No prompt for a password, a dead line is given up after a minute, links are written as text
# files (they could point anywhere), and nothing of the repository around the working directory.
_SETTINGS = (
    *("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"),
    *("-c", "core.symlinks=false", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false"),
)
_AROUND = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def checkout(url: str, commit: str, folder: Path, otherwise: str) -> Path:
    """Put the files of `commit` of the repository at `url` into `folder`, and return it.

    A `folder` that is there is left as it is: it is complete, since it appears only when all is
    well. A second process that asks for the same waits. Raises `ValueError` that tells what went
    wrong and, `otherwise`, what else to do.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():
            return folder
        git = shutil.which("git")
        if git is None:
            raise ValueError(f"git is not installed, and {url} needs it. Install it, {otherwise}.")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as part:
            files = Path(part) / folder.name
            try:
                _receive(git, url, commit, files)
            except (OSError, subprocess.CalledProcessError) as error:
                raise ValueError(
                    f"{url} could not be fetched: {_told(error)}. Check the network and the space "
                    f"on the disk and try again, {otherwise}."
                ) from error
            shutil.rmtree(files / ".git")
            refuse(not any(files.iterdir()), f"{url} holds no file at {commit}. Try again later.")
            files.rename(folder)
    return folder


def _receive(git: str, url: str, commit: str, files: Path) -> None:
    """Fetch one commit without its past, and write its files."""
    environment = {key: value for key, value in os.environ.items() if key not in _AROUND}

    def run(*words: str) -> str:
        done = subprocess.run(
            [git, *_SETTINGS, *words],
            env=environment | _QUIET,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        )
        return done.stdout.strip()

    run("init", "--quiet", "--template=", str(files))
    run("-C", str(files), "fetch", "--quiet", "--depth=1", "--no-tags", url, commit)
    run("-C", str(files), "checkout", "--quiet", "--detach", commit)


def _told(error: OSError | subprocess.CalledProcessError) -> str:
    """Return the last thing git said, which is what went wrong."""
    if isinstance(error, OSError):
        return str(error)
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"git ended with code {error.returncode}"
