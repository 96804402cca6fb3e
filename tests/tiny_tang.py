"""Tiny dances in the exact layout of Tang et al. (2018), written by the tests."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

REAL = Path(os.environ.get("PASDEDEUX_DATA") or "-") / "tang2018"
needs_tang = pytest.mark.skipif(
    not REAL.is_dir(), reason="PASDEDEUX_DATA does not name a folder with tang2018"
)
HEIGHTS_CM = dict.fromkeys((10, 11, 19, 20), 3.0) | {9: 9.0, 18: 9.0, 8: 48.0, 17: 48.0}


def walk(frames: int, seed: int = 0) -> np.ndarray:
    """Return T x 23 x 3 points in metres: a body that wanders and turns, hips in its middle."""
    rng = np.random.default_rng(seed)
    body = rng.normal(scale=0.2, size=(23, 3))
    body[:, 1] = [HEIGHTS_CM.get(point, 95.0 + point) / 100 for point in range(23)]
    body[[7, 16]] = [[-0.1, 0.95, 0.0], [0.1, 0.95, 0.0]]
    t = np.arange(frames)[:, None] / 25
    phases, rates = rng.uniform(0, 6, size=(2, 69))
    swing = 0.1 * np.sin(0.3 * rates * t + phases).reshape(frames, 23, 3)
    swing[:, [7, 16]] = 0
    swing[:, list(HEIGHTS_CM), 1] = 0
    turn = np.cumsum(rng.normal(scale=0.02, size=frames))
    path = np.cumsum(rng.normal(scale=0.01, size=(frames, 3)), axis=0) * [1, 0, 1]
    return turned(body + swing, turn[:, None]) + path[:, None]


def turned(points: np.ndarray, angle) -> np.ndarray:
    """Return points turned about y by `angle`."""
    x, y, z = np.moveaxis(points, -1, 0)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def skeletons(points: np.ndarray, seed: int = 0) -> dict:
    """Return the content of `skeletons.json` whose world points, in metres, are `points`."""
    center = 100 * points.mean(axis=1) + np.random.default_rng(seed).normal(size=3)
    return {
        "length": len(points),
        "center": center.tolist(),
        "skeletons": (100 * points - center[:, None]).tolist(),
    }


def dance(
    place: Path,
    name: str,
    *,
    points: np.ndarray | None = None,
    frames: int = 211,
    start: float = 13,
    end: float | None = None,
    audio: bytes | None = b"sound",
    **changed: object,
) -> Path:
    """Write the folder `DANCE_<name>`; `changed` replaces entries of its two JSON files."""
    folder = place / f"DANCE_{name}"
    folder.mkdir(parents=True)
    points = walk(frames) if points is None else points
    end = start + len(points) + 1 if end is None else end
    config = {"start_position": start, "end_position": end}
    for file, content in (("skeletons.json", skeletons(points)), ("config.json", config)):
        content |= {key: value for key, value in changed.items() if key in content}
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    if audio is not None:
        (folder / "audio.mp3").write_bytes(audio)
    return folder
