"""Numbers of listening tests: hand-worked values, published examples, and what cannot be shown."""

import numpy as np
import pytest
from scipy import stats

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.metrics import listening

NAN = float("nan")


def _generator(name="test"):
    return numpy_generator(0, name)


# ---------------------------------------------------------------- fusion level


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 7, 0], 100.0),
        ([0, 0, 0, 5], 0.0),
        ([5, 0, 0, 0], 0.0),
        ([3, 3, 0, 0], 100.0),  # the blind spot: no mixture at all
        ([10, 6, 4, 5], 64.0),  # 1 - (4 + 5) / 25
    ],
)
def test_fusion_level_by_hand(counts, expected):
    assert listening.fusion_level(np.array(counts)) == pytest.approx(expected)


def test_fusion_level_is_the_same_for_both_genres_and_any_scale():
    counts = np.array([7, 11, 5, 3])
    swapped = counts[[1, 0, 2, 3]]
    assert listening.fusion_level(counts) == listening.fusion_level(swapped)
    assert listening.fusion_level(13.0 * counts) == pytest.approx(listening.fusion_level(counts))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2, 3], "got 3 numbers"),
        ([0, 0, 0, 0], "at least one answer"),
        ([1, -1, 0, 0], "at least 0"),
    ],
)
def test_fusion_level_refuses(counts, message):
    with pytest.raises(ValueError, match=message):
        listening.fusion_level(np.array(counts))


def test_share_in_percent():
    assert listening.shares(1)(np.array([[1.0, 3.0, 0.0, 4.0]])).tolist() == [37.5]


def test_rows_are_what_they_are_alone():
    drawn = _generator("rows").integers(0, 9, size=(50, 4)) + np.array([0, 0, 1, 0])
    alone = [listening.fusion_level(row) for row in drawn]
    assert listening.fusion_levels(drawn.astype(float)) == pytest.approx(alone)


def test_the_interval_is_the_quantiles_of_listeners_drawn_with_replacement():
    """Two listeners: both, the first twice or the second twice, with chances 1/2, 1/4 and 1/4."""
    counts = np.array([[4, 0, 0, 0], [0, 4, 0, 0]])
    told = listening.over_listeners(counts, listening.fusion_levels, generator=_generator())
    assert told == (100.0, 0.0, 100.0, 2)
    draws = {"draws": 20_000, "level": 0.4}  # below a half: only the middle is left
    narrow = listening.over_listeners(
        np.array([[3, 0], [1, 2]]), listening.shares(0), generator=_generator(), **draws
    )
    assert narrow.value == pytest.approx(narrow.low) == pytest.approx(narrow.high)


def test_the_interval_over_listeners_holds_the_truth_nineteen_times_in_twenty():
    truth = np.array([0.36, 0.25, 0.20, 0.19])
    level, held = listening.fusion_level(truth), 0
    for trial in range(200):
        drawn = numpy_generator(trial, "coverage").multinomial(12, truth, size=23)
        told = listening.over_listeners(
            drawn, listening.fusion_levels, generator=_generator(f"{trial}"), draws=400
        )
        held += told.low <= level <= told.high
    assert 0.88 <= held / 200 <= 0.99


def test_listeners_who_agree_with_themselves_make_wider_intervals():
    """As many answers, but each listener always says the same: fewer independent opinions."""
    alike = np.repeat(np.eye(4, dtype=int) * 10, [4, 3, 2, 2], axis=0)
    spread = np.full((11, 4), 2) + (np.arange(11) % 4 == np.arange(4)[:, None]).T * 2
    wide, narrow = (
        listening.over_listeners(c, listening.fusion_levels, generator=_generator())
        for c in (alike, spread)
    )
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert wide.listeners == 11


def test_who_answered_nothing_is_no_listener():
    counts = np.array([[2, 1, 1, 0], [0, 0, 0, 0], [1, 1, 3, 1]])
    told = listening.over_listeners(counts, listening.fusion_levels, generator=_generator())
    assert told.listeners == 2
    with pytest.raises(ValueError, match="nobody has answered"):
        listening.over_listeners(counts[1:2], listening.fusion_levels, generator=_generator())


def test_qualified_needs_the_share_and_a_question():
    right, asked = np.array([0, 5, 6, 0]), np.array([10, 10, 10, 0])
    assert listening.qualified(right, asked).tolist() == [False, False, True, False]
    assert listening.qualified(right, asked, pass_share=0.5).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="swapped"):
        listening.qualified(asked, right)
    with pytest.raises(ValueError, match="pass_share"):
        listening.qualified(right, asked, pass_share=0.0)


def test_wilsons_interval_by_its_formula():
    value, low, high = listening.share_right(13, 20)
    z = stats.norm.ppf(0.975)
    middle = (13 + z * z / 2) / (20 + z * z)
    half = z / (20 + z * z) * np.sqrt(13 * 7 / 20 + z * z / 4)
    assert (value, low, high) == pytest.approx((65.0, 100 * (middle - half), 100 * (middle + half)))


# ---------------------------------------------------------------- ranks


def _ranks(L, N, K, generator, pull=0.0):
    scores = generator.normal(size=(L, N, K)) + pull * np.arange(K)
    return np.argsort(np.argsort(scores, axis=-1), axis=-1) + 1


def test_average_ranks_sum_to_those_of_a_permutation():
    ranks = _ranks(7, 3, 5, _generator())
    told = listening.average_rank(ranks, generator=_generator())
    assert sum(one.value for one in told) == pytest.approx(15.0)
    assert [one.value for one in told] == pytest.approx(ranks.mean(axis=(0, 1)).tolist())
    assert all(one.low <= one.value <= one.high for one in told)


def test_friedman_is_the_formula_on_listeners_means():
    ranks = _ranks(9, 1, 4, _generator("f"), pull=0.5)
    told = listening.friedman(ranks)
    sums = ranks[:, 0].sum(axis=0)
    chi = 12 / (9 * 4 * 5) * (sums**2).sum() - 3 * 9 * 5
    assert told.statistic == pytest.approx(chi)
    assert told.p == pytest.approx(stats.chi2.sf(chi, 3))
    assert told.agreement == pytest.approx(chi / (9 * 3))  # Kendall's W


def test_full_agreement_and_none():
    same = np.tile(np.arange(1, 5), (6, 2, 1))
    assert listening.friedman(same).agreement == pytest.approx(1.0)
    turning = np.stack([np.roll(np.arange(1, 5), n) for n in range(4)])[:, None]
    assert listening.friedman(turning).agreement == pytest.approx(0.0)
    cancelled = np.array([[[1, 2, 3], [3, 2, 1]], [[1, 2, 3], [3, 2, 1]]])
    assert listening.friedman(cancelled) == (0.0, 1.0, 0.0)


def test_five_listeners_cannot_show_any_pair():
    """As many as in the dual-learning paper's Table 3, in full agreement."""
    ranks = np.tile(np.arange(1, 5), (5, 3, 1))
    for pair in listening.pairwise(ranks):
        assert pair.p == pytest.approx(listening.smallest_p(5)) == 0.0625
        assert pair.p_holm > 0.05
    assert listening.friedman(ranks).p < 0.01


def test_pairwise_finds_a_planted_order_and_nothing_where_there_is_none():
    planted = listening.pairwise(_ranks(20, 3, 3, _generator("p"), pull=3.0))
    assert [(one.first, one.second) for one in planted] == [(0, 1), (0, 2), (1, 2)]
    assert all(one.difference < 0 and one.p_holm < 0.01 for one in planted)
    none = listening.pairwise(_ranks(20, 3, 3, _generator("n")))
    assert all(one.p_holm > 0.05 for one in none)
    same = np.array([[[1, 2, 3], [2, 1, 3]]] * 6)
    assert listening.pairwise(same)[0].p == 1.0


def test_holm_by_hand():
    found = listening.holm(np.array([0.04, 0.01, 0.03, 0.6]))
    assert found == pytest.approx([0.09, 0.04, 0.09, 0.6])


@pytest.mark.parametrize("ranks", [[[[0, 1, 2]]], [[[1, 1, 3]]], [[[1.0, 2.0, 4.0]]]])
def test_ranks_that_are_no_permutation_are_refused(ranks):
    with pytest.raises(ValueError, match="must hold 1 to 3 once"):
        listening.validate_ranks(np.array(ranks, dtype=int))


# ---------------------------------------------------------------- scores


def test_mean_opinion_leaves_out_what_is_missing():
    scores = np.array([[1.0, 2.0, NAN], [4.0, NAN, 5.0], [NAN, NAN, NAN], [3.0, 3.0, 3.0]])
    told = listening.mean_opinion(scores, generator=_generator())
    assert told.value == pytest.approx(21 / 7)
    assert told.listeners == 3
    assert told.low < told.value < told.high


def test_mean_opinion_interval_matches_students_where_it_should():
    """Many listeners with one score each: the bootstrap and Student's t agree."""
    scores = _generator("mos").integers(1, 6, size=(400, 1)).astype(float)
    told = listening.mean_opinion(scores, generator=_generator())
    half = stats.t.ppf(0.975, 399) * scores.std(ddof=1) / 20
    assert told.high - told.low == pytest.approx(2 * half, rel=0.08)


@pytest.mark.parametrize("wrong", [0.0, 6.0, 2.5])
def test_scores_are_whole_numbers_from_1_to_5(wrong):
    with pytest.raises(ValueError, match="whole numbers 1 to 5"):
        listening.mean_opinion(np.array([[3.0, wrong]]), generator=_generator())


# ---------------------------------------------------------------- agreement

FLEISS = np.array(  # the worked example that textbooks print: 14 raters, 10 subjects, 5 classes
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
KRIPPENDORFF = np.array(  # "Computing Krippendorff's Alpha-Reliability" (2011), section C
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


@pytest.mark.parametrize(
    ("level", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_krippendorffs_alpha_of_his_paper(level, printed):
    assert listening.krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(printed, abs=5e-4)


def test_alpha_and_kappa_agree_where_both_are_defined():
    """alpha = kappa + (1 - kappa) / all answers, for complete nominal answers; kappa by its formula
    (Fleiss 1971), 0.210 in the textbook's example.
    """
    values = np.array(
        [np.repeat(np.arange(5), row) for row in FLEISS], dtype=float
    ).T  # raters are exchangeable
    n, shares = FLEISS.sum(axis=1)[0], FLEISS.sum(axis=0) / FLEISS.sum()
    same = ((FLEISS * (FLEISS - 1)).sum(axis=1) / (n * (n - 1))).mean()
    kappa = (same - np.square(shares).sum()) / (1 - np.square(shares).sum())
    assert kappa == pytest.approx(0.210, abs=5e-4)
    alpha = listening.krippendorff_alpha(values)
    assert alpha == pytest.approx(kappa + (1 - kappa) / FLEISS.sum(), abs=1e-9)


def test_alpha_of_chance_is_about_0():
    drawn = _generator("alpha").integers(0, 4, size=(30, 200)).astype(float)
    assert abs(listening.krippendorff_alpha(drawn)) < 0.01


def test_alpha_refuses_what_has_no_agreement():
    with pytest.raises(ValueError, match="no stimulus has two answers"):
        listening.krippendorff_alpha(np.array([[1.0, NAN], [NAN, 2.0]]))
    with pytest.raises(ValueError, match="all answers are the same"):
        listening.krippendorff_alpha(np.array([[1.0, 1.0], [1.0, 1.0]]))
