"""`results/<profile>/report.html`: what the four papers print and claim, and what came out here.

Summary, claims, every printed table, figures, sounds, deviations, equations, environment and the
executed notebooks. It reads what lies in the results folder and runs nothing. The page and the
pages beside it work from a disk without a network; building them again from the same files gives
the same bytes.
"""

import html
from collections import Counter
from pathlib import Path

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import write_text
from pasdedeux.base.profiles import PROFILES
from pasdedeux.report import coverage, deviations, ledger, printed, sections
from pasdedeux.report.cards import STYLE, many
from pasdedeux.report.frame import contents, notebook_page, page
from pasdedeux.report.markup import badge, html_grid
from pasdedeux.report.reference import known_papers, title_of
from pasdedeux.report.sections import NOTEBOOKS, Section, counted, short

REPORT = "report.html"
PAGES = {"claims": "The claims", "deviations": "Deviations", "equations": "Equations"}


def build(profile: str) -> Path:
    """Write the report of `profile` and a page for each of its executed notebooks; returns it.

    Raises `ValueError` when there is no result yet, naming the command that makes some.
    """
    choice("profile", profile, PROFILES)
    return build_folder(paths.results(profile), profile=profile)


def build_folder(folder: Path, *, profile: str) -> Path:
    """Write `report.html` and the pages beside it into `folder`, from the results that lie in it;
    returns the path of the report.
    """
    papers = sections.folders(folder)
    executed = sorted((folder / NOTEBOOKS).glob("*.ipynb"))
    told = f"no results in {folder.name!r} yet; run `make reproduce PROFILE={folder.name}` first."
    refuse(not papers and not executed, told)
    for notebook in executed:
        text = notebook_page(notebook, back=f"../{REPORT}", more=_more(notebook))
        write_text(notebook.with_suffix(".html"), text)
    title = f"Results at profile {profile}"
    entries = ledger.write(folder, f"The claims of the four papers, profile {profile}")
    write_text(folder / "deviations.md", deviations.markdown())
    write_text(folder / "equations.md", coverage.markdown())
    tables = printed.every(folder, profile)
    write_text(folder / "all_tables.csv", printed.tidy(tables))
    claimed = _claims(entries, folder)
    parts = {"claims": claimed, "deviations": _deviations(folder), "equations": _equations(folder)}
    for name, body in parts.items():
        back = f'<p class="note"><a href="{REPORT}">All results</a></p>'
        whole = f"{back}\n<h1>{PAGES[name]}</h1>\n<main>{body}</main>"
        write_text(folder / f"{name}.html", page(f"{PAGES[name]}: {title}", whole, style=STYLE))
    every = [
        Section("summary", "Summary", _summary(entries, tables)),
        Section("claims", "Claims", claimed),
        *_tables(tables, papers, folder),
        *_shown(papers, folder),
        Section("deviations", "Deviations", parts["deviations"]),
        Section("equations", "Equations", parts["equations"]),
        Section("environment", "Environment", sections.environment(executed)),
        Section(NOTEBOOKS, "Executed notebooks", sections.notebooks(executed, folder)),
    ]
    write_text(folder / REPORT, _whole(title, [one for one in every if one.body]))
    return folder / REPORT


def _whole(title: str, shown: list[Section]) -> str:
    body = "\n".join(
        f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>\n{s.body}</section>'
        for s in shown
    )
    head = (
        f"<header><h1>pasdedeux: {html.escape(title.lower())}</h1>"
        '<p class="note">What four papers print and claim, and what came out here. The page was '
        "made from the files around it and needs no network.</p></header>"
    )
    links = contents([(s.anchor, s.title) for s in shown])
    return page(title, f"{head}\n{links}\n<main>\n{body}\n</main>", style=STYLE)


def _more(notebook: Path) -> list[tuple[str, str]]:
    """Return the link from a notebook's page to the deviations that matter there."""
    held = deviations.deviations(notebook=notebook.stem)
    return [("../deviations.html", f"{len(held)} deviations matter here")] if held else []


def _summary(entries: tuple[ledger.Entry, ...], tables: tuple[printed.Printed, ...]) -> str:
    """Return the counts: claims by verdict, printed cells by state, for all papers and for each."""
    counts = sum(ledger.counted(entries).values(), Counter())
    tiles = "".join(
        f"<li><strong>{counts[name]}</strong>{badge(name)}</li>" for name in ledger.VERDICTS
    )
    header, lines = ledger.summary(entries)
    grid = html_grid(header, lines, caption=f"{len(entries)} claims of four papers.")
    states = printed.States(tables)._repr_html_()
    return (
        f'<p>Of {len(entries)} claims:</p><ul class="counts">{tiles}</ul>\n{grid}\n{states}'
        f'<p class="note">{html.escape(ledger.RULE)}</p>'
    )


def _claims(entries: tuple[ledger.Entry, ...], folder: Path) -> str:
    counts, shown = ledger.counted(entries), []
    for paper in counts:
        mine = [entry for entry in entries if entry.claim.paper == paper]
        folded = many(f"Its {len(mine)} claims", ledger.cards(mine, folder))
        shown.append(f"<h3>{html.escape(short(paper))}</h3>\n{counted(counts[paper])}{folded}")
    files = '<a href="claims.md">Markdown</a> · <a href="claims.csv">CSV</a>'
    return (
        "\n".join(shown) + f'<p class="note">{html.escape(ledger.RULE)}</p>'
        f'<p class="note">{files}</p>'
    )


def _tables(tables: tuple[printed.Printed, ...], papers: list[Path], folder: Path) -> list[Section]:
    """Return a section a paper: every printed table, then those of ours."""
    own = {paper.name: sections.own_tables(paper, folder) for paper in papers}
    found = []
    for name in dict.fromkeys([*known_papers(), *own]):
        shown = [_table(one, folder) for one in tables if one.paper == name]
        if own.get(name):
            shown.append(f"<h3>More tables</h3>\n{own[name]}")
        if shown:
            about = f"<p>{html.escape(title_of(name))}</p>" if name in known_papers() else ""
            body = "\n".join([about, *shown])
            found.append(Section(f"{name}-tables", f"{short(name)}: tables", body))
    return found


def _table(one: printed.Printed, folder: Path) -> str:
    file = folder / one.paper / f"table_{one.name}.csv"
    shown = f"{counted(one.states)}{one._repr_html_()}{sections.files_of(file, folder)}"
    if not one.ran:  # a long grid that says the same in every cell
        shown = counted(one.states) + many("What the paper prints", one._repr_html_())
    return f"<h3>{html.escape(one.title)}</h3>\n{printed.note(one)}{shown}"


def _shown(papers: list[Path], folder: Path) -> list[Section]:
    """Return the figures of all papers, then their sounds, where there are any."""
    found = []
    for kind, of in (("figures", sections.figures), ("sound", sections.sounds)):
        for paper in papers:
            body = of(paper, folder)
            title = f"{short(paper.name)}: {kind}"
            found += [Section(f"{paper.name}-{kind}", title, body)] if body else []
    return found


def _deviations(folder: Path) -> str:
    header, lines = deviations.summary()
    shown = [html_grid(header, lines, caption="Where a paper leaves something open, or errs.")]
    shown.append(f'<p class="note">{html.escape(deviations.MEANS)}</p>')
    for paper in known_papers():
        held = deviations.deviations(paper)
        title = f"{short(paper)}: {len(held)} places"
        shown.append(many(title, deviations.cards(held, folder)))
    return "\n".join(shown)


def _equations(folder: Path) -> str:
    header, lines = coverage.summary()
    shown = [html_grid(header, lines, caption="What computes an equation, and what checks it.")]
    for paper in known_papers():
        title = f"{short(paper)}: {len(coverage.equations(paper))} equations"
        shown.append(many(title, coverage.cards(paper, folder)))
    return "\n".join(shown)
