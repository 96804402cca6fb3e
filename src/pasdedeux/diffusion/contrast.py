"""The contrastive diffusion losses of CDCD (Zhu et al., ICLR 2023), Eqs. 3 to 5.

    step:    L_vb(z, c) - C sum over j of L_vb(z^j, c)      (3)
    sample:  E[-log p(z_0 | z_t, c)] - C sum over j of E[-log p(z_0^j | z_t, c)]      (4)
    total:   L_vb + lambda L_CDCD      (5)

Paper and release disagree; each difference is a field of `Contrast`. By default negatives are what
the release makes of (3): targets for the one prediction at the positive's z_t, so that N of them
cost one gather. `algorithm.py` has Algorithm 1 to the letter, where each goes through the network.

The losses are differences without a margin: -log p(z_0^j) grows without bound as p(z_0^j) falls, so
(4) has no lower bound but the exp(-70) under every probability. `ceiling` is a remedy of ours.
`B` batch, `K` codes, `N` negatives, `L` positions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.diffusion.discrete import Scores, codes_only, predicted, scores
from pasdedeux.diffusion.schedule import Schedule

MODES, NEGATIVES = ("step", "sample"), ("intra", "inter")
SYSTEMS = ("vanilla", "step-intra", "step-inter", "sample-intra", "sample-inter", "both")
SOURCES = ("decided", "published", "released")
System = Literal["vanilla", "step-intra", "step-inter", "sample-intra", "sample-inter", "both"]


@dataclass(frozen=True)
class Contrast:
    """Which losses are added to the bound, and in which of their forms.

    step_intra, step_inter, sample_intra, sample_inter: lambda of each; 0 leaves it out.
    negatives: N. chunks: of an intra negative. shuffle: "own" order for each, never the identity,
    or "released". first_term: whether the first term of (3) and (4) is in L_CDCD. constant: what
    multiplies the mean over negatives: 1, or the log N (step) and N (sample) of Eqs. 9f and 10d.
    rising: whether L_CDCD has the factor 1 + t / T. ceiling: nats at which a negative's surprise in
    (4) stops to count, None for never. contrasted_steps: T_c of appendix E.3, None for all.
    subset: whether T_c / T is the share of samples or of the steps, evenly spread (both are
    interpretations). auxiliary: weight of -log p(z_0 | z_t, c). auxiliary_weight: whether that
    falls as 2 - t / T (text of the paper, VQ-Diffusion) or rises as 1 + t / T (released music).
    """

    step_intra: float = 0.0
    step_inter: float = 0.0
    sample_intra: float = 0.0
    sample_inter: float = 0.0
    negatives: int = 10  # section 4.1
    chunks: int = 8
    shuffle: Literal["own", "released"] = "own"
    first_term: bool = False
    constant: Literal["mean", "derivation"] = "mean"
    rising: bool = True
    ceiling: float | None = None
    contrasted_steps: int | None = None
    subset: Literal["samples", "steps"] = "samples"
    auxiliary: float = 5e-4
    auxiliary_weight: Literal["falling", "rising"] = "falling"

    def __post_init__(self) -> None:
        refuse(self.negatives < 1, f"negatives must be at least 1, got {self.negatives}.")
        refuse(self.chunks < 2, f"chunks must be at least 2, got {self.chunks}.")
        refuse(
            min(self.auxiliary, *self.weights.values()) < 0,
            f"weights must not be negative (the losses carry the sign), got {self}.",
        )
        refuse(
            self.contrasted_steps is not None and self.contrasted_steps < 0,
            f"contrasted_steps must not be negative, got {self.contrasted_steps}.",
        )
        choice("shuffle", self.shuffle, ("own", "released"))
        choice("constant", self.constant, ("mean", "derivation"))
        choice("subset", self.subset, ("samples", "steps"))
        choice("auxiliary_weight", self.auxiliary_weight, ("falling", "rising"))

    @property
    def weights(self) -> dict[str, float]:
        """Return lambda of each of the four losses by name."""
        names = [f"{mode}_{kind}" for mode in MODES for kind in NEGATIVES]
        return {name: getattr(self, name) for name in names}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return which negatives must be drawn: "intra", "inter", both or none."""
        return tuple(
            kind for kind in NEGATIVES if any(self.weights[f"{mode}_{kind}"] > 0 for mode in MODES)
        )

    @classmethod
    def system(cls, name: System, weight: float = 5e-5, *, source: str = "decided") -> "Contrast":
        """Return the settings of a row of Table 6; "both" is Step-Intra with Sample-Inter.

        source: "decided" as the fields say by default; "published" Eqs. 3 to 5 and 9f, 10d as
        printed; "released" as the official code trains.
        """
        choice("system", name, SYSTEMS)
        choice("source", source, SOURCES)
        chosen = {"vanilla": (), "both": ("step-intra", "sample-inter")}.get(name, (name,))
        contrast = cls(**{one.replace("-", "_"): weight for one in chosen})
        if source == "published":
            return replace(contrast, first_term=True, constant="derivation", rising=False)
        if source == "released":
            return replace(contrast, shuffle="released", auxiliary_weight="rising")
        return contrast


class Noised(NamedTuple):
    """A batch of codes on its way: z_0, z_t, t and the probability with which t was drawn."""

    start: Int[Tensor, "B L"]
    noisy: Int[Tensor, "B L"]
    t: Int[Tensor, " B"]
    probability: Float[Tensor, " B"]


class Objective(NamedTuple):
    """Losses in nats for each position, over the probability of t, and the weight of each.

    The total is the sum of weights times losses, as `training.loop.update` forms it; `bound` is
    what `importance.StepSampler.follow` wants to be told.
    """

    losses: dict[str, Float[Tensor, ""]]
    weights: dict[str, float]
    bound: Float[Tensor, " B"]  # L_(t-1) of each sample, summed over positions, without gradient


def objective(
    schedule: Schedule,
    logits: Float[Tensor, "B K L"],
    noised: Noised,
    contrast: Contrast,
    negatives: Mapping[str, Int[Tensor, "B N L"]] | None = None,
    *,
    active: Bool[Tensor, " B"] | None = None,
) -> Objective:
    """Return the training losses of one prediction: "bound", "auxiliary" and the contrasts in use.

    `negatives` holds the codes for each of `contrast.kinds`; `active` tells which samples are
    contrasted (all unless given, see `contrasted`). A contrast whose lambda is 0 is not computed:
    vanilla is exactly that. Raises `ValueError` for missing negatives and for tokens that are no
    code.
    """
    given = dict(negatives or {})
    missing = [kind for kind in contrast.kinds if kind not in given]
    refuse(bool(missing), f"negatives lack {missing}; draw them (diffusion.negative) or set 0.")
    for kind in contrast.kinds:
        codes_only(f"negatives[{kind!r}]", given[kind], schedule)
    prediction = predicted(schedule, logits, noised.noisy, noised.t)
    targets = [noised.start[:, None], *(given[kind] for kind in contrast.kinds)]
    read = scores(prediction, torch.cat(targets, dim=1))
    parts = [
        Scores(*both)
        for both in zip(*(part.split([one.shape[1] for one in targets], 1) for part in read),
                        strict=True)
    ]  # fmt: skip
    positive, drawn = parts[0], dict(zip(contrast.kinds, parts[1:], strict=True))
    share = noised.t / schedule.steps
    over = 1 / (noised.probability * noised.start.numel())
    falls = contrast.auxiliary_weight == "falling"
    losses = {
        "bound": (over * _whole(positive.divergence)).sum(),
        "auxiliary": (over * (2 - share if falls else 1 + share) * _whole(positive.surprise)).sum(),
    }
    on = over if active is None else over * active
    factor = on * (1 + share) if contrast.rising else on
    weights = {name: weight for name, weight in contrast.weights.items() if weight > 0}
    for name in weights:
        mode, kind = name.split("_")
        losses[name] = (factor * contrastive(mode, positive, drawn[kind], contrast)).sum()
    bound = _whole(positive.divergence).detach()
    return Objective(losses, {"auxiliary": contrast.auxiliary} | weights, bound)


def contrastive(
    mode: str, positive: Scores, negative: Scores, contrast: Contrast
) -> Float[Tensor, " B"]:
    """Return L_CDCD of each sample in nats: Eq. 3 for "step", Eq. 4 for "sample"."""
    choice("mode", mode, MODES)
    own, other = (
        (positive.divergence, negative.divergence)
        if mode == "step"
        else (positive.surprise, negative.surprise)
    )
    if mode == "sample" and contrast.ceiling is not None:
        other = other.clamp_max(contrast.ceiling)
    N = other.shape[1]
    printed = math.log(N) if mode == "step" else float(N)
    constant = 1.0 if contrast.constant == "mean" else printed
    loss = -constant / N * _whole(other)
    return loss + _whole(own) if contrast.first_term else loss


def _whole(nats: Tensor) -> Tensor:
    return nats.sum((1, 2))


def uniform_ceiling(schedule: Schedule) -> float:
    """Return log K + 2 nats: a negative two nats less likely than chance is unlikely enough."""
    return math.log(schedule.codes) + 2


def contrasted(
    t: Int[Tensor, " B"], schedule: Schedule, contrast: Contrast, draw: torch.Generator
) -> Bool[Tensor, " B"]:
    """Return which samples are contrasted under T_c: a share of samples, or certain steps."""
    T = schedule.steps
    T_c = T if contrast.contrasted_steps is None else contrast.contrasted_steps
    refuse(T_c > T, f"contrasted_steps must be at most the {T} steps, got {T_c}.")
    if contrast.subset == "steps":
        return t * T_c // T > (t - 1) * T_c // T
    return torch.rand(len(t), generator=draw, device=draw.device).to(t.device) < T_c / T


def density_ratio_loss(
    positive: Float[Tensor, " B"], negatives: Float[Tensor, "B N"]
) -> Float[Tensor, ""]:
    """Return Eq. 2, the mean of -log(f / (f + sum over j of f^j)), for the given log f and log f^j.

    f = p(z_0 | c) / p(z_0), or that of whole chains (Eq. 9a). (3) and (4) are derived from it but
    are not equal to it: they drop its normalisation, and with it its lower bound 0.
    """
    everything = torch.cat([positive[:, None], negatives], dim=1)
    return (everything.logsumexp(1) - positive).mean()
