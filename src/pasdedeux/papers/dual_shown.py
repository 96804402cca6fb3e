"""Figures 4 and 5 of the dual-learning paper, and one dance and one song of the model as files.

All of it comes from what a study kept of each system (`dual_evaluate.Performed`); nothing is danced
anew and nothing picked by eye: rows of the test excerpts are named by number. Bodies are SMPL's
mean one, as for every measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from jaxtyping import Float

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.data import prepared
from pasdedeux.data.dance import RATE_HZ
from pasdedeux.data.pairs import Pairs
from pasdedeux.motion import bvh, export, skeleton
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import matrix_from_six
from pasdedeux.music.score import Score
from pasdedeux.papers import dual_play
from pasdedeux.papers.dual_evaluate import Excerpts, Performed, joints_of
from pasdedeux.papers.dual_numbers import GROUND_TRUTH
from pasdedeux.report import compositions
from pasdedeux.report.bodies import Dancer, dancer_of
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured, samples_file

EVERY = 4  # `dual_evaluate.performed` lets systems dance five takes to each fourth excerpt
MM, CM = 1000.0, 100.0
SOUND_RATE_HZ = 22_050
SANE_DANCE = (
    "bone lengths off by (mm)", "file off by (mm)", "speed (m/s)", "acceleration (m/s^2)",
    "jerk (m/s^3)", "largest step (cm)",
)  # fmt: skip
SANE_SONG = ("seconds", "notes", "peak", "RMS (dB of full scale)", "silent (%)")
SILENT = 1e-3  # of full scale


class Files(NamedTuple):
    """One dance and one song of the model as files, and the numbers of what was written."""

    dance: Path
    bvh: Path
    midi: Path
    sound: Path


def kept(measured: Measured) -> Performed:
    """Return what a study kept of one system under one seed."""
    place = paths.root() / measured.run / samples_file(measured.system)
    with np.load(place.with_suffix(".npz"), allow_pickle=False) as arrays:
        return Performed(**{name: arrays[name] for name in Performed._fields})


def of_seed(measured: Sequence[Measured], seed: int) -> dict[str, Performed]:
    """Return what each system danced and composed under `seed`, by its label."""
    return {one.system: kept(one) for one in measured if one.seed == seed}


def row_of(found: Excerpts, pairs: Pairs, genre: str = "", *, every: int = 1) -> int:
    """Return the first excerpt of `genre` whose number is a multiple of `every`; without such the
    first of all.
    """
    rows = range(0, len(found), every)
    fit = (row for row in rows if pairs.dances[int(found.dance[row])].genre == genre)
    return next(fit, 0)


def genre_of(found: Excerpts, pairs: Pairs, row: int) -> str:
    """Return the genre of excerpt `row`."""
    return pairs.dances[int(found.dance[row])].genre


def figure_4(
    found: Excerpts, performed: Mapping[str, Performed], row: int, *, truth: bool = True
) -> list[Dancer]:
    """Return the dancers of Figure 4: one excerpt's first pose and music, recorded (unless `truth`
    is False) and danced by each system.
    """
    shown = {GROUND_TRUTH: found.pose[row]} if truth else {}
    shown |= {label: one.danced[row] for label, one in performed.items()}
    return [_dancer(label, pose) for label, pose in shown.items()]


def figure_5(performed: Performed, row: int) -> list[Dancer]:
    """Return the dancers of Figure 5: the music of excerpt `row` from five first poses."""
    take, rest = divmod(row, EVERY)
    told = f"takes are kept for every {EVERY}th excerpt, got {row} of {len(performed.danced)}."
    refuse(rest != 0 or take >= len(performed.other_starts), told)
    return [
        _dancer(f"first pose {number}", pose)
        for number, pose in enumerate(performed.other_starts[take], start=1)
    ]


def _dancer(label: str, pose: Float[np.ndarray, "S 147"]) -> Dancer:
    return dancer_of(label, joints_of(pose), skeleton.smpl())


def songs(found: Excerpts, performed: Performed, pairs: Pairs, row: int) -> tuple[Score, Score]:
    """Return what was composed for excerpt `row`, and what was played there, both as one chord a
    beat by the same rules: of the recording its chroma is all that enters.
    """
    refuse(len(performed.composed) <= row, f"no music was composed for excerpt {row}.")
    made, real = (
        dual_play.written(pairs.scale.inverse(music[row]))
        for music in (performed.composed, found.music)
    )
    return made, real


def sound(
    found: Excerpts, pairs: Pairs, row: int, *, rate_hz: int = SOUND_RATE_HZ
) -> Float[np.ndarray, " S"]:
    """Return the recorded sound of excerpt `row`, mono float32."""
    dance = pairs.dances[int(found.dance[row])]
    frames = found.pose.shape[1]
    return prepared.sound(dance, rate_hz, start=int(found.start[row]), frames=frames)


def write(found: Excerpts, performed: Performed, pairs: Pairs, row: int, folder: Path) -> Files:
    """Write what a system danced and composed for excerpt `row` into `folder`, each file whole."""
    files = [Path(folder) / f"dance.{kind}" for kind in ("npz", "bvh")]
    for file in files:
        export_dance(performed.danced[row], file)
    made, _ = songs(found, performed, pairs, row)
    return Files(*files, *compositions.export({"song": made}, Path(folder)))


def export_dance(pose: Float[np.ndarray, "S 147"], file: Path) -> Path:
    """Write a dance to `file`, .npz (SMPL) or .bvh (opens in Blender), and return it."""
    write = choice("the ending of the file", file.suffix, (".npz", ".bvh"))
    parts = pose[:, :3].astype(float), pose[:, 3:].reshape(len(pose), 24, 6).astype(float)
    writer = export.write_npz if write == ".npz" else bvh.write_bvh
    writer(file, *parts, rate_hz=float(RATE_HZ))
    return file


def sane_dance(
    files: Files, performed: Performed, found: Excerpts, row: int, *, run: str, corpus: str
) -> list[Measurement]:
    """Return what the file of the dance holds, beside the recorded dance: `SANE_DANCE`.

    Bones and speeds are those of the joints that the file gives; how far these lie from what was
    danced tells what writing lost.
    """
    moved = export.read_npz(files.dance, rate_hz=float(RATE_HZ))
    given = matrix_from_six(torch.from_numpy(moved.rotations).double())
    body = skeleton.smpl()
    joints = placed(given, torch.from_numpy(moved.translation).double(), body).joints_world.numpy()
    lost = float(np.linalg.norm(joints - joints_of(performed.danced[row]), axis=-1).max())
    recorded = joints_of(found.pose[row]).astype(float)
    told = {
        "made": (_bones(joints), MM * lost, *_smooth(joints)),
        "recorded": (_bones(recorded), 0.0, *_smooth(recorded)),
    }
    return _facts(told, SANE_DANCE, {"made": run, "recorded": corpus})


def _bones(joints: Float[np.ndarray, "S 24 3"]) -> float:
    """Return by how many mm a bone is longer or shorter than at rest, at most."""
    body = skeleton.smpl()
    pairs = [(joint, parent) for joint, parent in enumerate(body.parents) if parent >= 0]
    joint, parent = map(list, zip(*pairs, strict=True))
    lengths = np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)
    return MM * float(np.abs(lengths - np.linalg.norm(body.offsets_metres[joint], axis=-1)).max())


def _smooth(joints: Float[np.ndarray, "S 24 3"]) -> tuple[float, float, float, float]:
    """Return mean speed, acceleration and jerk, and the largest step of a joint in cm."""
    sizes = [np.linalg.norm(np.diff(joints, n=n, axis=0), axis=-1) for n in (1, 2, 3)]
    means = [float(size.mean()) * RATE_HZ**n for n, size in enumerate(sizes, start=1)]
    return means[0], means[1], means[2], CM * float(sizes[0].max())


def sane_song(
    files: Files,
    made: Score,
    recorded: tuple[Score, Float[np.ndarray, " S"]],
    *,
    run: str,
    corpus: str,
) -> list[Measurement]:
    """Return what the sound file of the song holds, beside the recorded one: `SANE_SONG`.

    `recorded` is the song as chords, for its number of notes, and its sound.
    """
    heard, rate_hz = soundfile.read(files.sound)
    real, real_sound = recorded
    told = {
        "made": _loud(heard, rate_hz, made),
        "recorded": _loud(real_sound.astype(float), SOUND_RATE_HZ, real),
    }
    return _facts(told, SANE_SONG, {"made": run, "recorded": corpus})


def _loud(heard: Float[np.ndarray, " S"], rate_hz: int, piece: Score) -> tuple[float, ...]:
    rms = float(np.sqrt(np.square(heard).mean()))
    return (
        len(heard) / rate_hz,
        float((~piece.is_drum).sum()),
        float(np.abs(heard).max()),
        20 * float(np.log10(max(rms, 1e-12))),
        100 * float((np.abs(heard) < SILENT).mean()),
    )


def _facts(
    told: Mapping[str, Sequence[float]], columns: Sequence[str], runs: Mapping[str, str]
) -> list[Measurement]:
    return [
        Measurement(row, column, None, float(value), runs[row])
        for row, values in told.items()
        for column, value in zip(columns, values, strict=True)
    ]
