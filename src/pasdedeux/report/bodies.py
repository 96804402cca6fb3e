"""Pictures of bodies: film strips of dances, and errors joint by joint.

A body here is any set of points joined by segments: the 24 joints of SMPL, or the 23 points of a
motion-capture take. Frame of reference: the world's, y up, metres. Left limbs are blue, right ones
orange, as in the player. `T` frames, `J` joints.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from pasdedeux.base.checks import refuse
from pasdedeux.motion.keypoints import Keypoints
from pasdedeux.motion.skeleton import Skeleton
from pasdedeux.report.picture import BLUE, GREEN, GREY, ORANGE, STYLE, Picture, picture

INK = {"left": BLUE, "right": ORANGE, "middle": "#3A3A3A"}
TALLEST_METRES = 5.0
SLOT_METRES = 1.1  # from one pose of a film strip to the next
MOST_POSES = 400


@dataclass(frozen=True, eq=False)
class Dancer:
    """A moving body with a name; `sides` says of each joint whether it is left, right or middle.

    `segments` are pairs of joints to be joined by a line, drawn in the colour of the second one's
    side. `head` is the joint that is drawn as a disc, if any.
    """

    name: str
    joints_world: Float[np.ndarray, "T J 3"]
    segments: tuple[tuple[int, int], ...]
    sides: tuple[str, ...] = ()
    head: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn, naming the dancer."""
        frames, joints, _ = self.joints_world.shape
        refuse(frames < 1 or joints < 1, f"{self.name}: no frame or no joint to draw.")
        named = {joint for pair in self.segments for joint in pair} | {self.head or 0}
        wrong = sorted(joint for joint in named if not 0 <= joint < joints)
        refuse(wrong, f"{self.name}: segments or head name joints {wrong} of {joints}.")
        refuse(len(self.sides) not in (0, joints), f"{self.name}: give one side for each joint.")
        unknown = sorted(set(self.sides) - set(INK))
        refuse(unknown, f"{self.name}: sides are {', '.join(INK)}, got {unknown}.")
        finite = bool(np.isfinite(self.joints_world).all())
        refuse(not finite, f"{self.name}: joints_world must be finite; fill lost joints first.")
        extent = np.ptp(self.joints_world, axis=1).max(axis=-1)
        largest = float(np.median(extent))
        told = f"{self.name}: the body is {largest:.1f} m large; are its joints in metres?"
        refuse(largest > TALLEST_METRES, told)

    @property
    def drawn(self) -> tuple[tuple[int, int, str], ...]:
        """The segments, each with its side."""
        sides = self.sides or ("middle",) * self.joints_world.shape[1]
        return tuple((a, b, sides[b]) for a, b in self.segments)


def bones(parents: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return a segment from each joint's parent to the joint; a root, parent -1, has none."""
    return tuple((parent, joint) for joint, parent in enumerate(parents) if parent >= 0)


def dancer_of(
    name: str, joints_world: Float[np.ndarray, "T J 3"], body: Skeleton | Keypoints
) -> Dancer:
    """Return a dancer with the bones of a skeleton or the segments of keypoints.

    The names of its joints tell the sides and the head.
    """
    words = [joint.partition("_")[0] for joint in body.names]
    sides = tuple(word if word in ("left", "right") else "middle" for word in words)
    head = body.names.index("head") if "head" in body.names else None
    segments = body.segments if isinstance(body, Keypoints) else bones(body.parents)
    return Dancer(name, joints_world, segments, sides, head)


def filmstrip(
    dancers: Dancer | Sequence[Dancer],
    *,
    rate_hz: float = 25.0,
    every_seconds: float = 0.2,
    start_seconds: float = 0.0,
    seconds: float | None = None,
    beat_seconds: Float[np.ndarray, " N"] | None = None,
    per_row: int = 15,
) -> Picture:
    """Return poses `every_seconds` side by side, seen from the front; rows follow each other.

    Time runs to the right, each pose stands at its moment, moved there from wherever it was on the
    floor. Beats are green lines. Several dancers stand below each other in every row.
    """
    shown = [dancers] if isinstance(dancers, Dancer) else list(dancers)
    refuse(not shown, "a film strip needs at least one dancer, got none.")
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    refuse(not every_seconds > 0, f"every_seconds must be above 0, got {every_seconds}.")
    refuse(per_row < 1, f"per_row must be at least 1, got {per_row}.")
    last = (min(len(dancer.joints_world) for dancer in shown) - 1) / rate_hz
    end = last if seconds is None else min(last, start_seconds + seconds)
    told = f"start_seconds {start_seconds} lies outside the dance of {last:g} s."
    refuse(not 0 <= start_seconds <= last, told)
    times = np.arange(start_seconds, end + 1e-9, every_seconds)
    told = f"{len(times)} poses are too many to see; choose a larger every_seconds than"
    refuse(len(times) > MOST_POSES, f"{told} {every_seconds}.")
    beats = np.zeros(0) if beat_seconds is None else beat_seconds
    return _strip(
        shown, times, beats, rate_hz=rate_hz, every_seconds=every_seconds, per_row=per_row
    )


def _strip(
    dancers: Sequence[Dancer],
    times: Float[np.ndarray, " N"],
    beats: Float[np.ndarray, " M"],
    *,
    rate_hz: float,
    every_seconds: float,
    per_row: int,
) -> Picture:
    across = min(per_row, len(times))
    rows = math.ceil(len(times) / per_row)
    low, high = _heights(dancers)
    width = min(14.0, max(4.0, 0.95 * across))
    inches_per_metre = width / (across * SLOT_METRES)
    height = rows * len(dancers) * (high - low + 0.1) * inches_per_metre + 0.3 * rows + 0.2
    with mpl.rc_context(STYLE):
        drawn = picture(width, height)
        grid = drawn.subplots(rows * len(dancers), 1, squeeze=False)[:, 0]
        for place, axes in enumerate(grid):
            row, number = divmod(place, len(dancers))
            chosen = times[row * per_row : (row + 1) * per_row]
            begin = chosen[0] - every_seconds / 2
            to_metres = SLOT_METRES / every_seconds
            _row(axes, dancers[number], chosen, begin=begin, rate_hz=rate_hz, stretch=to_metres)
            inside = beats[(beats >= begin) & (beats < begin + across * every_seconds)]
            inside = inside[inside <= times[-1] + every_seconds / 2]
            axes.vlines(
                (inside - begin) * to_metres, low, high, color=GREEN, linewidth=1.2, zorder=0
            )
            axes.set(xlim=(0, across * SLOT_METRES), ylim=(low - 0.05, high + 0.05), aspect="equal")
            axes.axis("off")
            if number == len(dancers) - 1:
                _label_times(axes, chosen, begin, to_metres, low)
            if len(dancers) > 1:
                axes.text(0, high, dancers[number].name, fontsize=8, va="top", ha="left")
    return drawn


def _label_times(
    axes: Axes, times: Float[np.ndarray, " N"], begin: float, stretch: float, low: float
) -> None:
    digits = 1 if np.allclose(times * 10, np.round(times * 10)) else 2
    for time in times:
        where = ((time - begin) * stretch, low)
        axes.annotate(
            f"{time:.{digits}f} s", where, (0, -3), textcoords="offset points", ha="center",
            va="top", fontsize=7, color=GREY, annotation_clip=False,
        )  # fmt: skip


def _row(
    axes: Axes,
    dancer: Dancer,
    times: Float[np.ndarray, " N"],
    *,
    begin: float,
    rate_hz: float,
    stretch: float,
) -> None:
    """Draw the poses at `times`; the sides one after the other, so that left limbs lie above."""
    frames = np.round(times * rate_hz).astype(int).clip(0, len(dancer.joints_world) - 1)
    poses = dancer.joints_world[frames][..., :2].astype(float)
    poses[..., 0] += ((times - begin) * stretch - poses[..., 0].mean(axis=1))[:, None]
    for side in ("right", "middle", "left"):
        pairs = [(a, b) for a, b, found in dancer.drawn if found == side]
        if pairs:
            lines = poses[:, pairs].reshape(-1, 2, 2)
            axes.add_collection(LineCollection(lines, colors=INK[side], linewidths=1.4))
    if dancer.head is not None:
        axes.scatter(*poses[:, dancer.head].T, s=22, color=INK["middle"], zorder=3)


def _heights(dancers: Sequence[Dancer]) -> tuple[float, float]:
    low = min(float(dancer.joints_world[..., 1].min()) for dancer in dancers)
    high = max(float(dancer.joints_world[..., 1].max()) for dancer in dancers)
    return low, max(high + 0.1, low + 0.5)  # a disc is drawn around the head


def errors_per_joint(
    errors_metres: Mapping[str, Float[np.ndarray, "T J"]],
    names: Sequence[str],
    *,
    title: str = "",
) -> Picture:
    """Return a bar for the mean error of each joint in cm, with a whisker to the 95th percentile.

    One colour for each fit in `errors_metres`; the legend tells its mean over all joints. Raises
    `ValueError` for errors that are negative or not finite.
    """
    refuse(not errors_metres, "errors_per_joint needs at least one fit, got none.")
    for name, errors in errors_metres.items():
        told = f"{name}: {errors.shape[1]} joints but {len(names)} names."
        refuse(errors.shape[1] != len(names), told)
        fine = len(errors) > 0 and bool((np.isfinite(errors) & (errors >= 0)).all())
        refuse(not fine, f"{name}: errors must be metres, finite and at least 0, of some frames.")
    colours = (BLUE, ORANGE, GREEN, GREY)
    thick = 0.8 / len(errors_metres)
    with mpl.rc_context(STYLE):
        drawn = picture(6.4, 0.2 * max(1.0, 0.6 * len(errors_metres)) * len(names) + 0.9)
        axes = drawn.subplots()
        for place, (name, errors) in enumerate(errors_metres.items()):
            mean, far = 100 * errors.mean(axis=0), 100 * np.percentile(errors, 95, axis=0)
            where = np.arange(len(names)) + (place + 0.5) * thick - 0.4
            colour = colours[place % len(colours)]
            overall = f"{name} (mean {mean.mean():.2f} cm)"
            axes.barh(where, mean, height=0.9 * thick, color=colour, alpha=0.6, label=overall)
            axes.hlines(where, mean, far, color=colour, linewidth=1)
            axes.plot(far, where, "|", color=colour, markersize=5)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel="distance (cm): mean, whisker to the 95th percentile", title=title)
        axes.set_xlim(left=0)
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.legend(fontsize=8, loc="best")
    return drawn
