import hashlib
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pasdedeux.data import sources

ZIP = "22069c1dc49d8e45a9393592ed3ea7feb394d12ca9ee72342758ea2f3f3779b7"


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - shared on purpose

    def log_message(self, *_):
        self.asked.append(self.path)


@pytest.fixture
def mirror(tmp_path):
    """Serve `tmp_path/mirror` on this machine; return its folder, address and what was asked."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    Quiet.asked = []
    yield folder, f"http://127.0.0.1:{server.server_address[1]}", Quiet.asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def published(monkeypatch, mirror, project):
    """Publish a corpus of two files on the mirror, under the name wjazzd."""
    folder, address, asked = mirror
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    files = {}
    for label, path, content in (("a.zip", "deep/a.zip", b"A"), ("b.csv", "b.csv", b"B" * 37)):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        files[label] = sources.File(path, hashlib.sha256(content).hexdigest())
    entry = sources.Source("wjazzd", "Title", "2 files", "L", "C", address, files)
    monkeypatch.setattr(sources, "_sources", lambda: {"wjazzd": entry})
    return folder, asked


def test_the_list_names_licence_citation_and_checksum():
    told = sources.source("wjazzd")
    assert told.files["score_csv.zip"].sha256 == ZIP
    assert set(told.files) == {"score_csv.zip", "df_solos.csv"}
    for name in sources.names():
        shown = sources.about(name)
        assert sources.source(name).licence.strip() in shown
        assert sources.source(name).citation.strip() in shown
        assert 0 < len(sources.source(name).terms) < 80
    assert "unclear" in sources.about("essen")


def test_an_unknown_corpus_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="corpus must be one of .*got 'wjazd'.*mean 'wjazzd'"):
        sources.about("wjazd")


def test_a_corpus_is_downloaded_once_and_checked(published, project):
    folder, asked = published
    assert sources.found("wjazzd") is None
    place = sources.fetch("wjazzd")
    assert place == project / ".cache" / "downloads" / "wjazzd"
    assert sorted(file.name for file in place.iterdir()) == ["a.zip", "b.csv"]
    assert (place / "a.zip").read_bytes() == b"A"
    assert sources.found("wjazzd") == place
    (place / "b.csv").rename(place / "c.csv")
    assert sources.found("wjazzd") is None  # a download that was broken off does not count
    (place / "c.csv").rename(place / "b.csv")
    first = len(asked)
    sources.fetch("wjazzd")
    assert len(asked) == first == 2


def test_a_damaged_copy_is_fetched_anew(published):
    place = sources.fetch("wjazzd")
    (place / "b.csv").write_bytes(b"cut")
    sources.fetch("wjazzd")
    assert (place / "b.csv").read_bytes() == b"B" * 37


def test_a_file_that_differs_from_the_published_one_is_refused_and_not_kept(published):
    folder, _ = published
    (folder / "b.csv").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"b.csv could not be fetched: .*hash.*Check the network"):
        sources.fetch("wjazzd")
    kept = sorted(file.name for file in sources.download_folder("wjazzd").iterdir())
    assert kept == ["a.zip"]


def test_a_missing_file_or_server_tells_what_to_do_by_hand(published):
    with pytest.raises(ValueError, match=r"put a.zip into a folder wjazzd below \$PASDEDEUX_DATA"):
        sources.fetch("wjazzd", base_url="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["essen", "synthetic"])
def test_what_is_built_in_is_not_downloaded(name, project):
    with pytest.raises(ValueError, match=f"{name} is not downloaded: .* it is there already"):
        sources.fetch(name)
    assert sources.found(name) is None
    assert sources.remedy(name) == ""


@pytest.mark.parametrize(
    ("name", "site"), [("aistpp", "aistdancedb.ongaaccel.jp"), ("smpl", "smpl.is.tue.mpg.de")]
)
def test_what_has_terms_to_accept_is_never_fetched(name, site, project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    with pytest.raises(ValueError, match=f"{name} is not fetched by this project: .*{site}"):
        sources.fetch(name)
    assert sources.found(name) is None
    assert not list(project.rglob("*.lock"))


def test_the_users_folder_may_have_any_of_the_listed_names(project, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "own"))
    (project / "own").mkdir()
    assert sources.source("tang").folders == ("tang2018", "tang")
    assert sources.found("tang") is None
    for name in ("tang", "tang2018"):  # the first listed wins when both are there
        (project / "own" / name / "DANCE_W_1").mkdir(parents=True)
        assert sources.found("tang") == project / "own" / name
    assert sources.state("tang") == "found in $PASDEDEUX_DATA/tang2018"
    assert sources.found("tang_first_release") is None


def test_a_corpus_in_a_repository_is_checked_out_once(project, monkeypatch, tmp_path):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    asked = []

    def checkout(url, commit, folder, otherwise):
        asked.append((url, commit, otherwise))
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(sources.repository, "checkout", checkout)
    assert sources.found("tang") is None
    place = sources.fetch("tang")
    assert place == sources.found("tang") == project / ".cache" / "downloads" / "tang"
    assert sources.state("tang") == "downloaded"
    ((url, commit, otherwise),) = asked
    assert url == "https://github.com/mhy12345/Music-to-Dance-Motion-Synthesis"
    assert len(commit) == 40
    assert commit.startswith("82ae014")
    assert otherwise.endswith("put them into $PASDEDEUX_DATA/tang2018")


def test_the_users_own_files_come_before_the_download(published, project, monkeypatch):
    sources.fetch("wjazzd")
    own = project / "own" / "wjazzd"
    own.mkdir(parents=True)
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "own"))
    assert sources.found("wjazzd") == sources.download_folder("wjazzd")  # their folder is empty
    (own / "score_csv.zip").touch()
    assert sources.found("wjazzd") == own


def test_the_overview_tells_where_each_corpus_is(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    shown = sources.overview()
    assert "essen: built in" in shown
    assert "wjazzd: not here; `pasdedeux data get wjazzd`" in shown
    assert "aistpp: not here; unpack fullset.zip of " in shown
    assert "synthetic: built in" in shown
    own = project / "own" / "wjazzd"
    own.mkdir(parents=True)
    (own / "score_csv.zip").touch()
    monkeypatch.setenv("PASDEDEUX_DATA", str(project / "own"))
    assert "wjazzd: found in $PASDEDEUX_DATA/wjazzd" in sources.overview()


def test_telling_about_a_corpus_imports_nothing_heavy():
    code = (
        "import sys; from pasdedeux.data import sources; sources.about('essen'); "
        "print([name for name in ('pooch', 'torch', 'numpy', 'music21') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
