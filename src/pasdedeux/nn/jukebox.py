"""One level of a Jukebox VQ-VAE, from a file that the user supplies (Dhariwal et al. 2020).

Two layouts are read: the public file, a dictionary whose "model" holds the tensors, and the bare
tensors that the authors of D2M-GAN and CDCD saved. Names may begin with "module.". The file holds
three levels that know nothing of each other; one is taken, and of that level every tensor.

| in the file                                    | here                       |
|------------------------------------------------|----------------------------|
| `encoders.l.level_blocks.i.model.j.…`          | `encoder.blocks.i.j.…`     |
| `decoders.l.level_blocks.i.model.j.…`          | `decoder.blocks.i.j.…`     |
| `decoders.l.out.…`                             | `decoder.out.…`            |
| `bottleneck.level_blocks.l.k`                  | `codebook`                 |
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.nn.conv import ConvConfig, Decoder, Encoder, jukebox_level

LEVELS, TOP = 3, 2
CODES = 2048
FAMILY = re.compile(r"(?:encoders|decoders|bottleneck\.level_blocks)\.(\d+)\.")
MOST_NAMED = 3  # keys in a message


class Level(NamedTuple):
    """An encoder, its decoder and the codebook between them."""

    encoder: Encoder
    decoder: Decoder
    codebook: Float[Tensor, "K D"]


def read(
    path: Path, *, level: int = TOP, config: ConvConfig | None = None, codes: int = CODES
) -> Level:
    """Return level `level` of the file `path`, 2 being the top one with 128 samples a frame.

    `config` and `codes` are the sizes expected, those of the public "5b" model by default. Only
    tensors are read: nothing in the file is run. Raises `ValueError` that names the file for one
    that is not there, not a torch file, that holds other things than tensors and numbers, or whose
    level misses a tensor, has one too many, one of another shape or one that is not finite.
    """
    return taken(opened(path), path.name, level=level, config=config, codes=codes)


def opened(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the file `path` by name, without "module." in front."""
    refuse(not path.is_file(), f"{path} is not a file; give the path of your VQ-VAE's file.")
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd pickles, which are refused below
            content = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name} is damaged, or holds more than tensors and was not opened, because that "
            "would run what is in it. Where you trust it, save its tensors alone: "
            "torch.save({'model': torch.load(file, weights_only=False)['model']}, new)."
        ) from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, OSError, KeyError) as error:
        raise ValueError(
            f"{path.name} is not a whole torch file; download it again ({error})."
        ) from error
    return bare(content, path.name)


def bare(content: Any, name: str) -> dict[str, Tensor]:
    """Return the tensors in what a file called `name` held, in either layout."""
    found = content.get("model", content) if isinstance(content, Mapping) else content
    refuse(not isinstance(found, Mapping), f"{name} holds no tensors by name; is it a VQ-VAE?")
    state = {str(key).removeprefix("module."): value for key, value in found.items()}
    other = [key for key, value in state.items() if not isinstance(value, Tensor)]
    refuse(bool(other), f"{name}: {_named(other)} should be tensors; is it a VQ-VAE's file?")
    return state


def taken(
    state: Mapping[str, Tensor],
    name: str,
    *,
    level: int = TOP,
    config: ConvConfig | None = None,
    codes: int = CODES,
) -> Level:
    """Return level `level` of the tensors `state`, which came from the file called `name`."""
    config = config or jukebox_level()
    refuse(not 0 <= level < LEVELS, f"level must be 0 to {LEVELS - 1}, got {level}.")
    families = {key: FAMILY.match(key) for key in state}
    strange = [key for key, family in families.items() if family is None]
    refuse(bool(strange), f"{name}: nothing is known of {_named(strange)}; is it a VQ-VAE's file?")
    ours = {
        _ours(key, level): tensor
        for key, tensor in state.items()
        if (family := families[key]) and int(family.group(1)) == level
    }
    refuse(not ours, f"{name} has no level {level}; its names begin {_named(sorted(state))}.")
    encoder, decoder = Encoder(config), Decoder(config)
    wanted = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    wanted |= {f"decoder.{key}": value for key, value in decoder.state_dict().items()}
    wanted["codebook"] = torch.empty(codes, config.width)
    _compare(ours, wanted, f"{name}, level {level}")
    for part, module in (("encoder.", encoder), ("decoder.", decoder)):
        chosen = {k.removeprefix(part): v for k, v in ours.items() if k.startswith(part)}
        module.load_state_dict(chosen)
    return Level(encoder, decoder, ours["codebook"].float())


def _ours(key: str, level: int) -> str:
    """Return the name here of the tensor called `key` in the file."""
    if key == f"bottleneck.level_blocks.{level}.k":
        return "codebook"
    found = re.fullmatch(r"(encoder|decoder)s\.\d+\.(?:level_blocks|(out))\.(.+)", key)
    if found is None:
        return key
    side, out, rest = found.groups()
    return f"{side}.out.{rest}" if out else f"{side}.blocks.{rest.replace('model.', '')}"


def _compare(ours: Mapping[str, Tensor], wanted: Mapping[str, Tensor], name: str) -> None:
    """Refuse tensors `ours` that are not, one for one, of the shapes of `wanted`."""
    missing, extra = sorted(set(wanted) - set(ours)), sorted(set(ours) - set(wanted))
    refuse(bool(missing), f"{name}: {len(missing)} tensors are missing: {_named(missing)}.")
    refuse(bool(extra), f"{name}: {len(extra)} tensors have no place: {_named(extra)}.")
    for key, tensor in wanted.items():
        refuse(
            ours[key].shape != tensor.shape,
            f"{name}: {key} must have shape {tuple(tensor.shape)}, got {tuple(ours[key].shape)}; "
            "is the model of another size?",
        )
        refuse(not bool(torch.isfinite(ours[key]).all()), f"{name}: {key} is not finite.")


def _named(keys: list[str]) -> str:
    """Return the first few of `keys` for a message."""
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more
