"""The printed numbers: complete, as printed, and consistent with each other."""

import re

import pytest

from pasdedeux.report.reference import Reference, reference, stated_claims

ROWS = ("RM", "MLE", "GAN", "RL", "MC", "Fusion")
# The one distance d between the two domains that explains a block of Table I, as an interval.
COMMON_DISTANCE = {
    "DD EUD": (106061, 106121),
    "DD EM": (5982.1, 5988.4),
    "NPD EUD": (30256, 30296),
    "NPD EM": (8128.9, 8139.1),
}


def test_table_1_holds_48_printed_numbers() -> None:
    printed = reference("fusion", "1")
    assert printed.rows == ROWS
    assert len(printed.columns) == 8
    assert sum(len(cells) for cells in printed.printed.values()) == 48
    assert printed.printed["RL"]["NPD EM Diff"] == 4399.2
    assert printed.text["MLE"]["NPD EM Ratio"] == "1.510"
    assert set(printed.better.values()) == {"lower"}
    assert "1712.01456" in printed.source
    assert "IV-A" in printed.where


def _distance_interval(printed: Reference, row: str, block: str) -> tuple[float, float]:
    """Return the distances d = Diff / (Ratio - 1) that the rounding of both numbers allows."""
    diff, ratio = (printed.printed[row][f"{block} {name}"] for name in ("Diff", "Ratio"))
    d_diff, d_ratio = (printed.half_unit(row, f"{block} {name}") for name in ("Diff", "Ratio"))
    return (diff - d_diff) / (ratio - 1 + d_ratio), (diff + d_diff) / (ratio - 1 - d_ratio)


@pytest.mark.parametrize("block", COMMON_DISTANCE)
def test_one_distance_per_block_explains_table_1(block: str) -> None:
    printed = reference("fusion", 1)
    intervals = [_distance_interval(printed, row, block) for row in ROWS]
    low, high = max(low for low, _ in intervals), min(high for _, high in intervals)
    assert low < high
    # the stated interval is itself rounded, by half of its last digit and a unit of the entries
    tolerance = 1.0 if "EUD" in block else 0.06
    assert (low, high) == pytest.approx(COMMON_DISTANCE[block], abs=tolerance)


def test_a_wrong_digit_would_break_the_consistency() -> None:
    printed = reference("fusion", 1)
    low, high = _distance_interval(printed, "Fusion", "DD EUD")
    assert not low < 20452.6 / 0.183 < high


def test_table_2_is_as_printed_also_where_it_is_wrong() -> None:
    printed = reference("fusion", "2")
    heard = {row: [printed.printed[row][c] for c in printed.columns[:4]] for row in ROWS}
    sums = {row: round(sum(shares), 1) for row, shares in heard.items()}
    assert sums == {"RM": 100, "MLE": 100, "GAN": 91, "RL": 100, "MC": 100, "Fusion": 100}
    assert printed.text["GAN"]["FL"] == "69"
    assert printed.text["MC"]["FL"] == "16"  # the formula gives 18
    assert printed.better["FL"] == "higher"
    assert printed.better["jazz"] == "neither"
    for row in ROWS:
        judged = sum(printed.printed[row][c] for c in ("expert", "newbie", "robot"))
        assert judged == pytest.approx(100)


def test_rounding_follows_the_printed_digits() -> None:
    printed = reference("fusion", "2")
    assert printed.decimals("RM", "neither") == 0
    assert printed.half_unit("RM", "neither") == 0.5
    assert printed.half_unit("RM", "jazz") == pytest.approx(0.05)


def test_unknown_paper_or_table_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=re.escape("Did you mean 'fusion'?")):
        reference("fusoin", "1")
    with pytest.raises(ValueError, match="table must be one of '1', '2', got '3'"):
        reference("fusion", "3")


def test_a_row_that_lacks_a_column_is_refused() -> None:
    whole = reference("fusion", "2")
    with pytest.raises(ValueError, match="row 'RM'.*'folk'"):
        Reference(
            paper="fusion",
            table="2",
            title=whole.title,
            where=whole.where,
            source=whole.source,
            unit="%",
            note="",
            columns=("jazz", "folk"),
            text={"RM": {"jazz": "1"}},
            better={},
        )


def test_claims_have_ids_texts_and_places() -> None:
    claims = stated_claims("fusion")
    assert len(claims) == 30
    assert claims["mc-best"].where.startswith("Section IV-A")
    assert all(claim.text.endswith(".") for claim in claims.values())
    figure = [claim for claim in claims.values() if "Figure 6" in claim.where]
    assert len(figure) == 11
