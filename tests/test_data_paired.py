"""Dances with music in one form: real corpora where they are, else the synthetic dances."""

import json
import shutil

import numpy as np
import pytest

from pasdedeux.base import paths
from pasdedeux.data import paired, prepared, tang
from pasdedeux.data.dance import GENRES

DATA = paths.data()


def test_without_a_real_corpus_the_dances_are_synthetic_and_the_notice_says_so(
    project, monkeypatch
):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    made = paired.paired(genres=("Waltz", "Lock"), dances_a_genre=1)
    assert {dance.genre for dance in made.dances} == {"Waltz", "Lock"}
    assert {dance.corpus for dance in made.dances} == {"synthetic"}
    assert "synthetic" in made.notice
    again = paired.paired(genres=("Waltz", "Lock"), dances_a_genre=1)
    assert (
        made.checksum
        == again.checksum
        != paired.paired(genres=("Waltz", "Lock"), dances_a_genre=1, seed=1).checksum
    )


def test_a_corpus_that_is_asked_for_and_not_there_is_refused(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    for corpus in ("tang", "aistpp"):
        with pytest.raises(ValueError, match="PASDEDEUX_DATA"):
            paired.paired(corpus)


def test_messages_name_no_folder_of_this_machine(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    told = paired._portable(f"{tmp_path.resolve() / 'tang2018' / 'audio.mp3'}: cut")
    assert told == "$PASDEDEUX_DATA/tang2018/audio.mp3: cut"
    monkeypatch.delenv("PASDEDEUX_DATA")
    assert paired._portable("a message") == "a message"


@pytest.mark.slow
@pytest.mark.skipif(
    DATA is None or not (DATA / "tang2018").is_dir(),
    reason="PASDEDEUX_DATA has no folder tang2018 with the dances of Tang et al.",
)
def test_a_real_dance_is_fitted_and_hears_its_music(project, tmp_path, monkeypatch):
    root = tmp_path / "data"
    source = DATA / "tang2018" / "DANCE_W_22"
    shutil.copytree(source, root / "tang2018" / source.name)
    monkeypatch.setenv("PASDEDEUX_DATA", str(root))
    made = paired.paired(skip_bad=True)
    (dance,) = made.dances
    config = json.loads((source / "config.json").read_text())
    assert (dance.genre, dance.corpus) == ("Waltz", "tang")
    assert len(dance.music) == len(dance.pose) == len(tang.read().takes[0].points_world)
    assert dance.recording.seconds == (config["end_position"] - config["start_position"]) / 25
    bpm = 60 / np.median(np.diff(dance.beat_seconds))
    assert 84 < bpm < 92  # an English waltz
    height = np.ptp(dance.joints_world[..., 1], axis=1)
    assert 1.2 < np.median(height) < 1.9


def test_the_sound_of_a_part_of_a_dance_is_that_part_of_its_recording(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    (dance,) = paired.paired(genres=("House",), dances_a_genre=1).dances
    whole = prepared.sound(dance, 24_000)
    assert len(whole) == 24_000 * dance.seconds
    part = prepared.sound(dance, 24_000, start=25, frames=50)
    assert np.array_equal(part, whole[24_000 : 3 * 24_000])
    with pytest.raises(ValueError, match="frames 25 to 10025 are not within the 300"):
        prepared.sound(dance, 24_000, start=25, frames=10_000)


def test_genres_are_chosen_and_an_unknown_or_missing_one_is_refused(project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    with pytest.raises(ValueError, match="'Walz'.*Waltz"):
        paired.paired(genres=("Walz",))
    with pytest.raises(ValueError, match="dances_a_genre must be at least 1"):
        paired.paired("synthetic", dances_a_genre=0)
    assert set(paired.TEMPO_BPM) < set(GENRES)
