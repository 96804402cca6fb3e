import nbformat

from pasdedeux.engine.publish import NOTICE, publish, without_excerpts


def notebook():
    sound = nbformat.v4.new_output("display_data", {"text/html": "<audio src='data:real song'>"})
    table = nbformat.v4.new_output("stream", text="a table\n")
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                "listen(song)", outputs=[sound], metadata={"tags": ["corpus"]}
            ),
            nbformat.v4.new_code_cell("table", outputs=[table]),
            nbformat.v4.new_code_cell("never ran", metadata={"tags": ["corpus"]}),
        ]
    )


def test_only_the_outputs_of_corpus_cells_are_replaced():
    before = notebook()
    kept = without_excerpts(before)
    assert kept.cells[0].outputs[0].text == f"{NOTICE}\n"
    assert kept.cells[0].source == "listen(song)"
    assert kept.cells[1:] == before.cells[1:]
    assert "real song" in str(before), "the argument was changed"
    assert "real song" not in str(kept)


def test_publishing_twice_changes_nothing_more(project):
    path = project / "results" / "laptop" / "notebooks" / "21_x.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook(), path)
    assert publish("laptop") == [path]
    written = path.read_bytes()
    assert publish("laptop") == []
    assert path.read_bytes() == written
    assert b"real song" not in written
