"""Claims of the diffusion paper on planted scores, and the cells of its tables."""

import numpy as np
import pytest

from pasdedeux.base import paths
from pasdedeux.engine import cdcd_systems
from pasdedeux.metrics.bootstrap import paired
from pasdedeux.papers import cdcd_claims, cdcd_numbers
from pasdedeux.papers.cdcd_claims import ALL, CODED, GENRE, ONSETS, above, difference, within
from pasdedeux.report.reference import reference, stated_claims
from pasdedeux.training.run import Measured, samples_file

SEEDS, CLIPS = (3, 5, 8), 67
STATED = stated_claims("cdcd")
MEASURED = {name for name, one in STATED.items() if not one.test}
WAITING = {name for name, one in STATED.items() if one.needs}
CONTRADICTED = {"vanilla-over-rivals", "all-help-genre"}  # by the paper's own table
ON_THE_EDGE = {"fewer-contrasts"}  # T_c = 60 costs 1.2 points of coverage, the margin is 1.2


def planted(mean, *, seeds=SEEDS, spread=0.4, name=""):
    """Scores of clips around `mean`; what is hard about a clip is the same for every row."""
    hard = np.random.default_rng(0).normal(0, 20, CLIPS)
    hard -= hard.mean()
    found = {}
    for seed in seeds:
        draw = np.random.default_rng([seed, *name.encode()])
        own = draw.normal(0, spread, CLIPS)
        found[seed] = dict.fromkeys((*ALL, CODED, ONSETS), mean + hard + own - own.mean())
    return found


def as_printed(table, seeds=SEEDS, spread=0.4):
    """The printed rows as scores of clips."""
    found = {}
    for row, cells in reference("cdcd", table).printed.items():
        made = planted(0.0, seeds=seeds, spread=spread, name=row)
        found[row] = {
            seed: {c: columns[c] + cells.get(c, 0.0) for c in (*ALL, ONSETS)}
            | {CODED: columns[CODED] + cells.get(GENRE, 0.0)}
            for seed, columns in made.items()
        }
    return found


def figure(seeds=SEEDS):
    """Figure 4, left, as its caption tells it: the contrast arrives at 80, vanilla at 120."""
    level = {"Ours Vanilla, T = 80": 88, "Ours Vanilla, T = 120": 91}
    level |= {"Ours Step-Intra, T = 80": 93, "Ours Sample-Inter, T = 80": 92}
    return {row: planted(float(mean), seeds=seeds, name=row) for row, mean in level.items()}


def everything(seeds=SEEDS):
    tables = {name: as_printed(name, seeds) for name in ("1", "6", "7", "9", "10")}
    return {**tables, "4 left": figure(seeds)}


def verdicts(tables, song=None, dance=None):
    """The verdicts that runs give; sentences of mathematics are decided by their own tests."""
    found = {claim.id: claim.verdict for claim in cdcd_claims.claims(tables, song, dance)}
    return {name: verdict for name, verdict in found.items() if name in MEASURED}


def other_song(mean):
    return planted(mean, seeds=(0,), name="other")[0]


def test_the_papers_own_numbers_uphold_what_they_were_printed_for():
    found = verdicts(everything(), other_song(-10.0), planted(-10.0, name="dance"))
    assert set(found) == MEASURED
    assert {name for name, verdict in found.items() if verdict == "not run"} == WAITING
    assert {name for name, verdict in found.items() if verdict == "does not hold"} == CONTRADICTED
    assert {name for name, verdict in found.items() if verdict == "undecided"} == ON_THE_EDGE
    held = set(found) - WAITING - CONTRADICTED - ON_THE_EDGE
    assert {found[name] for name in held} == {"holds"}


def test_what_waits_needs_listeners_images_or_data_that_are_not_here():
    assert {"tiktok", "coherence", "quality", "lambda-faster"} < WAITING
    assert {name for name in WAITING if "images" in name} == {
        "images-contrast", "images-sample-inter", "images-first", "images-steps",
    }  # fmt: skip


def test_tiktok_is_decided_on_its_own_table():
    assert verdicts({"2": as_printed("2")})["tiktok"] == "holds"
    assert verdicts({"6": as_printed("6")})["tiktok"] == "not run"


def test_one_seed_decides_nothing():
    found = verdicts(everything((3,)), other_song(-10.0), planted(-10.0, seeds=(3,)))
    assert {verdict for name, verdict in found.items() if name not in WAITING} == {"undecided"}


def test_music_that_fits_any_dance_as_well_does_not_belong_to_its_own():
    tables, song = everything(), other_song(-10.0)
    made = tables["6"]["Ours Step-Intra"]
    assert verdicts(tables, song, made)["heard-beats"] == "undecided"
    assert verdicts(tables, song, planted(10.0, name="dance"))["heard-beats"] == "does not hold"
    assert verdicts(tables, song)["heard-beats"] == "not run"
    assert verdicts(tables, None, made)["heard-beats"] == "not run"


def test_a_genre_that_b_cannot_tell_is_still_asked_of_c():
    rows = as_printed("6")
    for seeds in rows.values():
        for columns in seeds.values():
            columns[GENRE] = np.zeros(CLIPS)
    assert verdicts({"6": rows})["sample-inter-genre"] == "undecided", "B has no difference"
    for columns in rows["Ours Sample-Inter"].values():
        columns[CODED] = columns[CODED] - 30.0
    assert verdicts({"6": rows})["sample-inter-genre"] == "does not hold"


def test_no_difference_is_undecided_and_not_a_failure():
    same = {row: planted(80.0, name=row) for row in as_printed("6")}
    found = verdicts({"6": same})
    assert found["step-intra-beats"] == found["sample-inter-genre"] == "undecided"
    assert found["rhythm-or-genre"] == "undecided"


def test_the_opposite_is_told():
    rows = as_printed("6")
    rows["Ours Vanilla"], rows["Ours Step-Intra"] = rows["Ours Step-Intra"], rows["Ours Vanilla"]
    assert verdicts({"6": rows})["step-intra-beats"] == "does not hold"


def test_a_difference_over_seeds_that_a_few_clips_make_is_undecided():
    base = planted(50.0, name="a")
    few = np.zeros(CLIPS)
    few[0] = 30.0  # one clip of 67, the same under every seed
    better = {seed: {c: v + few for c, v in columns.items()} for seed, columns in base.items()}
    part = above(better, base, "Hit", "b - a")
    found = difference(better, base, "Hit")
    assert found.seeds[0] > 0, "training again would give it"
    assert found.clips[0] <= 0, "other clips would not"
    assert part.verdict == "undecided"


def test_a_difference_that_seeds_disagree_about_is_undecided():
    base = planted(50.0, name="a")
    moved = {
        seed: {c: v + shift for c, v in base[seed].items()}
        for seed, shift in zip(SEEDS, (6.0, -1.0, 4.0), strict=True)
    }
    found = difference(moved, base, "Hit")
    assert found.clips[0] > 0
    assert found.seeds[0] < 0
    assert above(moved, base, "Hit", "b - a").verdict == "undecided"
    assert above(base, moved, "Hit", "a - b").verdict == "undecided"


def test_pairing_sees_what_the_spread_of_clips_would_hide():
    a, b = planted(50.0, name="a"), planted(49.0, name="b")
    assert above(a, b, "Hit", "a - b").verdict == "holds"
    shuffled = {
        seed: {c: np.roll(v, 1 + seed) for c, v in columns.items()} for seed, columns in b.items()
    }
    assert above(a, shuffled, "Hit", "a - b").verdict == "undecided", "clips must be the same"


def test_hardly_changes_needs_both_intervals_inside_the_margin():
    base = planted(50.0, name="a")
    near, far = planted(50.5, name="b"), planted(53.0, name="c")
    assert within(near, base, "Hit", "b - a", 1.5).verdict == "holds"
    assert within(far, base, "Hit", "c - a", 1.5).verdict == "does not hold"
    unsure = planted(50.5, name="d", spread=9.0)
    assert within(unsure, base, "Hit", "d - a", 1.5).verdict == "undecided"
    assert within({}, base, "Hit", "d - a", 1.5).verdict == "not run"


def test_an_undecided_difference_leans_when_both_weaker_intervals_leave_out_zero():
    base = planted(50.0, name="a")
    shifted = {
        seed: {c: v + step for c, v in base[seed].items()}
        for seed, step in zip(SEEDS, (0.5, 1.0, 2.2), strict=True)
    }
    part = above(shifted, base, "Hit", "b - a")
    assert part.verdict == "undecided", "three seeds that differ so much do not settle it"
    assert part.leans
    assert part.low < 0 < part.effect < part.high
    assert not above(base, shifted, "Hit", "a - b").leans
    noisy = planted(50.4, name="c", spread=9.0)
    assert not above(noisy, base, "Hit", "c - a").leans


def test_the_bootstrap_over_clips_is_that_of_the_mean():
    draw = np.random.default_rng(7)
    values = draw.normal(1.0, 2.0, (3, 401))
    mean, low, high = paired(values, generator=np.random.default_rng(1))
    each = values.mean(axis=0)
    error = each.std(ddof=1) / np.sqrt(len(each))
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.02)
    assert paired(np.full((2, 5), 3.0), generator=draw) == pytest.approx((3.0, 3.0, 3.0))
    with pytest.raises(ValueError, match="finite"):
        paired(np.array([[1.0, np.nan]]), generator=draw)


def test_systems_measured_on_other_clips_are_refused():
    base = planted(50.0, name="a")
    short = {seed: {c: v[:-1] for c, v in columns.items()} for seed, columns in base.items()}
    with pytest.raises(ValueError, match=r"measured on \[66, 67\] clips"):
        above(short, base, "Hit", "a - b")


def test_scores_are_read_from_what_a_study_kept(project):
    folder = project / "runs" / "one"
    folder.mkdir(parents=True)
    fields = {name: np.array([0.25, 1.0]) for name in ("coverage", "hit", "onset_f1")}
    right = np.array([True, False, True])
    fields |= {"right_b": right, "right_c": ~right}
    np.savez(folder / samples_file("Vanilla, 4 s").replace(".npy", ".npz"), **fields)
    assert paths.root() == project
    measured = [Measured("Vanilla, 4 s", 5, "runs/one", {})]
    found = cdcd_claims.scores(measured, {"4s Ours Vanilla": "Vanilla, 4 s", "other": "Other"})
    assert list(found) == ["4s Ours Vanilla"]
    assert found["4s Ours Vanilla"][5]["Hit"].tolist() == [25.0, 100.0]
    assert found["4s Ours Vanilla"][5]["Accuracy"].tolist() == [100.0, 0.0, 100.0]


def test_cells_are_put_under_the_rows_that_print_them():
    numbers = {"coverage (%)": 90.0, "hit (%)": 80.0, "genre B (%)": 20.0}
    measured = [Measured("Step-Intra", seed, "runs/s", numbers) for seed in SEEDS]
    rows = cdcd_systems.rows_of("9")
    found = cdcd_numbers.measurements(measured, cdcd_numbers.BEATS, rows)
    assert {(m.row, m.column, m.value) for m in found} == {
        ("5e-5", "Coverage", 90.0), ("5e-5", "Hit", 80.0),
    }  # fmt: skip
    true = {"ground truth": {"coverage (%)": 100.0, "genre B (%)": 70.0}}
    facts = cdcd_numbers.facts(
        true, cdcd_numbers.PRINTED, corpus="tang", rows=cdcd_numbers.TRUE_ROW
    )
    assert [(m.row, m.column, m.seed, m.value) for m in facts] == [
        ("GT Music", "Coverage", None, 100.0), ("GT Music", "Accuracy", None, 70.0),
    ]  # fmt: skip


def test_the_ceiling_stands_below_a_table_once_or_for_each_length():
    trivial = {n: {"VQ reconstruction": {"coverage (%)": 100.0 + n}} for n in (2, 4)}
    once = cdcd_numbers.ceilings(trivial, cdcd_numbers.BEATS, corpus="tang")
    assert [(m.row, m.column, m.seed, m.value) for m in once] == [
        ("VQ reconstruction (ours)", "Coverage", None, 102.0)
    ]
    each = cdcd_numbers.ceilings(trivial, cdcd_numbers.BEATS, corpus="tang", every=True)
    assert [(m.row, m.value) for m in each] == [
        ("2s VQ reconstruction (ours)", 102.0), ("4s VQ reconstruction (ours)", 104.0),
    ]  # fmt: skip
    assert cdcd_numbers.ceilings({}, cdcd_numbers.BEATS, corpus="tang") == []
    assert cdcd_numbers.facts({}, cdcd_numbers.BEATS, corpus="tang", rows={"GT": "true"}) == []


def test_curves_are_means_over_seeds_at_the_steps_that_were_run():
    measured = [
        Measured("Vanilla, T 40", seed, "r", {"coverage (%)": value, "hit (%)": value / 2})
        for seed, value in ((0, 80.0), (1, 90.0))
    ]
    rows = {("Vanilla", 40): "Vanilla, T 40", ("Vanilla", 80): "Vanilla"}
    found = cdcd_numbers.diffusion_curves(measured, rows, 80, 20)
    assert found == {
        "Coverage (%)": {"Vanilla": ([10], [85.0])}, "Hit (%)": {"Vanilla": ([10], [42.5])},
    }  # fmt: skip


def test_captions_tell_what_was_measured():
    told = cdcd_numbers.identity(2, {"Waltz": 6, "Rumba": 30})
    assert "36 test clips of 2 s (6 Waltz, 30 Rumba)" in told
    assert "Step-Intra 1.2, 1.5, 0.6" in cdcd_numbers.printed_spread()
