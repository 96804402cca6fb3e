"""Listening and looking in a notebook: everything is inside the cell's output."""

import base64
import io
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from pasdedeux.music.melody import Melody
from pasdedeux.report.viewer import export, listen, notes_table, piano_roll, pitch_name

TUNE = Melody(
    "a <tune>",
    np.array([60, 63, 58, 70, 71]),
    np.array([0.0, 1.0, 1.5, 2.0, 4.0]),
    np.array([1.0, 0.5, 0.5, 2.0, 0.25]),
)


def test_pitch_names() -> None:
    assert [pitch_name(pitch) for pitch in (60, 61, 59, 0, 127)] == ["C4", "C♯4", "B3", "C-1", "G9"]


def test_listen_embeds_the_sound() -> None:
    shown = listen(TUNE, "Jazz & folk", bpm=120.0, synthesiser="built-in")
    text = shown._repr_html_()
    assert "Jazz &amp; folk (2.4 s)" in text
    source = text.split('src="data:audio/ogg;base64,')[1].split('"')[0]
    sound, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(source)))
    assert len(sound) / rate_hz == pytest.approx(2.4, abs=0.1)
    assert np.abs(sound).max() > 0.5
    assert "http" not in text
    assert repr(shown) == "Jazz & folk: 2.4 s of sound"
    assert "a &lt;tune&gt;" in listen(TUNE, synthesiser="built-in")._repr_html_()


def test_piano_roll_is_a_picture() -> None:
    assert piano_roll(TUNE).axes[0].get_ylabel() == "a <tune>"
    assert len(piano_roll(TUNE, "x").axes[0].collections) == 5


def test_notes_table_shows_the_first_notes() -> None:
    shown = notes_table(TUNE, first=3)
    assert shown.lines == (
        ("1", "60", "C4", "0", "1"),
        ("2", "63", "D♯4", "1", "0.5"),
        ("3", "58", "A♯3", "1.5", "0.5"),
    )
    for text in (shown._repr_html_(), shown._repr_markdown_(), repr(shown)):
        assert "3 notes, 2 more not shown" in text
        assert "D♯4" in text
    assert "not shown" not in repr(notes_table(TUNE))
    with pytest.raises(ValueError, match="first must be at least 1, got 0"):
        notes_table(TUNE, first=0)


def test_export_writes_midi_and_sound(tmp_path: Path) -> None:
    files = export({"mine": TUNE}, tmp_path / "sound", bpm=90.0)
    assert [file.name for file in files] == ["mine.mid", "mine.ogg"]
    played = pretty_midi.PrettyMIDI(str(files[0]))
    notes = [note for instrument in played.instruments for note in instrument.notes]
    assert [note.pitch for note in notes] == TUNE.pitch.tolist()
    assert notes[3].start == pytest.approx(2 * 60 / 90, abs=0.01)
    assert soundfile.info(str(files[1])).duration == pytest.approx(3.2, abs=0.2)
    first = [file.read_bytes() for file in files]
    export({"mine": TUNE}, tmp_path / "sound", bpm=90.0)
    assert [file.read_bytes() for file in files] == first


def test_export_refuses_a_name_that_is_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'../up' is no plain file name"):
        export({"../up": TUNE}, tmp_path)
