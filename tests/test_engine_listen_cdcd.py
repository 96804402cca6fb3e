"""The opinion-score test on planted runs: which music, which dance, and where answers go."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import listeners
import numpy as np
import pytest
import rivals
import torch

from pasdedeux.base.files import write_json
from pasdedeux.data.clip_places import SAMPLE_RATE_HZ
from pasdedeux.data.clips import Clips
from pasdedeux.engine import asked, listen, listen_cdcd, listen_sources
from pasdedeux.engine.cdcd_systems import rows_of
from pasdedeux.engine.listen_sources import Material
from pasdedeux.listening import design
from pasdedeux.listening.export import export
from pasdedeux.listening.plan import questions
from pasdedeux.listening.stimuli import Film
from pasdedeux.listening.store import Answer, Store
from pasdedeux.music.audio import RATE_HZ
from pasdedeux.nn.conv import ConvConfig
from pasdedeux.papers import cdcd_codec
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.papers.cdcd_evaluate import FULL
from pasdedeux.report.reference import reference
from pasdedeux.training.average import Average
from pasdedeux.training.run import samples_file

LABELS = rows_of("1")
QUALITY = {"GT Music", "D2M-GAN", "Ours Vanilla", "Ours Step-Intra", "Ours Sample-Inter"}
CODEC = CodecSettings(
    conv=ConvConfig(((6, 4),), channels=5, width=3, units=1, closing=False),
    codes=7, samples=96, steps=3,
)  # fmt: skip


class Ran(NamedTuple):
    """The planted project, its clips, and those that were played to."""

    project: Path
    clips: Clips
    rows: np.ndarray


@pytest.fixture
def ran(project, monkeypatch):
    """A project in which notebook 34 has run at quick, its systems under two seeds."""
    (project / "notebooks").mkdir()
    for name in ("34_cdcd_tables", "11_dual_tables"):
        (project / "notebooks" / f"{name}.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(
        listen_sources.notebooks,
        "file",
        lambda number: next((project / "notebooks").glob(f"{number}*.ipynb")),
    )
    material = rivals.material(project)
    monkeypatch.setattr(listen_cdcd, "clips", lambda settings: material.clips)
    monkeypatch.setattr(listen_sources, "filming", lambda pose, rate_hz, seen: _Filmed(pose))
    rows = rivals.held_out(material)
    assert np.unique(material.clips.genre[rows], return_counts=True)[1].min() > 1
    runs = {}
    for seed in (1, 0):
        for place, label in enumerate(LABELS.values()):
            name = f"runs/cdcd/system{place}-seed{seed}-abc"
            runs[name] = {"seed": seed, "data": material.clips.checksum}
            codec = "codec-seed0-xyz" if place % 2 else "a vocabulary"
            write_json(project / name / "config.json", {"settings": {"codec": codec}})
            _keep(project / name, label, rows, _noise(place, len(rows), seed))
    _sidecar(project, runs)
    return Ran(project, material.clips, rows)


class _Filmed:
    """The film of a pose, as small as can be."""

    def __init__(self, pose):
        self.pose = pose

    def __call__(self, sound):
        return Film(".gif", listeners.GIF)


def _noise(place, count, seed):
    drawn = np.random.default_rng([place, seed])
    return drawn.integers(-9000, 9000, size=(count, 2 * SAMPLE_RATE_HZ)).astype(np.int16)


def _keep(folder, label, rows, sound):
    np.savez((folder / samples_file(label)).with_suffix(".npz"), rows=rows, sound=sound)


def _sidecar(project, runs, status="ok"):
    told = {"status": status, "parameters": {"corpus": "auto", "seed": 0}, "runs": runs}
    write_json(project / "results" / "quick" / "notebooks" / "34_cdcd_tables.json", told)


def _codec(project, settings=CODEC, done=3):
    """Plant a finished VQ-VAE and return it."""
    torch.manual_seed(0)
    average = Average(cdcd_codec.Codec(settings), decay=settings.average)
    folder = project / "runs" / "cdcd" / "codec-seed0-xyz"
    write_json(folder / "config.json", {"settings": asdict(settings) | {"device": "cpu"}})
    modules = {"codec": cdcd_codec.Codec(settings).state_dict(), "average": average.state_dict()}
    torch.save({"done": done, "modules": modules}, folder / "checkpoint.pt")
    return average.inner.eval()


def test_the_systems_of_table_1_play_to_the_dances_they_were_given(ran):
    material = listen_cdcd.mos("quick", items=3, seed=0)
    assert material.design.step("coherence").reference == "GT Music"
    systems = {design.SOUNDS: {}, design.FILMS: {}}
    for one in material.stimuli:
        systems[one.pool].setdefault(one.system, []).append(one.item)
        row = np.array([int(one.item)])
        assert one.hint == ran.clips.genres[ran.clips.genre[row[0]]]
        if one.pool == design.FILMS:
            np.testing.assert_array_equal(one.film.pose, ran.clips.pose(row)[0])
        if one.system == "GT Music":
            np.testing.assert_array_equal(one.sound, ran.clips.sound(row)[0])
        else:
            place = list(LABELS).index(one.system)
            made = _noise(place, len(ran.rows), 0)[ran.rows.tolist().index(row[0])]
            np.testing.assert_array_equal(one.sound, made / FULL)
            assert one.source == f"runs/cdcd/system{place}-seed0-abc"  # of the lowest seed
    assert set(systems[design.FILMS]) == set(reference("cdcd", 1).rows)
    assert set(systems[design.SOUNDS]) == QUALITY
    items = {tuple(found) for pool in systems.values() for found in pool.values()}
    assert len(items) == 1
    assert len(set(next(iter(items)))) == 3
    assert SAMPLE_RATE_HZ == RATE_HZ  # nothing is resampled


def test_clips_are_drawn_by_the_seed_the_genres_in_turn(ran):
    own = listen_cdcd.kept(listen_sources.finished("34", "quick"))
    found = [listen_cdcd.drawn(ran.clips, own, items=4, seed=seed) for seed in range(9)]
    for places in found:
        first, second, *_ = ran.clips.genre[ran.rows[places]]
        assert first != second
        assert len(set(places.tolist())) == 4
    assert len({tuple(places.tolist()) for places in found}) > 4
    again = listen_cdcd.drawn(ran.clips, own, items=4, seed=3)
    np.testing.assert_array_equal(again, found[3])


def test_a_clip_at_which_a_system_is_silent_is_not_played(ran):
    own = listen_cdcd.kept(listen_sources.finished("34", "quick"))
    sound = own["CMT"].sound.copy()
    sound[[0, 3]] = 0
    own["CMT"] = own["CMT"]._replace(sound=sound)
    for seed in range(5):
        places = listen_cdcd.drawn(ran.clips, own, items=3, seed=seed)
        assert set(places.tolist()) == {1, 2, 4}
    with pytest.raises(ValueError, match="3 test clips at which no system is silent, 4 are asked"):
        listen_cdcd.drawn(ran.clips, own, items=4, seed=0)
    own["CMT"] = own["CMT"]._replace(rows=ran.rows[::-1].copy())
    with pytest.raises(ValueError, match="played to different clips"):
        listen_cdcd.drawn(ran.clips, own, items=2, seed=0)


def test_only_the_systems_that_were_kept_are_played(ran):
    for file in ran.project.glob("runs/cdcd/*/samples-Foley.npz"):
        file.unlink()
    material = listen_cdcd.mos("quick", items=1, seed=0)
    systems = {one.system for one in material.stimuli}
    assert systems == set(reference("cdcd", 1).rows) - {"Foley"}


def test_runs_of_other_clips_are_refused(ran, monkeypatch):
    other = replace(ran.clips, notice="other")
    monkeypatch.setattr(Clips, "checksum", "other")
    monkeypatch.setattr(listen_cdcd, "clips", lambda settings: other)
    with pytest.raises(ValueError, match="trained on other clips than are here now; run `pasdedeu"):
        listen_cdcd.mos("quick", items=1, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: _gone(p), "34_cdcd_tables has not run at profile quick; run `pasdedeux run 34"),
        (lambda p: _sidecar(p, {}, status="error"), "34_cdcd_tables did not end well at profile"),
        (
            lambda p: [file.unlink() for file in p.glob("runs/cdcd/*/samples-*.npz")],
            "no music of Table 1 of CDCD is kept; run `pasdedeux run 34 --profile quick` first",
        ),
    ],
)
def test_without_them_the_dual_learning_tables_are_played(ran, monkeypatch, change, message):
    composed = Material(design.mos(), [])
    monkeypatch.setattr(listen_sources, "dual_music", lambda profile, items: composed)
    change(ran.project)
    with pytest.raises(ValueError, match=message):
        listen_cdcd.mos("quick", items=2, seed=0)
    told = {"status": "ok", "parameters": {}, "runs": {"runs/cdcd": {}}}
    write_json(ran.project / "results" / "quick" / "notebooks" / "11_dual_tables.json", told)
    assert listen_cdcd.mos("quick", items=2, seed=0) is composed


def _gone(project):
    (project / "results" / "quick" / "notebooks" / "34_cdcd_tables.json").unlink()


def test_tiktok_has_no_table_1(ran):
    done = listen_sources.finished("34", "quick")
    assert listen_cdcd.kept(done._replace(parameters={"corpus": "tiktok"})) == {}


def test_the_coded_music_comes_from_the_averaged_weights_of_the_finished_run(ran, monkeypatch):
    codec = _codec(ran.project)
    sound = ran.clips.sound(ran.rows[:2])
    made = listen_cdcd.reconstructed("runs/cdcd/codec-seed0-xyz", sound, CODEC)
    with torch.no_grad():
        heard = codec.decode(codec.encode(torch.from_numpy(sound))).numpy()
    assert heard.std() > 0
    assert made.shape == sound.shape
    np.testing.assert_allclose(made[:, : heard.shape[1]], heard.clip(-1, 1), atol=1e-6)
    assert not made[:, heard.shape[1] :].any()
    like = listen_cdcd.music_settings("quick")
    monkeypatch.setattr(
        listen_cdcd, "music_settings", lambda *args, **kwargs: replace(like, codec=CODEC)
    )
    material = listen_cdcd.mos("quick", items=2, seed=0)
    coded = [one for one in material.stimuli if one.system == listen_cdcd.CEILING]
    assert [one.pool for one in coded] == [design.SOUNDS] * 2 + [design.FILMS] * 2
    assert {one.source for one in coded} == {"runs/cdcd/codec-seed0-xyz"}


def test_no_codec_is_trained_for_a_test(ran):
    sound = ran.clips.sound(ran.rows[:2])
    own = listen_cdcd.kept(listen_sources.finished("34", "quick"))
    assert listen_cdcd.codec_run(own) is None
    _codec(ran.project, done=2)
    run = listen_cdcd.codec_run(own)
    assert run == "runs/cdcd/codec-seed0-xyz"
    assert listen_cdcd.reconstructed(run, sound, CODEC) is None  # unfinished
    assert listen_cdcd.reconstructed(run, sound, replace(CODEC, codes=5)) is None


def test_answers_fill_the_columns_of_people_in_table_1(ran):
    _codec(ran.project)
    test = listen.prepared("mos", "quick", items=1)
    told = listen.played(test, "quick")
    assert told.startswith("of Table 1: dance to music on AIST++: GT Music / Foley / Dance2Music")
    assert told.endswith("Ours Sample-Inter")
    rows = list(reference("cdcd", 1).rows)
    store = Store(test.folder, test.version)
    store.enrol("words")
    for question in questions(test, 0):
        known = test.key[question.stimuli[0]]
        score = known.right or str(1 + rows.index(known.system) % 5)
        store.answer(Answer(1, question.id, score, 1, 1, 1.0, 0.0))
    file = export(test, store)[1]
    store.close()
    people = asked.people("mos", str(file))
    assert set(people.printed) == set(rows)
    assert people.others == {}
    for place, row in enumerate(rows):
        assert people.printed[row]["Coherence MOS"].value == 1 + place % 5
        assert ("Quality MOS" in people.printed[row]) == (row in QUALITY)
    assert json.loads(file.read_text(encoding="utf-8"))["test"] == "mos"


def test_other_systems_are_told_with_the_command_that_brings_cdcds_own(tmp_path):
    test = listeners.mos(tmp_path / "mos")
    told = listen.played(test, "laptop")
    assert "of Table 1: dance to music on AIST++: nothing; besides: " in told
    assert told.endswith("CDCD's own need `pasdedeux run 34 --profile laptop`")
    told = listen.played(listeners.ranking(tmp_path / "ranking"), "laptop")
    assert "(average rank, 1 is best): Ours; besides: " in told
