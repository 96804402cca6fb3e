"""The report of a profile: everything that lies in the folder, nothing from anywhere else."""

import base64
import json
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from test_report_frame import Fetches, outside

from pasdedeux.report import pages
from pasdedeux.report.claims import Claims, Part, decide
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.report.table import Measurement, own_table, table

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ABOUT = {"data_notice": "Invented & small.", "profile": "quick"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with results of one paper at profile quick."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n')
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/quick"
    paper = folder / "fusion"
    values = [Measurement("MC", "DD EUD Ratio", s, 1.1 + s / 10, f"runs/mc{s}") for s in (0, 1)]
    table(reference("fusion", 1), values, caption="Beside ours.", **ABOUT).write(paper, "table_1")
    own = [Measurement("MC", "imbalance", 0, 0.5, "runs/mc0")]
    own_table(["imbalance"], own, caption="Balance.", **ABOUT).write(paper, "balance")
    claim = decide(stated_claims("fusion")["mc-best"], [Part("undecided", "1 < 2 & 3", 2)])
    Claims((claim,), **ABOUT).write(paper)
    (paper / "losses.csv").write_text("step,loss\n1,0.5\n")
    for name in ("figure_6.png", "bars.png", "figure_6.svg", "a melody.ogg", "a melody.mid"):
        (paper / name).write_bytes(PIXEL)
    (folder / "notebooks").mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Hello $x$", id="hello")]
    notebook = folder / "notebooks/07_topic.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    sidecar = {
        "status": "dead",
        "message": "07_topic: dead in code cell 3",
        "wall_seconds": 100.0,
        "git": {"commit": "0123456789abcdef", "dirty": True},
        "peak_memory_bytes": 812_345_678,
        "seeds": [3, 5],
        "parameters": {"profile": "quick"},
        "packages": {"torch": "2.0", "numpy": None},
        "python": "3.11.7",
    }
    notebook.with_suffix(".json").write_text(json.dumps(sidecar))
    return tmp_path


def test_the_report_gathers_everything(project: Path) -> None:
    report = pages.build("quick")
    assert report == project / "results/quick/report.html"
    text = report.read_text(encoding="utf-8")
    for part in (
        "Learning to Fuse Music Genres",
        "Beside ours.",
        "Invented &amp; small.",
        "Balance.",
        "1.150 ± 0.071",
        "1.132",
        "1 &lt; 2 &amp; 3",
        "dead: 07_topic: dead in code cell 3",
        "1.7 min",
        "812 MB at most",
        "0123456789 (with uncommitted changes)",
        "3, 5",
        "Python 3.11.7, torch 2.0",
    ):
        assert part in text, part
    assert text.index("Table 1") < text.index(">Balance<")
    assert text.index("figure_6.png") < text.index("bars.png")
    assert "losses.csv" not in text
    assert ">Losses<" not in text, "a CSV that is no table is not shown"
    tables = text.partition('id="fusion-tables"')[2].partition("<section")[0]
    assert "47 × " in tables  # cells of Table I that did not run
    order = ("summary", "claims", "fusion-tables", "fusion-figures", "deviations", "equations")
    places = [text.index(f'<section id="{anchor}"') for anchor in order]
    assert places == sorted(places)
    for page in ("claims.html", "deviations.html", "equations.html", "claims.md", "all_tables.csv"):
        assert (report.parent / page).is_file()


def test_every_link_leads_to_a_file_and_every_anchor_to_a_section(project: Path) -> None:
    report = pages.build("quick")
    text = report.read_text(encoding="utf-8")
    links = [part.split('"')[0] for part in text.split('href="')[1:]]
    links += [part for part in Fetches(text).found if "." in part]
    assert len(links) > 12, "no links found"
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (report.parent / unquote(link)).is_file(), link
    inner = (report.parent / "notebooks/07_topic.html").read_text(encoding="utf-8")
    assert '<a href="../report.html">' in inner


def test_no_network_no_absolute_path_and_the_same_bytes_again(project: Path) -> None:
    report = pages.build("quick")
    files = [report, report.parent / "notebooks/07_topic.html"]
    first = [file.read_bytes() for file in files]
    for content in first:
        text = content.decode()
        assert outside(text) == []
        assert str(project) not in text
    pages.build("quick")
    assert [file.read_bytes() for file in files] == first


def test_tables_alone_are_enough(project: Path) -> None:
    for file in (project / "results/quick/notebooks").iterdir():
        file.unlink()
    (project / "results/quick/fusion/claims.csv").unlink()
    text = pages.build("quick").read_text(encoding="utf-8")
    assert "Executed notebooks" not in text
    assert "Beside ours." in text


def test_a_notebook_without_sidecar_is_still_listed(project: Path) -> None:
    (project / "results/quick/notebooks/07_topic.json").unlink()
    assert "<dd>unknown</dd>" in pages.build("quick").read_text(encoding="utf-8")


def test_nothing_to_show_names_the_command(project: Path) -> None:
    with pytest.raises(ValueError, match="run `make reproduce PROFILE=laptop` first"):
        pages.build("laptop")
    with pytest.raises(ValueError, match="Did you mean 'laptop'"):
        pages.build("labtop")
