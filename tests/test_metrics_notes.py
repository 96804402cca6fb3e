"""Notes Accuracy and the F1 of notes against plain loops, known answers, and real songs."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from pasdedeux.metrics import notes
from pasdedeux.metrics.notes import NotesSettings

T, RATE_HZ = 211, 25.0
BEATS = np.arange(0.31, T / RATE_HZ, 0.53)
SCALE = np.array([8, 0, 3, 0, 5, 2, 0, 6, 0, 2, 0, 1]) / 8  # C major
PLAIN = NotesSettings(keys="none")


def piece(seed: int = 0, frames: int = T) -> np.ndarray:
    """Return a chroma in C major whose strongest class changes every nine frames."""
    draw = np.random.default_rng(seed)
    chroma = 0.3 * SCALE * draw.uniform(0.5, 1.0, (frames, 12))
    chosen = draw.choice(12, size=-(-frames // 9), p=SCALE / SCALE.sum())
    chroma[np.arange(frames), np.repeat(chosen, 9)[:frames]] += 0.7
    return chroma


def by_loops(reference, estimate, beats, threshold=0.5, most=3, silence=1e-3):
    """Return accuracy and F1 as their definitions read."""
    right, sounding, hits, named = 0, 0, 0, 0
    for begin, end in zip(beats[:-1], beats[1:], strict=True):
        rows = slice(math.floor(begin * RATE_HZ + 0.5), math.floor(end * RATE_HZ + 0.5))
        means = [[np.mean(chroma[rows, c]) for c in range(12)] for chroma in (reference, estimate)]
        if max(means[0]) >= silence:
            sounding += 1
            right += means[0].index(max(means[0])) == means[1].index(max(means[1]))
        sets = []
        for mean in means:
            order = sorted(range(12), key=lambda c, mean=mean: (-mean[c], c))[:most]
            sets.append({c for c in order if mean[c] > threshold})
        hits += len(sets[0] & sets[1])
        named += len(sets[0]) + len(sets[1])
    return right / sounding, 2 * hits / named


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("threshold", "most"), [(0.5, 3), (0.2, 2), (0.1, 5)])
def test_both_by_plain_loops(seed, threshold, most):
    reference, estimate = piece(seed), 0.6 * piece(seed) + 0.5 * piece(seed + 50)
    settings = NotesSettings(keys="none", threshold=threshold, most_notes=most)
    found = notes.evaluate(reference, estimate, BEATS, settings)
    accuracy, f1 = by_loops(reference, estimate, BEATS, threshold, most)
    assert found.accuracy == pytest.approx(accuracy)
    assert found.f1 == pytest.approx(f1)
    assert 0.2 < found.accuracy < 1
    assert found.segments == len(BEATS) - 1


@pytest.mark.parametrize("semitones", range(12))
def test_a_transposed_piece_is_the_same_piece(semitones):
    reference = piece()
    moved = np.roll(reference, semitones, axis=1)
    found = notes.evaluate(reference, moved, BEATS)
    assert (found.accuracy, found.f1) == (1.0, 1.0)
    untouched = notes.evaluate(reference, moved, BEATS, PLAIN)
    assert untouched.accuracy == (1.0 if semitones == 0 else 0.0)


@given(st.integers(0, 11), st.integers(0, 11), st.integers(0, 5))
def test_the_keys_of_both_pieces_change_nothing(first, second, seed):
    reference, estimate = piece(seed), 0.5 * piece(seed) + 0.5 * piece(seed + 9)
    moved = np.roll(reference, first, axis=1), np.roll(estimate, second, axis=1)
    found, plain = (notes.evaluate(*pair, BEATS) for pair in (moved, (reference, estimate)))
    assert found.accuracy == plain.accuracy
    assert found.f1 == pytest.approx(plain.f1)


def test_a_held_chord_scores_the_share_of_its_lowest_note():
    reference = piece(3)
    means = notes.segment_means(reference, BEATS)
    share = (means.argmax(axis=1) == 0).mean()
    found = notes.evaluate(reference, notes.held_chord(T), BEATS)
    assert found.accuracy == pytest.approx(share)
    assert found.majority == max((means.argmax(axis=1) == c).mean() for c in range(12))
    best = means.argmax(axis=1).tolist()
    held = notes.held_chord(T, (max(set(best), key=best.count),))
    assert notes.evaluate(reference, held, BEATS, PLAIN).accuracy == found.majority


def test_silence_misses_and_rests_are_left_out():
    reference = piece(5)
    silent = notes.evaluate(reference, np.zeros((T, 12)), BEATS)
    assert (silent.accuracy, silent.f1) == (0.0, 0.0)
    even = notes.evaluate(reference, np.full((T, 12), 0.4), BEATS)  # names no key, and no note
    assert even.f1 == 0.0
    rest = reference.copy()
    rest[: round(BEATS[4] * RATE_HZ)] = 0.0
    found = notes.evaluate(rest, rest, BEATS)
    assert (found.accuracy, found.f1, found.segments) == (1.0, 1.0, len(BEATS) - 1)
    wrong = rest.copy()
    wrong[: round(BEATS[4] * RATE_HZ), 6] = 1.0  # a note in the rest costs F1, not accuracy
    found = notes.evaluate(rest, wrong, BEATS, PLAIN)
    assert found.accuracy == 1.0
    assert found.f1 < 1.0
    alone = np.zeros((T, 12))
    alone[0, 7] = 1.0  # before the first beat
    nothing = notes.evaluate(alone, alone, BEATS)
    assert math.isnan(nothing.accuracy)
    assert math.isnan(nothing.majority)
    assert nothing.f1 == 1.0


def test_only_what_lies_between_beats_counts():
    reference = piece(7)
    other = reference.copy()
    first, last = (math.floor(beat * RATE_HZ + 0.5) for beat in (BEATS[0], BEATS[-1]))
    other[:first], other[last:] = 0.0, 0.0
    far = np.concatenate([[-1.0], BEATS, [T / RATE_HZ + 3.0]])  # beats outside are left out
    assert notes.evaluate(reference, other, far, PLAIN).accuracy == 1.0


def test_a_beat_at_either_end_counts():
    means = notes.segment_means(piece(8), np.array([0.0, 4.0, T / RATE_HZ]))
    assert means == pytest.approx(np.stack([piece(8)[:100].mean(0), piece(8)[100:].mean(0)]))


def test_the_name_of_a_score_tells_its_settings():
    names = {
        notes.evaluate(piece(), piece(), BEATS, settings).identity
        for settings in (NotesSettings(), PLAIN, NotesSettings(threshold=0.4),
                         NotesSettings(most_notes=2), NotesSettings(rate_hz=24.0),
                         NotesSettings(silence=0.01))
    }  # fmt: skip
    assert len(names) == 6
    assert "per beat, keys own, at most 3 above 0.5, silence 0.001, 25 Hz" in names


@pytest.mark.parametrize(("settings", "told"), [
    ({"rate_hz": 0.0}, "rate_hz"), ({"keys": "theirs"}, "keys"),
    ({"threshold": 0.0}, "threshold"), ({"most_notes": 0}, "most_notes"),
    ({"silence": 0.0}, "silence"),
])  # fmt: skip
def test_bad_settings_are_refused(settings, told):
    with pytest.raises((ValueError, TypeCheckError), match=told):
        NotesSettings(**settings)


def test_bad_pieces_are_refused():
    fine = piece()
    for pair, beats, told in (
        ((fine, fine[:-1]), BEATS, "211 frames, estimate 210"),
        ((fine, fine - 1), BEATS, "estimate must be finite and at least 0"),
        ((np.where(fine > 0.5, np.nan, fine), fine), BEATS, "reference must be finite"),
        ((0 * fine, fine), BEATS, "reference is silent"),
        ((fine, fine), BEATS[::-1], "increase"),
        ((fine, fine), BEATS[:1], "1 beats lie within the 8.44 s"),
        ((fine, fine), BEATS * 25, "are needed; leave the piece out"),
    ):
        with pytest.raises(ValueError, match=told):
            notes.evaluate(*pair, beats)
    with pytest.raises(ValueError, match="frames must be at least 1"):
        notes.held_chord(0)


@pytest.mark.slow
def test_on_a_real_song_the_floors_are_where_they_were_measured():
    """A held chord near a fifth, a shift of 0.2 s far above it, one of 3 s not."""
    top = Path(os.environ.get("PASDEDEUX_DATA", "nowhere")) / "tang2018"
    songs = sorted(top.rglob("audio.mp3"))
    if not songs:
        pytest.skip("PASDEDEUX_DATA has no dances of Tang et al. 2018")
    from pasdedeux.music.chroma import chroma
    from pasdedeux.music.recording import read

    heard = chroma(read(songs[0], 24_000)[: 60 * 24_000], 24_000, 960).astype(float)
    grid = np.arange(0.0, 60.0, 0.7)
    pieces = (notes.held_chord(len(heard)), *(np.roll(heard, -s, axis=0) for s in (5, 75)))
    held, near, far = (notes.evaluate(heard, piece, grid).accuracy for piece in pieces)
    assert held < 0.5
    assert near > 0.6
    assert far < near - 0.2
