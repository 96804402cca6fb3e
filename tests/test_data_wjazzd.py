import os
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pasdedeux.data import wjazzd
from pasdedeux.data.splits import split
from pasdedeux.data.windows import windows
from pasdedeux.music.melody import HOLD, OFF, on_grid, steps

GOOD = "6.0e+01,1.0,0.25\n6.2e+01,2.0,0.5\n5.9e+01,2.5,0.125\n"
TEMPI = (
    ",avgtempo,base_name,performer\nx,90.0,Ann_SoWhat-2_FINAL,Ann\ny,210.5,Bob_SoWhat_FINAL,Bob\n"
)
NAMES = ("Ann_SoWhat-2", "Bob_SoWhat", "Cid_Duo_1961")


def place(folder: Path, *, tempi: str = TEMPI, **changed: str) -> Path:
    """Write three solos as tables and `df_solos.csv`; `changed` replaces texts by performer."""
    (folder / "score_csv").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        text = changed.get(name.split("_")[0], GOOD)
        (folder / "score_csv" / f"{name}_FINAL_solo.csv").write_text(text, encoding="utf-8")
    (folder / "df_solos.csv").write_text(tempi, encoding="utf-8")
    return folder


def packed(folder: Path, **changed: str) -> Path:
    """Do the same with the tables in `score_csv.zip`."""
    place(folder, **changed)
    with zipfile.ZipFile(folder / "score_csv.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for table in sorted((folder / "score_csv").iterdir()):
            file.write(table, table.name)
            table.unlink()
    (folder / "score_csv").rmdir()
    return folder


@pytest.mark.parametrize("layout", [place, packed])
def test_solos_by_hand(tmp_path, layout):
    ann, bob, cid = wjazzd.read(layout(tmp_path)).solos
    assert (ann.name, ann.performer, ann.tune, ann.bpm) == (
        "Ann_SoWhat-2_FINAL",
        "Ann",
        "sowhat",
        90,
    )
    assert (bob.tune, bob.bpm, cid.tune, cid.bpm) == ("sowhat", 210.5, "duo", None)
    assert [solo.stratum for solo in (ann, bob, cid)] == ["slow", "fast", "unknown tempo"]
    assert ann.pitch.tolist() == [60, 62, 59]
    assert ann.onset_seconds.tolist() == [1.0, 2.0, 2.5]
    assert ann.duration_seconds.tolist() == [0.25, 0.5, 0.125]


def test_quarters_follow_the_tempo_or_the_nominal_120(tmp_path):
    ann, _, cid = wjazzd.read(place(tmp_path)).solos
    assert ann.melody("tempo").onset_quarters.tolist() == [1.5, 3.0, 3.75]
    assert ann.melody("nominal").duration_quarters.tolist() == [0.5, 1.0, 0.25]
    assert ann.melody("tempo").tonic is None
    with pytest.raises(ValueError, match="Cid_Duo_1961_FINAL has no tempo .* timing='nominal'"):
        cid.melody("tempo")


def test_the_corpus_leaves_out_solos_without_a_tempo_and_tells(tmp_path):
    timed = wjazzd.corpus("tempo", folder=place(tmp_path))
    assert [song.group for song in timed.songs] == ["sowhat", "sowhat"]
    assert timed.remarks == ("1 solos left out: df_solos.csv has no tempo for them.",)
    nominal = wjazzd.corpus("nominal", folder=tmp_path)
    assert len(nominal.songs) == 3
    assert nominal.remarks == ()


BAD = {
    "60,1.0\n": "line 1: '60,1.0': expected 3 columns (pitch, onset in seconds, duration",
    "60,1,1\n60,1.0,0.5,4\n": "line 2: '60,1.0,0.5,4': expected 3 columns",
    "60,1,1\n61,two,0.5\n": "line 2: '61,two,0.5': write finite numbers, no header",
    "pitch,onset,duration\n60,1,1\n": "line 1: 'pitch,onset,duration': write finite numbers",
    "60,1,nan\n": "line 1: '60,1,nan': write finite numbers",
    "60,1,1\n60,2,-0.5\n": "line 2: '60,2,-0.5': the duration is negative; correct or remove",
    "60.5,1,1\n": "line 1: '60.5,1,1': the pitch is no MIDI pitch 0..127; are the columns pitch,",
    "128,1,1\n": "line 1: '128,1,1': the pitch is no MIDI pitch 0..127",
    "60,1,1\n\n60,0.5,1\n": "line 3: '60,0.5,1': sort the rows by onset",
    "": "holds no note; take the empty solo out",
}


@pytest.mark.parametrize("layout", [place, packed])
@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_a_bad_solo_names_file_solo_and_line(tmp_path, layout, text, message):
    folder = layout(tmp_path, Bob=text)
    with pytest.raises(
        ValueError, match=f"score_csv.*Bob_SoWhat_FINAL_solo.csv.*{re.escape(message)}"
    ):
        wjazzd.read(folder)
    found = wjazzd.read(folder, skip_bad=True)
    assert [solo.performer for solo in found.solos] == ["Ann", "Cid"]
    assert len(found.skipped) == 1
    assert message in found.skipped[0]
    assert wjazzd.corpus("nominal", folder=folder, skip_bad=True).skipped == found.skipped


def test_nothing_readable_is_an_error_even_when_bad_solos_are_skipped(tmp_path):
    folder = place(tmp_path, Ann="", Bob="", Cid="")
    with pytest.raises(ValueError, match="holds no readable solo .* holds no note"):
        wjazzd.read(folder, skip_bad=True)


def test_a_truncated_zip_is_refused_with_the_remedy(tmp_path):
    archive = packed(tmp_path) / "score_csv.zip"
    archive.write_bytes(archive.read_bytes()[:-40])
    for skip_bad in (False, True):
        with pytest.raises(
            ValueError, match="score_csv.zip is not a whole zip .* delete it and run"
        ):
            wjazzd.read(tmp_path, skip_bad=skip_bad)


def test_a_damaged_member_of_the_zip_is_named(tmp_path):
    archive = packed(tmp_path, Bob=GOOD * 50) / "score_csv.zip"
    content = bytearray(archive.read_bytes())
    begin = content.index(b"Bob_SoWhat_FINAL_solo.csv") + len("Bob_SoWhat_FINAL_solo.csv")
    content[begin + 5 : begin + 15] = bytes(10)
    archive.write_bytes(content)
    with pytest.raises(
        ValueError, match="Bob_SoWhat_FINAL_solo.csv is damaged .*delete it and run"
    ):
        wjazzd.read(tmp_path)
    found = wjazzd.read(tmp_path, skip_bad=True)
    assert len(found.solos) == 2
    assert "Bob_SoWhat_FINAL_solo.csv is damaged" in found.skipped[0]


def test_a_table_that_is_not_text_is_named(tmp_path):
    (place(tmp_path) / "score_csv" / "Bob_SoWhat_FINAL_solo.csv").write_bytes(b"60,1,1\n\xff\xfe")
    with pytest.raises(ValueError, match="Bob_SoWhat_FINAL_solo.csv is damaged .*delete it"):
        wjazzd.read(tmp_path)
    assert len(wjazzd.read(tmp_path, skip_bad=True).solos) == 2
    (tmp_path / "df_solos.csv").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="df_solos.csv is damaged"):
        wjazzd.read(tmp_path, skip_bad=True)


@pytest.mark.parametrize(
    ("tempi", "message"),
    [
        (",tempo,base_name\n", "df_solos.csv, line 1: no column 'avgtempo'"),
        (",avgtempo\n", "line 1: no column 'base_name'"),
        (TEMPI.replace("210.5", "brisk"), r"line 3 \(Bob_SoWhat_FINAL\): avgtempo is 'brisk'"),
        (TEMPI.replace("210.5", "0"), "avgtempo is '0'; write quarters a minute, above 0"),
    ],
)
def test_a_bad_table_of_tempi_is_refused(tmp_path, tempi, message):
    with pytest.raises(ValueError, match=message):
        wjazzd.read(place(tmp_path, tempi=tempi))


def test_a_missing_tempo_is_no_error(tmp_path):
    folder = place(tmp_path, tempi=TEMPI.replace("210.5", ""))
    assert [solo.bpm for solo in wjazzd.read(folder).solos] == [90.0, None, None]


def test_missing_files_tell_how_to_get_them(tmp_path, project, monkeypatch):
    monkeypatch.delenv("PASDEDEUX_DATA", raising=False)
    with pytest.raises(ValueError, match="is not here. Put score_csv.zip and df_solos.csv into"):
        wjazzd.read()
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match="has no score_csv.zip. .*pasdedeux data get wjazzd"):
        wjazzd.read(tmp_path / "data")
    (place(tmp_path / "data") / "df_solos.csv").unlink()
    with pytest.raises(ValueError, match="has no df_solos.csv, the table of tempi"):
        wjazzd.read(tmp_path / "data")


def test_the_users_folder_is_found(tmp_path, monkeypatch):
    place(tmp_path / "wjazzd")
    monkeypatch.setenv("PASDEDEUX_DATA", str(tmp_path))
    assert len(wjazzd.read().solos) == 3


REAL = Path(os.environ.get("PASDEDEUX_DATA") or "-") / "wjazzd"
real = pytest.mark.skipif(
    not REAL.is_dir(), reason="PASDEDEUX_DATA does not name a folder with wjazzd"
)


@real
def test_real_solos_have_no_overlap_and_strictly_increasing_onsets():
    solos = wjazzd.read(REAL).solos
    assert 200 < len(solos) <= 299
    assert 100_000 < sum(len(solo.pitch) for solo in solos) <= 127_747
    for solo in solos:
        assert (np.diff(solo.onset_seconds) > 0).all()
        assert 30 <= solo.pitch.min() <= solo.pitch.max() <= 97
    tempi = sorted(solo.bpm for solo in solos if solo.bpm)
    assert 48.8 <= tempi[0] <= tempi[-1] <= 361.3


@real
@pytest.mark.parametrize(
    ("timing", "grid", "shares", "onsets", "durations"),
    [
        ("tempo", 4, (0.52, 0.12, 0.36), 13.0, (55228, 33247, 7351, 2528)),
        ("nominal", 4, (0.40, 0.12, 0.48), 17.2, None),
        ("tempo", 8, (0.71, 0.10, 0.19), 6.9, (21090, 27368, 24131, 18066)),
        ("nominal", 8, (0.62, 0.11, 0.27), 9.6, (43276, 46874, 18633, 6476)),
    ],
)
def test_real_solos_on_the_grids_are_what_was_measured(timing, grid, shares, onsets, durations):
    """Shares, not counts: they were measured on all 299 solos, the folder may hold fewer."""
    songs = wjazzd.corpus(timing, folder=REAL).songs
    values = [steps(song.melody, grid, longest_silence=None) for song in songs]
    together = np.concatenate(values)
    found = [(together == HOLD).mean(), (together == OFF).mean(), (together >= 0).mean()]
    assert found == pytest.approx(shares, abs=0.012)
    assert (windows(values, 36, 16) >= 0).sum(1).mean() == pytest.approx(onsets, rel=0.025)
    if durations:
        notes = [on_grid(song.melody, grid) for song in songs]
        held = np.bincount(np.concatenate([end - onset - 1 for _, onset, end in notes]))
        measured = np.array(durations) / durations[0]
        assert held[:4] / held[0] == pytest.approx(measured, abs=0.05)


@real
@pytest.mark.parametrize("timing", ["tempo", "nominal"])
def test_body_and_soul_lies_in_train(timing):
    songs = wjazzd.corpus(timing, folder=REAL).songs
    counts = [len(song.melody.pitch) for song in songs]
    found = split([song.group for song in songs], [song.stratum for song in songs], counts)
    versions = [
        part for song, part in zip(songs, found, strict=True) if song.group == "bodyandsoul"
    ]
    assert len(versions) >= 5
    assert set(versions) == {"train"}
    shares = Counter(found)
    assert shares["valid"] >= 15 <= shares["test"]
