"""Benchmarks go on running, and what CDCD's race comes out alike before it is timed."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture
def benchmark(monkeypatch):
    """Return what imports a benchmark by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_imported_and_has_a_main(benchmark, name):
    assert callable(benchmark(name).main)


def test_a_training_step_as_released_has_the_losses_and_gradients_of_ours(
    benchmark, monkeypatch, capsys
):
    diffusion = benchmark("diffusion")
    monkeypatch.setattr(diffusion.chosen, "rounds", 1)
    problem = diffusion.Problem(diffusion.Size(3, 16, 7, 8, 2))
    assert "gradients" in diffusion.agreement(problem)
    diffusion.steps(problem)  # refuses to race what differs
    assert "as released" in capsys.readouterr().out


def test_the_network_as_released_has_queries_and_keys_and_the_logits_of_ours(benchmark):
    diffusion = benchmark("diffusion")
    problem = diffusion.Problem(diffusion.Size(3, 16, 7, 8, 2))
    released = problem.network.as_released()
    both = [network(*problem.noised[1:3]) for network in (problem.network, released)]
    torch.testing.assert_close(*both, atol=1e-5, rtol=0)
    kept = {name for name, _ in released.denoiser.named_parameters()}
    assert "transformer.blocks.0.attend_memory.queries.weight" in kept
    assert "transformer.blocks.0.attend_memory.queries.weight" not in dict(
        problem.network.denoiser.named_parameters()
    )


def test_whole_updates_come_out_alike():
    """In a process of its own: its random clips would not pass for clips under type checks."""
    code = "import cdcd, diffusion; print(cdcd.agreement(diffusion.Size(2, 16, 8, 8, 1)))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"losses and norm of the gradient \de[+-]\d+ apart\n", ran.stdout)
