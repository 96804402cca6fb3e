"""The built-in band: what it says it plays is what sounds."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from pasdedeux.music import band
from pasdedeux.music.band import composed, played
from pasdedeux.music.style import Chord, chord, styles
from pasdedeux.music.timbre import DRUMS, VOICES, drum, note

STYLES = tuple(styles())
RATE_HZ = 16_000


def _piece(style, *, seconds=11.0, seed=0):
    return composed(style, seconds=seconds, generator=np.random.default_rng(seed))


def _sound(piece, *, rate_hz=RATE_HZ, seed=1):
    return played(piece, rate_hz, np.random.default_rng(seed))


def _chroma(sound, rate_hz, *, low=100.0, high=2000.0):
    """Return the energy of each pitch class in one stretch of sound, by a plain FFT."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound))) ** 2
    hertz = np.fft.rfftfreq(4 * len(sound), 1 / rate_hz)
    inside = (hertz > low) & (hertz < high)
    classes = np.round(69 + 12 * np.log2(hertz[inside] / 440)).astype(int) % 12
    return np.bincount(classes, weights=spectrum[inside], minlength=12)


@pytest.mark.parametrize("style", STYLES)
def test_a_piece_keeps_the_tempo_and_the_metre_of_its_style(style):
    piece, kind = _piece(style, seconds=23.0), styles()[style]
    periods = np.diff(piece.beat_seconds)
    assert kind.bpm[0] * (1 - kind.drift) <= piece.bpm <= kind.bpm[1] * (1 + kind.drift)
    assert piece.bpm == pytest.approx(60 / periods.mean())
    assert np.ptp(periods) <= 2.1 * kind.drift * periods.mean() + 1e-9
    assert 0 < piece.beat_seconds[0] < periods[0]
    assert 0 <= piece.seconds - piece.beat_seconds[-1] < 1.02 * periods[-1]
    assert len(piece.chords) == len(piece.beat_seconds)
    assert np.array_equal(piece.downbeat_seconds, piece.beat_seconds[:: piece.beats_per_bar])


def test_only_the_waltz_is_in_three():
    assert [style for style in STYLES if styles()[style].beats_per_bar == 3] == ["Waltz"]
    assert {styles()[style].beats_per_bar for style in STYLES} == {3, 4}


@pytest.mark.parametrize("style", STYLES)
def test_the_sound_is_loud_enough_and_never_clips_or_clicks(style):
    piece = _piece(style)
    sound = _sound(piece)
    assert sound.dtype == np.float32
    assert len(sound) == 11 * RATE_HZ
    assert np.isfinite(sound).all()
    assert 0.4 < np.abs(sound).max() <= band.PEAK
    assert 0.1 < np.sqrt(np.mean(sound**2)) < 0.15
    assert abs(sound[0]) < 1e-6
    assert abs(sound[-1]) < 1e-6
    assert abs(sound.mean()) < 0.01


@pytest.mark.parametrize("style", STYLES)
def test_no_beat_is_silent_and_onsets_are_known(style):
    piece = _piece(style)
    sound, onsets = _sound(piece), piece.onset_seconds
    assert np.all(np.diff(onsets) > 0)
    for beat in piece.beat_seconds[:-1]:
        start = round(beat * RATE_HZ)
        assert np.abs(sound[start : start + RATE_HZ // 5]).max() > 0.03
    on_grid = np.abs(piece.beat_seconds[:, None] - onsets[None]).min(axis=1) < 0.03
    assert on_grid.mean() > 0.85


@pytest.mark.parametrize("style", STYLES)
def test_the_pitch_classes_of_the_chords_dominate(style):
    """The true chords hold more of the energy than the same chords a semitone or a tritone off."""
    piece = _piece(style, seconds=13.0)
    notes = tuple(n for n in piece.notes if n.pitch >= 0)  # drums have no pitch class
    without_drums = replace(piece, notes=notes)
    sound = _sound(without_drums)
    shares = np.zeros(12)
    edges = zip(piece.beat_seconds, piece.beat_seconds[1:], piece.chords, strict=False)
    for start, end, now in edges:
        part = sound[round(start * RATE_HZ) : round(end * RATE_HZ)]
        energy = _chroma(part, RATE_HZ)
        for shift in range(12):
            classes = [(c + shift) % 12 for c in now.pitch_classes]
            shares[shift] += energy[classes].sum() / max(energy.sum(), 1e-12)
    shares /= len(piece.beat_seconds) - 1
    assert shares.argmax() == 0
    assert shares[0] > 0.5


@pytest.mark.slow
def test_a_beat_tracker_finds_the_beats_of_nearly_every_style():
    import librosa

    scores = {}
    for style in STYLES:
        piece = _piece(style, seconds=17.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sound = _sound(piece, rate_hz=22_050)
            strength = librosa.onset.onset_strength(y=sound, sr=22_050)
            usual = float(np.mean(styles()[style].bpm))
            bpm = librosa.feature.tempo(
                onset_envelope=strength, sr=22_050, start_bpm=usual, std_bpm=0.15
            )
            _, found = librosa.beat.beat_track(
                onset_envelope=strength, sr=22_050, bpm=float(bpm[0]), units="time", trim=False
            )
        near = np.abs(piece.beat_seconds[:, None] - found[None]) < 0.07
        recall, precision = near.any(axis=1).mean(), near.any(axis=0).mean()
        scores[style] = 2 * recall * precision / max(recall + precision, 1e-9)
    assert sum(score > 0.9 for score in scores.values()) >= 13, scores


def test_the_same_generator_plays_the_same_piece_and_another_one_another():
    one, same, other = (_piece("Lock", seed=seed) for seed in (5, 5, 6))
    assert one.notes == same.notes
    assert one.notes != other.notes
    assert np.array_equal(_sound(one), _sound(same))
    assert not np.array_equal(_sound(one), _sound(other))


def test_the_rate_changes_the_samples_and_not_the_music():
    piece = _piece("Tango")
    coarse, fine = _sound(piece, rate_hz=12_000), _sound(piece, rate_hz=24_000)
    assert len(fine) == 2 * len(coarse)
    loud = [np.sqrt(np.mean(s.reshape(110, -1) ** 2, axis=1)) for s in (coarse, fine)]
    assert np.corrcoef(*loud)[0, 1] > 0.9


def test_numerals_name_the_chords_of_a_key():
    c_major, a_minor = Chord(0, "major"), Chord(9, "minor")
    assert chord("I", c_major).pitch_classes == (0, 4, 7)
    assert chord("ii", c_major).pitch_classes == (2, 5, 9)
    assert chord("V", c_major) == Chord(7, "major")
    assert chord("bVII", c_major) == Chord(10, "major")
    assert chord("V", a_minor).pitch_classes == (4, 8, 11)
    assert chord("VI", a_minor) == Chord(5, "major")
    with pytest.raises(ValueError, match="numeral must be I to VII, got 'X'"):
        chord("X", c_major)


def test_wrong_requests_are_refused():
    with pytest.raises(ValueError, match=r"style must be one of .* Did you mean 'Waltz'"):
        composed("Walz", seconds=5, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="seconds must be from 1 to 3600, got 0.5"):
        composed("Waltz", seconds=0.5, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="rate_hz must be at least 8000"):
        _sound(_piece("Waltz"), rate_hz=50)
    with pytest.raises(ValueError, match="a multiple of 16 signs, got 'x...'"):
        replace(styles()["House"], bass=("x...",))


@pytest.mark.parametrize("voice", VOICES)
def test_a_note_has_its_pitch_and_its_length_and_ends_in_silence(voice):
    sound = note(voice, 57, 0.5, RATE_HZ)
    assert len(sound) == round((0.5 + 0.06) * RATE_HZ)
    assert abs(sound[0]) < 0.2
    assert abs(sound[-1]) < 0.02
    chroma = _chroma(sound[:8000], RATE_HZ, high=250)
    assert chroma.argmax() == 9


def test_a_high_note_at_a_low_rate_does_not_fold_back():
    """A7 at 8000 samples a second: one partial fits, nothing may sound below it."""
    sound = note("saw", 105, 0.4, 8000)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 8000)
    low = spectrum[hertz < 3000].sum() / spectrum.sum()
    assert low < 0.01


@pytest.mark.parametrize("name", DRUMS)
def test_a_drum_begins_loud_and_ends_in_silence(name):
    sound = drum(name, RATE_HZ, np.random.default_rng(0))
    assert 0.2 < np.abs(sound).max() < 2.5
    assert np.abs(sound[-20:]).max() < 0.02
    with pytest.raises(ValueError, match="drum must be one of"):
        drum("gong", RATE_HZ, np.random.default_rng(0))
