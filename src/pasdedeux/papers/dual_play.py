"""A trained dual model at work: a dance to any song, music for any dance, of any length.

A run keeps what its data taught (`training.dances.keep`): the scale of the music and some first
poses. So `load` needs no corpus.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.copies import CopySettings
from pasdedeux.data.pairs import PairSettings
from pasdedeux.data.scale import Scale
from pasdedeux.music import features, render
from pasdedeux.music.features import BEAT, CHROMA, FeatureSettings
from pasdedeux.music.score import Score
from pasdedeux.papers.dual_networks import Composing, Dancing, composer, dancer
from pasdedeux.papers.dual_settings import DualSettings
from pasdedeux.training.dances import PAPER, USE
from pasdedeux.training.loop import CHECKPOINT

HOW = "train one: `pasdedeux run 10 --profile laptop`"


@dataclass(frozen=True, eq=False)
class Player:
    """Both trained networks, the scale of the music they know, and first poses to begin from."""

    settings: DualSettings
    dancing: Dancing
    composing: Composing
    scale: Scale
    starts: Float[np.ndarray, "K 147"]

    def dance(
        self, music: Float[np.ndarray, "S 53"], *, seed: int = 0, start: int | None = None
    ) -> Float[np.ndarray, "S 147"]:
        """Return a dance to the features of a song, on the origin, facing z.

        It begins with pose `start` of those the run knows, a drawn one by default; `seed` draws the
        noise.
        """
        count = len(self.starts)
        drawn = int(numpy_generator(seed, "start").integers(count))
        chosen = drawn if start is None else start
        refuse(not 0 <= chosen < count, f"start must be 0 to {count - 1}, got {start}.")
        heard = self.scale.apply(music)[None]

        step = dancer(self.dancing, self.settings)
        return step(heard, self.starts[chosen : chosen + 1], seed)[0]

    def compose(
        self, pose: Float[np.ndarray, "S 147"], *, seed: int = 0
    ) -> Float[np.ndarray, "S 53"]:
        """Return the features of music for a dance: MFCC unscaled, chroma and beats in 0..1.

        The first chord is drawn by `seed` (section 3.3), the next ones are what sounded last.
        """
        made = composer(self.composing, self.settings)(pose[None], seed)[0]
        return self.scale.inverse(made)


def latest() -> Path:
    """Return the folder of the dual run that was finished last; refuses when there is none."""
    found = sorted((paths.runs() / PAPER).glob(f"dual-*/{USE}"), key=lambda p: p.stat().st_mtime)
    refuse(not found, f"no trained dual model in runs/{PAPER}; {HOW}.")
    return found[-1].parent


def load(folder: Path) -> Player:
    """Return the trained networks of the run in `folder`.

    Raises `ValueError` naming the folder when it holds no finished dual run.
    """
    folder = Path(folder)
    for name in ("config.json", CHECKPOINT, USE):
        refuse(not (folder / name).is_file(), f"{folder.name} has no {name}; {HOW}.")
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))["settings"]
    state = torch.load(folder / CHECKPOINT, weights_only=True, map_location="cpu")["modules"]
    settings = _settings(told, frames=len(state["dancing"]["source_places"]))
    dancing, composing = Dancing(settings), Composing(settings)
    dancing.load_state_dict(state["dancing"])
    composing.load_state_dict(state["composing"])
    with np.load(folder / USE, allow_pickle=False) as kept:
        scale, starts = Scale.from_arrays(kept), kept["starts"]
    return Player(settings, dancing.eval(), composing.eval(), scale, starts)


def _settings(told: dict[str, Any], *, frames: int) -> DualSettings:
    """Return the settings that a run's `config.json` tells; its data come as `frames` alone."""
    known = {field.name for field in fields(DualSettings)}
    plain = {name: value for name, value in told.items() if name in known - {"rates", "device"}}
    return DualSettings(
        **plain,
        rates=tuple(tuple(row) for row in told["rates"]),
        device="cpu",
        pairs=PairSettings(frames=frames, copies=CopySettings(frames=frames)),
    )


def heard(song: Path, *, bpm: float | None = None) -> Float[np.ndarray, "S 53"]:
    """Return the features of an audio file; `bpm` tells its tempo where it is known."""
    expected = (
        FeatureSettings() if bpm is None else FeatureSettings(start_bpm=bpm, tempo_octaves=0.15)
    )
    return features.of_files([song], expected)[0].frames


def written(music: Float[np.ndarray, "S 53"]) -> Score:
    """Return composed music as notes: chords and bass from the chroma, a hi-hat on every beat."""
    chroma = np.clip(music[:, CHROMA], 0.0, 1.0).astype(float)
    beats = render.beat_seconds_of(music[:, BEAT].astype(float))
    return render.notes(chroma, beats)
