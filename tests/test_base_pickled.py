"""Pickles that others wrote: arrays come back as they were, nothing in a file is ever run."""

import builtins
import pickle
import sys
import types

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from pasdedeux.base import pickled

ARRAYS = {
    "doubles": np.arange(30.0).reshape(2, 3, 5) ** 0.5,
    "columns first": np.asfortranarray(np.arange(14.0).reshape(2, 7)),
    "single": np.float32([[1.5, -2.0, 3.25]]),
    "big end": np.arange(5, dtype=">i4"),
    "unsigned": np.array([[2**32 - 1, 0, 0]], dtype=np.uint32),
    "truth": np.array([True, False, True]),
    "one": np.array(7.0),
    "none": np.zeros((0, 3)),
}


def written(tmp_path, thing, protocol=4):
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps(thing, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_back_in_every_protocol(tmp_path, protocol):
    content = {
        **ARRAYS,
        "scalar": np.float64(2.5),
        "nested": [(1, "a", None), {"x": ARRAYS["one"]}],
    }
    found = pickled.load(written(tmp_path, content, protocol))
    assert set(found) == set(content)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape
        assert found[name].flags.writeable
    assert found["scalar"] == 2.5
    assert found["nested"][0] == (1, "a", None)
    assert found["nested"][1]["x"] == 7.0


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Raw bytes of the array as Python 2 wrote them: a string, not bytes."""
    values = np.array([1.0, -2.5, 1e-300])
    raw = values.astype("<f8").tobytes()
    text = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I3\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS"
        + repr(raw)[1:].encode()
        + b"\ntb."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(text)
    assert np.array_equal(pickled.load(path), values)


@pytest.mark.parametrize("protocol", range(6))
def test_sparse_columns_come_back_dense(tmp_path, protocol):
    dense = np.zeros((5, 7))
    dense[[0, 3, 4], [1, 1, 6]] = [2.0, -1.0, 0.5]
    found = pickled.load(written(tmp_path, {"J": csc_matrix(dense)}, protocol))
    assert np.array_equal(found["J"], dense)


@pytest.fixture
def chumpy(monkeypatch):
    """Classes of the same names and states as chumpy's, enough to write a file as it does."""
    modules = {
        name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name, home in (("Ch", "chumpy.ch"), ("Select", "chumpy.reordering")):
        made = type(name, (), {"__module__": home})
        setattr(modules[home], name, made)
    return modules


@pytest.mark.parametrize("protocol", range(5))
def test_wrapped_arrays_of_old_models_come_back(tmp_path, chumpy, protocol):
    inner, outer = chumpy["chumpy.ch"].Ch(), chumpy["chumpy.reordering"].Select()
    inner.x = np.arange(12.0).reshape(3, 4)
    outer.a, outer.idxs, outer.preferred_shape = inner, np.array([1, 5, 0, 2]), (2, 2)
    found = pickled.load(written(tmp_path, {"Ch": inner, "Select": outer}, protocol))
    assert np.array_equal(found["Ch"], inner.x)
    assert found["Select"].tolist() == [[1.0, 5.0], [0.0, 2.0]]


class Hostile:
    """What an attacker writes: unpickling it calls `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path, protocol):
    trace = tmp_path / "ran"
    attack = Hostile(exec, f"open({str(trace)!r}, 'w').close()")
    path = written(tmp_path, {"v_template": ARRAYS["doubles"], "extra": attack}, protocol)
    with pytest.raises(ValueError, match=r"file.pkl is not .* asks for .*\.exec, .*numpy.savez"):
        pickled.load(path)
    assert not trace.exists()
    with path.open("rb") as file:
        pickle.load(file)
    assert trace.exists(), "the attack was harmless; the test shows nothing"


@pytest.mark.parametrize(
    "thing",
    [
        Hostile(builtins.eval, "1"),
        Hostile(np.load, "x.npy"),
        Hostile(getattr, "a", "format"),
        Hostile(pickle.loads, b"N."),
        Hostile(np.dtype, "O"),
        np.array([{}], dtype=object),
        np.array(["text"]),
        np.zeros(2, dtype=[("x", "f8")]),
        {1, 2},
        np.float64,
        np.dtype("f8"),
        types.SimpleNamespace(x=1),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_anything_but_numbers_is_refused(tmp_path, thing):
    with pytest.raises(ValueError, match="is not a pickle of plain arrays"):
        pickled.load(written(tmp_path, {"a": thing}))


def test_entries_of_one_place_add_up(tmp_path):
    doubled = csc_matrix((np.array([1.0, 2.0, 5.0]), np.array([1, 1, 0]), np.array([0, 2, 3])))
    found = pickled.load(written(tmp_path, doubled))
    assert found.tolist() == [[0.0, 5.0], [3.0, 0.0]]


def test_a_known_name_of_another_module_is_refused(tmp_path):
    path = tmp_path / "other.pkl"
    for module in (b"os", b"numpy.evil", b"numpyx", b"notnumpy"):
        path.write_bytes(b"c" + module + b"\ndtype\n(S'f8'\ntR.")
        with pytest.raises(
            ValueError, match=f"asks for {module.decode()}.dtype, which is no array"
        ):
            pickled.load(path)


def test_indices_outside_a_sparse_matrix_are_refused(tmp_path):
    bad = csc_matrix(np.eye(3))
    bad.indices[0] = 10**6
    with pytest.raises(ValueError, match="out of bounds"):
        pickled.load(written(tmp_path, bad))


def test_what_is_no_pickle_is_refused(tmp_path):
    whole = pickle.dumps(ARRAYS)
    for content in (b"", b"\x00hello", whole[: len(whole) // 2]):
        path = tmp_path / "cut.pkl"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cut.pkl is not a pickle of plain arrays"):
            pickled.load(path)
    with pytest.raises(ValueError, match="nowhere.pkl: no such file"):
        pickled.load(tmp_path / "nowhere.pkl")


def test_few_bytes_cannot_stand_for_millions_of_values(tmp_path):
    """Each of 40 tuples holds the one before it twice: a million million in all."""
    doubled = b"".join(
        b"0(h" + bytes([i]) + b"h" + bytes([i]) + b"tq" + bytes([i + 1]) for i in range(40)
    )
    path = tmp_path / "doubled.pkl"
    path.write_bytes(b"\x80\x02]q\x00" + doubled + b".")
    with pytest.raises(ValueError, match="doubled.pkl is not .* repeat themselves"):
        pickled.load(path)
    single = [np.float64(value) for value in range(2000)]
    assert pickled.load(written(tmp_path, {"single": single, "again": single}))["again"] == single


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x8d", b"\x95"])
def test_a_length_that_nobody_can_have_is_the_files_fault(tmp_path, opcode):
    path = tmp_path / "long.pkl"
    path.write_bytes(b"\x80\x04" + opcode + (2**46).to_bytes(8, "little"))
    with pytest.raises(ValueError, match="long.pkl asks for more memory than there is"):
        pickled.load(path)


def test_one_file_cannot_spoil_the_next(tmp_path):
    """A file may set attributes on the record that stands for a name; the record is its own."""
    poison = b"cnumpy\nndarray\n(N(dS'__setstate__'\ncnumpy\ndtype\nstb."
    path = tmp_path / "poison.pkl"
    path.write_bytes(poison)
    with pytest.raises(ValueError, match="plain arrays"):
        pickled.load(path)
    assert np.array_equal(pickled.load(written(tmp_path, ARRAYS))["doubles"], ARRAYS["doubles"])
