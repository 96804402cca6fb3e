"""Sound: the right pitch at the right time, no clicks, the same bytes again."""

import io
import sys
from types import ModuleType

import numpy as np
import pytest
import soundfile

from pasdedeux.music import audio
from pasdedeux.music.audio import PEAK, RATE_HZ, has_fluidsynth, ogg, waveform
from pasdedeux.music.melody import Melody


def melody(*notes: tuple[int, float, float]) -> Melody:
    pitch, onset, duration = zip(*notes, strict=True) if notes else ((), (), ())
    return Melody("m", np.array(pitch, int), np.array(onset, float), np.array(duration, float))


def loudest_hz(sound: np.ndarray, rate_hz: int) -> float:
    strength = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17))
    return float(np.argmax(strength)) * rate_hz / (1 << 17)


@pytest.mark.parametrize(("pitch", "hz"), [(69, 440.0), (60, 261.626), (88, 1318.51)])
def test_a_note_has_its_frequency(pitch: int, hz: float) -> None:
    sound = waveform(melody((pitch, 0.0, 2.0)), bpm=60.0, rate_hz=16_000, synthesiser="built-in")
    assert loudest_hz(sound[800:24_000], 16_000) == pytest.approx(hz, rel=2e-3)


def test_notes_sound_when_they_should() -> None:
    rate = 8_000
    tune = melody((60, 3.0, 1.0), (67, 5.0, 0.5))  # begins with its first note
    sound = waveform(tune, bpm=120.0, rate_hz=rate, synthesiser="built-in")
    second = rate // 2  # samples in a quarter at 120 bpm
    power = [float(np.square(sound[i * second : (i + 1) * second]).mean()) for i in range(3)]
    assert power[1] < 0.05 * power[0]  # a released string, then silence
    assert power[2] > 10 * power[1]
    assert loudest_hz(sound[2 * second : 2 * second + 1500], rate) == pytest.approx(392, rel=0.02)
    assert np.abs(sound).max() == pytest.approx(PEAK)


def test_no_click_at_either_end_of_a_note() -> None:
    tone = audio._tone(69, 0.3, RATE_HZ)
    assert tone[0] == 0
    assert abs(tone[-1]) < 1e-12
    jumps = np.abs(np.diff(tone))
    assert jumps[-40:].max() < 0.02 * jumps.max()
    assert jumps[:4].max() < 0.2 * jumps.max()


def test_harmonics_above_half_the_rate_are_left_out() -> None:
    sound = waveform(melody((100, 0.0, 2.0)), bpm=60.0, rate_hz=6_000, synthesiser="built-in")
    assert loudest_hz(sound[:6_000], 6_000) == pytest.approx(2637, rel=2e-3)
    strength = np.abs(np.fft.rfft(sound[300:6_300] * np.hanning(6_000)))
    assert strength[:2_500].max() < 0.01 * strength.max()  # a second harmonic would fold to 726 Hz


def test_an_empty_melody_is_silence() -> None:
    sound = waveform(melody(), rate_hz=8_000)
    assert len(sound) > 0
    assert not sound.any()
    assert len(ogg(sound, 8_000)) > 0


def test_wrong_requests_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="bpm must be above 0, got 0"):
        waveform(melody(), bpm=0.0)
    with pytest.raises(ValueError, match="rate_hz must be above 0, got 0"):
        waveform(melody(), rate_hz=0)
    with pytest.raises(ValueError, match="at least one sample"):
        ogg(np.zeros(0))
    monkeypatch.setitem(sys.modules, "fluidsynth", None)  # importing it raises ImportError
    assert not has_fluidsynth()
    with pytest.raises(ValueError, match="fluidsynth cannot be loaded; install"):
        waveform(melody((60, 0.0, 1.0)), synthesiser="fluidsynth")


def test_fluidsynth_is_taken_where_it_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Played:
        def fluidsynth(self, fs: int) -> np.ndarray:
            asked.append(fs)
            return np.array([0.0, 0.25, -0.5])

    monkeypatch.setitem(sys.modules, "fluidsynth", ModuleType("fluidsynth"))
    monkeypatch.setattr(audio, "to_pretty_midi", lambda melody, bpm: Played())
    sound = waveform(melody((60, 0.0, 1.0)), rate_hz=11_025)
    assert asked == [11_025]
    assert sound.tolist() == pytest.approx([0.0, PEAK / 2, -PEAK])
    assert waveform(melody((60, 0.0, 1.0)), synthesiser="built-in").shape != sound.shape
    assert not waveform(melody()).any()  # silence needs no synthesiser


def test_ogg_is_small_and_decodes_to_the_same_sound() -> None:
    notes = [(60 + 7 * i % 24, 0.5 * i, 0.5) for i in range(40)]  # 10 s at 120 bpm
    sound = waveform(melody(*notes), synthesiser="built-in")
    encoded = ogg(sound)
    assert len(sound) / RATE_HZ == pytest.approx(10.3, abs=0.2)
    assert 4 * len(encoded) / 3 < 60_000  # as base64, in a notebook
    decoded, rate_hz = soundfile.read(io.BytesIO(encoded))
    assert rate_hz == RATE_HZ
    assert len(decoded) == len(sound)
    assert np.corrcoef(decoded, sound)[0, 1] > 0.98


def test_ogg_bytes_are_the_same_again() -> None:
    sound = waveform(melody((60, 0.0, 3.0)), rate_hz=8_000, synthesiser="built-in")
    assert ogg(sound, 8_000) == ogg(sound, 8_000)


def test_ogg_checksum_by_known_answer() -> None:
    assert audio._ogg_checksum(b"") == 0
    # CRC-32 with polynomial 04C11DB7, no reflection, start 0 and no final inversion
    assert audio._ogg_checksum(b"123456789") == 0x89A1897F
