"""jsPsych comes from a lock by npm: nothing of it is in the repository, no host is in the lock."""

import json
import os
import subprocess

import pytest

from pasdedeux.listening import jspsych

NPM = """#!/bin/sh
echo "$@" >> "{told}"
mkdir -p node_modules/jspsych/dist && echo '"jsPsych"' > node_modules/jspsych/dist/{name}
"""


def _npm(folder, body, monkeypatch):
    folder.mkdir()
    (folder / "npm").write_text(body, encoding="utf-8")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_lock_pins_every_package_by_checksum_and_names_no_host():
    lock = json.loads(jspsych.page("package-lock.json"))
    wanted = json.loads(jspsych.page("package.json"))["dependencies"]
    packages = {name: told for name, told in lock["packages"].items() if name}
    assert lock["packages"][""]["dependencies"] == wanted
    assert packages["node_modules/jspsych"]["version"] == wanted["jspsych"]
    for name, told in packages.items():
        assert told["integrity"].startswith("sha512-"), name
        assert "resolved" not in told, name


def test_no_library_of_others_is_in_the_repository(request):
    listed = subprocess.run(
        ["git", "ls-files", "src/pasdedeux/listening"],
        cwd=request.config.rootpath, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    scripts = [name for name in listed if name.endswith(".js")]
    assert scripts == ["src/pasdedeux/listening/web/page.js"]


def test_without_it_the_command_is_named(project):
    with pytest.raises(ValueError, match="not installed; run `pasdedeux listen --setup`"):
        jspsych.script()


def test_without_npm_the_remedy_is_named(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(ValueError, match=r"npm, which is not on PATH; install Node\.js"):
        jspsych.install()


def test_it_is_installed_once(project, monkeypatch):
    told = project / "told"
    _npm(project / "bin", NPM.format(told=told, name="index.browser.min.js"), monkeypatch)
    for _ in range(2):
        assert jspsych.install() == jspsych.script()
    commands = told.read_text(encoding="utf-8").splitlines()
    assert len(commands) == 1
    assert commands[0].startswith("ci --ignore-scripts")
    assert jspsych.script().is_relative_to(project / ".cache" / "jspsych")


def test_an_installation_that_fails_leaves_nothing_to_be_taken_for_whole(project, monkeypatch):
    _npm(project / "bin", "#!/bin/sh\necho 'no network here' >&2\nexit 1\n", monkeypatch)
    with pytest.raises(ValueError, match=r"could not install jsPsych \(no network here\)"):
        jspsych.install()
    with pytest.raises(ValueError, match="not installed"):
        jspsych.script()


def test_npm_that_leaves_something_else_is_told(project, monkeypatch):
    _npm(project / "bin", NPM.format(told=project / "told", name="other.js"), monkeypatch)
    with pytest.raises(ValueError, match="npm left no node_modules/jspsych"):
        jspsych.install()
