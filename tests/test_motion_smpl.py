"""A tiny body in SMPL's file format: six vertices around each of the 24 joints."""

import pickle

import numpy as np
import pytest
import smplx
import torch
from scipy.sparse import csc_matrix
from smplx.vertex_ids import vertex_ids

from pasdedeux.base.seeding import generator
from pasdedeux.motion import skeleton, smpl
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.rotation import axis_angle_from_matrix, matrix_from_axis_angle

T, J, V, S = 5, 24, 144, 10
BETAS = np.array([0.8, -1.3, 0.4])


def content():
    """The arrays of a file: octahedra of 3 cm, each of whose means is its joint exactly."""
    rng = np.random.default_rng(0)
    corners = np.concatenate([np.eye(3), -np.eye(3)]) * 0.03
    pelvis = np.array([-0.002, -0.22, 0.03])  # where a real file has it, about
    template = (skeleton.smpl().rest_joints() + pelvis)[:, None] + corners
    joint_of = np.repeat(np.arange(J), 6)
    belongs = np.eye(J)[joint_of]
    first = np.uint32(2**32 - 1)
    return {
        "v_template": template.reshape(V, 3),
        "f": rng.integers(0, V, (7, 3)).astype(np.uint32),
        "shapedirs": rng.normal(size=(V, 3, S)) * 0.01,
        "posedirs": rng.normal(size=(V, 3, 207)) * 0.001,
        "J_regressor": csc_matrix(belongs.T / 6),
        "weights": belongs,
        "kintree_table": np.array(
            [[first, *skeleton.smpl().parents[1:]], range(J)], dtype=np.uint32
        ),
        "bs_type": "lrotmin",
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "smpl" / "SMPL_NEUTRAL.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(content(), protocol=2))
    return path


def changed(file, **fields):
    kept = {name: value for name, value in {**content(), **fields}.items() if value is not None}
    file.write_bytes(pickle.dumps(kept, protocol=2))
    return file


def pose(dtype=torch.float64):
    draw = generator(0, "pose")
    vectors = torch.randn(T, J, 3, generator=draw, dtype=torch.float64)
    translation = torch.randn(T, 3, generator=draw, dtype=torch.float64)
    return matrix_from_axis_angle(vectors).to(dtype), translation.to(dtype)


@pytest.mark.parametrize("betas", [None, BETAS])
def test_joints_of_smplx_are_those_of_our_kinematics(file, betas):
    body = smpl.Body(file, betas)
    rotations, translation = pose()
    found = body.surface(rotations, translation)
    ours = placed(rotations, translation, body.skeleton())
    assert found.joints_world.shape == (T, J, 3)
    assert found.vertices_world.shape == (T, V, 3)
    torch.testing.assert_close(ours.joints_world, found.joints_world, atol=1e-13, rtol=0)


def test_the_file_is_really_what_smplx_loads_by_itself(file):
    """The same file through smplx's own loader, in axis-angle form and single precision."""
    unused = dict.fromkeys(vertex_ids["smplh"], 0)
    model = smplx.create(str(file.parents[1]), model_type="smpl", vertex_ids=unused)
    rotations, translation = pose(torch.float32)
    vectors = axis_angle_from_matrix(rotations.double()).float()
    betas = torch.tensor(np.pad(BETAS, (0, S - len(BETAS))))[None].float()
    theirs = model(
        betas=betas.expand(T, -1),
        global_orient=vectors[:, 0],
        body_pose=vectors[:, 1:].flatten(1),
        transl=translation,
    )
    ours = smpl.Body(file, BETAS).surface(rotations, translation)
    assert ours.joints_world.dtype == torch.float32
    torch.testing.assert_close(ours.joints_world, theirs.joints[:, :J], atol=2e-6, rtol=0)
    torch.testing.assert_close(ours.vertices_world, theirs.vertices, atol=2e-6, rtol=0)


def test_the_body_at_rest_is_the_file_and_its_root_is_off_the_origin(file):
    rest = smpl.Body(file).skeleton()
    expected = skeleton.smpl().offsets_metres + 0.0
    expected[0] = [-0.002, -0.22, 0.03]
    np.testing.assert_allclose(rest.offsets_metres, expected, atol=2e-7)
    shaped = smpl.Body(file, BETAS).skeleton().offsets_metres
    assert np.abs(shaped - expected).max() > 1e-3


def test_one_body_serves_both_precisions_without_losing_digits(file):
    body = smpl.Body(file, BETAS)
    before = body.surface(*pose()).joints_world
    single = body.surface(*pose(torch.float32)).joints_world
    assert single.dtype == torch.float32
    assert torch.equal(body.surface(*pose()).joints_world, before)


def test_gradients_flow_through_the_body(file):
    rotations, translation = (x.requires_grad_() for x in pose())
    smpl.Body(file).surface(rotations, translation).vertices_world.square().sum().backward()
    for given in (rotations, translation):
        assert torch.isfinite(given.grad).all()
        assert given.grad.abs().sum() > 0


def test_nothing_is_printed(file, capsys):
    smpl.Body(file).surface(*pose())
    assert capsys.readouterr() == ("", "")


def test_an_npz_with_the_same_names_is_the_same_body(file, tmp_path):
    plain = {**content(), "J_regressor": content()["J_regressor"].toarray()}
    path = tmp_path / "body.npz"
    np.savez(path, **plain)
    one, other = (smpl.Body(p, BETAS).surface(*pose()) for p in (file, path))
    assert torch.equal(one.vertices_world, other.vertices_world)


def test_an_npz_that_holds_pickled_objects_is_refused(tmp_path):
    path = tmp_path / "body.npz"
    np.savez(path, v_template=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="body.npz holds no plain arrays"):
        smpl.Body(path)
    path.write_bytes(b"PK not really")
    with pytest.raises(ValueError, match="body.npz holds no plain arrays"):
        smpl.Body(path)


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('it ran')",)


def test_a_hostile_model_is_refused_before_it_runs(file):
    with pytest.raises(ValueError, match=r"SMPL_NEUTRAL.pkl .* asks for .*exec"):
        smpl.Body(changed(file, extra=Hostile()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": None, "f": None}, "no SMPL file: it lacks f, weights"),
        ({"weights": np.zeros((V, 23))}, r"weights has shape \(144, 23\), SMPL's is \('V', 24\)"),
        ({"weights": np.zeros((V + 1, J))}, "weights has shape"),
        ({"posedirs": np.zeros((V, 3, 9))}, "posedirs has shape"),
        ({"v_template": np.full((V, 3), np.nan)}, "v_template must hold finite numbers"),
        ({"kintree_table": np.zeros((2, J), np.uint32)}, "kintree_table names the parents"),
    ],
)
def test_a_file_that_is_no_smpl_body_is_refused(file, fields, message):
    with pytest.raises(ValueError, match=message):
        smpl.Body(changed(file, **fields))


def test_wrong_paths_betas_and_poses_are_refused(file, tmp_path):
    for path in (tmp_path / "nowhere.pkl", tmp_path):
        with pytest.raises(ValueError, match="path must be an existing SMPL file"):
            smpl.Body(path)
    for betas in (np.zeros(11), np.array([np.nan])):
        with pytest.raises(ValueError, match="betas must be at most 10 finite"):
            smpl.Body(file, betas)
    rotations, translation = pose()
    with pytest.raises(ValueError, match="rotations_local holds 23 joints; SMPL has 24"):
        smpl.Body(file).surface(rotations[:, 1:], translation)
