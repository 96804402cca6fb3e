"""Recordings written here, whole and damaged, and read again."""

import numpy as np
import pytest
import soundfile

from pasdedeux.music.recording import read

RATE = 44_100
SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}


def _tone(seconds=5.0, rate=RATE, hz=440.0):
    time = np.arange(round(seconds * rate)) / rate
    hiss = 0.02 * np.random.default_rng(0).standard_normal(len(time))
    return (0.4 * np.sin(2 * np.pi * hz * time) + hiss).astype(np.float32)


def _written(folder, kind, sound=None, rate=RATE):
    path = folder / f"tone.{kind}"
    sound = _tone() if sound is None else sound
    soundfile.write(path, sound, rate, format=kind.upper(), subtype=SUBTYPES[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "apart"), [("wav", 1e-4), ("flac", 1e-4), ("mp3", 0.1), ("ogg", 0.1)]
)
def test_what_was_written_is_read(tmp_path, kind, apart):
    found = read(_written(tmp_path, kind), RATE)
    assert found.dtype == np.float32
    assert len(found) == 5 * RATE
    np.testing.assert_allclose(found, _tone(), atol=apart)


@pytest.mark.parametrize("rate", [12_800, 24_000, 48_000])
def test_another_rate_keeps_seconds_and_pitch(tmp_path, rate):
    found = read(str(_written(tmp_path, "mp3")), rate)
    assert found.dtype == np.float32
    assert len(found) == 5 * rate
    strongest = np.abs(np.fft.rfft(found)).argmax() / 5
    assert strongest == pytest.approx(440, abs=0.2)


def test_channels_are_averaged(tmp_path):
    both = np.stack([_tone(), np.zeros(5 * RATE, np.float32)], axis=1)
    np.testing.assert_allclose(read(_written(tmp_path, "wav", both), RATE), _tone() / 2, atol=1e-4)


@pytest.mark.parametrize("kind", sorted(SUBTYPES))
@pytest.mark.parametrize("share", [0.3, 0.9, 0.98])
def test_a_cut_file_is_refused(tmp_path, kind, share):
    path = _written(tmp_path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=rf"tone\.{kind}: .*(cut|damaged).*; get the file anew"):
        read(path, RATE)
    path.write_bytes(whole)
    assert len(read(path, RATE)) == 5 * RATE


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3"])
def test_a_hole_in_a_file_is_found(tmp_path, kind):
    path = _written(tmp_path, kind)
    whole = path.read_bytes()
    third = len(whole) // 3
    path.write_bytes(whole[:third] + bytes(third) + whole[2 * third :])
    with pytest.raises(ValueError, match=rf"tone\.{kind}: .*(cut|damaged)"):
        read(path, RATE)


@pytest.mark.parametrize("content", [b"", b"not a sound at all", b"OggS", b"RIFF", bytes(5000)])
def test_what_is_not_audio_is_refused(tmp_path, content):
    for kind in SUBTYPES:
        path = tmp_path / f"odd.{kind}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"odd\.{kind}: not audio, or damaged"):
            read(path, RATE)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"song\.mp3: no such file; check the path"):
        read(tmp_path / "song.mp3", RATE)
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path, RATE)


def test_silence_is_refused(tmp_path):
    quiet = _written(tmp_path, "wav", np.zeros(RATE, np.float32))
    with pytest.raises(ValueError, match=r"tone\.wav: silent, its peak is 0\.0e\+00"):
        read(quiet, RATE)
    soft = _written(tmp_path, "flac", 1e-3 * _tone())
    assert np.abs(read(soft, RATE)).max() > 1e-4


def test_sound_that_is_not_finite_or_not_there_is_refused(tmp_path):
    path = tmp_path / "tone.wav"
    for broken in (np.array([0.1, np.nan, 0.2]), np.zeros(0)):
        soundfile.write(path, broken, RATE, subtype="FLOAT")
        with pytest.raises(ValueError, match=r"tone\.wav: holds no sound or values"):
            read(path, RATE)


def test_a_short_one_is_refused_where_more_is_needed(tmp_path):
    path = _written(tmp_path, "wav")
    assert len(read(path, RATE, least_seconds=5.0)) == 5 * RATE
    with pytest.raises(ValueError, match=r"tone\.wav: 5\.00 s long, 5\.10 s are needed"):
        read(path, RATE, least_seconds=5.1)
    with pytest.raises(ValueError, match="rate_hz must be above 0, got 0"):
        read(path, 0)


def test_a_wav_written_to_a_pipe_has_no_length_to_hold_it_to(tmp_path):
    path = _written(tmp_path, "wav")
    whole = bytearray(path.read_bytes())
    whole[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(whole)
    assert len(read(path, RATE)) == 5 * RATE
