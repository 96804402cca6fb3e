"""`pasdedeux listen`: stimuli from finished runs, one line for what is missing, answers out."""

import json
import shutil

import listeners
import numpy as np
import pytest

from pasdedeux import cli
from pasdedeux.base.files import write_json
from pasdedeux.data.melodies import Domain, MelodyPair, MelodySettings
from pasdedeux.engine import listen, listen_sources
from pasdedeux.listening import design
from pasdedeux.listening.plan import questions
from pasdedeux.listening.store import Answer, Store
from pasdedeux.music.melody import Vocabulary
from pasdedeux.report.reference import reference
from pasdedeux.training.run import samples_file

SYSTEMS = (*reference("fusion", 2).rows, listen_sources.HELD_OUT)
CHECKSUM = "of the melodies"


def _windows(seed, count=12, steps=36, size=9):
    drawn = np.random.default_rng(seed)
    windows = drawn.integers(2, size, size=(count, steps))
    return np.where(drawn.random((count, steps)) < 0.5, 1, windows)


def _pair(checksum=CHECKSUM):
    def domain(name, seed):
        parts = [_windows(seed + n) for n in range(3)]
        return Domain(name, f"corpus of {name}", *parts, {}, (), (), "", "")

    vocabulary = Vocabulary(tuple(range(60, 67)))
    settings = MelodySettings(pair="jazz-folk")
    return MelodyPair(domain("jazz", 100), domain("folk", 200), vocabulary, settings, checksum, "")


@pytest.fixture
def ran(project, monkeypatch):
    """A project in which notebook 21 has run at quick, under two seeds."""
    (project / "notebooks").mkdir()
    (project / "notebooks" / "21_fusiongan_tables.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(listen_sources.notebooks, "file", lambda number: _file(project, number))
    runs = {}
    for seed in (1, 0):
        for place, label in enumerate(SYSTEMS):
            name = f"runs/fusion/system{place}-seed{seed}-abc"
            runs[name] = {"seed": seed, "data": CHECKSUM}
            (project / name).mkdir(parents=True)
            windows = _windows(10 * place + seed).astype(np.int16)
            np.save(project / name / samples_file(label), windows)
    _sidecar(project, runs=runs)
    monkeypatch.setattr(listen_sources, "melody_pair", lambda settings: _pair())
    return project


def _file(project, number):
    return next((project / "notebooks").glob(f"{number}*.ipynb"))


def _sidecar(project, *, runs, status="ok"):
    told = {"status": status, "parameters": {"pair": "auto", "seed": 0}, "runs": runs}
    write_json(project / "results" / "quick" / "notebooks" / "21_fusiongan_tables.json", told)


# ---------------------------------------------------------------- sources


def test_melodies_of_the_lowest_seed_and_real_ones_to_qualify(ran):
    material = listen_sources.fusion("quick", items=3, seed=0)
    made = [one for one in material.stimuli if one.pool == design.MADE]
    known = [one for one in material.stimuli if one.pool == design.KNOWN]
    assert [one.system for one in made] == [label for label in SYSTEMS for _ in range(3)]
    assert all("-seed0-" in one.source for one in made)
    assert [(one.system, one.right) for one in known] == [("jazz",) * 2] * 3 + [("folk",) * 2] * 3
    assert material.design.genres == ("jazz", "folk")
    assert all(one.sound is not None and len(one.sound) > 20_000 for one in material.stimuli)


def test_other_data_than_the_runs_were_trained_on_are_refused(ran, monkeypatch):
    monkeypatch.setattr(listen_sources, "melody_pair", lambda settings: _pair("other"))
    with pytest.raises(ValueError, match="trained on other melodies than are here now; run `pasd"):
        listen_sources.fusion("quick", items=2, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: shutil.rmtree(p / "results"), "has not run at profile quick; run `pasdedeux"),
        (lambda p: _sidecar(p, runs={}, status="error"), "did not end well at profile quick"),
        (lambda p: shutil.rmtree(p / "runs"), "are not on this machine; run `pasdedeux run 21"),
        (
            lambda p: [file.unlink() for file in p.glob("runs/fusion/*/samples-MC.npy")],
            "MC has no kept melodies; run `pasdedeux run 21 --profile quick` first",
        ),
    ],
)  # fmt: skip
def test_missing_runs_name_the_command_that_makes_them(ran, change, message):
    change(ran)
    with pytest.raises(ValueError, match=message):
        listen_sources.fusion("quick", items=2, seed=0)


def test_the_first_rich_windows_are_taken_none_twice():
    vocabulary = Vocabulary((60, 61))
    rich, poor, silent = [2, 3] * 5, [2] + [1] * 9, [0] + [1] * 9
    other = [3, 2] * 5
    windows = np.array([poor, rich, rich, silent, other])
    taken = listen_sources.rich(windows, vocabulary, 3, what="MC")
    assert taken.tolist() == [rich, other, poor]
    with pytest.raises(ValueError, match="MC has 3 different windows with a note, 4 are asked"):
        listen_sources.rich(windows, vocabulary, 4, what="MC")


def _pose(frames=10):
    pose = np.zeros((frames, 147), np.float32)
    pose[:, 3:] = np.tile([1, 0, 0, 0, 1, 0], 24)
    pose[:, 0] = np.linspace(0, 0.2, frames)
    return pose


def test_a_dance_is_a_gif_without_ffmpeg_and_a_film_with_it(monkeypatch):
    sound = listeners.tone(seconds=0.4)
    shoot = listen_sources.filming(_pose(), listeners.RATE_HZ)
    if shutil.which("ffmpeg"):
        assert shoot(sound).ending == ".mp4"
        assert b"ftyp" in shoot(sound).data[:16]
    monkeypatch.setattr(listen_sources.shutil, "which", lambda name: None)
    film = shoot(sound)
    assert film.ending == ".gif"
    assert film.data.startswith(b"GIF89a")


def test_all_films_of_a_test_have_one_view(monkeypatch):
    views = []
    monkeypatch.setattr(listen_sources, "filming", lambda pose, rate_hz, seen: views.append(seen))
    high = _pose()
    high[4, 1] = 1.3
    sounds = {"A": ([listeners.tone(), listeners.tone()], "runs/a")}
    listen_sources.music(sounds, [_pose(), high], ("Waltz", "Lock"), (5, 9))
    assert len(views) == 2
    assert len(set(views)) == 1
    alone = listen_sources.seen_in([_pose()])
    assert views[0].highest == pytest.approx(alone.highest + 1.3)
    assert views[0].floor == pytest.approx(alone.floor)


def test_music_is_judged_alone_and_with_its_dance():
    sounds = {
        "A": ([listeners.tone(), listeners.tone()], "runs/a"),
        "B": ([listeners.tone()] * 2, ""),
    }
    made = listen_sources.music(sounds, [_pose(), _pose(7)], ("Waltz", "Lock"), (5, 9))
    assert len(made) == 8
    assert [one.film is None for one in made] == [True] * 4 + [False] * 4
    assert [(one.system, one.item, one.hint) for one in made[4:6]] == [
        ("A", "5", "Waltz"), ("A", "9", "Lock"),
    ]  # fmt: skip


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the test: fusion, ranking or mos"),
        (["fusion"], "jsPsych is not installed; run `pasdedeux listen --setup`"),
        (
            ["fusion", "--prepare"],
            "21_fusiongan_tables has not run at profile quick; run `pas",
        ),
        (["ranking", "--prepare"], "11_dual_tables has not run at profile quick; run `pasdedeux"),
        (
            ["mos", "--prepare"],
            "34_cdcd_tables has not run at profile quick; run `pasdedeux",
        ),
        (["mos", "--export"], "there is no test mos-quick; `pasdedeux listen mos --profile quick`"),
        (["mos", "--export", "--as", "../x"], "is no plain name; leave out folders"),
        (["fusion", "--forget", "3"], "there is no test fusion-quick"),
    ],
)
def test_what_is_missing_is_told_in_one_line(project, capsys, monkeypatch, words, message):
    monkeypatch.setattr(listen_sources.notebooks, "file", lambda number: _named(number))
    assert cli.main(["listen", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("pasdedeux listen: ")
    assert message in told
    assert len(told.splitlines()) == 1


def _named(number):
    from pathlib import Path

    names = {"11": "11_dual_tables", "21": "21_fusiongan_tables", "34": "34_cdcd_tables"}
    return Path(f"{names[number]}.ipynb")


def test_a_test_is_prepared_once_answered_and_told(ran, capsys):
    words = ["listen", "fusion", "--items", "2"]
    assert cli.main([*words, "--prepare"]) == 0
    assert "runs/listening/fusion-quick" in capsys.readouterr().out
    test = listen.prepared("fusion", "quick")
    made = {known.system for known in test.key.values() if known.pool == design.MADE}
    assert made == set(SYSTEMS)
    assert cli.main([*words, "--prepare"]) == 0  # again: it is there, and is checked
    capsys.readouterr()
    assert cli.main(["listen", "fusion", "--export"]) == 2
    assert "nobody has answered yet" in capsys.readouterr().err
    store = Store(test.folder, test.version)
    store.enrol("words")
    for question in questions(test, 0):
        right = test.key[question.stimuli[0]].right
        answer = right or ("expert" if question.step == "musicality" else "mixture")
        store.answer(Answer(1, question.id, answer, 1, 1, 1.0, 0.0))
    store.close()
    assert cli.main(["listen", "fusion", "--export"]) == 0
    told = capsys.readouterr().out
    assert "answers.csv and runs/listening/fusion-quick/answers.json" in told
    assert "qualified: 1" in told
    assert "FL 100.0" in told
    rows = json.loads((test.folder / "answers.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3 + 4 + 2 * 2 * len(SYSTEMS)
    assert cli.main(["listen", "fusion", "--forget", "1"]) == 0
    assert f"{len(rows)} answers deleted" in capsys.readouterr().out


def test_a_named_host_without_codes_or_an_address_of_others_is_refused(ran, capsys, monkeypatch):
    monkeypatch.setattr(listen.jspsych, "script", lambda: ran / "pyproject.toml")
    words = ["listen", "fusion", "--items", "1"]
    assert cli.main([*words, "--host", "0.0.0.0", "--codes", "0"]) == 2
    assert "needs access codes; give --codes, at least 1" in capsys.readouterr().err
    assert cli.main([*words, "--host", "203.0.113.9"]) == 2
    assert "cannot listen on 203.0.113.9" in capsys.readouterr().err
