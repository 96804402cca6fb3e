"""The status tells of each corpus where, how much, on which terms, and what to do for the rest."""

import aist
import numpy as np
import pytest

from pasdedeux.base import stored
from pasdedeux.data import sources
from pasdedeux.data.status import status


def paragraphs(text):
    """Return each paragraph, on one line, under its name."""
    found = {}
    for paragraph in text.split("\n\n"):
        name, *words = paragraph.split()
        found[name] = " ".join(words)
    return found


@pytest.fixture
def bare(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    return project


def test_without_data_it_says_what_is_built_in_and_what_to_do_for_the_rest(bare):
    told = paragraphs(status())
    assert set(told) == {*sources.names(), "prepared", "PASDEDEUX_DATA"}
    assert "built in: 31 files of songs, 2.6 MB terms: legal status unclear" in told["essen"]
    assert "built in: as many as asked for" in told["synthetic"]
    assert "not here: about 50 dances" in told["tang"]
    assert "to do: `pasdedeux data get tang` terms: no licence" in told["tang"]
    assert "to do: unpack fullset.zip of google.github.io/aistplusplus_dataset" in told["aistpp"]
    assert "register at smpl.is.tue.mpg.de" in told["smpl"]
    assert told["prepared"].startswith("nothing yet")
    assert told["PASDEDEUX_DATA"].startswith("not set")
    assert not (bare / ".cache").exists()


def test_it_counts_what_lies_in_the_users_folders(bare, monkeypatch):
    own = bare / "own"
    aist.folder(own / "aistpp" / "aist_plusplus_final")
    for name in ("DANCE_W_1", "DANCE_C_2", "DANCE_R_3"):
        (own / "tang" / name).mkdir(parents=True)
        (own / "tang" / name / "skeletons.json").write_bytes(b"0" * 400_000)
    monkeypatch.setenv("PASDEDEUX_DATA", str(own))
    text = status()
    told = paragraphs(text)
    assert "found in $PASDEDEUX_DATA/tang: 3 dances, 1.2 MB terms:" in told["tang"]
    assert "found in $PASDEDEUX_DATA/aistpp: 5 sequences, 0." in told["aistpp"]
    assert "to do" not in told["tang"] + told["aistpp"]
    assert "PASDEDEUX_DATA" not in told
    assert str(bare) not in text
    assert max(map(len, text.splitlines())) <= 80


def test_it_counts_what_was_prepared_and_downloaded(bare):
    for key in ("a", "b"):
        stored.arrays("fits", key, lambda: {"x": np.zeros(100_000)})
    folder = sources.download_folder("wjazzd")
    folder.mkdir(parents=True)
    for name in sources.source("wjazzd").files:
        (folder / name).write_bytes(b"0" * 100_000)
    told = paragraphs(status())
    assert told["prepared"].startswith("fits: 2 arrays, 1.6 MB kept in .cache")
    assert "downloads" not in told["prepared"]
    assert "downloaded: 2 files, 0.2 MB" in told["wjazzd"]
