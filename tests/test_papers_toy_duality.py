"""The toy duality: counts by brute force, isometries, and what small networks learn."""

import itertools

import numpy as np
import pytest
import torch

from pasdedeux.ot.gromov import tensor_product
from pasdedeux.papers import toy_duality
from pasdedeux.papers.toy_duality import Trial


def test_the_true_map_keeps_distances_and_every_dance_is_used():
    for toy in (toy_duality.ring(7), toy_duality.ring(5, uneven=0.3, seed=2)):
        assert sorted(toy.truth) == list(range(len(toy.truth)))
        np.testing.assert_allclose(
            toy_duality.inner(toy.dances[toy.truth]), toy_duality.inner(toy.songs), atol=1e-12
        )


@pytest.mark.parametrize("known", [(), (0,), (0, 2)])
def test_solutions_by_brute_force_over_all_pairs_of_maps(known):
    """Every pair of maps between three points, and all permutations of them."""
    toy = toy_duality.ring(3)
    maps = list(itertools.product(range(3), repeat=3))
    truth = toy.truth.tolist()
    there = [g for g in maps if all(g[k] == truth[k] for k in known)]
    back = [f for f in maps if all(f[truth[k]] == k for k in known)]
    cycles = [
        (g, f)
        for g in there
        for f in back
        if all(f[g[k]] == k for k in range(3)) and all(g[f[k]] == k for k in range(3))
    ]
    D, C = toy_duality.inner(toy.songs), toy_duality.inner(toy.dances)
    kept = [g for g, _ in cycles if np.allclose(C[np.ix_(g, g)], D)]
    found = toy_duality.solutions(toy, known)
    assert found == (len(there) * len(back), len(cycles), len(kept))


@pytest.mark.parametrize(("count", "uneven"), [(4, 0.0), (5, 0.0), (5, 0.3)])
def test_isometries_are_those_among_all_permutations(count, uneven):
    toy = toy_duality.ring(count, uneven=uneven)
    D, C = toy_duality.inner(toy.songs), toy_duality.inner(toy.dances)
    every = [
        p
        for p in itertools.permutations(range(count))
        if np.allclose(C[np.ix_(p, p)], D, atol=1e-6)
    ]
    found = toy_duality.isometries(D, C)
    assert sorted(found) == sorted(every)
    assert len(found) == (1 if uneven else 2 * count)
    assert tuple(toy.truth) in found


def test_one_pair_leaves_the_mirror_image_and_a_second_beside_it_nothing():
    toy = toy_duality.ring(8)
    left = [toy_duality.solutions(toy, known)[2] for known in ((), (0,), (0, 1), (0, 4))]
    assert left == [16, 2, 1, 2], "a point and its opposite lie on one axis of mirrors"


def test_the_last_song_follows_from_the_cycle_when_all_others_are_told():
    toy = toy_duality.ring(5)
    assert toy_duality.solutions(toy, range(4))[:2] == (25, 1)
    assert toy_duality.solutions(toy, range(3))[:2] == (625, 2)


def test_where_transport_ends_lowest_it_has_an_isometry_and_not_always_the_same():
    toy = toy_duality.ring(6)
    found = toy_duality.matched(toy, 20)
    best = found.value < found.value.min() + 1e-4
    maps = {tuple(row) for row in found.plan[best].argmax(-1).tolist()}
    same = set(toy_duality.isometries(toy_duality.inner(toy.songs), toy_duality.inner(toy.dances)))
    assert maps <= same
    assert len(maps) > 3


def test_both_ties_are_0_at_a_wrong_isometry_and_reconstruction_is_not():
    """The networks' places taken by an exact turn: nothing but the told pair sees the mistake."""
    songs = torch.from_numpy(toy_duality.ring(7).songs).float()[None]
    turned = songs.roll(1, dims=1)  # each song plays its neighbour's part
    assert float(toy_duality._distortion(turned, songs)) == pytest.approx(0, abs=1e-6)
    assert float(toy_duality._apart(turned, songs).min()) > 0.5


def test_distortion_is_the_four_index_sum_of_the_plan_that_the_network_is():
    draw = torch.Generator().manual_seed(0)
    image, points = (torch.randn(1, 5, 2, generator=draw, dtype=torch.float64) for _ in range(2))
    plan = torch.eye(5, dtype=torch.float64)[None] / 5
    D, C = torch.cdist(points, points), torch.cdist(image, image)
    expected = (tensor_product(D, C, plan) * plan).sum()
    torch.testing.assert_close(toy_duality._distortion(image, points)[0], expected)


def test_a_trial_learns_the_same_alone_as_beside_others():
    toy, trials = toy_duality.ring(5), [Trial((0, 1), 1.0, 0.0), Trial((), 0.0, 1.0)]
    both = toy_duality.learn(toy, trials, runs=3, steps=7, hidden=4)
    for trial, beside in zip(trials, both, strict=True):
        (alone,) = toy_duality.learn(toy, [trial], runs=3, steps=7, hidden=4)
        np.testing.assert_allclose(alone.danced, beside.danced, atol=1e-5)
    assert both[0].danced.shape == (3, 5, 2)


def test_each_loss_reaches_its_own_aim_and_only_pairs_reach_the_truth():
    trials = [Trial((), 1.0, 0.0), Trial((), 0.0, 1.0), Trial((0, 3, 5, 8), 1.0, 1.0)]
    toy = toy_duality.ring()
    rows = toy_duality.summary(trials, toy_duality.learn(toy, trials, runs=7))
    cycle, shape, all_three = rows
    assert cycle["after there and back"] < 0.1 < cycle["from the truth"]
    assert shape["inner distances off by"] < 0.1 < shape["after there and back"]
    assert all_three["from the truth"] < 0.1
    assert cycle["right (%)"] < 50 < all_three["right (%)"]


def test_plans_of_maps_and_maps_of_points():
    toy = toy_duality.ring(5)
    plan = toy_duality.plan_of(toy.truth)
    np.testing.assert_allclose(plan.sum(0), 0.2)
    assert np.array_equal(plan.argmax(1), toy.truth)
    assert np.array_equal(toy_duality.nearest(toy, 1.1 * toy.dances[toy.truth]), toy.truth)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="count must be at least 3"):
        toy_duality.ring(2)
    with pytest.raises(ValueError, match="got none"):
        Trial()
    with pytest.raises(ValueError, match="names a song twice"):
        Trial((1, 1))
