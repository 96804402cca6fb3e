import math

import torch
from torch import nn

from pasdedeux.base.seeding import generator
from pasdedeux.nn.attention import attention

B, T, S, D, V = 2, 7, 5, 3, 11


def normal(*shape, name):
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64)


def inputs():
    return normal(B, T, D, name="q"), normal(B, S, D, name="k"), normal(B, S, V, name="v")


def test_every_number_is_the_sum_that_it_stands_for():
    q, k, v = inputs()
    found = attention(q, k, v)
    for b in range(B):
        for t in range(T):
            scores = [math.exp((q[b, t] @ k[b, s]).item() / math.sqrt(D)) for s in range(S)]
            for s in range(S):
                share = scores[s] / sum(scores)
                assert math.isclose(found.weights[b, t, s].item(), share, rel_tol=1e-12)
            read = sum(score * v[b, s] for s, score in enumerate(scores)) / sum(scores)
            torch.testing.assert_close(found.context[b, t], read)


def test_it_is_torchs_attention():
    q, k, v = inputs()
    wanted = nn.functional.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attention(q, k, v).context, wanted)


def test_the_order_of_what_is_read_does_not_matter_and_that_of_the_readers_is_kept():
    q, k, v = inputs()
    readers = torch.randperm(T, generator=generator(0, "readers"))
    read = torch.randperm(S, generator=generator(0, "read"))
    found, moved = attention(q, k, v), attention(q[:, readers], k[:, read], v[:, read])
    torch.testing.assert_close(moved.context, found.context[:, readers])
    torch.testing.assert_close(moved.weights, found.weights[:, readers][:, :, read])


def test_equal_keys_give_the_mean_and_a_sharp_one_gives_its_value():
    q, k, v = inputs()
    torch.testing.assert_close(
        attention(q, k[:, :1].expand_as(k), v).context, v.mean(1, keepdim=True).expand(B, T, V)
    )
    sharp = attention(1e4 * k, k, v).weights
    near = (k @ k.mT).argmax(-1)
    assert torch.equal(sharp.argmax(-1), near)
    torch.testing.assert_close(sharp.amax(-1), torch.ones_like(sharp[..., 0]))


def test_gradients_are_those_of_finite_differences():
    q, k, v = (x.requires_grad_() for x in inputs())
    assert torch.autograd.gradcheck(attention, (q, k, v))
