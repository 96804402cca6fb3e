"""One grid of text as Markdown, LaTeX and HTML, each with its own characters escaped.

A grid is a header and lines of equally many cells, all plain text. HTML can colour a cell by a
verdict; the verdict's own word stays in the cell, so nothing is said by colour alone.
"""

import html
import re
from collections.abc import Mapping, Sequence

from pasdedeux.base.checks import refuse

_GOOD, _OPEN = ("#0b4a25", "#d9f2e3"), ("#5c3d00", "#fdf0cf")
_BAD, _NONE = ("#6e1423", "#fbdfe2"), ("#44484d", "#ebedef")
COLOURS = {  # (text, ground), contrast at least 7 to 1
    **dict.fromkeys(("match", "holds", "reproduced"), _GOOD),
    **dict.fromkeys(("trend", "trend only", "undecided", "inconclusive"), _OPEN),
    **dict.fromkeys(("mismatch", "does not hold", "not reproduced"), _BAD),
    **dict.fromkeys(("not run", "quoted", "not testable here"), _NONE),
    **dict.fromkeys(("ambiguous", "not given"), _OPEN),
    **dict.fromkeys(("wrong", "contradicts its code"), _BAD),
}
LONG = 30  # characters from which a cell may be broken into lines
_PART = "padding-left:1em;text-indent:-1em"
_LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "−": r"\ensuremath{-}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "·": r"\ensuremath{\cdot}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "→": r"\ensuremath{\rightarrow}",
    "♯": r"\ensuremath{\sharp}",
    "♭": r"\ensuremath{\flat}",
    "\n": " ",
}


def about_data(notice: str) -> str:
    """Return what a caption says of the data; a `notice` that begins with "none" means no data."""
    said, none = re.subn(r"^none\b", "No data", notice, flags=re.IGNORECASE)
    return said if none else f"Data: {notice}"


def escape_latex(text: str) -> str:
    """Return `text` with every character that LaTeX would act on made printable."""
    return "".join(_LATEX.get(character, character) for character in text)


def escape_markdown(text: str) -> str:
    """Return `text` safe inside a Markdown table cell: bars, stars, underscores and line breaks."""
    for character in "\\`*_|<>$[]":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")


def _check(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    widths = {len(line) for line in lines} - {len(header)}
    refuse(bool(widths), f"lines of {sorted(widths)} cells under a header of {len(header)}.")


def markdown_grid(header: Sequence[str], lines: Sequence[Sequence[str]], *, text: int = 1) -> str:
    """Return the grid as a Markdown table; the first `text` columns to the left, numbers right."""
    _check(header, lines)
    rule = [":--" if place < text else "--:" for place in range(len(header))]
    rows = [[escape_markdown(cell) for cell in line] for line in (header, *lines)]
    rows.insert(1, rule)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def latex_grid(
    header: Sequence[str], lines: Sequence[Sequence[str]], *, caption: str, text: int = 1
) -> str:
    """Return a LaTeX `table` of the grid; it needs no package beyond LaTeX itself.

    A line whose first cell is empty continues the row above, the others begin with a rule.
    """
    _check(header, lines)
    body = [r"\hline", " & ".join(map(escape_latex, header)) + r" \\"]
    for line in lines:
        if line[0]:
            body.append(r"\hline")
        body.append(" & ".join(map(escape_latex, line)) + r" \\")
    alignment = "l" * text + "r" * (len(header) - text)
    return "\n".join(
        [
            r"\begin{table}[ht]",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            *body,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def badge(verdict: str) -> str:
    """Return the verdict as a coloured HTML label that also says it in words."""
    ink, ground = COLOURS.get(verdict, ("inherit", "transparent"))
    style = f"color:{ink};background:{ground};padding:0.1em 0.4em;border-radius:0.6em"
    return f'<span style="{style};white-space:nowrap">{html.escape(verdict)}</span>'


def html_grid(
    header: Sequence[str], lines: Sequence[Sequence[str]], *, caption: str, text: int = 1
) -> str:
    """Return the grid as an HTML table in a box that scrolls sideways on a narrow screen.

    The first `text` columns stand to the left, the others (numbers) to the right. Lines within a
    cell stay lines.
    """
    _check(header, lines)
    cells = [
        "<tr>" + "".join(_html_cell(cell, place, text) for place, cell in enumerate(line)) + "</tr>"
        for line in lines
    ]
    head = "".join(
        f'<th scope="col" style="text-align:{_side(place, text)}">{html.escape(cell)}</th>'
        for place, cell in enumerate(header)
    )
    return (
        '<div class="grid" style="overflow-x:auto"><table>'
        f'<caption style="text-align:left">{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>" + "\n".join(cells) + "</tbody></table></div>"
    )


def _side(place: int, text: int) -> str:
    return "left" if place < text else "right"


def _html_cell(cell: str, place: int, text: int) -> str:
    parts = [html.escape(part) for part in cell.split("\n")]
    shown = badge(cell) if cell in COLOURS else parts[0]
    if len(parts) > 1:
        shown = "".join(f'<div style="{_PART}">{part}</div>' for part in parts)
    kind, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
    long = ["long"] * (len(cell) > LONG) + ["parts"] * (len(parts) > 1)
    named = f' class="{" ".join(long)}"' if long else ""
    return f'<{kind}{scope}{named} style="text-align:{_side(place, text)}">{shown}</{kind}>'
