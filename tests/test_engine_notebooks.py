"""The list of notebooks: order, names, and the file that a short name means."""

import pytest
import tiny

from pasdedeux.engine.notebooks import NOTEBOOKS, Notebook, file, ordered


def test_the_list_and_the_folder_hold_the_same_notebooks():
    listed = {notebook.path for notebook in NOTEBOOKS}
    present = set((tiny.LIBRARY / "notebooks").glob("*.ipynb"))
    assert listed == present, "each notebook has one entry in engine/notebooks.py"


def test_each_notebook_comes_after_what_it_needs():
    a = Notebook("30_a", needs=("20_b", "10_c"))
    b = Notebook("20_b", needs=("10_c",))
    c = Notebook("10_c")
    assert ordered([a, b, c]) == (c, b, a)
    assert ordered([c, b, a]) == (c, b, a)
    assert ordered() == NOTEBOOKS, "keep the list in an order that can be run"


@pytest.mark.parametrize(
    ("notebooks", "message"),
    [
        ([Notebook("10_a", needs=("20_b",)), Notebook("20_b", needs=("10_a",))], "circle: 10_a"),
        ([Notebook("10_alpha"), Notebook("20_b", needs=("10_alfa",))], "Did you mean '10_alpha'"),
        ([Notebook("10_a"), Notebook("10_a")], "same name"),
    ],
)
def test_a_list_that_cannot_be_run_is_refused(notebooks, message):
    with pytest.raises(ValueError, match=message):
        ordered(notebooks)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "fusion"}, "NN_topic in lower case, got 'fusion'"),
        ({"name": "20_fusion", "minutes": {"latop": 1.0}}, "Did you mean 'laptop'"),
        ({"name": "20_fusion", "outputs": ("/tmp/table.csv",)}, "relative to results"),
        ({"name": "20_fusion", "outputs": ("../table.csv",)}, "relative to results"),
    ],
)
def test_an_entry_the_graph_could_not_use_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Notebook(**fields)


def test_a_notebook_is_found_by_number_name_or_path(tmp_path, monkeypatch):
    root = tiny.root(tmp_path / "a project")
    path = tiny.notebook(root / "notebooks" / "20_first.ipynb")
    tiny.notebook(root / "notebooks" / "21_second.ipynb")
    elsewhere = tiny.notebook(tmp_path / "own.ipynb")
    for folder in (root, root / "notebooks"):
        monkeypatch.chdir(folder)
        for asked in ("20", "20_first", "20_first.ipynb", "notebooks/20_first.ipynb", str(path)):
            assert file(asked) == path
    assert file(elsewhere) == elsewhere
    with pytest.raises(ValueError, match="no notebook '20_frist'. Did you mean '20_first'"):
        file("20_frist")
    with pytest.raises(ValueError, match="Present: 20_first, 21_second"):
        file("99")
