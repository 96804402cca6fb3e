import numpy as np
import pytest

from pasdedeux.motion import skeleton
from pasdedeux.motion.keypoints import Keypoints, tang

FLIP = np.array([-1.0, 1.0, 1.0])


def test_the_23_points_sit_on_joints_of_the_body_and_on_their_side():
    points = tang()
    assert len(points.names) == 23
    assert set(points.joints) <= set(skeleton.smpl().names)
    assert points.sides.count("left") == points.sides.count("right") == 11
    assert points.names[points.sides.index("middle")] == "waist"
    body = skeleton.smpl()
    rest = body.rest_joints()[[body.index(joint) for joint in points.joints]]
    across = (rest + points.offsets_metres)[:, 0]
    for side, sign in (("left", 1), ("right", -1)):
        here = [place for place, found in enumerate(points.sides) if found == side]
        assert (sign * across[here] > 0.03).all()


def test_indices_are_those_of_the_recordings():
    """The head's pair, the waist, then arm and leg of the right side, arm and leg of the left."""
    index = tang().index
    assert [index(name) for name in ("right_head", "left_head", "waist")] == [0, 1, 2]
    assert [index(f"right_{name}") for name in ("shoulder", "elbow", "wrist")] == [3, 4, 6]
    assert [index(f"left_{name}") for name in ("shoulder", "elbow", "wrist")] == [12, 13, 15]
    for first, side in ((7, "right"), (16, "left")):
        parts = ("hip", "knee", "ankle", "heel", "toe")
        assert [index(f"{side}_{part}") for part in parts] == list(range(first, first + 5))
    with pytest.raises(ValueError, match="Did you mean 'left_toe'"):
        index("left_to")


def test_the_mirror_exchanges_sides_and_names_the_two_without_a_partner():
    points = tang()
    lonely = {points.names[p] for p, other in enumerate(points.mirror) if other is None}
    assert lonely == {"right_hand", "left_lower_forearm"}
    for place, other in enumerate(points.mirror):
        if other is not None:
            assert points.mirror[other] == place
    assert points.mirror[points.index("waist")] == points.index("waist")


def test_the_mirror_image_twice_is_the_points_again():
    points = tang()
    once, twice = points.mirrored(), points.mirrored().mirrored()
    assert once.names[0] == "left_head"
    assert once.joints[points.index("right_hip")] == "pelvis"
    assert once.joints[points.index("right_knee")] == "left_knee"
    np.testing.assert_array_equal(once.offsets_metres, points.offsets_metres * FLIP)
    assert (twice.names, twice.joints) == (points.names, points.joints)
    np.testing.assert_array_equal(twice.offsets_metres, points.offsets_metres)


def test_lines_join_every_point_to_one_figure():
    points = tang()
    reached = {0}
    for _ in points.names:
        reached |= {b for pair in points.segments for b in pair if reached & set(pair)}
    assert reached == set(range(23))
    assert len(set(points.segments)) == len(points.segments)


def test_the_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        tang().offsets_metres[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a", "b")}, "equally long"),
        ({"names": ("a", "a", "b")}, "distinct"),
        ({"segments": ((0, 3),)}, "segments must join points 0 to 2"),
        ({"offsets_metres": np.full((3, 3), np.nan)}, "finite"),
    ],
)
def test_points_that_do_not_agree_are_refused(change, message):
    fine = {
        "names": ("a", "b", "c"),
        "joints": ("pelvis", "head", "neck"),
        "offsets_metres": np.zeros((3, 3)),
    }
    assert Keypoints(**fine).segments == ()
    with pytest.raises(ValueError, match=message):
        Keypoints(**(fine | change))
