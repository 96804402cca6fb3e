import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from pasdedeux.base.seeding import generator
from pasdedeux.training import loop

TOY = """
import sys, time, torch
from pathlib import Path
from torch import nn
from pasdedeux.base.seeding import generator
from pasdedeux.training import loop

class Toy:
    def __init__(self):
        self.net = nn.Linear(5, 3)
        for w in self.net.parameters():
            nn.init.normal_(w, generator=generator(0, "toy"))
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.Adam(self.net.parameters(), 0.01)}

    def step(self, index):
        time.sleep(PAUSE)
        x = torch.randn(7, 5, generator=generator(0, "x", index))
        return loop.update(self.optimizers["net"], {"square": self.net(x).square().mean()})
"""
MAIN = """
loop.fit(Toy(), steps=60, folder=Path(sys.argv[1]), task="toy", log_every=7,
         checkpoint_seconds=0.05)
"""


def run(script, folder):
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.DEVNULL)


def weights(folder):
    state = torch.load(folder / loop.CHECKPOINT, weights_only=True)
    return state["modules"]["net"], state["optimizers"]["net"]["state"], state["done"]


def test_a_run_killed_at_any_moment_resumes_and_ends_with_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(TOY.replace("PAUSE", "0") + MAIN, whole).wait() == 0
    slow = TOY.replace("PAUSE", "0.02") + MAIN
    reached = []
    for moment in (0.25, 0.4):
        process = run(slow, broken)
        before = time.monotonic()
        while not (broken / loop.CHECKPOINT).exists() and time.monotonic() - before < 60:
            time.sleep(0.01)
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        reached.append(weights(broken)[2])
    assert 0 < reached[0] <= reached[1] < 60, "the kills must fall inside the run"
    with (broken / loop.LOG).open("a") as log:
        log.write('{"step": 58, "square": 1.0}\n{"ste')  # a line beyond the checkpoint, a torn one
    assert run(slow, broken).wait() == 0
    for ours, theirs in zip(weights(broken)[:2], weights(whole)[:2], strict=True):
        assert str(ours) == str(theirs)
    assert all(torch.equal(weights(broken)[0][k], v) for k, v in weights(whole)[0].items())
    assert (broken / loop.LOG).read_text() == (whole / loop.LOG).read_text()
    lines = (whole / loop.LOG).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines][-2:] == [56, 60]


class Toy:
    def __init__(self):
        self.net = nn.Linear(5, 3)
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.SGD(self.net.parameters(), 0.1)}
        self.seen = []

    def step(self, index):
        self.seen.append(index)
        x = torch.randn(7, 5, generator=generator(0, "x", index))
        return loop.update(self.optimizers["net"], {"square": self.net(x).square().mean()})


def test_a_finished_run_is_loaded_not_trained(tmp_path):
    first, second = Toy(), Toy()
    rows = loop.fit(first, steps=5, folder=tmp_path, task="toy", log_every=2)
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert loop.fit(second, steps=5, folder=tmp_path, task="toy", log_every=2) == rows
    assert second.seen == []
    assert torch.equal(first.net.weight, second.net.weight)


def test_more_steps_than_asked_for_are_refused(tmp_path):
    loop.fit(Toy(), steps=5, folder=tmp_path, task="toy")
    with pytest.raises(ValueError, match="has done 5 steps, more than 3"):
        loop.fit(Toy(), steps=3, folder=tmp_path, task="toy")


def optimizer_for(net):
    return torch.optim.SGD(net.parameters(), 0.1)


def test_update_refuses_what_cannot_teach_by_name():
    net, other = nn.Linear(2, 3), nn.Linear(2, 3)
    good = net(torch.ones(5, 2)).sum()
    before = net.weight.detach().clone()
    for bad in (torch.tensor(1.0), other(torch.ones(5, 2)).sum(), good.detach()):
        with pytest.raises(ValueError, match="'lost' has no path"):
            loop.update(optimizer_for(net), {"good": good, "lost": bad})
    with pytest.raises(ValueError, match="'broken' is nan"):
        loop.update(optimizer_for(net), {"good": good, "broken": good * float("nan")})
    with pytest.raises(ValueError, match="no such loss"):
        loop.update(optimizer_for(net), {"good": good}, weights={"god": 2.0})
    assert torch.equal(net.weight, before)


def test_update_weighs_and_clips():
    net = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(net.weight)
    x = torch.tensor([[3.0, 4.0]])
    numbers = loop.update(
        optimizer_for(net), {"a": net(x).sum(), "b": net(x).sum()}, weights={"b": 2.0}, clip=1.0
    )
    assert numbers["norm"] == pytest.approx(15.0)
    torch.testing.assert_close(net.weight.detach(), torch.tensor([[-0.06, -0.08]]))
