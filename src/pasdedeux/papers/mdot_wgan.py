"""A Wasserstein GAN beside MDOT-Net: the same generator, first weights, batches and noise.

MDOT-Net computes a distance of two batches; a WGAN learns a critic D whose gap estimates one:

    critic:     minimise   E D(x~) - E D(x) [+ penalty E (|slope of D| - 1)^2]
    generator:  minimise  -E D(x~)                                    over X~ and X~' of an update.

The critic is kept Lipschitz by clamping its weights (`clip`; Arjovsky et al. 2017, RMSprop) or by a
gradient penalty (`penalty`; Gulrajani et al. 2017, Adam with betas 0 and 0.9), and both networks
have one learning rate, as there. MDOT-Net compares laws of dances and knows no pairs, so the critic
sees dances alone, not their music.

A budget counts updates of the generator. One costs what it does in MDOT-Net but for the transport,
and on top `critic_steps` mini-batches generated without gradients and judged with them.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data.pairs import Pairs
from pasdedeux.nn.dance_critics import gradient_penalty
from pasdedeux.nn.pose import JOINTS, joints
from pasdedeux.nn.seeded import seeded
from pasdedeux.papers.dual_networks import dancer
from pasdedeux.papers.mdot import Batch, Generating, MdotSettings, relational, speed, transport
from pasdedeux.training.critics import clip_weights
from pasdedeux.training.dances import Trained, opened, set_rate
from pasdedeux.training.loop import fit, update

KERNEL, LEAK, LAYERS = 5, 0.2, 3  # frames that a convolution sees; slope below 0; convolutions


@dataclass(frozen=True)
class WganSettings(MdotSettings):
    """What is chosen for the WGAN; the generator's share is MDOT-Net's.

    epsilon, iterations and every: of the transport distance that is logged beside its losses.
    gromov: a WGAN has no GW term; a weight adds MDOT-Net's, so that OT alone is exchanged.
    """

    gromov: float = 0.0
    lipschitz: Literal["clip", "penalty"] = "penalty"
    critic_steps: int = 5  # updates of the critic for each of the generator; both papers
    channels: int = 64  # of each convolution of the critic; ours
    penalty: float = 10.0  # Gulrajani et al.
    limit: float = 0.01  # of every weight, when clipping; Arjovsky et al.
    log_every: int = 10  # updates from one row of the log to the next; a row costs a transport

    def __post_init__(self) -> None:
        """Refuse settings that cannot work together, naming the setting."""
        super().__post_init__()
        choice("lipschitz", self.lipschitz, ("clip", "penalty"))
        for name in ("critic_steps", "channels", "log_every"):
            value = getattr(self, name)
            refuse(value < 1, f"{name} must be at least 1, got {value}.")
        for name in ("penalty", "limit"):
            value = getattr(self, name)
            refuse(not value > 0, f"{name} must be above 0, got {value}.")


class Critic(nn.Module):
    """Scores a dance from the joints in space: convolutions over time, then a mean over time.

    Nothing is normalised over the batch: the penalty asks for the slope of each dance by itself.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [3 * JOINTS] + [channels] * LAYERS
        layers: list[nn.Module] = []
        for width, wider in zip(widths[:-1], widths[1:], strict=True):
            layers += [
                nn.Conv1d(width, wider, KERNEL, stride=2, padding=KERNEL // 2),
                nn.LeakyReLU(LEAK),
            ]
        self.frames = nn.Sequential(*layers)
        # without a bias: a constant added to every score cancels in the gap and could never learn
        self.score = nn.Linear(channels, 1, bias=False)

    def forward(self, bodies: Float[Tensor, "B T 24 3"]) -> Float[Tensor, " B"]:
        """Return one number for each dance, high for real ones once it has learnt."""
        return self.score(self.frames(bodies.flatten(-2).mT).mean(-1)).squeeze(-1)


def optimizer_of(part: nn.Module, lipschitz: str) -> torch.optim.Optimizer:
    """Return the optimizer that the WGAN of this kind gives both networks."""
    if lipschitz == "clip":
        return torch.optim.RMSprop(part.parameters())
    return torch.optim.Adam(part.parameters(), betas=(0.0, 0.9))


class Wgan(Generating):
    """Generator, critic and one update of both: a `training.loop.Learner`."""

    settings: WganSettings

    def __init__(self, settings: WganSettings, pairs: Pairs, *, seed: int) -> None:
        super().__init__(settings, pairs, seed=seed)
        with seeded(number(seed, "critic")):
            self.critic = Critic(settings.channels).to(self.songs.device)
        self.modules["critic"] = self.critic
        self.optimizers = {
            name: optimizer_of(part, settings.lipschitz) for name, part in self.modules.items()
        }

    def step(self, index: int) -> dict[str, float]:
        """Do update `index`; returns its losses, and in rows of the log what MDOT-Net logs too."""
        for optimizer in self.optimizers.values():
            set_rate(optimizer, self.settings.rate(index))
        with seeded(number(self.seed, "dropout", index)):
            for turn in range(self.settings.critic_steps):
                told = self.taught(index, turn)
            both = self.batch(index, "first"), self.batch(index, "second")
        weights = {"gromov": self.settings.gromov} if self.settings.gromov else {}
        told |= update(
            self.optimizers["dancing"],
            self.losses(both),
            clip=self.settings.clip,
            weights=weights,
        )
        done = index + 1
        if done % self.settings.log_every == 0 or done == self.settings.steps:
            told |= beside(both, self.settings)
        return told

    def losses(self, both: tuple[Batch, Batch]) -> dict[str, Tensor]:
        """Return what the generator minimises on the two mini-batches of an update."""
        songs, _, made = zip(*both, strict=True)
        losses = {"critic's word": -self.critic(joints(torch.cat(made))).mean()}
        if self.settings.gromov:
            losses["gromov"] = relational(made, songs, self.settings)
        return losses

    def taught(self, index: int, turn: int) -> dict[str, float]:
        """Do update `turn` of the critic within update `index`; returns gap, penalty and norm."""
        settings, name = self.settings, f"critic {turn}"
        with torch.no_grad():
            _, real, made = self.batch(index, name)
            real, made = joints(real), joints(made)
        losses = {"gap": self.critic(made).mean() - self.critic(real).mean()}
        weights = {}
        if settings.lipschitz == "penalty":
            mix = torch.rand(len(real), generator=generator(self.seed, f"{name} mix", index))
            losses["penalty"] = gradient_penalty(self.critic, real, made, mix.to(real))
            weights["penalty"] = settings.penalty
        told = update(self.optimizers["critic"], losses, weights=weights)
        if settings.lipschitz == "clip":
            clip_weights(self.critic, settings.limit)
        return {"norm critic" if name == "norm" else name: told[name] for name in told}


@torch.no_grad()
def beside(both: tuple[Batch, Batch], settings: MdotSettings) -> dict[str, float]:
    """Return what MDOT-Net logs of two mini-batches: transport, and both speeds in m/s."""
    _, real, made = zip(*both, strict=True)
    return {
        "transport": float(transport(made, real, settings)),
        "speed": speed(made),
        "speed, real": speed(real),
    }


def train(settings: WganSettings, pairs: Pairs, seed: int) -> Trained:
    """Return the WGAN as a system of the dance tables."""
    run = opened(f"wgan-{settings.lipschitz}", settings, pairs, seed, code=__name__)
    learner = Wgan(settings, pairs, seed=seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, threads=settings.threads,
        task=f"seed {seed}: WGAN, {settings.lipschitz}", log_every=settings.log_every,
    )  # fmt: skip
    learner.dancing.eval()
    return Trained(run, dancer(learner.dancing, replace(settings.network, device=settings.device)))
