"""Made music with its own dance and with dances to other songs."""

import numpy as np
import pytest
import rivals

from pasdedeux.metrics import beats
from pasdedeux.papers import cdcd_claims, cdcd_evaluate, cdcd_swapped
from pasdedeux.papers.cdcd_swapped import BEATS, COLUMNS, OTHER, OWN, swapped, true_music
from pasdedeux.training.run import Measured

COUNT = 7


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """One for all tests: none of them changes it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield rivals.material(folder)


@pytest.fixture(scope="module")
def true(material):
    return true_music(material, COUNT)


def test_every_clip_meets_the_music_of_every_other_song_once(material, true):
    made = cdcd_evaluate.others(material, COUNT)[0]
    found = swapped(true, made._asdict())
    onsets = [beats.onset_seconds(one.astype(np.float32) / np.float32(32767)) for one in made.sound]
    for place, clip in enumerate(made.scored):
        others = [j for j in range(len(made.rows)) if true.song[j] != true.song[clip]]
        assert 0 < len(others) < len(made.rows)
        each = [beats.onset_f1(true.onsets[clip], onsets[j]) for j in others]
        assert found["Onset F1"][place] == pytest.approx(100 * np.mean(each))
        seconds = float(material.clips.settings.seconds)
        flags = [beats.flags(onsets[j], seconds) for j in others]
        own = beats.flags(true.onsets[clip], seconds)
        each = [beats.hit(own, one) for one in flags]
        assert found["Hit"][place] == pytest.approx(100 * np.mean(each))


def test_music_that_is_the_same_for_all_dances_scores_alike(material, true):
    one = material.clips.sound(true.made.rows)[:1]
    made = cdcd_evaluate.scored(np.repeat(one, len(true.song), 0), true.made.rows, material)
    own, other = cdcd_claims.per_clip(made._asdict()), swapped(true, made._asdict())
    for name in BEATS:
        assert np.allclose(own[name], other[name])


def test_true_music_is_nearer_to_its_own_dance(true, material):
    system = Measured("Heard", 4, "runs/heard", {})
    own = {"Heard": {4: {name: np.array([70.0, 90.0]) for name in BEATS}}}
    other = {"Heard": {4: {name: np.array([10.0, 20.0]) for name in BEATS}}}
    found = cdcd_swapped.measurements(true, [system], own, other, corpus="synthetic")
    table = {(one.row, one.column): (one.seed, one.value) for one in found}
    assert {column for _, column in table} == set(COLUMNS)
    for name in BEATS:
        assert table["ground truth", f"{name}, {OWN} (%)"] == (None, 100.0)
        assert table["ground truth", f"{name}, {OTHER} (%)"][1] < 100
        assert table["Heard", f"{name}, {OWN} (%)"] == (4, 80.0)
        assert table["Heard", f"{name}, {OTHER} (%)"] == (4, 15.0)


def test_other_clips_and_a_single_song_are_refused(true):
    made = true.made._asdict()
    with pytest.raises(ValueError, match="measured on other test clips"):
        swapped(true, made | {"rows": made["rows"] + 1})
    with pytest.raises(ValueError, match="of one song"):
        swapped(true._replace(song=np.zeros_like(true.song)), made)
