"""Pages: notebooks as HTML that runs no script but the player's and fetches nothing."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pytest

from pasdedeux.base import progress
from pasdedeux.report.bodies import Dancer
from pasdedeux.report.dancing import script, watch
from pasdedeux.report.frame import contents, markdown, notebook_page, page

FETCHING = {"src", "srcset", "href", "data", "poster", "action", "background"}


class Fetches(HTMLParser):
    """Collects every address that a browser would load by itself, and every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "link"):
            self.found.append(tag)
        if tag != "a":
            self.found += [value or "" for name, value in attrs if name in FETCHING]
        self.found += [name for name, _ in attrs if name.startswith("on")]


def outside(text: str) -> list[str]:
    """Return what `text` would run or load from anywhere but its own bytes and neighbours."""
    addresses = [x for x in Fetches(text).found if not x.startswith("data:")]
    styles = re.findall(r"@import|url\([^)]*\)", text)
    return [x for x in addresses if ":" in x or x.startswith("//") or x.isalpha()] + styles


@pytest.fixture
def executed(tmp_path: Path) -> Path:
    new = nbformat.v4
    evil = "<script src='https://cdn.test/x.js'></script><link href='https://a.test/x.css'>"
    outputs = [
        new.new_output("stream", text="epoch 1: 0.5\n"),
        new.new_output("display_data", data={"text/html": f"{evil}<p>kept</p>"}),
        new.new_output("display_data", data={"image/png": "iVBORw0KGgo="}),
        new.new_output("error", ename="ValueError", evalue="bad", traceback=["ValueError: bad"]),
    ]
    cells = [
        new.new_markdown_cell("# A title\n\nMass $m^2$ and\n\n$$\\frac{a}{b} \\tag{3}$$\n"),
        new.new_code_cell("x = 1  # a $comment$", outputs=outputs, execution_count=1),
    ]
    file = tmp_path / "07_some_topic.ipynb"
    nbformat.write(new.new_notebook(cells=cells), file)
    return file


def test_a_notebook_page_fetches_nothing(executed: Path) -> None:
    text = notebook_page(executed, back="../report.html")
    assert outside(text) == []
    assert "<script" not in text
    assert "cdn.test" not in text
    assert "default-src 'none'" in text


def test_the_check_itself_sees_what_would_be_fetched() -> None:
    assert outside('<img src="https://a.test/x.png">') == ["https://a.test/x.png"]
    assert outside('<img src="//a.test/x.png">') == ["//a.test/x.png"]
    assert outside("<script>1</script>") == ["script"]
    assert outside('<p onclick="f()">') == ["onclick"]
    assert outside("<style>@import 'x'; a { b: url(x) }</style>") == ["@import", "url(x)"]
    assert outside('<a href="https://a.test">x</a><img src="data:image/png;base64,x">') == []


def test_a_notebook_page_shows_text_code_outputs_and_equations(executed: Path) -> None:
    text = notebook_page(executed, back="../report.html")
    assert "<title>07 some topic</title>" in text
    for part in ("A title", "epoch 1: 0.5", "<p>kept</p>", "data:image/png", "ValueError: bad"):
        assert part in text
    assert text.count("<math") == 2
    assert "(3)" in text
    assert "$comment$" in re.sub("<[^>]*>", "", text)
    assert 'href="../report.html"' in text


def test_lines_of_progress_are_left_out_and_the_others_stay(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(progress.FOLDER, raising=False)
    for done in range(7):
        progress.report("hearing songs: seed 3", done + 1, 7, note="Foley")
    alone = capsys.readouterr().out
    assert alone.count("\n") == 4, "nothing to leave out"
    said = "2 s: 0 true clips\n44 of 44 as expected\nratio: 1/2 of them\n"
    made = [
        nbformat.v4.new_output("stream", name="stdout", text=text)
        for text in (alone + said[:18] + alone + said[18:], alone)
    ]
    path = tmp_path / "07_some_topic.ipynb"
    cell = nbformat.v4.new_code_cell("hear()", outputs=made)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    before = path.read_bytes()
    text = notebook_page(path, back="../report.html")
    assert "hearing songs" not in text
    assert said in text
    assert text.count("output_stdout") == 1, "an output that says nothing is none"
    assert path.read_bytes() == before


def test_markdown_leaves_dollars_in_code_alone() -> None:
    drawn = markdown("`a $x$ b` and $y$\n\n| a |\n|--|\n| $z$ |\n")
    assert drawn.count("<math") == 2
    assert "a $x$ b" in drawn
    assert "<table>" in drawn


def test_a_page_escapes_its_title_and_contents() -> None:
    text = page("a < b", contents([("x-1", "R & B")]))
    assert "<title>a &lt; b</title>" in text
    assert '<a href="#x-1">R &amp; B</a>' in text
    assert outside(text) == []


def test_every_equation_of_the_notebooks_is_understood() -> None:
    files = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
    assert files, "no notebooks"
    drawn = {}
    for file in files:
        cells = nbformat.read(file, as_version=4).cells
        text = "\n".join(markdown(cell.source) for cell in cells if cell.cell_type == "markdown")
        drawn[file.name] = re.findall('<code class="tex">(.*?)</code>', text)
        assert text.count("<math") or "$" not in text
    assert not {name: left for name, left in drawn.items() if left}


def test_the_dance_players_script_alone_stays_and_is_named_by_its_digest(tmp_path):
    joints = np.random.default_rng(0).normal(0, 0.3, (5, 3, 3))
    player = watch(Dancer("one", joints, ((0, 1), (1, 2))), "a dance")
    other = "<script>document.title = 'no'</script>"
    changed = player.markup.replace('"use strict";', '"use strict"; alert(1);')
    cells = [
        nbformat.v4.new_code_cell(
            "show", outputs=[nbformat.v4.new_output("display_data", {"text/html": markup})]
        )
        for markup in (player.markup, other, changed)
    ]
    path = tmp_path / "02_dances.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    text = notebook_page(path, back="../report.html")
    (kept,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert kept == script()
    digest = base64.b64encode(hashlib.sha256(kept.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
