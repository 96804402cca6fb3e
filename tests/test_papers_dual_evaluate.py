"""Excerpts and measures of dancing systems: new windows only, known rows, the same for all."""

from dataclasses import replace

import numpy as np
import pytest
from test_data_pairs import SETTINGS, _dance

from pasdedeux.baselines import still
from pasdedeux.data import pairs
from pasdedeux.data.paired import Paired
from pasdedeux.engine import dance_systems
from pasdedeux.engine.study import study
from pasdedeux.papers import dual, dual_evaluate
from pasdedeux.training.dances import DanceTraining, Trained


@pytest.fixture(scope="module")
def made():
    dances = tuple(_dance(n, frames=611) for n in range(11))
    return pairs.cut(Paired(dances, "random"), SETTINGS)


def test_excerpts_are_three_new_windows_in_a_row_and_do_not_overlap(made):
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    assert found.pose.shape[1:] == (225, 147)
    known = set(zip(made.test.dance.tolist(), made.test.start.tolist(), strict=True))
    for number, start in zip(found.dance.tolist(), found.start.tolist(), strict=True):
        assert {(number, start + 75 * k) for k in range(3)} <= known
        assert made.split[number] == "test"
    assert np.allclose(found.pose[:, 0, [0, 2]], 0, atol=1e-4)
    few = dual_evaluate.excerpts(made, most_a_genre=1)
    assert len(few) == 1
    with pytest.raises(ValueError, match="no dance of 'valid'"):
        none = replace(made, parts={**made.parts, "valid": replace_part(made.valid)})
        dual_evaluate.excerpts(none, most_a_genre=1, part="valid")


def replace_part(part):
    """Return a part that has one window only."""
    return pairs.Part(
        part.pose[:1], part.music[:1], part.dance[:1], part.start[:1],
        type(part.heading)(part.heading.place[:1], part.heading.left[:1]),
    )  # fmt: skip


def test_the_truth_is_no_distance_from_itself_and_has_no_diversity(made):
    numbers = dual_evaluate.evaluate(dual_evaluate.truth(made, 50), made)
    assert numbers["distance world (mm)"] == pytest.approx(0, abs=1e-6)
    assert numbers["FID kinetic"] == pytest.approx(0, abs=1e-6)
    assert "diversity (cm)" not in numbers


def test_a_frozen_body_is_frozen_and_differs_by_its_first_poses_alone(made, project):
    settings = DanceTraining(pairs=SETTINGS, samples=3)
    trained = still.frozen(settings, made, 0)
    danced = dual_evaluate.performed(trained, made, 3, seed=0)
    numbers = dual_evaluate.evaluate(danced, made)
    assert numbers["frozen (%)"] == 100
    assert numbers["beats alignment (%)"] == 0
    assert numbers["above chance (%)"] == -numbers["by chance (%)"]
    assert numbers["diversity, same start (cm)"] == pytest.approx(0, abs=1e-6)
    found = dual_evaluate.excerpts(made, most_a_genre=3)
    true = dual_evaluate.joints_of(found.pose)
    held = np.repeat(true[:, :1], 225, axis=1)
    expected = 1000 * np.linalg.norm(true - held, axis=-1).mean()
    assert numbers["distance world (mm)"] == pytest.approx(expected, rel=1e-3)


def test_a_study_measures_every_system_alike_and_keeps_what_was_danced(made, project):
    tiny = dual.DualSettings(
        width_dance=12, width_music=8, heads=2, layers=1, dropout=0.0, noise=3, batch=5, steps=2,
        rates=((0, 1e-3),), pairs=SETTINGS, samples=2, workers=1,
    )  # fmt: skip
    floors = dance_systems.dance_systems("quick", tiny)
    wanted = tuple(dance_systems.FLOORS)
    some = {name: floors[name] for name in wanted}
    some |= dance_systems.dual_ablation(tiny)
    measured = study(some, made, dual_evaluate.evaluate)
    assert [m.system for m in measured] == list(some)
    composing = {"notes accuracy", "notes F1", "best held note"}
    dancing = {frozenset(set(m.numbers) - composing) for m in measured}
    assert len(dancing) == 1
    silent = {m.system for m in measured if not composing & set(m.numbers)}
    assert silent == {"frozen, nods on the beat", "frozen, trembles"}
    assert all(np.isfinite(value) for m in measured for value in m.numbers.values())
    again = study(some, made, dual_evaluate.evaluate)
    assert [m.numbers for m in again] == [m.numbers for m in measured]
    folder = project / measured[-1].run
    with np.load(folder / "samples-GW-and-CC.npz") as kept:
        assert kept["danced"].shape[1:] == (225, 147)


def test_the_rows_of_table_4_differ_in_their_two_weights_alone():
    rows = dance_systems.dual_ablation(dual.DualSettings.quick())
    weights = {label: (s.gromov, s.cycle) for label, (_, s) in rows.items()}
    assert weights == {
        "neither": (0, 0), "CC only": (0, 1), "GW only": (1, 0), "GW and CC": (1, 1),
    }  # fmt: skip
    plain = {replace(s, gromov=1.0, cycle=1.0) for _, s in rows.values()}
    assert len(plain) == 1


@pytest.mark.parametrize("profile", ["quick", "laptop", "gpu", "paper"])
def test_all_systems_of_table_2_have_the_same_data_seeds_and_updates(profile):
    like = dance_systems.dual_settings(profile)
    systems = dance_systems.dance_systems(profile, like)
    assert len(systems) == 11
    for _, settings in systems.values():
        assert (settings.pairs, settings.seeds, settings.steps) == (
            like.pairs, like.seeds, like.steps,
        )  # fmt: skip


def test_the_true_music_is_right_and_that_of_another_excerpt_is_not(made):
    real = dual_evaluate.evaluate(dual_evaluate.truth(made, 50), made)
    assert real["notes accuracy"] == 1.0
    assert real["notes F1"] == 1.0
    other = dual_evaluate.evaluate(dual_evaluate.swapped(made, 50), made)
    assert other["notes accuracy"] < 1.0
    assert other["distance world (mm)"] > 10


def test_swapped_gives_each_excerpt_what_belongs_to_one_half_of_all_excerpts_on(made):
    real, other = dual_evaluate.truth(made, 50), dual_evaluate.swapped(made, 50)
    count = len(real.danced)
    assert count > 1
    for row in range(count):
        from_row = (row - count // 2) % count
        assert from_row != row
        assert np.array_equal(other.danced[row], real.danced[from_row])
        assert np.array_equal(other.composed[row], real.composed[from_row])


def test_excerpts_whose_music_has_fewer_than_two_beats_are_left_out_of_the_notes(made):
    """With the beats of one dance taken away its excerpts no longer count; with all, none does."""
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    wrong = np.roll(found.music, 1, axis=-1)
    numbers = sorted(set(found.dance.tolist()))
    assert len(numbers) > 1
    quiet = _with_beats(made, {numbers[0]: np.array([0.1])})
    rest = found.dance != numbers[0]
    kept = dual_evaluate.Excerpts(*(part[rest] for part in found))
    assert dual_evaluate.notes_of(wrong, found, quiet) == pytest.approx(
        dual_evaluate.notes_of(wrong[rest], kept, made)
    )
    silent = _with_beats(made, dict.fromkeys(numbers, np.zeros(0)))
    assert dual_evaluate.notes_of(wrong, found, silent) == {}


def _with_beats(made, seconds):
    """Return the pairs with other beats for some dances, by their numbers."""
    dances = tuple(
        replace(dance, beat_seconds=seconds.get(number, dance.beat_seconds))
        for number, dance in enumerate(made.dances)
    )
    return replace(made, dances=dances)


def test_rhythm_of_a_body_by_hand(made):
    """A body that rests every 12 frames, to music with a beat at each rest or 3 frames later."""
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    one = dual_evaluate.Excerpts(*(part[:1] for part in found))
    number, start = int(one.dance[0]), int(one.start[0])
    rests = np.arange(12, 222, 12)
    danced = dual_evaluate.joints_of(one.pose)
    still = np.repeat(danced[:, :1], 225, axis=1)
    still[..., 1] += 0.05 * np.cos(np.pi * np.arange(225) / 12)[None, :, None]
    for late, near, score in ((0, 100.0, 1.0), (3, 0.0, np.exp(-(0.12**2) / (2 * 0.05**2)))):
        beats = (start + rests + late) / 25
        told = dual_evaluate.rhythm_of(still, one, _with_beats(made, {number: beats}))
        covered = len(rests) * 0.4 / 9
        assert told["beats alignment (%)"] == pytest.approx(100)
        assert told["by chance (%)"] == pytest.approx(100 * covered, abs=3)
        assert told["above chance, 2 frames (%)"] == pytest.approx(
            near - 100 * len(rests) * 0.16 / 9, abs=3
        )
        assert told["beat score, dance"] == pytest.approx(score, rel=0.05)
        assert told["beat score, music"] == pytest.approx(score, rel=0.05)


def test_a_beat_just_outside_the_excerpt_can_be_met_and_counts_for_chance(made):
    """A body that rests 0.12 s before the end, to music whose beats lie inside and 0.04 s after."""
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    one = dual_evaluate.Excerpts(*(part[:1] for part in found))
    number, start = int(one.dance[0]), int(one.start[0])
    still = np.repeat(dual_evaluate.joints_of(one.pose)[:, :1], 225, axis=1)
    still[..., 1] += 0.05 * np.cos(np.pi * np.arange(225) / 111)[None, :, None]
    beats = np.array([2.0, 4.0, 9.04]) + start / 25
    told = dual_evaluate.rhythm_of(still, one, _with_beats(made, {number: beats}))
    inside = dual_evaluate.rhythm_of(still, one, _with_beats(made, {number: beats[:2]}))
    assert told["by chance (%)"] - inside["by chance (%)"] == pytest.approx(100 * 0.16 / 9)
    assert told["without a beat (%)"] == 0


def test_a_body_that_never_moves_has_no_beat_and_is_told_so(made):
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    still = np.repeat(dual_evaluate.joints_of(found.pose)[:, :1], 225, axis=1)
    assert dual_evaluate.rhythm_of(still, found, made)["without a beat (%)"] == 100


def test_an_excerpt_without_a_sound_is_left_out_of_the_notes(made):
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    wrong = np.roll(found.music, 1, axis=-1)
    music = found.music.copy()
    music[0, :, 40:52] = 0
    rest = dual_evaluate.Excerpts(*(part[1:] for part in found))
    assert dual_evaluate.notes_of(wrong, found._replace(music=music), made) == pytest.approx(
        dual_evaluate.notes_of(wrong[1:], rest, made)
    )


def test_takes_begin_in_poses_from_all_over_the_excerpts(made, monkeypatch):
    monkeypatch.setattr(dual_evaluate, "TAKES", 2)
    found = dual_evaluate.excerpts(made, most_a_genre=50)
    began = []

    def dance(music, first, seed):
        began.append(first)
        return np.repeat(first[:, None], music.shape[1], axis=1)

    dual_evaluate.performed(Trained(None, dance), made, 50, seed=0)
    first, apart = found.pose[:, 0], len(found) // 2
    assert apart > 1
    for take, poses in enumerate(began[1:3]):
        assert np.array_equal(poses, np.roll(first, -take * apart, axis=0)[::4])
