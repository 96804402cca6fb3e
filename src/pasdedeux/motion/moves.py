"""The vocabulary of the built-in dancers: moves written beat by beat, and who dances which.

`moves.toml` is the notation; its head explains it. A move is a set of tracks, each a row of keys
(beat, value) that the body reaches on time. Frame of reference: the dancer's, x left, y up, z
forward; angles in degrees, lengths in metres.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pasdedeux.base.checks import choice, refuse

TABLE = Path(__file__).with_name("moves.toml")
TRAVEL = ("forward", "left", "turn")
BODY = (
    *("sway", "surge", "drop", "rise", "jump", "pitch", "hip", "roll"),
    *("lean", "twist", "side", "nod", "look", "tilt", "shrug"),
)
SIDEWAYS = frozenset(("left", "turn", "sway", "hip", "roll", "twist", "side", "look", "tilt"))
SIDES = ("left", "right")
LETTERS = {"L": "left", "R": "right"}


class Step(NamedTuple):
    """A foot reaches a place (outward, forward, up, heel up) at `beat`, within `beats`."""

    beat: float
    foot: str
    place: tuple[float, float, float, float]
    beats: float


Keys = tuple[tuple[float, float], ...]  # (beat, value)
ArmKeys = tuple[tuple[float, tuple[float, float, float, float]], ...]


@dataclass(frozen=True)
class Move:
    """A figure of whole beats. body: keys of each track of `BODY` and `TRAVEL` it mentions."""

    name: str
    beats: int
    steps: tuple[Step, ...]
    body: Mapping[str, Keys]
    arms: Mapping[str, ArmKeys]  # by side; a side without keys stays at rest
    line: bool = False
    same_side: bool = False

    def mirrored(self) -> "Move":
        """Return the move as seen in a mirror; itself if it must keep its side."""
        if self.same_side:
            return self
        other = {"left": "right", "right": "left"}
        flip = {name: -1.0 if name in SIDEWAYS else 1.0 for name in self.body}
        return replace(
            self,
            steps=tuple(step._replace(foot=other[step.foot]) for step in self.steps),
            body={n: tuple((b, flip[n] * v) for b, v in keys) for n, keys in self.body.items()},
            arms={other[side]: keys for side, keys in self.arms.items()},
        )


@dataclass(frozen=True)
class Manner:
    """What a genre dances, and how; `moves.toml` tells the meaning of each field."""

    moves: tuple[str, ...]
    rest_arms: tuple[str, str]
    flow: float = 0.0
    snap: float = 0.0
    bounce: float = 0.0
    knees: float = 0.03
    step: float = 0.06
    turnout: float = 10.0
    radius: float = 0.0
    partnered: bool = False

    def __post_init__(self) -> None:
        """Refuse shares outside 0..1."""
        for name in ("flow", "snap"):
            value = getattr(self, name)
            refuse(not 0 <= value <= 1, f"{name} must be from 0 to 1, got {value}.")


@dataclass(frozen=True)
class Vocabulary:
    """Arm poses, moves and genres by name."""

    arms: Mapping[str, tuple[float, float, float, float]]
    moves: Mapping[str, Move]
    manners: Mapping[str, Manner] = field(repr=False)

    def manner(self, genre: str) -> Manner:
        """Return how `genre` is danced; an unknown genre is refused with the nearest one."""
        return self.manners[choice("genre", genre, self.manners)]

    def resting(self, manner: Manner) -> dict[str, tuple[float, float, float, float]]:
        """Return where each arm is when a move says nothing."""
        return {side: self.arms[pose] for side, pose in zip(SIDES, manner.rest_arms, strict=True)}


@cache
def vocabulary() -> Vocabulary:
    """Return what `moves.toml` holds; a wrong token is refused with the name of its move."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    arms = {name: tuple(map(float, row)) for name, row in table["arms"].items()}
    places = {name: tuple(map(float, row)) for name, row in table["places"].items()}
    moves = {name: _move(name, row, arms, places) for name, row in table["move"].items()}
    manners = {}
    for genre, row in table["genre"].items():
        lists = {name: tuple(row[name]) for name in ("moves", "rest_arms")}
        for name in lists["moves"]:
            choice(f"a move of {genre}", name, moves)
        manners[genre] = Manner(**{**row, **lists})
    return Vocabulary(arms, moves, manners)


def phrase(
    genre: str, bars: int, beats_per_bar: int, generator: np.random.Generator
) -> tuple[Move, ...]:
    """Return moves that fill at least `bars` bars: each is danced, and danced to the other side.

    One of the genre's moves is drawn after another, never the same twice running.
    """
    book = vocabulary()
    manner = book.manner(genre)
    found: list[Move] = []
    beats, last = 0, ""
    while beats < bars * beats_per_bar:
        last = str(generator.choice([name for name in manner.moves if name != last]))
        move = book.moves[last]
        other = move if manner.partnered else move.mirrored()
        pair = (move, other) if generator.uniform() < 0.5 else (other, move)
        turns = max(2, (2 * beats_per_bar) // move.beats)
        found += [pair[turn % 2] for turn in range(turns)]
        beats += move.beats * turns
    return tuple(found)


def _move(name: str, row: Mapping, arms: Mapping, places: Mapping) -> Move:
    beats = row["beats"]
    known = {*BODY, *TRAVEL, "arms", "left_arm", "right_arm", "feet", "beats", "line", "same_side"}
    for key in row:
        choice(f"a track of {name}", key, known)
    tokens = {key: _tokens(name, key, row[key], beats) for key in row.keys() & known - _PLAIN}
    body = {key: tuple((b, float(t)) for b, t in tokens[key]) for key in tokens.keys() - _LIMBS}
    held = {}
    for side in SIDES:
        words = tokens.get(f"{side}_arm", tokens.get("arms", ()))
        held[side] = tuple((b, arms[choice(f"an arm of {name}", t, arms)]) for b, t in words)
    steps = [
        Step(b, *_stepped(name, word, places), 0.5 if b % 1 else 1.0)
        for b, token in tokens.get("feet", ())
        for word in token.split("+")
    ]
    return Move(
        name,
        beats,
        tuple(steps),
        body,
        held,
        line=row.get("line", False),
        same_side=row.get("same_side", False),
    )


_PLAIN = {"beats", "line", "same_side"}
_LIMBS = {"feet", "arms", "left_arm", "right_arm"}


def _tokens(name: str, key: str, text: str, beats: int) -> tuple[tuple[float, str], ...]:
    """Return (beat, token) of a track, without the beats where nothing changes."""
    words = text.split()
    refuse(
        len(words) != beats, f"{name}: {key} must have {beats} tokens, got {len(words)}: {text!r}."
    )
    found = []
    for beat, word in enumerate(words):
        parts = word.split("/")
        found += [(beat + half / 2, part) for half, part in enumerate(parts) if part != "."]
    return tuple(found)


def _stepped(name: str, word: str, places: Mapping) -> tuple[str, tuple]:
    letter, _, place = word.partition(".")
    foot = LETTERS[choice(f"a foot of {name}", letter, LETTERS)]
    return foot, places[choice(f"a place of {name}", place, places)]
