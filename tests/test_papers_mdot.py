"""MDOT-Net at tiny size: costs by plain loops, both mini-batches, who learns, exact runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.data.canonical import Heading
from pasdedeux.data.pairs import Pairs, PairSettings, Part
from pasdedeux.data.scale import Scale
from pasdedeux.motion.rotation import geodesic, matrix_from_axis_angle, six_from_matrix
from pasdedeux.ot.sinkhorn import printed_sinkhorn, sinkhorn
from pasdedeux.papers import dual, mdot

B, T = 5, 7
NETWORK = dual.DualSettings(width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3)
TINY = mdot.MdotSettings(
    network=NETWORK, batch=B, steps=3, rates=((0, 1e-2),), pairs=PairSettings(frames=75), every=20
)


def _poses(seed, count=B, frames=T):
    draw = torch.Generator().manual_seed(seed)
    turn = matrix_from_axis_angle(torch.randn(count, frames, 24, 3, generator=draw))
    place = torch.randn(count, frames, 3, generator=draw)
    return torch.cat([place, six_from_matrix(turn).flatten(-2)], -1)


@pytest.fixture(scope="module")
def pairs():
    count = 13
    music = torch.randn(count, 75, 53, generator=torch.Generator().manual_seed(2)).numpy()
    place = Heading(np.zeros((count, 2)), np.tile([1.0, 0.0], (count, 1)))
    part = Part(_poses(1, count, 75).numpy(), music, np.zeros(count, int), np.arange(count), place)
    parts = {"train": part, "valid": part, "test": part}
    scale = Scale(np.zeros(53), np.ones(53))
    return Pairs(TINY.pairs, (), (), parts, dict.fromkeys(parts, 0), scale, "random numbers")


@pytest.mark.parametrize("every", [1, 3])
def test_the_cost_of_two_dances_is_eq7_frame_by_frame(every):
    x, other = _poses(1), _poses(2, 4)
    found = mdot.dance_cost(x, other, every=every)
    frames = range(0, T, every)
    for i in range(B):
        for j in range(4):
            total = 0.0
            for t in frames:
                one, two = (dual.matrices(y[t : t + 1, None])[0, 0] for y in (x[i], other[j]))
                total += float(geodesic(one, two).square().sum())
                total += float((x[i, t, :3] - other[j, t, :3]).abs().sum())
            assert float(found[i, j]) == pytest.approx(total / len(frames), rel=1e-4)


def test_every_frame_the_cost_is_the_paired_distance_of_dual_learning():
    x, other = _poses(1), _poses(2)
    paired = mdot.dance_cost(x, other).diagonal().mean()
    assert float(paired) == pytest.approx(float(dual.dance_distance(x, other)), rel=1e-5)


def test_the_cost_of_two_songs_by_plain_loops():
    y, other = torch.randn(3, T, 53), torch.randn(4, T, 53)
    found = mdot.song_cost(y, other)
    for i in range(3):
        for j in range(4):
            assert torch.allclose(found[i, j], (y[i] - other[j]).abs().sum() / T, rtol=1e-5)


def test_both_mini_batches_are_drawn_and_differ(pairs):
    first = dual.drawn(13, TINY, 0, 4, "first")
    second = dual.drawn(13, TINY, 0, 4, "second")
    assert len(set(first.tolist())) == B
    assert first.tolist() != second.tolist()


def test_mdot_pipeline_each_batch_of_dances_is_made_of_its_own_songs(pairs):
    """X~ = g(Y) and X~' = g(Y'), each from the first poses of its own dances."""
    learner = mdot.Mdot(TINY, pairs, seed=0)
    for name in ("first", "second"):
        batch = learner.batch(4, name)
        rows = dual.drawn(13, TINY, 0, 4, name)
        assert torch.equal(batch.songs, learner.songs[rows])
        assert torch.equal(batch.real, learner.dances[rows])
        noise = torch.randn(B, NETWORK.noise, generator=mdot.generator(0, name, 4))
        memory = learner.dancing.encoded(batch.songs)
        torch.testing.assert_close(
            batch.made, learner.dancing.danced(memory, batch.real[:, 0], noise)
        )


def test_mdot_pipeline_the_first_loss_is_the_six_printed_terms_over_four(pairs):
    learner = mdot.Mdot(TINY, pairs, seed=0)
    one, other = learner.batch(0, "first"), learner.batch(0, "second")
    unit = mdot.dance_cost(one.real, other.real, every=20).mean()

    def term(x, y):
        cost = mdot.dance_cost(x, y, every=20).detach() / unit
        return float(printed_sinkhorn(cost.double(), epsilon=0.05, iterations=3000)[1]) / B

    printed = (
        term(one.made, one.real) + term(other.made, one.real) + term(one.made, other.real)
        + term(other.made, other.real) - 2 * term(one.made, other.made)
        - 2 * term(one.real, other.real)
    )  # fmt: skip
    settings = replace(TINY, iterations=3000)
    found = mdot.transport((one.made, other.made), (one.real, other.real), settings)
    assert float(found.detach()) == pytest.approx(printed / 4, rel=1e-3)


def test_mdot_pipeline_the_second_loss_compares_distances_across_the_two_batches(pairs):
    """D_ij = c(x~_i, x~'_j) against C_ij = d(y_i, y'_j): 0 where they are the same numbers."""
    learner = mdot.Mdot(TINY, pairs, seed=0)
    both = learner.batch(0, "first"), learner.batch(0, "second")
    songs, _, made = zip(*both, strict=True)
    made = tuple(dances.detach() for dances in made)
    C, D = mdot.song_cost(*songs), mdot.dance_cost(*made, every=20)
    plan = mdot.gromov(D / D.mean(), C / C.mean(), epsilon=0.08, steps=mdot.PRINTED_STEPS).plan
    gaps = (D / D.mean())[:, None, :, None] - (C / C.mean())[None, :, None, :]
    total = torch.einsum("ijkl,ij,kl->", gaps.square(), plan, plan)
    assert float(mdot.relational(made, songs, TINY)) == pytest.approx(float(total), rel=1e-3)


def test_mdot_pipeline_an_update_follows_the_sum_of_both_slopes(pairs):
    learner = mdot.Mdot(replace(TINY, clip=1e9), pairs, seed=0)
    losses = learner.losses((learner.batch(0, "first"), learner.batch(0, "second")))
    slopes = torch.autograd.grad(sum(losses.values()), list(learner.dancing.parameters()))
    learner.step(0)
    for weight, slope in zip(learner.dancing.parameters(), slopes, strict=True):
        torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=1e-5)


def test_real_dances_in_place_of_generated_ones_are_no_distance_away_on_average(pairs):
    learner = mdot.Mdot(TINY, pairs, seed=0)
    values = []
    for index in range(60):
        rows = torch.randperm(13, generator=torch.Generator().manual_seed(index))[:12]
        parts = learner.dances[rows].split(3)
        scale = mdot.dance_cost(parts[2], parts[3], every=20).mean()
        found = mdot.unbiased_distance(
            (parts[0], parts[1]), (parts[2], parts[3]),
            cost=lambda x, o, s=scale: mdot.dance_cost(x, o, every=20) / s, epsilon=0.05,
        )  # fmt: skip
        values.append(float(found.value))
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)


def test_every_weight_of_the_generator_moves_and_the_losses_are_finite(pairs):
    learner = mdot.Mdot(TINY, pairs, seed=0)
    before = {k: v.clone() for k, v in learner.dancing.state_dict().items()}
    for index in range(3):
        told = learner.step(index)
    assert set(told) == {"transport", "gromov", "norm", "speed", "speed, real"}
    assert all(np.isfinite(value) for value in told.values())
    still = [k for k, v in learner.dancing.state_dict().items() if torch.equal(v, before[k])]
    assert not still, f"never trained: {still}"


def test_the_weight_of_gromov_0_leaves_it_out(pairs):
    learner = mdot.Mdot(replace(TINY, gromov=0.0), pairs, seed=0)
    both = learner.batch(0, "first"), learner.batch(0, "second")
    assert set(learner.losses(both)) == {"transport"}


def test_the_speed_of_a_body_carried_along_is_its_own():
    pose = _poses(1)[:, :1].repeat(1, T, 1)
    pose[..., 0] += 0.1 * torch.arange(T)  # metres a frame, 25 frames a second
    assert mdot.speed((pose, pose)) == pytest.approx(2.5, rel=1e-4)
    assert mdot.speed((pose, pose[:, :1].expand_as(pose))) == pytest.approx(1.25, rel=1e-4)


def test_it_dances_any_length_and_a_finished_run_is_found_again(pairs, project):
    settings = replace(TINY, steps=2)
    trained = mdot.train(settings, pairs, 0)
    danced = trained.dance(pairs.test.music[:2, :40], pairs.test.pose[:2, 0], 3)
    assert danced.shape == (2, 40, 147)
    assert np.isfinite(danced).all()
    assert mdot.train(settings, pairs, 0).run.name == trained.run.name


@pytest.mark.parametrize("profile", ["paper", "gpu", "laptop", "quick"])
def test_every_profile_can_be_made(profile):
    assert getattr(mdot.MdotSettings, profile)().batch == 16


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="batch must be at least 3"):
        replace(TINY, batch=2)
    with pytest.raises(ValueError, match="epsilon must be above 0"):
        replace(TINY, epsilon=0.0)
    with pytest.raises(ValueError, match="every must be at least 1"):
        replace(TINY, every=0)


def test_mdot_pipeline_two_mini_batches_six_transports_and_one_gromov_wasserstein(pairs):
    """The README's pipeline, line by line: draw, generate, OT bar as six terms, GW, their sum."""
    learner = mdot.Mdot(TINY, pairs, seed=0)
    batches = []
    for name in ("first", "second"):
        rows = mdot.drawn(len(learner.songs), TINY, 0, 0, name)
        songs, real = learner.songs[rows], learner.dances[rows]
        noise = torch.randn(len(rows), TINY.network.noise, generator=generator(0, name, 0))
        made = learner.dancing.danced(learner.dancing.encoded(songs), real[:, 0], noise)
        batches.append((songs, real, made))
    (songs, real, made), (songs_other, real_other, made_other) = batches
    scale = mdot.dance_cost(real, real_other, every=TINY.every).mean()

    def transport(x, y):
        cost = mdot.dance_cost(x, y, every=TINY.every) / scale
        return sinkhorn(cost, epsilon=TINY.epsilon, iterations=TINY.iterations).value

    unbiased = (
        transport(made, real) + transport(made_other, real) + transport(made, real_other)
        + transport(made_other, real_other) - 2 * transport(made, made_other)
        - 2 * transport(real, real_other)
    )  # fmt: skip
    losses = learner.losses((learner.batch(0, "first"), learner.batch(0, "second")))
    assert torch.allclose(losses["transport"], unbiased / mdot.QUARTER, atol=1e-4)
    shape = mdot.relational((made, made_other), (songs, songs_other), TINY)
    assert torch.allclose(losses["gromov"], shape, atol=1e-5)
    assert set(losses) == {"transport", "gromov"}
