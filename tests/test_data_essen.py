import importlib.util
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from pasdedeux.data import essen
from pasdedeux.data.windows import window_count
from pasdedeux.music import abc
from pasdedeux.music.melody import HOLD, OFF, on_grid, steps

SONG = "X:{number}\nN: {essen}\nL:1/8\nK:{key}\n{music}\n"
# 440,126 notes are counted when a tie joins only notes written alike within one line. 28 ties carry
# an accidental across a bar line and 4 open a line: each joins two of those notes.
UNUSUAL_TIES = 28 + 4


@pytest.fixture(scope="module")
def corpus():
    return essen.corpus()


@pytest.fixture(scope="module")
def tunes():
    """Return all tunes but duplicates as they are written."""
    return essen.distinct(essen.tunes().tunes)


def test_the_whole_collection_by_numbers(corpus, tunes):
    scratch = sorted(essen.folder().glob("test*.abc"))
    assert sum(len(abc.read(file, strays="remark").tunes) for file in scratch) == 52 == 8514 - 8462
    assert len(essen.tunes().tunes) == 8462
    assert len(corpus.songs) == len(tunes) == 8368
    assert sum(tune.unusual_ties for tune in tunes) == UNUSUAL_TIES
    assert sum(len(song.melody.pitch) for song in corpus.songs) == 440_126 - UNUSUAL_TIES
    assert sum(tune.rests for tune in tunes) == 18_448
    assert corpus.skipped == ()
    assert corpus.remarks[-1] == "94 songs left out that equal an earlier one."


def test_the_songs_are_what_was_measured_of_them(corpus):
    melodies = [song.melody for song in corpus.songs]
    counts = np.array([len(melody.pitch) for melody in melodies])
    assert (counts.min(), counts.max(), np.median(counts)) == (8, 502, 47)
    relative = np.concatenate([melody.pitch - melody.tonic for melody in melodies])
    measured = [83498, 476, 71704, 8038, 75014, 40033, 1534, 92343, 1694, 43474, 3375, 18943]
    assert np.abs(np.bincount(relative % 12) - measured).sum() == UNUSUAL_TIES
    assert (relative.min(), relative.max()) == (48, 84)
    durations = Counter(np.concatenate([melody.duration_quarters for melody in melodies]).tolist())
    assert [durations[d] for d in (0.25, 0.125)] == [56_153, 585]
    assert durations[0.5] == pytest.approx(201_142, abs=UNUSUAL_TIES)


@pytest.mark.parametrize(
    ("grid", "collided", "tokens", "lost", "shares", "onsets", "durations"),
    [
        (4, 383, 1_548_689, 81_338, (0.71, 0.01, 0.28), 10.1, (56511, 201284, 12324, 111671)),
        (8, 0, 3_097_385, 178_236, (0.85, 0.01, 0.14), 5.3, (585, 56153, 237, 201142)),
    ],
)
def test_the_grids_are_what_was_measured(
    corpus, grid, collided, tokens, lost, shares, onsets, durations
):
    melodies = [song.melody for song in corpus.songs]
    values = [steps(melody, grid, longest_silence=None) for melody in melodies]
    grid_notes = [on_grid(melody, grid) for melody in melodies]
    assert sum(len(found.pitch) for found in grid_notes) == 440_126 - UNUSUAL_TIES - collided
    assert sum(map(len, values)) == tokens
    together = np.concatenate(values)
    found = [(together == HOLD).mean(), (together == OFF).mean(), (together >= 0).mean()]
    assert found == pytest.approx(shares, abs=0.006)
    lengths = np.array([len(each) for each in values])
    # the released code's loop loses a window that ends exactly with its song
    assert sum(max(0, -(-(length - 36) // 16)) for length in lengths) == lost
    windows = sum(window_count(int(length), 36, 16) for length in lengths)
    exact = ((lengths >= 36) & ((lengths - 36) % 16 == 0)).sum()
    assert windows == lost + exact
    inside = sum(
        (each[start : start + 36] >= 0).sum()
        for each in values
        for start in range(0, len(each) - 35, 16)
    )
    assert inside / windows == pytest.approx(onsets, abs=0.06)
    held = np.bincount(np.concatenate([end - onset - 1 for _, onset, end in grid_notes]))
    assert np.abs(held[:4] - durations).max() <= UNUSUAL_TIES


def test_variants_of_one_song_share_a_group(corpus):
    groups = Counter(song.group for song in corpus.songs)
    assert len(groups) == 6522
    assert groups["Q0155"] == 75  # Q0155, then A-Z, a-z and 0-9 behind the number
    assert {song.stratum for song in corpus.songs} >= {"han", "erk", "lux"}


def test_the_built_in_pair_is_german_and_chinese():
    for families, country in ((essen.GERMAN, "Deutschland"), (essen.CHINESE, "China")):
        origins = [tune.fields["O"] for tune in essen.tunes(families).tunes]
        assert len(origins) > 1200
        assert np.mean([country in origin for origin in origins]) > 0.9


def test_music21_itself_is_not_imported():
    code = (
        "import sys; from pasdedeux.data import essen; essen.folder(); "
        "print('music21' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_music21_tells_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="not in the installed music21 .* install the package"):
        essen.folder()


def write(folder, name: str, *songs: str) -> None:
    (folder / name).write_text("\n".join(songs), encoding="utf-8")


def test_duplicates_are_left_out_in_any_key_and_told(tmp_path):
    first = SONG.format(number=1, essen="A0001", key="C", music="C2D2 z E4")
    again = SONG.format(number=2, essen="A0002", key="D", music="D2E2 | z F4")
    rest = SONG.format(number=3, essen="A0003", key="C", music="C2D2 z E4 z2")
    other = SONG.format(number=1, essen="A0001B", key="C", music="C2D2 E4")
    write(tmp_path, "erk10.abc", first, again, rest)
    write(tmp_path, "han1.abc", other)
    write(tmp_path, "test0.abc", other)
    found = essen.corpus(place=tmp_path)
    assert [song.melody.name for song in found.songs] == ["erk10 1", "erk10 3", "han1 1"]
    assert [song.group for song in found.songs] == ["A0001", "A0003", "A0001"]
    assert [song.stratum for song in found.songs] == ["erk", "erk", "han"]
    assert found.remarks == ("1 songs left out that equal an earlier one.",)
    assert len(essen.corpus(("han",), place=tmp_path).songs) == 1


def test_a_song_without_a_number_is_its_own_group(tmp_path):
    write(
        tmp_path,
        "erk10.abc",
        "X:4\nL:1/8\nK:C\nCDE\n",
        SONG.format(number=5, essen="III", key="C", music="D"),
    )
    assert [song.group for song in essen.corpus(place=tmp_path).songs] == [
        "erk10.abc 4",
        "erk10.abc 5",
    ]


def test_a_bad_song_is_left_out_only_when_asked(tmp_path):
    good = SONG.format(number=1, essen="A0001", key="C", music="CD | 2E")
    bad = SONG.format(number=2, essen="A0002", key="C", music="C:D")
    write(tmp_path, "erk10.abc", good, bad)
    with pytest.raises(ValueError, match="erk10.abc, song 2, line 11: ':' at column 2"):
        essen.corpus(place=tmp_path)
    found = essen.corpus(place=tmp_path, skip_bad=True)
    assert [song.melody.pitch.tolist() for song in found.songs] == [[60, 62, 64]]
    assert len(found.skipped) == 1
    assert "erk10.abc, song 2" in found.skipped[0]
    assert "erk10.abc, song 1, line 5: passed over '2'" in found.remarks[0]


def test_unknown_families_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no family 'kindr' .* Did you mean 'kinder'"):
        essen.corpus(("kindr",))
    with pytest.raises(ValueError, match="holds no ABC file"):
        essen.files(place=tmp_path)
