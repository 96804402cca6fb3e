"""What machine listeners are given: the windows of finished runs, every seed, and what it means."""

import json

import dances
import numpy as np
import pytest

from pasdedeux.base import paths
from pasdedeux.engine import judged
from pasdedeux.engine.listen_sources import Finished, finished
from pasdedeux.metrics.listening import fusion_level
from pasdedeux.papers import dance_judge
from pasdedeux.papers.dual_evaluate import Excerpts, Performed
from pasdedeux.papers.fusion_judge import MACHINE
from pasdedeux.training.run import samples_file


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    return tmp_path


def _done(root, kept):
    """A finished notebook with runs `name: (seed, label)`; each keeps that label's windows."""
    runs = {}
    for name, (seed, label) in kept.items():
        folder = root / "runs" / name
        folder.mkdir(parents=True)
        np.save(folder / samples_file(label), np.full((2, 3), seed))
        runs[f"runs/{name}"] = {"seed": seed, "data": "same"}
    return Finished({}, runs, "run 21 first")


def test_every_seed_is_heard_once_and_in_order(root):
    done = _done(root, {"a": (5, "MC"), "b": (3, "MC"), "c": (3, "GAN"), "d": (3, "MC")})
    assert [(run.seed, run.run) for run in done.every_seed("MC")] == [(3, "runs/b"), (5, "runs/a")]
    assert done.lowest_seed("MC").samples().tolist() == [[3] * 3] * 2
    assert done.every_seed("Fusion") == []
    assert done.lowest_seed("Fusion") is None


def test_runs_of_other_data_are_refused(root):
    done = _done(root, {"a": (5, "MC")})
    assert [run.seed for run in judged._runs(done, "MC", "same")] == [5]
    with pytest.raises(ValueError, match="trained on other data than are here now; run 21 first"):
        judged._runs(done, "MC", "other")


def test_answers_become_percent_and_fl():
    counts = np.array([3, 5, 1, 1])
    told = judged.answered(counts)
    assert told == {"jazz": 30.0, "folk": 50.0, "mixture": 10.0, "neither": 10.0, "FL": 70.0}
    assert told["FL"] == pytest.approx(fusion_level(counts))
    assert MACHINE == "machine listener"


def test_what_has_not_run_is_told_with_its_command(root):
    for call, number in ((judged.melodies, "21"), (judged.dances, "11")):
        with pytest.raises(ValueError, match=f"run `pasdedeux run {number} --profile quick` first"):
            call("quick")
    file = paths.results("quick") / "notebooks" / "11_dual_tables.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"status": "failed"}), encoding="utf-8")
    with pytest.raises(ValueError, match="did not end well"):
        finished("11", "quick")


@pytest.fixture
def studied(root, monkeypatch):
    """Two seeds of Table 3's methods on tiny pairs; "Ours" dances what was recorded."""
    pairs, frames = dances.pairs(count=23), 3 * dances.T
    music, pose = dances.songs(2, frames, 0), dances.poses(2, frames, 0)
    real = Excerpts(np.arange(2), np.zeros(2, dtype=int), music, pose)  # one of each genre
    runs = {}
    for label in ("Tang et al. (2018)", "Ren et al. (2020)", "Huang et al. (2021)", "Ours"):
        for seed in (4, 9):
            name = f"{label[:4].strip()}{seed}"
            folder = root / "runs" / name
            folder.mkdir(parents=True)
            danced = real.pose if label == "Ours" else dances.poses(2, real.pose.shape[1], seed)
            none = danced[:0, None]
            made = Performed(danced, none, none, real.music[:0], 1)
            np.savez(folder / samples_file(label).replace(".npy", ".npz"), **made._asdict())
            runs[f"runs/{name}"] = {"seed": seed, "data": pairs.checksum}
    done = Finished({"corpus": "auto", "seed": 0}, runs, "run 11 first")
    monkeypatch.setattr(judged, "finished", lambda number, profile: done)
    monkeypatch.setattr(judged, "pairs", lambda settings: pairs)
    monkeypatch.setattr(judged, "excerpts", lambda data, most_a_genre: real)
    return pairs, real


def test_dances_of_every_seed_are_ranked(studied):
    pairs, real = studied
    told = judged.dances("quick")
    assert told.why_not == ""
    assert told.genres == ("Lock", "Waltz")
    assert {(m.row, m.seed) for m in told.ranks} >= {("Ours", 4), ("Ours", 9)}
    for seed in (4, 9):
        assert sum(m.value for m in told.ranks if m.seed == seed) == pytest.approx(10.0)
    truth = next(m for m in told.recognised if m.row == "Ground Truth")
    ours = [m.value for m in told.recognised if m.row == "Ours"]
    assert ours == [truth.value, truth.value]
    judge = dance_judge.judge(pairs)
    places = dance_judge.places_of(judge, real, pairs)
    assert truth.value == 50.0 * sum(dance_judge.heard(judge, real.pose).argmax(axis=1) == places)
