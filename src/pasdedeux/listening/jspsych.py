"""jsPsych, the library of the page: installed once by npm from a lock file, never copied here.

npm checks every package against the lock's SHA-512. What is installed lies in the project's cache,
under the digest of the lock, so that another lock means another installation.
"""

import shutil
import subprocess
from importlib import resources
from pathlib import Path

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest, write_text

LISTED = ("package.json", "package-lock.json")
BUILT = "node_modules/jspsych/dist/index.browser.min.js"
HOW = "`pasdedeux listen --setup` (once, with a network)"


def page(name: str) -> str:
    """Return the text of one of the page's own files."""
    web = resources.files("pasdedeux.listening").joinpath("web")
    return web.joinpath(name).read_text(encoding="utf-8")


def place() -> Path:
    """Return where jsPsych of this lock is installed, or would be."""
    return paths.cache() / "jspsych" / digest(*(page(name) for name in LISTED))[:12]


def script() -> Path:
    """Return jsPsych's file; raises `ValueError` with the remedy where it is not installed."""
    file = place() / BUILT
    refuse(not file.is_file(), f"jsPsych is not installed; run {HOW}.")
    return file


def install() -> Path:
    """Install jsPsych with `npm ci` and return its file; at once when it is there.

    Raises `ValueError` when npm is missing or fails; what it said is in the message.
    """
    folder = place()
    if (folder / BUILT).is_file():
        return folder / BUILT
    program = shutil.which("npm")
    if program is None:
        raise ValueError(
            "jsPsych is installed by npm, which is not on PATH; install Node.js "
            "(conda install nodejs, or your system's package) and try again."
        )
    shutil.rmtree(folder, ignore_errors=True)  # a rest of an installation that was cut short
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name in LISTED:
        write_text(part / name, page(name))
    command = [program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False)
    said = " ".join(done.stderr.split())[-300:]
    refuse(done.returncode != 0, f"npm could not install jsPsych ({said}); is there a network?")
    refuse(not (part / BUILT).is_file(), f"npm left no {BUILT}; delete {part} and try again.")
    part.rename(folder)
    return folder / BUILT
