"""A dance as an SMPL file: plain arrays under the names of AMASS, written and read.

| array             | shape   | what it is                                                  |
|-------------------|---------|-------------------------------------------------------------|
| `poses`           | T x 3 J | local rotations as axis-angle, radians                      |
| `trans`           | T x 3   | how far SMPL's origin is moved, metres                      |
| `betas`           | 10      | shape of the body, 0 for the mean one                       |
| `mocap_framerate` |         | frames a second                                             |
| `gender`          |         | "neutral", "female" or "male"                               |

SMPL has J = 24 joints. SMPL-H (52) and SMPL-X (55) share its first 22 and go on with fingers, the
latter with jaw and eyes before; these rest here. Blender's add-ons know the larger two: write
`model="smplx"`, then load it there with the format that has y up ("SMPL-X", in Meshcapade's
"AMASS") and a target rate of at most the file's. A model's origin is not its pelvis; the pelvis of
the mean body at rest, to the centimetre, is taken off `trans` and given back. `T` frames.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import whole
from pasdedeux.motion import rotation
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.skeleton import smpl

Model = Literal["smpl", "smplh", "smplx"]
Gender = Literal["neutral", "female", "male"]
Up = Literal["auto", "y", "z"]
JOINTS: Mapping[Model, int] = {"smpl": 24, "smplh": 52, "smplx": 55}
PELVIS_METRES: Mapping[Model, tuple[float, float, float]] = {
    "smpl": (0.0, -0.22, 0.03),
    "smplh": (0.0, -0.22, 0.03),
    "smplx": (0.0, -0.35, 0.01),
}
Z_TO_Y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)
BODY = 22  # joints that all three share: all of SMPL's but the hands
BETAS = 10
RATES = ("mocap_framerate", "mocap_frame_rate", "fps")  # the name has changed over the years
FORM = "a file that holds `poses`, `trans` and `mocap_framerate`, as `pasdedeux dance` writes it"


class Movement(NamedTuple):
    """A dance of SMPL's joints: y up, metres, local rotations in the 6-D form, at `rate_hz`."""

    translation: Float[np.ndarray, "T 3"]
    rotations: Float[np.ndarray, "T 24 6"]
    rate_hz: float


def write_npz(
    path: Path,
    translation: Float[np.ndarray, "T 3"],
    rotations: Float[np.ndarray, "_ 24 6"],
    *,
    rate_hz: float = 25.0,
    gender: Gender = "neutral",
    betas: Float[np.ndarray, " S"] | None = None,
    model: Model = "smpl",
) -> None:
    """Write a dance to `path` as an SMPL file, whole or not at all.

    `translation` is where the root joint is, as in `data.dance`. Raises `ValueError` for no frame,
    different numbers of frames, a rate that is not above 0, and numbers that are not finite.
    """
    choice("gender", gender, get_args(Gender))
    choice("model", model, get_args(Model))
    refuse(not rate_hz > 0, f"rate_hz must be above 0, got {rate_hz}.")
    frames = len(rotations)
    told = f"{len(translation)} translations and {frames} rotations; give as many of both, one or"
    refuse(frames < 1 or frames != len(translation), f"{told} more.")
    shape = np.zeros(BETAS) if betas is None else betas
    fine = all(np.isfinite(array).all() for array in (translation, rotations, shape))
    refuse(not fine, "translation, rotations and betas must be finite; fill the lost frames first.")
    matrices = rotation.matrix_from_six(torch.from_numpy(rotations.astype(float)))
    turns = rotation.axis_angle_from_matrix(matrices).numpy()
    poses = np.zeros((frames, JOINTS[model], 3))
    shared = JOINTS["smpl"] if model == "smpl" else BODY
    poses[:, :shared] = turns[:, :shared]
    with whole(Path(path)) as part, part.open("wb") as out:
        np.savez(
            out,
            poses=poses.reshape(frames, -1),
            trans=translation.astype(float) - np.array(PELVIS_METRES[model]),
            betas=shape.astype(float),
            mocap_framerate=np.array(float(rate_hz)),
            gender=np.array(gender),
        )


def read_npz(path: Path, *, rate_hz: float = 25.0, up: Up = "auto") -> Movement:
    """Return the dance in an SMPL, SMPL-H or SMPL-X file, at `rate_hz` frames a second.

    Other rates are resampled on shortest arcs and straight lines. AMASS has z up, most others y:
    "auto" takes the axis along which the head is farther above the pelvis, on average; a dance
    with z up is turned to y up. Fingers, jaw, eyes and the shape of the body are left out. Only
    plain arrays are read, never a pickle. Raises `ValueError` naming `path` and what is wrong.
    """
    path = Path(path)
    choice("up", up, get_args(Up))
    content = _content(path)
    poses, trans = (_numbers(path, content, name) for name in ("poses", "trans"))
    model, frames = _model(path, poses.shape), len(poses)
    told = f"{path}: trans must have shape ({frames}, 3) as poses has {frames} frames, got"
    refuse(trans.shape != (frames, 3), f"{told} {trans.shape}.")
    shared = JOINTS["smpl"] if model == "smpl" else BODY
    turns = torch.zeros(frames, JOINTS["smpl"], 3, dtype=torch.float64)
    turns[:, :shared] = torch.from_numpy(poses).view(frames, -1, 3)[:, :shared]
    matrices = rotation.matrix_from_axis_angle(turns)
    places = torch.from_numpy(trans + np.array(PELVIS_METRES[model]))
    if up == "z" or (up == "auto" and _has_z_up(matrices)):
        matrices[:, 0], places = Z_TO_Y @ matrices[:, 0], places @ Z_TO_Y.T
    given_hz = _rate(path, content)
    if given_hz != rate_hz:
        matrices = rotation.resampled_rotations(matrices, given_hz, rate_hz)
        places = rotation.resampled_points(places, given_hz, rate_hz)
    six = rotation.six_from_matrix(matrices)
    return Movement(places.float().numpy(), six.float().numpy(), rate_hz)


def _content(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the file that are of use here."""
    refuse(not path.is_file(), f"{path}: no such file; give {FORM}.")
    try:
        with path.open("rb") as file:
            held = np.load(file, allow_pickle=False)
            refuse(isinstance(held, np.ndarray), "it is one array")
            return {name: held[name] for name in ("poses", "trans", *RATES) if name in held}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as problem:
        raise ValueError(f"{path} cannot be read as arrays ({problem}); give {FORM}.") from problem


def _numbers(path: Path, content: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return the array `name` as finite numbers of double precision."""
    refuse(name not in content, f"{path} has no {name}; give {FORM}.")
    found = content[name]
    told = f"{path}: {name} must be numbers, got {found.dtype}; give {FORM}."
    refuse(found.dtype.kind not in "fiu", told)
    bad = ~np.isfinite(found)
    where = int(np.argwhere(bad)[0][:1].sum()) if bad.any() else 0
    refuse(bad.any(), f"{path}: {name} is not finite at frame {where}; fill or cut it.")
    return found.astype(np.float64)


def _model(path: Path, shape: tuple[int, ...]) -> Model:
    """Return which model the shape of `poses` belongs to: (T, 3 J) or (T, J, 3)."""
    flat = (shape[0], 3 * shape[1]) if len(shape) == 3 and shape[2] == 3 else shape
    found = [model for model, joints in JOINTS.items() if flat[1:] == (3 * joints,)]
    refuse(
        not found or shape[0] < 1,
        f"{path}: poses must have frames of 72, 156 or 165 numbers (SMPL, SMPL-H, SMPL-X), its "
        f"shape is {shape}; give {FORM}.",
    )
    return found[0]


def _rate(path: Path, content: Mapping[str, np.ndarray]) -> float:
    name = next((name for name in RATES if name in content), RATES[0])
    found = _numbers(path, content, name)
    fine = found.size == 1 and bool((found > 0).all())
    refuse(not fine, f"{path}: {name} must be one number above 0, got {found.tolist()}.")
    return float(found.item())


def _has_z_up(matrices: Float[Tensor, "T 24 3 3"]) -> bool:
    """Return whether the head is farther above the pelvis along z than along y, on average."""
    body = smpl()
    joints = placed(matrices, matrices.new_zeros(len(matrices), 3), body).joints_world
    _, y, z = joints[:, body.index("head")].mean(dim=0).tolist()
    return z > y
