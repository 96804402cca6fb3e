"""What CDCD is made of and what it costs: Tables 5 and 8, computed from the modules.

Nothing is trained: modules are built on the "meta" device, where tensors have shapes but no
numbers, so that the paper's size is counted on any computer. For a training of U updates of B clips

    days = U * operations(B) / (peak * share * 86400)                             (1)
    bytes = 4 * (4 learnt + all) + saved(B)                                       (2)

operations(B) are the floating-point operations of the matrix products, attentions and convolutions
of one update, forward and backward, as torch counts them; peak is that of the device and `share`
how much of it a training reaches, which is an assumption. (2) counts the weights, their gradients
and AdamW's two moments of what is learnt, the average of all, and what autograd keeps until the
gradient is known, of the network and of the loss. A network is counted in one of two `FORMS`: as it
is built here, or with what the release has more (`released`).
`B` clips, `T` frames, `L` tokens, `K` codes.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pasdedeux.base import device
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.seeding import generator, number
from pasdedeux.data import tiktok
from pasdedeux.diffusion.contrast import Contrast, Noised, objective
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.negative import shuffled
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.denoiser import Denoiser
from pasdedeux.nn.motion_encoder import SHAPES, STACKS, MotionConfig, MotionEncoder
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.transformer import Norm
from pasdedeux.papers.cdcd_networks import Asked, Network, Sizes, denoiser_config
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.loop import update

V100_PEAK = 15.7e12  # operations a second in float32 (NVIDIA's data sheet, SXM2)
SHARE = 0.4  # of the peak; assumed
DAY = 86_400.0
FLOAT = 4  # bytes
AIST = Sizes(frames=120, tokens=344, genres=10, codes=2048)  # 2 s of AIST++ at 60 frames a second
TIKTOK = AIST._replace(frames=tiktok.FRAMES, genres=1, features=3 * tiktok.JOINTS)  # 2 s, no genres
FORMS = ("built", "released")


class Layer(NamedTuple):
    """One row of Table 5: what it is, its taps, and the channels and places that leave it."""

    name: str
    taps: int | None
    channels: int
    places: int
    parameters: int


def table_5(source: str = "Table 5", *, frames: int = AIST.frames) -> list[Layer]:
    """Return the layers of the motion encoder under one of `nn.motion_encoder.SHAPES`."""
    refuse(source not in SHAPES, f"source must be one of {tuple(SHAPES)}, got {source!r}.")
    shape, found = SHAPES[source], []
    with torch.device("meta"):
        made = MotionEncoder(MotionConfig(frames, channels=shape.channels, kernels=shape.kernels))
        named: list[tuple[str, nn.Module]] = [("linear", made.spread)]
        for place, convolution in enumerate(made.convolutions):
            named.append(("convolution", convolution))
            if place < STACKS:
                named.append(("residual stack", made.stacks[place]))
        named.append(("linear", made.out))
        hooks = [
            part.register_forward_hook(
                lambda part, _, out, n=name: found.append(_layer(n, part, out))
            )
            for name, part in named
        ]
        made(torch.zeros(1, frames, made.config.features))
    for hook in hooks:
        hook.remove()
    return found


def _layer(name: str, part: nn.Module, out: Tensor) -> Layer:
    taps = part.kernel_size[0] if isinstance(part, nn.Conv1d) else None
    return Layer(name, taps, out.shape[1], out.shape[2], parameters(part))


def parameters(part: nn.Module) -> int:
    """Return how many numbers `part` holds as parameters, learnt or not."""
    return sum(parameter.numel() for parameter in part.parameters())


class Cost(NamedTuple):
    """One row of Table 8.

    parameters: learnt ones. motion: of them in the motion encoder. idle: what the release has in
    queries, keys and normalisations that nothing depends on, because its condition has one
    position; counted in `parameters` for the form "released" only. operations: of one update.
    bytes: by (2). v100_days: by (1).
    """

    parameters: int
    motion: int
    idle: int
    operations: int
    bytes: int
    v100_days: float


def released(settings: CdcdSettings, sizes: Sizes) -> Network:
    """Return the network with what the release has more than `nn.denoiser`.

    Its attention to the one position of the condition has queries, keys and a normalisation before
    it; every normalisation that the step sets has a table of steps of its own, and those beyond the
    first are only there to be counted.
    """
    network = Network(settings, sizes)
    network.denoiser, config = _general(settings, sizes), network.denoiser.config
    parts = network.denoiser.modules()
    stepped = [part for part in parts if isinstance(part, Norm) and part.modulation is not None]
    network.tables = nn.ModuleList(
        nn.Embedding(config.steps, config.width) for _ in range(len(stepped) - 1)
    )
    return network


def _general(settings: CdcdSettings, sizes: Sizes) -> Denoiser:
    config = denoiser_config(settings, sizes)
    positions = max(2, config.condition_positions)  # more than one: the general attention
    return Denoiser(replace(config, condition_positions=positions))


def table_8(
    settings: CdcdSettings, sizes: Sizes = AIST, *, share: float = SHARE, form: str = "built"
) -> Cost:
    """Return what a training with `settings` costs on clips of the given sizes.

    `form` is one of `FORMS`. Counted with one layer and with two: each further one adds the same.
    """
    refuse(not 0 < share <= 1, f"share must lie in (0, 1], got {share}.")
    choice("form", form, FORMS)
    first, second = (_counted(replace(settings, layers=n), sizes, form) for n in (1, 2))
    further = settings.layers - 1
    network = Counted(*(a + further * (b - a) for a, b in zip(first, second, strict=True)))
    losses = _loss_bytes(settings.contrast, settings.diffusion_steps, sizes.codes, sizes.tokens)
    everything = FLOAT * (4 * network.learnt + network.parameters)
    return Cost(
        parameters=network.learnt,
        motion=network.motion,
        idle=network.idle,
        operations=network.operations,
        bytes=everything + network.saved + settings.batch * losses,
        v100_days=settings.steps * network.operations / (V100_PEAK * share * DAY),
    )


class Counted(NamedTuple):
    """What was counted on a network: parameters, operations of an update, and bytes kept for it."""

    learnt: int
    parameters: int
    motion: int
    idle: int
    operations: int
    saved: int


def _counted(settings: CdcdSettings, sizes: Sizes, form: str) -> Counted:
    with torch.device("meta"):
        network = (Network if form == "built" else released)(settings, sizes)
        idle = parameters(_general(settings, sizes))
        idle -= parameters(Denoiser(denoiser_config(settings, sizes)))
        noisy = torch.zeros(settings.batch, sizes.tokens, dtype=torch.long)
        t = torch.ones(settings.batch, dtype=torch.long)
        asked = _asked(settings, sizes)
    counter = FlopCounterMode(display=False)
    with counter:
        saved = kept_bytes(lambda: network(noisy, t, asked), network)
    return Counted(
        learnt=sum(p.numel() for p in network.parameters() if p.requires_grad),
        parameters=parameters(network),
        motion=parameters(network.conditioning.motion),
        idle=idle,
        operations=counter.get_total_flops(),
        saved=saved,
    )


def _asked(settings: CdcdSettings, sizes: Sizes) -> Asked:
    visual = torch.zeros(settings.batch, settings.visual) if settings.visual else None
    motion = torch.zeros(settings.batch, sizes.frames, sizes.features)
    return Asked(motion, torch.zeros(settings.batch, dtype=torch.long), visual)


def kept_bytes(forward: Callable[[], Tensor], module: nn.Module | None = None) -> int:
    """Return the bytes that autograd keeps of `forward()`, parameters not counted, and go back."""
    own = {p.untyped_storage()._cdata for p in (module.parameters() if module else ())}
    kept: dict[int, int] = {}
    alive = []  # a storage given back could be another's of the same name

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
            alive.append(storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made = forward()
    made.sum().backward()
    return sum(kept.values())


class Problem(NamedTuple):
    """Random codes on their way, and random negatives: what a loss is timed and weighed on."""

    schedule: Schedule
    noised: Noised
    negatives: dict[str, Tensor]

    def total(self, settings: CdcdSettings, logits: Tensor) -> dict[str, Tensor]:
        """Return the weighted losses of `logits`."""
        found = objective(self.schedule, logits, self.noised, settings.contrast, self.negatives)
        return {name: found.weights.get(name, 1.0) * loss for name, loss in found.losses.items()}


def problem(settings: CdcdSettings, sizes: Sizes, batch: int) -> Problem:
    """Return random codes of `batch` clips."""
    schedule = Schedule(sizes.codes, settings.diffusion_steps)
    draw = generator(0, "cost")
    start = torch.randint(sizes.codes, (batch, sizes.tokens), generator=draw)
    t = torch.randint(1, schedule.steps + 1, (batch,), generator=draw)
    noisy = corrupted(schedule, start, t, draw)
    noised = Noised(start, noisy, t, torch.full((batch,), 1 / schedule.steps))
    count = settings.contrast.negatives
    made = {kind: shuffled(start, draw, negatives=count) for kind in settings.contrast.kinds}
    return Problem(schedule, noised, made)


@cache
def _loss_bytes(contrast: Contrast, diffusion_steps: int, codes: int, tokens: int) -> int:
    """Return what autograd keeps of the losses of one clip."""
    settings = CdcdSettings(contrast=contrast, diffusion_steps=diffusion_steps)
    one = problem(settings, AIST._replace(codes=codes, tokens=tokens), 1)
    logits = torch.zeros(1, codes, tokens, requires_grad=True)
    return kept_bytes(lambda: torch.stack([*one.total(settings, logits).values()]))


def seconds_a_step(settings: CdcdSettings, sizes: Sizes = AIST, *, updates: int = 3) -> float:
    """Return the median seconds of an update on random clips, on the device of `settings`.

    The first update, which readies the device, is not counted.
    """
    refuse(updates < 1, f"updates must be at least 1, got {updates}.")
    where = device.pick(settings.device)
    with seeded(number(0, "cost")):
        network = Network(settings, sizes).to(where)
    learnt = [p for p in network.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(learnt, lr=1e-6, fused=True)
    random = problem(settings, sizes, settings.batch)
    noised = Noised(*(part.to(where) for part in random.noised))
    negatives = {kind: codes.to(where) for kind, codes in random.negatives.items()}
    random = Problem(random.schedule, noised, negatives)
    asked = Asked(*(None if part is None else part.to(where) for part in _asked(settings, sizes)))
    found = []
    for _ in range(updates + 1):
        begun = time.perf_counter()
        logits = network(noised.noisy, noised.t, asked)
        update(adam, random.total(settings, logits), clip=settings.clip)  # waits for the device
        found.append(time.perf_counter() - begun)
    return statistics.median(found[1:])
