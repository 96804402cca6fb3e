"""The one training loop: a paper supplies modules, optimizers and `step`; this runs and keeps them.

All randomness of a step comes from generators named by (seed, use, step), so the state of a run is
its weights, its optimizers and the number of steps done. A checkpoint is that, written whole:
a run killed at any moment goes on from the last one and ends with the same bits.
"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from filelock import FileLock
from torch import Tensor, nn

from pasdedeux.base import device, facts, files, progress
from pasdedeux.base.checks import refuse

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
Row = dict[str, float | int]  # one line of the log: "step" and the numbers of that step


@runtime_checkable
class Learner(Protocol):
    """What the loop needs of a method that learns: every tensor it changes is in `modules`."""

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]

    def step(self, index: int) -> dict[str, float]:
        """Do update number `index` (from 0) and return the numbers to log."""
        ...


def update(
    optimizer: torch.optim.Optimizer,
    losses: Mapping[str, Tensor],
    *,
    clip: float = math.inf,
    weights: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Step `optimizer` down the weighted sum of `losses`; returns each loss and the gradient norm.

    A loss without a weight counts once; `clip` bounds the global gradient norm. Raises
    `ValueError`, before any parameter has changed, for a loss that is not finite, a loss with no
    path to a parameter of `optimizer`, a gradient that is not finite and a weight that names no
    loss.
    """
    weights = dict(weights or {})
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    refuse(not losses, "update was given no losses; name at least one.")
    unknown = sorted(set(weights) - set(losses))
    refuse(bool(unknown), f"weights name no such loss: {unknown}; losses are {sorted(losses)}.")
    learnt = {id(parameter) for parameter in parameters}
    for name, loss in losses.items():
        refuse(
            not bool(torch.isfinite(loss)),
            f"loss {name!r} is {loss.item()}; lower the learning rate or clip the gradients.",
        )
        refuse(
            not _reaches(loss, learnt),
            f"loss {name!r} has no path to a parameter of this optimizer; it was computed without "
            "gradients or from other modules.",
        )
    optimizer.zero_grad(set_to_none=True)
    total = torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
    total.backward()
    norm = nn.utils.clip_grad_norm_(parameters, clip)
    refuse(not bool(torch.isfinite(norm)), f"the gradient of {sorted(losses)} is {norm.item()}.")
    optimizer.step()
    return {name: float(loss.detach()) for name, loss in losses.items()} | {"norm": float(norm)}


def _reaches(loss: Tensor, learnt: set[int]) -> bool:
    """Return whether the graph behind `loss` holds a tensor whose id is in `learnt`."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in learnt:
            return True
        waiting.extend(parent for parent, _ in node.next_functions)
    return False


def fit(
    learner: Learner,
    *,
    steps: int,
    folder: Path,
    task: str,
    log_every: int = 10,
    checkpoint_seconds: float = 30.0,
    threads: int = 1,
) -> list[Row]:
    """Train `learner` for `steps` updates, keeping log and checkpoints in `folder`.

    Returns the log: one row each `log_every` steps and for the last, with key "step" (updates
    done). A finished folder is loaded instead of trained; an unfinished one is resumed. A second
    process that asks for the same folder waits for the first. Raises `ValueError` when `steps` is
    below 1 or the checkpoint has gone further than `steps`.
    """
    refuse(steps < 1, f"steps must be at least 1, got {steps}.")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"), device.reproducible(threads):
        facts.note("device", device.describe(_device(learner)))
        done = _restore(learner, folder / CHECKPOINT)
        refuse(done > steps, f"{folder.name} has done {done} steps, more than {steps} asked for.")
        rows = _rows_up_to(folder / LOG, done)
        saved = time.monotonic()
        while done < steps:
            numbers = learner.step(done)
            done += 1
            if done % log_every == 0 or done == steps:
                rows.append({"step": done, **numbers})
                _append(folder / LOG, rows[-1])
            if done == steps or time.monotonic() - saved >= checkpoint_seconds:
                _save(learner, done, folder / CHECKPOINT)
                saved = time.monotonic()
            progress.report(task, done, steps)
    return rows


def restore(learner: Learner, folder: Path) -> int:
    """Load the checkpoint in `folder` into `learner`; returns the updates it has done (0: none)."""
    return _restore(learner, folder / CHECKPOINT)


def _device(learner: Learner) -> torch.device:
    return next(part for module in learner.modules.values() for part in module.parameters()).device


def _save(learner: Learner, done: int, path: Path) -> None:
    state: dict[str, Any] = {
        "done": done,
        "modules": {name: part.state_dict() for name, part in learner.modules.items()},
        "optimizers": {name: part.state_dict() for name, part in learner.optimizers.items()},
    }
    with files.whole(path) as part:
        torch.save(state, part)


def _restore(learner: Learner, path: Path) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location="cpu")
    for name, part in learner.modules.items():
        part.load_state_dict(state["modules"][name])
    for name, part in learner.optimizers.items():
        part.load_state_dict(state["optimizers"][name])
    return int(state["done"])


def _append(path: Path, row: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False) + "\n")


def _rows_up_to(path: Path, done: int) -> list[Row]:
    """Return the log's rows of the first `done` steps and drop what a killed run wrote beyond."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows: list[Row] = []
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # the last line of a process killed while writing it
            break
        if row["step"] > done:
            break
        rows.append(row)
    if len(rows) != len(lines):
        files.write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    return rows
