"""Packages whose import says things that do not concern who uses them."""

import importlib
import warnings
from types import ModuleType


def librosa() -> ModuleType:
    """Return librosa, imported at the first call because that is slow.

    It brings a progress bar that remarks, in every notebook, that widgets are not installed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        importlib.import_module("tqdm.auto")
    return importlib.import_module("librosa")
