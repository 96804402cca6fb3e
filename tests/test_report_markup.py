"""Escaping: what a cell holds must be what a reader sees, in all three languages."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.report.markup import (
    COLOURS,
    about_data,
    badge,
    escape_latex,
    escape_markdown,
    html_grid,
    latex_grid,
    markdown_grid,
)

HARD = ["a_b|c", "50 % ± 2 & more", "{x} \\ $y$ #1 ^~ <b>", "d–e — f × g"]


def test_latex_escapes_by_known_answer() -> None:
    assert escape_latex("50 % & a_b ±2") == r"50 \% \& a\_b \ensuremath{\pm}2"
    assert escape_latex("\\{}") == r"\textbackslash{}\{\}"


@given(st.text(alphabet="ab%_&$#{}\\^~±|<>–\n ", max_size=20))
def test_latex_leaves_nothing_active_and_braces_balanced(text: str) -> None:
    escaped = escape_latex(text)
    known = r"\\ensuremath\{(\\[a-z]+|[<>|])\}|\\[%&$#_{}]|\\text[a-z]+|--"
    active = re.sub(known, "", escaped)
    assert not set("%&$#_^~±|<>\\\n") & set(active)
    assert active.count("{") == active.count("}")


@given(st.text(alphabet="ab|*_`\\<>[]\n ", max_size=20))
def test_markdown_bars_are_escaped(text: str) -> None:
    line = markdown_grid(["x", "y"], [[text, "z"]]).splitlines()
    assert len(line) == 3
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", line[2])
    assert len(cells) == 4  # before the first, two cells, after the last


def test_markdown_by_known_answer() -> None:
    made = markdown_grid(["name", "value|unit"], [["a", "1"], ["b_c", "2"]])
    assert made == "| name | value\\|unit |\n| :-- | --: |\n| a | 1 |\n| b\\_c | 2 |\n"
    assert escape_markdown("`x`") == "\\`x\\`"


def test_lines_must_fit_the_header() -> None:
    with pytest.raises(ValueError, match=r"lines of \[3\] cells under a header of 2"):
        markdown_grid(["a", "b"], [["1", "2", "3"]])


def test_latex_grid_has_balanced_environments() -> None:
    made = latex_grid(["a", "b"], [HARD[:2], HARD[2:]], caption="All & 100 %")
    assert made.count(r"\begin{") == made.count(r"\end{") == 2
    assert made.count(r" \\") == 3
    assert re.findall(r"(?<!\\)&", made) == ["&"] * 3  # one separator per line of two cells
    assert r"\caption{All \& 100 \%}" in made


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX engine on this machine")
def test_latex_grid_compiles(tmp_path: Path) -> None:
    grid = latex_grid(["a", "b"], [HARD[:2], HARD[2:]], caption="All & 100 %")
    start = "\\documentclass{article}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(start + grid + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_shows_the_text_and_names_the_verdict() -> None:
    made = html_grid(["row", "cell"], [["<script>", "trend"], HARD[1:3]], caption="A & B")
    assert "<script>" not in made
    reader = _Text()
    reader.feed(made)
    assert {"<script>", "trend", HARD[1], HARD[2], "A & B"} <= set(reader.text)
    assert made.count("background:") == 1


def test_lines_of_a_cell_stay_lines_in_html() -> None:
    made = html_grid(["row", "cell"], [["a", "x < 1\ny"]], caption="c")
    assert re.findall("<div style=[^>]*>(.*?)</div>", made)[-2:] == ["x &lt; 1", "y"]
    assert 'class="parts"' in made


def test_no_data_is_said_once() -> None:
    assert about_data("37 dances.") == "Data: 37 dances."
    assert about_data("None: counted on the modules.") == "No data: counted on the modules."
    assert about_data("none; nobody was asked.") == "No data; nobody was asked."
    assert about_data("Nonetheless data.") == "Data: Nonetheless data."


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("verdict", COLOURS)
def test_verdict_colours_have_contrast(verdict: str) -> None:
    ink, ground = (_luminance(colour) for colour in COLOURS[verdict])
    assert (ground + 0.05) / (ink + 0.05) >= 7
    assert verdict in badge(verdict)
