"""What the report shows of a profile besides printed tables: own tables, figures, sounds, runs."""

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pasdedeux.report import table
from pasdedeux.report.cards import card, many
from pasdedeux.report.markup import COLOURS, badge
from pasdedeux.report.reference import known_papers, short_of, tables_of

NOTEBOOKS, CLAIMS = "notebooks", "claims.csv"
SOUNDS, SHORT_COMMIT = (".ogg",), 10


class Section(NamedTuple):
    """One part of the page with the anchor that the contents link to."""

    anchor: str
    title: str
    body: str


def short(paper: str) -> str:
    """Return the short name of a paper, or the name of a folder that belongs to none."""
    return short_of(paper) if paper in known_papers() else paper


def folders(folder: Path) -> list[Path]:
    """Return the folders of results, one a paper."""
    if not folder.is_dir():
        return []
    inside = [inner for inner in folder.iterdir() if inner.is_dir() and inner.name != NOTEBOOKS]
    return sorted(inner for inner in inside if any(inner.iterdir()))


def relative(file: Path, folder: Path) -> str:
    """Return the link from a page in `folder` to `file`."""
    return quote(file.relative_to(folder).as_posix())


def counted(counts: Counter[str]) -> str:
    """Return counts of verdicts as labels."""
    listed = [
        f'<span style="white-space:nowrap">{counts[name]} × {badge(name)}</span>'
        for name in COLOURS
        if counts[name]
    ]
    return f"<p>{' &ensp; '.join(listed)}</p>" if listed else ""


def files_of(file: Path, folder: Path) -> str:
    """Return links to a table in all its forms."""
    links = " · ".join(
        f'<a href="{relative(other, folder)}">{other.suffix[1:].upper()}</a>'
        for other in (file, file.with_suffix(".md"), file.with_suffix(".tex"))
        if other.is_file()
    )
    return f'<p class="note">{links}</p>' if links else ""


def own_tables(paper: Path, folder: Path) -> str:
    """Return the tables of `paper` that the paper does not print, each folded."""
    known = tables_of(paper.name) if paper.name in known_papers() else ()
    printed = {f"table_{name}" for name in known}
    shown = []
    for file in sorted(paper.glob("*.csv")):
        if file.name == CLAIMS or file.stem in printed:
            continue
        try:
            made = table.read(file)
        except ValueError:  # a CSV of another kind
            continue
        body = f"{made._repr_html_()}{files_of(file, folder)}"
        shown.append(many(name_of(file), body))
    return "\n".join(shown)


def name_of(file: Path) -> str:
    """Return the name of a file in words."""
    words = file.stem.replace("_", " ")
    return words[:1].upper() + words[1:]


def figures(paper: Path, folder: Path) -> str:
    """Return the PNG pictures of `paper`, each with a link to its SVG."""
    shown = []
    numbered_first = sorted(paper.rglob("*.png"), key=lambda f: (f.stem[:6] != "figure", f))
    for file in numbered_first:
        name = html.escape(name_of(file))
        vector = file.with_suffix(".svg")
        link = f' (<a href="{relative(vector, folder)}">SVG</a>)' if vector.is_file() else ""
        shown.append(
            f'<figure><img loading="lazy" src="{relative(file, folder)}" alt="{name}">'
            f"<figcaption>{name}{link}</figcaption></figure>"
        )
    return "\n".join(shown)


def sounds(paper: Path, folder: Path) -> str:
    """Return players for the sounds of `paper`, each with a link to its notes."""
    shown = []
    for file in sorted(paper.rglob("*")):
        if file.suffix in SOUNDS:
            midi = file.with_suffix(".mid")
            link = f' (<a href="{relative(midi, folder)}">MIDI</a>)' if midi.is_file() else ""
            shown.append(
                f"<figure><figcaption>{html.escape(name_of(file))}{link}</figcaption>"
                f'<audio controls preload="none" src="{relative(file, folder)}"></audio></figure>'
            )
    return "\n".join(shown)


def environment(executed: list[Path]) -> str:
    """Return what the executed notebooks ran on, what was the same for all told once."""
    told = [sidecar for file in executed if (sidecar := _told(file))]
    gathered: dict[str, Counter[str]] = {}
    for sidecar in told:
        for name, value in _surroundings(sidecar).items():
            gathered.setdefault(name, Counter())[value] += 1
    facts = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(_spread(values, len(told)))}</dd>"
        for name, values in gathered.items()
    )
    if not facts:
        return ""
    return f'<p>{len(told)} notebooks tell.</p><dl class="facts">{facts}</dl>'


def _surroundings(sidecar: dict[str, Any]) -> dict[str, str]:
    git, packages = sidecar.get("git") or {}, sidecar.get("packages") or {}
    devices = [d for d in sidecar.get("device") or () if isinstance(d, dict)]
    named = ("device", "name", "precision", "threads")
    found = {
        "commit": (git.get("commit") or "")[:SHORT_COMMIT]
        + (" (changed)" * bool(git.get("dirty"))),
        "machine": sidecar.get("platform") or "",
        "Python": sidecar.get("python") or "",
        "lock file": (sidecar.get("lock") or "")[:SHORT_COMMIT],
        "device": "; ".join(
            ", ".join(f"{name} {one[name]}" for name in named if name in one) for one in devices
        ),
    }
    found |= {name: str(version) for name, version in sorted(packages.items()) if version}
    return {name: value for name, value in found.items() if value}


def _spread(values: Counter[str], every: int) -> str:
    """Return one value, or each value with how many notebooks had it."""
    if len(values) == 1 and values.total() == every:
        return next(iter(values))
    return "; ".join(f"{value} ({count} of {every})" for value, count in values.most_common())


def notebooks(executed: list[Path], folder: Path) -> str:
    """Return the list of executed notebooks with what their sidecars tell."""
    return "\n".join(_notebook(file, folder) for file in executed)


def _told(file: Path) -> dict[str, Any]:
    sidecar = file.with_suffix(".json")
    return json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}


def _notebook(file: Path, folder: Path) -> str:
    facts = [(name, html.escape(value)) for name, value in _facts(_told(file)).items()]
    link = f'<a href="{relative(file.with_suffix(".html"), folder)}">read it</a>'
    return card(f"notebook-{file.stem}", name_of(file), "", [("page", link), *facts])


def _facts(told: dict[str, Any]) -> dict[str, str]:
    """Return the lines shown of a sidecar; '' for what it does not hold."""
    git, packages = told.get("git") or {}, told.get("packages") or {}
    commit = (git.get("commit") or "")[:SHORT_COMMIT]
    changed = " (with uncommitted changes)" if git.get("dirty") else ""
    seconds, memory = told.get("wall_seconds"), told.get("peak_memory_bytes")
    versions = [f"{name} {packages[name]}" for name in ("torch", "numpy") if packages.get(name)]
    parameters = told.get("parameters") or {}
    return {
        "status": f"{told.get('status', 'unknown')}: {told.get('message', '')}".rstrip(": "),
        "time": "" if seconds is None else _spoken(float(seconds)),
        "memory": "" if not memory else f"{memory / 1e6:.0f} MB at most",
        "started": str(told.get("started") or ""),
        "commit": commit + changed if commit else "",
        "seeds": ", ".join(map(str, told.get("seeds") or ())),
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in parameters.items()),
        "data": "; ".join(_data(one) for one in told.get("data") or ()),
        "machine": ", ".join(
            [
                *filter(
                    None, (told.get("platform"), told.get("python") and f"Python {told['python']}")
                )
            ]
            + versions
        ),
    }


def _data(one: Any) -> str:
    """Return what a sidecar says of one data set: its notice, without the checksum."""
    if not isinstance(one, dict):
        return str(one)
    return str(one.get("notice") or ", ".join(one))


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"
