"""The measures of the music tables on sounds whose scores are known, and what is kept of each."""

from pathlib import Path

import numpy as np
import pytest
import rivals

from pasdedeux.metrics import beats, genre
from pasdedeux.papers import cdcd_evaluate as evaluated
from pasdedeux.training.musics import Trained
from pasdedeux.training.run import Run

COUNT = 5


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """One for all tests: none of them changes it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield rivals.material(folder)


def _trained(generate):
    return Trained(Run(Path("runs/x"), "x", 0), generate)


def test_true_music_scores_everything_that_can_be_scored(material):
    true = evaluated.truth(material, COUNT)
    numbers = evaluated.evaluate(true, material)
    assert len(true.rows) == numbers["clips"] == COUNT
    assert numbers["skipped"] == 0
    for name in ("coverage", "hit", "capped", "flags F1", "onset F1"):
        assert numbers[f"{name} (%)"] == 100, name
    for name in (f"{what} {x} (%)" for what in ("genre", "balanced") for x in "ABC"):
        assert 0 <= numbers[name] <= 100
    assert numbers["silent (%)"] == 0
    peak = np.abs(true.sound.astype(float)).max(axis=1)
    assert np.allclose(peak, 0.95 * 32767, atol=1)


def test_the_level_is_the_root_mean_square_of_everything(material):
    true = evaluated.truth(material, COUNT)
    half = true._replace(sound=(true.sound // 2).astype(np.int16))
    level, lower = (evaluated.evaluate(one, material)["level (dBFS)"] for one in (true, half))
    power = np.square(true.sound / 32767, dtype=float).mean()
    assert level == pytest.approx(10 * np.log10(power))
    assert level - lower == pytest.approx(6.02, abs=0.05)


def test_silence_has_no_beats_and_is_told(material):
    rows = evaluated.tested(material, COUNT)
    silence = np.zeros((len(rows), 44_100), np.float32)
    numbers = evaluated.evaluate(evaluated.scored(silence, rows, material), material)
    for name in ("coverage", "hit", "capped", "flags F1", "onset F1"):
        assert numbers[f"{name} (%)"] == 0, name
    assert numbers["silent (%)"] == 100
    assert numbers["level (dBFS)"] == evaluated.FLOOR_DB


def test_every_system_gets_the_same_clips_spread_over_the_dances(material):
    asked = []

    def generate(rows, seed):
        asked.append((rows.tolist(), seed))
        return material.clips.sound(rows)

    for seed in (3, 5):
        evaluated.performed(_trained(generate), material, 2, seed=seed)
    assert [seed for _, seed in asked] == [3, 5]
    first, second = (rows for rows, _ in asked)
    assert first == second
    assert len(first) == 2
    test = material.clips.rows("test")
    assert len(set(material.clips.places.dance[first])) == 2, "both dances, not the first twice"
    assert set(first) <= set(test.tolist())
    every = evaluated.tested(material, 10_000)
    assert np.array_equal(every, test)


def test_the_record_holds_the_scores_that_the_metrics_give_clip_by_clip(material):
    rows = evaluated.tested(material, 4)
    other = material.clips.sound(np.roll(rows, 1))
    record = evaluated.scored(other, rows, material)
    sound = record.sound.astype(np.float32) / np.float32(32767)
    assert np.abs(sound - other).max() < 1e-4, "16 bits"
    true, made = (
        [beats.onset_seconds(one) for one in some] for some in (material.clips.sound(rows), sound)
    )
    expected = beats.scores(true, made, 2.0)
    for name in ("coverage", "hit", "capped", "flags_f1", "onset_f1"):
        assert np.array_equal(getattr(record, name), getattr(expected, name)), name
    assert record.coverage.std() + record.onset_f1.std() > 0, "nothing differs, nothing is tested"
    numbers = evaluated.evaluate(record, material)
    assert numbers["onset F1 (%)"] == pytest.approx(100 * expected.onset_f1.mean())


def test_genres_are_those_of_the_nearest_original_by_brute_force(material):
    rows, clips = evaluated.tested(material, 4), material.clips
    sound = clips.sound(clips.rows("train")[: len(rows)])
    record = evaluated.scored(sound, rows, material)
    vectors = genre.statistics(record.sound.astype(np.float32) / np.float32(32767))
    recorded = evaluated.embedded(material)
    coded = genre.statistics(evaluated.played(material, material.tokens))
    train, every = clips.rows("train"), np.arange(len(clips))
    assert not np.allclose(recorded, coded), "the VQ-VAE changes nothing, C is B"
    for name, pool, originals, right in (
        ("A", train, recorded, record.right_a),
        ("B", every, recorded, record.right_b),
        ("C", every, coded, record.right_c),
    ):
        spread = originals[train].std(0)
        spread[spread == 0] = 1
        for row, vector, found in zip(rows, vectors, right, strict=True):
            mine = clips.song[pool] == clips.song[row]
            near = np.abs(clips.places.first[pool] - clips.places.first[row]) < 44_100
            free = pool[~(mine & near)]
            apart = np.square((originals[free] - vector) / spread).sum(axis=1)
            assert found == (clips.genre[free[apart.argmin()]] == clips.genre[row]), name


def test_b_hides_what_shares_sound_with_the_true_clip_and_nothing_else_of_it(material):
    rows = evaluated.tested(material, COUNT)
    found = evaluated.databases(material, rows)
    (small, hidden_a, _), (whole, hidden_b, _) = found["A"], found["B"]
    assert np.array_equal(found["C"].excluded, hidden_b)
    assert len(small.genre) == len(material.clips.rows("train"))
    assert not hidden_a.any(), "no song is on both sides"
    assert len(whole.genre) == len(material.clips)
    assert hidden_b[np.arange(len(rows)), rows].all(), "the true clip itself"
    assert (hidden_b.sum(axis=1) < 4).all(), "held-out clips do not overlap much"


def test_vectors_are_computed_once_for_an_embedder(material):
    called = []

    def counting(sounds):
        called.append(len(sounds))
        return np.stack([sounds.mean(axis=1), sounds.std(axis=1)], axis=1).astype(float)

    first = evaluated.embedded(material, counting)
    assert sum(called) == len(material.clips) == len(first)
    again = evaluated.embedded(material, counting)
    assert sum(called) == len(material.clips), "computed twice"
    assert np.array_equal(first, again)
    assert evaluated.embedded(material).shape[1] != 2, "another embedder has other vectors"


def test_an_embedder_of_the_user_is_asked(material):
    rows = evaluated.tested(material, COUNT)
    genres = material.clips.genre
    known = material.clips.sound(np.arange(len(genres)))[:, ::100]

    def knowing(sounds):
        """The true genre of the clip that a sound is."""
        rows = [np.abs(known - sound[::100]).sum(axis=1).argmin() for sound in sounds]
        return np.array([[float(genres[row])] for row in rows])

    assert evaluated.scored(
        material.clips.sound(rows), rows, material, embedder=knowing
    ).right_b.all()


def test_rows_that_do_not_depend_on_a_system(material):
    rows = evaluated.trivial(material, COUNT)
    assert list(rows) == [
        "ground truth", "VQ reconstruction", "random other clip", "always beat", "chance",
        "majority",
    ]  # fmt: skip
    assert rows["always beat"]["hit (%)"] == 100
    assert rows["always beat"]["coverage (%)"] >= 100
    assert "genre A (%)" not in rows["always beat"], "it is no sound"
    assert rows["VQ reconstruction"]["onset F1 (%)"] < 100, "an untrained VQ-VAE"
    other = rows["random other clip"]
    assert other["onset F1 (%)"] < 100
    names = material.clips.genre[evaluated.tested(material, COUNT)]
    train = material.clips.genre[material.clips.rows("train")]
    most = np.bincount(train).argmax()
    assert rows["majority"]["genre A (%)"] == pytest.approx(100 * (names == most).mean())
    assert rows["majority"]["balanced A (%)"] == 50
    share = np.mean([(train == name).mean() for name in names])
    assert rows["chance"]["genre A (%)"] == pytest.approx(100 * share)


def test_other_songs_are_other_songs(material):
    passes = evaluated.others(material, COUNT)
    assert len(passes) == evaluated.PASSES
    sounds = [one.sound.tobytes() for one in passes]
    assert len(set(sounds)) == len(passes), "every pass draws anew"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda sound: sound[:, :-1], "shape"),
        (lambda sound: sound * np.nan, "finite"),
        (lambda sound: sound * 2, r"\[-1, 1\], got up to 1.9"),
    ],
)
def test_sound_that_cannot_be_right_is_refused(material, spoil, told):
    rows = evaluated.tested(material, COUNT)
    with pytest.raises(ValueError, match=told):
        evaluated.scored(spoil(material.clips.sound(rows)), rows, material)


def test_genres_of_the_test_clips_are_counted(material):
    counts = evaluated.genres_of(material, evaluated.tested(material, COUNT))
    assert sum(counts.values()) == COUNT
    assert set(counts) == {"Waltz", "Rumba"}
