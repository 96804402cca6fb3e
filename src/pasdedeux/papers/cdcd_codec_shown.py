"""What a reader is shown of the music VQ-VAE: shapes, sizes, what survives, how it collapses.

`S` samples, `M` clips, `T` tokens of a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from pasdedeux.metrics import beats
from pasdedeux.nn.conv import ConvConfig, Decoder, Encoder
from pasdedeux.papers import cdcd_codec
from pasdedeux.papers.cdcd_codec_settings import RATE_HZ, CodecSettings
from pasdedeux.papers.cdcd_sounds import Sounds
from pasdedeux.training.run import Run

TINY = ConvConfig(((8, 4, 4),), channels=24, width=16, units=1, closing=False)
COLUMNS = ("spectral convergence", "codes used", "perplexity", "parameters (M)")


def shapes(settings: CodecSettings, samples: int = 2 * RATE_HZ) -> list[dict[str, str | int]]:
    """Return a row for each part that a sound of `samples` passes: what leaves it, its weights.

    Nothing is computed: shapes are found on a device without numbers.
    """
    config = settings.conv
    with torch.device("meta"):
        encoder, decoder = Encoder(config), Decoder(config)
        x, rows = torch.zeros(1, 1, samples), [_row("sound", torch.zeros(1, 1, samples), None)]
        for block in encoder.blocks:
            for stage in block:
                x = stage(x)
                down = isinstance(stage, nn.Sequential)
                told = f"stride {stage[0].stride[0]}, {config.units} units" if down else "to frames"
                rows.append(_row(f"encoder, {told}", x, stage))
        book = settings.codes * config.width
        rows.append(_row(f"nearest of {settings.codes} codes", x[:, :1], None) | {"weights": book})
        for block in reversed(decoder.blocks):
            for stage in block:
                x = stage(x)
                up = isinstance(stage, nn.Sequential)
                told = f"{config.units} units, stride {stage[1].stride[0]}" if up else "from frames"
                rows.append(_row(f"decoder, {told}", x, stage))
        if config.closing:
            rows.append(_row("decoder, to sound", decoder.out(x), decoder.out))
    return rows


def _row(part: str, leaving: torch.Tensor, module: nn.Module | None) -> dict[str, str | int]:
    weights = 0 if module is None else _count(module)
    return {
        "part": part,
        "channels": leaving.shape[1],
        "length": leaving.shape[2],
        "weights": weights,
    }


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def size(settings: CodecSettings) -> int:
    """Return how many numbers are learnt, those of the codebook included."""
    with torch.device("meta"):
        learnt = _count(Encoder(settings.conv)) + _count(Decoder(settings.conv))
    return learnt + settings.codes * settings.conv.width


def numbers(run: Run, settings: CodecSettings) -> dict[str, float]:
    """Return the row of `run` in the table of codecs, under the names of `COLUMNS`."""
    found = run.metrics()[cdcd_codec.SYSTEM]
    values = (found["convergence"], found["used"], found["perplexity"], size(settings) / 1e6)
    return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True)
class Survival:
    """Onsets of clips in seconds, as recorded and after the codec, and how they compare."""

    reference: tuple[Float[np.ndarray, " _"], ...]
    again: tuple[Float[np.ndarray, " _"], ...]
    rows: dict[str, beats.Row]
    kept: int  # flags of the reference that are there again
    lost: int
    added: int


def survival(
    sound: Float[np.ndarray, "M S"], again: Float[np.ndarray, "M _"], *, rate_hz: int = RATE_HZ
) -> Survival:
    """Return what becomes of the beat flags of `sound` in `again`, beside rows that say nothing.

    The rows are those of `metrics.beats.trivial` (the "other clip" is the next one of these) and
    the reconstruction.
    """
    seconds = sound.shape[1] / rate_hz
    reference = tuple(beats.onset_seconds(one, rate_hz) for one in sound)
    made = tuple(beats.onset_seconds(one, rate_hz) for one in again)
    told, found = (
        np.stack([beats.flags(one, seconds) for one in every]) for every in (reference, made)
    )
    other = np.roll(np.arange(len(sound)), 1)[:, None]
    rows = beats.trivial(reference, others=reference, other=other, duration_seconds=seconds)
    rows["reconstruction"] = beats.evaluate(reference, made, seconds)
    counts = (int(one.sum()) for one in (told & found, told & ~found, ~told & found))
    return Survival(reference, made, rows, *counts)


def heard_again(
    codec: cdcd_codec.Codec, tokens: Int[np.ndarray, "M T"], samples: int
) -> Float[np.ndarray, "M S"]:
    """Return the sound of `tokens`, the few samples that are no whole token filled with silence."""
    sound = cdcd_codec.heard(codec, tokens)[:, :samples]
    return np.pad(sound, ((0, 0), (0, samples - sound.shape[1])))


def collapse(
    settings: CodecSettings,
    sounds: Sounds,
    warm_starts: Sequence[int],
    *,
    codes: int = 64,
    steps: int = 48,
    seed: int = 0,
) -> dict[int, list[tuple[int, float]]]:
    """Return (update, perplexity of a batch) of small codecs that differ in their warm start alone.

    The codebook's dead entries are not renewed, so that what the beginning does can be seen.
    """
    small = replace(
        settings, conv=TINY, warm_start=0, codes=codes, samples=4096, batch=4, steps=steps,
        warmup=10, worst_samples=256, least_use=1e-9, average=0.0, device="cpu",
    )  # fmt: skip
    found: dict[int, list[tuple[int, float]]] = {}
    for warm in warm_starts:
        coding = cdcd_codec.Coding(replace(small, warm_start=warm), sounds, seed=seed)
        told = [(index, coding.step(index)) for index in range(steps)]
        found[warm] = [(index, row["perplexity"]) for index, row in told if "perplexity" in row]
    return found
