"""What a profile costs in time: measured where a sidecar tells, else the list's estimate."""

import json
from typing import NamedTuple

from pasdedeux.base.paths import results
from pasdedeux.engine.notebooks import NOTEBOOKS, Notebook

SECONDS_A_MINUTE = 60.0


class Cost(NamedTuple):
    """Minutes of one notebook at one profile, None when unknown; no `machine`: an estimate."""

    notebook: str
    minutes: float | None
    machine: str | None


def cost(profile: str) -> list[Cost]:
    """Return the cost of each notebook at `profile`.

    A sidecar of a good run under `results/<profile>` (committed with the project or written on
    this machine) is believed; one that has none counts with the list's estimate, if there is one.
    """
    return [_cost(notebook, profile) for notebook in NOTEBOOKS]


def summary(profile: str) -> str:
    """Return one line: the minutes of all notebooks at `profile` and where the figure is from."""
    costs = cost(profile)
    machines = sorted({item.machine for item in costs if item.machine is not None})
    told = [f"measured on {', '.join(machines)}"] if machines else []
    for what, names in (
        ("estimated", [c.notebook for c in costs if c.machine is None and c.minutes is not None]),
        ("not known", [c.notebook for c in costs if c.minutes is None]),
    ):
        told += [f"{what}: {', '.join(names)}"] if names else []
    total = sum(item.minutes for item in costs if item.minutes is not None)
    about = "about" if all(item.minutes is not None for item in costs) else "more than"
    return f"{profile}: {about} {_spoken(total)} ({'; '.join(told)})"


def _cost(notebook: Notebook, profile: str) -> Cost:
    sidecar = results(profile) / "notebooks" / f"{notebook.name}.json"
    if not sidecar.is_file():
        return Cost(notebook.name, notebook.minutes_at(profile), None)
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    names = {item["name"] for item in told["device"]} - {"cpu"}
    machine = " with ".join([told["platform"], *sorted(names)])
    return Cost(notebook.name, told["wall_seconds"] / SECONDS_A_MINUTE, machine)


def _spoken(minutes: float) -> str:
    if minutes < 90:
        return f"{max(minutes, 1):.0f} min"
    return f"{minutes / 60:.1f} h"
