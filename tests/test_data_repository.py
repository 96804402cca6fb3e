"""One commit of a repository on this disk comes whole, as committed, or not at all."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from pasdedeux.data import repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ELSE = "or bring it yourself"
NOWHERE = "0" * 39 + "1"


def git(place, *words):
    settings = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *settings, "-C", place, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path):
    """Return the address of a repository and its two commits; a link in it points outside."""
    place = tmp_path / "origin"
    (place / "DANCE_W_1").mkdir(parents=True)
    git(place, "init", "--quiet")
    commits = []
    for rate in (6, 25):
        (place / "DANCE_W_1" / "config.json").write_text(f"{rate}\r\n", encoding="utf-8")
        if rate == 6:
            (place / "link").symlink_to(tmp_path / "secret")
        git(place, "add", ".")
        git(place, "commit", "--quiet", "-m", f"Use {rate} frames a second")
        commits.append(git(place, "rev-parse", "HEAD"))
    return f"file://{place}", *commits


def test_a_commit_comes_as_committed_without_its_past(origin, tmp_path):
    url, old, new = origin
    for commit, content in ((old, b"6\r\n"), (new, b"25\r\n")):
        folder = tmp_path / "downloads" / commit
        assert repository.checkout(url, commit, folder, ELSE) == folder
        assert sorted(path.name for path in folder.iterdir()) == ["DANCE_W_1", "link"]
        assert (folder / "DANCE_W_1" / "config.json").read_bytes() == content
        assert not (folder / "link").is_symlink()


def test_what_is_there_is_left_and_nobody_is_asked(origin, tmp_path):
    url, _, new = origin
    folder = repository.checkout(url, new, tmp_path / "downloads" / "tang", ELSE)
    shutil.rmtree(tmp_path / "origin")
    (folder / "link").unlink()
    repository.checkout(url, new, folder, ELSE)
    assert [path.name for path in folder.iterdir()] == ["DANCE_W_1"]


def test_settings_of_another_repository_do_not_lead_astray(origin, tmp_path, monkeypatch):
    url, _, new = origin
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    folder = repository.checkout(url, new, tmp_path / "downloads" / "tang", ELSE)
    assert (folder / "DANCE_W_1" / "config.json").is_file()
    assert not (tmp_path / "other").exists()


def _nothing_is_left(folder):
    return not [path for path in folder.parent.iterdir() if path.suffix != ".lock"]


def test_another_commit_or_no_server_is_told_with_the_remedy(origin, tmp_path):
    url, _, new = origin
    folder = tmp_path / "downloads" / "tang"
    for address, commit in (
        (url, NOWHERE),
        (f"file://{tmp_path}/nothing", new),
        ("http://127.0.0.1:9/tang", new),
    ):
        with pytest.raises(ValueError, match="could not be fetched: .*network.*bring it yourself"):
            repository.checkout(address, commit, folder, ELSE)
        assert _nothing_is_left(folder)


def test_a_break_leaves_nothing_and_the_next_try_succeeds(origin, tmp_path, monkeypatch):
    url, _, new = origin
    folder = tmp_path / "downloads" / "tang"
    receive = repository._receive

    def broken(git, url, commit, files):
        receive(git, url, commit, files)
        raise KeyboardInterrupt

    monkeypatch.setattr(repository, "_receive", broken)
    with pytest.raises(KeyboardInterrupt):
        repository.checkout(url, new, folder, ELSE)
    assert _nothing_is_left(folder)
    monkeypatch.setattr(repository, "_receive", receive)
    assert repository.checkout(url, new, folder, ELSE).is_dir()


def test_two_at_once_get_the_same_folder(origin, tmp_path):
    url, _, new = origin
    folder = tmp_path / "downloads" / "tang"
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(repository.checkout, url, new, folder, ELSE) for _ in range(2)]
        assert {call.result() for call in calls} == {folder}
    assert (folder / "DANCE_W_1" / "config.json").is_file()


def test_an_empty_commit_is_refused(origin, tmp_path):
    place = tmp_path / "origin"
    git(place, "rm", "-r", "--quiet", ".")
    git(place, "commit", "--quiet", "-m", "Remove all")
    folder = tmp_path / "downloads" / "tang"
    with pytest.raises(ValueError, match="holds no file at"):
        repository.checkout(f"file://{place}", git(place, "rev-parse", "HEAD"), folder, ELSE)
    assert _nothing_is_left(folder)


def test_without_git_the_other_way_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="git is not installed, .*Install it, or bring it"):
        repository.checkout("file:///x", NOWHERE, tmp_path / "downloads" / "tang", ELSE)
