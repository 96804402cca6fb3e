"""Loudness: the Recommendation's own numbers, and ffmpeg's meter where it is there."""

import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from pasdedeux.music.loudness import HIGHEST_PEAK, equally_loud, k_weighting, loudness_lufs

RATES = (22_050, 44_100, 48_000)


def _sine(hertz, seconds, rate_hz, level=1.0):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz)


def test_the_filters_are_those_of_the_recommendation():
    """BS.1770-4, tables 1 and 2, printed for 48 kHz."""
    shelf, high_pass = k_weighting(48_000)
    b = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    np.testing.assert_allclose(shelf.b, b, atol=1e-9)
    np.testing.assert_allclose(shelf.a, [1, -1.69065929318241, 0.73248077421585], atol=1e-9)
    np.testing.assert_allclose(high_pass.b, [1, -2, 1], atol=1e-12)
    np.testing.assert_allclose(high_pass.a, [1, -1.99004745483398, 0.99007225036621], atol=1e-9)


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_full_scale_sine_of_997_hz_has_minus_3_01(rate_hz):
    """Meters may be 0.1 off (EBU Tech 3341); at 22 kHz the shelf bends by a third of that."""
    assert loudness_lufs(_sine(997, 3, rate_hz), rate_hz) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("rate_hz", RATES)
def test_ten_times_softer_is_20_lower(rate_hz):
    loud, soft = (loudness_lufs(_sine(440, 2, rate_hz, v), rate_hz) for v in (0.8, 0.08))
    assert loud - soft == pytest.approx(20.0, abs=1e-6)


def test_ears_hear_high_better_than_low():
    low, middle, high = (loudness_lufs(_sine(f, 2, 48_000), 48_000) for f in (40, 1000, 4000))
    assert low < middle < high


def test_pauses_do_not_count():
    tone, rate_hz = _sine(997, 4, 22_050, 0.3), 22_050
    paused = np.concatenate([tone, np.zeros(8 * rate_hz)])
    alone = loudness_lufs(tone, rate_hz)
    assert loudness_lufs(paused, rate_hz) == pytest.approx(alone, abs=0.3)
    rms = 20 * math.log10(np.sqrt((paused**2).mean()) / np.sqrt((tone**2).mean()))
    assert rms < -4, "a plain root mean square would count the pause"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH to compare with")
@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_ffmpegs_meter_says_the_same(tmp_path, rate_hz):
    generator = np.random.default_rng(3)
    envelope = np.repeat(generator.uniform(0.0, 0.5, 20), rate_hz // 4)
    tone = _sine(330, 6, rate_hz, 0.4)[: len(envelope)]
    sound = envelope * (0.3 * generator.normal(size=len(envelope)) + tone)
    soundfile.write(tmp_path / "a.wav", sound, rate_hz, "FLOAT")
    command = ["ffmpeg", "-nostdin", "-i", str(tmp_path / "a.wav"), "-af", "ebur128=dualmono=false",
               "-f", "null", "-"]  # fmt: skip
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = float(re.findall(r"I:\s+(-?\d+\.\d) LUFS", told)[-1])
    assert loudness_lufs(sound, rate_hz) == pytest.approx(found, abs=0.15)


def test_a_silent_or_broken_sound():
    assert loudness_lufs(np.zeros(9000), 22_050) == -math.inf
    for bad in (np.zeros(0), np.array([0.1, np.nan])):
        with pytest.raises(ValueError, match="finite samples, at least one"):
            loudness_lufs(bad, 22_050)
    with pytest.raises(ValueError, match="at least 8000"):
        k_weighting(4000)


def test_all_get_the_target_where_no_peak_is_in_the_way():
    rate_hz = 22_050
    sounds = [_sine(200 + 100 * n, 1, rate_hz, 0.01 * 3**n) for n in range(4)]
    made = equally_loud(sounds, rate_hz)
    assert made.lufs == -23.0
    for sound in made.sounds:
        assert loudness_lufs(sound, rate_hz) == pytest.approx(-23.0, abs=1e-6)


def test_one_high_peak_lowers_all_and_nothing_is_clipped():
    rate_hz = 22_050
    click = _sine(300, 1, rate_hz, 0.01)
    click[5000] = 1.0
    made = equally_loud([_sine(440, 1, rate_hz, 0.5), click], rate_hz)
    assert made.lufs < -23.0
    peaks = [float(np.abs(sound).max()) for sound in made.sounds]
    assert max(peaks) == pytest.approx(HIGHEST_PEAK)
    for sound in made.sounds:
        assert loudness_lufs(sound, rate_hz) == pytest.approx(made.lufs, abs=1e-6)


def test_silence_among_sounds_is_named():
    with pytest.raises(ValueError, match=r"sounds \[1\] are silent"):
        equally_loud([_sine(440, 1, 22_050), np.zeros(22_050)], 22_050)
    with pytest.raises(ValueError, match="at least one sound"):
        equally_loud([], 22_050)
