"""Ancestral sampling from all-MASK, by drawing z_0 and then its posterior.

The reverse step is a mixture over z_0, so a draw of z_0 from p(z_0 | z_t, c) followed by a draw
from q(z_(t-1) | z_t, z_0) is a draw from it: no tensor over the classes of z_(t-1) is needed, and
the second draw has at most three cases.

Truncation keeps at each position the likeliest codes up to the one with which their mass reaches
`truncation` (0.86 in appendix C.1 of the paper). `B` batch, `K` codes, `L` positions.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.diffusion.discrete import PredictStart, codes_only, corrupted
from pasdedeux.diffusion.schedule import Schedule

TRUNCATION = 0.86


def truncated(
    start: Float[Tensor, "B K L"], truncation: float = TRUNCATION
) -> Float[Tensor, "B K L"]:
    """Return `start` on the likeliest codes, over its sum there.

    The likeliest code is always kept, the following while those before them have less than
    `truncation`. 1 keeps all.
    """
    _checked(truncation)
    ordered, order = start.sort(dim=1, descending=True, stable=True)
    kept = ordered.cumsum(1) - ordered < truncation
    kept[:, 0] = True
    left = torch.zeros_like(start).scatter(1, order, ordered * kept)
    return left / left.sum(1, keepdim=True)


def drawn_start(
    start: Float[Tensor, "R K"], draw: torch.Generator, truncation: float = TRUNCATION
) -> Int[Tensor, " R"]:
    """Return one code for each row of probabilities, drawn from the truncated row.

    A code drawn from the whole row is refused where the codes likelier than it already have
    `truncation`, and drawn again: the law of `truncated` without sorting K codes. (Codes that are
    exactly alike are kept or refused together.)
    """
    _checked(truncation)
    found = start.new_zeros(len(start), dtype=torch.long)
    waiting = torch.arange(len(start), device=start.device)
    rows, edges = start, start.cumsum(1)
    while len(waiting):
        chance = torch.rand(len(waiting), 1, generator=draw, device=draw.device).to(start)
        drawn = torch.searchsorted(edges, chance * edges[:, -1:], right=True)
        drawn = drawn.clamp_max(start.shape[1] - 1)
        found[waiting] = drawn[:, 0]
        if truncation == 1:
            break
        likelier = torch.where(rows > rows.gather(1, drawn), rows, 0).sum(1)
        again = likelier >= truncation
        waiting, rows, edges = waiting[again], rows[again], edges[again]
    return found


def denoised(
    schedule: Schedule,
    noisy: Int[Tensor, "B L"],
    start: Int[Tensor, "B L"],
    t: Int[Tensor, " B"],
    draw: torch.Generator,
    *,
    stride: int = 1,
) -> Int[Tensor, "B L"]:
    """Return z_(t-stride) drawn from q(z_(t-stride) | z_t = noisy, z_0 = start).

    With Z = beta_bar_t + alpha_bar_t [start = noisy], q is a mixture of all codes alike, of start
    and of noisy, in shares K beta b / Z, beta a / Z and the rest; at MASK the shares are
    gamma K b / gamma_bar, gamma a / gamma_bar and the rest.
    """
    K, r = schedule.codes, schedule.rates(t, stride=stride)
    Z = r.beta_bar + r.alpha_bar * (start == noisy)
    factor = torch.where(noisy == schedule.mask, r.gamma / r.gamma_bar, r.beta / Z)
    drawn = torch.rand(2, *noisy.shape, generator=draw, device=draw.device)
    chance, which = drawn.to(noisy.device)
    anything = factor * K * r.beta_before
    code = torch.where(chance < anything + factor * r.alpha_before, start, noisy)
    return torch.where(chance < anything, (which * K).long().clamp_max(K - 1), code)


def denoising(
    predict_start: PredictStart,
    schedule: Schedule,
    size: tuple[int, int],
    draw: torch.Generator,
    *,
    truncation: float = TRUNCATION,
    stride: int = 1,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[int, Int[Tensor, "B L"]]]:
    """Yield (t, z_t) for the steps T, T - stride, ..., 0 of `size` (B, L); z_T is all MASK."""
    begin = torch.full(size, schedule.mask, dtype=torch.long, device=device)
    jump = {"truncation": truncation, "stride": stride}
    yield from _chain(predict_start, schedule, begin, schedule.steps, draw, **jump)


@torch.no_grad()
def _chain(
    predict_start: PredictStart,
    schedule: Schedule,
    noisy: Tensor,
    step: int,
    draw: torch.Generator,
    *,
    truncation: float,
    stride: int = 1,
) -> Iterator[tuple[int, Tensor]]:
    yield step, noisy
    while step > 0:
        t = torch.full_like(noisy[:, 0], step)
        rows = predict_start(noisy, t).float().mT.softmax(-1)
        start = drawn_start(rows.flatten(0, 1), draw, truncation).view_as(noisy)
        noisy = denoised(schedule, noisy, start, t, draw, stride=stride)
        step = max(step - stride, 0)
        yield step, noisy


def sample(
    predict_start: PredictStart,
    schedule: Schedule,
    size: tuple[int, int],
    draw: torch.Generator,
    *,
    truncation: float = TRUNCATION,
    stride: int = 1,
    device: str | torch.device = "cpu",
) -> Int[Tensor, "B L"]:
    """Return codes of `size` (B, L), denoised from all-MASK in T / stride steps.

    All it knows of the music is what `predict_start` was conditioned on. Gradients are off.
    """
    *_, (_, codes) = denoising(
        predict_start, schedule, size, draw, truncation=truncation, stride=stride, device=device
    )
    return codes


def leaked(
    predict_start: PredictStart,
    schedule: Schedule,
    truth: Int[Tensor, "B L"],
    draw: torch.Generator,
    *,
    leak_ratio: float = 0.1,
    truncation: float = TRUNCATION,
) -> Int[Tensor, "B L"]:
    """Return codes as the released music script makes them: NOT a sample, for demonstration only.

    It begins at step int(leak_ratio T) with z_t drawn from the true music, although its comment
    says full mask; at 0.1 and T = 80 nine tenths of the true codes are still visible. The result
    is no evidence of anything a model has learnt.
    """
    step = int(leak_ratio * schedule.steps)
    refuse(
        not 1 <= step <= schedule.steps,
        f"leak_ratio {leak_ratio} of {schedule.steps} steps begins at step {step}; use `sample` to "
        "begin from all-MASK.",
    )
    codes_only("truth", truth, schedule)
    codes = corrupted(schedule, truth, torch.full_like(truth[:, 0], step), draw)
    *_, (_, last) = _chain(predict_start, schedule, codes, step, draw, truncation=truncation)
    return last


def _checked(truncation: float) -> None:
    refuse(not 0 < truncation <= 1, f"truncation must lie in (0, 1], got {truncation}.")
