import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from pasdedeux.music.melody import HOLD, OFF, Melody, Vocabulary, notes, on_grid, steps


def melody(*rows: tuple[float, float, float], tonic: int | None = None) -> Melody:
    """Return a melody of rows (pitch, onset, duration), onset and duration in quarters."""
    pitch, onset, duration = np.array(rows, float).reshape(-1, 3).T
    return Melody("a tune", pitch.astype(int), onset, duration, tonic)


def same(one: Melody, other: Melody) -> bool:
    return all(
        np.array_equal(getattr(one, part), getattr(other, part))
        for part in ("pitch", "onset_quarters", "duration_quarters")
    )


@st.composite
def on_a_grid(draw, steps_per_quarter: int = 3) -> Melody:
    """Draw a melody on the grid that begins at 0, without overlap, silences up to one bar."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 127), st.integers(1, 31), st.integers(0, 4 * 3)),
            min_size=1,
            max_size=17,
        )
    )
    pitch, length, silence = np.array(rows).T
    onset = np.cumsum(length + silence) - length - silence
    return Melody("drawn", pitch, onset / steps_per_quarter, length / steps_per_quarter)


@st.composite
def anywhere(draw) -> Melody:
    """Draw any melody: off the grid, overlapping, with empty notes and long silences."""
    onsets = sorted(draw(st.lists(st.floats(0, 40), min_size=1, max_size=19)))
    count = len(onsets)
    durations = draw(st.lists(st.floats(0, 9), min_size=count, max_size=count))
    pitch = draw(st.lists(st.integers(0, 127), min_size=count, max_size=count))
    return Melody("drawn", np.array(pitch), np.array(onsets), np.array(durations))


def test_values_by_hand():
    tune = melody((60, 0.5, 1), (62, 1.5, 0.5), (64, 3, 0.5))
    expected = [60, HOLD, 62, OFF, HOLD, 64]
    assert steps(tune, 2, longest_silence=4.0).tolist() == expected


@given(on_a_grid())
def test_notes_to_values_and_back_is_the_same_melody(tune):
    values = steps(tune, 3, longest_silence=4.0)
    assert same(notes(values, 3), tune)
    assert len(values) == round(3 * (tune.onset_quarters + tune.duration_quarters)[-1])


@given(anywhere(), st.sampled_from([1, 2, 4, 7]), st.sampled_from([None, 0.0, 1.0, 4.0]))
def test_values_to_notes_and_back_are_the_same_values(tune, grid, longest):
    values = steps(tune, grid, longest_silence=longest)
    assert values[0] >= 0
    assert np.array_equal(steps(notes(values, grid), grid, longest_silence=longest), values)


@given(anywhere(), st.sampled_from([2, 5]))
def test_every_pitch_is_there_in_order_and_no_note_is_empty(tune, grid):
    pitch, onset, end = on_grid(tune, grid)
    assert (np.diff(onset) > 0).all()
    assert (end > onset).all()
    assert (end[:-1] <= onset[1:]).all()
    values = steps(tune, grid, longest_silence=None)
    assert values[values >= 0].tolist() == pitch.tolist()
    assert np.flatnonzero(values >= 0).tolist() == onset.tolist()


def test_rounding_is_half_up_and_counts_from_the_first_note():
    tune = melody((60, 10.0, 0.1), (61, 10.125, 0.1), (62, 10.62, 0.1))  # 0, 0.5 and 2.48 steps
    assert on_grid(tune, 4).onset.tolist() == [0, 1, 2]


def test_an_empty_note_gets_one_step_and_the_next_onset_cuts():
    tune = melody((60, 0, 0), (62, 1, 5), (64, 2, 1))
    assert steps(tune, 2, longest_silence=None).tolist() == [60, OFF, 62, HOLD, 64, HOLD]


def test_of_notes_on_one_step_the_first_is_kept():
    tune = melody((60, 0, 1), (72, 0.01, 1), (64, 1, 1))
    assert steps(tune, 1, longest_silence=None).tolist() == [60, 64]


def test_a_silence_is_capped_and_what_follows_moves_with_it():
    tune = melody((60, 0, 1), (62, 8, 1), (64, 10, 1))
    assert len(steps(tune, 2, longest_silence=None)) == 22
    assert steps(tune, 2, longest_silence=1.0).tolist() == [
        *(60, HOLD, OFF, HOLD, 62, HOLD, OFF, HOLD, 64, HOLD)
    ]
    assert steps(tune, 2, longest_silence=0.0).tolist() == [60, HOLD, 62, HOLD, 64, HOLD]


def test_a_window_may_begin_inside_a_note_or_a_silence():
    found = notes(np.array([HOLD, HOLD, OFF, HOLD, 70, HOLD, OFF, OFF, 71, HOLD]), 4, name="window")
    assert found.pitch.tolist() == [70, 71]
    assert found.onset_quarters.tolist() == [1.0, 2.0]
    assert found.duration_quarters.tolist() == [0.5, 0.5]
    assert found.name == "window"


def test_without_notes():
    empty = melody()
    assert len(steps(empty, 4, longest_silence=4.0)) == 0
    assert len(notes(np.array([HOLD, OFF, HOLD]), 4).pitch) == 0
    assert len(notes(np.zeros(0, int), 4).pitch) == 0


def test_a_shifted_melody_takes_its_tonic_along():
    assert melody((60, 0, 1), tonic=2).shifted(-3).tonic == 11
    assert melody((60, 0, 1), tonic=2).shifted(-3).pitch.tolist() == [57]
    assert melody((60, 0, 1)).shifted(5).tonic is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(60, 0, 1), (128, 1, 1)], "a tune, note 2: pitches are MIDI 0..127, got 128"),
        ([(60, 1, 1), (60, 0, 1)], "note 2: onsets must not decrease; sort"),
        ([(60, 0, -1)], "note 1: durations are quarters, at least 0, got -1"),
        ([(60, 0, np.nan)], "note 1: durations are quarters"),
        ([(60, 0, np.inf)], "durations must be finite"),
        ([(60, np.nan, 1)], "onsets must be finite"),
    ],
)
def test_notes_that_cannot_be_played_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        melody(*rows)


def test_lengths_and_tonics_that_do_not_fit_are_refused():
    # where shapes are checked, as in these tests, the check of shapes speaks first
    with pytest.raises((ValueError, TypeCheckError), match="equally long|onset_quarters"):
        Melody("a tune", np.array([60, 61]), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="pitch class 0..11 or None, got 12"):
        melody((60, 0, 1), tonic=12)


def test_wrong_values_and_grids_are_refused():
    with pytest.raises(ValueError, match="Token ids must be decoded"):
        notes(np.array([60, -3]), 4)
    for convert in (lambda: notes(np.array([60]), 0), lambda: on_grid(melody((60, 0, 1)), 0)):
        with pytest.raises(ValueError, match="steps_per_quarter must be above 0, got 0"):
            convert()
    with pytest.raises(ValueError, match="longest_silence must be at least 0"):
        steps(melody((60, 0, 1)), 4, longest_silence=-1.0)


WORDS = Vocabulary((48, 60, 61, 73))


def test_ids_by_hand():
    values = np.array([[60, HOLD, OFF], [73, 48, 61]])
    ids = np.array([[3, 1, 0], [5, 2, 4]])
    assert np.array_equal(WORDS.encode(values), ids)
    assert np.array_equal(WORDS.decode(ids), values)
    assert WORDS.is_onset(ids).tolist() == [[True, False, False], [True, True, True]]
    assert WORDS.pitch_class(ids).tolist() == [[0, -1, -1], [1, 0, 1]]
    assert (WORDS.size, WORDS.begin) == (6, 6)
    assert not WORDS.is_onset(np.array([WORDS.begin])).any()


@given(st.sets(st.integers(0, 127), min_size=1, max_size=13), st.data())
def test_encoding_and_decoding_are_inverse(pitches, data):
    words = Vocabulary(tuple(sorted(pitches)))
    ids = np.array(data.draw(st.lists(st.integers(0, words.size - 1), max_size=23)), dtype=int)
    assert np.array_equal(words.encode(words.decode(ids)), ids)


def test_a_vocabulary_of_sequences_holds_their_pitches_only():
    found = Vocabulary.of([np.array([62, HOLD, OFF]), np.array([HOLD, 50, 62])])
    assert found == Vocabulary((50, 62))


@pytest.mark.parametrize("pitches", [(), (60, 60), (61, 60), (-1, 5), (0, 128)])
def test_pitches_of_a_vocabulary_are_checked(pitches):
    with pytest.raises(ValueError, match="distinct ascending MIDI pitches"):
        Vocabulary(pitches)


def test_unknown_values_and_ids_are_refused():
    with pytest.raises(ValueError, match=r"no token for values \[-3, 62, 200\]"):
        WORDS.encode(np.array([60, 62, -3, 200, 62]))
    with pytest.raises(ValueError, match=r"0..5, got 0..6 \(the begin token is never emitted\)"):
        WORDS.decode(np.array([WORDS.begin]))
    with pytest.raises(ValueError, match="got -1..0"):
        WORDS.decode(np.array([-1]))
