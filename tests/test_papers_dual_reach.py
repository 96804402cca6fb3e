"""Which loss pulls at which network, measured on tiny networks."""

import dances
import numpy as np
import pytest
import torch

from pasdedeux.papers import dual, dual_reach

TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=5, steps=2,
    rates=((0, 1e-2),), pairs=dances.FEW, workers=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    learner = dual.Dual(TINY, dances.pairs(), seed=0)
    return learner, dual_reach.reach(learner)


def _row(found, loss, table):
    return dict(zip(found.parts, getattr(found, table)[found.losses.index(loss)], strict=True))


def test_reconstruction_stays_in_its_network_and_cycles_cross_over(found):
    _, norms = found
    own = {"dance": "G_MD", "music": "G_DM", "position": "G_MD", "velocity": "G_MD"}
    for loss, network in own.items():
        for part, norm in _row(norms, loss, "joint").items():
            assert (norm > 0) == part.startswith(network), (loss, part)
    for loss in ("cycle_dance", "cycle_music"):
        assert min(_row(norms, loss, "joint").values()) > 0


def test_gromov_wasserstein_pulls_at_the_encoder_of_the_music_alone(found):
    for table in ("joint", "printed"):
        row = _row(found[1], "gromov", table)
        assert [part for part, norm in row.items() if norm > 0] == ["G_MD encoder"]


def test_printed_routing_keeps_what_joint_has_of_each_losss_own_network(found):
    _, norms = found
    kept = norms.printed > 0
    np.testing.assert_array_equal(norms.printed[kept], norms.joint[kept])
    crossing = {"cycle_dance": "G_DM", "cycle_music": "G_MD"}
    for loss, other in crossing.items():
        row = _row(norms, loss, "printed")
        assert all((norm == 0) == part.startswith(other) for part, norm in row.items())


def test_the_halves_hold_every_weight_once(found):
    learner, _ = found
    for network in learner.modules.values():
        halves = [dual_reach._half(network, half) for half in dual_reach.HALVES]
        assert all(halves)
        assert sum(map(len, halves)) == len(list(network.parameters()))


def test_a_norm_is_the_root_of_the_squared_slopes(found):
    learner, norms = found
    before = [weight.clone() for weight in learner.composing.parameters()]
    _, composing = learner.losses(learner.songs[:5], learner.dances[:5], 0)
    learner.composing.zero_grad()
    composing["music"].backward()
    total = sum(float(w.grad.square().sum()) for w in learner.composing.parameters())
    row = _row(norms, "music", "joint")
    assert row["G_DM encoder"] ** 2 + row["G_DM decoder"] ** 2 == pytest.approx(total, rel=1e-4)
    assert all(map(torch.equal, before, learner.composing.parameters()))
