"""The look of every page: one HTML frame with its own style, and notebooks turned into such pages.

A page asks nothing of a network and runs no script but that of the dance player, which its content
policy names by digest; a browser would refuse the rest even if an output asked for it.
"""

import base64
import copy
import hashlib
import html
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from pasdedeux.report.dancing import script
from pasdedeux.report.equation import mathml

POLICY = (
    "default-src 'none'; img-src 'self' file: data:; media-src 'self' file: data:; "
    "style-src 'unsafe-inline'; script-src 'sha256-{digest}'; form-action 'none'; base-uri 'none'"
)
STYLE = """
:root { color-scheme: light; --ink: #1b1e23; --soft: #5a6169; --line: #d8dce1; --ground: #fff;
  --tint: #f5f7f9; --link: #0b5394; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem clamp(0.8rem, 3vw, 2rem) 4rem; max-width: 80rem;
  color: var(--ink); background: var(--ground);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0.6rem 0; }
h2 { font-size: 1.35rem; margin: 2.2rem 0 0.6rem; padding-top: 0.6rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.6rem 0 0.5rem; }
p, ul, ol, dl { max-width: 48rem; overflow-wrap: break-word; }
a { color: var(--link); } a.anchor-link { visibility: hidden; padding-left: 0.3em; }
:is(h1, h2, h3):hover a.anchor-link { visibility: visible; }
nav { background: var(--tint); border: 1px solid var(--line); border-radius: 0.5rem;
  padding: 0.7rem 1rem; margin: 1rem 0; } nav ul { margin: 0.2rem 0;
  padding-left: 1.2rem; columns: 12.5rem; max-width: none; }
.note { color: var(--soft); font-size: 0.88rem; }
.grid { overflow-x: auto; margin: 0.8rem 0; border: 1px solid var(--line); border-radius: 0.5rem; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
.grid table { min-width: 100%; }
caption { caption-side: top; padding: 0.6rem 0.7rem; font-weight: 600; position: sticky; left: 0;
  max-width: calc(min(100vw, 80rem) - 3rem); }
th, td { padding: 0.32rem 0.6rem; text-align: right; vertical-align: top; }
thead th { background: var(--tint); border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody th { text-align: left; background: var(--ground); position: sticky; left: 0; }
tbody:has(th.long) th { font-weight: 400; } tbody th.long { min-width: 12rem; }
tbody tr:has(th:not(:empty)) > * { border-top: 1px solid var(--line); }
td { white-space: nowrap; } td.long { white-space: normal; min-width: 13rem;
  overflow-wrap: anywhere; } td.parts { min-width: min(24rem, 80vw); }
.text_cell_render :is(th, td) { text-align: left; white-space: normal; }
figure { margin: 0.8rem 0; } figcaption { color: var(--soft); font-size: 0.9rem; }
img, svg { max-width: 100%; height: auto; } audio { width: min(26rem, 100%); }
pre { overflow-x: auto; padding: 0.6rem 0.8rem; border-radius: 0.4rem; font-size: 0.84rem;
  line-height: 1.4; margin: 0.4rem 0; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.input pre { background: var(--tint); border: 1px solid var(--line); }
.equation math { padding-top: 0.25em; }
.output_html { background: none !important; }
.output pre { background: none; padding: 0.2rem 0.8rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.output_error pre { background: #fbdfe2; } .prompt { display: none; } .output { overflow-x: auto; }
.equation { display: flex; align-items: center; gap: 1rem; margin: 0.9rem 0; overflow-x: auto;
  width: fit-content; min-width: min(48rem, 100%); max-width: 100%; }
.equation math { flex: 1; } .equation .number { color: var(--soft); background: var(--ground);
  white-space: nowrap; flex: none; position: sticky; right: 0; }
math { font-size: 1.08em;
  font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre",
    "TeX Gyre DejaVu Math", "Noto Sans Math", math, serif; }
mtd[columnalign="right"] { text-align: right; padding-right: 0.1em; }
mtd[columnalign="left"] { text-align: left; padding-left: 0.1em; }
mrow.brace { padding: 0.15em 0.1em; } mrow.under { border-bottom: 1px solid;
  border-radius: 0 0 0.5em 0.5em; } mrow.over { border-top: 1px solid;
  border-radius: 0.5em 0.5em 0 0; }
[mathvariant="bold"] { font-weight: bold; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem;
  margin: 0.4rem 0; font-size: 0.9rem; } dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { h1 { font-size: 1.4rem; } body { padding-top: 0.4rem; }
  tbody th.long { min-width: 8rem; position: static; } }
"""
_OUTSIDE = re.compile(
    r"<(?:script\b.*?</script\s*>|link\b[^>]*>|iframe\b.*?</iframe\s*>|meta\b[^>]*>|base\b[^>]*>)",
    re.DOTALL | re.IGNORECASE,
)
# a line of `base.progress`: task: done/total, and a note
_PROGRESS = re.compile(r"^[^\n]+: \d+/\d+(?: · [^\n]*)?(?:\n|\Z)", re.MULTILINE)


class _Renderer(IPythonRenderer):
    """Markdown to HTML with equations as MathML."""

    def block_math(self, body: str) -> str:
        """Return a displayed equation."""
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        """Return an equation within a line."""
        return mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        """Return a displayed equation given as an environment."""
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)


def markdown(source: str) -> str:
    """Return Markdown `source` as HTML, its equations as MathML."""
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)


def page(title: str, body: str, *, style: str = "") -> str:
    """Return a complete HTML page around `body`."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    allowed = html.escape(POLICY.format(digest=digest), quote=False)
    policy = f'http-equiv="Content-Security-Policy" content="{allowed}"'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta {policy}>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def contents(links: Sequence[tuple[str, str]]) -> str:
    """Return a table of contents from (anchor, text) pairs."""
    items = "".join(f'<li><a href="#{a}">{html.escape(text)}</a></li>' for a, text in links)
    return f"<nav aria-label='Contents'><strong>Contents</strong><ul>{items}</ul></nav>"


def notebook_page(executed: Path, *, back: str, more: Sequence[tuple[str, str]] = ()) -> str:
    """Return an executed notebook as a page with links to `back` and to `more`, (target, text)
    pairs; asks nothing of a network.

    Frames, style sheets from elsewhere and scripts other than the dance player's are left out, and
    lines that told how far long work was.
    """
    exporter = HTMLExporter(template_name="basic")
    exporter.register_filter("markdown2html", markdown)
    body, _ = exporter.from_notebook_node(_finished(nbformat.read(executed, as_version=4)))
    colours = HtmlFormatter(nobackground=True).get_style_defs(".highlight")
    links = [
        f'<a href="{html.escape(target)}">{html.escape(text)}</a>'
        for target, text in ((back, "All results"), *more)
    ]
    link = f'<p class="note">{" · ".join(links)}</p>'
    title = executed.stem.replace("_", " ")
    player = f"<script>{script()}</script>"
    kept = _OUTSIDE.sub(lambda found: player if found.group() == player else "", body)
    return page(title, f"{link}\n<main>{kept}</main>\n{link}", style=colours)


def _finished(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy of `notebook` without the lines of progress that its cells printed."""
    kept = copy.deepcopy(notebook)
    for cell in kept.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = _PROGRESS.sub("", output.text)
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if one.get("text", "said")]
    return kept
