"""What the notebook of dance to music shows: music for unseen dances as files, and a leak.

`M` clips, `S` samples.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.base.seeding import generator
from pasdedeux.data.clips import Clips
from pasdedeux.diffusion.sampling import leaked
from pasdedeux.metrics import beats
from pasdedeux.music.audio import ogg
from pasdedeux.papers.cdcd import Composer
from pasdedeux.papers.cdcd_evaluate import FLOOR_DB, PERCENT, evaluate, played, scored
from pasdedeux.report.table import Measurement
from pasdedeux.training.musics import Material

RATE_HZ = 22_050
DANCES_A_GENRE = 2
SANE = (
    "seconds", "finite (%)", "level (dBFS)", "peak", "onsets", "true onsets", "file (s)",
    "file (kB)",
)  # fmt: skip


def unseen(clips: Clips, *, a_genre: int = DANCES_A_GENRE) -> Int[np.ndarray, " M"]:
    """Return a clip of each of some held-out dances of every genre, its middle one.

    Dances of the test part come first, and those without a near copy in training; of validation
    are taken only as many as are wanting. Raises `ValueError` when nothing is held out.
    """
    found: list[int] = []
    for genre in range(len(clips.genres)):
        dances: list[int] = []
        for part, most in (("test", 0.0), ("valid", 0.0), ("test", 1.0), ("valid", 1.0)):
            rows = clips.rows(part, most_copied=most)
            rows = rows[clips.genre[rows] == genre]
            for dance in np.unique(clips.places.dance[rows]).tolist():
                if dance not in dances and len(dances) < a_genre:
                    dances.append(dance)
                    mine = rows[clips.places.dance[rows] == dance]
                    found.append(int(mine[len(mine) // 2]))
    refuse(not found, "no dance is held out; give more dances.")
    return np.array(found)


def names(clips: Clips, rows: Int[np.ndarray, " M"]) -> list[str]:
    """Return genre and name of the dance of each clip, unlike each other."""
    each = [clips.dances[number] for number in clips.places.dance[rows]]
    told = [f"{dance.genre}, {dance.name}" for dance in each]
    return [
        name if told.count(name) == 1 else f"{name}, clip {row}"
        for name, row in zip(told, rows, strict=True)
    ]


def where(clips: Clips, rows: Int[np.ndarray, " M"]) -> list[dict[str, str]]:
    """Return for each clip its dance, the part of the split, and how much of it has a near copy."""
    places = clips.places
    return [
        {
            "dance": name,
            "part": str(places.part[row]),
            "from (s)": f"{places.start[row] / 25:.1f}",
            "near copy in training (%)": f"{PERCENT * places.copied[row]:.0f}",
        }
        for name, row in zip(names(clips, rows), rows, strict=True)
    ]


def write(
    sound: Float[np.ndarray, "M S"], named: Sequence[str], folder: Path, *, rate_hz: int = RATE_HZ
) -> list[Path]:
    """Write each sound as Ogg Vorbis into `folder`, named by its dance; returns the files."""
    files = []
    for one, name in zip(sound, named, strict=True):
        stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        files.append(Path(folder) / f"{stem}.ogg")
        write_bytes(files[-1], ogg(one.astype(np.float32), rate_hz))
    return files


def sane(
    sound: Float[np.ndarray, "M S"],
    true: Float[np.ndarray, "M S"],
    named: Sequence[str],
    files: Sequence[Path],
    *,
    seed: int,
    run: str,
) -> list[Measurement]:
    """Return of each sound what anybody would ask first: how long, how loud, is it finite."""
    rows = []
    for one, real, name, file in zip(sound, true, named, files, strict=True):
        told = soundfile.info(file)
        power = float(np.square(one, dtype=float).mean())
        values = (
            len(one) / RATE_HZ, PERCENT * float(np.isfinite(one).mean()),
            10 * float(np.log10(power)) if power > 0 else FLOOR_DB, float(np.abs(one).max()),
            float(len(beats.onset_seconds(one))), float(len(beats.onset_seconds(real))),
            told.frames / told.samplerate, file.stat().st_size / 1000,
        )  # fmt: skip
        rows += [
            Measurement(name, column, seed, value, run)
            for column, value in zip(SANE, values, strict=True)
        ]
    return rows


class Leak(NamedTuple):
    """Music that began from the true one: its sound, and the share of tokens that are the true."""

    sound: Float[np.ndarray, "M S"]
    same: float


@torch.no_grad()
def leak(
    composer: Composer,
    material: Material,
    rows: Int[np.ndarray, " M"],
    *,
    seed: int,
    leak_ratio: float = 0.1,
) -> Leak:
    """Return what the released script would make: it begins with the true music, hardly masked.

    For demonstration only: this reads the tokens of the clips that it is to make music for.
    """
    true = torch.from_numpy(material.tokens[rows]).long().to(composer.dances.where)
    read = composer.network.read(composer.dances.asked(rows))

    def predict(noisy: Int[Tensor, "B L"], t: Int[Tensor, " B"]) -> Float[Tensor, "B K L"]:
        return composer.network.denoiser(noisy, t, read)

    codes = leaked(
        predict,
        composer.schedule,
        true,
        generator(seed, "leak"),
        leak_ratio=leak_ratio,
        truncation=composer.settings.truncation,
    )
    same = float((codes == true).float().mean())
    return Leak(played(material, codes.to(torch.int16).cpu().numpy()), same)


def leaks(
    composer: Composer, material: Material, rows: Int[np.ndarray, " M"], *, seed: int
) -> Mapping[str, dict[str, float]]:
    """Return what the measures say of fair music, of leaked music, and of the VQ-VAE alone."""
    true = material.tokens[rows]
    fair = composer.tokens(rows, seed).to(torch.int16).cpu().numpy()
    made = {
        "fair: from all MASK": (played(material, fair), float((fair == true).mean())),
        "leaked: from the true music": tuple(leak(composer, material, rows, seed=seed)),
        "the VQ-VAE alone": (played(material, true), 1.0),
    }
    wanted = ("coverage (%)", "hit (%)", "onset F1 (%)", "genre B (%)")
    found = {}
    for name, (sound, same) in made.items():
        numbers = evaluate(scored(sound, rows, material), material)
        found[name] = {"true tokens (%)": PERCENT * same} | {key: numbers[key] for key in wanted}
    return found
