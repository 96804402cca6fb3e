"""The command line: instant help, one line for wrong input, and what each command prints."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest
import tiny

from pasdedeux import cli
from pasdedeux.base.files import write_json, write_text
from pasdedeux.data import sources
from pasdedeux.engine import cost

HEAVY = ("torch", "numpy", "papermill", "nbformat", "matplotlib", "music21", "pandas")


def test_help_is_instant_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom pasdedeux import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 3
    assert done.stdout.splitlines()[-1] == "[]"
    for name in ("run", "data", "report", "table", "cost", "doctor"):
        assert name in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "20_frist"], "no notebook '20_frist'. Did you mean '20_first'"),
        (["run", "20", "-p", "sed=3"], "unknown parameter 'sed'. Did you mean 'seed'"),
        (["run", "20", "-p", "seed"], "given as name=value, got 'seed'"),
        (["run", "20", "-p", "seed=x"], "'seed' must be int"),
    ],
)
def test_wrong_input_is_one_line_and_code_two(project, capsys, words, message):
    tiny.notebook(project / "notebooks" / "20_first.ipynb")
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.startswith("pasdedeux run: ")
    assert len(told.err.splitlines()) == 1
    assert not (project / "results").exists()


def test_an_unknown_profile_or_command_is_refused(capsys):
    for words in (["run", "20", "--profile", "latop"], ["rum"], []):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 2
    assert "invalid choice: 'latop'" in capsys.readouterr().err


def test_table_tells_where_the_tables_are_and_prints_one(project, capsys):
    assert cli.main(["table"]) == 0
    assert "no tables at profile quick yet" in capsys.readouterr().out
    folder = project / "results" / "quick" / "fusion"
    for end in ("csv", "md", "tex"):
        write_text(folder / f"table_1.{end}", f"content of {end}\n")
    assert cli.main(["table"]) == 0
    told = capsys.readouterr().out
    assert "results/quick/fusion/table_1.md" in told
    assert "content of md" not in told
    assert cli.main(["table", "fusion/table_1"]) == 0
    assert capsys.readouterr().out == "content of md\n"
    assert cli.main(["table", "fusion/tabel_1"]) == 2
    assert "Did you mean 'fusion/table_1'" in capsys.readouterr().err


def test_cost_believes_sidecars_before_estimates_and_invents_nothing(project, capsys, monkeypatch):
    unknown = {"20_fusiongan": {"quick": 1.0}, "21_fusiongan_tables": {"quick": 1.0}}
    some = [n for n in cost.NOTEBOOKS if n.name[:2] in ("00", "01", "20", "21")]
    listed = [replace(n, minutes=unknown.get(n.name, n.minutes)) for n in some]
    monkeypatch.setattr(cost, "NOTEBOOKS", tuple(listed))
    assert cli.main(["cost"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["quick", "laptop", "gpu", "paper"]
    assert not any("measured" in line for line in lines)
    assert "not known: 20_fusiongan" in lines[3]
    sidecar = project / "results" / "paper" / "notebooks" / "20_fusiongan.json"
    device = [{"device": "cuda", "name": "A Card"}, {"device": "cpu", "name": "cpu"}]
    told = {"wall_seconds": 36000.0, "platform": "Linux x86_64", "device": device}
    write_json(sidecar, told)
    assert cli.main(["cost"]) == 0
    paper = capsys.readouterr().out.splitlines()[3]
    assert paper.startswith("paper: more than 10.0 h (measured on Linux x86_64 with A Card; ")
    assert "20_fusiongan," not in paper


def test_doctor_tells_what_a_bug_report_needs(project, capsys):
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    names = {line.split("  ")[0] for line in told.splitlines()}
    assert {"pasdedeux", "python", "torch", "PASDEDEUX_DATA", "fluidsynth"} <= names


def test_data_names_every_corpus_with_its_licence(project, monkeypatch, capsys):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    assert cli.main(["data"]) == 0
    told = capsys.readouterr().out
    for words in ("Essen", "Weimar Jazz Database", "licence:", "cite:", "data get wjazzd"):
        assert words in told
    for action in ("get", "fetch"):
        assert cli.main(["data", action, "wjazz"]) == 2
        assert "wjazzd" in capsys.readouterr().err


def test_data_get_says_what_it_does_and_where_it_went(project, monkeypatch, capsys):
    monkeypatch.setattr(sources, "fetch", lambda name: project / ".cache" / "downloads" / name)
    for action in ("get", "fetch"):
        assert cli.main(["data", action, "tang"]) == 0
        first, second = capsys.readouterr().out.splitlines()
        assert first.startswith("getting tang: about 50 dances")
        assert second == "tang lies in .cache/downloads/tang"


def test_data_get_sends_on_who_asks_for_data_with_terms_of_their_own(project, capsys):
    assert cli.main(["data", "get", "aistpp"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("pasdedeux data: aistpp is not fetched by this project: unpack ")
    assert len(told.err.splitlines()) == 1


def test_data_status_fits_a_terminal(project, monkeypatch, capsys):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    assert cli.main(["data", "status"]) == 0
    told = capsys.readouterr().out
    assert max(len(line) for line in told.splitlines()) <= 80
    assert [name for name in sources.names() if f"\n{name} " not in f"\n{told}"] == []
