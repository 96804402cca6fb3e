"""Stimuli: blinded, equally loud, whole or not at all, and checked before they are served."""

import io
import json

import listeners
import numpy as np
import pytest
import soundfile

from pasdedeux.listening import design, stimuli
from pasdedeux.listening.stimuli import Film, Stimulus, headphone_checks, load, prepare, three_tones
from pasdedeux.music.loudness import loudness_lufs


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    return listeners.fusion(tmp_path_factory.mktemp("stimuli") / "fusion")


def test_everything_that_is_served_is_in_the_manifest_and_nothing_else(fusion):
    there = {file.name for file in fusion.served.iterdir()}
    assert there == fusion.names
    assert len(fusion.files) == 3 + 3 * 2 + 2 * 2
    assert set(fusion.key) == set(fusion.files)
    assert {known.system for known in fusion.key.values()} == {
        "tones", "MC", "GAN", "Fusion", "jazz", "folk",
    }  # fmt: skip


def test_neither_names_nor_manifest_tell_the_system(fusion):
    told = (fusion.folder / "manifest.json").read_text(encoding="utf-8")
    for system in ("MC", "GAN", "Fusion"):
        assert system not in told
        assert not any(system in name for name in fusion.names)
    order = [fusion.key[name].system for name in sorted(fusion.files) if fusion.key[name].pool]
    assert order != sorted(order), "numbered system by system"


def test_all_sounds_are_equally_loud_whatever_they_were(fusion):
    found = []
    for name in fusion.names:
        if name.endswith(".ogg"):
            sound, rate_hz = soundfile.read(fusion.served / name)
            found.append(loudness_lufs(sound, rate_hz))
    assert len(found) == 10
    assert np.ptp(found) < 0.5  # Vorbis moves it a little
    assert np.mean(found) == pytest.approx(fusion.loudness_lufs, abs=0.5)


def test_the_same_seed_gives_the_same_files_and_another_other_names(tmp_path):
    a, b, c = (listeners.fusion(tmp_path / name, seed=seed) for name, seed in
               (("a", 0), ("b", 0), ("c", 1)))  # fmt: skip
    assert a.version == b.version != c.version
    assert {n: k.system for n, k in a.key.items()} != {n: k.system for n, k in c.key.items()}


def test_a_prepared_test_is_loaded_as_it_was(fusion):
    again = load(fusion.folder)
    assert (again.design, again.files, again.key) == (fusion.design, fusion.files, fusion.key)
    assert again.version == fusion.version


@pytest.mark.parametrize("name", ["served", "key.json"])
def test_a_changed_or_missing_file_is_named(tmp_path, name):
    test = listeners.fusion(tmp_path / "fusion")
    file = test.served / sorted(test.names)[3] if name == "served" else test.folder / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match=f"{file.name} is not the file that was prepared"):
        load(test.folder)
    file.unlink()
    with pytest.raises(ValueError, match=f"{file.name} is missing; prepare the test anew"):
        load(test.folder)


def test_a_damaged_manifest_is_named(tmp_path):
    test = listeners.fusion(tmp_path / "fusion")
    file = test.folder / "manifest.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    for text in ("{", "[]", json.dumps({k: v for k, v in told.items() if k != "seed"})):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"manifest\.json (is damaged|holds no|lacks 'seed')"):
            load(test.folder)


def test_nothing_is_left_of_a_test_that_could_not_be_written(tmp_path):
    def fails(sound):
        raise RuntimeError("no film")

    made = listeners.dances(items=1)
    made[0] = Stimulus(design.DANCES, "Tang", "0", listeners.tone(), film=fails)
    with pytest.raises(RuntimeError, match="no film"):
        prepare(tmp_path / "r", design.ranking(), made, seed=0, **listeners.FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_test_that_is_there_is_not_written_over(fusion):
    with pytest.raises(ValueError, match="is there already; give another name"):
        listeners.fusion(fusion.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: made[:-1], "equally many items in pool 'known'"),
        (lambda made: made + [made[0]], "MC has an item of pool 'made' twice"),
        (lambda made: made[:6], "step qualification has no stimuli of pool 'known'"),
        (lambda made: [*made[:-1], Stimulus("known", "folk", "1")], "needs a sound or a file"),
    ],
)
def test_pools_without_a_balanced_order_are_refused(tmp_path, change, message):
    made = change(listeners.melodies())
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path / "f", design.fusion(), made, seed=0, **listeners.FAST)


def test_a_ranking_needs_the_same_items_of_all(tmp_path):
    made = listeners.dances(items=2)
    made[-1] = Stimulus(design.DANCES, "Ours", "other", listeners.tone())
    with pytest.raises(ValueError, match="needs the same items of every system"):
        prepare(tmp_path / "r", design.ranking(), made, seed=0, **listeners.FAST)


def test_a_reference_must_be_among_the_systems(tmp_path):
    with pytest.raises(ValueError, match="the reference 'truth' is not among"):
        prepare(tmp_path / "m", design.mos("truth"), listeners.musics(), seed=0, **listeners.FAST)


def test_a_film_hears_the_levelled_sound_and_a_gif_gets_a_file_of_its_own(tmp_path):
    heard = []

    def shoot(ending):
        def film(sound):
            heard.append(loudness_lufs(sound, listeners.RATE_HZ))
            return Film(ending, listeners.GIF)

        return film

    made = [
        Stimulus(design.DANCES, system, "0", listeners.tone(level=level), film=shoot(ending))
        for system, level, ending in (("a", 0.01, ".gif"), ("b", 0.9, ".mp4"), ("c", 0.2, ".gif"))
    ]
    test = prepare(tmp_path / "r", design.ranking(), made, seed=0, **listeners.FAST)
    assert np.ptp(heard) < 1e-6
    endings = {test.key[name].system: files for name, files in test.files.items()}
    assert [len(endings[system]) for system in "abc"] == [2, 1, 2]
    assert endings["a"][0].endswith(".gif")
    assert endings["a"][1].endswith(".ogg")


def test_the_headphone_check_is_right_only_where_the_tone_is_softer():
    checks = headphone_checks(0)
    assert sorted(one.right for one in checks) == ["first", "second", "third"]
    for one in checks:
        sound, rate_hz = soundfile.read(io.BytesIO(one.encoded.data))
        tones = _thirds(sound, rate_hz)
        power = [float((tone**2).mean()) for tone in tones]
        softest = ("first", "second", "third").index(one.right)
        assert int(np.argmin(power)) == softest
        summed = [float((tone.sum(axis=1) ** 2).mean()) for tone in tones]  # a loudspeaker
        assert int(np.argmin(summed)) != softest, "loudspeakers would pass"


def _thirds(sound, rate_hz):
    step = round(stimuli.TONE_SECONDS * rate_hz) + round(stimuli.PAUSE_SECONDS * rate_hz)
    begin = round(stimuli.PAUSE_SECONDS * rate_hz)
    return [sound[begin + n * step : begin + (n + 1) * step] for n in range(3)]


def test_three_tones_refuses_one_place_for_both():
    with pytest.raises(ValueError, match="cannot be the turned one"):
        three_tones(1, 1)


def test_the_consent_text_is_the_teachers(tmp_path):
    test = listeners.fusion(tmp_path / "fusion")
    assert "You may stop at any time" in test.consent()
    file = test.folder / "consent.txt"
    file.write_text("  Our words.\n", encoding="utf-8")
    assert load(test.folder).consent() == "Our words."
    file.unlink()
    with pytest.raises(ValueError, match=r"consent\.txt is missing"):
        load(test.folder).consent()
