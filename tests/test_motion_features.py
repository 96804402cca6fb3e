import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pasdedeux.motion import features, skeleton
from pasdedeux.motion.skeleton import Skeleton

T, J, RATE = 23, 24, 25.0
BODY = skeleton.smpl()


def dance(seed, frames=T):
    """A body at rest whose every joint wanders, fast enough to answer questions either way."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(frames, J, 3)) * 0.03
    return BODY.rest_joints() + steps.cumsum(axis=0)


def slowly(joints, rate_hz):
    """Kinetic features frame by frame, window by window."""
    frames, count, _ = joints.shape
    found = []
    for j in range(count):
        velocity = [(joints[t + 1, j] - joints[t, j]) * rate_hz for t in range(frames - 1)]
        change = [(velocity[t + 1] - velocity[t]) * rate_hz for t in range(frames - 2)]
        smooth = []
        for values in (velocity, change):
            near = [values[max(0, t - 2) : t + 3] for t in range(len(values))]
            smooth.append([sum(window) / len(window) for window in near])
        found.append(np.mean([v[0] ** 2 + v[2] ** 2 for v in smooth[0]]))
        found.append(np.mean([v[1] ** 2 for v in smooth[0]]))
        found.append(np.mean([np.sqrt((a**2).sum()) for a in smooth[1]]))
    return np.array(found)


@settings(deadline=None)  # a busy machine is not an error
@given(st.integers(0, 999), st.integers(3, T))
def test_kinetic_features_by_definition(seed, frames):
    joints = dance(seed, frames)[:, :5]
    assert features.kinetic(joints, RATE) == pytest.approx(slowly(joints, RATE))


def test_kinetic_features_of_known_motions():
    time = np.arange(T)[:, None, None] / RATE
    gliding = BODY.rest_joints() + time * np.array([3.0, 2.0, 4.0])
    assert features.kinetic(gliding, RATE).reshape(J, 3) == pytest.approx(
        np.tile([25.0, 4.0, 0.0], (J, 1)), abs=1e-9
    )
    falling = BODY.rest_joints() - time**2 * np.array([0.0, 9.81 / 2, 0.0])
    assert features.kinetic(falling, RATE)[2::3] == pytest.approx(np.full(J, 9.81))


@given(st.integers(0, 99), st.floats(0, 7), st.floats(0.1, 9))
def test_kinetic_features_know_no_heading_and_scale_as_they_should(seed, yaw, scale):
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    joints = dance(seed)
    whole = features.kinetic(joints, RATE).reshape(J, 3)
    moved = features.kinetic(scale * joints @ turn.T + 1.5, RATE).reshape(J, 3)
    assert moved == pytest.approx(whole * [scale**2, scale**2, scale])
    faster = features.kinetic(joints, 2 * RATE).reshape(J, 3)
    assert faster == pytest.approx(whole * [4, 4, 4])


def test_there_are_32_questions_about_joints_that_exist():
    assert len(features.QUESTIONS) == 32
    known = {*BODY.names, "zero", "y_unit", "y_down", "y_min"}
    for question in features.QUESTIONS:
        assert set(question.points) <= known


def test_every_question_has_its_mirror_image_but_those_about_both_sides():
    """A left-right symmetric body: the mirrored dance swaps the answers of the two sides.

    Not those whose normal is a cross product, which a mirror turns round: 0, 1, 14, 15 and 27.
    """
    rest = BODY.rest_joints()
    flip, mirror = np.array([-1, 1, 1]), list(BODY.mirror)
    even = (BODY.offsets_metres + BODY.offsets_metres[mirror] * flip) / 2
    body = Skeleton(BODY.names, BODY.parents, even)
    assert np.allclose(body.rest_joints()[mirror] * flip, body.rest_joints())
    joints = dance(3, 211) - rest + body.rest_joints()
    here = features.answers(joints, RATE, body=body)
    there = features.answers(joints[:, mirror] * flip, RATE, body=body)
    pairs = [(2, 3), (4, 5), (6, 7), (10, 11), (12, 13), (16, 17), (19, 20), (21, 22),
             (23, 24), (25, 26), (29, 30)]  # fmt: skip
    for right, left in pairs:
        assert np.array_equal(here[:, right], there[:, left]), features.QUESTIONS[right]
        assert np.array_equal(here[:, left], there[:, right]), features.QUESTIONS[left]
    for alone in (8, 9, 18, 28, 31):
        assert np.array_equal(here[:, alone], there[:, alone]), features.QUESTIONS[alone]


def lengths():
    rest = dict(zip(BODY.names, BODY.rest_joints(), strict=True))
    pairs = {
        "humerus": ("left_shoulder", "left_elbow"),
        "shoulders": ("left_shoulder", "right_shoulder"),
        "hips": ("left_hip", "right_hip"),
    }
    return {unit: np.linalg.norm(rest[a] - rest[b]) for unit, (a, b) in pairs.items()}


def named(frame):
    y = np.array([0.0, 1.0, 0.0])
    fixed = {"zero": 0 * y, "y_unit": y, "y_down": -y, "y_min": frame[:, 1].min() * y}
    return dict(zip(BODY.names, frame, strict=True)) | fixed


def along(vector, direction):
    return vector @ direction / np.linalg.norm(direction)


def degrees(one, other):
    return np.degrees(np.arccos(along(one, other) / np.linalg.norm(one)))


MEASURED = {  # by the points p now and o one frame ago
    "fast": lambda p, o: np.linalg.norm(p[0] - o[0]) * RATE,
    "angle": lambda p, o: degrees(p[1] - p[0], p[3] - p[2]),
    "beyond": lambda p, o: along(p[3] - p[2], p[1] - p[0]),
    "above_plane": lambda p, o: along(p[3] - p[0], np.cross(p[2] - p[0], p[1] - p[0])),
    "moves_along": lambda p, o: along((p[2] - p[0] - o[2] + o[0]) * RATE, p[1] - p[0]),
    "moves_across": lambda p, o: along(
        (p[3] - p[0] - o[3] + o[0]) * RATE, np.cross(p[2] - p[0], p[1] - p[0])
    ),
}


def asked(question, before, now):
    """One question to one pair of frames, by the words of its kind."""
    o, p = ([named(frame)[name] for name in question.points] for frame in (before, now))
    value = MEASURED[question.kind](p, o)
    if question.kind == "angle":
        return question.limit[0] < value < question.limit[1]
    return value > question.limit * lengths()[question.unit]


def test_answers_by_definition_and_every_question_gets_both():
    """Joints anywhere at all; every frame twice, so that half the time nothing moves."""
    anywhere = np.random.default_rng(7).normal(size=(97, J, 3)) * 0.4
    joints = anywhere.repeat(2, axis=0)
    found = features.answers(joints, RATE)
    for frame in range(len(found)):
        expected = [asked(q, *joints[frame : frame + 2]) for q in features.QUESTIONS]
        assert found[frame].tolist() == expected
    share = features.geometric(joints, RATE)
    assert share == pytest.approx(found.mean(axis=0))
    assert ((share > 0) & (share < 1)).all(), np.flatnonzero((share == 0) | (share == 1))


@pytest.mark.parametrize(
    ("question", "joint", "forward"),
    [(0, "right_wrist", -1), (1, "left_wrist", 1), (14, "right_ankle", 1), (15, "left_ankle", -1)],
)
def test_the_public_normals_point_backward_on_one_side(question, joint, forward):
    """A limb that goes forward answers yes on one side only, backward on the other only."""
    for direction in (-1, 1):
        joints = np.tile(BODY.rest_joints(), (T, 1, 1))
        joints[:, BODY.index(joint), 2] += direction * np.arange(T) * 0.1
        yes = features.answers(joints, RATE)[-1, question]
        assert yes == (direction == forward)


def test_known_poses_by_name():
    """Standing at rest with the arms out: which of the questions that need no speed say yes."""
    standing = np.tile(BODY.rest_joints(), (T, 1, 1))
    yes = {(q.kind, q.points) for q, answer in zip(
        features.QUESTIONS, features.geometric(standing, RATE), strict=True) if answer}  # fmt: skip
    assert not any(kind in ("fast", "moves_along", "moves_across") for kind, _ in yes)
    assert ("beyond", ("left_shoulder", "right_shoulder", "left_wrist", "right_wrist")) in yes
    assert ("angle", ("neck", "pelvis", "left_shoulder", "left_elbow")) in yes
    assert ("angle", ("left_knee", "left_hip", "left_knee", "left_ankle")) not in yes
    assert ("angle", ("neck", "pelvis", "zero", "y_unit")) not in yes  # that is lying down
    lying = standing[..., [2, 0, 1]]
    assert features.geometric(lying, RATE)[28] == 1


def test_a_body_whose_joints_coincide_gets_answers_without_warnings():
    assert not features.geometric(np.zeros((T, J, 3)), RATE)[:29].any()


def test_what_is_no_dance_is_refused():
    with pytest.raises(ValueError, match="joints_world holds 23 joints, body names 24"):
        features.geometric(dance(0)[:, 1:], RATE)
    with pytest.raises(ValueError, match="at least 3 frames"):
        features.kinetic(dance(0)[:2], RATE)
    with pytest.raises(ValueError, match="rate_hz"):
        features.geometric(dance(0), -1.0)
