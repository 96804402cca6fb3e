"""Figure 6 shows the notes it is given; sets of scores become files."""

import io

import numpy as np
import pretty_midi
import pytest
import soundfile
from jaxtyping import TypeCheckError
from matplotlib.colors import to_hex

from pasdedeux.music import score
from pasdedeux.music.score import DRUMS, Score
from pasdedeux.report import compositions


def piece(seed: int, count: int = 17) -> Score:
    draw = np.random.default_rng(seed)
    return score.of(
        draw.integers(50, 71, count),
        draw.uniform(0, 7, count),
        draw.uniform(0.1, 1.3, count),
        instrument=np.where(np.arange(count) % 5, 0, DRUMS),
    )


def rectangles(axes, colour) -> np.ndarray:
    """Return left, bottom, width and height of all notes of this colour."""
    found = []
    for part in axes.collections:
        if to_hex(part.get_facecolor()[0]) == colour.lower():
            for path in part.get_paths():
                low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
                found.append([*low, *(high - low)])
    return np.array(sorted(found))


def test_each_note_is_drawn_at_its_time_in_its_half_of_the_row():
    generated, original = piece(0), piece(1, 23)
    drawn = compositions.figure_6(generated, original)
    roll = drawn.axes[0]
    for given, colour, below in (
        (original, compositions.ORIGINAL, 0.0), (generated, compositions.GENERATED, -0.5),
    ):  # fmt: skip
        heard = given.only(~given.is_drum)
        expected = [
            [onset, pitch + below, length, 0.5]
            for onset, pitch, length in zip(
                heard.onset_seconds, heard.pitch, heard.duration_seconds, strict=True
            )
        ]
        assert rectangles(roll, colour) == pytest.approx(np.array(sorted(expected)))
    assert roll.get_xlim() == (0.0, max(generated.seconds, original.seconds))


def test_the_histogram_counts_onsets_by_pitch():
    generated, original = piece(2), piece(3)
    bars = compositions.figure_6(generated, original, start_seconds=2.0, seconds=3.0).axes[1]
    for given, colour, middle in (
        (original, compositions.ORIGINAL, 0.25), (generated, compositions.GENERATED, -0.25),
    ):  # fmt: skip
        found = {
            round(bar.get_y() + bar.get_height() / 2 - middle): bar.get_width()
            for bar in bars.patches
            if to_hex(bar.get_facecolor()) == colour.lower()
        }
        inside = (given.onset_seconds >= 2) & (given.onset_seconds < 5) & ~given.is_drum
        pitches, counts = np.unique(given.pitch[inside], return_counts=True)
        assert found == dict(zip(pitches.tolist(), counts.tolist(), strict=True))


def test_what_ended_before_is_not_shown():
    early = score.of(np.array([90, 60]), np.array([0.0, 3.0]), np.array([1.0, 1.0]))
    roll = compositions.figure_6(early, early, start_seconds=2.0).axes[0]
    assert roll.get_ylim() == (57.5, 62.5)


def test_the_same_bytes_again_and_one_piece_may_rest():
    silent = score.of(np.zeros(0, int), np.zeros(0), np.zeros(0))
    first, second = (
        compositions.figure_6(silent, piece(4), title="Waltz")._repr_png_() for _ in range(2)
    )
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_an_empty_span_is_refused():
    silent = score.of(np.zeros(0, int), np.zeros(0), np.zeros(0))
    drums = piece(5).only(piece(5).is_drum)
    for pair, span, told in (
        ((silent, silent), {}, "nothing lies between second 0 and 0"),
        ((piece(5), piece(6)), {"start_seconds": 9.0}, "nothing lies between second 9"),
        ((piece(5), piece(6)), {"seconds": -1.0}, "choose another span"),
        ((drums, drums), {}, "no note sounds from second 0"),
    ):
        with pytest.raises(ValueError, match=told):
            compositions.figure_6(*pair, **span)


@pytest.mark.parametrize("audio", ["ogg", "wav"])
def test_scores_become_files(tmp_path, audio):
    scores = {"generated": piece(7), "original": piece(8, 5)}
    folder = tmp_path / "music"
    files = compositions.export(scores, folder, audio=audio)
    names = [f"{name}.{kind}" for name in scores for kind in ("mid", audio)]
    assert [file.name for file in files] == names
    assert sorted(folder.iterdir()) == sorted(files)
    for name, given in scores.items():
        midi = pretty_midi.PrettyMIDI(str(folder / f"{name}.mid"))
        back = score.from_pretty_midi(midi)
        assert sorted(back.pitch.tolist()) == sorted(given.pitch.tolist())
        sound, rate_hz = soundfile.read(folder / f"{name}.{audio}")
        assert len(sound) / rate_hz > given.seconds
        assert 0.5 < np.abs(sound).max() <= 1
    before = [file.read_bytes() for file in files]
    compositions.export(scores, folder, audio=audio)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("name", ["", "..", "folder/song"])
def test_names_are_judged_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match="no plain file name"):
        compositions.export({"fine": piece(9), name: piece(9)}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_of_sound_is_refused(tmp_path):
    with pytest.raises((ValueError, TypeCheckError), match="audio"):
        compositions.export({"fine": piece(9)}, tmp_path, audio="mp3")


def test_a_wav_holds_the_sound():
    sound = 0.5 * np.sin(np.arange(1009) / 7)
    back, rate_hz = soundfile.read(io.BytesIO(compositions.wav(sound, 8_000)))
    assert rate_hz == 8_000
    assert back == pytest.approx(sound, abs=1e-4)
    with pytest.raises(ValueError, match="at least one sample"):
        compositions.wav(np.zeros(0))
