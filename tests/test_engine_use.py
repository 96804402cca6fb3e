"""`pasdedeux dance` and `compose`: real files in, real files out, and clear errors."""

from dataclasses import replace

import dances
import numpy as np
import pretty_midi
import pytest
import soundfile

from pasdedeux import cli
from pasdedeux.engine import use
from pasdedeux.motion import export
from pasdedeux.papers import dual

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
    assert cli.main(["dance", str(song), "-o", str(npz), "--seed", "3"]) == 0
    assert np.array_equal(export.read_npz(npz).rotations, moved.rotations)
    assert cli.main(["dance", str(song), "-o", str(npz), "--seed", "4"]) == 0
    assert not np.array_equal(export.read_npz(npz).rotations, moved.rotations)


@pytest.mark.parametrize(("ending", "begins"), [(".bvh", b"HIERARCHY"), (".gif", b"GIF8")])
def test_a_dance_can_be_seen_elsewhere(song, project, ending, begins):
    out = use.dance(song, project / f"dance{ending}")
    assert out.read_bytes().startswith(begins)


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
    for file, told in ((silent, "silent"), (short, "are needed"), (other, "not audio")):
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
