"""The systems of the dance tables, by the labels the tables print, each ready for a study."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from pasdedeux.base import device as devices
from pasdedeux.base.profiles import settings as profile_settings
from pasdedeux.baselines import huang2021, ren2020, retrieval, still, tang2018
from pasdedeux.data.pairs import Pairs
from pasdedeux.engine.study import DivergedError
from pasdedeux.papers import dual, mdot
from pasdedeux.papers.dual_evaluate import Performed, performed
from pasdedeux.papers.dual_networks import Composing, Dancing
from pasdedeux.report.table import Measurement
from pasdedeux.training.dances import DanceTraining, Trained, opened
from pasdedeux.training.loop import restore
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
KNOBS: Mapping[str, Mapping[str, Any]] = {  # what the paper leaves open, one change in each row
    "as in Table 4": {},
    "GW x 10": {"gromov": 10.0},
    "GW x 0.1": {"gromov": 0.1},
    "epsilon 0.05": {"epsilon": 0.05},
    "epsilon 1": {"epsilon": 1.0},
    "unrolled gradient": {"gradient": "unrolled"},
    "Algorithm 1 as printed": {"algorithm": "printed"},
    "plan: the pairs of the batch": {"plan": "identity"},
    "autoregressive": {"decoding": "autoregressive"},
    "beats by L1": {"beats": "l1"},
    "no joints in the loss": {"velocity": 0.0, "position": 0.0},
    "routing as printed": {"routing": "printed"},
}
SIZES = {
    "Tang et al. (2018)": tang2018.parameters,
    "Ren et al. (2020)": ren2020.parameters,
    "Huang et al. (2021)": huang2021.parameters,
}
SIZE_COLUMNS = ("learned numbers", "of them to dance", "updates", "windows a batch", "windows")
NOT_FINITE = re.compile(r"(?:^loss .* is|^the gradient of .* is) (?:nan|-?inf)")


def dual_settings(
    profile: str, *, corpus: str = "auto", seed: int = 0, device: str = "auto"
) -> dual.DualSettings:
    """Return dual learning's settings at `profile` on `corpus`, seeds moved by `seed`.

    Real dances are taken whole: the few genres of `quick` are those of the synthetic corpus. It has
    a third of its updates: eight trainings and more share three minutes.
    """
    chosen = profile_settings(dual.DualSettings, profile, device=device)
    if profile == "quick":
        chosen = replace(chosen, steps=chosen.steps // 3)
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


def sizes(systems: Mapping[str, System], pairs: Pairs) -> list[Measurement]:
    """Return how many numbers each system learns, from how many updates of how many windows.

    What learns nothing has no updates; it is counted without keeping the windows it draws from.
    """
    rows = []
    for label, (_, settings) in systems.items():
        found = _counted(label, settings)
        learns = found["learned"] > 0
        told = (
            found["learned"], found["dancing"], settings.steps * learns, settings.batch * learns,
            len(pairs.train),
        )  # fmt: skip
        rows += [
            Measurement(label, column, None, float(value), "settings")
            for column, value in zip(SIZE_COLUMNS, told, strict=True)
        ]
    return rows


def _counted(label: str, settings: DanceTraining) -> dict[str, int]:
    """Return how many numbers are learned, "dancing" those that a dance takes."""
    if label in SIZES:
        return SIZES[label](settings)
    if isinstance(settings, mdot.MdotSettings):
        dancing = _count(Dancing(settings.network))
        return {"dancing": dancing, "learned": dancing}
    if isinstance(settings, dual.DualSettings):
        dancing = _count(Dancing(settings))
        return {"dancing": dancing, "learned": dancing + _count(Composing(settings))}
    return {"dancing": 0, "learned": 0}


def _count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def dual_knobs(settings: dual.DualSettings, *, divided_by: int = 2) -> dict[str, System]:
    """Return the row "GW and CC" of Table 4 with one of `KNOBS` turned in each row.

    All have the updates of `settings` divided by a number, their rates drop as much sooner. A
    training that meets a number that is not finite is measured as diverged (`engine.study`).
    """
    short = replace(
        settings,
        steps=max(1, settings.steps // divided_by),
        rates=tuple((first // divided_by, rate) for first, rate in settings.rates),
    )
    return {label: (_or_diverged, replace(short, **change)) for label, change in KNOBS.items()}


def grown(settings: dual.DualSettings, pairs: Pairs) -> tuple[dual.DualSettings, dict[str, System]]:
    """Return dual learning on synthetic dances after 1, a tenth and all of its updates, one seed.

    Of these the later is known to be better by what it minimises. Where `pairs` are synthetic they
    are taken, so that runs are shared, else the few of profile `quick`; the settings returned name
    them.
    """
    if any(dance.corpus != "synthetic" for dance in pairs.dances):
        few = dual_settings("quick", corpus="synthetic").pairs
        settings = replace(settings, pairs=few)
    settings = replace(settings, seeds=settings.seeds[:1])
    steps = dict.fromkeys((1, max(1, settings.steps // 10), settings.steps))
    return settings, {
        f"after {count} update{'s' * (count > 1)}": (
            partial(_played, dual.train),
            replace(settings, steps=count),
        )
        for count in steps
    }


def _or_diverged(
    settings: dual.DualSettings, pairs: Pairs, seed: int
) -> tuple[Run, Callable[[int], Performed]]:
    """Return what `_played` does of dual learning; raise `DivergedError` where that refuses a loss
    or gradient that is not finite.
    """
    try:
        return _played(dual.train, settings, pairs, seed)
    except ValueError as problem:
        if not NOT_FINITE.search(str(problem)):
            raise
        run = opened("dual", settings, pairs, seed, code=dual.CODE)
        raise DivergedError(run, _update_refused(settings, pairs, seed, run)) from problem


def _update_refused(settings: dual.DualSettings, pairs: Pairs, seed: int, run: Run) -> int:
    """Return the number of the update, from 1, that is refused, by doing again all since the last
    checkpoint: they are the same to the bit.
    """
    learner = dual.Dual(settings, pairs, seed=seed)
    with devices.reproducible(settings.threads):
        for index in range(restore(learner, run.folder), settings.steps):
            try:
                learner.step(index)
            except ValueError:
                return index + 1
    raise RuntimeError(f"{run.name} diverged once and not again; delete the folder, train anew.")


def _played(
    train: Train, settings: DanceTraining, pairs: Pairs, seed: int
) -> tuple[Run, Callable[[int], Performed]]:
    """Return a trained system's run, and a call that lets it dance to the test excerpts."""
    trained = train(settings, pairs, seed)
    return trained.run, partial(performed, trained, pairs, seed=seed)
