"""The systems of each paper's tables, by the labels the tables print.

Papers and baselines do not know each other; this is where they meet.
"""

from dataclasses import replace
from typing import Any

from pasdedeux.base.profiles import settings as profile_settings
from pasdedeux.baselines import gan, held_out, mixing, mle, swap
from pasdedeux.papers import fusion

System = tuple[Any, fusion.FusionSettings]


def fusion_settings(
    profile: str, *, pair: str = "auto", seed: int = 0, device: str = "auto"
) -> fusion.FusionSettings:
    """Return FusionGAN's settings at `profile` on the corpora `pair`, seeds moved by `seed`.

    `quick` has fewer updates here: all the trainings of `20_fusiongan` share a minute.
    """
    chosen = profile_settings(fusion.FusionSettings, profile, device=device)
    if profile == "quick":
        chosen = replace(
            chosen, samples=1000, likelihood_epochs=4, critic_warmup=10, rounds=2, block_updates=3,
            blend_updates=8, gan_updates=3,
        )  # fmt: skip
    seeds = tuple(first + seed for first in chosen.seeds)
    return replace(chosen, seeds=seeds, melody=replace(chosen.melody, pair=pair))


def fusion_systems(settings: fusion.FusionSettings) -> dict[str, System]:
    """Return the six systems of Table I, and four that show how to read it.

    "A only" and "B only" are maximum likelihood on one genre; "held out" is real music that no
    system heard; "Fusion, kept" is the round of the same training that was best on validation.
    """
    trains = {
        "RM": mixing.random_mixing,
        "MLE": mle.train,
        "GAN": gan.train,
        "RL": swap.train,
        "MC": mixing.monte_carlo,
        "Fusion": fusion.train,
        "Fusion, kept": fusion.train_kept,
        "MLE, A only": mle.on_a,
        "MLE, B only": mle.on_b,
        "held out": held_out.train,
    }
    return {label: (train, settings) for label, train in trains.items()}


def fusion_ablation(settings: fusion.FusionSettings) -> dict[str, System]:
    """Return Fusion and Fusion with one decision changed; all share data, weights and draws."""
    changes: dict[str, dict[str, Any]] = {
        "Fusion": {},
        "without Eq. 9": {"balance": "none"},
        "without Eq. 12": {"order": "none"},
        "rewards as released": {"generator_rule": "release"},
        "all signs as printed": {
            "balance": "add",
            "order": "printed",
            "generator_rule": "printed",
        },
    }
    return {label: (fusion.train, replace(settings, **change)) for label, change in changes.items()}
