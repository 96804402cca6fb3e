"""What the listening tests play: melodies, dances and music of runs that notebooks have finished.

Nothing is trained here. The sidecar of an executed notebook names its runs; what a system played
for its tables is in its run's folder. Of melodies some are drawn by the seed, of dances the first
are taken, so nothing is picked by ear. Of several seeds the lowest is played.
"""

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.dance import RATE_HZ as POSE_HZ
from pasdedeux.data.melodies import Domain, melody_pair
from pasdedeux.data.pairs import Pairs, pairs
from pasdedeux.engine import notebooks
from pasdedeux.engine.dance_systems import dual_settings
from pasdedeux.engine.systems import fusion_settings
from pasdedeux.listening import design
from pasdedeux.listening.design import Design
from pasdedeux.listening.stimuli import Film, Filming, Stimulus
from pasdedeux.motion import skeleton
from pasdedeux.music.audio import RATE_HZ, waveform
from pasdedeux.music.melody import Melody, Vocabulary, notes
from pasdedeux.music.render import waveform_of
from pasdedeux.papers import dual_shown
from pasdedeux.papers.dual_evaluate import Excerpts, Performed, excerpts, joints_of
from pasdedeux.papers.dual_numbers import GROUND_TRUTH
from pasdedeux.report import film
from pasdedeux.report.bodies import Dancer, dancer_of
from pasdedeux.report.reference import reference
from pasdedeux.report.stage import View, view
from pasdedeux.training.run import Measured, samples_file

HELD_OUT = "held out"  # real melodies among those to be judged, as the paper's last sentence asks
LEAST_NOTES = 8
BPM = 120.0
FILM_PIXELS = 320
CHORDS = "recorded, one chord a beat"  # what was recorded, by the rules that play composed music
Told = Callable[[int, int], object]


class Material(NamedTuple):
    """A test's design and what is to be judged, all sounds at `RATE_HZ`."""

    design: Design
    stimuli: list[Stimulus]


class Finished(NamedTuple):
    """A notebook that ran to its end: its parameters, and the checksums and seeds of its runs."""

    parameters: Mapping[str, Any]
    runs: Mapping[str, Mapping[str, Any]]
    remedy: str

    def every_seed(self, label: str) -> list[Measured]:
        """Return a run for each seed that keeps what the system `label` played, in their order."""
        file = Path(samples_file(label))
        kept = {
            told["seed"]: name
            for name, told in sorted(self.runs.items(), reverse=True)
            if any((paths.root() / name / file.with_suffix(end)).is_file() for end in _ENDINGS)
        }
        return [Measured(label, seed, kept[seed], {}) for seed in sorted(kept)]

    def lowest_seed(self, label: str) -> Measured | None:
        """Return the run of the lowest seed, None where no run keeps what `label` played."""
        return next(iter(self.every_seed(label)), None)


_ENDINGS = (".npy", ".npz")


def why_not(number: str, profile: str) -> str:
    """Return why there are no runs of notebook `number` at `profile`, with the command that makes
    them; "" where it has finished.
    """
    name = notebooks.file(number).stem
    remedy = _remedy(number, profile)
    file = paths.results(profile) / "notebooks" / f"{name}.json"
    if not file.is_file():
        return f"{name} has not run at profile {profile}; {remedy}."
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["status"] != "ok":
        return f"{name} did not end well at profile {profile}; {remedy}."
    if not any((paths.root() / run).is_dir() for run in told["runs"]):
        return f"the runs of {name} at profile {profile} are not on this machine; {remedy}."
    return ""


def _remedy(number: str, profile: str) -> str:
    return f"run `pasdedeux run {number} --profile {profile}` first"


def finished(number: str, profile: str) -> Finished:
    """Return what notebook `number` left at `profile`; raises `ValueError` with the command."""
    missing = why_not(number, profile)
    refuse(missing, missing)
    file = paths.results(profile) / "notebooks" / f"{notebooks.file(number).stem}.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    return Finished(told["parameters"], told["runs"], _remedy(number, profile))


def fusion(profile: str, *, items: int, seed: int) -> Material:
    """Return melodies of the six systems of Table II and real ones, and the qualification.

    `items` melodies of each system and of each genre, one window of the corpus each: the qualifying
    ones are drawn from test windows (the paper drew from training data).
    """
    done = finished("21", profile)
    chosen = fusion_settings(profile, pair=done.parameters["pair"], seed=done.parameters["seed"])
    data = melody_pair(chosen.melody)
    rows = (*reference("fusion", 2).rows, HELD_OUT)
    grid = data.settings.steps_per_quarter
    found = []
    for label in rows:
        run = done.lowest_seed(label)
        refuse(run is None, f"{label} has no kept melodies; {done.remedy}.")
        other = done.runs[run.run]["data"] != data.checksum
        refuse(other, f"{run.run} was trained on other melodies than are here now; {done.remedy}.")
        order = numpy_generator(seed, "played", label)  # RL keeps one genre's windows first
        windows = order.permutation(run.samples(), axis=0)
        played = rich(windows, data.vocabulary, items, what=label)
        tunes = [notes(data.vocabulary.decode(one), grid, name=label) for one in played]
        found += [_melody(design.MADE, label, n, tune, run.run) for n, tune in enumerate(tunes)]
    for genre in (data.a, data.b):
        windows = _known(genre, data.vocabulary, items, seed)
        for n, one in enumerate(windows):
            tune = notes(data.vocabulary.decode(one), grid, name=genre.name)
            found.append(_melody(design.KNOWN, genre.name, n, tune, genre.corpus, genre.name))
    return Material(design.fusion((data.a.name, data.b.name)), found)


def rich(
    windows: Int[np.ndarray, "N T"], vocabulary: Vocabulary, count: int, *, what: str
) -> Int[np.ndarray, "M T"]:
    """Return the first `count` different windows with at least eight notes.

    Where fewer have so many notes, those with the most notes follow. Raises `ValueError` where
    there are not as many different windows with a note.
    """
    _, first = np.unique(windows, axis=0, return_index=True)
    apart = windows[np.sort(first)]
    onsets = vocabulary.is_onset(apart).sum(axis=1)
    order = np.argsort(-np.minimum(onsets, LEAST_NOTES), kind="stable")
    chosen = order[onsets[order] > 0][:count]
    few = f"{what} has {len(chosen)} different windows with a note, {count} are asked for"
    refuse(len(chosen) < count, f"{few}; ask for fewer --items.")
    return apart[chosen]


def _known(genre: Domain, vocabulary: Vocabulary, count: int, seed: int) -> Int[np.ndarray, "M T"]:
    drawn = numpy_generator(seed, "qualification", genre.name).permutation(len(genre.test))
    return rich(genre.test[drawn], vocabulary, count, what=genre.name)


def _melody(
    pool: str, system: str, item: int, tune: Melody, source: str, right: str = ""
) -> Stimulus:
    sound = waveform(tune, bpm=BPM, rate_hz=RATE_HZ)
    return Stimulus(pool, system, f"{item + 1}", sound, right=right, source=source)


class Dances(NamedTuple):
    """The excerpts that a profile's systems danced to, and the rows that are shown."""

    done: Finished
    data: Pairs
    found: Excerpts
    rows: list[int]

    def kept(self, label: str) -> tuple[Performed, str] | None:
        """Return what the system `label` performed and its run, None where nothing is kept."""
        run = self.done.lowest_seed(label)
        if run is None:
            return None
        other = self.done.runs[run.run]["data"] != self.data.checksum
        told = f"{run.run} was trained on other dances than are here now; {self.done.remedy}."
        refuse(other, told)
        return dual_shown.kept(run), run.run

    def genre(self, row: int) -> str:
        """Return the genre of an excerpt."""
        return dual_shown.genre_of(self.found, self.data, row)

    def sound(self, row: int) -> Float[np.ndarray, " S"]:
        """Return what was played when the dance was recorded."""
        return dual_shown.sound(self.found, self.data, row, rate_hz=RATE_HZ).astype(float)


def dances(profile: str, *, items: int) -> Dances:
    """Return `items` test excerpts, of as many genres as there are."""
    done = finished("11", profile)
    told = done.parameters
    chosen = dual_settings(profile, corpus=told["corpus"], seed=told["seed"])
    data = pairs(chosen.pairs)
    found = excerpts(data, most_a_genre=chosen.samples)
    genres = [dual_shown.genre_of(found, data, row) for row in range(len(found))]
    turn = [genres[:row].count(genre) for row, genre in enumerate(genres)]
    order = sorted(range(len(found)), key=lambda row: (turn[row], row))
    few = f"there are {len(found)} test excerpts, {items} are asked for; ask for fewer --items."
    refuse(len(order) < items, few)
    return Dances(done, data, found, order[:items])


def ranking(profile: str, *, items: int, seed: int) -> Material:
    """Return the dances of the four methods of Table 3 to the same music, as films."""
    shown = dances(profile, items=items)
    methods: dict[str, tuple[Performed, str]] = {}
    for label in reference("dual", 3).rows:
        kept = shown.kept(label)
        if kept is None:
            raise ValueError(f"{label} has no kept dances; {shown.done.remedy}.")
        methods[label] = kept
    seen = seen_in([one.danced[row] for one, _ in methods.values() for row in shown.rows])
    stimuli = [
        Stimulus(
            design.DANCES, label, str(row), shown.sound(row), hint=shown.genre(row),
            film=filming(performed.danced[row], RATE_HZ, seen), source=run,
        )
        for label, (performed, run) in methods.items()
        for row in shown.rows
    ]  # fmt: skip
    return Material(design.ranking(), stimuli)


def dual_music(profile: str, *, items: int) -> Material:
    """Return what systems of the dual-learning tables composed for recorded dances, each alone and
    with the dance: the test of opinion scores where CDCD has no runs (`engine.listen_cdcd`).

    Composed chroma is played as one chord a beat, so what was recorded is there twice, as it
    sounded and by the same rules.
    """
    shown = dances(profile, items=items)
    performed = {"Ours": shown.kept("Ours")}
    refuse(performed["Ours"] is None, f"dual learning has no kept music; {shown.done.remedy}.")
    for label in ("any training window", "frozen pose, one chord"):
        performed[label] = shown.kept(label)
    sounds: dict[str, tuple[list[Float[np.ndarray, " _"]], str]] = {
        GROUND_TRUTH: ([shown.sound(row) for row in shown.rows], "recorded")
    }
    play = partial(waveform_of, rate_hz=RATE_HZ, seconds=shown.found.pose.shape[1] / POSE_HZ)
    for label, kept in performed.items():
        if kept is None or not len(kept[0].composed):
            continue
        made = [dual_shown.songs(shown.found, kept[0], shown.data, row) for row in shown.rows]
        sounds[label] = ([play(song) for song, _ in made], kept[1])
        sounds[CHORDS] = ([play(real) for _, real in made], "recorded")
    poses = [shown.found.pose[row] for row in shown.rows]
    hints = [shown.genre(row) for row in shown.rows]
    return Material(design.mos(GROUND_TRUTH), music(sounds, poses, hints, shown.rows))


def music(
    sounds: Mapping[str, tuple[Sequence[Float[np.ndarray, " _"]], str]],
    poses: Sequence[Float[np.ndarray, "_ 147"]],
    hints: Sequence[str],
    items: Sequence[int],
    *,
    alone: Collection[str] | None = None,
) -> list[Stimulus]:
    """Return each system's music for each dance twice: alone, and as the film of that dance.

    `sounds` gives each system's music at `RATE_HZ`, dance by dance, and its run. `alone` names the
    systems that are also heard without the dance, all unless given.
    """
    seen = seen_in(poses)
    return [
        Stimulus(
            pool, system, str(item), sound, hint=hint, source=run,
            film=filming(pose, RATE_HZ, seen) if pool == design.FILMS else None,
        )
        for pool in (design.SOUNDS, design.FILMS)
        for system, (played, run) in sounds.items()
        if pool == design.FILMS or alone is None or system in alone
        for item, hint, sound, pose in zip(items, hints, played, poses, strict=True)
    ]  # fmt: skip


def seen_in(poses: Sequence[Float[np.ndarray, "_ 147"]]) -> View:
    """Return what the films of a test show: in all of them a metre is as long, the floor as high.

    Otherwise a dancer who jumps once, or goes far, would be smaller throughout, and be known by it.
    """
    return view([_dancer(pose) for pose in poses], rate_hz=float(POSE_HZ))


def _dancer(pose: Float[np.ndarray, "T 147"]) -> Dancer:
    return dancer_of("", joints_of(pose), skeleton.smpl())


def filming(pose: Float[np.ndarray, "T 147"], rate_hz: int, seen: View | None = None) -> Filming:
    """Return what makes the film of a dance when its sound is given: MP4 with ffmpeg, else GIF.

    It shows what `seen` holds, the dance alone unless given. No name is written into it.
    """

    def shoot(sound: Float[np.ndarray, " S"]) -> Film:
        dancer = _dancer(pose)
        settings = film.FilmSettings(height_pixels=FILM_PIXELS, view=seen)
        if shutil.which("ffmpeg") is None:
            return Film(".gif", film.gif(dancer, settings=settings))
        data = film.mp4(dancer, sound, sound_rate_hz=rate_hz, settings=settings)
        return Film(".mp4", data)

    return shoot
