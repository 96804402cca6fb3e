"""Films: which frames are shown, where the body stands in them, GIF and MP4."""

import io
import json
import shutil
import subprocess
import time
import wave

import numpy as np
import pytest
from PIL import Image, ImageColor

from pasdedeux.motion.skeleton import smpl
from pasdedeux.report import film
from pasdedeux.report.bodies import INK, Dancer, dancer_of
from pasdedeux.report.film import FilmSettings
from pasdedeux.report.picture import GREEN
from pasdedeux.report.stage import FINE, HEAD_METRES, fitting, letters, stage, view

T, J = 53, 5
SEGMENTS = ((0, 1), (1, 2), (0, 3), (3, 4))
SMALL = FilmSettings(height_pixels=120)
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")


def dancer(name: str = "one", seed: int = 0, frames: int = T) -> Dancer:
    draw = np.random.default_rng(seed)
    joints = draw.uniform(-0.9, 0.9, (1, J, 3)) + 0.02 * draw.normal(size=(frames, 1, 3)).cumsum(0)
    return Dancer(name, joints, SEGMENTS, ("middle", "left", "left", "right", "right"), head=2)


def numbers(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


def of_colour(picture: Image.Image, colour: str) -> np.ndarray:
    """Return rows and columns of the pixels that have exactly this colour."""
    return np.argwhere((numbers(picture) == ImageColor.getrgb(colour)).all(axis=-1))


def test_the_camera_of_the_film_strip_stands_in_front():
    """SMPL at rest faces z: the left arm, along x, lies on the right of the picture."""
    joints = np.repeat(smpl().rest_joints()[None], 3, axis=0)
    picture = next(film.frames(dancer_of("rest", joints, smpl())))
    left, right = (of_colour(picture, INK[side])[:, 1] for side in ("left", "right"))
    assert left.min() >= picture.width / 2 - 6
    assert right.max() <= picture.width / 2 + 6
    head = of_colour(picture, INK["middle"])[:, 0].min()
    feet = of_colour(picture, INK["left"])[:, 0].max()
    assert head < picture.height / 3
    assert feet > 0.8 * picture.height


def test_lengths_are_true_in_both_directions():
    joints = np.zeros((2, 4, 3))
    joints[:, 1], joints[:, 2], joints[:, 3] = (0.8, 0, 0), (0, 1.6, 0), (0.0, 0.0, 5.0)
    body = Dancer("L", joints[:, :3], ((0, 1), (0, 2)), ("middle", "left", "right"))
    picture = next(film.frames(body))
    across, up = of_colour(picture, INK["left"]), of_colour(picture, INK["right"])
    assert np.ptp(up[:, 0]) / np.ptp(across[:, 1]) == pytest.approx(2.0, rel=0.08)
    far = Dancer("L", joints + np.array([0, 0, 7.0]), ((0, 1), (0, 2)), ("middle", "left") * 2)
    assert next(film.frames(far)).size == picture.size  # depth is not seen


def test_left_limbs_lie_above_right_ones():
    corners = np.array([[-0.5, 0, 0], [0.5, 1, 0], [-0.5, 1, 0], [0.5, 0, 0]])
    joints = np.repeat(corners[None], 2, axis=0)
    for order in (("left", "right"), ("right", "left")):
        sides = ("middle", order[0], "middle", order[1])
        picture = next(film.frames(Dancer("x", joints, ((0, 1), (2, 3)), sides)))
        found = of_colour(picture, INK["left"]), of_colour(picture, INK["right"])
        assert len(found[0]) > len(found[1])


def test_the_camera_follows():
    walk = dancer(frames=151)
    far = np.linspace(0, 9, 151)[:, None, None] * np.array([1.0, 0, 0])
    moved = Dancer("walk", walk.joints_world[:1] + far, SEGMENTS, walk.sides)
    columns = [of_colour(p, INK["left"])[:, 1].mean() for p in film.frames(moved, settings=SMALL)]
    assert np.ptp(columns[30:-30]) < 3
    assert min(columns) > 0


@pytest.mark.parametrize(("rate_hz", "settings", "count"), [
    (25.0, {}, 53), (60.0, {}, 53), (25.0, {"start_seconds": 1.0}, 28),
    (25.0, {"seconds": 0.4}, 10), (25.0, {"start_seconds": 2.0, "seconds": 9.0}, 3),
])  # fmt: skip
def test_the_frames_that_are_asked_for(rate_hz, settings, count):
    chosen = FilmSettings(height_pixels=48, **settings)
    assert len(list(film.frames(dancer(), rate_hz=rate_hz, settings=chosen))) == count


def test_the_floor_is_green_on_a_beat():
    beats = np.array([0.4, 1.0])
    pictures = list(film.frames(dancer(), beat_seconds=beats, settings=SMALL))
    green = [number for number, one in enumerate(pictures) if len(of_colour(one, GREEN))]
    assert green == [10, 11, 12, 25, 26, 27]


def test_a_gif_plays_at_the_pace_of_the_dance_and_is_the_same_again():
    pair = [dancer(), dancer("two", 1)]
    made = film.gif(pair, settings=SMALL)
    assert made == film.gif(pair, settings=SMALL)
    opened = Image.open(io.BytesIO(made))
    drawn = list(film.frames(pair, settings=SMALL))
    assert (opened.n_frames, opened.info["loop"], opened.size) == (T, 0, (192, 120))
    for number in (0, 17, T - 1):
        opened.seek(number)
        assert opened.info["duration"] == 40
        apart = np.abs(numbers(opened) - numbers(drawn[number])).max(axis=-1)
        assert np.percentile(apart, 99) < 32  # 64 colours are enough
        for side in ("left", "right"):
            assert len(of_colour(opened, INK[side])) > 10


@pytest.mark.parametrize(("rate_hz", "count"), [(60.0, 23), (24.0, 53), (50.0, 27)])
def test_other_rates_keep_their_length(rate_hz, count):
    opened = Image.open(io.BytesIO(film.gif(dancer(), rate_hz=rate_hz, settings=SMALL)))
    total = 0
    for number in range(opened.n_frames):
        opened.seek(number)
        total += opened.info["duration"]
    assert total == pytest.approx(count * 1000 / min(rate_hz, 25.0), abs=10)


def probed(made: bytes, folder) -> dict:
    path = folder / "film.mp4"
    path.write_bytes(made)
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)],
        capture_output=True, check=True,
    )  # fmt: skip
    return {stream["codec_type"]: stream for stream in json.loads(told.stdout)["streams"]}


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", [25.0, 60.0])
def test_an_mp4_has_picture_and_sound_of_the_same_length(tmp_path, rate_hz):
    sound = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4 * 8000) / 8000)
    chosen = FilmSettings(height_pixels=96, start_seconds=0.2)
    made = film.mp4(dancer(), sound, rate_hz=rate_hz, sound_rate_hz=8000, settings=chosen)
    streams = probed(made, tmp_path)
    seconds = T / rate_hz - 0.2
    assert int(streams["video"]["nb_frames"]) == pytest.approx(seconds * rate_hz, abs=1.01)
    assert (streams["video"]["width"], streams["video"]["height"]) == (76, 96)
    assert float(streams["video"]["duration"]) == pytest.approx(seconds, abs=0.05)
    assert float(streams["audio"]["duration"]) == pytest.approx(seconds, abs=0.2)
    first = tmp_path / "first.png"
    words = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "film.mp4"), "-frames:v", "1"]
    subprocess.run([*words, str(first)], check=True)
    drawn = next(film.frames(dancer(), rate_hz=rate_hz, settings=chosen))
    assert np.abs(numbers(Image.open(first)) - numbers(drawn)).mean() < 6
    heard = tmp_path / "heard.wav"
    subprocess.run([*words[:5], str(heard)], check=True)
    with wave.open(str(heard)) as file:
        played = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 2**15
    assert 0.2 < np.abs(played).max() < 0.8


@needs_ffmpeg
def test_the_sound_begins_with_the_dance(tmp_path):
    sound = np.where(np.arange(3 * 8000) < 8000, 0.5, 0.0) * np.sin(np.arange(3 * 8000))
    peaks = []
    for start in (0.0, 1.2):
        chosen = FilmSettings(height_pixels=48, start_seconds=start)
        path = tmp_path / "film.mp4"
        path.write_bytes(film.mp4(dancer(), sound, sound_rate_hz=8000, settings=chosen))
        heard = tmp_path / "heard.wav"
        words = ["ffmpeg", "-y", "-v", "error", "-i", str(path), str(heard)]
        subprocess.run(words, check=True)
        with wave.open(str(heard)) as file:
            played = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 2**15
        peaks.append(np.abs(played).max())
    assert peaks[0] > 0.2
    assert peaks[1] < 0.02


@needs_ffmpeg
def test_an_mp4_may_be_silent(tmp_path):
    made = film.mp4(dancer(frames=7), settings=SMALL)
    assert list(probed(made, tmp_path)) == ["video"]


def test_without_ffmpeg_the_remedy_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="not on PATH; install ffmpeg .* or write a .gif"):
        film.mp4(dancer(), settings=SMALL)


@pytest.mark.parametrize("body", ["echo no encoder >&2; exit 3", "cat > /dev/null; exit 1"])
def test_an_ffmpeg_that_fails_is_told(tmp_path, monkeypatch, body):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(film.shutil, "which", lambda name: str(program))
    with pytest.raises(ValueError, match=r"ffmpeg could not make the film \((no encoder|1)\)"):
        film.mp4(dancer(), settings=SMALL)


def test_frames_are_drawn_faster_than_they_are_shown():
    joints = np.repeat(smpl().rest_joints()[None], 40, axis=0)
    body = dancer_of("rest", joints, smpl())
    begun = time.process_time()
    count = len(list(film.frames(body)))
    assert count / (time.process_time() - begun) > 25


@pytest.mark.parametrize(("changed", "told"), [
    ({"height_pixels": 121}, "even and within"), ({"height_pixels": 20}, "even and within"),
    ({"seconds": 0.0}, "seconds must be above 0"), ({"start_seconds": -1.0}, "below 0"),
])  # fmt: skip
def test_bad_settings_are_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        FilmSettings(**changed)


def test_a_long_name_loses_its_middle_and_stays_in_the_picture():
    long = "a very long name of a song that nobody would ever want to read twice (live)"
    short, cut = (next(film.frames(dancer(name, frames=1), settings=SMALL)) for name in ("a", long))
    assert short.size == cut.size
    changed = np.argwhere((numbers(short) != numbers(cut)).any(axis=-1))
    assert changed[:, 0].max() < 0.1 * cut.height
    assert changed[:, 1].min() >= 2
    assert changed[:, 1].max() < cut.width - 2
    font = letters(12)
    shown = fitting(long, font, 90)
    assert font.getlength(shown) <= 90
    begin, end = shown.split("…")
    assert long.startswith(begin)
    assert long.endswith(end)
    assert abs(len(begin) - len(end)) <= 2
    assert fitting("short", font, 90) == "short"
    assert fitting(long, font, 1) == ""


def test_every_picture_is_counted():
    told = []
    film.gif(dancer(), settings=SMALL, rate_hz=50.0, drawn=lambda *at: told.append(at))
    assert told == [(done, 27) for done in range(1, 28)]


def test_a_gif_that_does_not_end_is_refused(monkeypatch):
    monkeypatch.setattr(film, "MOST_GIF_FRAMES", 52)
    with pytest.raises(ValueError, match="52 pictures at most; .* or write an .mp4"):
        film.gif(dancer(), settings=SMALL)


def test_bad_requests_are_refused():
    long = Dancer("long", np.zeros((15_001, 2, 3)) + np.arange(2)[:, None] / 2, ((0, 1),))
    for dancers, settings, told in (
        ([], {}, "at least one dancer"),
        ([dancer(), dancer("two", 1, 51)], {}, "equally many frames, got {'one': 53, 'two': 51}"),
        (dancer(), {"rate_hz": 0.0}, "rate_hz must be above 0"),
        (dancer(), {"settings": FilmSettings(start_seconds=3.0)}, "lies outside the 2.12 s"),
        (long, {}, "15001 pictures are too many"),
    ):
        with pytest.raises(ValueError, match=told):
            film.gif(dancers, **settings)


# ---------------------------------------------------------------- one scale for several films


def pole(height, jump=0.0, reach=0.3):
    """A pole of a metre ("left") on legs, which jumps once, with an arm that goes far once."""
    joints = np.zeros((9, 5, 3))
    joints[:, 1], joints[:, 2], joints[:, 3] = (0, height - 1, 0), (0, height, 0), (0.3, height, 0)
    joints[:, 4] = (0.0, 0.5 * height, 0)
    joints[5, :, 1] += jump
    joints[7, 3, 0] = reach
    sides = ("middle", "middle", "left", "right", "middle")
    return Dancer("", joints, ((0, 1), (1, 2), (2, 3)), sides)


def metre(picture):
    """Return how many pixels the pole's metre has, and the row at which it ends."""
    rows = of_colour(picture, INK["left"])[:, 0]
    return np.ptp(rows), rows.max()


def floor_row(picture):
    """Return the row of the floor's line, at the left edge where no body is."""
    return int(np.argmin(numbers(picture)[:, 2].sum(axis=-1)))


BODIES = (pole(1.5), pole(1.5, jump=0.9), pole(1.5, reach=1.9), pole(1.9))


def test_films_of_one_view_have_one_scale_and_one_floor():
    alone = [metre(next(film.frames(body)))[0] for body in BODIES]
    assert max(alone) > 1.3 * min(alone)  # without a view they differ
    chosen = FilmSettings(view=view(BODIES))
    pictures = [list(film.frames(body, settings=chosen)) for body in BODIES]
    scale = stage(chosen.view, chosen.height_pixels).scale / FINE
    found = [metre(frames[0])[0] for frames in pictures]
    assert np.ptp(found) <= 1
    assert found[0] == pytest.approx(scale, abs=4)  # round ends lie over the bone
    assert len({floor_row(frames[0]) for frames in pictures}) == 1
    assert metre(pictures[0][0])[1] - metre(pictures[3][0])[1] == pytest.approx(0.4 * scale, abs=1)
    together = next(film.frames(BODIES))
    assert metre(together)[0] == pytest.approx(found[0] + 0.4 * scale, abs=2)


def test_everything_of_a_view_is_inside_the_picture():
    seen = view(BODIES)
    assert seen.lowest == seen.floor == 0.0
    assert seen.highest == pytest.approx(2.4 + HEAD_METRES)
    for body in BODIES:
        for picture in film.frames(body, settings=FilmSettings(view=seen)):
            rows, columns = of_colour(picture, INK["right"]).T
            assert rows.min() > 0.05 * picture.height
            assert 2 <= columns.min() <= columns.max() < picture.width - 2


def test_who_sinks_goes_below_the_floor_and_the_others_stand_on_it():
    sunk = Dancer("", pole(1.5).joints_world - np.array([0, 0.4, 0]), pole(1.5).segments)
    seen = view([pole(1.5), sunk, pole(1.9)])
    assert (seen.floor, seen.lowest) == (0.0, -0.4)
    on = stage(seen, 360)
    assert on.ground + 0.4 * on.scale == pytest.approx(on.tall - 2 * on.words)
    picture, lower = (
        next(film.frames(one, settings=FilmSettings(view=seen))) for one in (pole(1.5), sunk)
    )
    feet = [of_colour(one, INK["middle"])[:, 0].max() for one in (picture, lower)]
    assert floor_row(picture) == floor_row(lower)
    assert feet[0] == pytest.approx(floor_row(picture), abs=4)
    assert feet[1] - feet[0] == pytest.approx(0.4 * on.scale / FINE, abs=1)


def test_a_view_needs_a_dancer():
    with pytest.raises(ValueError, match="a view needs at least one dancer"):
        view([])
