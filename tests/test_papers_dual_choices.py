"""Tables of what was chosen: every setting that counts, sizes, and two ways to decode."""

from dataclasses import replace

import dances
import pytest
import torch

from pasdedeux.papers import dual, dual_choices

TINY = dual.DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=5, steps=2,
    rates=((0, 1e-2), (1, 1e-3)), pairs=dances.FEW,
)  # fmt: skip


def test_every_setting_of_a_runs_key_has_a_row_and_its_value_is_told():
    rows = {row["setting"]: row for row in dual_choices.chosen(TINY)}
    apart = set(TINY.__dataclass_fields__) - set(rows)
    assert apart == {"seeds", "workers", "pairs", "samples", "threads", "device"}
    assert rows["width_dance"] == {"setting": "width_dance", "paper": "512", "ours": "12"}
    assert rows["rates"]["ours"] == "0.01 from update 0, 0.001 from update 1"
    assert rows["rates"]["paper"].endswith("5e-06 from update 40000")
    assert rows["dropout"]["paper"] == dual_choices.NOT_SAID
    assert set(dual_choices.OPEN) <= set(rows)


def test_sizes_are_those_of_the_networks():
    expected = {
        name: sum(w.numel() for w in made(TINY).parameters())
        for name, made in (("G_MD", dual.Dancing), ("G_DM", dual.Composing))
    }
    assert dual_choices.sizes(TINY) == expected


def test_all_anew_makes_the_frames_that_are_made_one_by_one():
    torch.manual_seed(0)
    network = dual.Dancing(replace(TINY, decoding="autoregressive")).eval()
    music = torch.from_numpy(dances.songs(2, dances.T, 1))
    first, noise = torch.from_numpy(dances.poses(2, 1, 2)[:, 0]), torch.randn(2, 3)
    with torch.no_grad():
        slow = dual_choices.anew(network, music, first, noise)
        assert torch.allclose(slow, network(music, first, noise), atol=1e-5)


def test_decoding_is_timed_three_ways():
    rows = dual_choices.decoding(TINY, batch=2, rounds=1)
    assert len(rows) == 3
    assert all(row["milliseconds"] > 0 for row in rows)
    assert float(rows[2]["differs from the row above by"]) == pytest.approx(0, abs=1e-4)
