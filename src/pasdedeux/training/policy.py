"""Policy gradient for token generators: Monte-Carlo rollouts, rewards and the REINFORCE loss.

A critic judges whole sequences; the reward of a token is the mean score of completions sampled
after it (SeqGAN, Yu et al. 2017, the method FusionGAN's Algorithm 1 calls "Q value").
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base.checks import refuse
from pasdedeux.nn.recurrent import Recurrent, State

Score = Callable[[Tensor], Tensor]
SMALL = 1e-6
CHUNK = 4096  # sequences judged at once: bounds the memory, changes no value


class Rollouts(NamedTuple):
    """Completions of each prefix, and the prefix lengths, ascending; the last is the whole."""

    completed: Int[Tensor, "M N B T"]
    prefixes: tuple[int, ...]


def prefix_lengths(length: int, stride: int) -> tuple[int, ...]:
    """Return stride, 2 stride, ... below `length`: where rollouts begin."""
    refuse(not stride >= 1, f"prefix stride must be at least 1, got {stride}.")
    return tuple(range(stride, length, stride))


@torch.no_grad()
def rollouts(
    policy: Recurrent, tokens: Int[Tensor, "B T"], uniform: Float[Tensor, "M N B T"], *, stride: int
) -> Rollouts:
    """Complete each prefix of `tokens` N times with `policy`, all prefixes in one growing batch.

    The LSTM reads `tokens` once; its states are reused as the starting points. At time t the
    batch holds the prefixes of length <= t only, so no step is spent on a known token.
    `uniform[m, n, b, t]` decides token t of rollout n of prefix m; M is
    `len(prefix_lengths(T, stride))`.
    """
    prefixes = prefix_lengths(tokens.shape[1], stride)
    M, N, B, T = uniform.shape
    refuse(
        (len(prefixes), *tokens.shape) != (M, B, T),
        f"uniform must be ({len(prefixes)}, rollouts, {tokens.shape[0]}, {tokens.shape[1]}), "
        f"got {tuple(uniform.shape)}.",
    )
    completed = tokens.expand(M, N, B, T).clone()
    table, known, running = policy.gates(), policy.start(B), policy.start(0)
    active = 0
    heard = tokens.new_full((B,), policy.vocabulary)
    for t in range(T):
        known = policy.advance(table, known, heard)
        heard = tokens[:, t]
        if active:
            last = completed[:active, :, :, t - 1].reshape(-1)
            running = policy.advance(table, running, last)
        if active < M and prefixes[active] == t:
            active += 1
            begun = [part.repeat(N, 1) for part in known]
            running = State(*(torch.cat(pair) for pair in zip(running, begun, strict=True)))
        if active:
            drawn = policy.draw(running, uniform[:active, :, :, t].reshape(-1))
            completed[:active, :, :, t] = drawn.view(active, N, B)
    return Rollouts(completed, prefixes)


@torch.no_grad()
def rewards(score: Score, tokens: Int[Tensor, "B T"], rolled: Rollouts) -> Float[Tensor, "B T"]:
    """Return the action value of each token: mean score of completions that begin with it.

    The last token's value is the score of the sequence itself. With a stride, a token takes the
    value of the first evaluated prefix that contains it.
    """
    B, T = tokens.shape
    M, N = rolled.completed.shape[:2]
    everything = torch.cat([rolled.completed.reshape(-1, T), tokens])
    scores = torch.cat([score(part) for part in everything.split(CHUNK)])
    ends = torch.cat([scores[: M * N * B].view(M, N, B).mean(dim=1), scores[None, M * N * B :]])
    lengths = torch.tensor([*rolled.prefixes, T], device=tokens.device)
    evaluated = torch.searchsorted(lengths, torch.arange(1, T + 1, device=tokens.device))
    return ends[evaluated].T


def standardised(reward: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Return `reward` with mean 0 and standard deviation 1 over batch and time.

    Raw critics drift by any constant and differ in scale; standardised, three of them can be added.
    """
    centred = reward - reward.mean()
    return centred / (centred.square().mean().sqrt() + SMALL)


def advantage(reward: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Return `reward` less its mean at each time step: the baseline that lowers the variance."""
    return reward - reward.mean(dim=0, keepdim=True)


def policy_loss(
    log_likelihood: Float[Tensor, "B T"], reward: Float[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Return -mean(log p x reward): its gradient is minus the REINFORCE estimate."""
    return -(log_likelihood * reward.detach()).mean()


@torch.no_grad()
def follow(delayed: nn.Module, live: nn.Module, *, keep: float) -> None:
    """Move the weights of `delayed` towards `live`: new = keep old + (1 - keep) live."""
    refuse(not 0 <= keep < 1, f"keep must be in [0, 1), got {keep}.")
    for old, new in zip(delayed.parameters(), live.parameters(), strict=True):
        old.lerp_(new, 1 - keep)
