"""Parameters of notebooks: read from literals, refused when unknown or of the wrong type."""

import math

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.engine.parameters import Parameter, checked, declared, from_text

CELL = """profile = "quick"
seed = 7  # a comment
rate = 0.5
verbose = False
seeds = [0, 1, 2]
limit: int | None = None
share: float | None = 0.25
"""


@pytest.fixture
def known(tmp_path):
    return declared(tiny.notebook(tmp_path / "00_a.ipynb", parameters=CELL))


def test_the_cell_is_read_with_types(known):
    assert list(known) == ["profile", "seed", "rate", "verbose", "seeds", "limit", "share"]
    assert known["seed"] == Parameter("seed", 7, "int", optional=False)
    assert known["limit"] == Parameter("limit", None, "int", optional=True)
    assert known["share"] == Parameter("share", 0.25, "float", optional=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=007", 7),
        ("seed=-3", -3),
        ("rate=2", 2.0),
        ("rate=1e-3", 0.001),
        ("verbose=true", True),
        ("verbose=False", False),
        ("profile=007", "007"),
        ("profile=a=b", "a=b"),
        ("profile=", ""),
        ("seeds=[3, 5]", [3, 5]),
        ("seeds=[]", []),
        ("limit=none", None),
        ("limit=11", 11),
        ("share=none", None),
    ],
)
def test_text_is_read_by_the_type_of_the_literal(known, text, value):
    name = text.partition("=")[0]
    found = from_text([text], known)[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed=3", "unknown parameter 'sed'. Did you mean 'seed'"),
        ("zzz=3", "This notebook has: profile, seed, rate"),
        ("seed", "given as name=value, got 'seed'"),
        ("seed=1.0", "'seed' must be int .* got '1.0'"),
        ("seed=1e3", "'seed' must be int"),
        ("seed=true", "'seed' must be int"),
        ("seed=none", "'seed' must be int"),
        ("rate=fast", "'rate' must be float"),
        ("rate=nan", "'rate' must be float"),
        ("rate=inf", "'rate' must be float"),
        ("verbose=1", "'verbose' must be bool .true or false."),
        ("verbose=yes", "'verbose' must be bool"),
        ("seeds=3", r"'seeds' must be list .for example \[0, 1, 2\]."),
        ("seeds=[0.5]", "'seeds' must be list"),
        ("seeds=[true]", "'seeds' must be list"),
        ("seeds=[0", "'seeds' must be list"),
        ("limit=0.5", "'limit' must be int .*or none"),
    ],
)
def test_what_does_not_fit_is_refused(known, text, message):
    with pytest.raises(ValueError, match=message):
        from_text([text], known)


def test_values_from_python_are_checked_the_same_way(known):
    assert checked({"rate": 3, "limit": None}, known) == {"rate": 3.0, "limit": None}
    for wrong in ({"seed": True}, {"seed": 1.5}, {"verbose": 0}, {"profile": None}):
        with pytest.raises(ValueError, match="must be"):
            checked(wrong, known)


@given(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_every_literal_survives_its_text(whole, number, flag):
    known = {
        "a": Parameter("a", 0, "int", optional=False),
        "b": Parameter("b", 0.0, "float", optional=False),
        "c": Parameter("c", True, "bool", optional=False),
    }
    values = from_text([f"a={whole}", f"b={number!r}", f"c={flag}"], known)
    assert values["a"] == whole
    assert math.isclose(values["b"], number, rel_tol=0.0, abs_tol=0.0)
    assert values["c"] is flag


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("profile = 'quick'\nsteps = 2 * 3", "line 2: 'steps = 2 .* 3' is not `name = literal`"),
        ("import os", "line 1: 'import os'"),
        ("a = b = 1", "not `name = literal`"),
        ("a, b = 1, 2", "line 1"),
        ("a.b = 1", "line 1"),
        ("limit = None", "line 1: limit is NoneType.*annotate it"),
        ("pair = (1, 2)", "line 1: pair is tuple; use one of bool, int"),
        ("either: int | str = 1", "line 1: either is int . str"),
    ],
)
def test_a_parameters_cell_holds_only_literals(tmp_path, cell, message):
    path = tiny.notebook(tmp_path / "00_a.ipynb", parameters=cell)
    with pytest.raises(ValueError, match=message):
        declared(path)


def test_there_is_exactly_one_parameters_cell(tmp_path):
    path = tiny.notebook(tmp_path / "00_a.ipynb")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"parameters"', '"elsewhere"'), encoding="utf-8")
    with pytest.raises(ValueError, match="has 0 cells tagged 'parameters'"):
        declared(path)
