"""HCN: what pooling drops, what reaches what, sizes; and the critics that stand on it."""

import pytest
import torch

from pasdedeux.nn import cooccurrence, dance_critics

B, T, J = 2, 13, 24


def made(**changes):
    torch.manual_seed(0)
    sizes = {"joints": J, "channels": 6, "hidden": 7, "dropout": 0.0, "pooled": True}
    return cooccurrence.Cooccurrence(5, **{**sizes, **changes}).eval()


def test_halved_by_hand():
    x = torch.tensor([[1.0, 5, 2, 9], [3, 4, 8, 7], [99, 99, 99, 99]])[None, None]
    assert cooccurrence.halved(x).tolist() == [[[[5.0, 9.0]]]]
    assert cooccurrence.halved(x[..., :1]).tolist() == [[[[3.0]]]]
    assert cooccurrence.halved(x[..., :1, :]).tolist() == [[[[5.0, 9.0]]]]


def test_halved_is_torchs_own_pooling_and_its_gradient():
    found = []
    for pool in (cooccurrence.halved, torch.nn.MaxPool2d(2)):
        x = torch.randn(2, 3, 7, 11, generator=torch.Generator().manual_seed(0)).requires_grad_()
        pooled = pool(x)
        pooled.square().sum().backward()
        found.append((pooled, x.grad))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("frames", [3, 5, 13])
def test_any_number_of_frames_from_three(frames, pooled):
    net = made(pooled=pooled)
    x = torch.randn(B, frames, J, 3)
    assert net(x).shape == (B, 5)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))
    assert len(net.maps(x)) == 6


def test_places_and_steps_both_count():
    """A dance moved as a whole has the same steps; one played backwards has the same places."""
    net = made()
    x = torch.randn(B, T, J, 3)
    moved, backwards = x + 1.0, x.flip(1)
    steps = [net.motion.maps(way[:, 1:] - way[:, :-1])[-1] for way in (x, moved)]
    torch.testing.assert_close(*steps, atol=1e-5, rtol=0)
    assert (net(moved) - net(x)).abs().max() > 1e-4
    assert (net(backwards) - net(x)).abs().max() > 1e-4


def test_too_short_a_dance_and_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="at least 3 frames, got 2"):
        made()(torch.randn(B, 2, J, 3))
    with pytest.raises(ValueError, match="channels must be at least 2, got 1"):
        made(channels=1)


def test_the_published_local_critic_has_the_released_layer_of_4096():
    critic = dance_critics.LocalCritic(frames=5, stride=3, channels=64, hidden=256, dropout=0.5)
    assert critic.body.head[0].in_features == 4096


def test_stretches_by_hand():
    bodies = torch.arange(11.0)[None, :, None, None].expand(B, 11, J, 3)
    cut = dance_critics.stretches(bodies, 5, 3)
    assert cut.shape == (B, 3, 5, J, 3)
    assert cut[1, :, :, 7, 2].tolist() == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7], [6, 7, 8, 9, 10]]
    assert dance_critics.stretches(torch.zeros(1, 50, J, 3), 5, 3).shape[1] == 16, "as released"
    with pytest.raises(ValueError, match="hold no stretch of 12"):
        dance_critics.stretches(bodies, 12, 3)


def test_a_local_critic_judges_each_stretch_alone():
    torch.manual_seed(0)
    critic = dance_critics.LocalCritic(frames=5, stride=3, channels=4, hidden=7, dropout=0.5)
    critic.eval()
    bodies = torch.randn(B, 11, J, 3)
    before = critic(bodies)
    bodies[1, 9] += 1.0
    assert ((critic(bodies) - before).abs() > 1e-6).tolist() == [
        [False, False, False], [False, False, True]
    ]  # fmt: skip


def critic():
    torch.manual_seed(0)
    net = dance_critics.SequenceCritic(width=6, channels=4, dropout=0.0).double().eval()
    net.joins.weight.data *= 30  # else the slopes are too small for finite differences
    return net


def scored(net, music, bodies):
    return net.judged(net.body.maps(bodies), net.heard(music))


def test_a_sequence_critic_hears_and_sees_every_frame():
    net = critic()
    music, bodies = torch.randn(B, 17, 53).double(), torch.randn(B, 17, J, 3).double()
    before = scored(net, music, bodies)
    assert before.shape == (B,)
    other = music.clone()
    other[:, -1] += 1
    assert (scored(net, other, bodies) != before).all()
    torch.testing.assert_close(before[:1], scored(net, music[:1], bodies[:1]))


def chance(net, heard):
    return lambda bodies: net.judged(net.body.maps(bodies), heard).sigmoid()


def test_the_penalty_is_that_of_finite_differences():
    """Central differences in every coordinate of every dance, at the points between."""
    net, music = critic(), torch.randn(B, 5, 53).double()
    real, fake = torch.randn(2, B, 5, J, 3).double()
    mix = torch.tensor([0.3, 0.8]).double()
    score = chance(net, net.heard(music).detach())
    found = dance_critics.gradient_penalty(score, real, fake, mix)
    between = mix[:, None, None, None] * real + (1 - mix)[:, None, None, None] * fake
    slopes, h = torch.zeros(B, 5 * J * 3).double(), 1e-6
    for place in range(slopes.shape[1]):
        bump = torch.zeros(5 * J * 3).double()
        bump[place] = h
        bump = bump.view(5, J, 3)
        with torch.no_grad():
            slopes[:, place] = (score(between + bump) - score(between - bump)) / (2 * h)
    wanted = (slopes.norm(dim=1) - 1).square().mean()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert wanted < 1 - 1e-6


def test_the_gradient_of_the_penalty_is_that_of_finite_differences():
    net, music = critic(), torch.randn(B, 5, 53).double()
    real, fake = torch.randn(2, B, 5, J, 3).double()
    mix = torch.tensor([0.3, 0.8]).double()

    def penalty():
        return dance_critics.gradient_penalty(chance(net, net.heard(music)), real, fake, mix)

    penalty().backward()
    for weight in (net.joins.weight, net.body.joined.weight, net.hearing.frames[0].weight):
        flat, slope = weight.data.view(-1), weight.grad.view(-1)
        place, h = int(slope.abs().argmax()), 1e-5
        values = []
        for sign in (1, -1):
            flat[place] += sign * h
            values.append(penalty().item())
            flat[place] -= sign * h
        wanted = (values[0] - values[1]) / (2 * h)
        assert slope[place].item() == pytest.approx(wanted, rel=1e-4, abs=1e-12)


def test_a_critic_of_slope_one_pays_nothing():
    def score(bodies):
        return bodies[:, 0, 0, 0]

    real, fake = torch.randn(2, B, 5, J, 3)
    assert dance_critics.gradient_penalty(score, real, fake, torch.rand(B)).item() == 0.0
    steep = dance_critics.gradient_penalty(lambda b: 3 * score(b), real, fake, torch.rand(B))
    assert steep.item() == pytest.approx(4.0)
