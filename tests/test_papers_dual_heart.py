"""Learning by heart: settings, and what is told of a system whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
from test_data_pairs import SETTINGS, _dance

from pasdedeux.data import pairs
from pasdedeux.data.paired import Paired
from pasdedeux.papers import dual, dual_heart
from pasdedeux.training.dances import Trained


@pytest.fixture(scope="module")
def made():
    dances = tuple(_dance(n, frames=611) for n in range(11))
    return pairs.cut(Paired(dances, "random"), SETTINGS)


def test_a_system_that_repeats_its_windows_has_no_distance_and_their_speed(made):
    known = {
        music.tobytes(): pose for music, pose in zip(made.train.music, made.train.pose, strict=True)
    }

    def dance(music, first, seed):
        still = np.repeat(first[:, None], music.shape[1], axis=1)
        return np.stack([known.get(x.tobytes(), y) for x, y in zip(music, still, strict=True)])

    told = dual_heart.remembered(Trained(None, dance), made, seed=0)
    own, other = told["windows it has met"], told["songs it has not"]
    assert own["distance (mm)"] == pytest.approx(0, abs=1e-3)
    assert own["speed (m/s)"] == pytest.approx(own["of the real dance (m/s)"])
    assert other["distance (mm)"] == pytest.approx(other["of a frozen body (mm)"])
    assert other["speed (m/s)"] == pytest.approx(0, abs=1e-6)
    assert other["of the real dance (m/s)"] > 0


def test_only_data_ties_and_schedule_are_changed():
    base = dual.DualSettings.laptop()
    few = dual_heart.by_heart(base)
    assert few.pairs.corpus == "synthetic"
    assert (few.gromov, few.cycle, few.seeds) == (0, 0, base.seeds[:1])
    names = ("pairs", "seeds", "gromov", "cycle", "batch", "steps", "rates")
    assert replace(few, **{name: getattr(base, name) for name in names}) == base
