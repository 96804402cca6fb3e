"""SMPL files under AMASS's names: there and back, other models, rates and axes, damaged files."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pasdedeux.motion import export
from pasdedeux.motion.rotation import (
    geodesic,
    matrix_from_axis_angle,
    matrix_from_six,
    resampled_points,
    resampled_rotations,
    six_from_matrix,
)

T = 37
MODELS = ("smpl", "smplh", "smplx")


def dance(frames: int = T, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a smooth dance of a body that stands and turns about the vertical."""
    draw = np.random.default_rng(seed)
    time = np.linspace(0.0, 3.0, frames)[:, None, None]
    turns = 0.4 * np.sin(time * draw.uniform(1, 3, (24, 3)) + draw.uniform(0, 6, (24, 3)))
    turns[:, 0] = np.array([0.0, 1.0, 0.0]) * 2 * time[:, 0]
    turns[:, 22:] = 0.0
    matrices = matrix_from_axis_angle(torch.from_numpy(turns))
    translation = np.array([0.0, 0.95, 0.0]) + 0.1 * np.sin(time[:, 0] + np.arange(3))
    return translation.astype(np.float32), six_from_matrix(matrices).float().numpy()


def angle(one: np.ndarray, other: np.ndarray) -> float:
    pair = [matrix_from_six(torch.from_numpy(six).double()) for six in (one, other)]
    return float(geodesic(*pair).max())


def saved(tmp_path, **changed) -> tuple:
    """Write a file with some arrays changed; None leaves one out. Return its path and the dance."""
    translation, rotations = dance()
    path = tmp_path / "dance.npz"
    export.write_npz(path, translation, rotations)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files} | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path, translation, rotations


@pytest.mark.parametrize("model", MODELS)
def test_a_dance_comes_back(tmp_path, model):
    translation, rotations = dance()
    path = tmp_path / "folder" / "dance.npz"
    export.write_npz(path, translation, rotations, model=model)
    back = export.read_npz(path)
    assert back.translation == pytest.approx(translation, abs=1e-6)
    assert angle(back.rotations, rotations) < 1e-6
    assert (back.rate_hz, back.rotations.dtype, back.translation.dtype) == (
        25.0, np.float32, np.float32,
    )  # fmt: skip


@pytest.mark.parametrize(("model", "joints"), [("smpl", 24), ("smplh", 52), ("smplx", 55)])
def test_the_names_and_shapes_that_other_programs_look_for(tmp_path, model, joints):
    translation, rotations = dance()
    betas = np.arange(16.0)
    path = tmp_path / "dance.npz"
    export.write_npz(
        path, translation, rotations, rate_hz=30.0, gender="female", betas=betas, model=model
    )
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file.files) == ["betas", "gender", "mocap_framerate", "poses", "trans"]
        assert file["poses"].shape == (T, 3 * joints)
        assert str(file["gender"]) == "female"
        assert int(file["mocap_framerate"]) == 30
        assert file["betas"].tolist() == betas.tolist()
        poses = file["poses"].reshape(T, joints, 3)
        moved = translation - file["trans"]
    theirs = Rotation.from_rotvec(poses[:, :22].reshape(-1, 3)).as_matrix()
    ours = matrix_from_six(torch.from_numpy(rotations[:, :22]).double()).numpy()
    assert theirs.reshape(T, 22, 3, 3) == pytest.approx(ours, abs=1e-6)
    assert not poses[:, 24:].any()  # fingers, jaw and eyes rest
    assert moved == pytest.approx(np.tile(export.PELVIS_METRES[model], (T, 1)), abs=1e-6)


@pytest.mark.parametrize("model", ["smplh", "smplx"])
def test_fingers_jaw_and_eyes_do_not_turn_the_hands(tmp_path, model):
    translation, rotations = dance()
    path = tmp_path / "dance.npz"
    export.write_npz(path, translation, rotations, model=model)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["poses"][:, 66:] = 0.7
    np.savez(path, **arrays)
    assert angle(export.read_npz(path).rotations, rotations) < 1e-6


@pytest.mark.parametrize("rate_hz", [60.0, 120.0, 24.0])
def test_other_rates_are_resampled(tmp_path, rate_hz):
    translation, rotations = dance(frames=149)
    path = tmp_path / "dance.npz"
    export.write_npz(path, translation, rotations, rate_hz=rate_hz)
    back = export.read_npz(path)
    matrices = matrix_from_six(torch.from_numpy(rotations).double())
    expected = six_from_matrix(resampled_rotations(matrices, rate_hz, 25.0)).float().numpy()
    assert len(expected) == int(148 * 25 / rate_hz) + 1
    assert angle(back.rotations, expected) < 1e-6
    places = resampled_points(torch.from_numpy(translation).double(), rate_hz, 25.0).numpy()
    assert back.translation == pytest.approx(places, abs=1e-6)
    assert len(export.read_npz(path, rate_hz=rate_hz).translation) == 149


def test_a_file_with_z_up_is_turned_upright(tmp_path):
    path, translation, rotations = saved(tmp_path)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    fallen = Rotation.from_euler("x", 90, degrees=True)  # y to z
    poses, pelvis = arrays["poses"].copy(), np.array(export.PELVIS_METRES["smpl"])
    poses[:, :3] = (fallen * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    trans = fallen.apply(arrays["trans"] + pelvis) - pelvis
    np.savez(path, **arrays | {"poses": poses, "trans": trans})
    for up in ("auto", "z"):
        back = export.read_npz(path, up=up)
        assert back.translation == pytest.approx(translation, abs=1e-6)
        assert angle(back.rotations, rotations) < 1e-6
    lying = export.read_npz(path, up="y")
    assert angle(lying.rotations[:, :1], rotations[:, :1]) == pytest.approx(np.pi / 2, abs=1e-6)
    assert angle(lying.rotations[:, 1:], rotations[:, 1:]) < 1e-6


@pytest.mark.parametrize("name", ["mocap_frame_rate", "fps"])
def test_other_names_and_forms_are_known(tmp_path, name):
    poses = 0.1 * np.ones((T, 24, 3), dtype=np.float32)
    path, *_ = saved(tmp_path, mocap_framerate=None, betas=None, gender=None, poses=poses,
                     **{name: np.array([50])})  # fmt: skip
    assert len(export.read_npz(path).translation) == 19


@pytest.mark.parametrize(("changed", "told"), [
    ({"poses": None}, "has no poses; give a file that holds"),
    ({"trans": None}, "has no trans"),
    ({"mocap_framerate": None}, "has no mocap_framerate"),
    ({"mocap_framerate": np.array(0.0)}, "must be one number above 0, got 0.0"),
    ({"mocap_framerate": np.array([25, 30])}, r"one number above 0, got \[25.0, 30.0\]"),
    ({"poses": np.zeros((T, 63))}, r"72, 156 or 165 numbers .* its shape is \(37, 63\)"),
    ({"poses": np.zeros((0, 72))}, r"its shape is \(0, 72\)"),
    ({"poses": np.array(3.0)}, r"its shape is \(\)"),
    ({"trans": np.zeros((T - 1, 3))}, r"must have shape \(37, 3\) .* got \(36, 3\)"),
    ({"poses": np.full((T, 72), "a")}, "poses must be numbers, got <U1"),
    ({"trans": np.full((T, 3), np.nan)}, "trans is not finite at frame 0"),
])  # fmt: skip
def test_bad_arrays_are_refused_by_name(tmp_path, changed, told):
    path, *_ = saved(tmp_path, **changed)
    with pytest.raises(ValueError, match=told) as caught:
        export.read_npz(path)
    assert str(path) in str(caught.value)


def test_what_is_no_plain_file_is_refused(tmp_path):
    path, *_ = saved(tmp_path)
    whole = path.read_bytes()
    cut, text, array = (tmp_path / name for name in ("cut.npz", "text.npz", "array.npz"))
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("not a dance", encoding="utf-8")
    with array.open("wb") as file:
        np.save(file, np.zeros((T, 72)))
    flipped = tmp_path / "flipped.npz"
    damaged = bytearray(whole)
    damaged[2000] ^= 255
    flipped.write_bytes(bytes(damaged))
    for file, told in ((cut, "cannot be read"), (text, "cannot be read"), (array, "one array"),
                       (flipped, "cannot be read"), (tmp_path / "none.npz", "no such file"),
                       (tmp_path, "no such file")):  # fmt: skip
        with pytest.raises(ValueError, match=told) as caught:
            export.read_npz(file)
        assert str(file) in str(caught.value)


def test_a_pickle_is_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (print, ("it ran",))

    path = tmp_path / "dance.npz"
    np.savez(path, poses=np.array([Hostile()], dtype=object), trans=np.zeros((1, 3)))
    with pytest.raises(ValueError, match="allow_pickle"):
        export.read_npz(path)


def test_a_bad_dance_leaves_the_file_as_it_was(tmp_path):
    translation, rotations = dance()
    path = tmp_path / "dance.npz"
    path.write_bytes(b"before")
    lost = rotations.copy()
    lost[5, 3] = np.inf
    for changed, told in (
        ({"rotations": lost}, "must be finite"),
        ({"translation": translation[:-1]}, "36 translations and 37 rotations"),
        ({"translation": translation[:0], "rotations": rotations[:0]}, "one or more"),
        ({"rate_hz": -1.0}, "rate_hz must be above 0"),
    ):
        given = {"translation": translation, "rotations": rotations} | changed
        with pytest.raises(ValueError, match=told):
            export.write_npz(path, **given)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
