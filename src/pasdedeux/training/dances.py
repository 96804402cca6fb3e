"""What every system that dances to music shares: settings, batches, and dances of any length.

A system is trained on windows of T frames (`data.pairs`): poses as seen from where the window's
first frame stands and faces, music on the scale of the training songs. It is asked to dance through
`Dance`: music of any number of frames and a first pose in, poses out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import whole
from pasdedeux.base.seeding import generator
from pasdedeux.data.canonical import canonical_pose, pose_heading, world_pose
from pasdedeux.data.pairs import Pairs, PairSettings, Part
from pasdedeux.training.run import Run, open_run

PAPER = "dual"
USE, MOST_STARTS = "use.npz", 64
NOT_IN_KEY = ("seeds", "workers", "pairs", "samples")  # they change no trained weight
Dance = Callable[
    [Float[np.ndarray, "B S 53"], Float[np.ndarray, "B 147"], int], Float[np.ndarray, "B S 147"]
]
Compose = Callable[[Float[np.ndarray, "B S 147"], int], Float[np.ndarray, "B S 53"]]
Window = Callable[[Tensor, Tensor, torch.Generator], Tensor]
WindowOfMusic = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class DanceTraining:
    """Counts and rates that every trained system of the dance tables has."""

    pairs: PairSettings = field(default_factory=PairSettings)
    seeds: tuple[int, ...] = (0,)  # one complete training of every system for each
    samples: int = 20  # excerpts of each genre that are danced for the measures (section 4.3)
    batch: int = 16
    steps: int = 50_000  # updates; the paper names the drops of the rate but no end
    rates: tuple[tuple[int, float], ...] = ((0, 1e-4), (20_000, 1e-5), (40_000, 5e-6))
    clip: float = 1.0  # global gradient norm; ours
    threads: int = 1
    workers: int = 2
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        for name in ("samples", "batch", "steps", "threads", "workers"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        refuse(not self.rates or self.rates[0][0] != 0, "rates must begin with the one of step 0.")
        refuse(
            not self.seeds or len(set(self.seeds)) != len(self.seeds),
            f"seeds must be distinct and at least one, got {self.seeds}.",
        )

    def rate(self, step: int) -> float:
        """Return the learning rate of update `step`."""
        return [rate for first, rate in self.rates if first <= step][-1]


class Trained(NamedTuple):
    """A system ready to dance: its run, what it dances to given music, and what it composes.

    `dance(music, first, seed)` takes scaled music and a first pose of each dance, canonical (on the
    origin, facing z), and returns poses in that frame; `compose(pose, seed)` takes poses and
    returns scaled music, and is None for a system that cannot. `seed` draws whatever noise is used.
    """

    run: Run
    dance: Dance
    compose: Compose | None = None


def opened(system: str, settings: DanceTraining, pairs: Pairs, seed: int, *, code: str) -> Run:
    """Return the run of `system`; every setting but those of `NOT_IN_KEY` decides its key."""
    names = [name for name in settings.__dataclass_fields__ if name not in NOT_IN_KEY]
    chosen: dict[str, Any] = {name: getattr(settings, name) for name in names}
    chosen |= {"device": device.pick(settings.device).type}
    return open_run(PAPER, system, seed=seed, settings=chosen, data=pairs.checksum, code=code)


def keep(run: Run, pairs: Pairs) -> None:
    """Write beside a finished run what its use needs of the data: the scale, and first poses."""
    count = len(pairs.train)
    rows = np.linspace(0, count - 1, min(MOST_STARTS, count)).round().astype(int)
    starts = pairs.train.pose[rows, 0]
    with whole(run.folder / USE) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, starts=starts, **pairs.scale.to_arrays())


def on_device(part: Part, settings: DanceTraining) -> tuple[Tensor, Tensor]:
    """Return all music and poses of `part` as float32 tensors on the device of `settings`."""
    where = device.pick(settings.device)
    return (
        torch.from_numpy(part.music).float().to(where),
        torch.from_numpy(part.pose).float().to(where),
    )


def drawn(count: int, settings: DanceTraining, seed: int, step: int, name: str = "batch") -> Tensor:
    """Return which `batch` of `count` windows update `step` sees: no window twice in a batch."""
    order = torch.randperm(count, generator=generator(seed, name, step))
    return order[: settings.batch]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of `optimizer` this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def chained(window: Window, *, frames: int, where: torch.device) -> Dance:
    """Return a dance of any length from a system that dances `frames` frames.

    Window follows window; each begins with the last pose of the one before, as section 4.2 has it.
    That pose is first brought to the origin, and what follows is carried back to where it stood.
    """

    def dance(
        music: Float[np.ndarray, "B S 53"], first: Float[np.ndarray, "B 147"], seed: int
    ) -> Float[np.ndarray, "B S 147"]:
        made: list[np.ndarray] = []
        start = first[:, None].astype(np.float32)
        for number, begin in enumerate(range(0, music.shape[1], frames)):
            heading = pose_heading(start)
            heard = torch.from_numpy(music[:, begin : begin + frames].astype(np.float32)).to(where)
            seen = torch.from_numpy(canonical_pose(start, heading)[:, 0]).to(where)
            with torch.no_grad():
                danced = window(heard, seen, generator(seed, "noise", number))
            made.append(world_pose(danced.float().cpu().numpy(), heading))
            start = made[-1][:, -1:]
        return np.concatenate(made, axis=1)

    return dance


def composed_in_windows(window: WindowOfMusic, *, frames: int, where: torch.device) -> Compose:
    """Return music for a dance of any length from a system that composes for `frames` frames.

    Each window of the dance is shown from where its first frame stands and faces.
    """

    def compose(pose: Float[np.ndarray, "B S 147"], seed: int) -> Float[np.ndarray, "B S 53"]:
        made: list[np.ndarray] = []
        for number, begin in enumerate(range(0, pose.shape[1], frames)):
            part = pose[:, begin : begin + frames].astype(np.float32)
            seen = torch.from_numpy(canonical_pose(part, pose_heading(part))).to(where)
            with torch.no_grad():
                heard = window(seen, generator(seed, "compose", number))
            made.append(heard.float().cpu().numpy())
        return np.concatenate(made, axis=1)

    return compose
