"""The Transformer against torch's own, against brute force, and its switches."""

import pytest
import torch
from torch import nn

from pasdedeux.nn.transformer import Attention, Cache, Transformer, TransformerConfig

B, T, S, D, H, C, E = 2, 7, 5, 12, 3, 11, 13


def _made(**switches):
    torch.manual_seed(0)
    made = Transformer(TransformerConfig(width=D, heads=H, layers=2, **switches)).double().eval()
    return made, torch.randn(B, T, D, dtype=torch.float64)


def _as_torch(ours, kind):
    """Return torch's layers with the weights of `ours`."""
    layers = []
    for block in ours.blocks:
        theirs = kind(
            D, H, 4 * D, dropout=0.0, batch_first=True, norm_first=True, dtype=torch.float64
        )
        pairs = [("self_attn", block.attend_self, "norm1", block.norm_self)]
        last = "norm2"
        if kind is nn.TransformerDecoderLayer:
            pairs.append(("multihead_attn", block.attend_memory, "norm2", block.norm_memory))
            last = "norm3"
        for name, attention, norm, own in pairs:
            module = getattr(theirs, name)
            module.in_proj_weight.data = torch.cat(
                [attention.queries.weight, attention.keys_values.weight]
            )
            module.in_proj_bias.data = torch.cat(
                [attention.queries.bias, attention.keys_values.bias]
            )
            module.out_proj.load_state_dict(attention.out.state_dict())
            getattr(theirs, norm).load_state_dict(own.plain.state_dict())
        theirs.linear1.load_state_dict(block.mlp[0].state_dict())
        theirs.linear2.load_state_dict(block.mlp[2].state_dict())
        getattr(theirs, last).load_state_dict(block.norm_mlp.plain.state_dict())
        layers.append(theirs)
    return layers


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_torchs_encoder(causal):
    ours, x = _made(causal=causal)
    expected = x
    mask = (
        nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64) if causal else None
    )
    for layer in _as_torch(ours, nn.TransformerEncoderLayer):
        expected = layer(expected, src_mask=mask)
    assert torch.allclose(ours(x), ours.norm(expected, None), atol=1e-12)


def test_with_a_memory_it_is_torchs_decoder():
    ours, x = _made(memory=D, causal=True)
    memory = torch.randn(B, S, D, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    expected = x
    for layer in _as_torch(ours, nn.TransformerDecoderLayer):
        expected = layer(expected, memory, tgt_mask=mask)
    assert torch.allclose(ours(x, memory), ours.norm(expected, None), atol=1e-12)


def test_attention_is_the_weighted_sum_of_values_in_each_head():
    torch.manual_seed(1)
    attention = Attention(D, H, C, 0.0).double()
    x = torch.randn(B, T, D, dtype=torch.float64)
    source = torch.randn(B, S, C, dtype=torch.float64)
    queries, (keys, values) = attention.queries(x), attention.keys_values(source).chunk(2, -1)
    d = D // H
    expected = torch.zeros(B, T, D, dtype=torch.float64)
    for h in range(H):
        part = slice(h * d, (h + 1) * d)
        scores = queries[..., part] @ keys[..., part].mT / d**0.5
        expected[..., part] = scores.softmax(-1) @ values[..., part]
    assert torch.allclose(attention(x, *attention.read(source)), attention.out(expected))


def test_full_attention_does_not_know_the_order_of_positions():
    ours, x = _made()
    order = torch.randperm(T, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(x[:, order]), ours(x)[:, order])


def test_causal_attention_does_not_see_what_follows():
    ours, x = _made(causal=True)
    changed = x.clone()
    changed[:, 4:] = changed[:, 4:].flip(-1)
    assert torch.equal(ours(changed)[:, :4], ours(x)[:, :4])
    assert not torch.allclose(ours(changed)[:, 4:], ours(x)[:, 4:])


@pytest.mark.parametrize("steps", [(1,) * T, (3, 1, 3), (T,)])
def test_a_cache_gives_what_computing_everything_gives(steps):
    ours, x = _made(causal=True, memory=C)
    memory = torch.randn(B, S, C, dtype=torch.float64)
    caches, read = [Cache() for _ in ours.blocks], ours.read(memory)
    parts = [ours(part, read, caches=caches) for part in x.split(list(steps), dim=1)]
    assert torch.allclose(torch.cat(parts, 1), ours(x, memory), atol=1e-12)


def test_a_cache_grows_beyond_the_room_it_began_with():
    ours, _ = _made(causal=True)
    x = torch.randn(1, 150, D, dtype=torch.float64)
    caches = [Cache() for _ in ours.blocks]
    parts = [ours(x[:, i : i + 1], caches=caches) for i in range(150)]
    assert torch.allclose(torch.cat(parts, 1), ours(x), atol=1e-12)


def test_a_condition_of_no_effect_leaves_plain_normalisation():
    plain, x = _made()
    ours, _ = _made(condition=E)
    shared = {k: v for k, v in plain.state_dict().items() if k in ours.state_dict()}
    ours.load_state_dict(shared, strict=False)
    for name, weight in ours.named_parameters():
        if "modulation" in name:
            weight.data.zero_()
    condition = torch.randn(B, E, dtype=torch.float64)
    assert torch.allclose(ours(x, condition=condition), plain(x))
    ours.norm.modulation.weight.data.fill_(0.1)
    assert not torch.allclose(ours(x, condition=condition), plain(x))


def test_every_weight_learns():
    ours, x = _made(memory=C, condition=E)
    memory, condition = torch.randn(B, S, C).double(), torch.randn(B, E).double()
    weights = torch.randn(B, T, D, dtype=torch.float64)
    (ours(x, memory, condition=condition) * weights).sum().backward()
    still = [
        name
        for name, weight in ours.named_parameters()
        if weight.grad is None or not weight.grad.abs().max() > 0
    ]
    assert not still


def test_dropout_acts_in_training_only():
    ours, x = _made(dropout=0.5)
    assert torch.equal(ours(x), ours(x))
    ours.train()
    assert not torch.equal(ours(x), ours(x))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="heads 5 must divide width 12"):
        TransformerConfig(width=12, heads=5)
    ours, x = _made()
    with pytest.raises(ValueError, match="memory is given, but"):
        ours(x, torch.randn(B, S, D, dtype=torch.float64))
    with pytest.raises(ValueError, match="caches need a causal Transformer"):
        ours(x, caches=[Cache(), Cache()])
    with pytest.raises(ValueError, match="memory is missing"):
        _made(memory=C)[0](x)
