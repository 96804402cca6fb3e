import struct
import warnings

import numpy as np
import pretty_midi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pasdedeux.music.melody import Melody, notes, steps
from pasdedeux.music.notes import TICKS_PER_QUARTER, read_midi, to_pretty_midi, write_midi

ONSETS, DURATIONS = np.array([0.5, 1.0, 1.25, 7.0]), np.array([0.5, 0.25, 3.0, 1.0])
TUNE = Melody("a tune", np.array([60, 67, 67, 30]), ONSETS, DURATIONS)


@pytest.mark.parametrize("bpm", [61.0, 120.0, 333.3])
def test_midi_and_back_is_the_same_melody(tmp_path, bpm):
    write_midi(tmp_path / "tune.mid", TUNE, bpm)
    found = read_midi(tmp_path / "tune.mid")
    assert found.name == "tune"
    assert found.pitch.tolist() == TUNE.pitch.tolist()
    assert found.onset_quarters.tolist() == TUNE.onset_quarters.tolist()
    assert found.duration_quarters.tolist() == TUNE.duration_quarters.tolist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    rows=st.lists(st.tuples(st.integers(0, 127), st.integers(1, 19), st.integers(0, 16)),
                  min_size=1, max_size=11),
    bpm=st.sampled_from([53.0, 80.0, 167.3]),
)  # fmt: skip
def test_values_to_midi_and_back_are_the_same_values(tmp_path, rows, bpm):
    pitch, length, silence = np.array(rows).T
    onset = np.cumsum(length + silence) - length - silence
    values = steps(Melody("drawn", pitch, onset / 4, length / 4), 4, longest_silence=4.0)
    write_midi(tmp_path / "drawn.mid", notes(values, 4), bpm)
    again = steps(read_midi(tmp_path / "drawn.mid"), 4, longest_silence=4.0)
    assert np.array_equal(again, values)


def test_times_are_seconds_of_the_tempo_and_an_empty_note_lasts_one_tick():
    melody = Melody("two", np.array([60, 62]), np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    first, second = to_pretty_midi(melody, 90.0).instruments[0].notes
    assert first.start == pytest.approx(60 / 90)
    assert first.end - first.start == pytest.approx(60 / 90 / TICKS_PER_QUARTER)
    assert (second.start, second.end) == pytest.approx((120 / 90, 180 / 90))


def test_of_notes_that_begin_together_the_higher_comes_first(tmp_path):
    chord = Melody("chord", np.array([60, 64]), np.zeros(2), np.ones(2))
    write_midi(tmp_path / "chord.mid", chord)
    assert read_midi(tmp_path / "chord.mid").pitch.tolist() == [64, 60]


def test_a_file_that_is_not_midi_is_refused(tmp_path):
    junk = {
        "text.mid": b"this is not MIDI at all",
        "empty.mid": b"",
        "cut.mid": b"MThd" + struct.pack(">LHHH", 6, 1, 1, 480) + b"MTrk\x00\x00",
        "zeros.mid": bytes(64),
    }
    for name, content in junk.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} (cannot be read as MIDI|has 0 instruments)"):
            read_midi(tmp_path / name)
    with pytest.raises(ValueError, match=r"none.mid is not there; give the path"):
        read_midi(tmp_path / "none.mid")


def test_a_damaged_file_is_refused_with_a_value_error(tmp_path):
    write_midi(tmp_path / "whole.mid", TUNE)
    content, rng = (tmp_path / "whole.mid").read_bytes(), np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for at in rng.integers(len(content), size=3):
            damaged[at] = rng.integers(256)
        (tmp_path / "damaged.mid").write_bytes(damaged[: rng.integers(10, len(content))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about meta events in odd places
            try:
                read_midi(tmp_path / "damaged.mid")
            except ValueError:
                refused += 1
    assert refused > 50


def test_a_file_with_several_instruments_or_none_is_refused(tmp_path):
    midi = to_pretty_midi(TUNE)
    midi.write(str(tmp_path / "one.mid"))
    midi.instruments.append(pretty_midi.Instrument(24, name="guitar"))
    midi.instruments[1].notes.append(pretty_midi.Note(90, 50, 0.0, 1.0))
    midi.write(str(tmp_path / "two.mid"))
    assert len(read_midi(tmp_path / "one.mid").pitch) == len(TUNE.pitch)
    with pytest.raises(ValueError, match="two.mid has 2 instruments with notes; a melody has one"):
        read_midi(tmp_path / "two.mid")
    silent = Melody("silent", np.zeros(0, int), np.zeros(0), np.zeros(0))
    write_midi(tmp_path / "none.mid", silent)
    with pytest.raises(ValueError, match="none.mid has 0 instruments with notes"):
        read_midi(tmp_path / "none.mid")


@pytest.mark.parametrize("bpm", [0.0, -3.0, float("nan"), float("inf")])
def test_a_tempo_that_is_none_is_refused(bpm):
    with pytest.raises(ValueError, match="bpm must be above 0"):
        to_pretty_midi(TUNE, bpm)
