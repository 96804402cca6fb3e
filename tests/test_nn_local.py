"""The local encoder: what sees what, positions, and agreement with torch's own layer."""

import pytest
import torch
from torch import nn

from pasdedeux.nn import local

B, T, C, D = 2, 13, 5, 12
SMALL = local.LocalConfig(width=D, heads=3, head_width=7, inner=11, layers=2, reach=2, dropout=0.0)


def made(config=SMALL):
    torch.manual_seed(0)
    return local.LocalEncoder(C, config).double().eval()


def test_near_by_hand():
    yes, no = True, False
    wanted = [[yes, yes, no, no], [yes, yes, yes, no], [no, yes, yes, yes], [no, no, yes, yes]]
    assert local.near(4, 1).tolist() == wanted
    assert local.near(5, 100).all()
    assert torch.equal(local.near(6, 0), torch.eye(6, dtype=torch.bool))


def test_a_frame_reaches_as_far_as_all_layers_together_and_no_further():
    net = made()
    source = torch.randn(B, T, C, dtype=torch.float64)
    changed = source.clone()
    changed[:, 6] += 1
    moved = (net(changed) - net(source)).abs().amax((0, 2)) > 1e-12
    assert moved.nonzero().flatten().tolist() == list(range(2, 11))


def test_positions_are_sines_and_cosines_from_place_one():
    found = local.positions(3, 4)
    place = torch.tensor([1.0, 2, 3], dtype=torch.float64)
    wanted = torch.stack(
        [place.sin(), place.cos(), (place / 100).sin(), (place / 100).cos()], dim=-1
    )
    torch.testing.assert_close(found, wanted)
    assert local.positions(5, 7).shape == (5, 7)


def test_a_layer_is_torchs_own_post_norm_layer_where_both_can_be_made():
    """Heads of their share of the width: the weights of one fit into the other."""
    config = local.LocalConfig(
        width=D, heads=3, head_width=4, inner=11, layers=1, reach=2, dropout=0.0
    )
    torch.manual_seed(1)
    ours = local.LocalLayer(config).double()
    theirs = nn.TransformerEncoderLayer(D, 3, 11, 0.0, batch_first=True).double()
    names = {
        "self_attn.in_proj_weight": ours.reads.weight,
        "self_attn.in_proj_bias": ours.reads.bias,
        "self_attn.out_proj.weight": ours.out.weight,
        "self_attn.out_proj.bias": ours.out.bias,
        "linear1.weight": ours.mlp[0].weight,
        "linear1.bias": ours.mlp[0].bias,
        "linear2.weight": ours.mlp[2].weight,
        "linear2.bias": ours.mlp[2].bias,
        "norm1.weight": ours.norm_attention.weight,
        "norm1.bias": ours.norm_attention.bias,
        "norm2.weight": ours.norm_mlp.weight,
        "norm2.bias": ours.norm_mlp.bias,
    }
    theirs.load_state_dict(names)
    x, seen = torch.randn(B, T, D, dtype=torch.float64), local.near(T, 2)
    torch.testing.assert_close(ours(x, seen), theirs(x, src_mask=~seen))


def test_sequences_of_a_batch_do_not_mix():
    net = made()
    source = torch.randn(B, T, C, dtype=torch.float64)
    torch.testing.assert_close(net(source)[:1], net(source[:1]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"heads": 0}, "heads must be at least 1, got 0"),
        ({"reach": -1}, "reach must be 0 or more"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
    ],
)
def test_sizes_that_are_none_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        local.LocalConfig(**change)
