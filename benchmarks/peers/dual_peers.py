"""Dual learning with torch's own layers, and decoding without a cache: peers of `dual.py`.

`with_torch_layers` returns a `papers.dual.Dual` whose encoders and decoders are those of torch.nn;
weights, losses, batches, noise and Adam are the same. `B` batch, `T` frames.
"""

import copy

import torch
from torch import Tensor, nn

from pasdedeux.nn.transformer import Transformer
from pasdedeux.nn.translator import Translator
from pasdedeux.papers.dual import Dual


def with_torch_layers(ours: Dual) -> Dual:
    """Return `ours` before its first step with torch.nn's layers and the same weights."""
    peer = copy.copy(ours)
    peer.dancing, peer.composing = (_swapped(part) for part in (ours.dancing, ours.composing))
    peer.modules = {"dancing": peer.dancing, "composing": peer.composing}
    every = [p for part in peer.modules.values() for p in part.parameters()]
    peer.optimizers = {"both": torch.optim.Adam(every)}
    return peer


def _swapped(network: Translator) -> Translator:
    peer = copy.deepcopy(network)
    for name in ("encoder", "decoder"):
        part: Transformer = getattr(network, name)
        made = torch_layers(part)
        made.load_state_dict(mapped(part))
        setattr(peer, name, made.to(next(part.parameters()).device))
    return peer


def torch_layers(part: Transformer) -> nn.Module:
    """Return torch's encoder or decoder of the same size, with new weights."""
    config = part.config
    inner = config.feed_forward * config.width
    sizes = (config.width, config.heads, inner, config.dropout)
    how = {"batch_first": True, "norm_first": True}
    norm = nn.LayerNorm(config.width)
    if config.memory is None:
        layer = nn.TransformerEncoderLayer(*sizes, **how)
        return nn.TransformerEncoder(layer, config.layers, norm, enable_nested_tensor=False)
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(*sizes, **how), config.layers, norm)


def mapped(part: Transformer) -> dict[str, Tensor]:
    """Return the weights of `part` under the names of torch's layers."""
    memory = part.config.memory is not None
    state = {f"norm.{name}": p for name, p in part.norm.plain.state_dict().items()}
    for number, block in enumerate(part.blocks):
        own = {"norm1": block.norm_self.plain, "linear1": block.mlp[0], "linear2": block.mlp[2]}
        attentions = {"self_attn": block.attend_self}
        if memory:
            own["norm2"] = block.norm_memory.plain
            attentions["multihead_attn"] = block.attend_memory
        own["norm3" if memory else "norm2"] = block.norm_mlp.plain
        for name, module in own.items():
            state |= {f"layers.{number}.{name}.{k}": p for k, p in module.state_dict().items()}
        for name, attention in attentions.items():
            to = f"layers.{number}.{name}"
            for kind in ("weight", "bias"):
                both = [getattr(m, kind) for m in (attention.queries, attention.keys_values)]
                state[f"{to}.in_proj_{kind}"] = torch.cat(both)
                state[f"{to}.out_proj.{kind}"] = getattr(attention.out, kind)
    return {name: p.detach() for name, p in state.items()}


def decoded_anew(network: Translator, memory: Tensor, start: Tensor, noise: Tensor) -> Tensor:
    """Return what an autoregressive translator decodes, every frame from all before, no cache."""
    frames = memory.shape[1]
    known = torch.cat([memory, network.noises(noise)[:, None]], dim=1)
    queries = network.target_places[:frames] + network.starts(start)[:, None]
    before = memory.new_zeros(len(memory), 1, network.domains.target)
    for end in range(1, frames + 1):
        seen = network.decoder(queries[:, :end] + network.follows(before), known)
        before = torch.cat([before, network.writes(seen[:, -1:])], dim=1)
    return before[:, 1:]
