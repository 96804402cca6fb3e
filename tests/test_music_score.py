"""Scores: MIDI there and back, transposition, and how they sound."""

import sys
from types import ModuleType

import numpy as np
import pretty_midi
import pytest
from jaxtyping import TypeCheckError

from pasdedeux.music import percussion, render, score
from pasdedeux.music.audio import PEAK
from pasdedeux.music.score import DRUMS, Score

RATE_HZ = 16_000


def some_score() -> Score:
    return score.of(
        np.array([64, 42, 36, 60, 33]),
        np.array([0.5, 0.25, 1.0, 0.0, 0.5]),
        np.array([0.5, 0.05, 0.1, 1.5, 0.25]),
        velocity=np.array([90, 70, 127, 1, 44]),
        instrument=np.array([0, DRUMS, DRUMS, 0, 32]),
    )


def columns(found: Score) -> list[np.ndarray]:
    return [found.pitch, found.velocity, found.instrument, found.onset_seconds,
            found.duration_seconds]  # fmt: skip


def test_notes_are_ordered_and_measured():
    found = some_score()
    assert found.pitch.tolist() == [60, 42, 64, 33, 36]
    assert found.seconds == 1.5
    assert found.is_drum.tolist() == [False, True, False, False, True]
    weights = found.pitch_class_weights()
    assert weights[[0, 4, 9]] == pytest.approx([1.5 * 1, 0.5 * 90, 0.25 * 44])
    assert np.count_nonzero(weights) == 3
    empty = score.of(np.zeros(0, int), np.zeros(0), np.zeros(0))
    assert empty.seconds == 0
    assert score.together(empty, found, empty).pitch.tolist() == found.pitch.tolist()


def test_pretty_midi_reads_back_the_same_notes(tmp_path):
    path = tmp_path / "folder" / "song.mid"
    score.write_midi(path, some_score())
    midi = pretty_midi.PrettyMIDI(str(path))
    assert sorted((part.program, part.is_drum) for part in midi.instruments) == [
        (0, False), (0, True), (32, False),
    ]  # fmt: skip
    back = score.from_pretty_midi(midi)
    for ours, theirs in zip(columns(some_score()), columns(back), strict=True):
        assert theirs == pytest.approx(ours, abs=1e-3)


def test_a_rendered_song_survives_its_file(tmp_path):
    draw = np.random.default_rng(3)
    chroma = draw.uniform(size=(211, 12)) ** 3
    song = render.notes(chroma, np.arange(0.31, 8.0, 0.53))
    score.write_midi(tmp_path / "song.mid", song, bpm=113.2)
    back = score.from_pretty_midi(pretty_midi.PrettyMIDI(str(tmp_path / "song.mid")))
    assert len(song.pitch) > 40
    for ours, theirs in zip(columns(song), columns(back), strict=True):
        assert theirs == pytest.approx(ours, abs=2e-3)
    same = (render.chroma_of(back, 211) > 0) == (render.chroma_of(song, 211) > 0)
    assert same.mean() > 0.99  # a millisecond may move an edge by a frame


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "song.mid"
    path.write_bytes(b"before")

    def broken(self, name):
        with open(name, "wb") as file:  # noqa: PTH123 - the name is pretty_midi's
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pretty_midi.PrettyMIDI, "write", broken)
    with pytest.raises(OSError, match="disk full"):
        score.write_midi(path, some_score())
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("semitones", [-5, 3, 7])
def test_a_shift_leaves_drums_alone(semitones):
    found = some_score().shifted(semitones)
    assert found.pitch[~found.is_drum].tolist() == [60 + semitones, 64 + semitones, 33 + semitones]
    assert found.pitch[found.is_drum].tolist() == [42, 36]


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("steps", "home"), [((0, 4, 7, 5, 9), 0), ((0, 3, 7, 2, 8), 9)])
def test_every_key_comes_to_c_major_or_a_minor(tonic, steps, home):
    pitch = 60 + tonic + np.array(steps)
    lengths = np.array([4.0, 2.0, 2.0, 1.0, 0.5])
    song = score.of(pitch, np.arange(5.0), lengths)
    moved = song.in_c()
    assert moved.pitch[0] % 12 == home
    assert abs(int(moved.pitch[0]) - int(song.pitch[0])) <= 6


def test_bad_notes_are_refused():
    good = {"pitch": [60, 61], "onset_seconds": [0.0, 1.0], "duration_seconds": [1.0, 1.0],
            "velocity": [1, 2], "instrument": [0, 0]}  # fmt: skip
    for name, values, told in (
        ("pitch", [60, 128], "note 2: pitch must be 0..127, got 128"),
        ("velocity", [0, 2], "note 1: velocity must be 1..127, got 0"),
        ("instrument", [0, 200], "note 2: instrument must be -1..127, got 200"),
        ("onset_seconds", [0.0, np.nan], "note 2: onset_seconds must be"),
        ("duration_seconds", [-1.0, 1.0], "note 1: duration_seconds must be"),
        ("onset_seconds", [1.0, 0.0], "onset_seconds must not decrease"),
        ("velocity", [1], "equally long|type-checking|Type-check"),
    ):
        with pytest.raises((ValueError, TypeCheckError), match=told):
            Score(*(np.array(column) for column in (good | {name: values}).values()))
    with pytest.raises(ValueError, match="bpm must be above 0"):
        score.to_pretty_midi(some_score(), 0.0)
    with pytest.raises(ValueError, match="at least one score"):
        score.together()


def loudest_hz(sound):
    strength = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17))
    return float(np.argmax(strength)) * RATE_HZ / (1 << 17)


def test_an_a4_sounds_at_440_hz_when_it_should():
    song = score.of(np.array([69]), np.array([0.5]), np.array([1.0]))
    sound = render.waveform_of(song, rate_hz=RATE_HZ, synthesiser="built-in", seconds=2.0)
    assert len(sound) == 2 * RATE_HZ
    assert loudest_hz(sound[9_000:23_000]) == pytest.approx(440, rel=2e-3)
    assert not sound[: RATE_HZ // 2].any()
    assert np.abs(sound[RATE_HZ // 2 : RATE_HZ // 2 + 400]).max() > 0.1
    assert np.abs(sound).max() == pytest.approx(PEAK)
    short = render.waveform_of(song, rate_hz=RATE_HZ, synthesiser="built-in", seconds=0.75)
    assert len(short) == 12_000


def test_hats_are_heard_on_the_beats_above_the_chords():
    chroma = np.zeros((75, 12))
    chroma[:, [0, 4, 7]] = 1.0, 0.6, 0.8
    beats = np.array([0.6, 1.2, 1.8, 2.4])
    song = render.notes(chroma, beats)
    sound = render.waveform_of(song, rate_hz=RATE_HZ, synthesiser="built-in", seconds=3.0)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(PEAK)
    hiss = np.diff(sound, n=4)  # keeps the noise, nearly nothing of the strings
    power = np.square(hiss[: 300 * 159]).reshape(-1, 159).mean(axis=1)
    loud = power > 0.1 * power.max()
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    assert starts * 159 / RATE_HZ == pytest.approx(beats, abs=0.02)


@pytest.mark.parametrize("pitch", [36, 38, 42, 46, 75])
def test_a_hit_has_no_click(pitch):
    sound = percussion.hit(pitch, RATE_HZ)
    assert sound[0] == pytest.approx(0, abs=1e-12)
    assert abs(sound[-1]) < 1e-3
    assert 0.1 < np.abs(sound).max() <= 1
    assert np.array_equal(sound, percussion.hit(pitch, RATE_HZ))


def test_nothing_to_play_is_silence():
    empty = render.notes(np.zeros((10, 12)), np.zeros(0))
    sound = render.waveform_of(empty, rate_hz=RATE_HZ)
    assert len(sound) > 0
    assert not sound.any()


def test_wrong_requests_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="rate_hz must be above 0, got 0"):
        render.waveform_of(some_score(), rate_hz=0)
    with pytest.raises(ValueError, match="seconds must be above 0, got 0"):
        render.waveform_of(some_score(), seconds=0.0)
    monkeypatch.setitem(sys.modules, "fluidsynth", None)  # importing it raises ImportError
    with pytest.raises(ValueError, match="fluidsynth cannot be loaded"):
        render.waveform_of(some_score(), synthesiser="fluidsynth")


def test_fluidsynth_is_taken_where_it_can_be_loaded(monkeypatch):
    played = np.array([0.0, 0.2, -0.4])
    monkeypatch.setitem(sys.modules, "fluidsynth", ModuleType("fluidsynth"))
    monkeypatch.setattr(pretty_midi.PrettyMIDI, "fluidsynth", lambda self, fs: played)
    sound = render.waveform_of(some_score(), rate_hz=RATE_HZ)
    assert sound == pytest.approx([0.0, PEAK / 2, -PEAK])
