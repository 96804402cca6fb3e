"""pyproject.toml, environment.yml, requirements.lock and the Makefile say the same."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OF_CONDA = {"python", "pip", "ffmpeg", "fluidsynth", "nodejs"}
PINNED_BY_TORCH = re.compile(r"nvidia-|cuda-|triton")


def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _ranges():
    project = _project()
    texts = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    return [Requirement(text) for text in texts]


def _conda():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["dependencies"]


def _lock():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [Requirement(line) for line in lines]


def _pinned():
    """Return the pinned version of each package that this Python and platform get."""
    here = [pin for pin in _lock() if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in here}


def test_conda_brings_what_pip_cannot_and_pip_the_rest():
    conda = _conda()
    plain = {re.split(r"[=<>]", entry)[0] for entry in conda if isinstance(entry, str)}
    assert plain == OF_CONDA
    sections = [entry for entry in conda if isinstance(entry, dict)]
    assert len(sections) == 1
    *packages, own = sections[0]["pip"]
    assert own == "--editable ."
    assert sorted(packages) == sorted(str(text) for text in _texts())


def _texts():
    project = _project()
    return [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]


def test_one_range_of_pythons_is_named_everywhere():
    allowed = SpecifierSet(_project()["requires-python"])
    named = [entry for entry in _conda() if str(entry).startswith("python=")]
    assert allowed.contains(named[0].removeprefix("python="))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    low, high = re.search(r"\((3, \d+)\) <= .* < \((3, \d+)\)", makefile).groups()
    assert allowed == SpecifierSet(f">={low.replace(', ', '.')},<{high.replace(', ', '.')}")
    head = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[1]
    assert re.search(r"Resolved on \d{4}-\d\d-\d\d for Python 3.11, 3.12 and 3.13", head)


def test_the_lock_pins_exactly_and_lies_in_the_ranges():
    pins, pinned = _lock(), _pinned()
    assert len(pins) > 100
    for pin in pins:
        assert [part.operator for part in pin.specifier] == ["=="], f"{pin} is no exact version"
        assert not PINNED_BY_TORCH.match(pin.name), f"{pin.name} is left to torch"
    for wanted in _ranges():
        version = pinned.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name} is not in requirements.lock; run `make lock`"
        assert wanted.specifier.contains(version), f"{wanted} but the lock has {version}"


def test_the_lock_holds_everything_that_the_packages_need():
    pinned, waiting, seen = _pinned(), _ranges(), set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen or PINNED_BY_TORCH.match(name):
            continue
        seen.add((name, frozenset(wanted.extras)))
        assert name in pinned, f"{name} is needed but not in requirements.lock; run `make lock`"
        for text in importlib.metadata.requires(name) or []:
            below = Requirement(text)
            extras = wanted.extras or {""}
            if below.marker is None or any(below.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(below)
    assert len(seen) > 100


def test_package_data_is_installed_with_the_package():
    folder = Path(importlib.metadata.distribution("pasdedeux").locate_file("")).resolve()
    assert folder.is_dir()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    shipped = settings["setuptools"]["package-data"]["*"]
    assert {"*.toml", "*.html", "*.js"} <= set(shipped)


# ---------------------------------------------------------------- the Makefile's set-up


def _script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _make(folder, *words):
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "a check out"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_help_names_every_command(checkout):
    done = _make(checkout)
    assert done.returncode == 0, done.stderr
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()
    for target in set(targets) - {"help", "environment"}:
        assert f"make {target}" in done.stdout


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[ "$1" = --version ] && echo "Python 3.8.1"; exit 1', "Found: Python 3.8.1"),
        ('case "$2" in *venv*) exit 1;; esac; exit 0', "its venv module is missing"),
    ],
)
def test_a_python_that_will_not_do_is_told_plainly(checkout, tmp_path, body, message):
    python = _script(tmp_path / "python of old", body)
    done = _make(checkout, "setup", f"PYTHON={python}")
    assert done.returncode != 0
    assert message in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_told_plainly(checkout):
    done = _make(checkout, "test", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "3.11, 3.12 or 3.13 is needed" in done.stderr
    assert "make test PYTHON=" in done.stderr


def test_the_environment_is_made_once_and_again_when_the_lock_changed(checkout):
    told = checkout / "told"
    _script(checkout / ".venv" / "bin" / "python", f'echo "$@" >> "{told}"')
    installed = ["-m pip install", "-m pip install"]
    for change, commands in (("", installed), ("", []), ("# changed\n", installed)):
        with (checkout / "requirements.lock").open("a", encoding="utf-8") as lock:
            lock.write(change)
        told.unlink(missing_ok=True)
        done = _make(checkout, "setup")
        assert done.returncode == 0, done.stderr
        lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
        assert [line[:14] for line in lines if "pip" in line] == commands
