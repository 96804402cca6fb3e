"""The runs of the music tables: complete, each training once, and what a row changes."""

import math

import pytest
import rivals

from pasdedeux.baselines import dance2music
from pasdedeux.engine import cdcd_systems as systems
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.report.reference import reference

LIKE = systems.music_settings("laptop", corpus="synthetic", seed=7)
TRUE = "GT Music"


@pytest.mark.parametrize("table", ["1", "6", "7", "9", "10"])
def test_every_printed_row_that_can_be_run_is_in_the_list(table):
    printed = reference("cdcd", table).printed
    wanted = [row for row, cells in printed.items() if cells and row != TRUE]
    assert list(systems.TABLES[table]) == wanted


def test_rows_that_are_one_training_have_one_label():
    rows = {table: systems.rows_of(table) for table in systems.TABLES}
    same = [
        rows["1"]["Ours Step-Intra"], rows["6"]["Ours Step-Intra"], rows["7"]["2s Ours Step-Intra"],
        rows["9"]["5e-5"], rows["4 left"]["Ours Step-Intra, T = 80"],
    ]  # fmt: skip
    assert set(same) == {"Step-Intra"}
    assert rows["10"]["Full (T_c = 100)"] == rows["4 left"]["Ours Step-Intra, T = 100"]
    every = [fit for held in systems.TABLES.values() for fit in held.values()]
    assert len({fit.label for fit in every}) == len(set(every)), "two trainings, one label"


def test_the_number_of_trainings_is_that_of_the_plan():
    counts = {table: len(systems.fits([table])) for table in systems.TABLES}
    assert counts == {
        "1": 7, "2": 0, "5": 0, "6": 9, "7": 11, "8": 0, "9": 3, "10": 3, "4 left": 18,
    }  # fmt: skip
    assert len(systems.fits(systems.TABLES)) == 9 + 7 + 2 + 3 + 14


def test_the_diffusions_of_tables_1_and_6_have_every_seed():
    found = systems.studies(tuple(systems.TABLES), LIKE)
    assert [(one.seconds, len(one.seeds)) for one in found] == [(2, 3), (2, 1), (4, 1), (6, 1)]
    six = systems.fits(["1", "6"])
    assert set(found[0].fits) == {label for label, fit in six.items() if fit.system == "diffusion"}
    assert set(six) - set(found[0].fits) < set(found[1].fits), "a rival has one seed"
    assert found[0].seeds == (7, 8, 9)
    assert found[1].seeds == (7,)
    labels = [label for one in found for label in one.fits]
    assert len(labels) == len(set(labels)), "trained twice"
    more = systems.studies(("9",), LIKE, rest=2)
    assert [(one.seeds, len(one.fits)) for one in more] == [((7, 8), 3)]
    with pytest.raises(ValueError, match="rest must be at least 1"):
        systems.studies(("9",), LIKE, rest=0)


def test_table_2_is_run_on_tiktok_and_nothing_else_is():
    tiktok = systems.music_settings("laptop", corpus="tiktok")
    found = systems.studies(tuple(systems.TABLES), tiktok)
    wanted = {"D2M-GAN": 1, "Vanilla": 3, "Step-Intra": 3, "Sample-Inter": 3}
    assert {label: len(one.seeds) for one in found for label in one.fits} == wanted
    assert list(systems.TABLES["2"]) == list(reference("cdcd", "2").printed)
    assert systems.studies(("2",), LIKE) == ()
    assert systems.rows_of("2") == systems.rows_of("1", "tiktok") == {}
    assert systems.rows_of("2", "tiktok")["Ours Step-Intra"] == "Step-Intra"
    assert systems.grid_rows("tiktok") == {}
    assert systems.grid_rows()["Ours Vanilla", 120] == "Vanilla, T 120"


def test_each_row_changes_what_its_table_says_and_nothing_else():
    rows = {table: systems.TABLES[table] for table in ("6", "7", "9", "10", "4 left")}

    def settings(table, row):
        return systems.settings_of(rows[table][row], "laptop", LIKE)

    base = settings("6", "Ours Vanilla")
    assert set(base.contrast.weights.values()) == {0.0}
    step, sample = settings("6", "Ours Step-Intra"), settings("6", "Ours Sample-Inter")
    assert (step.contrast.step_intra, step.contrast.sample_inter) == (5e-5, 0)
    assert (sample.contrast.step_intra, sample.contrast.sample_inter) == (0, 5e-5)
    assert _apart(base, step) == _apart(base, sample) == {"contrast"}
    assert settings("9", "5e-4").contrast.step_intra == 5e-4
    assert _apart(step, settings("9", "5e-4")) == {"contrast"}
    assert _apart(step, settings("4 left", "Ours Step-Intra, T = 40")) == {"diffusion_steps"}
    long = settings("7", "4s Ours Step-Intra")
    assert _apart(step, long) == {"clips"}
    assert (long.clips.seconds, long.clips.corpus) == (4, "synthetic")


def _apart(a, b):
    return {name for name in a.__dataclass_fields__ if getattr(a, name) != getattr(b, name)}


def test_steps_are_the_papers_in_proportion():
    table = systems.TABLES["10"]
    full, some = (
        systems.settings_of(table[row], "laptop", LIKE) for row in ("Full (T_c = 100)", "T_c = 60")
    )
    assert (LIKE.diffusion_steps, full.diffusion_steps, some.diffusion_steps) == (20, 25, 25)
    assert full.contrast.contrasted_steps is None
    assert some.contrast.contrasted_steps == 15
    grid = [systems.steps_of(T, LIKE) for T in systems.GRID]
    assert grid == [5, 10, 15, 20, 25, 30]
    assert [systems.steps_of(T, CdcdSettings.paper()) for T in systems.GRID] == list(systems.GRID)
    few = systems.music_settings("quick", corpus="synthetic")
    assert systems.steps_of(20, few) >= 1


def test_a_rival_has_the_data_seeds_and_clips_of_the_diffusion():
    fit = systems.TABLES["6"]["Dance2Music"]
    found = systems.settings_of(fit, "laptop", LIKE)
    assert isinstance(found, dance2music.Dance2MusicSettings)
    assert (found.clips, found.seeds) == (LIKE.clips, LIKE.seeds)
    assert found.samples == LIKE.samples


def test_tables_are_asked_for_by_name():
    assert systems.asked("6, 1", "laptop") == ("6", "1")
    assert systems.asked("4 left", "laptop") == ("4 left",)
    assert systems.asked("all", "quick") == systems.asked("auto", "gpu") == tuple(systems.TABLES)
    assert "6" not in systems.asked("auto", "quick")
    with pytest.raises(ValueError, match="tables must be one of '1'"):
        systems.asked("3", "laptop")
    with pytest.raises(ValueError, match="got ' '"):
        systems.asked(" ", "laptop")


def test_real_dances_are_taken_of_all_genres(monkeypatch):
    assert systems.music_settings("quick", corpus="synthetic").clips.genres
    assert systems.music_settings("quick", corpus="tang").clips.genres == ()
    for there in (True, False):
        monkeypatch.setattr(systems.sources, "found", lambda name, there=there: there)
        assert bool(systems.music_settings("quick").clips.genres) != there


def test_the_grid_holds_both_numbers_of_the_caption():
    told = {float(cell) for cells in reference("cdcd", "4 left").text.values()
            for cell in cells.values()}  # fmt: skip
    assert told == {80, 120}
    assert told <= set(systems.GRID)
    assert math.isclose(1 - 80 / 120, 1 / 3)


def test_a_caption_tells_the_clips_and_the_rivals_of_its_own_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    material = rivals.material(tmp_path)
    found = tuple(systems.Found(seconds, material, ()) for seconds in (2, 4, 6))
    one, seven, nine, tiktok = (
        systems.notice(found, LIKE, table) for table in ("1", "7", "9", "2")
    )
    assert "clips of 2 s" in one
    assert "clips of 4 s" not in one
    assert all(f"clips of {seconds} s" in seven for seconds in (2, 4, 6))
    assert all(told.count("T = 20 where the paper has 80") == 1 for told in (one, seven, nine))
    assert "Foley, Dance2Music, CMT, D2M-GAN: re-implementations" in one
    assert "D2M-GAN: re-implementations" in seven
    assert "re-implementations" not in nine
    assert tiktok == "none; no row of ours was run."
    with pytest.raises(ValueError, match="table must be one of"):
        systems.notice(found, LIKE, "3")
