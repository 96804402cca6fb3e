"""Device, precision and determinism, decided here and nowhere else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pasdedeux.base.checks import choice


def pick(name: str = "auto") -> torch.device:
    """Return the device called `name` ("auto", "cpu", "cuda" or "mps"); "auto" prefers CUDA.

    "auto" never picks Apple's MPS: several operations used here have no deterministic kernel on it.
    Raises `ValueError` when the device asked for is not there.
    """
    choice("device", name, ("auto", "cpu", "cuda", "mps"))
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    missing = {
        "cuda": not torch.cuda.is_available(),
        "mps": not torch.backends.mps.is_available(),
    }
    if missing.get(name, False):
        raise ValueError(f"device {name!r} is not available here; use device='auto' or 'cpu'.")
    return torch.device(name)


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Fix the thread count and ask torch for deterministic kernels in full fp32 inside the block.

    With the same thread count, machine and versions, CPU results are equal to the last bit;
    another thread count changes the last digits. Everything is put back afterwards.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}.")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    precision = torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.set_float32_matmul_precision(precision)


def describe(device: torch.device) -> dict[str, str | int]:
    """Return what provenance records: kind, name, threads, precision and determinism."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "device": device.type,
        "name": name,
        "threads": torch.get_num_threads(),
        "precision": f"float32 ({torch.get_float32_matmul_precision()})",
        "deterministic": int(torch.are_deterministic_algorithms_enabled()),
    }
