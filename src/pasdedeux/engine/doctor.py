"""The environment in a few lines, to be read before the first run and pasted into a bug report."""

import os
import platform
import shutil

from pasdedeux.base.device import describe, pick
from pasdedeux.base.paths import data, root
from pasdedeux.report import provenance

OLDEST, NEWEST = (3, 11), (3, 13)
TOOLS = {
    "git": "provenance without a commit",
    "ffmpeg": "no films of animations",
    "fluidsynth": "sine waves in place of instruments",
    "node": "nothing here needs it yet",
}


def environment() -> dict[str, str]:
    """Return what matters of this machine by name: Python, packages, device, data, tools.

    Nothing in it names a user or a folder, except that of the data when it is wrong.
    """
    told = {
        "python": f"{platform.python_version()}{_python_remark()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": str(os.cpu_count()),
    }
    told |= {name: version or "missing" for name, version in provenance.versions().items()}
    told |= {f"device {name}": str(value) for name, value in describe(pick()).items()}
    state = provenance.git_state(root())
    told["commit"] = f"{state['commit']}{', with changes' if state['dirty'] else ''}"
    told["PASDEDEUX_DATA"] = _data()
    told |= {
        name: "found" if shutil.which(name) else f"missing ({loss})" for name, loss in TOOLS.items()
    }
    return told


def report() -> str:
    """Return `environment()` as lines `name: value`, the names in one column."""
    told = environment()
    width = max(len(name) for name in told)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in told.items())


def _python_remark() -> str:
    version = tuple(int(part) for part in platform.python_version_tuple()[:2])
    return "" if OLDEST <= version <= NEWEST else " (3.11 to 3.13 is tested)"


def _data() -> str:
    try:
        folder = data()
    except ValueError as error:
        return str(error)
    if folder is None:
        return "not set, the built-in data are used"
    return f"holds {', '.join(sorted(path.name for path in folder.iterdir())) or 'nothing'}"
