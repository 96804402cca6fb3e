"""What can be had without learning: real motion and real music, cut from the training windows.

`train` dances to each T frames of music what was danced to the training window whose music is
nearest (Euclidean, over all frames and features as scaled; the first of equal ones, where several
dances share a song), and plays to each T frames of a dance the music of the window whose dance is
nearest; `at_random` takes any window. The difference between the two is what matching buys, and a
system that learns to repeat its training data comes to resemble the first. Of the first pose, place
and heading enter, as for every later window the last pose of the one before; the body jumps at
every seam.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base import device
from pasdedeux.data.pairs import Pairs
from pasdedeux.training.dances import (
    DanceTraining,
    Trained,
    Window,
    WindowOfMusic,
    chained,
    composed_in_windows,
    on_device,
    opened,
)


def train(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return the system that dances the window with the nearest music."""
    known, danced = on_device(pairs.train, settings)

    def window(music: Tensor, _first: Tensor, _noise: torch.Generator) -> Tensor:
        return danced[nearest(known, music), : music.shape[1]]

    def played(pose: Tensor, _noise: torch.Generator) -> Tensor:
        return known[nearest(danced, pose), : pose.shape[1]]

    return _cutting("retrieval", window, played, settings, pairs, seed)


def at_random(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return the system that dances any training window: its control."""
    known, danced = on_device(pairs.train, settings)

    def window(music: Tensor, _first: Tensor, noise: torch.Generator) -> Tensor:
        at = torch.randint(len(danced), (len(music),), generator=noise)
        return danced[at.to(danced.device), : music.shape[1]]

    def played(pose: Tensor, noise: torch.Generator) -> Tensor:
        at = torch.randint(len(known), (len(pose),), generator=noise)
        return known[at.to(known.device), : pose.shape[1]]

    return _cutting("random-window", window, played, settings, pairs, seed)


def nearest(known: Float[Tensor, "N T C"], given: Float[Tensor, "B S C"]) -> Int[Tensor, " B"]:
    """Return, for each sequence of `given`, which window of `known` begins most like it.

    S may be below T: the last piece of a song is compared with the beginnings of the windows.
    """
    begun = known[:, : given.shape[1]].flatten(1)
    return torch.cdist(given.flatten(1), begun).argmin(dim=1)


def parameters(settings: DanceTraining) -> dict[str, int]:
    """Return how many numbers are learned: none, all training windows are kept."""
    return {"dancing": 0, "learned": 0}


def _cutting(
    system: str,
    window: Window,
    played: WindowOfMusic,
    settings: DanceTraining,
    pairs: Pairs,
    seed: int,
) -> Trained:
    run = opened(system, settings, pairs, seed, code=__name__)
    where, frames = device.pick(settings.device), settings.pairs.frames
    dance = chained(window, frames=frames, where=where)
    return Trained(run, dance, composed_in_windows(played, frames=frames, where=where))
