import math

import numpy as np
import pytest
from tiny_tang import needs_tang, turned

from pasdedeux.data import copies, splits, tang
from pasdedeux.data.copies import CopySettings, audit, marked, nearest, novel, poses
from pasdedeux.data.windows import views, windows

HIPS = (3, 1)
SETTINGS = CopySettings(frames=11, step_frames=2)
FIRST = CopySettings(frames=11, step_frames=2, root="first")


def wander(frames, seed, joints=5):
    """Return T x J x 3 points that move smoothly, never the same way twice."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 25
    rates, phases = rng.uniform(1, 5, size=(2, joints * 3))
    points = np.sin(rates * t + phases).reshape(frames, joints, 3)
    return (
        points
        + rng.normal(size=(joints, 3))
        + np.cumsum(rng.normal(scale=0.02, size=3)) * t[..., None]
    )


def seen(window, root):
    """Return the poses of a window as they are compared, from the definition, pose by pose."""
    found = []
    for pose in window[::2]:
        of = pose if root == "each" else window[0]
        left, middle = of[HIPS[0]] - of[HIPS[1]], (of[HIPS[0]] + of[HIPS[1]]) / 2
        away = middle if root == "each" else middle * [1, 0, 1]
        found.append(turned(pose - away, math.atan2(left[2], left[0])))
    return np.array(found)


def apart(window, other):
    """Return the root mean square distance of two windows from `seen`."""
    return math.sqrt(np.mean(np.sum((window - other) ** 2, axis=-1)))


@pytest.mark.parametrize("settings", [SETTINGS, FIRST])
def test_distances_by_brute_force(settings):
    dances = [wander(frames, seed) for seed, frames in enumerate((19, 23, 17))]
    found = audit(dances, ["p", "p", "q"], hips=HIPS, settings=settings)
    cut = [
        (n, seen(window, settings.root))
        for n, points in enumerate(dances)
        for window in views(points, 11, 2)
    ]
    expected = [min(apart(window, other) for m, other in cut if m != n) for n, window in cut]
    assert found.metres == pytest.approx(expected)
    assert found.dance.tolist() == [n for n, _ in cut]
    for row, dances_of in zip(found.genres, ((0, 1), (2,)), strict=True):
        inside = np.array([e for e, (n, _) in zip(expected, cut, strict=True) if n in dances_of])
        assert (row.dances, row.windows) == (len(dances_of), len(inside))
        assert row.median_metres == pytest.approx(np.median(inside))
    assert [row.name for row in found.dances] == ["0", "1", "2"]


@pytest.mark.parametrize("settings", [SETTINGS, FIRST])
def test_planted_copies_are_found_wherever_they_stand_and_look(settings):
    source, other = wander(61, 0), wander(47, 1)
    planted = turned(source[20:40], 2.3) + [4.0, 0.0, -3.0]
    other[10:30] = planted  # at multiples of the step in both, so the audit's windows meet
    found = audit([source, other], ["p", "q"], hips=HIPS, settings=settings)
    starts = [*range(0, 51, 2), *range(0, 37, 2)]
    copied = {(0, start) for start in (20, 22, 24, 26, 28)} | {(1, s) for s in (10, 12, 14, 16, 18)}
    near = found.metres < 1e-9
    assert {
        (int(n), s) for n, s, hit in zip(found.dance, starts, near, strict=True) if hit
    } == copied
    assert [row.near_share for row in found.genres] == pytest.approx([5 / 26, 5 / 19])


def test_a_path_of_its_own_counts_only_for_the_first_root():
    source = wander(31, 0)
    away = np.cumsum(np.full((31, 1, 3), 0.2) * [1, 0.1, 1], axis=0)
    spun = turned(source, 0.05 * np.arange(31)[:, None]) + away
    shares = [
        audit([source, spun], ["p", "q"], hips=HIPS, settings=settings).genres[0].near_share
        for settings in (SETTINGS, FIRST)
    ]
    assert shares == [1, 0]


def test_a_copy_at_any_frame_is_not_novel():
    source = wander(61, 0)
    for shift in range(5):
        test = views(turned(source, 1.0) + 2.0, 11, 7)
        assert not novel(test, [source[shift:]], hips=HIPS, settings=SETTINGS)[1:].any()
    assert novel(views(wander(61, 4), 11, 7), [source], hips=HIPS, settings=SETTINGS).all()


def test_the_limit_is_a_distance_in_metres():
    source = wander(41, 0)
    noisy = source + np.random.default_rng(1).normal(scale=0.02 / math.sqrt(3), size=source.shape)
    cut = windows([noisy], 11, 3)
    found = nearest(poses(cut, HIPS, SETTINGS), poses(views(source, 11, 1), HIPS, SETTINGS))
    assert found.index.tolist() == list(range(0, 31, 3))
    assert (found.metres < 0.06).all()
    wide, narrow = (CopySettings(frames=11, step_frames=2, limit_metres=x) for x in (0.06, 0.005))
    assert not novel(cut, [source], hips=HIPS, settings=wide).any()
    assert novel(cut, [source], hips=HIPS, settings=narrow).all()


def test_more_windows_than_a_block_and_single_precision():
    rng = np.random.default_rng(0)
    many, others = rng.normal(size=(1201, 2, 3, 3)), rng.normal(size=(307, 2, 3, 3))
    exact = np.sqrt(np.square(many[:, None] - others[None]).sum(axis=(2, 3, 4)) / 6)
    found = nearest(many, others)
    np.testing.assert_array_equal(found.index, exact.argmin(axis=1))
    np.testing.assert_allclose(found.metres, exact.min(axis=1))
    single = nearest(many.astype(np.float32), others.astype(np.float32))
    np.testing.assert_allclose(single.metres, exact.min(axis=1), rtol=1e-5)
    same = nearest(many.astype(np.float32), many.astype(np.float32))
    assert same.metres.max() == 0


def test_owners_keep_apart_and_may_leave_nothing():
    some = np.random.default_rng(0).normal(size=(7, 2, 3, 3))
    owner = np.array([0, 0, 0, 1, 1, 2, 2])
    found = nearest(some, some, owner=owner, others_owner=owner)
    assert (owner[found.index] != owner).all()
    alone = nearest(some, some, owner=owner * 0, others_owner=owner * 0)
    assert np.isinf(alone.metres).all()
    assert set(alone.index) == {-1}
    assert np.isinf(nearest(some, some[:0]).metres).all()
    (row,) = audit([wander(19, 0)], ["p"], hips=HIPS, settings=SETTINGS).genres
    assert (row.near_share, row.median_metres) == (0, np.inf)


def test_short_dances_have_no_row():
    found = audit(
        [wander(19, 0), wander(10, 1), wander(17, 2)],
        ["p", "q", "p"],
        names=["a", "b", "c"],
        hips=HIPS,
        settings=SETTINGS,
    )
    assert [row.name for row in found.genres] == ["p"]
    assert [row.name for row in found.dances] == ["a", "c"]
    with pytest.raises(ValueError, match="no dance is as long as a window of 11 frames"):
        audit([wander(10, 1)], ["q"], hips=HIPS, settings=SETTINGS)


def leaking(seed):
    """Return five dances where pieces of some are spliced into others, with random splits."""
    rng = np.random.default_rng(seed)
    dances = [
        wander(int(frames), 10 * seed + n) for n, frames in enumerate(rng.integers(20, 60, 5))
    ]
    for _ in range(3):
        giver, taker = rng.permutation(5)[:2]
        length = 15
        start, end = rng.integers(0, [len(dances[n]) - length for n in (giver, taker)])
        piece = turned(dances[giver][start : start + length], rng.uniform(0, 6))
        dances[taker][end : end + length] = piece + rng.normal(scale=0.01, size=(length, 5, 3))
    return dances, ["train", "test", *rng.choice(["train", "valid", "test"], size=3).tolist()]


@pytest.mark.parametrize("seed", range(7))
def test_novel_windows_never_have_a_near_copy_in_train(seed):
    dances, parts = leaking(seed)
    found = marked(dances, parts, stride=3, hips=HIPS, settings=SETTINGS)
    train = [
        seen(window, "each")
        for points, part in zip(dances, parts, strict=True)
        if part == "train"
        for window in views(points, 11, 1)
    ]
    assert found.part.tolist() == [parts[n] for n in found.dance]
    cut = windows(dances, 11, 3)
    assert len(cut) == len(found.start)
    for n, start, part, fresh, window in zip(*found, cut, strict=True):
        np.testing.assert_array_equal(dances[n][start : start + 11], window)
        copied = min(apart(seen(window, "each"), other) for other in train) < 0.06
        assert fresh == (part == "train" or not copied)


def test_planted_leaks_are_marked():
    assert (
        sum(
            (~marked(*leaking(s), stride=3, hips=HIPS, settings=SETTINGS).novel).sum()
            for s in range(7)
        )
        > 10
    )


def test_bad_calls_are_refused():
    some = wander(19, 0)
    with pytest.raises(ValueError, match="step_frames must be 1 to frames = 11, got 12"):
        CopySettings(frames=11, step_frames=12)
    with pytest.raises(ValueError, match=r"limit_metres must be above 0, got 0\.0"):
        CopySettings(limit_metres=0.0)
    with pytest.raises(ValueError, match="windows must hold 75 frames, got 11"):
        poses(views(some, 11, 2), HIPS)
    with pytest.raises(ValueError, match="equally long, got 1, 2 and 1"):
        audit([some], ["p", "q"], hips=HIPS, settings=SETTINGS)
    with pytest.raises(ValueError, match="equally long, got 1 and 2"):
        marked([some], ["train", "test"], stride=3, hips=HIPS, settings=SETTINGS)
    cut = poses(views(some, 11, 2), HIPS, SETTINGS)
    with pytest.raises(ValueError, match="give both owners or none"):
        nearest(cut, cut, owner=np.zeros(len(cut), int))
    some[4, 2, 1] = np.nan
    with pytest.raises(ValueError, match="windows must be finite; leave out the dances"):
        audit([some], ["p"], hips=HIPS, settings=SETTINGS)


@pytest.mark.slow
@needs_tang
def test_the_published_dances_are_split_without_leaks():
    takes = [take for take in tang.read().takes if not take.suspect]
    points, genres = [t.points_world for t in takes], [t.genre for t in takes]
    found = audit(points, genres, names=[t.name for t in takes])
    shares = {row.name: row.near_share for row in found.genres}
    assert shares["Waltz"] == pytest.approx(0.92, abs=0.02)
    assert shares["Rumba"] > 5 * shares["Cha Cha"]
    songs = splits.together([t.name for t in takes], tang.songs(tuple(takes)))
    copied = [row.near_share for row in found.dances]
    parts = splits.held_out(songs, genres, [len(p) for p in points], copied)
    assert parts[[t.name for t in takes].index("W_34")] == "test"
    cut = marked(points, parts, stride=50)
    kept = (cut.part == "test") & cut.novel
    train = [p for p, part in zip(points, parts, strict=True) if part == "train"]
    shown = poses(np.concatenate([views(p, 75, 13) for p in train]), copies.TANG_HIPS)
    where = zip(cut.dance[kept], cut.start[kept], strict=True)
    held = poses(np.stack([points[n][s : s + 75] for n, s in where]), copies.TANG_HIPS)
    assert nearest(held, shown).metres.min() >= copies.LIMIT_METRES
    for genre in set(genres):
        inside = np.array(genres)[cut.dance] == genre
        assert {*cut.part[inside]} == {"train", "valid", "test"}
        assert (kept & inside).any()
