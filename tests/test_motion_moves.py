"""The built-in dancers: moves, curves, limbs, and feet that stay on the floor."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pasdedeux.motion import moves
from pasdedeux.motion.choreography import Dancer, Row, scored
from pasdedeux.motion.dancing import danced, eased, sized
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.limbs import bent, turned
from pasdedeux.motion.moves import phrase, vocabulary
from pasdedeux.motion.skeleton import smpl

BOOK = vocabulary()
GENRES = tuple(BOOK.manners)
PLAIN = Dancer()


def _danced(genre, *, dancer=PLAIN, bars=6, seed=0, per_beat=13):
    beats = 3 if genre == "Waltz" else 4
    row = phrase(genre, bars, beats, np.random.default_rng(seed))
    clock = np.arange(bars * beats * per_beat) / per_beat
    return danced(row, BOOK.manner(genre), clock, dancer), row


def _joints(made):
    rotations, translation = torch.from_numpy(made.rotations_local), made.translation
    return placed(rotations, torch.from_numpy(translation), made.body).joints_world.numpy()


@pytest.mark.parametrize("genre", GENRES)
def test_feet_are_on_the_floor_and_the_body_is_upright(genre):
    made, _ = _danced(genre, bars=8)
    joints = _joints(made)
    lowest = joints[..., 1].min(axis=1)
    assert np.isfinite(joints).all()
    assert lowest.min() > -0.02
    assert np.median(lowest) < 0.02
    assert (joints[:, smpl().index("head"), 1] > joints[:, 0, 1] + 0.25).all()
    assert made.rotations_local.shape[1:] == (24, 3, 3)
    orthogonal = made.rotations_local @ made.rotations_local.swapaxes(-1, -2) - np.eye(3)
    assert np.abs(orthogonal).max() < 1e-9


@pytest.mark.parametrize("genre", GENRES)
def test_a_foot_that_does_not_step_stays_where_it_is(genre):
    made, row = _danced(genre)
    score = scored(row, BOOK.manner(genre), PLAIN)
    joints, clock = _joints(made), np.arange(len(made.translation)) / 13
    for side in ("left", "right"):
        begin, end = score.steps[side]
        moving = ((clock[:, None] > begin - 1 / 13) & (clock[:, None] < end + 1 / 13)).any(axis=1)
        ball = joints[:, smpl().index(f"{side}_foot")]
        slid = np.linalg.norm(np.diff(ball[:, [0, 2]], axis=0), axis=-1)
        still = ~moving[1:] & ~moving[:-1] & (ball[1:, 1] < 0.03)
        assert still.sum() > 5
        assert slid[still].max() < 0.01


@pytest.mark.parametrize("genre", GENRES)
def test_knees_bend_backwards_and_elbows_forwards_only(genre):
    """A knee turns about x by a positive angle, an elbow about the vertical of the T-pose."""
    made, _ = _danced(genre)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        knee = Rotation.from_matrix(made.rotations_local[:, smpl().index(f"{side}_knee")])
        elbow = Rotation.from_matrix(made.rotations_local[:, smpl().index(f"{side}_elbow")])
        assert knee.as_rotvec()[:, 0].min() > -0.2
        assert np.abs(knee.as_rotvec()[:, 1:]).max() < 0.3
        assert (-sign * elbow.as_rotvec()[:, 1]).min() > -0.2


@pytest.mark.parametrize("genre", ["Lock", "House", "Ballet Jazz"])
def test_a_mirrored_dancer_mirrors(genre):
    """Up to the small differences between the left and the right side of SMPL's skeleton."""
    one, _ = _danced(genre)
    other, _ = _danced(genre, dancer=replace(PLAIN, mirrored=True))
    reflected = _joints(other)[:, list(smpl().mirror)] * [-1, 1, 1]
    assert np.abs(_joints(one) - reflected).max() < 0.045
    assert np.abs(_joints(one) - _joints(other)).max() > 0.2


def test_a_larger_dancer_is_larger_and_a_livelier_one_moves_more():
    small, tall = (_joints(_danced("Pop", dancer=Dancer(size=s))[0]) for s in (0.9, 1.1))
    heights = [np.ptp(joints[..., 1], axis=1).mean() for joints in (small, tall)]
    assert heights[1] / heights[0] == pytest.approx(1.1 / 0.9, rel=0.02)
    calm, lively = (_joints(_danced("Pop", dancer=Dancer(amplitude=a))[0]) for a in (0.7, 1.2))
    path = [np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() for joints in (calm, lively)]
    assert path[1] > 1.2 * path[0]
    assert sized(2.0).offsets_metres == pytest.approx(2 * smpl().offsets_metres)
    with pytest.raises(ValueError, match="size must be above 0, got 0"):
        Dancer(size=0.0)


def test_the_waltz_turns_clockwise_and_travels_round_the_room():
    turn = (BOOK.moves["natural_turn"],) * 12
    clock = np.arange(72 * 7) / 7
    made = danced(turn, BOOK.manner("Waltz"), clock, PLAIN)
    forward = made.rotations_local[:, 0, :, 2]
    yaw = np.degrees(np.unwrap(np.arctan2(forward[:, 0], forward[:, 2])))
    assert yaw[-1] - yaw[0] < -360 * 10
    assert np.ptp(made.translation[:, 0]) > 3
    assert np.ptp(made.translation[:, 2]) > 3
    steps = np.diff(made.translation[:, [0, 2]], axis=0)
    course = np.unwrap(np.arctan2(steps[14::42, 0], steps[14::42, 1]))
    assert course[-1] - course[0] > np.pi  # the line of dance goes round the other way


def test_every_genre_has_several_moves_and_every_move_a_genre():
    danced_somewhere = {name for manner in BOOK.manners.values() for name in manner.moves}
    assert danced_somewhere == set(BOOK.moves)
    assert all(len(set(manner.moves)) >= 4 for manner in BOOK.manners.values())
    for genre, manner in BOOK.manners.items():
        bar = 3 if genre == "Waltz" else 4
        beats = {BOOK.moves[name].beats for name in manner.moves}
        assert all(count % bar == 0 or bar % count == 0 for count in beats)


def test_a_move_mirrored_twice_is_itself():
    for move in BOOK.moves.values():
        assert move.mirrored().mirrored() == move
        assert (move.mirrored() is move) == move.same_side


def test_a_phrase_fills_its_bars_repeats_moves_and_depends_on_its_generator():
    one, same, other = (phrase("Krump", 9, 4, np.random.default_rng(s)) for s in (3, 3, 4))
    assert one == same
    assert one != other
    assert sum(move.beats for move in one) >= 36
    longer = phrase("Krump", 20, 4, np.random.default_rng(3))
    assert longer[: len(one)] == one
    partnered = phrase("Rumba", 20, 4, np.random.default_rng(3))
    assert all(move == BOOK.moves[move.name] for move in partnered)


def test_eased_rests_on_its_keys_and_flows_through_a_straight_line():
    row = Row(np.array([0.0, 1.0, 2.5, 3.0]), np.array([[0.0, 1], [2, -1], [-1, 0], [4, 5]]))
    assert eased(row, row.beats, flow=0.4, snap=0.7) == pytest.approx(row.values)
    near = row.beats[1:-1] + 1e-5
    assert np.abs(eased(row, near) - row.values[1:-1]).max() < 1e-8
    line = Row(np.arange(6.0), np.arange(6.0)[:, None] * 3)
    inside = np.linspace(1, 4, 31)
    assert eased(line, inside, flow=1.0)[:, 0] == pytest.approx(3 * inside)
    assert np.all(np.diff(eased(line, np.linspace(0, 5, 77), snap=1.0)[:, 0]) >= 0)
    assert eased(line, np.array([-3.0, 9.0]))[:, 0] == pytest.approx([0, 15])


def test_turned_is_turn_then_bend_then_side():
    angles = np.random.default_rng(0).uniform(-170, 170, (11, 3))
    x, y, z = angles.T
    expected = Rotation.from_euler("YXZ", angles[:, [1, 0, 2]], degrees=True).as_matrix()
    assert turned(x, y, z) == pytest.approx(expected)


def test_a_bent_limb_reaches_its_target_and_points_at_one_out_of_reach():
    generator = np.random.default_rng(1)
    upper, lower = np.array([0.04, -0.39, 0.01]), np.array([-0.01, -0.43, -0.04])
    ways = generator.normal(size=(17, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    target = ways * generator.uniform(0.15, 0.8, (17, 1))
    pole = np.cross(ways, generator.normal(size=(17, 3)))
    found = bent(target, pole, upper, lower, hinge=np.array([1.0, 0.0, 0.0]))
    knee = found.upper @ upper
    assert knee + found.lower @ lower == pytest.approx(target)
    towards = knee - (knee * ways).sum(-1, keepdims=True) * ways
    assert ((towards * pole).sum(-1) > 0).all()
    far = bent(5 * ways, pole, upper, lower, hinge=np.array([1.0, 0.0, 0.0]))
    end = far.upper @ upper + far.lower @ lower
    assert end / np.linalg.norm(end, axis=1, keepdims=True) == pytest.approx(ways)


def test_wrong_notation_is_refused():
    places, arms = {"under": (0.0,) * 4}, {"up": (0.0,) * 4}
    with pytest.raises(ValueError, match="hop: lean must have 4 tokens, got 2"):
        moves._move("hop", {"beats": 4, "lean": "1 2"}, arms, places)
    with pytest.raises(ValueError, match=r"a place of hop must be one of .* Did you mean 'under'"):
        moves._move("hop", {"beats": 1, "feet": "L.undr"}, arms, places)
    with pytest.raises(ValueError, match="a track of hop must be one of"):
        moves._move("hop", {"beats": 1, "leen": "1"}, arms, places)
    with pytest.raises(ValueError, match="an arm of hop must be one of 'up', got 'upp'"):
        moves._move("hop", {"beats": 1, "arms": "upp"}, arms, places)
    with pytest.raises(ValueError, match="flow must be from 0 to 1, got 2"):
        replace(BOOK.manner("Pop"), flow=2.0)
    with pytest.raises(ValueError, match=r"genre must be one of .* Did you mean 'House'"):
        BOOK.manner("Hous")
