"""Learners for token sequences: maximum likelihood, one critic against one generator, and the
policy update that every adversarial system shares.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pasdedeux.base.seeding import generator
from pasdedeux.nn.recurrent import Recurrent
from pasdedeux.nn.textcnn import TextCNN
from pasdedeux.training import critics, policy
from pasdedeux.training.config import MelodyTraining
from pasdedeux.training.loop import update


def new_policy(settings: MelodyTraining, vocabulary: int, seed: int, name: str) -> Recurrent:
    """Return a freshly initialised generator whose weights depend on `seed` and `name` alone."""
    made = Recurrent(vocabulary, embedding=settings.embedding, hidden=settings.hidden)
    return made.initialise(generator(seed, "weights", "generator", name))


def new_critic(settings: MelodyTraining, vocabulary: int, seed: int, name: str) -> TextCNN:
    """Return a freshly initialised critic whose weights depend on `seed` and `name` alone."""
    made = TextCNN(
        vocabulary,
        widths=settings.widths,
        filters=settings.filters,
        embedding=settings.critic_embedding,
    )
    return made.initialise(generator(seed, "weights", "critic", name))


def batches(windows: Int[Tensor, "N T"], size: int, seed: int, *names: object) -> Callable:
    """Return a function from an update number to its batch of `windows`.

    Every epoch is a fresh permutation named by (seed, names, epoch); the rest of an epoch that
    fills no batch is left out, and fewer windows than `size` make one batch of them all.
    """
    size = min(size, len(windows))
    each = len(windows) // size

    @lru_cache(maxsize=1)
    def order(epoch: int) -> Tensor:
        return torch.randperm(len(windows), generator=generator(seed, *names, epoch))

    def batch(index: int) -> Tensor:
        epoch, place = divmod(index, each)
        return windows[order(epoch)[place * size : (place + 1) * size].to(windows.device)]

    return batch


def uniform(shape: Sequence[int], seed: int, *names: object, like: nn.Module) -> Tensor:
    """Return numbers in [0, 1) for the use called `names`, on the device of `like`.

    They are drawn on the CPU, so every device spends the same numbers.
    """
    drawn = torch.rand(tuple(shape), generator=generator(seed, *names))
    return drawn.to(next(like.parameters()).device)


class Likelihood:
    """Maximum likelihood on `windows`: mean cross-entropy per token (Algorithm 1, line 3)."""

    def __init__(
        self,
        settings: MelodyTraining,
        windows: Int[Tensor, "N T"],
        vocabulary: int,
        *,
        seed: int,
        name: str,
    ) -> None:
        self.generator = new_policy(settings, vocabulary, seed, name).to(windows.device)
        self.batch = batches(windows, settings.batch, seed, "likelihood", name)
        self.clip = settings.generator_clip
        self.modules = {"generator": self.generator}
        self.optimizers = {
            "generator": torch.optim.Adam(self.generator.parameters(), settings.likelihood_rate)
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one update; logs the likelihood loss in nats per token."""
        loss = -self.generator.log_likelihood(self.batch(index)).mean()
        return update(self.optimizers["generator"], {"likelihood": loss}, clip=self.clip)


def likelihood_steps(settings: MelodyTraining, windows: int) -> int:
    """Return the updates in `likelihood_epochs` epochs over so many windows."""
    return settings.likelihood_epochs * (windows // min(settings.batch, windows))


def policy_update(
    live: Recurrent,
    delayed: Recurrent,
    optimizer: torch.optim.Optimizer,
    judges: Mapping[str, tuple[float, policy.Score]],
    *,
    settings: MelodyTraining,
    draw: Callable[..., Tensor],
) -> dict[str, float]:
    """Improve `live` by one policy gradient; `judges` gives each critic's sign and score.

    One rollout set serves all critics; each critic's reward is standardised before the signed sum,
    and the mean at each time step is the baseline. `draw(use, *shape)` gives uniform numbers.
    Returns loss, gradient norm, entropy (nats per token) and the share of distinct sequences.
    """
    length = settings.melody.window
    tokens = live.sample(draw("tokens", settings.batch, length))
    starts = len(policy.prefix_lengths(length, settings.prefix_stride))
    spent = draw("rollouts", starts, settings.rollouts, settings.batch, length)
    rolled = policy.rollouts(delayed, tokens, spent, stride=settings.prefix_stride)
    reward = torch.stack(
        [
            sign * policy.standardised(policy.rewards(score, tokens, rolled))
            for sign, score in judges.values()
        ]
    ).sum(dim=0)
    logits = live(tokens)
    known = torch.log_softmax(logits, dim=-1)
    chosen = known.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    loss = policy.policy_loss(chosen, policy.advantage(reward))
    numbers = update(optimizer, {"policy": loss}, clip=settings.generator_clip)
    entropy = -(known.exp() * known).sum(dim=-1).mean()
    distinct = len(torch.unique(tokens, dim=0)) / len(tokens)
    return numbers | {"entropy": float(entropy.detach()), "distinct": distinct}


def critic_update(
    critic: TextCNN,
    optimizer: torch.optim.Optimizer,
    groups: Mapping[str, Int[Tensor, "B T"]],
    losses: Callable[[dict[str, Float[Tensor, ""]]], Mapping[str, Float[Tensor, ""]]],
    *,
    positive: Sequence[str],
    weights: Mapping[str, float],
    settings: MelodyTraining,
    draw: Callable[..., Tensor],
) -> dict[str, float]:
    """Improve `critic` once on named groups of sequences; returns losses and gradient norm.

    `losses` turns the groups' mean scores into named losses; the gradient penalty between rows of
    the `positive` and the other groups, or weight clipping, is added here.
    """
    sizes = [len(group) for group in groups.values()]
    scores = critic(torch.cat(list(groups.values()))).split(sizes)
    means = {name: part.mean() for name, part in zip(groups, scores, strict=True)}
    named = dict(losses(means))
    rates = dict(weights)
    if settings.lipschitz == "penalty":
        count = min(sizes)
        one = _rows([groups[name] for name in positive], draw("positive rows", count))
        rest = [groups[name] for name in groups if name not in positive]
        other = _rows(rest, draw("negative rows", count))
        named["penalty"] = critics.gradient_penalty(critic, one, other, draw("mix", count))
        rates["penalty"] = settings.penalty
    numbers = update(optimizer, named, weights=rates)
    if settings.lipschitz == "clip":
        critics.clip_weights(critic, settings.clip)
    return numbers


def _rows(groups: list[Int[Tensor, "B T"]], chance: Float[Tensor, " N"]) -> Int[Tensor, "N T"]:
    """Return rows picked from all `groups` together, one for each number in [0, 1)."""
    pool = torch.cat(groups)
    return pool[(chance * len(pool)).long().clamp_(max=len(pool) - 1)]


class Duel:
    """One generator against one critic on real windows (Algorithm 1, lines 4 to 16).

    The first `critic_warmup` steps move the critic alone; each later step is `critic_steps` critic
    updates and one policy update. The rollout copy follows at every step with `delay`.
    """

    def __init__(
        self,
        settings: MelodyTraining,
        windows: Int[Tensor, "N T"],
        started: Recurrent,
        *,
        seed: int,
        name: str,
    ) -> None:
        self.settings, self.seed, self.name = settings, seed, name
        self.live, self.delayed = started, copied(started)
        self.critic = new_critic(settings, started.vocabulary, seed, name).to(windows.device)
        self.batch = batches(windows, settings.batch, seed, "critic", name)
        self.modules = {"generator": self.live, "delayed": self.delayed, "critic": self.critic}
        self.optimizers = {
            "generator": torch.optim.Adam(self.live.parameters(), settings.policy_rate),
            "critic": critics.critic_optimizer(
                self.critic, settings.lipschitz, rate=settings.critic_rate
            ),
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one step; logs the Wasserstein gap, the penalty and the policy's numbers."""
        warm = index < self.settings.critic_warmup
        count = 1 if warm else self.settings.critic_steps
        first = index if warm else self._critic_updates(index)
        fakes = self.live.sample(
            self._draw(index, "fakes", count * self.settings.batch, self.settings.melody.window)
        ).split(self.settings.batch)
        for extra, fake in enumerate(fakes):
            numbers = critic_update(
                self.critic,
                self.optimizers["critic"],
                {"real": self.batch(first + extra), "fake": fake},
                lambda means: {"gap": means["fake"] - means["real"]},
                positive=("real",),
                weights={},
                settings=self.settings,
                draw=lambda use, *shape, extra=extra: self._draw(index, f"{use} {extra}", *shape),
            )
        if not warm:
            judges = {"critic": (1.0, self.critic.score)}
            numbers |= policy_update(
                self.live,
                self.delayed,
                self.optimizers["generator"],
                judges,
                settings=self.settings,
                draw=lambda *use: self._draw(index, *use),
            )
            policy.follow(self.delayed, self.live, keep=self.settings.delay)
        return numbers

    def _critic_updates(self, index: int) -> int:
        warmup = self.settings.critic_warmup
        return warmup + (index - warmup) * self.settings.critic_steps

    def _draw(self, index: int, use: str, *shape: int) -> Tensor:
        return uniform(shape, self.seed, "duel", self.name, index, use, like=self.live)


def copied(model: Recurrent) -> Recurrent:
    """Return an independent copy of `model` with equal weights."""
    twin = Recurrent(
        model.vocabulary,
        embedding=model.embedding.embedding_dim,
        hidden=model.lstm.hidden_size,
    ).to(model.head.weight.device)
    twin.load_state_dict(model.state_dict())
    return twin
