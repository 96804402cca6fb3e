"""The player: its markup is whole, small, repeatable, and shows a strip where no script runs."""

import base64
import html
import io
import json
import re
from html.parser import HTMLParser

import browsers
import numpy as np
import pytest
import soundfile

from pasdedeux.data.dance import Dance
from pasdedeux.motion.skeleton import smpl
from pasdedeux.report import dancing
from pasdedeux.report.bodies import Dancer
from pasdedeux.report.frame import _OUTSIDE

T, J, RATE_HZ = 53, 5, 8_000
SEGMENTS = ((0, 1), (1, 2), (0, 3), (3, 4))
BEATS = np.array([0.24, 0.81, 1.5, 7.0])


def dancer(name: str = "one", seed: int = 0, frames: int = T) -> Dancer:
    draw = np.random.default_rng(seed)
    joints = draw.uniform(-0.9, 0.9, (1, J, 3)) + 0.05 * draw.normal(size=(frames, 1, 3)).cumsum(0)
    return Dancer(name, joints, SEGMENTS, ("middle", "left", "left", "right", "right"), head=2)


def sound(seconds: float = 3.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def data_of(player) -> dict:
    return json.loads(html.unescape(re.search('data-dance="(.*?)"', player.markup)[1]))


@pytest.mark.parametrize("together", [False, True])
def test_the_packed_joints_are_the_joints(together):
    pair = [dancer(), dancer("two", 1)]
    player = dancing.watch(pair, "a pair", beat_seconds=BEATS, together=together)
    data = data_of(player)
    for packed, given in zip(data["dancers"], pair, strict=True):
        back = dancing.unpacked(packed["joints"]).reshape(T, J, 3)
        assert np.abs(back - given.joints_world).max() <= 0.000501
        assert packed["segments"] == [list(row) for row in given.drawn]
        assert (packed["count"], packed["head"]) == (J, 2)
    assert [panel["dancers"] for panel in data["panels"]] == ([[0, 1]] if together else [[0], [1]])
    assert data["frames"] == T
    assert data["rate_hz"] == 25.0
    assert data["beat_seconds"] == [0.24, 0.81, 1.5]  # none behind the end
    lowest = min(part.joints_world[..., 1].min() for part in pair)
    assert data["floor_metres"] == pytest.approx(lowest, abs=1e-3)


def test_the_camera_follows_the_mean_place():
    data = data_of(dancing.watch(dancer(frames=101), "walk"))
    centres = dancing.unpacked(data["panels"][0]["centres"]).reshape(101, 2)
    places = dancer(frames=101).joints_world[..., ::2].mean(axis=1)
    slow = [places[max(0, t - 25) : t + 26].mean(axis=0) for t in range(101)]
    assert centres == pytest.approx(np.array(slow), abs=1e-3)


def test_packing_is_little_endian_millimetres():
    assert base64.b64decode(dancing.packed(np.array([0.001, -0.002, 1.0]))).hex() == "0100feffe803"
    assert dancing.unpacked(dancing.packed(np.array([[1.5, -31.9]]))).tolist() == [1.5, -31.9]
    with pytest.raises(ValueError, match=r"reach 93.0 m .* are they in metres"):
        dancing.packed(np.array([93.0]))


class Reader(HTMLParser):
    """Gathers tags with their attributes, and refuses tags that are not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.found = [], []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(markup: str) -> list[tuple[str, dict]]:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert not reader.open
    return reader.found


def test_the_markup_is_whole_and_asks_nothing_of_a_network():
    player = dancing.watch(
        dancer("<i>&"), 'Rumba "3" </script> & <b>', sound=sound(), sound_rate_hz=RATE_HZ
    )
    found = read(player._repr_html_())
    assert [tag for tag, _ in found] == ["div", "div", "img", "audio", "script"]
    assert found[0][1]["aria-label"] == 'Rumba "3" </script> & <b>'
    assert player.markup.count("</script") == 1
    for _, attributes in found:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"https?:|//\w+\.\w|import\(|fetch\(|XMLHttp", player.markup)
    assert "on" not in {name[:2] for _, attributes in found for name in attributes}
    assert repr(player) == 'Rumba "3" </script> & <b>: 2.1 s of dance'


def test_without_scripts_a_strip_and_a_sound_are_left():
    player = dancing.watch(dancer(), "plain", sound=sound(), sound_rate_hz=RATE_HZ)
    left = dict(read(_OUTSIDE.sub("", player.markup)))
    assert left["img"]["alt"] == "plain: 2.1 s of dance by one"
    picture = base64.b64decode(left["img"]["src"].split(",")[1])
    assert picture.startswith(b"\x89PNG")
    assert "controls" in left["audio"]
    heard, rate_hz = soundfile.read(
        io.BytesIO(base64.b64decode(left["audio"]["src"].split(",")[1]))
    )
    assert rate_hz == RATE_HZ
    assert len(heard) / rate_hz == pytest.approx((T - 1) / 25, abs=1e-3)  # cut with the dance
    assert "audio" not in dict(read(dancing.watch(dancer(), "silent").markup))


def test_the_same_dance_gives_the_same_bytes_and_another_another_name():
    def mark(seed):
        settings = {"sound": sound(), "sound_rate_hz": RATE_HZ, "beat_seconds": BEATS}
        return dancing.watch(dancer(seed=seed), "same", **settings).markup

    assert mark(3) == mark(3)
    names = [re.search('data-dance="(.*?)"', mark(seed))[1] for seed in (3, 4)]
    assert names[0] != names[1]


def test_nine_seconds_are_small_enough_for_a_notebook():
    draw = np.random.default_rng(2)
    joints = draw.uniform(-0.9, 0.9, (226, 24, 3))
    segments = tuple((joint - 1, joint) for joint in range(1, 24))
    player = dancing.watch(Dancer("d", joints, segments), "9 s", sound=sound(9.0),
                           sound_rate_hz=RATE_HZ)  # fmt: skip
    assert len(player.markup) < 300_000
    assert len(data_of(player)["dancers"][0]["joints"]) == 4 * 226 * 24 * 3 * 2 // 3


def test_one_pose_can_be_watched():
    assert data_of(dancing.watch(dancer(frames=1), "still"))["frames"] == 1


def corpus_dance() -> Dance:
    """A walk of 5 seconds."""
    frames = 125
    six = np.tile(np.eye(3)[:, :2].reshape(-1), (frames, 24, 1)).astype(np.float32)
    walk = np.linspace([0, 0, 0], [1, 0, 2], frames).astype(np.float32)
    offsets = smpl().offsets_metres.astype(np.float32)
    music, beats = np.zeros((frames, 53), np.float32), np.array([0.5, 2.0, 3.5])
    return Dance("W_0", "made", "Waltz", "g", "s", walk, six, offsets, music, beats)


def test_an_excerpt_keeps_body_and_sound_together():
    whole = np.concatenate([0.01 * sound(2.0), sound(3.3)])  # a little longer than the dance
    player = dancing.excerpt(
        corpus_dance(), sound=whole, sound_rate_hz=RATE_HZ, start_seconds=1.2, seconds=2.0
    )
    data, stretch = data_of(player), 5.3 / 5.0
    assert player.title == "W_0, Waltz"
    assert data["frames"] == 50
    assert data["rate_hz"] == pytest.approx(25 / stretch)
    assert data["beat_seconds"] == pytest.approx([0.8 * stretch], abs=1e-3)
    joints = dancing.unpacked(data["dancers"][0]["joints"]).reshape(50, 24, 3)
    assert joints == pytest.approx(corpus_dance().joints_world[30:80], abs=1e-3)
    source = dict(read(player.markup))["audio"]["src"].split(",")[1]
    heard, _ = soundfile.read(io.BytesIO(base64.b64decode(source)))
    assert len(heard) / RATE_HZ == pytest.approx(49 / 25 * stretch, abs=0.01)
    loud = np.flatnonzero(np.abs(heard) > 0.1)[0] / RATE_HZ
    assert loud == pytest.approx(2.0 - 1.2 * stretch, abs=0.02)


def test_an_excerpt_without_sound_is_silent():
    player = dancing.excerpt(corpus_dance(), "mine", start_seconds=4.0)
    assert data_of(player)["frames"] == 25
    assert "audio" not in dict(read(player.markup))
    with pytest.raises(ValueError, match=r"W_0 lasts 5.0 s, nothing lies at 5.0 for 9"):
        dancing.excerpt(corpus_dance(), start_seconds=5.0)
    with pytest.raises(ValueError, match="W_0: 3.0 s of sound for 5.0 s of dance; give the sound"):
        dancing.excerpt(corpus_dance(), sound=sound(3.0), sound_rate_hz=RATE_HZ)


@pytest.mark.parametrize(("settings", "told"), [
    ({"dancers": []}, "at least one dancer"),
    ({"rate_hz": 0.0}, "rate_hz must be above 0"),
    ({"dancers": [dancer(), dancer("two", frames=7)]}, "equally many frames, .*'two': 7"),
    ({"beat_seconds": np.array([1.0, 1.0])}, "beat_seconds must be finite and increase"),
    ({"sound": np.zeros(0)}, "at least one sample"),
    ({"sound": np.zeros(9), "sound_rate_hz": 0}, "sound_rate_hz must be above 0"),
])  # fmt: skip
def test_bad_requests_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        dancing.watch(settings.pop("dancers", dancer()), "bad", **settings)


@pytest.mark.slow
@pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())
def test_a_browser_shows_every_player_of_a_page(tmp_path):
    players = [dancing.watch(dancer(seed=s), f"dance {s}", beat_seconds=BEATS) for s in (0, 1)]
    thrice = players[0].markup + players[1].markup + players[0].markup
    path = tmp_path / "page.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{thrice}", "utf-8")
    with browsers.chromium() as chromium:
        page = chromium.new_page()
        page.goto(path.as_uri())
        assert page.locator("canvas").count() == 3
        assert page.locator('[data-shown="yes"]').count() == 3
        for button in page.get_by_role("button", name="Play").all():
            button.click()
        began = "() => parseFloat(document.querySelectorAll('output')[2].textContent) > 0"
        page.wait_for_function(began, timeout=30_000)
        clocks = page.locator("output").all_text_contents()
        assert all(clock.endswith("/3") and "/ 2.08 s" in clock for clock in clocks)
        # the last one pressed plays on, it paused the others
        assert page.get_by_role("button", name="Play", exact=True).count() == 2
