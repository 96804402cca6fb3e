"""Dual learning at tiny size: equations by hand, which loss reaches which network, exact runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.data.canonical import Heading
from pasdedeux.data.pairs import Pairs, PairSettings, Part
from pasdedeux.data.scale import Scale
from pasdedeux.motion.rotation import matrix_from_axis_angle, six_from_matrix
from pasdedeux.papers import dual

B, T = 5, 7
TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=B, steps=3,
    rates=((0, 1e-2),), pairs=PairSettings(frames=75), gromov=1.0,
)  # fmt: skip


def _poses(seed, count=B, frames=T):
    draw = torch.Generator().manual_seed(seed)
    turn = matrix_from_axis_angle(torch.randn(count, frames, 24, 3, generator=draw))
    place = torch.randn(count, frames, 3, generator=draw)
    return torch.cat([place, six_from_matrix(turn).flatten(-2)], -1)


def _songs(seed, count=B, frames=T):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, frames, 53, generator=draw)
    x[..., 40:52] = torch.rand(count, frames, 12, generator=draw)
    x[..., 52] = (torch.rand(count, frames, generator=draw) < 0.2).float()
    return x


@pytest.fixture(scope="module")
def pairs():
    count = 11
    pose, music = _poses(1, count, 75).numpy(), _songs(2, count, 75).numpy()
    place = Heading(np.zeros((count, 2)), np.tile([1.0, 0.0], (count, 1)))
    part = Part(pose, music, np.zeros(count, int), np.arange(count), place)
    scale = Scale(np.zeros(53), np.ones(53))
    parts = {"train": part, "valid": part, "test": part}
    return Pairs(TINY.pairs, (), (), parts, dict.fromkeys(parts, 0), scale, "random numbers")


def test_dual_eq6_reconstruction_compares_each_dance_with_what_is_made_of_its_music(pairs):
    learner = dual.Dual(TINY, pairs, seed=0)
    x, y = learner.songs[:B], learner.dances[:B]
    dancing, composing = learner.losses(x, y, 0)
    made = learner.dancing.danced(
        learner.dancing.encoded(x), y[:, 0], learner._noise(0, "dance", B)
    )
    assert torch.equal(dancing["dance"], dual.dance_distance(y, made))
    single = [dual.dance_distance(y[i : i + 1], made[i : i + 1]) for i in range(B)]
    assert torch.allclose(torch.stack(single).mean(), dancing["dance"])
    assert composing["music"] > 0


def test_dual_eq7_is_l1_of_the_translation_and_squared_angles_over_24_joints():
    y, other = _poses(3), _poses(4)
    one, two = dual.matrices(y).double(), dual.matrices(other).double()
    total = 0.0
    for b in range(B):
        for t in range(T):
            total += float((y[b, t, :3] - other[b, t, :3]).abs().sum())
            for j in range(24):
                trace = float((one[b, t, j] @ two[b, t, j].T).trace())
                total += math.acos(max(-1.0, min(1.0, (trace - 1) / 2))) ** 2
    assert float(dual.dance_distance(y, other)) == pytest.approx(total / (B * T), rel=1e-4)
    assert float(dual.dance_distance(y, y)) == pytest.approx(0, abs=1e-5)
    assert float(dual.dance_distance(other, y)) == pytest.approx(
        float(dual.dance_distance(y, other)), rel=1e-5
    )


def test_dual_eq9_compares_chroma_and_beats_and_nothing_else():
    x, other = _songs(5), _songs(6)
    expected = (x - other)[..., 40:].abs().sum(-1).mean()
    assert torch.allclose(dual.music_distance(x, other), expected)
    changed = other.clone()
    changed[..., :40] += 3
    assert torch.equal(dual.music_distance(x, changed), dual.music_distance(x, other))


def test_dual_eq9_as_printed_is_least_where_no_beat_is_foretold():
    x = torch.zeros(1, 100, 53)
    x[:, ::14, 52] = 1
    scores = {p: dual.music_distance(x, x.new_full(x.shape, 0) + _constant(p)) for p in (0, 0.5, 1)}
    assert scores[0] < scores[0.5] < scores[1]


def _constant(beat):
    frame = torch.zeros(53)
    frame[52] = beat
    return frame


def test_dual_eq10_cycles_go_there_and_back(pairs):
    learner = dual.Dual(TINY, pairs, seed=0)
    x, y = learner.songs[:B], learner.dances[:B]
    dancing, composing = learner.losses(x, y, 0)
    chord = dual.chords(x)
    played = learner.composing.composed(
        learner.composing.encoded(y), chord, learner._noise(0, "music", B)
    )
    back = learner.dancing.danced(
        learner.dancing.encoded(played.frames), y[:, 0], learner._noise(0, "back", B)
    )
    assert torch.allclose(dancing["cycle_dance"], dual.dance_distance(y, back))
    assert composing["cycle_music"] > 0
    without, _ = dual.Dual(replace(TINY, cycle=0.0), pairs, seed=0).losses(x, y, 0)
    assert "cycle_dance" not in without


def test_dual_eq6_and_eq10_of_the_music_are_eq9_of_what_is_played(pairs):
    learner = dual.Dual(replace(TINY, beats="l1"), pairs, seed=0)
    x, y = learner.songs[:B], learner.dances[:B]
    chord, noise = dual.chords(x), learner._noise
    compose, dance = learner.composing, learner.dancing
    _, composing = learner.losses(x, y, 0)
    played = compose.composed(compose.encoded(y), chord, noise(0, "music", B))
    made = dance.danced(dance.encoded(x), y[:, 0], noise(0, "dance", B))
    again = compose.composed(compose.encoded(made), chord, noise(0, "again", B))
    assert torch.allclose(composing["music"], dual.music_distance(x, played.frames))
    assert torch.allclose(composing["cycle_music"], dual.music_distance(x, again.frames))


def test_gromov_wasserstein_moves_the_encoder_of_the_music_alone(pairs):
    learner = dual.Dual(TINY, pairs, seed=0)
    dancing, _ = learner.losses(learner.songs[:B], learner.dances[:B], 0)
    dancing["gromov"].backward()
    moved = {
        f"{name}.{part}"
        for name, module in learner.modules.items()
        for part, weight in module.named_parameters()
        if weight.grad is not None and weight.grad.abs().max() > 0
    }
    assert moved
    assert all(
        part.startswith(("dancing.encoder", "dancing.reads", "dancing.source")) for part in moved
    )


@pytest.mark.parametrize("routing", ["joint", "printed"])
def test_every_weight_of_both_networks_moves(pairs, routing):
    settings = replace(TINY, routing=routing)
    learner = dual.Dual(settings, pairs, seed=0)
    before = {
        n: {k: v.clone() for k, v in m.state_dict().items()} for n, m in learner.modules.items()
    }
    for index in range(3):
        told = learner.step(index)
    assert all(np.isfinite(value) for value in told.values())
    still = [
        f"{name}.{part}"
        for name, module in learner.modules.items()
        for part, value in module.state_dict().items()
        if torch.equal(value, before[name][part])
    ]
    assert not still, f"never trained: {still}"


def test_with_the_printed_routing_no_loss_moves_the_other_network(pairs):
    settings = replace(TINY, routing="printed")
    learner = dual.Dual(settings, pairs, seed=0)
    rows = dual.drawn(len(learner.songs), settings, 0, 0)
    _, composing = learner.losses(learner.songs[rows], learner.dances[rows], 0)
    own = torch.autograd.grad(
        sum(learner.weights.get(n, 1.0) * v for n, v in composing.items()),
        list(learner.composing.parameters()),
        retain_graph=True,
        allow_unused=True,
    )
    learner.step(0)
    for parameter, expected in zip(learner.composing.parameters(), own, strict=True):
        if expected is not None:
            norm = torch.sqrt(sum(g.square().sum() for g in own if g is not None))
            clipped = expected * min(1.0, float(settings.clip / (norm + 1e-6)))
            assert torch.allclose(parameter.grad, clipped, atol=1e-6)


def test_a_start_chord_is_the_triad_that_sounds():
    x = torch.zeros(4, 3, 53)
    for row, (root, third) in enumerate([(0, 4), (9, 3), (7, 4), (2, 3)]):
        for tone in (root, root + third, root + 7):
            x[row, 0, 40 + tone % 12] = 1.0
    found = dual.chords(x)
    assert found[:, :12].argmax(-1).tolist() == [0, 9, 7, 2]
    assert found[:, 12].tolist() == [0, 1, 0, 1]


def test_a_residual_dance_begins_where_it_is_told(pairs):
    learner = dual.Dual(TINY, pairs, seed=0)
    for parameter in learner.dancing.writes.parameters():
        parameter.data.zero_()
    y = learner.dances[:B]
    made = learner.dancing.danced(
        learner.dancing.encoded(learner.songs[:B]), y[:, 0], learner._noise(0, "dance", B)
    )
    assert torch.allclose(made, y[:, :1].expand_as(made), atol=1e-5)


def test_a_dance_of_any_length_repeats_and_follows_its_noise(pairs, project):
    trained = dual.train(replace(TINY, steps=2), pairs, 0)
    music, first = pairs.test.music[:2], pairs.test.pose[:2, 0]
    long = np.concatenate([music, music[:, :20]], axis=1)
    danced = trained.dance(long, first, 3)
    assert danced.shape == (2, 95, 147)
    assert np.isfinite(danced).all()
    assert np.array_equal(trained.dance(long, first, 3), danced)
    assert not np.allclose(trained.dance(long, first, 4), danced)


def test_a_finished_run_is_found_again(pairs, project):
    settings = replace(TINY, steps=2)
    once = dual.train(settings, pairs, 0)
    again = dual.train(replace(settings, workers=3), pairs, 0)
    assert once.run.name == again.run.name
    other = dual.train(replace(settings, epsilon=0.3), pairs, 0)
    assert other.run.name != once.run.name


@pytest.mark.parametrize("profile", ["paper", "gpu", "laptop", "quick"])
def test_every_profile_can_be_made(profile):
    made = getattr(dual.DualSettings, profile)()
    assert made.rate(0) == max(rate for _, rate in made.rates)


def test_the_paper_has_44_and_11_million_weights():
    settings = dual.DualSettings.paper()
    with torch.device("meta"):
        counts = [
            sum(weight.numel() for weight in made(settings).parameters())
            for made in (dual.Dancing, dual.Composing)
        ]
    assert counts[0] == pytest.approx(44.43e6, rel=0.01)
    assert counts[1] == pytest.approx(11.18e6, rel=0.01)
    assert settings.rate(19_999) == 1e-4
    assert (settings.rate(20_000), settings.rate(40_000)) == (1e-5, 5e-6)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="batch must be at least 3"):
        replace(TINY, batch=2)
    with pytest.raises(ValueError, match="cycle is a weight"):
        replace(TINY, cycle=-1.0)
    with pytest.raises(ValueError, match="rates must begin"):
        replace(TINY, rates=((5, 1e-3),))
