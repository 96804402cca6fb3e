import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.nn.textcnn import TextCNN
from pasdedeux.training import critics

V, B, T = 7, 5, 11


def critic():
    made = TextCNN(V, widths=(2, 3), filters=(3, 2), embedding=13)
    return made.initialise(generator(0, "critic"))


def test_mean_separation_ignores_a_constant_and_sum_does_not():
    means = {name: torch.tensor(float(i * i)) for i, name in enumerate("abcde")}
    shifted = {name: value + 10 for name, value in means.items()}
    sides = {"positive": "abcd", "negative": "e"}
    before = critics.separation(means, **sides)
    torch.testing.assert_close(critics.separation(shifted, **sides), before)
    raw = critics.separation(means, **sides, normalisation="sum")
    grown = critics.separation(shifted, **sides, normalisation="sum")
    torch.testing.assert_close(grown - raw, torch.tensor(30.0))


def test_gradient_penalty_is_zero_only_for_slope_one():
    class Linear(TextCNN):
        def from_embedded(self, embedded):
            return self.slope * embedded.flatten(1).sum(dim=1) / (T * 13) ** 0.5

    one, other = (torch.randint(V, (B, T), generator=generator(i, "x")) for i in (0, 1))
    mix = torch.rand(B, generator=generator(0, "mix"))
    model = Linear(V, widths=(2,), filters=(3,), embedding=13)
    for slope, expected in ((1.0, 0.0), (3.0, 4.0), (0.5, 0.25)):
        model.slope = slope
        found = critics.gradient_penalty(model, one, other, mix)
        torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_gradient_penalty_teaches_the_critic():
    model = critic()
    one, other = (torch.randint(V, (B, T), generator=generator(i, "x")) for i in (0, 1))
    critics.gradient_penalty(model, one, other, torch.rand(B)).backward()
    assert model.convolutions[0].weight.grad.abs().sum() > 0


def test_clipping_bounds_every_weight():
    model = critic()
    critics.clip_weights(model, 0.01)
    assert max(p.abs().max() for p in model.parameters()) <= 0.01
    with pytest.raises(ValueError, match="limit must be positive"):
        critics.clip_weights(model, 0.0)


def test_optimizers_follow_the_lipschitz_setting():
    penalty = critics.critic_optimizer(critic(), "penalty", rate=1e-4)
    assert isinstance(penalty, torch.optim.Adam)
    assert penalty.defaults["betas"] == (0.0, 0.9)
    assert isinstance(critics.critic_optimizer(critic(), "clip", rate=5e-5), torch.optim.RMSprop)
