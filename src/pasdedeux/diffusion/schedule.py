"""How fast codes are kept, replaced and masked, as functions of the step.

With K codes and MASK as class K, one step of the chain keeps a code with probability
alpha_t + beta_t, turns it into each other code with beta_t and into MASK with gamma_t; MASK stays.
Over the steps 1 .. t the same holds with the cumulative alpha_bar_t, beta_bar_t and gamma_bar_t.

The cumulatives are linear in the step (the official code of VQ-Diffusion, Gu et al. 2022, and of
CDCD, Zhu et al. 2023), with s = (t - 1) / (T - 1) and step 0 the identity:

    gamma_bar_t = gamma_1 + s (gamma_T - gamma_1)
    K beta_bar_t = uniform_1 + s (uniform_T - uniform_1)
    alpha_bar_t = 1 - gamma_bar_t - K beta_bar_t

and the single steps follow from them:

    alpha_t = alpha_bar_t / alpha_bar_(t-1)
    gamma_t = 1 - (1 - gamma_bar_t) / (1 - gamma_bar_(t-1)),    beta_t = (1 - alpha_t - gamma_t) / K

As shipped only one code in a million is ever replaced by another: the process is mask-only in all
but name. `gamma_T=0.9, uniform_T=0.0999` is near to what VQ-Diffusion's text describes.
`B` batch, `K` codes, `T` here the number of steps, `L` positions.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse


class Rates(NamedTuple):
    """Masses of the step that leads to t, of all steps to t, and of all steps before it."""

    alpha: Float[Tensor, "B 1"]
    beta: Float[Tensor, "B 1"]
    gamma: Float[Tensor, "B 1"]
    alpha_bar: Float[Tensor, "B 1"]
    beta_bar: Float[Tensor, "B 1"]
    gamma_bar: Float[Tensor, "B 1"]
    alpha_before: Float[Tensor, "B 1"]
    beta_before: Float[Tensor, "B 1"]
    gamma_before: Float[Tensor, "B 1"]


class Cumulative(NamedTuple):
    """Masses after the steps 0 .. T; beta is that of one code."""

    alpha: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray


@dataclass(frozen=True)
class Schedule:
    """The masses of a mask-and-replace chain.

    codes: K. steps: T. gamma_T: share of MASK after step T. uniform_T: share of codes replaced by
    any of the K. gamma_1, uniform_1: the same after step 1. With one step, step 1 is the last.
    """

    codes: int
    steps: int = 80  # section 4.1 of the paper
    gamma_T: float = 0.99999  # noqa: N815 (the symbol of VQ-Diffusion)
    uniform_T: float = 1e-6  # noqa: N815
    gamma_1: float = 9e-6
    uniform_1: float = 1e-6

    def __post_init__(self) -> None:
        refuse(self.codes < 2, f"codes must be at least 2, got {self.codes}.")
        refuse(self.steps < 1, f"steps must be at least 1, got {self.steps}.")
        for gamma, uniform, end in (
            (self.gamma_1, self.uniform_1, "1"),
            (self.gamma_T, self.uniform_T, "T"),
        ):
            refuse(
                min(gamma, uniform) <= 0 or gamma + uniform >= 1,
                f"gamma_{end} and uniform_{end} must be positive and leave something to be kept, "
                f"got {gamma} and {uniform}.",
            )
        table = _table(self, 1)[:, 1:]
        refuse(
            bool((table[:3] < -1e-12).any()) or bool((table[0] > 1).any()),
            "masses must not shrink from step to step; raise gamma_T or uniform_T.",
        )

    @property
    def mask(self) -> int:
        """Return the class that stands for a masked code: K."""
        return self.codes

    def cumulative(self) -> Cumulative:
        """Return alpha_bar, beta_bar and gamma_bar of the steps 0 .. T, in double precision."""
        T = self.steps
        s = np.linspace(0, 1, T) if T > 1 else np.ones(1)
        gamma = self.gamma_1 + s * (self.gamma_T - self.gamma_1)
        uniform = self.uniform_1 + s * (self.uniform_T - self.uniform_1)
        after = np.stack([1 - gamma - uniform, uniform / self.codes, gamma])
        return Cumulative(*np.concatenate([[[1.0], [0.0], [0.0]], after], axis=1))

    def rates(
        self, t: Int[Tensor, " B"], *, stride: int = 1, dtype: torch.dtype = torch.float32
    ) -> Rates:
        """Return the masses at the steps `t`, each in 1 .. T, on the device of `t`.

        With a stride the single step is the jump from max(t - stride, 0) to t. Raises `ValueError`
        for a step outside 1 .. T.
        """
        outside = bool(((t < 1) | (t > self.steps)).any())
        refuse(outside, f"t must lie in 1 .. {self.steps}, got {t.tolist()}.")
        table = _on(self, stride, t.device, dtype)
        return Rates(*table[:, t, None])


@functools.cache
def _table(schedule: Schedule, stride: int) -> np.ndarray:
    """Return the nine rates (rows) of the steps 0 .. T; step 0 has no meaning and holds zeros."""
    alpha, beta, gamma = schedule.cumulative()
    t = np.arange(1, schedule.steps + 1)
    before = np.maximum(t - stride, 0)
    kept = alpha[t] / alpha[before]
    # equal to 1 - (1 - gamma_bar_t) / (1 - gamma_bar_before), without its cancellation at step 1
    masked = (gamma[t] - gamma[before]) / (1 - gamma[before])
    # equal to (1 - kept - masked) / K, which would lose six digits where one in a million moves
    uniform = schedule.codes * beta
    moved = (uniform[t] - kept * uniform[before]) / (1 - gamma[before]) / schedule.codes
    rows = [kept, moved, masked, alpha[t], beta[t], gamma[t]]
    rows += [alpha[before], beta[before], gamma[before]]
    return np.concatenate([np.zeros((9, 1)), np.stack(rows)], axis=1)


@functools.cache
def _on(schedule: Schedule, stride: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    refuse(stride < 1, f"stride must be at least 1, got {stride}.")
    return torch.from_numpy(_table(schedule, stride)).to(dtype).to(device)
