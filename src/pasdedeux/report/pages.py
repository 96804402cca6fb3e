"""`results/<profile>/report.html`: every table, claim, figure, sound and notebook of one profile.

It reads what lies in the results folder and runs nothing. The page and the notebook pages beside it
work from a disk without a network; building them again from the same files gives the same bytes.
"""

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_text
from pasdedeux.base.profiles import PROFILES
from pasdedeux.report import claims, table
from pasdedeux.report.frame import contents, notebook_page, page
from pasdedeux.report.markup import COLOURS, badge
from pasdedeux.report.reference import known_papers, title_of

NOTEBOOKS, REPORT, CLAIMS = "notebooks", "report.html", "claims.csv"
SOUNDS, SHORT_COMMIT = (".ogg",), 10


class Section(NamedTuple):
    """One part of the page with the anchor that the contents link to."""

    anchor: str
    title: str
    body: str


def build(profile: str) -> Path:
    """Write the report of `profile` and a page for each of its executed notebooks; returns it.

    Raises `ValueError` when there is no result yet, naming the command that makes some.
    """
    choice("profile", profile, PROFILES)
    return build_folder(paths.results(profile), title=f"Results at profile {profile}")


def build_folder(folder: Path, *, title: str) -> Path:
    """Write `report.html` into `folder` from the results that lie in it; returns its path."""
    papers = [] if not folder.is_dir() else _folders(folder)
    executed = sorted((folder / NOTEBOOKS).glob("*.ipynb"))
    told = f"no results in {folder.name!r} yet; run `make reproduce PROFILE={folder.name}` first."
    refuse(not papers and not executed, told)
    for notebook in executed:
        text = notebook_page(notebook, back=f"../{REPORT}")
        write_text(notebook.with_suffix(".html"), text)
    sections = [section for paper in papers for section in _paper(paper, folder)]
    sections += _notebooks(executed, folder)
    body = "\n".join(
        f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>\n{s.body}</section>'
        for s in sections
    )
    head = (
        f"<header><h1>pasdedeux: {html.escape(title.lower())}</h1>"
        '<p class="note">Printed numbers of the papers beside ours. The page was made from the '
        "files around it and needs no network.</p></header>"
    )
    links = contents([(s.anchor, s.title) for s in sections])
    write_text(folder / REPORT, page(title, f"{head}\n{links}\n<main>\n{body}\n</main>"))
    return folder / REPORT


def _folders(folder: Path) -> list[Path]:
    return sorted(
        inner
        for inner in folder.iterdir()
        if inner.is_dir() and inner.name != NOTEBOOKS and any(inner.iterdir())
    )


def _paper(paper: Path, folder: Path) -> list[Section]:
    """Return the sections of one paper that have something to show."""
    name = title_of(paper.name) if paper.name in known_papers() else paper.name
    short = name.partition(":")[0]
    parts = {
        "tables": _tables(paper),
        "claims": _claims(paper),
        "figures": _figures(paper, folder),
        "sound": _sounds(paper, folder),
    }
    sections = [
        Section(f"{paper.name}-{part}", f"{short}: {part}", body)
        for part, body in parts.items()
        if body
    ]
    if sections:
        first = sections[0]
        sections[0] = first._replace(body=f"<p>{html.escape(name)}</p>\n{first.body}")
    return sections


def _tables(paper: Path) -> str:
    """Return all tables of `paper`, those with printed numbers first, with counts of verdicts."""
    files = [file for file in sorted(paper.glob("*.csv")) if file.name != CLAIMS]
    made = [(file, found) for file in files if (found := _table(file)) is not None]
    shown = []
    for file, found in sorted(made, key=lambda pair: not _compared(pair[1])):
        links = " · ".join(
            f'<a href="{quote(f"{paper.name}/{other.name}")}">{other.suffix[1:].upper()}</a>'
            for other in (file, file.with_suffix(".md"), file.with_suffix(".tex"))
            if other.is_file()
        )
        shown.append(
            f"<h3>{html.escape(_name(file))}</h3>\n{_counted(_compared(found))}"
            f'{found._repr_html_()}<p class="note">{links}</p>'
        )
    return "\n".join(shown)


def _compared(made: table.Table) -> Counter[str]:
    """Return how often each verdict stands in `made`; empty when nothing is printed beside it."""
    return Counter(cell.verdict for cell in made.cells if cell.paper)


def _table(file: Path) -> table.Table | None:
    """Return the table in `file`, or None when it is a CSV of another kind."""
    try:
        return table.read(file)
    except ValueError:
        return None


def _name(file: Path) -> str:
    words = file.stem.replace("_", " ")
    return words[:1].upper() + words[1:]


def _counted(counts: Counter[str]) -> str:
    listed = [f"{counts[name]} × {badge(name)}" for name in COLOURS if counts[name]]
    return f"<p>{' &ensp; '.join(listed)}</p>" if listed else ""


def _claims(paper: Path) -> str:
    if not (paper / CLAIMS).is_file():
        return ""
    made = claims.read(paper / CLAIMS)
    return _counted(Counter(claim.verdict for claim in made.claims)) + made._repr_html_()


def _figures(paper: Path, folder: Path) -> str:
    """Return the PNG pictures of `paper`, each with a link to its SVG."""
    shown = []
    numbered_first = sorted(paper.rglob("*.png"), key=lambda f: (f.stem[:6] != "figure", f))
    for file in numbered_first:
        name = html.escape(_name(file))
        vector = file.with_suffix(".svg")
        link = f' (<a href="{_link(vector, folder)}">SVG</a>)' if vector.is_file() else ""
        shown.append(
            f'<figure><img loading="lazy" src="{_link(file, folder)}" alt="{name}">'
            f"<figcaption>{name}{link}</figcaption></figure>"
        )
    return "\n".join(shown)


def _sounds(paper: Path, folder: Path) -> str:
    shown = []
    for file in sorted(paper.rglob("*")):
        if file.suffix in SOUNDS:
            midi = file.with_suffix(".mid")
            link = f' (<a href="{_link(midi, folder)}">MIDI</a>)' if midi.is_file() else ""
            shown.append(
                f"<figure><figcaption>{html.escape(_name(file))}{link}</figcaption>"
                f'<audio controls preload="none" src="{_link(file, folder)}"></audio></figure>'
            )
    return "\n".join(shown)


def _link(file: Path, folder: Path) -> str:
    return quote(file.relative_to(folder).as_posix())


def _notebooks(executed: list[Path], folder: Path) -> list[Section]:
    """Return the list of executed notebooks with what their sidecars tell."""
    shown = [_notebook(file, folder) for file in executed]
    return [Section(NOTEBOOKS, "Executed notebooks", "\n".join(shown))] if shown else []


def _notebook(file: Path, folder: Path) -> str:
    sidecar = file.with_suffix(".json")
    told = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
    facts = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
        for name, value in _facts(told).items()
        if value
    )
    link = _link(file.with_suffix(".html"), folder)
    return (
        f'<h3><a href="{link}">{html.escape(_name(file))}</a></h3>\n<dl class="facts">{facts}</dl>'
    )


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
        "data": "; ".join(str(d.get("notice", d)) for d in told.get("data") or ()),
        "machine": ", ".join(
            [
                *filter(
                    None, (told.get("platform"), told.get("python") and f"Python {told['python']}")
                )
            ]
            + versions
        ),
    }


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"
