"""What FusionGAN costs at a profile: one step of each kind is run and multiplied by the schedule.

Run: python benchmarks/cost.py --profile paper. It trains nothing to the end and keeps nothing.
"""

import argparse
import resource
import sys
import time

import torch

from pasdedeux.base import device
from pasdedeux.baselines import swap
from pasdedeux.data.melodies import melody_pair
from pasdedeux.engine.systems import fusion_ablation, fusion_settings
from pasdedeux.papers import fusion
from pasdedeux.training import phases, sequences


def seconds(learner, index: int) -> float:
    """Return how long update `index` of `learner` takes."""
    begun = time.perf_counter()
    learner.step(index)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def learners(settings, pair):
    """Return one learner of each kind with its number of steps by kind: (warm, full) indices."""
    V = pair.vocabulary.size
    where = device.pick(settings.device)
    data = {genre: phases.windows(pair, genre, settings) for genre in phases.GENRES}
    fresh = {g: sequences.new_policy(settings, V, 0, g).to(where) for g in (*phases.GENRES, "f")}
    duels = {
        genre: sequences.Duel(settings, data[genre], fresh[genre], seed=0, name=genre)
        for genre in ("a", "b")
    }
    parts = {f"G_{g.upper()}": duel.live for g, duel in duels.items()} | {"G_F": fresh["f"]}
    parts |= {f"D_{g.upper()}": duel.critic for g, duel in duels.items()}
    parts["D_F"] = sequences.new_critic(settings, V, 0, "fusion").to(where)
    likelihood = sequences.Likelihood(settings, data["a"], V, seed=0, name="a")
    return {
        "likelihood": likelihood,
        "duel": duels["a"],
        "swap": swap.Swap(settings, duels, 0),
        "fusion": fusion.Fusion(settings, pair, parts, 0),
    }, len(data["a"])


def main() -> None:
    """Print seconds a step, updates and hours of every phase, in all and with the ablation."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profile", default="paper")
    options.add_argument("--pair", default="auto")
    chosen = options.parse_args()
    settings = fusion_settings(chosen.profile, pair=chosen.pair)
    pair = melody_pair(settings.melody)
    with device.reproducible(settings.threads):
        made, windows = learners(settings, pair)
        warm = settings.critic_warmup
        per = {
            "likelihood": min(seconds(made["likelihood"], index) for index in range(5)),
            "critic, duel": seconds(made["duel"], 0),
            "update, duel": seconds(made["duel"], warm),
            "update, swap": seconds(made["swap"], 0),
            "critic, fusion": seconds(made["fusion"], 0),
            "update, fusion": seconds(made["fusion"], warm),
        }
    updates = {
        "likelihood": 4 * sequences.likelihood_steps(settings, windows),
        "critic, duel": 3 * warm,
        "update, duel": 2 * settings.gan_updates + settings.blend_updates,
        "update, swap": settings.blend_updates,
        "critic, fusion": warm,
        "update, fusion": fusion.steps(settings) - warm,
    }
    variants = len(fusion_ablation(settings))
    one = sum(per[kind] * updates[kind] for kind in per)
    more = (variants - 1) * sum(per[k] * updates[k] for k in ("critic, fusion", "update, fusion"))
    print(f"{chosen.profile} on {device.describe(device.pick(settings.device))['name']}:")
    for kind, each in per.items():
        hours = each * updates[kind] / 3600
        print(f"  {kind:15s} {each:9.3f} s x {updates[kind]:7d} = {hours:7.2f} h")
    total = len(settings.seeds) * (one + more) / settings.workers
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gigabytes = peak / (1e9 if sys.platform == "darwin" else 1e6)
    print(f"  a seed {one / 3600:.2f} h, with the ablation {(one + more) / 3600:.2f} h")
    print(f"  {len(settings.seeds)} seeds, {settings.workers} at a time: {total / 3600:.2f} h")
    print(f"  peak memory of this process {gigabytes:.1f} GB")


if __name__ == "__main__":
    main()
