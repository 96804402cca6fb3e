"""The systems of the dance tables, by the labels the tables print, each ready for a study."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pasdedeux.base.profiles import settings as profile_settings
from pasdedeux.baselines import huang2021, ren2020, retrieval, still, tang2018
from pasdedeux.data.pairs import Pairs
from pasdedeux.papers import dual, mdot
from pasdedeux.papers.dual_evaluate import Performed, performed
from pasdedeux.training.dances import DanceTraining, Trained
from pasdedeux.training.run import Run

System = tuple[Callable[..., Any], DanceTraining]
Train = Callable[[Any, Pairs, int], Trained]
FLOORS: dict[str, Train] = {
    "nearest training window": retrieval.train,
    "any training window": retrieval.at_random,
    "frozen pose, one chord": still.frozen,
    "mean pose, mean music": still.mean_pose,
    "frozen, nods on the beat": still.nodding,
    "frozen, trembles": still.trembling,
}
ROWS = {
    "neither": (0.0, 0.0),
    "CC only": (0.0, 1.0),
    "GW only": (1.0, 0.0),
    "GW and CC": (1.0, 1.0),
}


def dual_settings(
    profile: str, *, corpus: str = "auto", seed: int = 0, device: str = "auto"
) -> dual.DualSettings:
    """Return dual learning's settings at `profile` on `corpus`, seeds moved by `seed`.

    Real dances are taken whole: the few genres of `quick` are those of the synthetic corpus.
    """
    chosen = profile_settings(dual.DualSettings, profile, device=device)
    return replace(
        chosen,
        seeds=tuple(first + seed for first in chosen.seeds),
        pairs=replace(chosen.pairs, corpus=corpus),
    )


def dance_systems(profile: str, like: dual.DualSettings) -> dict[str, System]:
    """Return the systems of Table 2, MDOT-Net and the floors; all have the data, seeds, numbers of
    updates and windows in a batch of `like`.
    """
    trained: dict[str, tuple[Train, type]] = {
        "Tang et al. (2018)": (tang2018.train, tang2018.TangSettings),
        "Ren et al. (2020)": (ren2020.train, ren2020.RenSettings),
        "Huang et al. (2021)": (huang2021.train, huang2021.HuangSettings),
        "MDOT-Net": (mdot.train, mdot.MdotSettings),
    }
    shared = {
        name: getattr(like, name) for name in ("pairs", "seeds", "samples", "steps", "workers")
    }
    floors = DanceTraining(**shared, device=like.device)
    systems: dict[str, System] = {"Ours": (partial(_played, dual.train), like)}
    for label, (train, cls) in trained.items():
        settings = profile_settings(cls, profile, **shared, device=like.device)
        systems[label] = (partial(_played, train), settings)
    for label, train in FLOORS.items():
        systems[label] = (partial(_played, train), floors)
    return systems


def dual_ablation(settings: dual.DualSettings) -> dict[str, System]:
    """Return the four rows of Table 4; all share data, first weights, batches and noise."""
    return {
        label: (partial(_played, dual.train), replace(settings, gromov=gw, cycle=cc))
        for label, (gw, cc) in ROWS.items()
    }


def _played(
    train: Train, settings: DanceTraining, pairs: Pairs, seed: int
) -> tuple[Run, Callable[[int], Performed]]:
    """Return a trained system's run, and a call that lets it dance to the test excerpts."""
    trained = train(settings, pairs, seed)
    return trained.run, partial(performed, trained, pairs, seed=seed)
