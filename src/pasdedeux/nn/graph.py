"""Graph convolutions over the joints of a body, convolutions over time (ST-GCN, Yan et al. 2018).

A layer gives each joint a mean over itself, its children and its parent, each of the three with
weights W_k of its own and learned importances M_k of the bones ("spatial" partition, centre at the
root),

    y_w = sum_k sum_v (A_k * M_k)_vw W_k x_v,

then convolves over 9 frames and adds what came in. `B` batch, `T` frames, `J` joints, `C` channels,
`K` classes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import refuse

REACH = 9  # frames of a temporal convolution
PARTS = 3  # itself, children, parent


def partition(parents: Sequence[int]) -> Float[Tensor, "3 J J"]:
    """Return A: what joint w (columns) takes from itself, from its children and from its parent.

    The columns of the three together sum to 1. Parents come before their children, -1 for the root.
    """
    count = len(parents)
    own, children = torch.eye(count), torch.zeros(count, count)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            children[joint, parent] = 1.0
    whole = torch.stack([own, children, children.T])
    return whole / whole.sum((0, 1))


class GraphLayer(nn.Module):
    """Joints mixed along the bones, frames along time; strided where the channels change."""

    def __init__(self, source: int, target: int, parents: Sequence[int], *, first: bool) -> None:
        super().__init__()
        self.register_buffer("bones", partition(parents))
        self.importance = nn.Parameter(torch.ones(PARTS, len(parents), len(parents)))
        stride = 1 if first or source == target else 2
        self.mixes = nn.Conv2d(source, PARTS * target, 1)
        self.follows = nn.Sequential(
            nn.BatchNorm2d(target),
            nn.ReLU(),
            nn.Conv2d(target, target, (REACH, 1), (stride, 1), (REACH // 2, 0)),
            nn.BatchNorm2d(target),
        )
        self.first = first
        self.skips = nn.Identity()
        if stride > 1:
            skip = nn.Conv2d(source, target, 1, (stride, 1))
            self.skips = nn.Sequential(skip, nn.BatchNorm2d(target))

    def forward(self, x: Float[Tensor, "B C T J"]) -> Tensor:
        """Return the channels of the next layer; the first adds nothing of what came in."""
        parts = self.mixes(x).unflatten(1, (PARTS, -1))
        mixed = torch.einsum("bkctv,kvw->bctw", parts, self.bones * self.importance)
        made = self.follows(mixed)
        return (made if self.first else made + self.skips(x)).relu()


class GraphNetwork(nn.Module):
    """Layers of `widths` channels over joints in space; classes from the mean of the last one.

    Where the width changes, time is halved.
    """

    def __init__(self, parents: Sequence[int], widths: Sequence[int], classes: int) -> None:
        super().__init__()
        refuse(not widths or min(widths) < 1, f"widths must be at least one, got {widths}.")
        sources = (3, *widths[:-1])
        self.norm = nn.BatchNorm1d(3 * len(parents))
        self.layers = nn.ModuleList(
            GraphLayer(source, target, parents, first=not place)
            for place, (source, target) in enumerate(zip(sources, widths, strict=True))
        )
        self.head = nn.Linear(widths[-1], classes)

    def maps(self, joints: Float[Tensor, "B T J 3"]) -> list[Tensor]:
        """Return what every layer makes of a dance, first to last."""
        flat = self.norm(joints.flatten(2).transpose(1, 2))
        x, found = flat.unflatten(1, joints.shape[2:]).permute(0, 2, 3, 1), []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def forward(self, joints: Float[Tensor, "B T J 3"]) -> Float[Tensor, "B K"]:
        """Return the logit of each class."""
        return self.head(self.maps(joints)[-1].mean((2, 3)))
