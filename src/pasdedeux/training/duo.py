"""Several networks learning from one graph, each from its own losses only."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pasdedeux.base.checks import refuse


def update_each(
    parts: Mapping[str, tuple[torch.optim.Optimizer, Mapping[str, Tensor]]],
    *,
    clip: float = math.inf,
    weights: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Step every optimizer down the weighted sum of its own losses; returns each loss and norm.

    All gradients are taken before any parameter moves, so that losses may share their graph: a loss
    sends no gradient to the parameters of another part. Raises `ValueError`, before anything has
    changed, for a loss that is not finite or reaches no parameter of its optimizer.
    """
    weights = dict(weights or {})
    told: dict[str, float] = {}
    gradients: dict[str, tuple[Tensor | None, ...]] = {}
    for part, (optimizer, losses) in parts.items():
        for name, loss in losses.items():
            refuse(not bool(torch.isfinite(loss)), f"loss {name!r} is {loss.item()}.")
            told[name] = float(loss.detach())
        total = torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
        found = torch.autograd.grad(
            total, _parameters(optimizer), retain_graph=True, allow_unused=True
        )
        none = all(gradient is None for gradient in found)
        refuse(none, f"the losses of {part!r} reach none of its parameters.")
        gradients[part] = found
    for part, (optimizer, _) in parts.items():
        own = _parameters(optimizer)
        for parameter, gradient in zip(own, gradients[part], strict=True):
            parameter.grad = gradient
        norm = nn.utils.clip_grad_norm_(own, clip)
        refuse(not bool(torch.isfinite(norm)), f"the gradient of {part!r} is {norm.item()}.")
        told[f"norm {part}"] = float(norm)
    for optimizer, _ in parts.values():
        optimizer.step()
    return told


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
