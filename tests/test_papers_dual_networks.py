"""The two networks at tiny size: one frame after the other, drawn chords, windows in a row."""

from dataclasses import replace

import dances
import numpy as np
import pytest
import torch

from pasdedeux.papers import dual_networks as networks
from pasdedeux.papers.dual_settings import DualSettings

T, B = dances.T, 3
TINY = DualSettings(
    width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=4, batch=5, steps=2,
    rates=((0, 1e-2),), pairs=dances.FEW, device="cpu",
)  # fmt: skip
SINGLE = replace(TINY, decoding="autoregressive")


@pytest.fixture
def given():
    torch.manual_seed(0)
    music, pose = (torch.from_numpy(made(B, T, 1)) for made in (dances.songs, dances.poses))
    return music, pose, torch.randn(B, 4)


def _composing(settings=TINY):
    torch.manual_seed(3)
    return networks.Composing(settings).eval()


def test_music_made_frame_by_frame_is_what_its_own_frames_as_after_give(given):
    music, pose, noise = given
    made = _composing(SINGLE)
    memory, chord = made.encoded(pose), networks.chords(music)
    own = made.composed(memory, chord, noise)
    sure = own.frames[..., 40:]
    assert ((sure > networks.SURE) & (sure < 1 - networks.SURE)).all()
    again = made.composed(memory, chord, noise, after=own.frames)
    assert torch.allclose(again.frames, own.frames, atol=1e-4)
    assert torch.allclose(again.beat_logit, own.beat_logit, atol=1e-4)
    other = made.composed(memory, chord, noise, after=music)
    assert not torch.allclose(other.frames, own.frames, atol=1e-3)


def test_a_dance_made_frame_by_frame_is_what_its_own_raw_frames_give(given):
    """Raw, that is before the rotations are made orthonormal: so a network follows itself."""
    music, pose, noise = given
    torch.manual_seed(3)
    made = networks.Dancing(SINGLE).eval()
    memory = made.encoded(music)
    own = made.decoded(memory, pose[:, 0], noise)
    again = made.decoded(memory, pose[:, 0], noise, target=own)
    assert torch.allclose(again, own, atol=1e-5)
    danced = made.danced(memory, pose[:, 0], noise)
    assert torch.allclose(danced, networks.orthonormal(own + pose[:, :1]), atol=1e-5)


@pytest.mark.parametrize("changed", [0, 4, T - 1])
def test_no_frame_depends_on_what_comes_with_it_or_later(given, changed):
    music, pose, noise = given
    torch.manual_seed(3)
    dancing, composing = networks.Dancing(SINGLE).eval(), _composing(SINGLE)
    late, loud = pose.clone(), music.clone()
    late[:, changed:, :3] += 1
    loud[:, changed:, :40] += 1
    heard, seen, chord = dancing.encoded(music), composing.encoded(pose), networks.chords(music)
    one, two = (dancing.danced(heard, pose[:, 0], noise, after=y) for y in (pose, late))
    assert torch.equal(one[:, : changed + 1], two[:, : changed + 1])
    assert torch.equal(one, two) == (changed == T - 1)
    one, two = (composing.composed(seen, chord, noise, after=x).frames for x in (music, loud))
    assert torch.equal(one[:, : changed + 1], two[:, : changed + 1])
    assert torch.equal(one, two) == (changed == T - 1)


def test_a_parallel_network_has_no_use_for_what_it_should_say(given):
    music, pose, noise = given
    torch.manual_seed(3)
    made = networks.Dancing(TINY).eval()
    memory = made.encoded(music)
    told = made.danced(memory, pose[:, 0], noise, after=pose)
    assert torch.equal(told, made.danced(memory, pose[:, 0], noise))


def test_drawn_chords_are_any_root_and_either_mode_equally_often():
    chord = networks.drawn_chords(24_000, 5)
    assert (chord[:, :12].sum(1) == 1).all()
    assert set(chord[:, 12].tolist()) == {0.0, 1.0}
    kinds = (chord[:, :12].argmax(1) + 12 * chord[:, 12]).long().bincount(minlength=24)
    assert kinds.min() > 1000 - 5 * 31
    assert kinds.max() < 1000 + 5 * 31, "1000 of each expected, five standard deviations allowed"
    assert torch.equal(networks.drawn_chords(9, 5), networks.drawn_chords(9, 5))
    assert not torch.equal(networks.drawn_chords(9, 5), networks.drawn_chords(9, 6))


def test_the_next_window_begins_with_the_triad_that_sounded_last(monkeypatch):
    made, asked, heard = _composing(), [], []
    composed = made.composed

    def listening(memory, chord, noise):
        asked.append(chord.clone())
        heard.append(composed(memory, chord, noise))
        return heard[-1]

    monkeypatch.setattr(made, "composed", listening)
    music = networks.composer(made, TINY)(dances.poses(B, 2 * T + 3, 2), 5)
    assert music.shape == (B, 2 * T + 3, 53)
    assert len(asked) == 3
    assert torch.equal(asked[0], networks.drawn_chords(B, 5))
    for before, chord in zip(heard, asked[1:], strict=False):
        assert torch.equal(chord, networks.chords(before.frames[:, -1:]))
    np.testing.assert_array_equal(music, torch.cat([h.frames for h in heard], 1).detach().numpy())


def test_composing_repeats_and_each_piece_is_its_dances_alone():
    """Same noise, so only the other dances of the batch differ."""
    compose = networks.composer(_composing(), TINY)
    pose = dances.poses(B, 2 * T + 3, 2)
    made = compose(pose, 5)
    assert np.array_equal(compose(pose, 5), made)
    assert not np.allclose(compose(pose, 6), made)
    changed = np.concatenate([pose[:1], dances.poses(B - 1, 2 * T + 3, 9)])
    again = compose(changed, 5)
    np.testing.assert_allclose(again[0], made[0], atol=1e-5)
    assert not np.allclose(again[1:], made[1:], atol=1e-4)


def test_composing_of_several_is_that_of_each_where_noise_and_chord_are_the_same(monkeypatch):
    quiet = replace(TINY, noise=1)
    compose = networks.composer(_composing(quiet), quiet)
    monkeypatch.setattr(networks.torch, "randn", lambda *size, generator: torch.zeros(*size))
    fixed = torch.eye(13)[[2]]
    monkeypatch.setattr(networks, "drawn_chords", lambda count, seed: fixed.repeat(count, 1))
    pose = dances.poses(B, 2 * T + 3, 2)
    together = compose(pose, 0)
    for row in range(B):
        np.testing.assert_allclose(compose(pose[[row]], 0)[0], together[row], atol=1e-5)
