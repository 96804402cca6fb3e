"""BVH files, read back by a parser of the tests and placed by its own plain kinematics."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pasdedeux.motion import bvh
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six, six_from_matrix
from pasdedeux.motion.skeleton import Skeleton, smpl

T = 37


def parsed(text: str) -> tuple[list[dict], np.ndarray, float]:
    """Return joints (name, parent, offset, channels; an End Site has none), rows, seconds a row."""
    words = iter(text.split())
    joints: list[dict] = []
    above: list[int] = []
    assert next(words) == "HIERARCHY"
    for word in words:
        if word in ("ROOT", "JOINT", "End"):
            parent = above[-1] if above else -1
            joints.append({"name": next(words), "parent": parent, "channels": []})
        elif word == "{":
            above.append(len(joints) - 1)
        elif word == "}":
            above.pop()
        elif word == "OFFSET":
            joints[-1]["offset"] = np.array([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            joints[-1]["channels"] = [next(words) for _ in range(int(next(words)))]
        else:
            assert word == "MOTION"
            break
    assert not above
    assert next(words) == "Frames:"
    frames = int(next(words))
    assert (next(words), next(words)) == ("Frame", "Time:")
    seconds = float(next(words))
    return joints, np.array([float(word) for word in words]).reshape(frames, -1), seconds


def joints_of(text: str) -> dict[str, np.ndarray]:
    """Return where the file puts each joint, (T, 3) in cm: channels applied one after the other."""
    joints, rows, _ = parsed(text)
    assert rows.shape[1] == sum(len(joint["channels"]) for joint in joints)
    found, column = {}, 0
    turned, places = [], []
    for joint in joints:
        above = joint["parent"]
        turn = np.tile(np.eye(3), (len(rows), 1, 1)) if above < 0 else turned[above]
        place = joint["offset"] if above < 0 else places[above] + turn @ joint["offset"]
        place = np.tile(place, (len(rows), 1)) if place.ndim == 1 else place
        for channel in joint["channels"]:
            values = rows[:, column]
            column += 1
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                place = place + values[:, None] * np.eye(3)[axis]
            else:
                turn = (
                    turn
                    @ Rotation.from_rotvec(
                        np.radians(values)[:, None] * np.eye(3)[axis]
                    ).as_matrix()
                )
        turned.append(turn)
        places.append(place)
        found[joint["name"]] = place
    return found


def dance(body: Skeleton, seed: int, frames: int = T) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return translation, rotations of any size and where they put the joints, in metres."""
    draw = np.random.default_rng(seed)
    turns = Rotation.random(frames * len(body.names), rng=draw).as_matrix()
    matrices = torch.from_numpy(turns.reshape(frames, len(body.names), 3, 3))
    translation = draw.normal(size=(frames, 3))
    joints = placed(matrices, torch.from_numpy(translation), body).joints_world.numpy()
    return translation, six_from_matrix(matrices).numpy(), joints


def other_body() -> Skeleton:
    offsets = np.random.default_rng(1).normal(scale=0.3, size=(5, 3))
    return Skeleton(("hips", "left_leg", "spine", "left_foot", "head"), (-1, 0, 0, 1, 2), offsets)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("body", [smpl(), other_body()], ids=["smpl", "other"])
def test_a_file_puts_every_joint_where_kinematics_does(body, seed):
    translation, rotations, joints = dance(body, seed)
    found = joints_of(bvh.bvh(translation, rotations, body))
    for number, name in enumerate(body.names):
        assert np.abs(found[name] - 100 * joints[:, number]).max() < 1e-3


def test_what_the_file_says():
    translation, rotations, _ = dance(smpl(), 4)
    text = bvh.bvh(translation.astype(np.float32), rotations.astype(np.float32), rate_hz=60.0)
    joints, rows, seconds = parsed(text)
    assert seconds == pytest.approx(1 / 60)
    assert rows.shape == (T, 3 + 3 * 24)
    assert sorted(joint["name"] for joint in joints if joint["channels"]) == sorted(smpl().names)
    assert sum(joint["name"] == "Site" for joint in joints) == 5  # head, two hands, two feet
    root, second = joints[:2]
    assert root["offset"].tolist() == [0, 0, 0]
    assert [channel[1:] for channel in root["channels"]] == ["position"] * 3 + ["rotation"] * 3
    assert second["offset"] == pytest.approx(100 * smpl().offsets_metres[1], abs=1e-5)
    assert rows[:, :3] == pytest.approx(100 * translation, abs=1e-4)
    assert text.isascii()
    assert "-0.000000" not in text


@pytest.mark.parametrize("order", ["ZXY", "ZYX", "XYZ", "YXZ", "XZY", "YZX"])
def test_angles_are_scipys_up_to_a_second_triple(order):
    matrices = Rotation.random(211, rng=np.random.default_rng(2)).as_matrix()
    found = bvh.euler(matrices, order)
    back = Rotation.from_euler(order, found).as_matrix()  # capitals: about the turned axes
    assert np.abs(back - matrices).max() < 1e-12
    first = bvh.euler(matrices[:1], order)[0]
    theirs = Rotation.from_matrix(matrices[0]).as_euler(order)
    other = theirs + np.array([np.pi, -2 * theirs[1] + np.pi, np.pi])
    near = [np.abs(np.angle(np.exp(1j * (first - triple)))).max() for triple in (theirs, other)]
    assert min(near) < 1e-9


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("order", bvh.ORDERS)
def test_a_steady_turn_has_no_jump(order, axis):
    """Three turns about one axis, through all right angles on the way."""
    steps = np.linspace(0.0, 6 * np.pi, 145)
    turning = Rotation.from_rotvec(steps[:, None] * np.eye(3)[axis]).as_matrix()
    found = bvh.euler(turning, order)
    assert np.abs(np.diff(found, axis=0)).max() < 2 * np.pi / 48 + 1e-6
    assert np.abs(Rotation.from_euler(order, found).as_matrix() - turning).max() < 1e-12


def test_a_joint_that_bends_past_a_right_angle_gets_the_order_that_can():
    steps = np.linspace(0.0, 2.5, 43)[:, None]
    sway = Rotation.from_rotvec(0.1 * np.sin(5 * steps) * np.array([0.3, 0.5, 1.0]))
    for axis, best in ((0, "ZYX"), (1, "ZXY")):
        bend = Rotation.from_rotvec(steps * np.eye(3)[axis]) * sway
        assert bvh.best_order(bend.as_matrix()) == best
        jump = [np.abs(np.diff(bvh.euler(bend.as_matrix(), o), axis=0)).max() for o in bvh.ORDERS]
        assert jump[bvh.ORDERS.index(best)] < 0.2
        assert jump[bvh.ORDERS.index(best)] < min(jump[1 - bvh.ORDERS.index(best)], 0.2)
    assert bvh.best_order(np.eye(3)[None]) == "ZXY"


def test_a_frame_at_the_lock_keeps_the_first_angle():
    before = Rotation.from_euler("ZXY", [0.4, 1.2, 0.1]).as_matrix()
    locked = Rotation.from_euler("ZXY", [0.4, np.pi / 2, 0.3]).as_matrix()
    found = bvh.euler(np.stack([before, locked]), "ZXY")
    assert found == pytest.approx(np.array([[0.4, 1.2, 0.1], [0.4, np.pi / 2, 0.3]]), abs=1e-6)
    alone = bvh.euler(locked[None], "ZXY")
    assert Rotation.from_euler("ZXY", alone).as_matrix()[0] == pytest.approx(locked)


def test_a_network_s_six_numbers_become_a_rotation():
    translation, rotations, _ = dance(smpl(), 6)
    rough = rotations * 1.7
    rough[..., 3:] += 0.4 * rough[..., :3]
    assert joints_of(bvh.bvh(translation, rough))["head"] == pytest.approx(
        joints_of(bvh.bvh(translation, rotations))["head"], abs=1e-4
    )
    assert matrix_from_six(torch.from_numpy(rough)).det().allclose(torch.ones(1).double())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    translation, rotations, _ = dance(smpl(), 7, frames=3)
    path = tmp_path / "folder" / "dance.bvh"
    bvh.write_bvh(path, translation, rotations)
    assert path.read_text(encoding="utf-8") == bvh.bvh(translation, rotations)
    lost = rotations.copy()
    lost[1, 2, 3] = np.nan
    for changed, told in (
        ({"rotations": lost}, "must be finite"),
        ({"rotations": rotations[:2]}, "3 translations and 2 rotations"),
        ({"rotations": rotations[:, :23]}, "23 joints, the body 24"),
        ({"translation": translation[:0], "rotations": rotations[:0]}, "one or more"),
        ({"rate_hz": 0.0}, "rate_hz must be above 0"),
    ):
        given = {"translation": translation, "rotations": rotations} | changed
        with pytest.raises(ValueError, match=told):
            bvh.write_bvh(path, **given)
    assert path.read_text(encoding="utf-8") == bvh.bvh(translation, rotations)
    assert list(path.parent.iterdir()) == [path]
