"""The WGAN beside MDOT-Net at tiny size: what is shared, who learns, what keeps it Lipschitz."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from test_papers_mdot import TINY, _poses, pairs  # noqa: F401  a fixture

from pasdedeux.nn.dance_critics import gradient_penalty
from pasdedeux.nn.pose import joints
from pasdedeux.papers import mdot, mdot_wgan

SHARED = {n: getattr(TINY, n) for n in ("network", "batch", "steps", "rates", "pairs", "every")}
SMALL = mdot_wgan.WganSettings(**SHARED, critic_steps=2, channels=7, log_every=2)
KINDS = ("clip", "penalty")


def _learner(pairs, kind, **changes):  # noqa: F811
    return mdot_wgan.Wgan(replace(SMALL, lipschitz=kind, **changes), pairs, seed=0)


def test_first_weights_batches_and_noise_are_those_of_mdot(pairs):  # noqa: F811
    ours, other = mdot.Mdot(TINY, pairs, seed=0), _learner(pairs, "clip")
    for name in ("first", "second"):
        for one, two in zip(ours.batch(3, name), other.batch(3, name), strict=True):
            assert torch.equal(one, two)
    other_seed = mdot.Mdot(TINY, pairs, seed=1)
    assert not torch.equal(ours.batch(3, "first").made, other_seed.batch(3, "first").made)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_generator_and_critic_moves(pairs, kind):  # noqa: F811
    learner = _learner(pairs, kind)
    before = {
        (part, k): v.clone() for part, m in learner.modules.items() for k, v in m.named_parameters()
    }
    for index in range(3):
        told = learner.step(index)
    assert all(np.isfinite(value) for value in told.values())
    now = {(part, k): v for part, m in learner.modules.items() for k, v in m.named_parameters()}
    still = [place for place, value in now.items() if torch.equal(value, before[place])]
    assert not still, f"never trained: {still}"


def test_clipped_weights_stay_within_the_limit_and_others_need_not(pairs):  # noqa: F811
    clipped, free = _learner(pairs, "clip", limit=0.02), _learner(pairs, "penalty")
    for learner in (clipped, free):
        learner.step(0)
    for learner, within in ((clipped, True), (free, False)):
        largest = max(float(p.detach().abs().max()) for p in learner.critic.parameters())
        assert (largest <= 0.02 * (1 + 1e-6)) is within


def test_the_critic_learns_to_tell_two_laws_apart(pairs):  # noqa: F811
    learner = _learner(pairs, "penalty", rates=((0, 1e-2),))
    gaps = []
    for turn in range(30):
        learner.optimizers["critic"].param_groups[0]["lr"] = 1e-2
        gaps.append(learner.taught(turn, 0)["gap"])
    assert np.mean(gaps[-5:]) < np.mean(gaps[:5])
    assert np.mean(gaps[-5:]) < 0  # real ones score higher


def test_the_penalty_by_finite_differences():
    torch.manual_seed(0)
    critic = mdot_wgan.Critic(5).double()
    real, fake = (joints(_poses(k, 2, 4).double()) for k in (1, 2))
    mix = torch.tensor([0.25, 0.6], dtype=torch.float64)
    found = gradient_penalty(critic, real, fake, mix)
    share = mix[:, None, None, None]
    between, step, squares = share * real + (1 - share) * fake, 1e-6, torch.zeros(2).double()
    for place in np.ndindex(*between.shape[1:]):
        moved = torch.zeros_like(between)
        moved[(slice(None), *place)] = step
        with torch.no_grad():
            squares += ((critic(between + moved) - critic(between - moved)) / (2 * step)).square()
    found = float(found.detach())
    assert found == pytest.approx(float((squares.sqrt() - 1).square().mean()), rel=1e-6)


def test_a_critic_judges_each_dance_by_itself():
    critic, bodies = mdot_wgan.Critic(5), joints(_poses(1, 3, 9))
    alone = torch.cat([critic(one[None]) for one in bodies])
    torch.testing.assert_close(critic(bodies), alone, rtol=1e-4, atol=1e-5)


def test_rows_of_the_log_hold_what_mdot_logs_and_the_same_numbers_before_training(pairs):  # noqa: F811
    other = _learner(pairs, "clip", log_every=1)
    both = other.batch(0, "first"), other.batch(0, "second")
    ours = mdot.Mdot(TINY, pairs, seed=0)
    told, beside = ours.step(0), mdot_wgan.beside(both, SMALL)
    for name, value in beside.items():
        assert value == pytest.approx(told[name], rel=1e-4), name
    assert set(beside) <= set(other.step(0))
    assert "transport" not in _learner(pairs, "clip").step(0)


def test_a_weight_of_gromov_adds_the_term_of_mdot(pairs):  # noqa: F811
    assert "gromov" in _learner(pairs, "clip", gromov=1.0).step(0)
    assert "gromov" not in _learner(pairs, "clip").step(0)


def test_a_trained_wgan_dances_and_is_found_again(pairs, project):  # noqa: F811
    trained = mdot_wgan.train(replace(SMALL, steps=2), pairs, 0)
    danced = trained.dance(pairs.test.music[:2, :40], pairs.test.pose[:2, 0], 3)
    assert danced.shape == (2, 40, 147)
    assert np.isfinite(danced).all()
    assert mdot_wgan.train(replace(SMALL, steps=2), pairs, 0).run.name == trained.run.name


@pytest.mark.parametrize("profile", ["paper", "gpu", "laptop", "quick"])
def test_every_profile_has_the_sizes_of_mdot(profile):
    ours = getattr(mdot.MdotSettings, profile)()
    other = getattr(mdot_wgan.WganSettings, profile)()
    assert (other.network, other.steps, other.batch) == (ours.network, ours.steps, ours.batch)
    assert other.gromov == 0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("lipschitz", "none", "lipschitz"),
        ("critic_steps", 0, "critic_steps must be at least 1"),
        ("limit", 0.0, "limit must be above 0"),
        ("penalty", -1.0, "penalty must be above 0"),
        ("log_every", 0, "log_every must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(name, value, told):
    with pytest.raises((ValueError, TypeCheckError), match=told):
        replace(SMALL, **{name: value})
