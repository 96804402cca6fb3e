"""How long it takes to prepare all dances: read, heard, fitted; first cold, then from the cache.

In a cache of its own, so that nothing of the project's is touched. Takes the real dances that
PASDEDEUX_DATA names, else synthetic ones. Run: python benchmarks/prepare.py
"""

import os
import tempfile
import time
from pathlib import Path

from pasdedeux.data import paired


def main() -> None:
    """Print seconds of wall and CPU time for both."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n')
        os.chdir(folder)
        for state in ("cold", "warm"):
            wall, cpu = time.perf_counter(), time.process_time()
            made = paired.paired(skip_bad=True)
            minutes = sum(dance.seconds for dance in made.dances) / 60
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{state}: {made.notice}, {minutes:.1f} min: {wall:.1f} s wall, {cpu:.1f} s CPU")
        os.chdir("/")


if __name__ == "__main__":
    main()
