"""The fit on the dances of Tang et al. (2018): its errors, its time, its largest turns.

Errors in cm per genre and per point; CPU and wall seconds per 1000 frames, compilation left out;
the largest turn of each joint between two frames, in degrees. Last, how much the compiled sweeps
save: time by torch over time by them, of one loss with its gradients and of a whole fit, in turns.
Run: PASDEDEUX_DATA=folder python benchmarks/fitting.py
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pasdedeux.base import paths
from pasdedeux.motion import keypoints, skeleton
from pasdedeux.motion.fitting import Fit, FitSettings, Rig, Seen, fit, loss
from pasdedeux.motion.rotation import geodesic, matrix_from_six

SETTINGS = FitSettings()


def dance(folder: Path) -> np.ndarray:
    """Return the points in metres, the floor as it is: what a fit does not depend on."""
    whole = json.loads((folder / "skeletons.json").read_text(encoding="utf-8"))
    return (np.array(whole["skeletons"]) + np.array(whole["center"])[:, None]) / 100


def largest_turns(found: Fit) -> np.ndarray:
    """Return for each joint the largest angle between neighbouring frames, in degrees."""
    turns = matrix_from_six(torch.tensor(found.rotations))
    return torch.rad2deg(geodesic(turns[:-1], turns[1:])).amax(dim=0).numpy()


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


def one_step(frames: int) -> Callable[[str], None]:
    """Return a function of the sweep that computes one loss with its gradients."""
    body, points = skeleton.smpl(), keypoints.tang()
    joints = np.array([body.index(joint) for joint in points.joints])
    sizes = [torch.tensor(x).float() for x in (body.offsets_metres, points.offsets_metres)]
    rig = Rig(body, *sizes, np.array(body.parents), joints)
    rest: Tensor = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(frames, 24, 1)
    six = (rest + 0.1 * torch.randn(rest.shape)).requires_grad_()
    translation = torch.zeros(frames, 3, requires_grad=True)
    seen = Seen(torch.randn(frames, 23, 3), torch.eye(3).repeat(frames, 1, 1))

    def step(sweep: str) -> None:
        total = loss(rig, six, translation, seen, replace(SETTINGS, sweep=sweep))
        torch.autograd.grad(total, [six, translation])

    return step


def race(points_world: np.ndarray, rounds: int) -> None:
    """Print the CPU time of torch over that of the compiled sweeps, in turns."""
    step = one_step(len(points_world))
    calls = {
        "one loss and gradients": lambda sweep: [step(sweep) for _ in range(10)],
        "a whole fit": lambda sweep: fit(points_world, replace(SETTINGS, sweep=sweep)),
    }
    for name, call in calls.items():
        call("compiled")
        ratios = []
        for _ in range(rounds):
            ours, _ = seconds(lambda call=call: call("compiled"))
            peer, _ = seconds(lambda call=call: call("torch"))
            ratios.append(peer / ours)
        middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
        print(f"torch / compiled, {name}: {middle:.1f}x [{least:.1f}, {most:.1f}]")


def main() -> None:
    """Fit all dances, or the first few."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--first", type=int, default=None)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = paths.data()
    folders = [] if data is None else sorted((data / "tang2018").glob("DANCE_*"))[: chosen.first]
    if not folders:
        print("no recorded dances: PASDEDEUX_DATA must name a folder that holds tang2018/DANCE_*")
        return
    dances = {folder.name: dance(folder) for folder in folders}
    first = next(iter(dances.values()))
    fit(first[:50])
    found, spent = {}, np.zeros(2)
    for name, points_world in dances.items():
        spent += seconds(lambda n=name, x=points_world: found.update({n: fit(x)}))
        error, turn = found[name].error_metres * 100, largest_turns(found[name]).max()
        p95 = np.quantile(error, 0.95)
        print(f"{name}: mean {error.mean():.2f} p95 {p95:.2f} cm, turn {turn:.0f}", flush=True)
    frames = sum(len(x) for x in dances.values())
    cpu, wall = spent / frames * 1000
    print(f"{frames} frames: {cpu:.2f} CPU-s, {wall:.2f} wall-s per 1000 frames, one thread")
    for genre in sorted({name.split("_")[1] for name in found}):
        some = [x.error_metres for name, x in found.items() if name.split("_")[1] == genre]
        error = 100 * np.concatenate(some)
        print(f"genre {genre}, {len(some)} dances: mean {error.mean():.2f}, "
              f"p95 {np.quantile(error, 0.95):.2f} cm")  # fmt: skip
    error = 100 * np.concatenate([x.error_metres for x in found.values()])
    print(f"all: mean {error.mean():.2f}, p95 {np.quantile(error, 0.95):.2f} cm")
    for point, name in enumerate(keypoints.tang().names):
        p95 = np.quantile(error[:, point], 0.95)
        print(f"    {name}: mean {error[:, point].mean():.2f}, p95 {p95:.2f}")
    turns = np.max([largest_turns(x) for x in found.values()], axis=0).round()
    named = zip(skeleton.smpl().names, turns, strict=True)
    print("largest turn between two frames:", ", ".join(f"{n} {t:.0f}" for n, t in named))
    race(first, chosen.rounds)


if __name__ == "__main__":
    main()
