"""`pasdedeux dance` and `pasdedeux compose`: files in, files out, by a trained dual model."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.engine import bar
from pasdedeux.motion import bvh, export, skeleton
from pasdedeux.music import audio, recording, render, score
from pasdedeux.music.features import BEAT, SHORTEST_SECONDS
from pasdedeux.nn.pose import joints
from pasdedeux.nn.translator import Translator
from pasdedeux.papers import dual_play
from pasdedeux.report import compositions, film
from pasdedeux.report.bodies import Dancer, dancer_of

SHORTEST_DANCE_SECONDS = 1.0
SOUND_RATE_HZ = 24_000
MOST_FRAMES = {".gif": film.MOST_GIF_FRAMES, ".mp4": film.MOST_FRAMES}


class Danced(NamedTuple):
    """A dance with what it was danced to."""

    name: str
    pose: Float[np.ndarray, "T 147"]
    sound: Float[np.ndarray, " S"]
    beat_seconds: Float[np.ndarray, " N"]


def dance(
    song: Path | str,
    out: Path | str,
    *,
    run: str = "",
    seed: int = 0,
    bpm: float | None = None,
    force: bool = False,
) -> Path:
    """Write a dance to the audio file `song` as .npz, .bvh, .gif or .mp4 and return the file.

    `run` names the folder of a trained model, by default the one trained last; `bpm` tells the
    tempo where it is known; `force` writes over a file that is there. Raises `ValueError` naming
    file and remedy for sound that cannot be read, is silent, too short, or too long for a film, for
    an ending that is not known, and for an output that is there or cannot be written.
    """
    song, out = Path(song), Path(out)
    writers: Mapping[str, Callable[[Path, Danced], None]] = {
        ".npz": _npz, ".bvh": _bvh, ".gif": _gif, ".mp4": _mp4,
    }  # fmt: skip
    refuse(bpm is not None and not 20 <= bpm <= 400, f"bpm must lie within 20..400, got {bpm}.")
    write = _writer(out, writers, force)
    if out.suffix.lower() == ".mp4":
        film.ffmpeg()  # told now, not after the work
    player = dual_play.load(_folder(run))
    with bar.told(f"hearing {song.name}") as told:
        told(0, 1)
        sound = recording.read(song, SOUND_RATE_HZ)
        seconds = len(sound) / SOUND_RATE_HZ
        short = f"{song} lasts {seconds:.2f} s; give at least {SHORTEST_SECONDS} s of music."
        refuse(seconds < SHORTEST_SECONDS, short)
        most = MOST_FRAMES.get(out.suffix.lower(), math.inf) / RATE_HZ
        long = f"{song} lasts {seconds:.0f} s, a {out.suffix} at most {most:.0f} s; write"
        refuse(seconds > most, f"{long} .npz or .bvh, or cut the song.")
        music = dual_play.heard(song, bpm=bpm)
        told(1, 1)
    with _windows(f"dancing to {song.name}", player.dancing, len(music)):
        pose = player.dance(music, seed=seed)
    beats = np.flatnonzero(music[:, BEAT] > 0) / RATE_HZ
    _written(write, out, Danced(song.stem, pose, sound, beats))
    return out


def compose(
    movement: Path | str, out: Path | str, *, run: str = "", seed: int = 0, force: bool = False
) -> Path:
    """Write music for the dance in `movement` (SMPL npz) as .mid, .wav or .ogg; returns the file.

    `run`, `force` as in `dance`. Raises `ValueError` naming file and remedy for a file that holds
    no dance, one too short, an ending that is not known, and an output that is there or cannot be
    written.
    """
    movement, out = Path(movement), Path(out)
    writers: Mapping[str, Callable[[Path, score.Score], None]] = {
        ".mid": score.write_midi, ".wav": _wav, ".ogg": _ogg,
    }  # fmt: skip
    write = _writer(out, writers, force)
    player = dual_play.load(_folder(run))
    moved = export.read_npz(movement, rate_hz=float(RATE_HZ))
    seconds, least = len(moved.translation) / RATE_HZ, SHORTEST_DANCE_SECONDS
    short = f"{movement} lasts {seconds:.2f} s; give a dance of at least {least:g} s."
    refuse(seconds < least, short)
    six = moved.rotations.reshape(len(moved.rotations), -1)
    pose = np.concatenate([moved.translation, six], axis=1).astype(np.float32)
    with _windows(f"composing for {movement.name}", player.composing, len(pose)):
        music = player.compose(pose, seed=seed)
    _written(write, out, dual_play.written(music))
    return out


def _folder(run: str) -> Path:
    if not run:
        return dual_play.latest()
    named = Path(run)
    return named if named.is_dir() else paths.runs() / "dual" / run


def _writer(out: Path, writers: Mapping[str, Callable], force: bool) -> Callable:
    """Return what writes files of this ending; refuses what could not be written in the end."""
    endings, ending = ", ".join(writers), out.suffix.lower()
    refuse(ending not in writers, f"{out}: give the output a name that ends in {endings}.")
    refuse(out.is_dir(), f"{out} is a folder; give the name of a file.")
    refuse(out.exists() and not force, f"{out} is there already; give another name or --force.")
    above = next(folder for folder in out.absolute().parents if folder.exists())
    fine = above.is_dir() and os.access(above, os.W_OK)
    refuse(not fine, f"{out} cannot be written into {above}; give another folder.")
    return writers[ending]


def _written(write: Callable[[Path, Any], None], out: Path, made: Danced | score.Score) -> None:
    """Write the file; whatever the disk refuses is told as other errors are."""
    try:
        write(out, made)
    except OSError as error:
        raise ValueError(f"{out} cannot be written ({error.strerror}).") from error


@contextmanager
def _windows(task: str, network: Translator, frames: int) -> Iterator[None]:
    """Tell how many windows `network` has done; its encoder is called once at the start of each."""
    total, begun = -(-frames // network.domains.frames), 0
    with bar.told(task) as told:

        def begins(*_: object) -> None:
            nonlocal begun
            told(begun, total)
            begun += 1

        handle = network.encoder.register_forward_pre_hook(begins)
        try:
            yield
        finally:
            handle.remove()
        told(total, total)


def _parts(pose: Float[np.ndarray, "T 147"]) -> tuple[np.ndarray, np.ndarray]:
    return pose[:, :3].astype(float), pose[:, 3:].reshape(len(pose), 24, 6).astype(float)


def _npz(out: Path, made: Danced) -> None:
    export.write_npz(out, *_parts(made.pose), rate_hz=float(RATE_HZ))


def _bvh(out: Path, made: Danced) -> None:
    bvh.write_bvh(out, *_parts(made.pose), rate_hz=float(RATE_HZ))


def _gif(out: Path, made: Danced) -> None:
    _film(out, made, film.gif)


def _mp4(out: Path, made: Danced) -> None:
    _film(out, made, partial(film.mp4, sound=made.sound, sound_rate_hz=SOUND_RATE_HZ))


def _film(out: Path, made: Danced, shoot: Callable[..., bytes]) -> None:
    rate = float(RATE_HZ)
    with bar.told(f"drawing {out.name}") as told:
        data = shoot(_dancer(made), rate_hz=rate, beat_seconds=made.beat_seconds, drawn=told)
    write_bytes(out, data)


def _dancer(made: Danced) -> Dancer:
    placed = joints(torch.from_numpy(made.pose)).numpy()
    return dancer_of(made.name, placed, skeleton.smpl())


def _wav(out: Path, piece: score.Score) -> None:
    write_bytes(out, compositions.wav(_played(out, piece)))


def _ogg(out: Path, piece: score.Score) -> None:
    write_bytes(out, audio.ogg(_played(out, piece)))


def _played(out: Path, piece: score.Score) -> Float[np.ndarray, " S"]:
    with bar.told(f"playing {out.name}") as told:
        told(0, 1)
        sound = render.waveform_of(piece)
        told(1, 1)
    return sound
