"""Cards for what is too long for a row of a table: a title, a label, and facts under each other.

Cards fold: their title can be read on a phone, the rest is one touch away, without any script.
"""

import html
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from pasdedeux.report.markup import badge
from pasdedeux.report.places import Place, link, located

STYLE = """
details.card { border: 1px solid var(--line); border-radius: 0.5rem; margin: 0.45rem 0;
  padding: 0.45rem 0.7rem; max-width: 60rem; }
details.card > summary { cursor: pointer; overflow-wrap: anywhere; }
details.card > summary .note { display: block; margin: 0.1rem 0 0; }
details.card[open] { background: var(--tint); }
details.card dl.facts { max-width: none; }
details.many { margin: 0.6rem 0; } details.many > summary { cursor: pointer; font-weight: 600; }
ul.plain { list-style: none; margin: 0; padding: 0; } ul.plain li { margin: 0.15rem 0; }
.counts { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: 0.5rem;
  margin: 0.8rem 0; max-width: 60rem; padding: 0; list-style: none; }
.counts li { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.5rem 0.7rem; }
.counts strong { display: block; font-size: 1.5rem; line-height: 1.2; }
@media (max-width: 40rem) {
  details.card dl.facts { grid-template-columns: 1fr; }
  details.card dl.facts dt { margin-top: 0.4rem; font-weight: 600; }
}
"""
Fact = tuple[str, str]  # a label, and HTML


def card(anchor: str, title: str, verdict: str, facts: Iterable[Fact], *, under: str = "") -> str:
    """Return one folded card; `under` is a line below the title, facts without HTML are left out.

    The title and `under` are text, facts are HTML.
    """
    listed = "".join(f"<dt>{html.escape(k)}</dt><dd>{v}</dd>" for k, v in facts if v)
    below = f'<span class="note">{html.escape(under)}</span>' if under else ""
    named = f"{badge(verdict)} " if verdict else ""
    return (
        f'<details class="card" id="{html.escape(anchor)}">'
        f"<summary>{named}{html.escape(title)}{below}</summary>"
        f'<dl class="facts">{listed}</dl></details>'
    )


def listing(items: Iterable[str]) -> str:
    """Return HTML `items` as a plain list, "" for none."""
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="plain">{lines}</ul>' if lines else ""


def many(title: str, body: str) -> str:
    """Return `body` folded under `title`."""
    return f'<details class="many"><summary>{html.escape(title)}</summary>\n{body}</details>'


def named(name: str, folder: Path) -> str:
    """Return a name as code, linked from a page in `folder` to where it is, with its line."""
    shown, place = f"<code>{html.escape(name)}</code>", _place(name)
    target = link(name, folder)
    if place is None or not target:
        return shown
    line = f", line {place.line}" if place.line else ""
    return f'<a href="{quote(target)}">{shown}</a>{line}'


def _place(name: str) -> Place | None:
    try:
        return located(name)
    except ValueError:
        return None
