"""The compiled loops against torch, which is the reference: the same steps, the same answers."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from pasdedeux.base.seeding import generator
from pasdedeux.ot import backend, costs
from pasdedeux.ot.gromov import Steps, gromov, tensor_product
from pasdedeux.ot.sinkhorn import sinkhorn

B, N, M = 3, 7, 5
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-13}  # of a plan whose mean entry is made 1
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def normal(*shape: int, name: str, dtype=torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64).to(dtype)


def distances(*shape: int, name: str, dtype=torch.float64) -> Tensor:
    points = normal(*shape, name=name)
    apart = costs.l1(points, points)
    return (apart / apart.mean((-2, -1), keepdim=True)).to(dtype)


def weights(*shape: int, name: str, dtype=torch.float64) -> Tensor:
    return normal(*shape, name=name).softmax(-1).to(dtype)


def both(solve):
    """What the compiled loops and what torch find; the loops are proved to have been asked."""
    with backend.torch_only():
        reference = solve()
    return solve(), reference


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """How often the compiled code was called."""
    calls = []
    for name in ("transport", "descent"):
        real = getattr(backend, name)

        def told(*args, real=real, name=name, **kwargs):
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(backend, name, told)
    return calls


def assert_equal(found, reference, dtype, scale=1.0) -> None:
    """All fields agree, the plan in units of its mean entry."""
    tolerance = CLOSE[dtype]
    apart = (found.plan - reference.plan).abs().max().item() * N * M
    assert apart <= scale * tolerance, f"plans differ by {apart}"
    for name in set(found._fields) - {"plan", "steps", "iterations"}:
        ours, theirs = getattr(found, name), getattr(reference, name)
        assert ours.dtype == dtype
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, atol=scale * tolerance, rtol=scale * tolerance)


@BOTH
@pytest.mark.parametrize("symmetric", [True, False])
def test_gromov_takes_the_same_steps(dtype, symmetric, asked):
    D, C = distances(B, N, 3, name="D", dtype=dtype), distances(B, M, 4, name="C", dtype=dtype)
    if not symmetric:
        D = D + 0.3 * normal(B, N, N, name="D", dtype=dtype).abs()
        C = C + 0.3 * normal(B, M, M, name="C", dtype=dtype).abs()
    a, b = weights(B, N, name="a", dtype=dtype), weights(M, name="b", dtype=dtype)
    found, reference = both(lambda: gromov(D, C, a, b, epsilon=0.1, steps=Steps(13, 29, 0.0)))
    assert asked == ["descent"]
    assert found.steps == reference.steps == 13
    assert_equal(found, reference, dtype)


def test_gromov_of_one_problem_stops_where_torch_does():
    D, C = distances(N, 3, name="D"), distances(M, 4, name="C")
    start = torch.outer(weights(N, name="p"), weights(M, name="q"))
    kept = start.clone()
    found, reference = both(lambda: gromov(D, C, start=start, epsilon=0.1, steps=Steps(500, 70)))
    assert found.steps == reference.steps < 500
    assert_equal(found, reference, torch.float64, scale=10)
    assert torch.equal(start, kept)


def test_in_single_precision_the_loops_are_as_near_to_the_truth_as_torch():
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    exact = gromov(D, C, epsilon=0.1, steps=Steps(13, 29, 0.0)).plan
    found, reference = both(
        lambda: gromov(D.float(), C.float(), epsilon=0.1, steps=Steps(13, 29, 0.0))
    )
    ours, theirs = ((one.plan - exact).abs().max().item() for one in (found, reference))
    assert ours <= 2 * theirs < 1e-5


@BOTH
def test_sinkhorn_takes_the_same_iterations(dtype, asked):
    cost = normal(2, B, N, M, name="cost", dtype=dtype).abs()
    a, b = weights(B, N, name="a", dtype=dtype), weights(M, name="b", dtype=dtype)
    exact = {"epsilon": 0.1, "iterations": 47, "tolerance": 0.0}
    found, reference = both(lambda: sinkhorn(cost, a, b, **exact))
    assert asked == ["transport"]
    assert found.iterations == reference.iterations == 47
    assert_equal(found, reference, dtype, scale=10)
    found, reference = both(lambda: sinkhorn(cost[0, 0], a[0], b, epsilon=0.1))
    assert found.iterations == reference.iterations < 1000
    assert_equal(found, reference, dtype, scale=10)


@BOTH
@pytest.mark.parametrize("epsilon", [0.02, 1e-3, 1e-4])
def test_a_kernel_that_underflows_is_brought_back_by_logarithms(dtype, epsilon):
    cost = normal(B, 17, 13, name="cost", dtype=dtype).abs()
    found, reference = both(lambda: sinkhorn(cost, epsilon=epsilon, iterations=61, tolerance=0.0))
    rounding = 50 * torch.finfo(dtype).eps / epsilon  # of logits as large as cost / epsilon
    torch.testing.assert_close(found.plan, reference.plan, atol=rounding / 100, rtol=100 * rounding)
    torch.testing.assert_close(found.f, reference.f, atol=rounding * epsilon * 10, rtol=1e-5)


def test_a_weight_far_below_the_others_keeps_its_row():
    a = torch.tensor([1e-30, 0.5, 0.5])
    cost = normal(3, 5, name="cost", dtype=torch.float32).abs()
    found = sinkhorn(cost, a, epsilon=0.05)
    torch.testing.assert_close(found.plan.sum(1), a, rtol=1e-4, atol=0.0)


def test_neighbours_and_threads_do_not_matter(monkeypatch):
    """Every problem stops on its own, to the last bit as if it were alone."""
    monkeypatch.setattr(backend, "WORTH_A_THREAD", 0)
    D, C = distances(B, N, 3, name="D"), distances(B, M, 4, name="C")
    cost = normal(B, N, M, name="cost").abs()
    alone = [gromov(D[k], C[k], epsilon=0.1).plan for k in range(B)]
    moved = [sinkhorn(cost[k], epsilon=0.1).plan for k in range(B)]
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            assert torch.equal(gromov(D, C, epsilon=0.1).plan, torch.stack(alone))
            assert torch.equal(sinkhorn(cost, epsilon=0.1).plan, torch.stack(moved))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_the_gradient_of_value_is_that_of_the_sum_with_the_plan_held_fixed(asked):
    shapes = {"D": (B, N, N), "C": (B, M, M)}
    D, C = (normal(*shape, name=name).abs().requires_grad_() for name, shape in shapes.items())
    found = gromov(D, C, epsilon=0.5)
    assert asked == ["descent"]
    scale = normal(B, name="scale")
    fixed = (tensor_product(D, C, found.plan) * found.plan).sum((1, 2))
    torch.testing.assert_close(found.value, fixed)
    wanted = torch.autograd.grad((scale * fixed).sum(), (D, C))
    got = torch.autograd.grad((scale * found.value).sum(), (D, C))
    torch.testing.assert_close(got, wanted)


def test_what_the_loops_do_not_take_goes_to_torch(asked):
    plain = torch.rand(2, 5, 5)
    assert backend.small(plain, plain)
    assert not backend.small(torch.rand(backend.LARGEST + 1, 3))
    assert not backend.small(plain.half())
    assert not backend.small(plain, plain.double())
    assert not backend.small(torch.empty(0, 5, 5))
    assert not backend.small(torch.rand(2, 3, device="meta"))
    with backend.torch_only():
        with backend.torch_only():
            assert not backend.small(plain)
        assert not backend.small(plain)
    assert backend.small(plain)
    sinkhorn(plain.requires_grad_(), gradient="unrolled")
    assert not asked


@pytest.mark.slow
def test_a_forked_process_solves_as_well():
    """There must be no pool of threads, dead in the child, that it would wait for."""
    script = """
import os, sys, torch, warnings
warnings.simplefilter("ignore")
from pasdedeux.ot import backend
from pasdedeux.ot.sinkhorn import sinkhorn
backend.WORTH_A_THREAD = 0
torch.set_num_threads(2)
cost = torch.linspace(0, 1, 4 * 3 * 3).reshape(4, 3, 3)
before = sinkhorn(cost).plan
child = os.fork()
if not child:
    os._exit(0 if torch.equal(sinkhorn(cost).plan, before) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=120, check=False)
    assert done.returncode == 0
