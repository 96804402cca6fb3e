"""Notes guessed from sound: known notes are found, silence has none, and the way back to sound."""

import numpy as np
import pytest

from pasdedeux.music import transcribed as tr
from pasdedeux.music.audio import tones

CHORDS = ((3, (0,)), (11, (4, 9)), (21, (2, 7, 11)), (30, (5,)))  # slot and classes
SLOTS = 50


def _roll(chords=CHORDS):
    roll = np.zeros((SLOTS, 12), int)
    slots = [slot for slot, _ in chords] + [SLOTS]
    for place, (slot, classes) in enumerate(chords):
        roll[slot, list(classes)] = slots[place + 1] - slot
    return roll


def test_notes_that_were_played_are_found_where_they_began():
    wanted = _roll()
    sound = tr.played(wanted[None], SLOTS * tr.SLOT_SAMPLES)[0]
    found = tr.transcribed(sound, tr.TranscriptSettings(threshold=0.3))
    slots = np.flatnonzero(found.any(1))
    assert len(slots) == len(CHORDS)
    for (slot, classes), begin in zip(CHORDS, slots, strict=True):
        assert abs(begin - slot) <= 1
        assert np.flatnonzero(found[begin]).tolist() == list(classes)
    assert np.array_equal(found.max(1)[slots], np.diff([*slots, SLOTS]))


def test_one_voice_keeps_the_strongest_class():
    time = np.arange(SLOTS * tr.SLOT_SAMPLES) / tr.RATE_HZ
    hertz = 440.0 * 2.0 ** (np.array([-9, -2]) / 12)  # C and G
    sound = 0.5 * np.sin(2 * np.pi * hertz[0] * time) + 0.2 * np.sin(2 * np.pi * hertz[1] * time)
    sound[time < 0.5] = 0
    found = tr.transcribed(sound, tr.TranscriptSettings(voices=1))
    assert np.unique(np.nonzero(found)[1]).tolist() == [0]
    assert abs(np.flatnonzero(found.any(1))[0] - 12.5) <= 1.5


def test_a_note_ends_where_the_music_is_silent():
    seconds = np.array([0.2]), np.array([0.3])
    struck = tones(np.array([64]), *seconds, rate_hz=tr.RATE_HZ)
    sound = np.pad(struck, (0, SLOTS * tr.SLOT_SAMPLES))[: SLOTS * tr.SLOT_SAMPLES]
    found = tr.transcribed(sound)
    (slot,) = np.flatnonzero(found.any(1))
    assert slot == 5
    assert 7 <= found[slot, 4] <= 10


def test_silence_has_no_notes_and_no_notes_are_silence():
    nothing = np.zeros((2, SLOTS, 12), int)
    assert not tr.transcribed(np.zeros(44_100)).any()
    assert not tr.played(nothing, 44_100).any()


def test_sound_is_as_long_as_asked_and_its_peak_is_that_of_the_clips():
    rolls = np.stack([_roll(), np.zeros_like(_roll()), _roll(CHORDS[:2])])
    rolls[0, SLOTS - 1, 3] = 40  # outlasts the clip
    sound = tr.played(rolls, 44_100)
    assert sound.shape == (3, 44_100)
    assert sound.dtype == np.float32
    np.testing.assert_allclose(np.abs(sound).max(1), [0.95, 0, 0.95], rtol=1e-6)
    assert not sound[0, : 3 * tr.SLOT_SAMPLES].any(), "silence before the first note"


def test_a_score_holds_every_note_of_the_roll():
    notes = tr.score_of(_roll())
    assert notes.pitch.tolist() == [60, 64, 69, 62, 67, 71, 65]
    np.testing.assert_allclose(notes.onset_seconds, np.array([3, 11, 11, 21, 21, 21, 30]) / 25)
    np.testing.assert_allclose(notes.duration_seconds[[0, -1]], [8 / 25, 20 / 25])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: tr.transcribed(np.full(44_100, np.nan)), "sound must be finite"),
        (lambda: tr.transcribed(np.ones(100)), "at least 4096 samples long"),
        (lambda: tr.score_of(-_roll()), "lengths of 0 slots and more"),
        (lambda: tr.played(_roll()[None], 0), "samples must be at least 1"),
        (lambda: tr.TranscriptSettings(voices=0), "voices must be 1 to 12"),
        (lambda: tr.TranscriptSettings(threshold=0.0), "threshold must lie"),
        (lambda: tr.TranscriptSettings(silence=1.0), "silence must lie"),
    ],
)
def test_what_cannot_be_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong()
