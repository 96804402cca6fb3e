"""The quantiser: nearest by brute force, gradients straight through, averages by hand, renewal."""

import math

import pytest
import torch

from pasdedeux.base.seeding import generator
from pasdedeux.nn.vq import NEW_USE, Quantiser, frequencies, perplexity, used

B, T, D, K = 3, 7, 5, 11


@pytest.fixture
def frames():
    return torch.randn(B, T, D, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def quantiser():
    made = Quantiser(K, D)
    made.adopt(torch.randn(K, D, generator=torch.Generator().manual_seed(1)))
    return made


def test_every_frame_becomes_the_nearest_entry(quantiser, frames):
    made = quantiser.quantised(frames)
    for b in range(B):
        for t in range(T):
            apart = [float((frames[b, t] - entry).square().sum()) for entry in quantiser.codebook]
            assert int(made.codes[b, t]) == apart.index(min(apart))
            entry = quantiser.codebook[made.codes[b, t]]
            assert torch.allclose(made.frames[b, t], entry, atol=1e-6)
    entries = quantiser.embed(made.codes)
    assert torch.allclose(made.commitment, (frames - entries).square().mean())


def test_the_gradient_passes_straight_through(quantiser, frames):
    frames.requires_grad_()
    weight = torch.randn(B, T, D, generator=torch.Generator().manual_seed(2))
    (quantiser.quantised(frames).frames * weight).sum().backward()
    assert torch.equal(frames.grad, weight)


def test_the_commitment_pulls_frames_to_their_entries_and_no_gradient_reaches_those(
    quantiser, frames
):
    frames.requires_grad_()
    made = quantiser.quantised(frames)
    made.commitment.backward()
    expected = 2 * (frames - quantiser.embed(made.codes)).detach() / frames.numel()
    assert torch.allclose(frames.grad, expected)
    assert not list(quantiser.parameters())
    assert quantiser.codebook.grad is None


def test_quantising_changes_nothing_and_following_moves_the_codebook(quantiser, frames):
    before = {name: value.clone() for name, value in quantiser.state_dict().items()}
    codes = quantiser.quantised(frames).codes
    assert all(torch.equal(value, before[name]) for name, value in quantiser.state_dict().items())
    quantiser.follow(frames, codes, generator(0, "renewed"))
    moved = (quantiser.codebook - before["codebook"]).abs().amax(1) > 1e-6
    assert torch.equal(moved, used(codes, K))


def test_use_and_entries_are_the_moving_averages_of_the_docstring(frames):
    quantiser = Quantiser(K, D, decay=0.9, least_use=1e-6)
    quantiser.adopt(torch.randn(K, D, generator=torch.Generator().manual_seed(1)))
    use, total = torch.ones(K), quantiser.codebook.clone()
    for step in range(3):
        codes = quantiser.nearest(frames + step)
        quantiser.follow(frames + step, codes, generator(0, step))
        flat, chosen = (frames + step).reshape(-1, D), codes.flatten()
        for k in range(K):
            mine = flat[chosen == k]
            use[k] = 0.9 * use[k] + 0.1 * K * len(mine) / (B * T)
            total[k] = 0.9 * total[k] + 0.1 * K * mine.sum(0) / (B * T)
    assert torch.allclose(quantiser.use, use, atol=1e-6)
    assert torch.allclose(quantiser.codebook, total / use[:, None], atol=1e-5)
    assert math.isclose(float(quantiser.use.mean()), 1, rel_tol=1e-5)


def test_an_entry_that_is_always_chosen_becomes_the_mean_of_its_frames(frames):
    quantiser = Quantiser(2, D, decay=0.9, least_use=1e-9)
    far = torch.full((D,), 100.0)
    quantiser.adopt(torch.stack([torch.zeros(D), far]))
    for step in range(100):
        quantiser.follow(frames, quantiser.nearest(frames), generator(0, step))
    assert torch.allclose(quantiser.codebook[0], frames.mean((0, 1)), atol=1e-3)
    assert torch.allclose(quantiser.codebook[1], far, rtol=1e-4), "nobody chose it, so it stays"


def test_dead_entries_become_frames_of_the_batch_by_the_generator_given(quantiser, frames):
    codes = torch.zeros(B, T, dtype=torch.long)
    quantiser.use.fill_(0.04)
    twin = Quantiser(K, D)
    twin.load_state_dict(quantiser.state_dict())
    before = quantiser.codebook.clone()
    assert quantiser.follow(frames, codes, generator(0, "renewed")) == K - 1
    flat = frames.reshape(-1, D)
    for entry in quantiser.codebook[1:]:
        assert torch.isclose(flat, entry, atol=1e-6).all(1).any()
    assert not torch.isclose(quantiser.codebook[1:], before[1:]).all(1).any()
    assert len(quantiser.codebook.unique(dim=0)) == K, "no two entries were renewed alike"
    assert torch.allclose(quantiser.use[1:], torch.tensor(NEW_USE * quantiser.least_use))
    twin.follow(frames, codes, generator(0, "renewed"))
    assert torch.equal(twin.codebook, quantiser.codebook)


def test_a_renewed_entry_lives_on_for_a_while_and_dies_when_it_stays_unused(quantiser, frames):
    codes = torch.zeros(B, T, dtype=torch.long)
    quantiser.use.fill_(0.04)
    dead = [quantiser.follow(frames, codes, generator(0, step)) for step in range(80)]
    assert dead[0] == K - 1
    life = round(math.log(1 / NEW_USE) / math.log(quantiser.decay))
    assert not any(dead[1:life])
    assert any(dead[life : life + 3])


def test_it_begins_with_frames_and_repeats_them_a_little_apart(frames):
    quantiser = Quantiser(K, D)
    quantiser.begin(frames, generator(0, "codebook"))
    flat = frames.reshape(-1, D)
    assert all((flat == entry).all(1).any() for entry in quantiser.codebook)
    assert len(quantiser.codebook.unique(dim=0)) == K
    assert torch.allclose(quantiser.use, torch.tensor(NEW_USE * quantiser.least_use))
    again = torch.zeros(B, T, dtype=torch.long)
    quantiser.follow(frames, again, generator(0, "renewed"))
    outweighed = (quantiser.codebook[0] - frames.mean((0, 1))).norm()
    assert outweighed < 0.5 * (flat - frames.mean((0, 1))).norm(dim=1).min()
    few = Quantiser(2 * B * T + 1, D)
    few.begin(frames, generator(0, "codebook"))
    apart = torch.cdist(few.codebook, flat).amin(1)
    assert 0 < float(apart.max()) < 0.1
    assert len(few.codebook.unique(dim=0)) == 2 * B * T + 1


def test_all_state_is_kept_with_the_weights(quantiser, frames):
    quantiser.follow(frames, quantiser.nearest(frames), generator(0, 0))
    again = Quantiser(K, D)
    again.load_state_dict(quantiser.state_dict())
    for each in (quantiser, again):
        each.follow(frames + 1, each.nearest(frames + 1), generator(0, 1))
    assert torch.equal(again.codebook, quantiser.codebook)


def test_use_and_perplexity_of_codes():
    even = torch.arange(K).repeat(4)
    assert perplexity(even, K) == pytest.approx(K)
    assert perplexity(torch.full((2, 3), 4), K) == pytest.approx(1)
    assert perplexity(torch.tensor([[0, 0, 0, 1]]), K) == pytest.approx(
        math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    )
    assert used(torch.tensor([[0, 3, 3]]), 5).tolist() == [True, False, False, True, False]
    assert frequencies(torch.tensor([[0, 3, 3]]), 5).sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="at least one code"):
        perplexity(torch.zeros(0, 2, dtype=torch.long), K)


@pytest.mark.parametrize("code", [-1, K])
def test_a_token_outside_the_codebook_is_refused(quantiser, code):
    with pytest.raises(ValueError, match=f"codes must be in 0 .. {K - 1}, got"):
        quantiser.embed(torch.tensor([[0, code, 3]]))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"codes": 1}, "codes must be at least 2"),
        ({"width": 0}, "width must be at least 1"),
        ({"decay": 1.0}, "decay must be between"),
        ({"least_use": 0.5}, "least_use must be between 0 and 0.5, got 0.5"),
        ({"least_use": 0.0}, "least_use must be between 0 and 0.5, got 0.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Quantiser(**({"codes": K, "width": D} | wrong))


def test_a_codebook_of_another_shape_is_refused(quantiser):
    with pytest.raises(ValueError, match="codebook must have shape"):
        quantiser.adopt(torch.zeros(K, D + 1))
