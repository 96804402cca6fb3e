"""`pasdedeux dance` and `compose`: real files in, real files out, and clear errors."""

import errno
import io
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import dances
import numpy as np
import pretty_midi
import pytest
import soundfile

from pasdedeux import cli
from pasdedeux.engine import bar, use
from pasdedeux.motion import export
from pasdedeux.papers import dual

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")
TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=5, steps=2,
    rates=((0, 1e-2),), pairs=dances.FEW, workers=1,
)  # fmt: skip


@pytest.fixture
def song(project):
    """A trained run in the project, and 6.2 seconds of clicks and a chord."""
    dual.train(TINY, dances.pairs(), 0)
    time = np.arange(int(6.2 * 22_050)) / 22_050
    sound = sum(0.1 * np.sin(2 * np.pi * f * time) for f in (220.0, 277.2, 329.6))
    for beat in np.arange(0.2, 6, 0.5):
        place = int(beat * 22_050)
        sound[place : place + 200] += 0.6 * np.sin(np.arange(200))
    path = project / "song.wav"
    soundfile.write(path, sound, 22_050)
    return path


def test_a_song_becomes_a_dance_and_the_dance_becomes_music(song, project, capsys):
    npz = project / "dance.npz"
    assert cli.main(["dance", str(song), "-o", str(npz), "--seed", "3"]) == 0
    assert "wrote dance.npz" in capsys.readouterr().out
    moved = export.read_npz(npz)
    assert len(moved.translation) == 155
    assert np.isfinite(moved.rotations).all()
    midi = project / "song.mid"
    assert cli.main(["compose", str(npz), "-o", str(midi)]) == 0
    notes = [n for part in pretty_midi.PrettyMIDI(str(midi)).instruments for n in part.notes]
    assert notes
    again = ["dance", str(song), "-o", str(npz), "--force", "--seed"]
    assert cli.main([*again, "3"]) == 0
    assert np.array_equal(export.read_npz(npz).rotations, moved.rotations)
    assert cli.main([*again, "4"]) == 0
    assert not np.array_equal(export.read_npz(npz).rotations, moved.rotations)


@pytest.mark.parametrize(
    ("ending", "place", "begins"),
    [
        (".bvh", 0, b"HIERARCHY"),
        (".GIF", 0, b"GIF8"),
        pytest.param(".mp4", 4, b"ftyp", marks=needs_ffmpeg),
    ],
)
def test_a_dance_can_be_seen_elsewhere(song, project, ending, place, begins):
    out = use.dance(song, project / f"dance{ending}")
    assert out.read_bytes()[place:].startswith(begins)


@needs_ffmpeg
def test_a_film_sounds_as_long_as_its_song(song, project):
    out = use.dance(song, project / "dance.mp4")
    asked = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,duration", "-of", "csv"]
    told = subprocess.run([*asked, str(out)], capture_output=True, text=True, check=True).stdout
    lengths = {line.split(",")[1]: float(line.split(",")[2]) for line in told.splitlines()}
    assert lengths.keys() == {"video", "audio"}
    assert lengths["video"] == pytest.approx(6.2, abs=0.05)
    assert lengths["audio"] == pytest.approx(6.2, abs=0.05)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_songs_of_other_kinds_are_danced_to(song, project, kind):
    made = project / f"song.{kind}"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(song), str(made)], check=True)
    moved = export.read_npz(use.dance(made, project / "dance.npz"))
    assert abs(len(moved.translation) - 155) <= 1


@pytest.mark.parametrize("seconds", [3.2, 3.3, 15.7])
def test_any_length_is_danced_and_composed_for(song, project, seconds):
    """From the shortest to many windows; none of them is a whole number of windows long."""
    sound, rate_hz = soundfile.read(song)
    long = np.tile(sound, 3)[: round(seconds * rate_hz)]
    soundfile.write(project / "long.wav", long, rate_hz)
    npz = use.dance(project / "long.wav", project / "dance.npz")
    frames = int(seconds * 25 + 1e-6)
    assert len(export.read_npz(npz).translation) == frames
    piece = use.compose(npz, project / "piece.wav")
    assert soundfile.info(piece).duration == pytest.approx(seconds, abs=3)


def test_every_window_and_every_picture_is_told(song, project, monkeypatch):
    told = []

    @contextmanager
    def kept(task):
        yield lambda done, total: told.append((task, done, total))

    monkeypatch.setattr(use.bar, "told", kept)
    use.dance(song, project / "dance.gif")
    windows = -(-155 // dances.T)
    rows = [(done, total) for task, done, total in told if task == "dancing to song.wav"]
    assert rows == [(done, windows) for done in range(windows + 1)]
    rows = [(done, total) for task, done, total in told if task == "drawing dance.gif"]
    assert rows == [(done, 155) for done in range(1, 156)]


def test_on_a_terminal_a_bar_moves_and_goes():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            return 1

    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bar.os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
        with bar.told("dancing", terminal) as told:
            for done in range(8):
                told(done, 7)
    seen = terminal.getvalue()
    assert "dancing |" in seen
    assert "7/7" in seen
    assert "\n" not in seen
    assert seen.rstrip(" ").endswith("\r")


def test_elsewhere_there_are_lines(capsys):
    with bar.told("dancing") as told:
        for done in range(9):
            told(done, 8)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"dancing: {done}/8" for done in (2, 4, 6, 8)]


def test_nothing_that_is_there_is_lost(song, project, capsys):
    """Not even the song, whose name a piece for its dance may well have."""
    npz = use.dance(song, project / "song.npz")
    before = song.read_bytes(), npz.read_bytes()
    for words in (
        ["dance", str(song), "-o", "song.npz"],
        ["compose", "song.npz", "-o", "song.wav"],
    ):
        assert cli.main(words) == 2
        assert "is there already; give another name or --force" in capsys.readouterr().err
    assert (song.read_bytes(), npz.read_bytes()) == before
    assert cli.main(["compose", "song.npz", "-o", "song.wav", "--force"]) == 0
    assert song.read_bytes() != before[0]


def test_where_it_cannot_be_written_is_told_before_the_work(song, project, capsys, monkeypatch):
    monkeypatch.setattr(use.dual_play, "load", None)
    (project / "folder.npz").mkdir()
    for out, told in (("folder.npz", "is a folder"), ("song.wav/d.npz", "cannot be written into")):
        assert cli.main(["dance", str(song), "-o", out]) == 2
        assert told in capsys.readouterr().err
    monkeypatch.setattr(use.film.shutil, "which", lambda _: None)
    assert cli.main(["dance", str(song), "-o", "d.mp4"]) == 2
    assert "install ffmpeg" in capsys.readouterr().err


def test_what_the_disk_refuses_is_told(song, project, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(use.bvh, "write_bvh", lambda *_, **__: full())
    assert cli.main(["dance", str(song), "-o", "d.bvh"]) == 2
    assert "d.bvh cannot be written (No space left on device)" in capsys.readouterr().err


def test_missing_folders_are_made_and_films_do_not_go_on_for_ever(song, project, monkeypatch):
    assert use.dance(song, project / "new" / "folder" / "d.npz").exists()
    monkeypatch.setitem(use.MOST_FRAMES, ".gif", 100)
    with pytest.raises(ValueError, match="song.wav lasts 6 s, a .gif at most 4 s; write .npz"):
        use.dance(song, project / "d.gif")


def test_without_a_trained_run_the_way_to_one_is_told(project, capsys):
    (project / "song.wav").write_bytes(b"")
    assert cli.main(["dance", "song.wav", "-o", "d.npz"]) == 2
    error = capsys.readouterr().err
    assert "no trained dual model" in error
    assert "pasdedeux run" in error


def test_a_tempo_that_is_none_is_refused(song, project):
    with pytest.raises(ValueError, match=r"bpm must lie within 20..400, got 0.0"):
        use.dance(song, project / "d.npz", bpm=0.0)


@pytest.mark.parametrize(("ending", "begins"), [(".wav", b"RIFF"), (".ogg", b"OggS")])
def test_music_can_be_heard(song, project, ending, begins):
    npz = use.dance(song, project / "dance.npz")
    out = use.compose(npz, project / f"music{ending}")
    assert out.read_bytes().startswith(begins)


def test_what_cannot_be_used_is_told_and_nothing_is_written(song, project, capsys):
    silent, short, other = (project / name for name in ("silent.wav", "short.wav", "no.mp3"))
    soundfile.write(silent, np.zeros(22_050 * 5), 22_050)
    soundfile.write(short, 0.1 * np.ones(22_050), 22_050)
    other.write_bytes(b"not audio")
    least = "lasts 1.00 s; give at least 3.2 s of music"
    for file, told in ((silent, "silent"), (short, least), (other, "not audio")):
        assert cli.main(["dance", str(file), "-o", "out.npz"]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert file.name in error
    assert cli.main(["dance", str(song), "-o", "out.docx"]) == 2
    assert "ends in .npz, .bvh, .gif, .mp4" in capsys.readouterr().err
    assert cli.main(["compose", str(song), "-o", "out.mid"]) == 2
    assert "song.wav" in capsys.readouterr().err
    few = export.read_npz(use.dance(song, project / "d.npz"))
    export.write_npz(project / "few.npz", few.translation[:9], few.rotations[:9], rate_hz=25.0)
    assert cli.main(["compose", "few.npz", "-o", "out.mid"]) == 2
    assert "lasts 0.36 s; give a dance of at least 1 s" in capsys.readouterr().err
    assert not (project / "out.npz").exists()
    assert not (project / "out.mid").exists()


def test_a_run_can_be_named(song, project):
    other = dual.train(replace(TINY, noise=4), dances.pairs(), 1)
    out = use.dance(song, project / "a.npz", run=other.run.folder.name)
    assert out.exists()
    with pytest.raises(ValueError, match="nothing-here has no config.json"):
        use.dance(song, project / "b.npz", run="nothing-here")
