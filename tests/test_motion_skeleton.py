import numpy as np
import pytest

from pasdedeux.motion import skeleton
from pasdedeux.motion.skeleton import Skeleton

SIDES = {"left": "right", "right": "left"}


def test_smpl_has_its_24_joints_and_stands_upright():
    body = skeleton.smpl()
    assert len(body.names) == len(set(body.names)) == 24
    assert body.parents[:4] == (-1, 0, 0, 0)
    rest = dict(zip(body.names, body.rest_joints(), strict=True))
    left, up, forward = np.eye(3)
    assert rest["left_wrist"] @ left > 0.6 > -0.6 > rest["right_wrist"] @ left
    assert 1.3 < (rest["head"] - rest["left_foot"]) @ up < 1.7
    assert (rest["left_foot"] - rest["left_ankle"]) @ forward > 0.1


def test_rest_joints_by_hand():
    body = skeleton.smpl()
    chain = ("left_hip", "left_knee", "left_ankle")
    offsets = [body.offsets_metres[body.index(name)] for name in chain]
    assert np.allclose(body.rest_joints()[body.index("left_ankle")], np.sum(offsets, axis=0))


def test_the_mirror_swaps_sides_and_keeps_the_tree():
    body = skeleton.smpl()
    for joint, other in enumerate(body.mirror):
        side, _, rest = body.names[joint].partition("_")
        expected = f"{SIDES[side]}_{rest}" if side in SIDES else body.names[joint]
        assert body.names[other] == expected
        assert body.mirror[other] == joint
        if joint:
            assert body.parents[other] == body.mirror[body.parents[joint]]
    flipped = body.rest_joints()[list(body.mirror)] * [-1, 1, 1]
    assert np.abs(flipped - body.rest_joints()).max() < 0.04  # a mean body, nearly symmetric


def test_depths_count_bones_to_the_root():
    body = skeleton.smpl()
    assert body.depths[body.index("pelvis")] == 0
    assert body.depths[body.index("left_foot")] == 4
    assert max(body.depths) == body.depths[body.index("right_hand")] == 8


def test_an_unknown_joint_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'left_elbow'"):
        skeleton.smpl().index("left_elbo")


def test_the_shared_body_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        skeleton.smpl().offsets_metres[0] = 1


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        (("a", "b"), (-1, 0, 0), "equally long"),
        (("a", "a", "c"), (-1, 0, 0), "distinct"),
        (("a", "b", "c"), (-1, 2, 0), r"parents\[1\] \(b\) is 2; .* reorder"),
        (("a", "b", "c"), (0, 0, 0), r"parents\[0\] \(a\) is 0"),
        (("a", "b", "c"), (-1, -1, 0), r"parents\[1\] \(b\) is -1"),
    ],
)
def test_what_is_no_tree_is_refused(names, parents, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(names, parents, np.zeros((3, 3)))


def test_offsets_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="offsets_metres must be finite"):
        Skeleton(("a", "b"), (-1, 0), np.array([[0, 0, 0], [0, np.nan, 0]]))
