"""FusionGAN (Chen et al., ICDM 2017, arXiv 1712.01456): one genre from two, three critics.

Letters as in the paper: A and B are the given genres, F the fused one; X_A, X_B real windows,
G_A, G_B, G_F what the generators play; D_A, D_B, D_F the critics. The equations as printed need
repair, and each repair is a setting here, so that both sides can be run:

| setting        | default    | why                                                               |
|----------------|------------|-------------------------------------------------------------------|
| normalisation  | "mean"     | Eqs. 2, 8, 11 as printed ("sum") grow without bound: a constant c |
|                |            | added to D_F adds 3c                                              |
| generator_rule | "descent"  | Algorithm 1 ascends an L that generators must reduce ("printed"); |
|                |            | the released code adds all rewards ("release")                    |
| balance        | "subtract" | Algorithm 1 adds Eq. 9 to an ascended objective ("add")           |
| order          | "hinge"    | Eq. 13 ascended ("printed") pushes a violated order further apart |

Algorithm 1, lines 1 to 18, are `training.phases`; lines 20 to 30 are `Fusion` here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.data.melodies import MelodyPair, MelodySettings
from pasdedeux.metrics import melody
from pasdedeux.metrics.ngram import fit_ngram
from pasdedeux.training import critics, phases, policy, sequences
from pasdedeux.training.config import MelodyTraining
from pasdedeux.training.loop import fit
from pasdedeux.training.run import Run

Scalar = Float[Tensor, ""]
Means = Mapping[str, Scalar]  # mean score of one critic on each of the five groups

GROUPS = ("X_A", "X_B", "G_A", "G_B", "G_F")
SIGNS: dict[str, dict[str, int]] = {  # Eq. 1: the sign of E[D_row(column)]
    "A": {"X_A": +1, "X_B": -1, "G_A": -1, "G_B": -1, "G_F": -1},
    "B": {"X_A": -1, "X_B": +1, "G_A": -1, "G_B": -1, "G_F": -1},
    "F": {"X_A": +1, "X_B": +1, "G_A": +1, "G_B": +1, "G_F": -1},
}


@dataclass(frozen=True)
class FusionSettings(MelodyTraining):
    """What is chosen for FusionGAN; the defaults are the paper's, or the released code's."""

    rounds: int = 10  # outer rounds of Algorithm 1, lines 20 to 30
    block_updates: int = 50  # generator updates of each of D_F, D_A, D_B in a round: 5 x 10
    balance: Literal["subtract", "add", "none"] = "subtract"  # Eq. 9
    balance_weight: float = 0.1
    order: Literal["hinge", "telescoped", "printed", "none"] = "hinge"  # Eqs. 12 and 13
    order_weight: float = 0.1  # ours
    generator_rule: Literal["descent", "printed", "release"] = "descent"  # Eqs. 4 and 14
    validation_samples: int = 1000  # windows that choose the kept round; ours

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        refuse(self.rounds < 1, f"rounds must be at least 1, got {self.rounds}.")
        refuse(self.block_updates < 1, f"block_updates must be at least 1, got {self.rounds}.")
        choice("balance", self.balance, ("subtract", "add", "none"))
        choice("order", self.order, ("hinge", "telescoped", "printed", "none"))
        choice("generator_rule", self.generator_rule, ("descent", "printed", "release"))

    @classmethod
    def paper(cls) -> "FusionSettings":
        """The released code's sizes and schedule on its grid (8 steps a quarter, 120 bpm)."""
        return cls(melody=MelodySettings.paper(), seeds=(0, 1, 2, 3, 4), workers=1)

    @classmethod
    def gpu(cls) -> "FusionSettings":
        """The released code's networks on the default grid, with every fourth prefix."""
        melody_settings = MelodySettings(train_windows=None)
        seeds = (0, 1, 2, 3, 4)
        return cls(melody=melody_settings, seeds=seeds, prefix_stride=4, workers=1)

    @classmethod
    def laptop(cls) -> "FusionSettings":
        """Small critics, three seeds at least, every window: minutes a seed on one CPU core."""
        return replace(
            cls.gpu(), seeds=(0, 1, 2, 3), widths=(2, 3, 4, 5, 8, 12), filters=(32,) * 6,
            rollouts=8, block_updates=10, blend_updates=100, gan_updates=40, workers=2,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "FusionSettings":
        """One seed on few windows: enough to see the curves move and to hear a melody."""
        return replace(
            cls.laptop(), melody=MelodySettings(train_windows=1024), seeds=(0,), samples=2000,
            likelihood_epochs=8, critic_warmup=30, rollouts=2, rounds=3, block_updates=5,
            blend_updates=15, gan_updates=6, critic_steps=2, validation_samples=500,
        )  # fmt: skip


def objective(means: Mapping[str, Means]) -> Scalar:
    """Eq. 1: the signed sum of all fifteen mean scores, `means[critic][group]`, as printed."""
    return torch.stack(
        [sign * means[critic][group] for critic in SIGNS for group, sign in SIGNS[critic].items()]
    ).sum()


def critic_gap(
    critic: str, means: Means, *, normalisation: critics.Normalisation = "mean"
) -> Scalar:
    """Eq. 8 for D_F, Eq. 11 for D_A and D_B: what the critic maximises.

    With "mean" the supremum over 1-Lipschitz critics is the Wasserstein-1 distance between the
    average of the positive groups and the average of the negative ones.
    """
    signs = SIGNS[critic]
    return critics.separation(
        means,
        positive=[group for group in GROUPS if signs[group] > 0],
        negative=[group for group in GROUPS if signs[group] < 0],
        normalisation=normalisation,
    )


def balance(means: Means) -> Scalar:
    """Eq. 9: |D_F(G_A) - D_F(G_B)| + |D_F(X_A) - D_F(X_B)|, of batch means."""
    return (means["G_A"] - means["G_B"]).abs() + (means["X_A"] - means["X_B"]).abs()


def order(critic: str, means: Means, *, form: str = "hinge") -> Scalar:
    """Eqs. 12 and 13: how far D_A(X_A) >= D_A(G_F) >= D_A(X_B) is from true (B: X_A, X_B swapped).

    "hinge" is zero exactly when the order holds, to be minimised; "printed" is Eq. 13 and
    "telescoped" its value while the order holds, both to be maximised as Algorithm 1 says.
    """
    own, foreign = ("X_A", "X_B") if critic == "A" else ("X_B", "X_A")
    above, below = means[own] - means["G_F"], means["G_F"] - means[foreign]
    if form == "hinge":
        return (-above).relu() + (-below).relu()
    if form == "printed":
        return above.abs() + below.abs()
    return above + below


def critic_losses(critic: str, means: Means, settings: FusionSettings) -> dict[str, Scalar]:
    """Return what the critic minimises, by name; `critic_weights` gives the weights."""
    losses = {"gap": -critic_gap(critic, means, normalisation=settings.normalisation)}
    if critic == "F" and settings.balance != "none":
        sign = 1.0 if settings.balance == "subtract" else -1.0
        losses["balance"] = sign * balance(means)
    if critic != "F" and settings.order != "none":
        sign = 1.0 if settings.order == "hinge" else -1.0
        losses["order"] = sign * order(critic, means, form=settings.order)
    return losses


def critic_weights(critic: str, settings: FusionSettings) -> dict[str, float]:
    """Return the weights of the losses that `critic_losses` names, the gap counting once."""
    if critic == "F":
        return {} if settings.balance == "none" else {"balance": settings.balance_weight}
    return {} if settings.order == "none" else {"order": settings.order_weight}


def reward_signs(player: str, rule: str = "descent") -> dict[str, float]:
    """Return the sign with which each critic's score rewards the generator of `player`.

    "descent" lowers Eq. 1: Eq. 4 for G_F (+ D_A + D_B + D_F) and Eq. 14 for G_A and G_B
    (+ D_A + D_B - D_F). "printed" ascends as Algorithm 1 writes; "release" adds all three.
    """
    if rule == "release":
        return dict.fromkeys(SIGNS, 1.0)
    direction = -1.0 if rule == "descent" else 1.0
    return {critic: direction * SIGNS[critic][f"G_{player}"] for critic in SIGNS}


class Fusion:
    """Algorithm 1, lines 20 to 30, one generator update a step.

    The first `critic_warmup` steps move D_F alone (line 18). A round is a block each of F, A and B;
    a step of a block is `critic_steps` updates of its critic and one of its generator. The last
    round stops after F, as the released code does. At the end of a block the copy that rolls out
    follows its generator; after the warm-up and after each F block G_F is kept if it is the closest
    to both genres on validation windows.
    """

    def __init__(
        self, settings: FusionSettings, pair: MelodyPair, parts: Mapping[str, object], seed: int
    ) -> None:
        self.settings, self.pair, self.seed = settings, pair, seed
        self.live = {player: parts[f"G_{player}"] for player in "ABF"}
        self.delayed = {player: sequences.copied(self.live[player]) for player in "ABF"}
        self.critics = {player: parts[f"D_{player}"] for player in "ABF"}
        self.kept = sequences.copied(self.live["F"])
        self.kept.register_buffer("score", torch.tensor(float("inf")))
        self.real = {
            group: sequences.batches(
                phases.windows(pair, genre, settings), settings.batch, seed, "fusion", group
            )
            for group, genre in (("X_A", "a"), ("X_B", "b"))
        }
        named = (("G", self.live), ("late G", self.delayed), ("D", self.critics))
        self.modules = {f"{kind}_{player}": x for kind, xs in named for player, x in xs.items()}
        self.modules["kept G_F"] = self.kept
        self.optimizers = {
            f"G_{player}": torch.optim.Adam(part.parameters(), settings.policy_rate)
            for player, part in self.live.items()
        } | {
            f"D_{player}": critics.critic_optimizer(
                part, settings.lipschitz, rate=settings.critic_rate
            )
            for player, part in self.critics.items()
        }

    def step(self, index: int) -> dict[str, float]:
        """Do one step; logs the block's player and its critic's and generator's numbers."""
        s = self.settings
        update = index - s.critic_warmup
        if update < 0:
            numbers = self._teach_critic("F", index, 1, first=index)
            return numbers | ({"validation": self._keep_better(0)} if update == -1 else {})
        block, place = divmod(update, s.block_updates)
        player = "FAB"[block % 3]
        first = s.critic_warmup + update * s.critic_steps
        numbers = self._teach_critic(player, index, s.critic_steps, first=first)
        numbers |= sequences.policy_update(
            self.live[player], self.delayed[player], self.optimizers[f"G_{player}"],
            {c: (sign, self.critics[c].score) for c, sign in
             reward_signs(player, s.generator_rule).items()},
            settings=s, draw=lambda *use: self._draw(index, *use),
        )  # fmt: skip
        if place == s.block_updates - 1:
            policy.follow(self.delayed[player], self.live[player], keep=s.delay)
            if player == "F":
                numbers["validation"] = self._keep_better(block // 3 + 1)
        return numbers | {"player": float("ABF".index(player)), "round": float(block // 3)}

    def _teach_critic(self, player: str, index: int, count: int, first: int) -> dict[str, float]:
        s, numbers = self.settings, {}
        fakes = {
            f"G_{name}": part.sample(
                self._draw(index, f"fakes {name}", count * s.batch, s.melody.window)
            ).split(s.batch)
            for name, part in self.live.items()
        }
        for extra in range(count):
            groups = {group: batch(first + extra) for group, batch in self.real.items()}
            groups |= {group: parts[extra] for group, parts in fakes.items()}
            numbers = sequences.critic_update(
                self.critics[player], self.optimizers[f"D_{player}"], groups,
                lambda means: critic_losses(player, means, s),
                positive=[g for g in GROUPS if SIGNS[player][g] > 0],
                weights=critic_weights(player, s), settings=s,
                draw=lambda use, *shape, extra=extra: self._draw(index, f"{use} {extra}", *shape),
            )  # fmt: skip
        return numbers

    def _keep_better(self, round_index: int) -> float:
        """Return G_F's validation score (lower is better) and keep its weights if it is the best:
        Ratio + imbalance of the earth mover distances of DD and NPD to the validation windows.
        """
        s, pair = self.settings, self.pair
        drawn = phases.sampled(
            self.live["F"], s.validation_samples, length=s.melody.window, seed=self.seed,
            name=f"validation {round_index}",
        )  # fmt: skip
        found = melody.evaluate(pair.a.valid, pair.b.valid, drawn, pair.vocabulary)
        names = [f"{p} EM {what}" for p in ("DD", "NPD") for what in ("Ratio", "imbalance")]
        score = sum(found[name] for name in names)
        if score < float(self.kept.score):
            self.kept.load_state_dict(self.live["F"].state_dict(), strict=False)
            self.kept.score.fill_(score)
        return score

    def _draw(self, index: int, use: str, *shape: int) -> Tensor:
        return sequences.uniform(shape, self.seed, "fusion", index, use, like=self.live["F"])


def steps(settings: FusionSettings) -> int:
    """Return the steps of `Fusion`: warm-up, then rounds of three blocks, the last of one."""
    blocks = 3 * settings.rounds - 2
    return settings.critic_warmup + blocks * settings.block_updates


def train(settings: FusionSettings, pair: MelodyPair, seed: int) -> phases.Trained:
    """Train FusionGAN by Algorithm 1 (or load the finished run); samples come from the last G_F."""
    learner, run = trained(settings, pair, seed)
    return _player(learner.live["F"], settings, run)


def train_kept(settings: FusionSettings, pair: MelodyPair, seed: int) -> phases.Trained:
    """Return the same training as `train`, playing the G_F that was best on validation windows."""
    learner, run = trained(settings, pair, seed)
    return _player(learner.kept, settings, run)


def trained(settings: FusionSettings, pair: MelodyPair, seed: int) -> tuple[Fusion, Run]:
    """Return the learner after Algorithm 1 and its run; every phase before it is a run as well."""
    duels = {g: phases.duel(settings, pair, seed, g, settings.gan_updates) for g in ("a", "b")}
    mixed, mixed_run = phases.likelihood(settings, pair, seed, "both")
    parts = {f"G_{g.upper()}": duel.live for g, (duel, _) in duels.items()} | {"G_F": mixed}
    parts |= {f"D_{g.upper()}": duel.critic for g, (duel, _) in duels.items()}
    fresh = sequences.new_critic(settings, pair.vocabulary.size, seed, "fusion")
    parts["D_F"] = fresh.to(mixed.head.weight.device)
    after = tuple(run for _, run in duels.values()) + (mixed_run,)
    run = phases.opened(
        "fusion", settings, pair, seed, after=after, cls=FusionSettings, code=__name__
    )
    learner = Fusion(settings, pair, parts, seed)
    fit(
        learner, steps=steps(settings), folder=run.folder, task=f"seed {seed}: fusion",
        threads=settings.threads, log_every=1,
    )  # fmt: skip
    return learner, run


def _player(generator: sequences.Recurrent, settings: FusionSettings, run: Run) -> phases.Trained:
    def sample(count: int):  # noqa: ANN202
        length = settings.melody.window
        return phases.sampled(generator, count, length=length, seed=run.seed, name="fusion")

    return phases.Trained(run, sample)


def evaluate(drawn: Int[ndarray, "N T"], pair: MelodyPair) -> dict[str, float]:
    """Return what the tables print of windows `drawn` from a system: `metrics.melody.evaluate`
    against both genres' training windows (the paper knows no split), and under "likelihood of
    held-out" how well an n-gram model that heard only `drawn` predicts real test windows.
    """
    numbers = melody.evaluate(pair.a.train, pair.b.train, drawn, pair.vocabulary)
    model = fit_ngram(drawn, pair.vocabulary.size)
    for name, side in (("a", pair.a), ("b", pair.b)):
        numbers[f"held-out NLL {name}"] = model.negative_log_likelihood(side.test)
    numbers["held-out NLL"] = (numbers["held-out NLL a"] + numbers["held-out NLL b"]) / 2
    return numbers
