"""The built-in dances: their truth is true of their sound and of their motion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.data import synthetic
from pasdedeux.data.dance import GENRES, RATE_HZ, Dance
from pasdedeux.motion.beats import beat_seconds
from pasdedeux.motion.features import geometric, kinetic
from pasdedeux.motion.kinematics import placed
from pasdedeux.motion.moves import vocabulary
from pasdedeux.motion.rotation import matrix_from_six
from pasdedeux.motion.skeleton import smpl
from pasdedeux.music.style import styles

NEAR_SECONDS = 0.1
LOW_RATE_HZ = 8000
HZ = float(RATE_HZ)


def _dance(genre, index=0, *, seed=0, seconds=17.0, **settings):
    settings = {"sample_rate_hz": LOW_RATE_HZ, **settings}
    return synthetic.dance(genre, index, seed=seed, seconds=seconds, **settings)


def _joints(made):
    body = replace(smpl(), offsets_metres=made.offsets_metres)
    rotations = matrix_from_six(torch.from_numpy(made.rotations).double())
    translation = torch.from_numpy(made.translation).double()
    return placed(rotations, translation, body).joints_world.numpy()


def _hits(made, beats):
    """Return for each kinematic beat whether one of `beats` is near, by brute force."""
    found = beat_seconds(_joints(made), HZ)
    return np.array([any(abs(one - beat) <= NEAR_SECONDS for beat in beats) for one in found])


def test_the_tables_name_the_genres_of_table_1():
    assert set(styles()) == set(GENRES)
    assert set(vocabulary().manners) == set(GENRES)
    assert len(GENRES) == 14


@pytest.mark.parametrize("genre", GENRES)
def test_a_dancer_on_the_beat_is_on_the_beat_and_off_the_beat_is_not(genre):
    on, off = (_dance(genre, off_beat=share) for share in (0.0, 1.0))
    beats = on.truth.beat_seconds
    chance = 2 * NEAR_SECONDS * on.truth.bpm / 60
    assert chance < 0.45
    assert _hits(on, beats).mean() > 0.85
    assert _hits(off, beats).mean() < min(0.25, chance)
    assert on.truth.on_beat.all()
    assert not off.truth.on_beat.any()
    assert len(on.truth.on_beat) == len(beats) == len(on.truth.chords)


def test_on_beat_tells_which_beats_are_met():
    met, missed = [], []
    for genre in GENRES[::2]:
        made = _dance(genre, off_beat=0.5, seconds=29.0)
        found = beat_seconds(_joints(made), HZ)
        near = np.abs(made.truth.beat_seconds[:, None] - found[None]).min(axis=1) <= NEAR_SECONDS
        met += list(near[made.truth.on_beat])
        missed += list(near[~made.truth.on_beat])
    assert min(len(met), len(missed)) > 80
    assert np.mean(met) > 0.85
    assert np.mean(missed) < 0.25


def test_the_share_off_the_beat_is_the_share_asked_for():
    late = [~_dance(g, i, off_beat=0.3).truth.on_beat for g in GENRES[::2] for i in (0, 3)]
    assert np.concatenate(late).mean() == pytest.approx(0.3, abs=0.12)


def test_another_song_of_the_genre_is_met_by_chance_only():
    own, other, chance = [], [], []
    for genre in GENRES[1::2]:
        made, stranger = _dance(genre, 0, off_beat=0.0), _dance(genre, 4, off_beat=0.0)
        assert made.song != stranger.song
        own.append(_hits(made, made.truth.beat_seconds).mean())
        other.append(_hits(made, stranger.truth.beat_seconds).mean())
        chance.append(2 * NEAR_SECONDS * stranger.truth.bpm / 60)
    assert np.mean(own) > 0.93
    assert np.mean(other) == pytest.approx(np.mean(chance), abs=0.15)


@pytest.mark.parametrize("genre", GENRES)
def test_a_body_moves_as_bodies_can(genre):
    made = _dance(genre, 1)
    joints = _joints(made)
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * RATE_HZ
    root = np.linalg.norm(np.diff(made.translation[:, [0, 2]], axis=0), axis=-1) * RATE_HZ
    lowest = joints[..., 1].min(axis=1)
    assert speed.max() < 8
    assert 0.15 < speed.mean() < 1
    assert root.mean() < 1
    assert lowest.min() > -0.02
    assert np.percentile(lowest, 80) < 0.03
    rotations = matrix_from_six(torch.from_numpy(made.rotations))
    turn = (rotations[1:].mT @ rotations[:-1]).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert torch.rad2deg(torch.arccos(((turn - 1) / 2).clamp(-1, 1))).max() < 60


def test_the_sound_has_its_beats_where_the_truth_says():
    """More sound begins near the true beats than half-way between them."""
    for genre in GENRES:
        made = _dance(genre, sample_rate_hz=16_000)
        hop = 160
        spectrum = np.lib.stride_tricks.sliding_window_view(made.sound, 512)[::hop]
        level = np.log(np.abs(np.fft.rfft(spectrum * np.hanning(512), axis=1)) + 1e-2)
        rise = np.maximum(0, np.diff(level, axis=0)).sum(axis=1)
        seconds = (np.arange(len(rise)) * hop + 256 + hop) / 16_000
        beats = made.truth.beat_seconds
        phase = np.interp(seconds, beats, np.arange(len(beats))) % 1
        inside = (seconds > beats[0]) & (seconds < beats[-1])
        on = rise[inside & (np.minimum(phase, 1 - phase) < 0.06)].mean()
        assert on > 1.5 * rise[inside].mean(), genre


def _sound_statistics(sound, rate_hz):
    frames = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::512] * np.hanning(1024)
    spectrum = np.abs(np.fft.rfft(frames, axis=1))
    edges = np.searchsorted(np.fft.rfftfreq(1024, 1 / rate_hz), np.geomspace(60, 3900, 21))
    bands = np.log(np.add.reduceat(spectrum, edges[:-1], axis=1) + 1e-3)
    rise = np.maximum(0, np.diff(bands, axis=0))
    beat = rise.sum(axis=1) - rise.sum(axis=1).mean()
    again = np.correlate(beat, beat, "full")[len(beat) : len(beat) + 40] / (beat @ beat)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0), rise.mean(axis=0), again])


def _accuracy(features, genres, keep_together):
    """Return the share of dances nearest to the mean of their genre, their own kin left out."""
    right = []
    for kin in sorted(set(keep_together)):
        test = keep_together == kin
        centre, spread = features[~test].mean(axis=0), features[~test].std(axis=0) + 1e-6
        scaled = (features - centre) / spread
        names = sorted(set(genres))
        means = np.stack([scaled[~test & (genres == name)].mean(axis=0) for name in names])
        distance = np.linalg.norm(scaled[test][:, None] - means[None], axis=-1)
        right += [names[i] == g for i, g in zip(distance.argmin(1), genres[test], strict=True)]
    return float(np.mean(right))


@pytest.mark.slow
def test_a_simple_classifier_knows_the_genre_from_the_dance_and_from_the_sound():
    made = list(synthetic.dances(6, seed=2, seconds=8.0, sample_rate_hz=LOW_RATE_HZ))
    bodies = [_joints(one) for one in made]
    bodies = [joints - joints[:1, :1] * [1, 0, 1] for joints in bodies]
    motion = [np.append(np.sqrt(kinetic(j, HZ)), geometric(j, HZ)) for j in bodies]
    sound = [_sound_statistics(one.sound, LOW_RATE_HZ) for one in made]
    genres = np.array([one.genre for one in made])
    family = np.array([f"{one.genre} {i % 6 // 3}" for i, one in enumerate(made)])
    assert _accuracy(np.array(motion), genres, family) > 0.6
    assert _accuracy(np.array(sound), genres, family) > 0.6


def test_kin_share_a_song_or_a_choreography_and_nothing_else():
    made = [_dance("Lock", index, off_beat=0.0) for index in range(4)]
    songs, groups = [one.song for one in made], [one.group for one in made]
    assert songs[0] == songs[1] != songs[2] != songs[3]
    assert groups[0] != groups[1] == groups[2] != groups[3]
    assert np.array_equal(made[0].sound, made[1].sound)
    assert not np.array_equal(made[1].sound, made[2].sound)
    shared = min(len(made[1].truth.moves), len(made[2].truth.moves))
    assert made[1].truth.moves[:shared] == made[2].truth.moves[:shared]
    assert made[0].truth.moves != made[1].truth.moves
    assert len({one.truth.dancer for one in made}) == 4
    assert [one.name for one in made] == ["SYN_gLO_0", "SYN_gLO_1", "SYN_gLO_2", "SYN_gLO_3"]
    assert _dance("Waltz", 3).name == "SYN_W_3"


def test_a_dance_is_the_same_whatever_else_is_made():
    alone = _dance("Tango", 2, seed=5)
    settings = {"genres": ("Waltz", "Tango"), "sample_rate_hz": LOW_RATE_HZ}
    among = {one.name: one for one in synthetic.dances(3, seed=5, seconds=17, **settings)}
    assert list(among) == [f"SYN_{code}_{index}" for code in "WT" for index in range(3)]
    same = among["SYN_T_2"]
    for field in ("sound", "translation", "rotations", "offsets_metres"):
        assert getattr(alone, field).tobytes() == getattr(same, field).tobytes()
    other = _dance("Tango", 2, seed=6)
    assert not np.array_equal(alone.rotations, other.rotations)


def test_dancers_of_one_choreography_differ_in_how_they_dance_it():
    one, other = _dance("Krump", 1, seconds=9.0), _dance("Krump", 2, seconds=9.0)
    assert one.group == other.group
    assert np.abs(one.offsets_metres - other.offsets_metres).max() > 1e-4
    apart = np.linalg.norm(one.rotations - other.rotations, axis=-1).mean()
    assert apart > 0.05


def test_partners_are_never_mirrored_and_others_are_half_the_time():
    def mirrored(genre):
        return [synthetic.dancer(genre, np.random.default_rng(seed)).mirrored for seed in range(50)]

    assert not any(mirrored("Waltz"))
    assert 15 < sum(mirrored("House")) < 35


def test_a_made_dance_is_all_that_a_dance_needs_but_its_features():
    made = _dance("Ballet Jazz", seconds=5.0)
    music = np.zeros((125, 53), np.float32)
    kept = Dance(
        made.name,
        synthetic.CORPUS,
        made.genre,
        made.group,
        made.song,
        made.translation,
        made.rotations,
        made.offsets_metres,
        music,
        made.truth.beat_seconds,
    )
    assert kept.pose.shape == (125, 147)
    assert made.sound.shape == (5 * LOW_RATE_HZ,)
    assert made.rotations.dtype == made.translation.dtype == made.sound.dtype == np.float32


def test_wrong_requests_are_refused():
    with pytest.raises(ValueError, match=r"genre must be one of .* Did you mean 'Waltz'"):
        _dance("waltz")
    with pytest.raises(ValueError, match="index must be at least 0, got -1"):
        _dance("Waltz", -1)
    with pytest.raises(ValueError, match="off_beat must be a share from 0 to 1, got 10"):
        _dance("Waltz", off_beat=10.0)
    with pytest.raises(ValueError, match=r"seconds must be at least 2, got 0\.5"):
        _dance("Waltz", seconds=0.5)
