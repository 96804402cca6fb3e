"""A dance in keys: what body, arms and feet have reached at which beat, over the whole floor.

Moves follow each other; a foot stays where it stands until it steps, and steps of its own accord
when the dancer has left it too far behind. Frame of reference: the world's, y up, the dancer begins
at the origin and faces z; metres and degrees. `K` keys.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse
from pasdedeux.motion.moves import BODY, SIDES, TRAVEL, Manner, Move, Step, vocabulary

FARTHEST_METRES = 0.62  # of a standing foot from its place: beyond it the dancer takes a step
TURNED_DEGREES = 25.0  # of a standing foot from the body: beyond it the foot turns on its ball
HOMING = 0.06  # share of the way back to the middle of the floor, a beat
FACING = 0.2  # share of the turn back to the audience, a beat
OUTWARD = {"left": 1.0, "right": -1.0}
UNDER = (0.09, 0.04, 0.0, 0.0)


@dataclass(frozen=True)
class Dancer:
    """How one person dances: size of body and moves, energy, side, timing.

    lag_seconds: how late this dancer is on every beat. jitter_seconds: standard deviation of each.
    """

    size: float = 1.0
    amplitude: float = 1.0
    energy: float = 1.0
    mirrored: bool = False
    lag_seconds: float = 0.0
    jitter_seconds: float = 0.0
    stoop_degrees: float = 0.0
    elbows_degrees: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a body of no size."""
        refuse(self.size <= 0, f"size must be above 0, got {self.size}.")


class Row(NamedTuple):
    """Keys of values that move together: when, and what; times increase."""

    beats: Float[np.ndarray, " K"]
    values: Float[np.ndarray, "K D"]


class Steps(NamedTuple):
    """When a foot is in the air."""

    begin: Float[np.ndarray, " K"]
    end: Float[np.ndarray, " K"]


class Score(NamedTuple):
    """A whole dance in keys: body tracks, arms and feet by side, and the path over the floor."""

    body: Mapping[str, Row]
    arms: Mapping[str, Row]
    feet: Mapping[str, Row]  # x, height, z, heel up, yaw
    steps: Mapping[str, Steps]
    path: Row  # x, z, heading


def scored(moves: Sequence[Move], manner: Manner, dancer: Dancer) -> Score:
    """Return the keys of a whole dance; the dancer begins at the origin, facing z."""
    rest = vocabulary().resting(manner)
    body: dict[str, list] = {name: [(-1.0, 0.0)] for name in BODY}
    arms = {side: [(-1.0, rest[side])] for side in SIDES}
    floor = _Floor(manner, dancer)
    start = 0
    for move in moves:
        for name in BODY:
            keys = move.body.get(name) or tuple((b, 0.0) for b in range(move.beats))
            body[name] += [(start + beat, value) for beat, value in keys]
        for side in SIDES:
            keys = move.arms.get(side) or tuple((b, rest[side]) for b in range(move.beats))
            arms[side] += [(start + beat, value) for beat, value in keys]
        floor.follow(move, start)
        start += move.beats
    return Score(
        {name: _row(keys) for name, keys in body.items()},
        {side: _row(keys) for side, keys in arms.items()},
        {side: _row(floor.feet[side]) for side in SIDES},
        {side: Steps(*np.array(floor.steps[side] or [(-9, -8)], float).T) for side in SIDES},
        _row(floor.path),
    )


def _row(keys: Sequence[tuple]) -> Row:
    times = np.array([key[0] for key in keys], float)
    return Row(times, np.array([np.atleast_1d(key[1]) for key in keys], float))


class _Floor:
    """Where the dancer and both feet are, beat by beat, in the world."""

    def __init__(self, manner: Manner, dancer: Dancer) -> None:
        self.manner, self.dancer = manner, dancer
        self.at, self.heading, self.line = np.zeros(2), 0.0, 0.0
        self.path: list[tuple] = [(-1.0, (0.0, 0.0, 0.0))]
        self.feet: dict[str, list] = {}
        self.steps: dict[str, list] = {side: [] for side in SIDES}
        for side in SIDES:
            self.feet[side] = [(-1.0, self._placed(side, UNDER))]

    def follow(self, move: Move, start: int) -> None:
        """Walk through `move`, which begins at beat `start`."""
        travel = {name: dict(move.body.get(name, ())) for name in TRAVEL}
        steps = defaultdict(list)
        for step in move.steps:
            steps[int(step.beat)].append(step)
        for beat in range(move.beats):
            by = [travel[name].get(float(beat), 0.0) for name in TRAVEL]
            self._travel(move.line, *by)
            self.path.append((start + beat, (*self.at, self.heading)))
            stepping = {step.foot for step in steps[beat]}
            for side in SIDES:
                if side not in stepping and self._must_step(side, airborne=beat == 0):
                    steps[beat].insert(0, Step(beat, side, UNDER, 1.0))
                elif side not in stepping:
                    self._pivot(side, start + beat)
            for step in steps[beat]:
                self._step(step, start)

    def _travel(self, line: bool, forward: float, left: float, turn: float) -> None:
        scale = self.dancer.size * (0.5 + 0.5 * self.dancer.amplitude)
        facing = self.line if line else self.heading
        if line and self.manner.radius:
            self.line += np.degrees(forward * scale / self.manner.radius)
        self.at = self.at + scale * _turned(np.array([left, forward]), facing)
        self.heading += turn
        if not self.manner.radius:
            self.at = self.at * (1 - HOMING)
            if not turn:
                self.heading -= FACING * ((self.heading + 180) % 360 - 180)
        elif not line and not turn:
            self.heading -= FACING * ((self.heading - self.line + 180) % 360 - 180)

    def _placed(self, side: str, place: tuple) -> tuple:
        outward, forward, height, pitch = place
        scale = self.dancer.size * (0.6 + 0.4 * self.dancer.amplitude)
        x, z = self.at + scale * _turned(np.array([OUTWARD[side] * outward, forward]), self.heading)
        return (x, height * scale, z, pitch, self.heading + OUTWARD[side] * self.manner.turnout)

    def _step(self, step: Step, start: int) -> None:
        keys, end = self.feet[step.foot], start + step.beat
        last, standing = keys[-1]
        begin = max(last, end - step.beats)
        if begin > last:
            keys.append((begin, standing))
        keys.append((end, self._placed(step.foot, step.place)))
        self.steps[step.foot].append((begin, end))

    def _pivot(self, side: str, beat: int) -> None:
        """Turn a standing foot on its ball when the body has turned away from it."""
        last, standing = self.feet[side][-1]
        yaw = self.heading + OUTWARD[side] * self.manner.turnout
        if abs(yaw - standing[4]) > TURNED_DEGREES and beat > last:
            if beat - 1 > last:
                self.feet[side].append((beat - 1, standing))
            self.feet[side].append((beat, (*standing[:4], yaw)))

    def _must_step(self, side: str, *, airborne: bool) -> bool:
        x, height, z = self.feet[side][-1][1][:3]
        under = self._placed(side, UNDER)
        away = np.hypot(x - under[0], z - under[2]) > FARTHEST_METRES * self.dancer.size
        return bool(away or (airborne and height > 0))


def _turned(point: np.ndarray, degrees: float) -> np.ndarray:
    """Return (left, forward) of someone who faces `degrees` as (x, z) of the world."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([c * point[0] + s * point[1], -s * point[0] + c * point[1]])
