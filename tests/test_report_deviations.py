"""Deviations and equations: every name resolves, every switch can be set, nothing is left out."""

import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest
from jaxtyping import TypeCheckError

from pasdedeux.base import paths
from pasdedeux.engine.notebooks import NOTEBOOKS
from pasdedeux.report import coverage, deviations
from pasdedeux.report.cards import card, named
from pasdedeux.report.places import link, located
from pasdedeux.report.reference import known_papers

EVERY = deviations.deviations()
EQUATIONS = coverage.equations()
NUMBERED = {  # as the papers count; what has no number is named
    "dual": [*range(1, 11), "Algorithm 1", "Update rule"],
    "mdot": [*range(1, 10), "Algorithm OT", "Algorithm GW", "Pipeline"],
    "fusion": [*range(1, 15), "Diff", "Ratio", "FL", "Algorithm 1"],
    "cdcd": [*range(1, 11), "Algorithm 1"],
}


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.anchor)
def test_every_deviation_has_evidence_that_is_there(one):
    assert one.kind in deviations.KINDS
    assert one.says.endswith((".", "?"))
    assert one.decision.endswith(".")
    assert one.evidence
    for name in one.evidence:
        place = located(name)
        assert name.startswith(("tests/", "notebooks/"))
        assert place.file.is_file()
    assert (one.notebook in {notebook.name for notebook in NOTEBOOKS}) is True


SWITCHED = [one for one in EVERY if one.setting]


@pytest.mark.parametrize("one", SWITCHED, ids=lambda one: one.anchor)
def test_every_setting_is_there_and_takes_the_other_value(one):
    assert located(one.setting).line > 0
    module, _, name = one.setting.partition(":")
    found = importlib.import_module(f"pasdedeux.{module}")
    outer, _, field = name.partition(".")
    if not field:
        function, _, argument = name.rstrip(")").partition("(")
        known = getattr(found, function)
        assert not argument or argument in inspect.signature(known).parameters
        return
    held = getattr(found, outer)
    fields = {f.name: f for f in dataclasses.fields(held)}
    assert field in fields
    if one.letter is not None:
        more = {"codes": 11} if outer == "Schedule" else {}
        made = held(**{field: one.letter}, **one.beside, **more)
        assert getattr(made, field) == one.letter


def test_a_setting_refuses_what_it_does_not_know():
    """Else the test above could not fail for a setting that is a word."""
    from pasdedeux.papers.dual_settings import DualSettings

    with pytest.raises((ValueError, TypeCheckError), match="beats"):
        DualSettings(beats="l2")


def test_every_paper_has_deviations_and_none_comes_twice():
    assert {one.paper for one in EVERY} == set(known_papers())
    anchors = [one.anchor for one in EVERY]
    assert len(set(anchors)) == len(anchors)
    header, lines = deviations.summary()
    assert int(lines[-1][-1]) == len(EVERY)
    assert len(header) == len(lines[0])


@pytest.mark.parametrize("paper", known_papers())
def test_no_equation_is_left_out(paper):
    numbers = [f"Eq. {one}" if isinstance(one, int) else one for one in NUMBERED[paper]]
    names = [one.name for one in coverage.equations(paper)]
    assert sorted(names) == sorted(numbers)


@pytest.mark.parametrize("one", EQUATIONS, ids=lambda one: f"{one.paper} {one.name}")
def test_every_equation_is_computed_or_checked_by_names_that_are_there(one):
    assert one.covered
    assert one.functions or one.note, "say why no function computes it"
    for name in one.functions:
        assert located(name).line > 0
    for name in one.tests:
        place = located(name)
        assert place.file.parent.name == "tests"
        assert place.line > 0


def test_every_test_that_is_named_after_an_equation_is_listed():
    """A new test of an equation belongs on the page as well."""
    listed = {name.partition("::")[2] for one in EQUATIONS for name in one.tests}
    numbers = set()
    for name in listed:
        found = re.match(r"test_(dual|mdot|fusion|cdcd)_(eq\d+|algorithm\w?\d?)", name)
        numbers |= {found.groups()} if found else set()
    for file in sorted((paths.root() / "tests").glob("test_equations*.py")):
        for paper, number in re.findall(
            r"^def test_(dual|mdot|fusion|cdcd)_(eq\d+)_", file.read_text(encoding="utf-8"), re.M
        ):
            assert (paper, number) in numbers, f"{paper} {number} of {file.name} is not listed"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ot.gromov:algorithm_2", "Did you mean 'algorithm_1'"),
        ("ot.gromof:algorithm_1", "no module 'ot.gromof'"),
        ("papers.dual_settings:DualSettings.beat", "Did you mean 'beats'"),
        ("ot.gromov:algorithm_1(epsilom)", "Did you mean 'epsilon'"),
        ("tests/test_ot_gromov.py::test_nothing", "defines no 'test_nothing'"),
        ("tests/test_nowhere.py::test_nothing", "there is no file"),
        ("notebooks/04_gromov_wasserstein.ipynb#04-99-x", "has no cell"),
        ("something", "no name of a function, a test or a cell"),
    ],
)
def test_a_name_that_is_gone_is_refused(name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        located(name)


def test_places_are_found_by_line():
    place = located("papers.fusion:FusionSettings.delay")
    assert place.file.name == "config.py", "inherited from the settings of all melody systems"
    text = place.file.read_text(encoding="utf-8").splitlines()
    assert text[place.line - 1].strip().startswith("delay:")
    assert located("papers.dual:Dual.losses").line > located("papers.dual:Dual").line


def test_a_link_leads_from_the_page_to_the_file():
    root = paths.root()
    page = root / "results/quick"
    found = link("ot.gromov:algorithm_1", page)
    assert (page / found).resolve() == (root / "src/pasdedeux/ot/gromov.py").resolve()
    assert link("ot.gromov:algorithm_1", Path("/")) == ""
    assert link("ot.nothing:algorithm_1", page) == ""
    assert "href" in named("ot.gromov:algorithm_1", page)
    assert named("nothing", page) == "<code>nothing</code>"


def test_what_a_notebook_shows_and_what_the_page_shows():
    shown = deviations.of_notebook("12_mdot_net")
    assert {one.notebook for one in shown.held} == {"12_mdot_net"}
    assert "Overall" not in repr(shown)
    for form in (shown._repr_html_(), shown._repr_markdown_()):
        assert shown.held[0].decision[:20] in form
    with pytest.raises(ValueError, match="name must be one of"):
        deviations.of_notebook("99_nothing")
    assert len(deviations.markdown().splitlines()) > len(EVERY)
    assert len(coverage.markdown().splitlines()) > len(EQUATIONS)
    cards = deviations.cards(shown.held, paths.root() / "results/quick")
    assert cards.count("<details") == len(shown.held)
    assert coverage.cards("mdot", paths.root() / "results/quick").count("<details") == 12


def test_a_card_escapes_its_words():
    shown = card("a", "1 < 2", "wrong", [("b & c", "<b>x</b>"), ("none", "")], under="3 > 2")
    assert "1 &lt; 2" in shown
    assert "3 &gt; 2" in shown
    assert "<b>x</b>" in shown
    assert "none" not in shown
