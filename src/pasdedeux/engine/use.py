"""`pasdedeux dance` and `pasdedeux compose`: files in, files out, by a trained dual model."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import write_bytes
from pasdedeux.base.progress import report
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.motion import bvh, export, skeleton
from pasdedeux.music import audio, recording, render, score
from pasdedeux.nn.pose import joints
from pasdedeux.papers import dual_play
from pasdedeux.report import compositions, film
from pasdedeux.report.bodies import Dancer, dancer_of

SHORTEST_SECONDS = 1.0
SOUND_RATE_HZ = 24_000


def dance(
    song: Path | str, out: Path | str, *, run: str = "", seed: int = 0, bpm: float | None = None
) -> Path:
    """Write a dance to the audio file `song` as .npz, .bvh, .gif or .mp4 and return the file.

    `run` names the folder of a trained model, by default the one trained last. Raises `ValueError`
    naming file and remedy for sound that cannot be read, is silent or too short, and for an ending
    that is not known.
    """
    out = Path(out)
    writers: Mapping[str, Callable[[Path, Path, np.ndarray], None]] = {
        ".npz": _npz, ".bvh": _bvh, ".gif": _gif, ".mp4": _mp4,
    }  # fmt: skip
    write = _known(out, writers)
    player = dual_play.load(_folder(run))
    report("dance", 0, 3, note="hearing the song")
    music = dual_play.heard(Path(song), bpm=bpm)
    report("dance", 1, 3, note="dancing")
    pose = player.dance(music, seed=seed)
    report("dance", 2, 3, note=f"writing {out.name}")
    write(out, Path(song), pose)
    report("dance", 3, 3)
    return out


def compose(movement: Path | str, out: Path | str, *, run: str = "", seed: int = 0) -> Path:
    """Write music for the dance in `movement` (SMPL npz) as .mid, .wav or .ogg; returns the file.

    Raises `ValueError` naming file and remedy for a file that holds no dance, one too short, and an
    ending that is not known.
    """
    out = Path(out)
    writers: Mapping[str, Callable[[Path, score.Score], None]] = {
        ".mid": score.write_midi, ".wav": _wav, ".ogg": _ogg,
    }  # fmt: skip
    write = _known(out, writers)
    player = dual_play.load(_folder(run))
    moved = export.read_npz(Path(movement), rate_hz=float(RATE_HZ))
    seconds = len(moved.translation) / RATE_HZ
    told = f"{movement} lasts {seconds:.2f} s; give a dance of at least {SHORTEST_SECONDS:g} s."
    refuse(seconds < SHORTEST_SECONDS, told)
    report("compose", 0, 2, note="composing")
    six = moved.rotations.reshape(len(moved.rotations), -1)
    pose = np.concatenate([moved.translation, six], axis=1).astype(np.float32)
    piece = dual_play.written(player.compose(pose, seed=seed))
    report("compose", 1, 2, note=f"writing {out.name}")
    write(out, piece)
    report("compose", 2, 2)
    return out


def _folder(run: str) -> Path:
    if not run:
        return dual_play.latest()
    named = Path(run)
    return named if named.is_dir() else paths.runs() / "dual" / run


def _known(out: Path, writers: Mapping[str, Callable]) -> Callable:
    endings = ", ".join(writers)
    refuse(out.suffix not in writers, f"{out}: give the output a name that ends in {endings}.")
    return writers[out.suffix]


def _parts(pose: Float[np.ndarray, "S 147"]) -> tuple[np.ndarray, np.ndarray]:
    return pose[:, :3].astype(float), pose[:, 3:].reshape(len(pose), 24, 6).astype(float)


def _npz(out: Path, _song: Path, pose: np.ndarray) -> None:
    export.write_npz(out, *_parts(pose), rate_hz=float(RATE_HZ))


def _bvh(out: Path, _song: Path, pose: np.ndarray) -> None:
    bvh.write_bvh(out, *_parts(pose), rate_hz=float(RATE_HZ))


def _gif(out: Path, song: Path, pose: np.ndarray) -> None:
    write_bytes(out, film.gif(_dancer(song, pose), rate_hz=float(RATE_HZ)))


def _mp4(out: Path, song: Path, pose: np.ndarray) -> None:
    sound = recording.read(song, SOUND_RATE_HZ)
    moving = _dancer(song, pose)
    write_bytes(out, film.mp4(moving, sound, rate_hz=float(RATE_HZ), sound_rate_hz=SOUND_RATE_HZ))


def _dancer(song: Path, pose: np.ndarray) -> Dancer:
    placed = joints(torch.from_numpy(pose)).numpy()
    return dancer_of(song.stem, placed, skeleton.smpl())


def _wav(out: Path, piece: score.Score) -> None:
    write_bytes(out, compositions.wav(render.waveform_of(piece)))


def _ogg(out: Path, piece: score.Score) -> None:
    write_bytes(out, audio.ogg(render.waveform_of(piece)))
