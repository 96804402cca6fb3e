import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from pasdedeux.base import facts, seeding
from pasdedeux.data import essen, melodies
from pasdedeux.data.corpus import Song
from pasdedeux.data.melodies import MelodySettings, melody_pair
from pasdedeux.data.splits import split
from pasdedeux.music.melody import HOLD, OFF, Melody, steps

BUILT_IN = MelodySettings(pair="german-chinese", train_windows=701)
SONG = "X:{number}\nN: {essen}\nL:1/4\nK:{key}\n{music}\n"
PARTS = ("train", "valid", "test")


@pytest.fixture
def songs(project, monkeypatch):
    """Replace the collection by 40 German and 23 Chinese tunes; return the folder of the files."""
    folder = project / "songs"
    folder.mkdir()
    scale = "CDEFGABcdefga"
    for file, count, key in (("erk10.abc", 40, "D"), ("han1.abc", 23, "C")):
        texts = []
        for i in range(count):
            music = "".join(f"{scale[(i * k + k) % 13]}2{scale[(i + k) % 7]}z" for k in range(1, 9))
            texts.append(SONG.format(number=i + 1, essen=f"A{i:04}", key=key, music=music))
        (folder / file).write_text("\n".join(texts), encoding="utf-8")
    monkeypatch.setattr(essen, "folder", lambda: folder)
    monkeypatch.setattr(essen, "GERMAN", ("erk",))
    sides = tuple(
        dataclasses.replace(side, families=families)
        for side, families in zip(
            melodies.SIDES["german-chinese"], (("erk",), ("han",)), strict=True
        )
    )
    monkeypatch.setitem(melodies.SIDES, "german-chinese", sides)
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    return folder


SMALL = MelodySettings(window=11, stride=5, train_windows=53)


def test_windows_are_pieces_of_the_songs_of_their_split(songs):
    pair = melody_pair(SMALL)
    corpus = essen.corpus(("erk",))
    places = split(
        [song.group for song in corpus.songs],
        [song.stratum for song in corpus.songs],
        [len(song.melody.pitch) for song in corpus.songs],
    )
    expected = {part: [] for part in PARTS}
    for song, part in zip(corpus.songs, places, strict=True):
        values = steps(song.melody.shifted(-2), 4, longest_silence=4.0)
        for at in range(0, len(values) - 10, 5):
            expected[part].append(values[at : at + 11].tolist())
    for part in ("valid", "test"):
        assert pair.vocabulary.decode(getattr(pair.a, part)).tolist() == expected[part]
    rows = seeding.numpy_generator(0, "training windows", "a train").choice(
        len(expected["train"]), size=53, replace=False
    )
    chosen = [expected["train"][row] for row in sorted(rows)]
    assert pair.vocabulary.decode(pair.a.train).tolist() == chosen


def test_both_domains_have_equally_many_training_windows(songs):
    assert {len(side.train) for side in (melody_pair(SMALL).a, melody_pair(SMALL).b)} == {53}
    everything = melody_pair(dataclasses.replace(SMALL, train_windows=None))
    assert len(everything.a.train) == len(everything.b.train) > 53
    more = melody_pair(dataclasses.replace(SMALL, train_windows=10**6))
    assert len(more.a.train) == len(everything.a.train)


def test_the_seed_chooses_the_training_windows_and_nothing_else(songs):
    one, other = melody_pair(SMALL), melody_pair(dataclasses.replace(SMALL, seed=3))
    assert not np.array_equal(one.a.train, other.a.train)
    assert np.array_equal(one.a.test, other.a.test)
    assert one.checksum != other.checksum


def test_the_second_time_comes_from_the_cache_and_is_the_same(songs, monkeypatch):
    first = melody_pair(SMALL)
    monkeypatch.setattr(melodies, "_build", lambda _: pytest.fail("built again"))
    second = melody_pair(SMALL)
    assert first.checksum == second.checksum
    assert first.vocabulary == second.vocabulary
    for side in "ab":
        one, other = getattr(first, side), getattr(second, side)
        assert (one.songs, one.skipped, one.remarks) == (other.songs, other.skipped, other.remarks)
        for part in PARTS:
            assert np.array_equal(getattr(one, part), getattr(other, part))


def test_another_input_setting_or_code_is_another_cache_entry(songs, project, monkeypatch):
    first = melody_pair(SMALL)
    text = (songs / "han1.abc").read_text(encoding="utf-8")
    (songs / "han1.abc").write_text(text.replace("X:1\n", "X:99\n", 1), encoding="utf-8")
    again = melody_pair(SMALL)
    cached = project / ".cache" / "melodies"
    assert len(list(cached.iterdir())) == 2
    assert again.checksum == first.checksum  # the same windows, whatever the song is called
    (songs / "han1.abc").write_text(text.replace("C2", "c2"), encoding="utf-8")
    assert melody_pair(SMALL).checksum != first.checksum
    monkeypatch.setattr(melodies.source, "fingerprint", lambda _: "edited")
    melody_pair(SMALL)
    assert len(list(cached.iterdir())) == 4


def test_a_bad_song_is_left_out_only_when_asked_and_told_in_the_notice(songs):
    with (songs / "han1.abc").open("a", encoding="utf-8") as file:
        file.write(SONG.format(number=77, essen="A0777", key="C", music="C:D"))
    with pytest.raises(ValueError, match="han1.abc, song 77, line .*: ':' at column 2"):
        melody_pair(SMALL)
    pair = melody_pair(dataclasses.replace(SMALL, skip_bad_files=True))
    assert "han1.abc, song 77" in pair.b.skipped[0]
    assert "1 bad songs left out" in pair.notice


def test_too_few_songs_for_the_window_are_refused(songs):
    with pytest.raises(ValueError, match="no .* windows of 501 steps for side a of german-chinese"):
        melody_pair(dataclasses.replace(SMALL, window=501))


def test_the_run_is_told_what_data_it_saw(songs, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_PROGRESS", str(songs))
    pair = melody_pair(SMALL)
    told = facts.noted(songs)["data"][0]
    assert told["checksum"] == pair.checksum
    assert told["corpora"] == ["German folk", "Chinese folk"]


@pytest.mark.parametrize(
    ("transposition", "tonic", "pattern", "expected"),
    [
        ("none", 2, (0, 2, 4, 0), 62),
        ("tonic", 2, (0, 2, 4, 0), 60),
        ("tonic", 9, (0, 2, 3, 7), 72),  # a minor tune goes to C minor
        ("signature", 9, (0, 2, 3, 7, 0, 3), 69),  # and by signature to A minor
        ("signature", 2, (0, 2, 4, 0, 7), 60),
    ],
)
def test_transposition_is_by_true_semitones(transposition, tonic, pattern, expected):
    pitch = np.array(pattern) + 60 + tonic
    tune = Melody("tune", pitch, np.arange(len(pitch), dtype=float), np.ones(len(pitch)), tonic)
    found = melodies.transposed(tune, transposition, "nearest")
    assert found.pitch[0] == expected
    assert np.array_equal(np.diff(found.pitch), np.diff(pitch))


def test_a_melody_without_a_notated_tonic_gets_an_estimated_one():
    pitch = np.array([70, 72, 74, 75, 77, 70])  # rests on B flat
    tune = Melody("solo", pitch, np.arange(6.0), np.array([3.0, 1, 1, 1, 2, 4]))
    assert melodies.transposed(tune, "tonic", "nearest").pitch[0] == 72
    assert melodies.transposed(tune, "tonic", "down").pitch[0] == 60


def test_a_silence_is_capped_at_one_bar():
    tune = Melody("tune", np.array([60, 62]), np.array([0.0, 30.0]), np.ones(2), 0)
    values = melodies.song_values(Song(tune, "g", "s"), SMALL)
    assert len(values) == 4 + 16 + 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pair": "jazz"}, "pair"),
        ({"shift": "up"}, "shift"),
        ({"transposition": "letter"}, "transposition"),
        ({"jazz_timing": "swing"}, "jazz_timing"),
        ({"window": 0}, "window must be above 0, got 0"),
        ({"stride": -1}, "stride must be above 0, got -1"),
        ({"steps_per_quarter": 0}, "steps_per_quarter must be above 0"),
        ({"train_windows": 0}, "train_windows must be above 0, got 0"),
    ],
)
def test_settings_are_refused_when_made(changed, message):
    with pytest.raises(Exception, match=message):  # ValueError, or the check of types before it
        MelodySettings(**changed)


def test_the_papers_grid():
    paper = MelodySettings.paper()
    assert (paper.steps_per_quarter, paper.jazz_timing, paper.shift) == (8, "nominal", "down")
    assert (paper.window, paper.stride, paper.train_windows) == (36, 16, None)


def test_the_built_in_pair(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    pair = melody_pair(BUILT_IN)
    assert "two families of folk song, NOT jazz" in pair.notice
    assert "German folk" in pair.notice
    assert "Chinese folk" in pair.notice
    assert (sum(pair.a.songs.values()), sum(pair.b.songs.values())) == (4606, 1218)
    for side in (pair.a, pair.b):
        assert side.train.shape == (701, 36)
        assert len(side.valid) > 1000 < len(side.test)
        assert side.train.dtype == np.int64
        assert "unclear" in side.licence
        assert "Schaffrath" in side.citation
    onsets = [pair.vocabulary.is_onset(side.train).mean() for side in (pair.a, pair.b)]
    assert onsets[1] > 1.5 * onsets[0]  # the two are musically distant
    values = pair.vocabulary.decode(pair.a.test)
    assert {OFF, HOLD} < set(np.unique(values).tolist())
    started = time.perf_counter()
    again = melody_pair(dataclasses.replace(BUILT_IN, pair="auto"))
    assert time.perf_counter() - started < 1.0
    assert again.checksum == pair.checksum
    assert again.settings.pair == "german-chinese"


@pytest.mark.skipif(
    not (Path(os.environ.get("PASDEDEUX_DATA") or "-") / "wjazzd").is_dir(),
    reason="PASDEDEUX_DATA does not name a folder with wjazzd",
)
def test_jazz_and_folk(project):
    pair = melody_pair(MelodySettings())
    assert pair.settings.pair == "jazz-folk"
    assert (pair.a.name, pair.b.name) == ("jazz", "folk")
    assert pair.a.train.shape == pair.b.train.shape == (4000, 36)
    assert "Weimar Jazz Database" in pair.notice
    assert "NOT jazz" not in pair.notice
    assert json.dumps(pair.vocabulary.pitches)
    onsets = [pair.vocabulary.is_onset(side.train).sum(1).mean() for side in (pair.a, pair.b)]
    assert onsets == pytest.approx([13.2, 10.2], abs=0.4)
