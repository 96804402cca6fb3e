"""Film strips and errors of bodies: what is drawn where, and what is refused."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from pasdedeux.motion import keypoints
from pasdedeux.motion.skeleton import smpl
from pasdedeux.report import bodies
from pasdedeux.report.bodies import Dancer

T, J = 53, 5
SEGMENTS = ((0, 1), (1, 2), (0, 3), (3, 4))


def dancer(name: str = "drawn", seed: int = 0, **settings) -> Dancer:
    draw = np.random.default_rng(seed)
    joints = draw.uniform(-0.5, 0.5, (1, J, 3)) + 0.02 * draw.normal(size=(T, 1, 3)).cumsum(axis=0)
    return Dancer(name, joints, SEGMENTS, **settings)


def test_bones_of_a_tree():
    assert bodies.bones((-1, 0, 1, 0)) == ((0, 1), (1, 2), (0, 3))
    assert len(bodies.bones(smpl().parents)) == 23


def test_an_smpl_dancer_knows_sides_and_head():
    joints = np.repeat(smpl().rest_joints()[None], 3, axis=0)
    found = bodies.dancer_of("rest", joints, smpl())
    assert smpl().names[found.head] == "head"
    sides = {smpl().names[b]: side for _, b, side in found.drawn}
    assert (sides["left_knee"], sides["right_wrist"], sides["neck"]) == ("left", "right", "middle")
    for side, sign in (("left", 1), ("right", -1)):  # x points to the dancer's left
        assert all(sign * joints[0, b, 0] > 0 for _, b, found in found.drawn if found == side)


def test_a_dancer_of_keypoints_has_their_segments():
    points = keypoints.tang()
    found = bodies.dancer_of("take", np.zeros((3, len(points.names), 3)), points)
    assert found.segments == points.segments
    assert found.sides == points.sides
    assert found.head is None


def test_a_segment_has_the_side_of_its_second_joint():
    sides = ("middle", "left", "left", "right", "right")
    assert [side for *_, side in dancer(sides=sides).drawn] == ["left", "left", "right", "right"]
    assert {side for *_, side in dancer().drawn} == {"middle"}


def poses(axes) -> np.ndarray:
    lines = [part for part in axes.collections if isinstance(part, LineCollection)]
    paths = [part.get_paths() for part in lines if len(part.get_paths()) >= len(SEGMENTS)]
    return np.array([path.vertices for path in paths[0]])


def test_a_strip_shows_the_frames_it_says():
    one = dancer()
    drawn = bodies.filmstrip(one, rate_hz=25.0, every_seconds=0.4, per_row=7)
    assert len(drawn.axes) == 1
    assert [text.get_text() for text in drawn.axes[0].texts] == [
        "0.0 s", "0.4 s", "0.8 s", "1.2 s", "1.6 s", "2.0 s",
    ]  # fmt: skip
    shown = poses(drawn.axes[0]).reshape(6, len(SEGMENTS), 2, 2)
    expected = one.joints_world[::10][:, SEGMENTS, 1]
    assert shown[..., 1] == pytest.approx(expected)  # heights are true
    across = (
        one.joints_world[::10][:, SEGMENTS, 0] - one.joints_world[::10, :, 0].mean(1)[:, None, None]
    )
    slots = bodies.SLOT_METRES * (np.arange(6) + 0.5)
    assert shown[..., 0] == pytest.approx(across + slots[:, None, None])


def test_rows_dancers_and_times():
    drawn = bodies.filmstrip(
        [dancer("one"), dancer("two", 1)], every_seconds=0.2, start_seconds=0.6, per_row=4,
        seconds=1.0,
    )  # fmt: skip
    assert len(drawn.axes) == 4  # 6 poses in two rows, two dancers each
    names = [text.get_text() for axes in drawn.axes for text in axes.texts]
    assert names == ["one", "0.6 s", "0.8 s", "1.0 s", "1.2 s", "two", "one", "1.4 s", "1.6 s",
                     "two"]  # fmt: skip


def test_beats_stand_at_their_moment():
    beats = np.array([0.05, 0.5, 1.3, 40.0])
    drawn = bodies.filmstrip(dancer(), every_seconds=0.4, per_row=3, beat_seconds=beats)
    lines = [axes.collections[-1].get_segments() for axes in drawn.axes]
    found = [[segment[0][0] for segment in row] for row in lines]
    to_metres = bodies.SLOT_METRES / 0.4
    assert found[0] == pytest.approx([0.25 * to_metres, 0.7 * to_metres])
    assert found[1] == pytest.approx([0.3 * to_metres])


def test_the_same_bytes_again():
    first, second = (bodies.filmstrip(dancer(), every_seconds=0.5) for _ in range(2))
    assert first._repr_png_() == second._repr_png_()
    assert first._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(("settings", "told"), [
    ({"every_seconds": 0.0}, "every_seconds must be above 0"),
    ({"rate_hz": 0.0}, "rate_hz must be above 0"), ({"per_row": 0}, "per_row must be at least 1"),
    ({"start_seconds": 9.0}, "start_seconds 9.0 lies outside the dance of 2.08 s"),
    ({"every_seconds": 1e-3}, "too many to see"),
])  # fmt: skip
def test_bad_requests_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        bodies.filmstrip(dancer(), **settings)


def test_no_dancer_is_refused():
    with pytest.raises(ValueError, match="at least one dancer"):
        bodies.filmstrip([])


def test_bad_dancers_are_refused():
    joints = np.zeros((7, J, 3))
    lost = joints.copy()
    lost[3, 2] = np.nan
    large = joints + 170.0 * np.arange(J)[:, None]
    for changed, told in (
        ({"joints_world": joints[:0]}, "no frame or no joint"),
        ({"segments": ((0, 5),)}, r"name joints \[5\] of 5"),
        ({"head": 11}, r"name joints \[11\] of 5"),
        ({"sides": ("left",)}, "one side for each joint"),
        ({"sides": ("links",) * J}, "sides are left, right, middle"),
        ({"joints_world": lost}, "must be finite"),
        ({"joints_world": large}, "680.0 m large; are its joints in metres"),
    ):
        settings = {"name": "d", "joints_world": joints, "segments": SEGMENTS} | changed
        with pytest.raises(ValueError, match=told):
            Dancer(**settings)


def test_errors_are_shown_in_centimetres():
    draw = np.random.default_rng(5)
    errors = np.abs(draw.normal(scale=0.01, size=(101, J)))
    names = [f"joint {number}" for number in range(J)]
    drawn = bodies.errors_per_joint({"a": errors, "b": 2 * errors}, names, title="W_1")
    axes = drawn.axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[:J] == pytest.approx(100 * errors.mean(axis=0))
    assert widths[J:] == pytest.approx(200 * errors.mean(axis=0))
    far = axes.collections[0].get_segments()
    assert [segment[1][0] for segment in far] == pytest.approx(
        100 * np.sort(errors, axis=0)[95]  # of 101 values the 96th is the percentile
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert f"a (mean {100 * errors.mean():.2f} cm)" in axes.get_legend_handles_labels()[1]


@pytest.mark.parametrize(("errors", "told"), [
    ({}, "at least one fit"), ({"a": np.zeros((3, 4))}, "4 joints but 5 names"),
    ({"a": np.full((3, 5), -1.0)}, "at least 0"), ({"a": np.zeros((0, 5))}, "of some frames"),
    ({"a": np.full((3, 5), np.nan)}, "must be metres, finite"),
])  # fmt: skip
def test_bad_errors_are_refused(errors, told):
    with pytest.raises(ValueError, match=told):
        bodies.errors_per_joint(errors, list("abcde"))
