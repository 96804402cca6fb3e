from dataclasses import dataclass

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from pasdedeux.engine import systems
from pasdedeux.engine.study import study
from pasdedeux.training.run import Run, open_run

CALLS = []


@dataclass(frozen=True)
class Settings:
    seeds: tuple[int, ...] = (3, 5)
    samples: int = 7
    workers: int = 1


def train(settings, data, seed):
    CALLS.append(("train", seed))
    run = open_run("toy", "one", seed=seed, settings={}, data=data, code="pasdedeux.base.checks")
    return run, lambda count: np.full((count, 2), seed)


def measure(drawn, data):
    CALLS.append(("measure", len(drawn)))
    return {"mean": float(drawn.mean())}


def test_every_system_is_measured_under_every_seed_once(project):
    CALLS.clear()
    rows = study({"one": (train, Settings()), "two": (train, Settings())}, "data", measure)
    assert [(r.system, r.seed, r.numbers) for r in rows] == [
        ("one", 3, {"mean": 3.0}),
        ("two", 3, {"mean": 3.0}),
        ("one", 5, {"mean": 5.0}),
        ("two", 5, {"mean": 5.0}),
    ]
    assert (rows[0].samples() == np.full((7, 2), 3)).all()
    assert rows[0].run.startswith("runs/toy/one-seed3-")
    measured = CALLS.count(("measure", 7))
    again = study({"one": (train, Settings())}, "data", measure)
    assert [r.numbers for r in again] == [rows[0].numbers, rows[2].numbers]
    assert CALLS.count(("measure", 7)) == measured, "a finished measurement was made again"
    study({"one": (train, Settings(samples=11))}, "data", measure)
    assert CALLS.count(("measure", 11)) == 2


def test_two_processes_give_what_one_gives(project):
    alone = study({"one": (train, Settings())}, "data", measure)
    both = study({"one": (train, Settings(workers=2))}, "other data", measure)
    get_reusable_executor().shutdown(wait=True)  # else two idle processes outlive the tests
    assert [r.numbers for r in alone] == [r.numbers for r in both]


def test_systems_of_one_seed_run_in_two_processes_and_share_a_run(project):
    def systems(workers):
        settings = Settings(seeds=(3,), workers=workers)
        return {name: (train, settings) for name in ("one", "two", "three")}

    alone = study(systems(1), "data", measure)
    both = study(systems(2), "other data", measure)
    get_reusable_executor().shutdown(wait=True)  # else two idle processes outlive the tests
    assert [r[:2] for r in both] == [("one", 3), ("two", 3), ("three", 3)]
    assert [r.numbers for r in alone] == [r.numbers for r in both]
    kept = Run(project / both[0].run, "one", 3).metrics()
    assert len(kept) == 3, "a measurement was written over by another of the same run"


def test_a_measurement_that_is_not_finite_is_refused_and_not_kept(project):
    def broken(drawn, data):
        return {"mean": float("nan")}

    with pytest.raises(ValueError, match="not JSON compliant"):
        study({"one": (train, Settings())}, "data", broken)
    assert not list(project.rglob("metrics.json"))


def test_different_seeds_cannot_be_compared(project):
    with pytest.raises(ValueError, match=r"two has seeds \(9,\), the others \(3, 5\)"):
        study({"one": (train, Settings()), "two": (train, Settings(seeds=(9,)))}, "", measure)


def test_ablations_change_one_thing_and_share_the_rest():
    settings = systems.fusion_settings("quick", pair="german-chinese", seed=4)
    assert settings.seeds == (4,)
    assert settings.melody.pair == "german-chinese"
    found = systems.fusion_ablation(settings)
    assert found["Fusion"][1] == settings
    assert found["without Eq. 9"][1].balance == "none"
    assert found["without Eq. 12"][1].order == "none"
    assert len({changed for _, changed in found.values()}) == len(found)
