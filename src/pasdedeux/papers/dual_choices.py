"""What was chosen for dual learning, as tables: settings beside the paper's, sizes, decoding."""

import time
from dataclasses import fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.translator import Translator
from pasdedeux.papers.dual_networks import MUSIC, Composing, Dancing
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import NOT_IN_KEY

NOT_SAID = "not said"
OPEN = (
    "steps", "clip", "dropout", "noise", "gradient", "plan", "gromov", "cycle", "residual",
    "decoding", "velocity", "position",
)  # fmt: skip
LETTER = {"algorithm": "printed"}  # not a number as printed, so no profile follows it
MACHINE = (*NOT_IN_KEY, "threads", "device")


def chosen(settings: DualSettings) -> list[dict[str, str]]:
    """Return a row for each setting that decides a trained weight: name, paper, ours.

    What section 4.2 leaves open stands as "not said" under paper.
    """
    paper = DualSettings.paper()
    names = [field.name for field in fields(settings) if field.name not in MACHINE]
    return [
        {
            "setting": name,
            "paper": NOT_SAID if name in OPEN else LETTER.get(name, _told(getattr(paper, name))),
            "ours": _told(getattr(settings, name)),
        }
        for name in names
    ]


def sizes(settings: DualSettings) -> dict[str, int]:
    """Return how many weights each network has; none is made."""
    with torch.device("meta"):
        networks = {"G_MD": Dancing(settings), "G_DM": Composing(settings)}
    return {
        name: sum(weight.numel() for weight in network.parameters())
        for name, network in networks.items()
    }


def decoding(
    settings: DualSettings, *, batch: int = 4, rounds: int = 3
) -> list[dict[str, str | float]]:
    """Return what one window of `batch` dances costs G_MD in milliseconds, three ways.

    Untrained weights, the least of `rounds`. The last row makes the same frames as the one above
    it without keeping what was computed before; it tells the largest difference between both.
    """
    frames, draw = settings.pairs.frames, generator(0, "decoding")
    music, first, noise = (
        torch.randn(batch, *size, generator=draw)
        for size in ((frames, MUSIC), (147,), (settings.noise,))
    )
    found = []
    with torch.no_grad(), seeded(0):
        whole = Dancing(replace(settings, decoding="parallel")).eval()
        single = Dancing(replace(settings, decoding="autoregressive")).eval()
        given = (music, first, noise)
        ways = {
            "all frames at once": (lambda: whole(*given), rounds),
            "one by one, kept": (lambda: single(*given), rounds),
            "one by one, anew": (lambda: anew(single, *given), 1),
        }
        for name, (way, times) in ways.items():
            seconds, made = [], torch.empty(0)
            for _ in range(times):
                clock = time.perf_counter()
                made = way()
                seconds.append(time.perf_counter() - clock)
            found.append((name, 1000 * min(seconds), made))
    apart = float((found[1][2] - found[2][2]).abs().max())
    told = ("", "", f"{apart:.0e}")
    return [
        {"decoding": name, "milliseconds": ms, "differs from the row above by": difference}
        for (name, ms, _), difference in zip(found, told, strict=True)
    ]


def anew(
    network: Translator,
    source: Float[Tensor, "B T C"],
    start: Float[Tensor, "B S"],
    noise: Float[Tensor, "B Z"],
) -> Float[Tensor, "B T O"]:
    """Return what a causal network makes frame by frame, every frame computed from the beginning.

    After pass t the first t frames are what they will be, whatever stood there before.
    """
    memory = network.encoded(source)
    made = memory.new_zeros(*memory.shape[:2], network.domains.target)
    for _ in range(memory.shape[1]):
        made = network.decoded(memory, start, noise, target=made)
    return made


def _told(value: object) -> str:
    """Return a setting as people write it."""
    if isinstance(value, tuple):
        return ", ".join(f"{rate:g} from update {step}" for step, rate in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
