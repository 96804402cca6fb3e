import json

import numpy as np
import pytest
import torch

from pasdedeux.base import device, files, paths, profiles, progress, seeding, source
from pasdedeux.base.checks import choice


def test_choice_names_the_nearest():
    with pytest.raises(ValueError, match="size must be one of .* Did you mean 'laptop'"):
        choice("size", "labtop", ("quick", "laptop"))


def test_root_is_found_above_the_working_directory(project, monkeypatch):
    below = project / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert paths.root() == project
    assert paths.results("quick") == project / "results" / "quick"


def test_data_folder_is_none_unset_and_refused_when_wrong(tmp_path, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    assert paths.data() is None
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    assert paths.data() == tmp_path
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="PASDEDEUX_DATA is .*nowhere.* not a folder"):
        paths.data()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    files.write_text(path, "good")

    def broken():
        with files.whole(path) as part:
            part.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        broken()
    assert path.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_digest_depends_on_content_and_on_where_parts_end(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("one")
    assert files.digest(tmp_path / "a") == files.digest(tmp_path / "b") == files.digest("one")
    assert files.digest("on", "e") != files.digest("one")


def test_streams_depend_on_seed_and_names_alone():
    first = torch.rand(5, generator=seeding.generator(0, "rollout", 3))
    seeding.generator(0, "other")
    assert torch.equal(first, torch.rand(5, generator=seeding.generator(0, "rollout", 3)))
    for other in (
        (1, "rollout", 3),
        (0, "rollout", 4),
        (
            0,
            "rollout3",
        ),
    ):
        assert not torch.equal(first, torch.rand(5, generator=seeding.generator(*other)))
    assert (
        seeding.numpy_generator(0, "a").random()
        == np.random.default_rng(seeding.number(0, "a")).random()
    )


def test_reproducible_puts_everything_back():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with device.reproducible(1):
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    with pytest.raises(ValueError, match="threads must be at least 1"), device.reproducible(0):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with CUDA has the device")
def test_a_missing_device_is_refused_with_the_remedy():
    assert device.pick("auto").type == "cpu"
    with pytest.raises(ValueError, match="'cuda' is not available here; use device='auto'"):
        device.pick("cuda")


def test_unknown_settings_are_refused_with_the_nearest_name():
    from pasdedeux.papers.fusion import FusionSettings

    with pytest.raises(ValueError, match="no setting 'round'. Did you mean 'rounds'"):
        profiles.settings(FusionSettings, "quick", round=3)
    with pytest.raises(ValueError, match="profile must be one of"):
        profiles.settings(FusionSettings, "tiny")


def test_progress_prints_few_lines_and_tells_the_runner(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(progress.FOLDER, str(tmp_path))
    for done in range(1, 1001):
        progress.report("a task of its own", done, 1000)
    assert len(capsys.readouterr().out.splitlines()) <= 5
    (told,) = tmp_path.glob("*.json")
    state = json.loads(told.read_text())
    assert (state["task"], state["done"], state["total"]) == ("a task of its own", 1000, 1000)


@pytest.fixture
def package(tmp_path):
    made = tmp_path / "toy"
    (made / "low").mkdir(parents=True)
    for name in ("__init__.py", "low/__init__.py"):
        (made / name).write_text("")
    (made / "low" / "stone.py").write_text("VALUE = 1\n")
    (made / "low" / "other.py").write_text("VALUE = 2\n")
    (made / "low" / "names.toml").write_text("a = 1\n")
    (made / "top.py").write_text("from toy.low.stone import VALUE\n")
    return made


def test_closure_holds_what_is_imported_and_nothing_else(package):
    names = [p.relative_to(package).as_posix() for p in source.closure("toy.top", package)]
    assert names == ["__init__.py", "low/__init__.py", "low/names.toml", "low/stone.py", "top.py"]


def test_fingerprint_changes_with_what_is_imported_only(package):
    before = source.fingerprint("toy.top", package)
    (package / "low" / "other.py").write_text("VALUE = 3\n")
    assert source.fingerprint("toy.top", package) == before
    elsewhere = source.fingerprint("toy.top", package, without=("low",))
    (package / "low" / "stone.py").write_text("VALUE = 3\n")
    assert source.fingerprint("toy.top", package) != before
    assert source.fingerprint("toy.top", package, without=("low",)) == elsewhere != before


def test_closure_reads_notebooks_with_magics(package, tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["import toy.low.other"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import toy.top"]},
    ]
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    names = [p.name for p in source.closure(path, package)]
    assert "stone.py" in names
    assert "other.py" not in names


def test_an_unknown_module_is_refused(package):
    with pytest.raises(ValueError, match="no module 'toy.nothing'"):
        source.closure("toy.nothing", package)
