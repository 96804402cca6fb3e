"""Chroma and beats to notes and back: the rules by hand, by brute force, and on known chords."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.music import render
from pasdedeux.music.render import RenderSettings
from pasdedeux.music.score import DRUMS

TRIADS = {"C": (0, 4, 7), "Am": (9, 0, 4), "F": (5, 9, 0), "G": (7, 11, 2)}


def chroma_of_chords(names: tuple[str, ...], frames: int) -> np.ndarray:
    """The root is strongest, then the fifth, then the third; the rest is faint."""
    rows = np.full((len(names), 12), 0.1)
    for row, name in zip(rows, names, strict=True):
        root, third, fifth = TRIADS[name]
        row[[root, fifth, third]] = 1.0, 0.8, 0.6
    return np.repeat(rows, frames, axis=0)


def listed(score) -> list[tuple]:
    """Pitch, onset and end in frames, velocity, of all notes that are no drums."""
    begin, end = score.onset_seconds, score.onset_seconds + score.duration_seconds
    columns = (score.pitch, np.round(25 * begin, 6), np.round(25 * end, 6), score.velocity)
    table = np.stack(columns, axis=1)[~score.is_drum]
    return sorted(tuple(float(value) for value in row) for row in table)


def test_one_chord_by_hand():
    found = render.notes(chroma_of_chords(("C",), 11), np.array([0.0]))
    assert listed(found) == [
        (48, 0, 11, 120),  # the bass doubles the strongest class
        (60, 0, 11, 120),
        (64, 0, 11, 88),  # 40 + 80 * 0.6
        (67, 0, 11, 104),
    ]
    hats = found.only(found.is_drum)
    assert hats.pitch.tolist() == [42]
    assert hats.velocity.tolist() == [80]
    assert set(found.instrument.tolist()) == {0, DRUMS}


def test_repeated_classes_are_merged_into_one_note():
    beats = np.array([0.0, 0.4, 0.8])
    found = listed(render.notes(chroma_of_chords(("C", "Am", "F"), 10), beats))
    assert [note for note in found if note[0] == 60] == [(60, 0, 30, 120)]
    assert [note for note in found if note[0] == 64] == [(64, 0, 20, 104)]  # its loudest segment
    assert [note for note in found if note[0] == 69] == [(69, 10, 30, 120)]
    assert [note[:3] for note in found if note[0] < 60] == [(48, 0, 10), (53, 20, 30), (57, 10, 20)]


@pytest.mark.parametrize(("threshold", "voices", "kept"), [
    (0.5, 3, {0, 4, 7}), (0.7, 3, {0, 7}), (0.9, 3, {0}), (0.5, 2, {0, 7}), (0.05, 1, {0}),
    (0.05, 12, set(range(12))),
])  # fmt: skip
def test_thresholds_and_voices(threshold, voices, kept):
    settings = RenderSettings(threshold=threshold, voices=voices)
    found = render.notes(chroma_of_chords(("C",), 7), np.zeros(0), settings)
    assert {note[0] - 60 for note in listed(found) if note[0] >= 60} == kept


def test_of_equal_classes_the_lower_come_first():
    found = render.chords(np.ones((5, 12)), np.zeros(0))
    assert np.flatnonzero(found.strength[0]).tolist() == [0, 1, 2]
    assert found.strongest.tolist() == [0]


def slow_sets(chroma, beat_frames, parts, threshold):
    """The rule, segment by segment, for beats on frames from 0 to the end."""
    sets = []
    for left, right in zip(beat_frames[:-1], beat_frames[1:], strict=True):
        cuts = [
            left + (2 * (right - left) * part + parts) // (2 * parts) for part in range(parts + 1)
        ]
        for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
            total = [sum(float(row[c]) for row in chroma[begin:end]) for c in range(12)]
            ranked = sorted(range(12), key=lambda c: (-total[c], c))
            kept = {c for c in ranked[:3] if total[c] >= threshold * total[ranked[0]]}
            sets.append((begin, end, kept, ranked[0]))
    return sets


@given(st.integers(0, 999), st.sampled_from([1, 2, 3]), st.sampled_from([0.31, 0.5, 0.73]))
def test_segments_against_a_plain_loop(seed, parts, threshold):
    draw = np.random.default_rng(seed)
    steps = draw.integers(7, 19, size=5)
    beat_frames = np.concatenate([[0], np.cumsum(steps)])
    chroma = draw.uniform(size=(int(beat_frames[-1]), 12))
    settings = RenderSettings(segments_per_beat=parts, threshold=threshold)
    found = render.chords(chroma, beat_frames / 25, settings)
    slow = slow_sets(chroma, beat_frames.tolist(), parts, threshold)
    edges = np.floor(found.edge_seconds * 25 + 0.500001).astype(int)
    assert edges.tolist() == [begin for begin, *_ in slow] + [len(chroma)]
    assert [set(np.flatnonzero(row)) for row in found.strength] == [kept for *_, kept, _ in slow]
    assert found.strongest.tolist() == [top for *_, top in slow]
    played = render.chroma_of(render.notes(chroma, beat_frames / 25, settings), len(chroma))
    for begin, end, kept, _ in slow:
        assert all(set(np.flatnonzero(row)) == kept for row in played[begin:end])


def test_chords_come_back_from_the_notes():
    names = ("C", "Am", "F", "G", "C")
    chroma = chroma_of_chords(names, 13)
    score = render.notes(chroma, 0.52 * np.arange(5.0))
    back = render.chroma_of(score, len(chroma))
    assert (back.argmax(axis=1) == chroma.argmax(axis=1)).mean() > 0.9
    assert ((back > 0) == (chroma > 0.5)).all()
    assert back.max(axis=1) == pytest.approx(1.0)


def test_chroma_of_adds_powers_and_leaves_drums_out():
    score = render.notes(chroma_of_chords(("G",), 5), np.array([0.04]))
    row = render.chroma_of(score, 7)
    loud = np.hypot(120, 120)
    assert row[0, [7, 2, 11]] == pytest.approx([1.0, 104 / loud, 88 / loud])
    assert np.count_nonzero(row[0]) == 3
    assert not row[5:].any()
    assert render.chroma_of(score, 0).shape == (0, 12)


@pytest.mark.parametrize("beats", [np.zeros(0), np.array([0.4]), np.array([0.2, 0.5])])
def test_silence_has_no_notes_but_its_beats(beats):
    found = render.notes(np.zeros((31, 12)), beats)
    assert found.is_drum.all()
    assert found.onset_seconds == pytest.approx(beats)
    assert len(render.notes(np.zeros((0, 12)), np.zeros(0)).pitch) == 0


def test_the_grid_goes_on_around_the_beats():
    chroma = np.ones((100, 12))
    assert render.chords(chroma, np.zeros(0)).edge_seconds == pytest.approx(np.arange(9) / 2)
    one = render.chords(chroma, np.array([0.7])).edge_seconds
    assert one == pytest.approx([0, 0.2, 0.7, 1.2, 1.7, 2.2, 2.7, 3.2, 3.7, 4])
    two = render.chords(chroma, np.array([1.1, 2.01])).edge_seconds  # notes keep the beat's time
    assert two == pytest.approx([0, 0.19, 1.1, 2.01, 2.92, 3.83, 4])


def test_a_beat_track_gives_the_peak_of_each_run():
    track = np.array([0.6, 0.1, 0.5, 0.9, 0.7, 0.2, 0.49, 0.8])
    assert render.beat_seconds_of(track) * 25 == pytest.approx([0, 3, 7])
    assert render.beat_seconds_of(track, threshold=0.85, rate_hz=10.0) == pytest.approx([0.3])
    assert len(render.beat_seconds_of(np.zeros(0))) == 0
    ones = np.zeros(37)
    ones[[2, 17, 30]] = 1
    assert render.beat_seconds_of(ones) == pytest.approx([0.08, 0.68, 1.2])
    with pytest.raises(ValueError, match="beat track must be finite"):
        render.beat_seconds_of(np.array([np.nan]))


@pytest.mark.parametrize(("chroma", "beats", "told"), [
    (np.full((5, 12), -0.1), [], "chroma must be finite and at least 0"),
    (np.full((5, 12), np.nan), [], "chroma must be finite"),
    (np.ones((50, 12)), [0.5, 0.5], "beat_seconds must increase"),
    (np.ones((50, 12)), [-0.5, 0.5], "beat_seconds must increase"),
    (np.ones((50, 12)), [12.0, 24.0], "last beat is at second 24, .* ends at 2; are the beats in"),
])  # fmt: skip
def test_bad_input_is_refused(chroma, beats, told):
    with pytest.raises(ValueError, match=told):
        render.notes(chroma, np.array(beats, dtype=float))


@pytest.mark.parametrize(("settings", "told"), [
    ({"threshold": 0.0}, "threshold must lie in"), ({"rate_hz": 0.0}, "rate_hz must be above 0"),
    ({"segments_per_beat": 0}, "at least 1, got 0"), ({"voices": 0}, "at least 1, got 0"),
    ({"velocity": (60, 80)}, "velocity must stay in 1..127, got 60"),
    ({"silence": 0.0}, "silence must be above 0"),
    ({"beat_seconds_without_beats": 0.0}, "beat_seconds_without_beats must be above 0"),
])  # fmt: skip
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        RenderSettings(**settings)
