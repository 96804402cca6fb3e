import subprocess
import sys
import time

import numpy as np
import pytest

from pasdedeux.base import paths, stored

SLOW = """
import sys, time
from pathlib import Path
import numpy as np
from pasdedeux.base import stored

def make():
    with Path("made.txt").open("a") as log:
        log.write(sys.argv[1])
    Path("started.txt").touch()
    time.sleep(1.0)
    return {"who": np.array(sys.argv[1]), "many": np.arange(100_003)}

kept = stored.arrays("slow", "key", make)
print(kept["who"], kept["many"].sum())
"""


class Maker:
    """Counts how often it is asked."""

    def __init__(self, **arrays):
        self.arrays, self.asked = arrays, 0

    def __call__(self):
        self.asked += 1
        return self.arrays


def files(kind="squares"):
    return sorted(path.name for path in (paths.cache() / kind).iterdir())


def test_arrays_are_made_once_and_come_back_the_same(project):
    make = Maker(
        x=np.arange(7) ** 2, y=np.float32(0.5), names=np.array(["a", "bc"]), none=np.zeros(0)
    )
    first = stored.arrays("squares", "seven", make)
    again = stored.arrays("squares", "seven", make)
    assert make.asked == 1
    for kept in (first, again):
        assert list(kept) == ["x", "y", "names", "none"]
        for name, array in make.arrays.items():
            np.testing.assert_array_equal(kept[name], array)
            assert kept[name].dtype == np.asarray(array).dtype
    assert (paths.cache() / "squares" / "seven.npz").is_file()


def test_another_key_or_kind_is_another_thing(project):
    for kind, key, value in (("a", "x", 1), ("a", "y", 2), ("b", "x", 3)):
        make = Maker(value=np.array(value))
        assert stored.arrays(kind, key, make)["value"] == value
        assert make.asked == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: b"not a zip",
        lambda whole: whole[:120] + bytes(40) + whole[160:],
        lambda whole: whole[:-30] + bytes(30),
    ],
)
def test_a_damaged_file_is_made_anew(project, damage):
    make = Maker(x=np.arange(1009))
    stored.arrays("squares", "key", make)
    file = paths.cache() / "squares" / "key.npz"
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(stored.arrays("squares", "key", make)["x"], np.arange(1009))
    assert make.asked == 2
    np.testing.assert_array_equal(stored.arrays("squares", "key", make)["x"], np.arange(1009))
    assert make.asked == 2


def test_nothing_is_kept_when_making_fails(project):
    def fail():
        raise ValueError("W_5 is cut short")

    with pytest.raises(ValueError, match="W_5 is cut short"):
        stored.arrays("squares", "key", fail)
    assert [name for name in files() if not name.endswith(".lock")] == []
    make = Maker(x=np.arange(3))
    assert stored.arrays("squares", "key", make)["x"].tolist() == [0, 1, 2]


def test_objects_are_neither_written_nor_read(project):
    with pytest.raises(ValueError, match="allow_pickle|Object arrays"):
        stored.arrays("squares", "key", Maker(x=np.array([{}], dtype=object)))
    assert [name for name in files() if not name.endswith(".lock")] == []
    np.savez(paths.cache() / "squares" / "key.npz", x=np.array([{}], dtype=object))
    make = Maker(x=np.arange(3))
    assert stored.arrays("squares", "key", make)["x"].tolist() == [0, 1, 2]
    assert make.asked == 1


@pytest.mark.slow
def test_a_second_process_waits_for_the_first(project):
    (project / "slow.py").write_text(SLOW)
    command = [sys.executable, "slow.py"]
    first = subprocess.Popen([*command, "1"], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (project / "started.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    others = [
        subprocess.Popen([*command, who], stdout=subprocess.PIPE, text=True) for who in ("2", "3")
    ]
    told = [process.communicate(timeout=60)[0] for process in (first, *others)]
    assert told == [f"1 {sum(range(100_003))}\n"] * 3
    assert (project / "made.txt").read_text() == "1"
    assert files("slow") == ["key.lock", "key.npz"]
