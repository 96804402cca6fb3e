"""The translator: shapes, what reaches what, and one frame at a time against all at once."""

import pytest
import torch

from pasdedeux.nn.transformer import TransformerConfig
from pasdedeux.nn.translator import Domains, Translator

B, T, C, O, S, Z, D = 2, 7, 5, 11, 3, 4, 12  # noqa: E741


def _made(**switches):
    torch.manual_seed(0)
    config = TransformerConfig(width=D, heads=3, layers=2, **switches)
    made = Translator(Domains(C, O, S, Z, T), config).double().eval()
    draw = torch.Generator().manual_seed(1)
    shapes = ((B, T, C), (B, S), (B, Z), (B, T, O))
    return made, *(torch.randn(*s, dtype=torch.float64, generator=draw) for s in shapes)


def test_every_frame_of_the_source_the_start_and_the_noise_reach_every_frame_of_the_target():
    made, source, start, noise, _ = _made()
    before = made(source, start, noise)
    assert before.shape == (B, T, O)
    late = source.clone()
    late[:, -1] = late[:, -1].flip(-1)
    for changed in (
        made(late, start, noise),
        made(source, start.flip(-1), noise),
        made(source, start, noise.flip(-1)),
    ):
        assert ((changed - before).abs().amax(-1) > 0).all()


def test_sequences_of_a_batch_do_not_mix():
    made, source, start, noise, _ = _made()
    alone = made(source[:1], start[:1], noise[:1])
    assert torch.allclose(made(source, start, noise)[:1], alone)


def test_the_embedding_is_the_mean_over_time():
    made, source, *_ = _made()
    assert torch.allclose(made.embedding(source), made.encoded(source).mean(1))
    assert made.embedding(source).shape == (B, D)


def test_shorter_sequences_fit_and_longer_ones_are_refused():
    made, source, start, noise, _ = _made()
    assert made(source[:, :5], start, noise).shape == (B, 5, O)
    with pytest.raises(ValueError, match="has 14 frames, at most 7"):
        made(torch.cat([source, source], 1), start, noise)


def test_one_frame_at_a_time_is_what_its_own_output_as_target_gives():
    made, source, start, noise, _ = _made(causal=True)
    own = made(source, start, noise)
    assert torch.allclose(made(source, start, noise, target=own), own, atol=1e-12)


def test_a_causal_translator_does_not_see_what_it_should_say():
    made, source, start, noise, target = _made(causal=True)
    before = made(source, start, noise, target=target)
    changed = target.clone()
    changed[:, 3:] += 1
    after = made(source, start, noise, target=changed)
    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


@pytest.mark.parametrize("causal", [False, True])
def test_every_weight_learns(causal):
    made, source, start, noise, target = _made(causal=causal)
    out = made(source, start, noise, target=target)
    (out * torch.linspace(-1, 2, out.numel()).double().reshape(out.shape)).sum().backward()
    still = [n for n, w in made.named_parameters() if w.grad is None or not w.grad.abs().max() > 0]
    assert not still
