"""What the tables on the dance data are made of, against counts and loops by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pasdedeux.data.copies import CopySettings
from pasdedeux.data.dance import Dance
from pasdedeux.motion import skeleton
from pasdedeux.motion.fitting import Fit
from pasdedeux.papers import dual_tables
from pasdedeux.report.reference import reference
from pasdedeux.report.table import table


def _dance(name, genre, frames, *, corpus="tang", seed=0):
    """Return a dancer who sways, still for an instant twice a second."""
    rotations = np.zeros((frames, 24, 6), np.float32)
    rotations[..., 0] = rotations[..., 4] = 1
    sway = 0.2 * np.cos(2 * np.pi * np.arange(frames) / 25)
    path = np.zeros((frames, 3), np.float32)
    path[:, 0] = sway
    path += 0.3 * seed
    return Dance(
        name=name,
        corpus=corpus,
        genre=genre,
        group=name,
        song=name,
        translation=path,
        rotations=rotations,
        offsets_metres=skeleton.smpl().offsets_metres.astype(np.float32),
        music=np.zeros((frames, 53), np.float32),
        beat_seconds=np.arange(0.5, frames / 25, 0.5),
    )


def _values(measurements):
    return {(m.row, m.column): m.value for m in measurements}


def test_table_1_counts_sequences_and_frames_and_names_the_corpora():
    dances = [
        _dance("a", "Waltz", 101),
        _dance("b", "Waltz", 103, corpus="other"),
        _dance("c", "Lock", 107),
    ]
    rows = dual_tables.table_1(dances)
    assert _values(rows) == {
        ("Waltz", "sequences"): 2,
        ("Waltz", "frames"): 204,
        ("Lock", "sequences"): 1,
        ("Lock", "frames"): 107,
    }
    assert {m.run for m in rows if m.row == "Waltz"} == {"other+tang"}
    printed = reference("dual", 1)
    made = table(printed, rows, caption="C.", data_notice="D.", profile="quick")
    assert made.rows == printed.rows
    at = {(cell.row, cell.column): cell for cell in made.cells}
    assert at["Waltz", "frames"].ours() == "204"
    assert at["Rumba", "frames"].ours() == "not run"


def test_the_printed_numbers_of_table_1_add_up_to_those_of_its_text():
    printed = reference("dual", 1).printed
    assert sum(row["sequences"] for row in printed.values()) == 61 + 8 * 141 + 2 * 140
    assert len(printed) == 14


def test_a_dancer_who_rests_on_every_beat_is_aligned_and_one_who_is_late_is_not():
    on = _dance("on", "Waltz", 251)
    found = _values(dual_tables.beat_alignment([on]))
    assert found["Waltz", "beats alignment (%)"] == 100
    assert found["Waltz", "by chance (%)"] == pytest.approx(80, abs=3)  # 0.4 of every 0.5 s
    late = replace(on, beat_seconds=np.arange(0.75, 10.0, 0.5))
    found = _values(dual_tables.beat_alignment([late]))
    assert found["Waltz", "beats alignment (%)"] < 10
    assert found["Waltz", "beats a second: dance"] == pytest.approx(2, abs=0.2)


def test_a_copy_elsewhere_in_the_room_is_counted_and_a_lonely_genre_is_not():
    dances = [_dance("a", "Waltz", 151), _dance("b", "Waltz", 151, seed=1)]
    audit, rows = dual_tables.near_copies(dances, CopySettings())
    found = _values(rows)
    assert found["Waltz", "near copies (%)"] == 100
    assert found["Waltz", "median distance (cm)"] == pytest.approx(0, abs=1e-3)
    assert len(audit.metres) == found["Waltz", "windows"]
    _, rows = dual_tables.near_copies(dances[:1])
    assert ("Waltz", "median distance (cm)") not in _values(rows)


def test_fit_errors_are_over_all_frames_of_a_genre():
    def fit(errors):
        errors = np.asarray(errors, float)
        frames = len(errors)
        return Fit(
            np.zeros((frames, 3)), np.zeros((frames, 24, 6)), np.zeros((24, 3)),
            np.zeros((2, 3)), errors,
        )  # fmt: skip

    fits = [fit([[0.01, 0.03]]), fit([[0.02, 0.02], [0.03, 0.01]]), fit([[0.5, 0.5]])]
    rows = dual_tables.fit_errors(["Waltz", "Waltz", "Lock"], fits, corpus="tang")
    found = _values(rows)
    assert found["Waltz", "dances"] == 2
    assert found["Waltz", "frames"] == 3
    assert found["Waltz", "mean error (cm)"] == pytest.approx(2.0)
    assert found["Waltz", "worst point's mean (cm)"] == pytest.approx(2.0)
    assert found["Lock", "95 % below (cm)"] == pytest.approx(50.0)
