"""What can be had without learning: real motion, cut from the training dances.

`train` dances to each T frames of music what was danced to the training window whose music is
nearest (Euclidean, over all frames and features as scaled; the first of equal ones, where several
dances share a song); `at_random` takes any window. The difference between the two is what matching
the music buys, and a system that learns to repeat its training data comes to resemble the first. Of
the first pose, place and heading enter, as for every later window the last pose of the one before;
the body jumps at every seam.
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
    chained,
    on_device,
    opened,
)


def train(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return the system that dances the window with the nearest music."""
    known, danced = on_device(pairs.train, settings)

    def window(music: Tensor, _first: Tensor, _noise: torch.Generator) -> Tensor:
        return danced[nearest(known, music), : music.shape[1]]

    return _cutting("retrieval", window, settings, pairs, seed)


def at_random(settings: DanceTraining, pairs: Pairs, seed: int) -> Trained:
    """Return the system that dances any training window: its control."""
    _, danced = on_device(pairs.train, settings)

    def window(music: Tensor, _first: Tensor, noise: torch.Generator) -> Tensor:
        at = torch.randint(len(danced), (len(music),), generator=noise)
        return danced[at.to(danced.device), : music.shape[1]]

    return _cutting("random-window", window, settings, pairs, seed)


def nearest(known: Float[Tensor, "N T 53"], music: Float[Tensor, "B S 53"]) -> Int[Tensor, " B"]:
    """Return, for each piece of `music`, which window of `known` begins most like it.

    S may be below T: the last piece of a song is compared with the beginnings of the windows.
    """
    begun = known[:, : music.shape[1]].flatten(1)
    return torch.cdist(music.flatten(1), begun).argmin(dim=1)


def parameters(settings: DanceTraining) -> dict[str, int]:
    """Return how many numbers are learned: none, all training windows are kept."""
    return {"dancing": 0, "learned": 0}


def _cutting(
    system: str, window: Window, settings: DanceTraining, pairs: Pairs, seed: int
) -> Trained:
    run = opened(system, settings, pairs, seed, code=__name__)
    where = device.pick(settings.device)
    return Trained(run, chained(window, frames=settings.pairs.frames, where=where))
