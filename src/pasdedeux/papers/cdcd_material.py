"""What every system of the music tables learns from: clips, the music VQ-VAE and all tokens.

The VQ-VAE is trained once, with seed 0, on the music that the training clips are cut from, and
measured on that of the held-out clips. All clips are encoded once and kept; a training reads
tokens.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Int16

from pasdedeux.base import stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.source import fingerprint
from pasdedeux.data.clip_places import PEAK
from pasdedeux.data.clips import PARTS, Clips, clips
from pasdedeux.data.tiktok import TikTokClips
from pasdedeux.papers import cdcd_codec
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.papers.cdcd_sounds import Sounds
from pasdedeux.training.musics import Material, Tokenizer

SEED = 0  # of the VQ-VAE, which all systems and seeds share
AT_ONCE = 64  # clips whose sound is in memory


def material(settings: CdcdSettings) -> Material:
    """Return the clips that `settings` names, the VQ-VAE trained on them, and their tokens.

    Raises `ValueError` when there is nothing to learn from, when nothing is held out and when the
    user's VQ-VAE is not of the shape asked for.
    """
    made = clips(settings.clips)
    start = None if settings.jukebox is None else Path(settings.jukebox)
    chosen = replace(settings.codec, device=settings.device)
    trained = cdcd_codec.trained(chosen, sounds(made), SEED, start=start)
    name = trained.run.folder.name
    key = digest(name, made.checksum, fingerprint("pasdedeux.data.clips"))
    kept = stored.arrays("tokens", key, lambda: {"tokens": encoded(trained.codec, made)})
    return Material(made, trained.codec, kept["tokens"], name)


def sounds(made: Clips | TikTokClips) -> Sounds:
    """Return the music that clips are cut from, its peak at 0.95, mono: of each recording the
    stretch with clips, of TikTok the clips themselves.

    A recording with any clip of training belongs to training.
    """
    parts: dict[bool, list[Float32[np.ndarray, " _"]]] = {True: [], False: []}
    if isinstance(made, TikTokClips):
        for part in PARTS:
            parts[part == "train"] += list(made.sound(made.rows(part)))
    else:
        for train, sound in _stretches(made):
            parts[train].append(sound * np.float32(PEAK) / np.abs(sound).max())
    refuse(not parts[False], "no recording is held out; take more dances or other genres.")
    return Sounds(tuple(parts[True]), tuple(parts[False]))


def _stretches(made: Clips) -> Iterator[tuple[bool, Float32[np.ndarray, " _"]]]:
    """Yield for each recording whether it is of training, and all of it that clips are cut from."""
    places, S = made.places, made.settings.samples
    for number in np.unique(places.recording):
        mine = places.recording == number
        begin, end = places.first[mine].min(), places.first[mine].max() + S
        sound = made.recordings[number].cut(np.array([begin]), int(end - begin))[0]
        yield bool((places.part[mine] == "train").any()), sound


def encoded(codec: Tokenizer, made: Clips | TikTokClips) -> Int16[np.ndarray, "N L"]:
    """Return the tokens of all clips; little sound is in memory at a time."""
    parts = []
    for begin in range(0, len(made), AT_ONCE):
        rows = np.arange(begin, min(begin + AT_ONCE, len(made)))
        parts.append(tokens(codec, made, rows))
        report("encoding music", int(rows[-1]) + 1, len(made))
    return np.concatenate(parts)


def tokens(
    codec: Tokenizer, made: Clips | TikTokClips, rows: Int[np.ndarray, " M"]
) -> Int16[np.ndarray, "M L"]:
    """Return the tokens of the clips `rows`."""
    return cdcd_codec.tokens(codec, made.sound(rows))
