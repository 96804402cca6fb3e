import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pasdedeux.motion import beats

T, J = 53, 5
RATE = 25.0


def pulsing(period_seconds, rate_hz, seconds=8.0, phase_seconds=0.0):
    """Joints that rest for an instant every `period_seconds`, the first time at the phase."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz - phase_seconds
    angle = 2 * np.pi * time / period_seconds
    travelled = time - np.sin(angle) * period_seconds / (2 * np.pi)  # its speed is 1 - cos(angle)
    directions = np.random.default_rng(0).normal(size=(J, 3))
    return travelled[:, None, None] * directions


def brute_force(joints, rate_hz, order):
    frames, count, _ = joints.shape
    speed = []
    for t in range(frames - 1):
        moved = [np.sqrt(((joints[t + 1, j] - joints[t, j]) ** 2).sum()) for j in range(count)]
        speed.append(rate_hz * sum(moved) / count)
    found = []
    for t in range(1, len(speed) - 1):
        near = range(max(0, t - order), min(len(speed), t + order + 1))
        if all(speed[t] < speed[other] for other in near if other != t):
            found.append((t + 0.5) / rate_hz)
    return found


@settings(deadline=None)  # a busy machine is not an error
@given(st.integers(3, T), st.integers(0, 999), st.integers(1, 6))
def test_beats_are_the_minima_by_definition(frames, seed, order):
    joints = np.random.default_rng(seed).normal(size=(frames, J, 3)).cumsum(axis=0)
    found = beats.beat_seconds(joints, RATE, reach_seconds=order / RATE)
    assert found == pytest.approx(brute_force(joints, RATE, order))


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
@pytest.mark.parametrize("period", [0.4, 0.55, 0.8])
def test_a_body_that_rests_on_every_beat_has_these_beats(rate, period):
    joints = pulsing(period, rate, phase_seconds=0.3)
    found = beats.beat_seconds(joints, rate)
    true = 0.3 + period * np.arange(100)
    true = true[true < len(joints) / rate - 2 / rate]
    assert len(found) == len(true)
    assert np.abs(found - true).max() <= 0.5 / rate + 1e-9


@given(st.floats(0.1, 10), st.integers(0, 99))
def test_beats_know_neither_size_nor_place_nor_direction(scale, seed):
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(T, J, 3)).cumsum(axis=0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = scale * joints @ turn + rng.normal(size=3)
    assert beats.beat_seconds(moved, RATE) == pytest.approx(beats.beat_seconds(joints, RATE))


def test_a_dance_played_backwards_has_its_beats_from_the_other_end():
    joints = np.random.default_rng(1).normal(size=(T, J, 3)).cumsum(axis=0)
    forward = beats.beat_seconds(joints, RATE)
    assert len(forward) > 3
    assert beats.beat_seconds(joints[::-1], RATE)[::-1] == pytest.approx((T - 1) / RATE - forward)


def test_equal_lowest_values_by_hand():
    def walked(*steps):
        return np.cumsum([0.0, *steps])[:, None, None] * np.ones((1, J, 3))

    for steps, at in (
        ((3, 1, 2, 4), [1.5]),
        ((3, 1, 1, 4), [2.0]),
        ((3, 1, 1, 1, 4), []),
        ((1, 3, 4), []),
        ((1, 1, 3, 4), []),
        ((4, 3, 1, 1), []),
    ):
        found = beats.beat_seconds(walked(*steps), 1.0, reach_seconds=2.0)
        assert found.tolist() == at, steps


def test_a_body_that_stands_still_or_glides_evenly_has_no_beat():
    still = np.ones((T, J, 3))
    assert len(beats.beat_seconds(still, RATE)) == 0
    frozen = np.concatenate([pulsing(0.5, RATE)[:20]] + [pulsing(0.5, RATE)[19:20]] * 30)
    assert beats.beat_seconds(frozen, RATE).max() < 20 / RATE


def test_the_default_reach_is_four_frames_at_25_hz_and_ten_at_60():
    assert [round(beats.REACH_SECONDS * rate) for rate in (25, 60)] == [4, 10]


def test_speed_is_in_units_a_second():
    joints = np.arange(T)[:, None, None] * np.array([3.0, 4.0, 0.0]) * np.ones((1, J, 1))
    assert beats.mean_speed(joints, RATE) == pytest.approx(np.full(T - 1, 5 * RATE))


@pytest.mark.parametrize(
    ("joints", "rate", "message"),
    [
        (np.zeros((2, J, 3)), RATE, "at least 3 frames of at least 1 joint, got 2 of 5; is time"),
        (np.zeros((T, 0, 3)), RATE, "at least 1 joint, got 53 of 0"),
        (np.full((T, J, 3), np.nan), RATE, "not finite in 53 frames, first in frame .0."),
        (np.zeros((T, J, 3)), 0.0, "rate_hz must be .* above 0, got 0.0"),
    ],
)
def test_what_is_no_dance_is_refused(joints, rate, message):
    with pytest.raises(ValueError, match=message):
        beats.beat_seconds(joints, rate)


def test_a_reach_below_a_frame_is_refused():
    with pytest.raises(ValueError, match="reach_seconds must span at least one frame"):
        beats.beat_seconds(np.zeros((T, J, 3)), RATE, reach_seconds=0.01)
