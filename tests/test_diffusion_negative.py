import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pasdedeux.base.seeding import generator
from pasdedeux.diffusion.negative import OtherLabel, chunks, released_shuffled, shuffled

B, N = 3, 11


@pytest.mark.parametrize(("L", "count"), [(344, 8), (1033, 8), (7, 3), (5, 5)])
def test_chunks_cover_every_position_once_and_differ_by_one_at_most(L, count):
    begin, length = chunks(L, count, torch.device("cpu"))
    covered = [p for b, n in zip(begin.tolist(), length.tolist(), strict=True)
               for p in range(b, b + n)]  # fmt: skip
    assert covered == list(range(L))
    assert length.max() - length.min() <= 1


@pytest.mark.parametrize(("L", "count"), [(344, 8), (37, 8), (6, 2), (7, 3)])
def test_a_negative_is_its_chunks_in_another_order(L, count):
    start = torch.arange(L).repeat(B, 1) + 1000 * torch.arange(B)[:, None]
    found = shuffled(start, generator(0, "s"), negatives=N, chunks_of_each=count)
    begin, length = chunks(L, count, torch.device("cpu"))
    parts = [range(b, b + n) for b, n in zip(begin.tolist(), length.tolist(), strict=True)]
    whole = {
        tuple(p for part in order for p in part) for order in itertools.islice(
            itertools.permutations(parts), math.factorial(count) if count < 5 else 0)
    }  # fmt: skip
    for b, n in itertools.product(range(B), range(N)):
        negative = (found[b, n] - 1000 * b).tolist()
        assert sorted(negative) == list(range(L))
        assert negative != list(range(L))
        if whole:
            assert tuple(negative) in whole
        inside = sum(x + 1 == y for x, y in itertools.pairwise(negative))
        assert inside >= L - count  # only the seams between chunks are broken
    if count == 8:
        assert len({tuple(one.tolist()) for one in (found - 1000 * torch.arange(B)[:, None, None])
                    .flatten(0, 1)}) > N  # fmt: skip


@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=9),
    st.integers(2, 4),
    st.integers(0, 1000),
)
def test_repeating_codes_never_come_back_unless_no_swap_changes_them(codes, count, seed):
    if count > len(codes):
        return
    found = shuffled(
        torch.tensor([codes]), generator(seed, "s"), negatives=5, chunks_of_each=count
    )[0].tolist()
    begin, length = chunks(len(codes), count, torch.device("cpu"))
    parts = [codes[b : b + n] for b, n in zip(begin.tolist(), length.tolist(), strict=True)]
    swaps = []
    for d in range(1, count):
        order = list(range(count))
        order[0], order[d] = d, 0
        swaps.append(sum((parts[k] for k in order), []))
    changeable = any(one != codes for one in swaps)
    for negative in found:
        assert sorted(negative) == sorted(codes)
        assert not changeable or negative != codes


def test_silence_comes_back_and_waveforms_are_shuffled_too():
    silence = torch.zeros(B, 16, dtype=torch.long)
    assert torch.equal(shuffled(silence, generator(0, "s"), negatives=2)[:, 0], silence)
    sound = torch.randn(B, 44100, generator=generator(0, "sound"))
    found = shuffled(sound, generator(0, "s"), negatives=2)
    assert found.dtype == sound.dtype
    assert torch.equal(found.sort(-1).values, sound.sort(-1).values[:, None].expand(-1, 2, -1))


def test_released_negatives_share_one_order_keep_the_tail_and_may_be_the_original():
    start = torch.arange(11).repeat(B, 1)
    found = released_shuffled(start, generator(0, "r"), negatives=200, chunks_of_each=2)
    assert (found == found[:1]).all()
    assert (found[..., 10] == 10).all()
    same = (found == start[:, None]).all(-1).float().mean().item()
    assert same == pytest.approx(0.5, abs=0.15)
    ours = shuffled(start, generator(0, "r"), negatives=200, chunks_of_each=2)
    assert not (ours == start[:, None]).all(-1).any()


def test_inter_negatives_never_share_the_label_and_are_uniform_over_the_rest():
    labels = torch.tensor([2, 0, 1, 2, 0, 0, 3])
    index = OtherLabel(labels)
    items = torch.arange(7)
    found = index.drawn(items, generator(0, "inter"), negatives=6000)
    assert (labels[found] != labels[:, None]).all()
    for item in items.tolist():
        others = (labels != labels[item]).nonzero()[:, 0]
        share = torch.bincount(found[item], minlength=7)[others] / 6000
        assert (share - 1 / len(others)).abs().max() < 5 * 0.5 / math.sqrt(6000)
    with pytest.raises(ValueError, match="all 4 items have the same one"):
        OtherLabel(torch.zeros(4, dtype=torch.long))


def test_wrong_chunks_are_refused():
    start = torch.zeros(B, 5, dtype=torch.long)
    for count in (1, 6):
        with pytest.raises(ValueError, match=f"from 2 to the 5 positions, got {count}"):
            shuffled(start, generator(0, "s"), chunks_of_each=count)
