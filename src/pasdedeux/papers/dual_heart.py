"""Learnt by heart: what dual learning makes of few windows, met again and again.

The losses of reconstruction are least at the middle of all dances that a song may have, and the
middle of many dances hardly moves. Where there is one dance to a song, the middle is that dance. So
a network that stands still on a whole corpus can dance, of what it has seen; this says how well,
and what is left of it on music it has not seen.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs, PairSettings
from pasdedeux.metrics import dance
from pasdedeux.papers.dual_evaluate import excerpts, joints_of
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import Trained

WINDOWS, STEPS, RATE, BATCH = 24, 240, 3e-3, 8
FEW = PairSettings(
    corpus="synthetic", genres=("Waltz",), dances_a_genre=9, most_windows=WINDOWS
)  # the dances are made by a program, so what is repeated of them may be shown


def by_heart(settings: DualSettings, *, steps: int = STEPS) -> DualSettings:
    """Return `settings` for `steps` updates on 24 windows of synthetic waltzes, first seed only.

    Neither tie: with every pair told they ask for nothing that reconstruction does not ask for.
    """
    return replace(
        settings, pairs=FEW, seeds=settings.seeds[:1], gromov=0.0, cycle=0.0, batch=BATCH,
        steps=steps, rates=((0, RATE),),
    )  # fmt: skip


def remembered(trained: Trained, pairs: Pairs, *, seed: int) -> dict[str, dict[str, float]]:
    """Return how near to the real dance the system comes, and how fast it moves.

    One row for the windows it was trained on, one for the test excerpts; a body that keeps the
    first pose and the real dance stand beside it.
    """
    held = pairs.train
    unseen = excerpts(pairs, most_a_genre=len(held))
    return {
        "windows it has met": _told(trained, held.music, held.pose, seed),
        "songs it has not": _told(trained, unseen.music, unseen.pose, seed),
    }


def _told(
    trained: Trained,
    music: Float[np.ndarray, "N S 53"],
    pose: Float[np.ndarray, "N S 147"],
    seed: int,
) -> dict[str, float]:
    true = joints_of(pose)
    made = joints_of(trained.dance(music, pose[:, 0], seed))
    still = np.repeat(true[:, :1], true.shape[1], axis=1)
    return {
        "distance (mm)": _distance(true, made),
        "of a frozen body (mm)": _distance(true, still),
        "speed (m/s)": _speed(made),
        "of the real dance (m/s)": _speed(true),
    }


def _distance(true: Float[np.ndarray, "N S 24 3"], made: Float[np.ndarray, "N S 24 3"]) -> float:
    pairs = zip(true, made, strict=True)
    return float(np.mean([dance.joint_distance(one, other) for one, other in pairs]))


def _speed(bodies: Float[np.ndarray, "N S 24 3"]) -> float:
    return float(np.linalg.norm(np.diff(bodies, axis=1), axis=-1).mean() * RATE_HZ)
