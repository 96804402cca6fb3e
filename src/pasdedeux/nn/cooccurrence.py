"""What joints do together: the hierarchical co-occurrence network, HCN (Li et al. 2018).

Every joint is first looked at alone, then the axis of joints takes the place of the channels, so
that each further convolution sees all joints at once. Places and steps from frame to frame go
through a stream each and are joined. `B` batch, `T` frames, `J` joints, `D` numbers that come out.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse

SHORTEST = 3  # frames of the first convolution over time


class Stream(nn.Module):
    """The layers that places and steps go through apart."""

    def __init__(self, joints: int, channels: int, dropout: float, *, pooled: bool) -> None:
        super().__init__()
        places = channels // 2
        self.alone = nn.Sequential(nn.Conv2d(3, channels, 1), nn.ReLU())
        self.follows = nn.Conv2d(channels, places, (SHORTEST, 1))
        self.together = nn.Conv2d(joints, channels // 2, 3, padding=1)
        self.further = nn.Conv2d(channels // 2, channels, 3, padding=1)
        self.drop, self.pooled = nn.Dropout2d(dropout), pooled

    def maps(self, x: Float[Tensor, "B T J 3"]) -> list[Tensor]:
        """Return what each of the four layers makes of `x`."""
        alone = self.alone(x.permute(0, 3, 1, 2))
        follows = self.follows(alone)
        together = self._pooled(self.together(follows.permute(0, 3, 2, 1)))
        return [alone, follows, together, self._pooled(self.drop(self.further(together)))]

    def _pooled(self, x: Tensor) -> Tensor:
        return halved(x) if self.pooled else x


class Cooccurrence(nn.Module):
    """HCN: `target` numbers about a dance of any number of frames from 3.

    `pooled` halves time and width after every layer, for whole dances; otherwise the last only, for
    a few frames. What is left of time at the end is averaged.
    """

    def __init__(
        self, target: int, *, joints: int, channels: int, hidden: int, dropout: float, pooled: bool
    ) -> None:
        super().__init__()
        refuse(channels < 2, f"channels must be at least 2, got {channels}.")
        self.place = Stream(joints, channels, dropout, pooled=pooled)
        self.motion = Stream(joints, channels, dropout, pooled=pooled)
        self.joined = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.last = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)
        self.drop, self.pooled = nn.Dropout2d(dropout), pooled
        width = channels // 2
        for _ in range(4 if pooled else 1):
            width = max(1, width // 2)
        self.head = nn.Sequential(
            nn.Linear(4 * channels * width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, target),
        )

    def maps(self, joints: Float[Tensor, "B T J 3"]) -> list[Tensor]:
        """Return four layers of the stream of places, then the two after both are joined."""
        refuse(
            joints.shape[1] < SHORTEST,
            f"joints must hold at least {SHORTEST} frames, got {joints.shape[1]}.",
        )
        step = joints[:, 1:] - joints[:, :-1]
        motion = self.motion.maps(torch.cat([step, step[:, -1:]], dim=1))[-1]
        found = self.place.maps(joints)
        joined = self.drop(self.joined(torch.cat([found[-1], motion], dim=1)).relu())
        joined = halved(joined) if self.pooled else joined
        last = halved(self.drop(self.last(joined).relu()))
        return [*found, joined, last]

    def read(self, maps: list[Tensor]) -> Float[Tensor, "B D"]:
        """Return the numbers that follow from `maps`."""
        return self.head(maps[-1].mean(2).flatten(1))

    def forward(self, joints: Float[Tensor, "B T J 3"]) -> Float[Tensor, "B D"]:
        """Return `target` numbers about each dance."""
        return self.read(self.maps(joints))


def halved(x: Float[Tensor, "B C T W"]) -> Tensor:
    """Return the largest of each square of two frames and two columns; an odd one out is dropped.

    A side of length 1 stays. Written with `amax`, whose gradient is deterministic on every device.
    """
    for side in (-2, -1):
        half = x.shape[side] // 2
        if half:
            x = x.narrow(side, 0, 2 * half).unflatten(side, (half, 2)).amax(side)
    return x
