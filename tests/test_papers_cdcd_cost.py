"""Tables 5 and 8 from the modules: by hand at tiny size, and the paper's sizes."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.papers import cdcd_cost as cost
from pasdedeux.papers.cdcd_networks import Asked, Network, Sizes
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.report.reference import reference

TINY = CdcdSettings(
    batch=3, steps=7, width=12, layers=2, heads=3, diffusion_steps=6, genre_width=5,
    motion_width=7, motion_length=41, motion_channels=(3, 2, 4, 2, 1), device="cpu",
)  # fmt: skip
SIZES = Sizes(frames=31, tokens=17, genres=3, codes=11)


def test_table_5_has_the_printed_rows():
    rows = cost.table_5()
    convolutions = [row for row in rows if row.name == "convolution"]
    assert [row.taps for row in convolutions] == [6, 3, 3, 3, 4]
    assert [row.channels for row in convolutions] == [256, 512, 1024, 1024, 1]
    stacks = [row for row in rows if row.name == "residual stack"]
    assert [row.channels for row in stacks] == [256, 512, 1024]
    assert [row.places for row in rows] == [800, 795, 795, 793, 793, 791, 791, 789, 786, 1024]
    assert convolutions[0].parameters == 256 * (120 * 6 + 1)
    # a unit: 3 taps, 1 tap and 1 tap, with a bias and a size for each channel of each
    assert stacks[1].parameters == 4 * (5 * 512 * 512 + 6 * 512)
    assert sum(row.parameters for row in rows) / 1e6 == pytest.approx(33.85, abs=0.01)


def test_table_5_of_the_releases_differs_in_channels_and_kernels():
    rows = [row for row in cost.table_5("D2M-GAN, TikTok", frames=60) if row.taps]
    assert [(row.taps, row.channels) for row in rows] == [(6, 256), (4, 512), (4, 1024), (4, 1)]
    with pytest.raises(ValueError, match="source must be one of"):
        cost.table_5("Table 6")


SEEN = {"visual": 2048, "visual_file": "named only"}


def test_parameters_of_the_paper_size_are_those_of_the_release_but_for_what_is_idle():
    """409.9 M with 10 genres and I3D, and 33.9 M in the motion encoder of Table 5."""
    settings = replace(CdcdSettings.paper(), **SEEN)
    found = cost.table_8(settings)
    tables = 37 * 80 * 1024  # the release has 38 tables of 80 steps
    denoiser = found.parameters - found.motion + found.idle + tables
    assert denoiser / 1e6 == pytest.approx(409.9, abs=0.05)
    assert found.motion / 1e6 == pytest.approx(33.85, abs=0.01)
    assert found.idle == 19 * (4 * 1024**2 + 4 * 1024)


def test_the_released_form_of_the_paper_size_is_443_8_million_and_no_match():
    with torch.device("meta"):
        found = cost.parameters(cost.released(replace(CdcdSettings.paper(), **SEEN), cost.AIST))
    assert found / 1e6 == pytest.approx(409.9 + 33.85, abs=0.1)
    printed = reference("cdcd", "8").printed["AIST++, Ours CDCD"]["Param. (M)"]
    assert found / 1e6 > 1.25 * printed


def test_the_released_form_has_queries_keys_and_tables_more_counted_by_hand():
    built, more = (cost.table_8(TINY, SIZES, form=form) for form in ("built", "released"))
    d, layers, T = 12, 2, 6
    idle = layers * (2 * (d * d + d) + 2 * d * d + 2 * d)  # queries, keys, scale and shift
    tables = (2 * layers - 1) * T * d  # two normalisations a layer are set by the step
    assert built.idle == more.idle == idle
    assert more.parameters - built.parameters == idle + tables
    assert more.motion == built.motion
    # the projection of what attention gathers is at each position, not at one
    B, L = TINY.batch, SIZES.tokens
    queries, keys, norm, out = d * d * L, d * d, 2 * d * d, d * d * (L - 1)
    expected = 3 * 2 * B * layers * (queries + keys + norm + out + 2 * d * L)
    assert more.operations - built.operations == pytest.approx(expected, rel=0.03)
    assert more.bytes > built.bytes
    with pytest.raises(ValueError, match="form must be one of"):
        cost.table_8(TINY, SIZES, form="printed")


def test_tiktok_is_two_seconds_of_25_key_points_at_30_frames_without_genres():
    assert Sizes(frames=60, tokens=344, genres=1, codes=2048, features=75) == cost.TIKTOK
    with torch.device("meta"):
        paper = replace(CdcdSettings.paper(), **SEEN)
        aist = cost.parameters(cost.released(paper, cost.AIST))
        tiktok = cost.parameters(cost.released(replace(paper, genre=False), cost.TIKTOK))
    genre = 10 * 256 + 256 * 1024  # its embedding, and its part of the fusion
    motion = (219 - 75) * 800 + (120 - 60) * 6 * 256  # numbers of a frame, frames
    assert aist - tiktok == genre + motion


def test_operations_are_those_of_the_matrix_products():
    """Linear layers by hand: 2 for each weight and position forward, twice that backward."""
    settings = replace(TINY, layers=1, motion_channels=(3, 2, 4, 2, 1))
    deeper = replace(settings, layers=2)
    d, L, B = 12, SIZES.tokens, settings.batch
    linear = 12 * d * d * L  # self-attention 4, MLP 8
    attention = 2 * d * L * L
    single = 2 * d * d + 2 * 2 * d * d  # the memory's values, two modulations: one position each
    expected = 3 * 2 * B * (linear + attention + single)
    apart = cost.table_8(deeper, SIZES).operations - cost.table_8(settings, SIZES).operations
    assert apart == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("form", cost.FORMS)
@pytest.mark.parametrize("changed", [{}, {"layout": "temporal"}, {"condition": "frozen"}])
def test_what_is_counted_on_two_layers_is_that_of_a_whole_network(form, changed):
    settings = replace(TINY, layers=5, **changed)
    with torch.device("meta"):
        whole = Network(settings, SIZES) if form == "built" else cost.released(settings, SIZES)
        noisy = torch.zeros(settings.batch, SIZES.tokens, dtype=torch.long)
        t = torch.ones(settings.batch, dtype=torch.long)
        motion = torch.zeros(settings.batch, SIZES.frames, SIZES.features)
    counter = FlopCounterMode(display=False)
    with counter:
        saved = cost.kept_bytes(lambda: whole(noisy, t, Asked(motion, t - 1, None)), whole)
    found = cost.table_8(settings, SIZES, form=form)
    assert found.parameters == sum(p.numel() for p in whole.parameters() if p.requires_grad)
    assert found.operations == counter.get_total_flops()
    logits = torch.zeros(1, SIZES.codes, SIZES.tokens, requires_grad=True)
    one = cost.problem(settings, SIZES, 1)
    losses = cost.kept_bytes(lambda: torch.stack([*one.total(settings, logits).values()]))
    weights = 4 * (4 * found.parameters + cost.parameters(whole))
    assert found.bytes == weights + saved + settings.batch * losses


def test_days_follow_from_operations_as_stated():
    found = cost.table_8(TINY, SIZES, share=0.5)
    assert found.v100_days == pytest.approx(7 * found.operations / (15.7e12 * 0.5 * 86400))
    twice = cost.table_8(replace(TINY, steps=14), SIZES, share=0.5)
    assert twice.v100_days == pytest.approx(2 * found.v100_days)
    with pytest.raises(ValueError, match="share must lie in"):
        cost.table_8(TINY, SIZES, share=0.0)


def test_kept_bytes_are_those_of_a_layer_one_can_count():
    layer = nn.Linear(5, 3, bias=False)
    x = torch.randn(7, 5, requires_grad=True)
    assert cost.kept_bytes(lambda: layer(x), layer) == 4 * 7 * 5
    assert cost.kept_bytes(lambda: layer(x).exp(), layer) == 4 * (7 * 5 + 7 * 3)


def test_bytes_grow_with_the_batch_and_hold_the_optimizer():
    small, large = (cost.table_8(replace(TINY, batch=B), SIZES).bytes for B in (2, 4))
    weights = 4 * 5 * cost.table_8(TINY, SIZES).parameters
    assert weights < small < large < weights + 2.5 * (small - weights)
    frozen = replace(TINY, condition="frozen")
    assert cost.table_8(frozen, SIZES).parameters < cost.table_8(TINY, SIZES).parameters


@pytest.mark.parametrize("name", ["vanilla", "both"])
def test_an_update_is_timed_with_any_contrast(name):
    settings = replace(TINY, contrast=Contrast.system(name))
    assert 0 < cost.seconds_a_step(settings, SIZES, updates=1) < 60
    with pytest.raises(ValueError, match="updates must be at least 1"):
        cost.seconds_a_step(TINY, SIZES, updates=0)


def test_the_temporal_layout_leaves_nothing_idle():
    assert cost.table_8(replace(TINY, layout="temporal"), SIZES).idle == 0
