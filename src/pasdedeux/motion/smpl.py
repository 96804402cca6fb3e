"""The real SMPL body (Loper et al. 2015) through smplx, from a file that the user supplies.

The model is licensed to each user by its authors and never comes with this library. Its .pkl holds
a pickle; it is read by `base.pickled`, which runs nothing of it, and handed to smplx as arrays. An
.npz with the same names serves as well. `J` joints, `V` vertices.
"""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import smplx
import torch
from jaxtyping import Float
from smplx.utils import Struct
from smplx.vertex_ids import vertex_ids
from torch import Tensor

from pasdedeux.base import pickled
from pasdedeux.base.checks import refuse
from pasdedeux.motion import skeleton
from pasdedeux.motion.skeleton import Skeleton

JOINTS = 24
COEFFICIENTS = 10  # of the shape; what smplx takes of a file with fewer than 300
FIELDS = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, 207),
    "J_regressor": (JOINTS, "V"),
    "weights": ("V", JOINTS),
    "kintree_table": (2, JOINTS),
}


class Surface(NamedTuple):
    """The skin of the body and its joints, in the world, in metres."""

    vertices_world: Float[Tensor, "T V 3"]
    joints_world: Float[Tensor, "T J 3"]


class Body:
    """An SMPL model that a user's file describes, with the body's shape set by `betas`."""

    def __init__(self, path: Path, betas: Float[np.ndarray, " S"] | None = None) -> None:
        """Read `path` (.pkl or .npz); `betas` are the first shape coefficients, 0 by default."""
        self._arrays = arrays(path)
        known = min(self._arrays["shapedirs"].shape[-1], COEFFICIENTS)
        given = np.zeros(0) if betas is None else betas
        refuse(
            len(given) > known or not np.isfinite(given).all(),
            f"betas must be at most {known} finite coefficients, got {given}.",
        )
        self._betas = np.concatenate([given, np.zeros(known - len(given))])
        self._layers: dict[tuple[torch.dtype, torch.device], smplx.SMPLLayer] = {}

    def skeleton(self) -> Skeleton:
        """Return the joints of this body at rest: J = regressor (template + shapes betas)."""
        shapes = self._arrays["shapedirs"][..., : len(self._betas)]
        skin = self._arrays["v_template"] + shapes @ self._betas
        joints = self._arrays["J_regressor"] @ skin
        standard = skeleton.smpl()
        parents = np.array(standard.parents)
        above = np.where(parents[:, None] >= 0, joints[parents], 0.0)
        return Skeleton(standard.names, standard.parents, joints - above)

    def surface(
        self, rotations_local: Float[Tensor, "T J 3 3"], translation: Float[Tensor, "T 3"]
    ) -> Surface:
        """Return skin and joints of every frame; the root joint is at `translation` plus J[0]."""
        count = rotations_local.shape[1]
        refuse(
            count != JOINTS,
            f"rotations_local holds {count} joints; SMPL has {JOINTS}, give one rotation for each.",
        )
        out = self._layer(rotations_local)(
            betas=torch.tensor(self._betas).to(rotations_local).expand(len(translation), -1),
            global_orient=rotations_local[:, :1],
            body_pose=rotations_local[:, 1:],
            transl=translation,
        )
        return Surface(out.vertices, out.joints[:, :JOINTS])

    def _layer(self, like: Tensor) -> smplx.SMPLLayer:
        """Return the smplx model in the precision and on the device of `like`, made once."""
        key = (like.dtype, like.device)
        if key not in self._layers:
            unused = dict.fromkeys(vertex_ids["smplh"], 0)  # points of face and hands, not joints
            with contextlib.redirect_stdout(io.StringIO()):  # smplx prints how many betas it found
                layer = smplx.SMPLLayer(
                    model_path="",
                    data_struct=Struct(**self._arrays),
                    num_betas=len(self._betas),
                    vertex_ids=unused,
                    dtype=like.dtype,
                )
            self._layers[key] = layer.to(like.device)
        return self._layers[key]


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the SMPL file at `path`, doubles rounded to single precision.

    smplx rounds them when it makes its buffers; so the skeleton and the surface stay one body.
    Raises `ValueError` that names file and field when one is missing, has another shape, is not
    finite, or describes another tree of joints.
    """
    path = Path(path)
    refuse(
        path.suffix not in (".pkl", ".npz") or not path.is_file(),
        f"path must be an existing SMPL file that ends in .pkl or .npz, got {path}; register and "
        "download it at smpl.is.tue.mpg.de.",
    )
    content = _npz(path) if path.suffix == ".npz" else pickled.load(path)
    missing = sorted(set(FIELDS) - set(content)) if isinstance(content, dict) else sorted(FIELDS)
    refuse(missing, f"{path} is no SMPL file: it lacks {', '.join(missing)}.")
    found = {name: np.asarray(content[name]) for name in FIELDS}
    sizes: dict[str, int] = {}
    for name, shape in FIELDS.items():
        got = found[name].shape
        fits = len(got) == len(shape) and all(
            size == (sizes.setdefault(want, size) if isinstance(want, str) else want)
            for size, want in zip(got, shape, strict=True)
        )
        refuse(not fits, f"{path}: {name} has shape {got}, SMPL's is {shape}; load another file.")
        fine = found[name].dtype.kind in "iuf" and np.isfinite(found[name]).all()
        refuse(not fine, f"{path}: {name} must hold finite numbers; the file is damaged.")
    parents = found["kintree_table"][0].astype(np.int64)[1:]
    refuse(
        tuple(parents) != skeleton.smpl().parents[1:],
        f"{path}: kintree_table names the parents {parents.tolist()}, which are not SMPL's.",
    )
    whole = {name: found.pop(name).astype(np.int64) for name in ("f", "kintree_table")}
    return whole | {name: a.astype(np.float32).astype(float) for name, a in found.items()}


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in FIELDS if name in file}
    except (ValueError, EOFError, OSError) as problem:
        raise ValueError(f"{path} holds no plain arrays: {problem}. Save it anew.") from problem
