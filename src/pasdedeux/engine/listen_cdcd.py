"""What the opinion-score test plays: CDCD's own systems where notebook 34 has finished.

Nothing is trained here. Each system's music for the test clips of two seconds is in its run's
folder; the clips give the true music and the dance. Clips are drawn by the seed, the genres in
turn, so nothing is picked by ear. Of several seeds of a system the lowest is played.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int16

from pasdedeux.base import paths
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.data.clip_places import SAMPLE_RATE_HZ
from pasdedeux.data.clips import Clips, clips
from pasdedeux.engine import listen_sources
from pasdedeux.engine.asked import MOS
from pasdedeux.engine.cdcd_systems import music_settings, rows_of
from pasdedeux.engine.listen_sources import Finished, Material, finished
from pasdedeux.listening import design
from pasdedeux.music.loudness import loudness_lufs
from pasdedeux.papers import cdcd_codec
from pasdedeux.papers.cdcd_codec_settings import CodecSettings
from pasdedeux.papers.cdcd_evaluate import FULL
from pasdedeux.papers.cdcd_numbers import CEILING, TRUE_ROW
from pasdedeux.report.reference import reference
from pasdedeux.training.average import Average
from pasdedeux.training.loop import CHECKPOINT
from pasdedeux.training.run import Measured, samples_file

NOTEBOOK, TABLE = "34", "1"
(TRUE,) = TRUE_ROW  # what the paper calls the recorded music


class Kept(NamedTuple):
    """What one system made for the test clips `rows`, as sound at `SAMPLE_RATE_HZ`, and its run."""

    run: Measured
    rows: Int[np.ndarray, " M"]
    sound: Int16[np.ndarray, "M S"]


def mos(profile: str, *, items: int, seed: int) -> Material:
    """Return music made for recorded dances, alone for quality and with the dance for coherence.

    Systems that notebook 34 has no music of are not played; where it has none at all, those of the
    dual-learning tables are. Raises `ValueError` naming the command when neither has finished.
    """
    missing = listen_sources.why_not(NOTEBOOK, profile)
    if not missing:
        done = finished(NOTEBOOK, profile)
        own = kept(done)
        if own:
            return of_clips(profile, done, own, items=items, seed=seed)
        missing = f"no music of Table {TABLE} of CDCD is kept; {done.remedy}."
    refuse(listen_sources.why_not("11", profile), missing)
    return listen_sources.dual_music(profile, items=items)


def kept(done: Finished) -> dict[str, Kept]:
    """Return what was kept of each row of Table 1, by its printed name."""
    found = {}
    for row, label in rows_of(TABLE, done.parameters["corpus"]).items():
        run = done.lowest_seed(label)
        if run is not None:
            place = paths.root() / run.run / samples_file(label)
            with np.load(place.with_suffix(".npz"), allow_pickle=False) as arrays:
                found[row] = Kept(run, arrays["rows"], arrays["sound"])
    return found


def of_clips(
    profile: str, done: Finished, own: Mapping[str, Kept], *, items: int, seed: int
) -> Material:
    """Return `items` test clips with the music of each system of `own`, the true and the coded one.

    Quality is asked of the systems that the paper asked it of. Raises `ValueError` when the runs
    belong to other clips than are here now.
    """
    told = done.parameters
    like = music_settings(profile, corpus=told["corpus"], seed=told["seed"])
    made = clips(like.clips)
    for one in own.values():
        other = done.runs[one.run.run]["data"] != made.checksum
        refuse(other, f"{one.run.run} was trained on other clips than are here now; {done.remedy}.")
    places = drawn(made, own, items=items, seed=seed)
    rows = next(iter(own.values())).rows[places]
    true = made.sound(rows)
    sounds = {TRUE: (list(true.astype(float)), "recorded")}
    for row, one in own.items():
        sounds[row] = (list(one.sound[places] / FULL), one.run.run)
    codec = codec_run(own)
    coded = None if codec is None else reconstructed(codec, true, like.codec)
    if coded is not None:
        sounds[CEILING] = (list(coded.astype(float)), codec)
    asked_alone = {CEILING} | {
        row for row, cells in reference("cdcd", TABLE).printed.items() if MOS["Quality"] in cells
    }
    return Material(
        design.mos(TRUE),
        listen_sources.music(
            sounds,
            list(made.pose(rows)),
            [made.genres[number] for number in made.genre[rows]],
            rows.tolist(),
            alone=asked_alone,
        ),
    )


def _config(run: str) -> dict[str, Any]:
    return json.loads((paths.root() / run / "config.json").read_text(encoding="utf-8"))


def drawn(made: Clips, own: Mapping[str, Kept], *, items: int, seed: int) -> Int[np.ndarray, " N"]:
    """Return places in `rows` of `items` clips to be played, drawn by `seed`, the genres in turn.

    A clip at which some system is silent is not played: silence cannot be made as loud as the rest.
    Raises `ValueError` when too few are left, and when the systems played to different clips.
    """
    first, *rest = own.values()
    same = all(np.array_equal(first.rows, one.rows) for one in rest)
    refuse(not same, "the systems played to different clips; run notebook 34 anew.")
    heard = [
        place
        for place in numpy_generator(seed, "played clips").permutation(len(first.rows)).tolist()
        if all(
            np.isfinite(loudness_lufs(one.sound[place] / FULL, SAMPLE_RATE_HZ))
            for one in own.values()
        )
    ]
    few = f"there are {len(heard)} test clips at which no system is silent, {items} are asked for"
    refuse(len(heard) < items, f"{few}; ask for fewer --items.")
    genre = made.genre[first.rows[heard]].tolist()
    turn = [genre[:n].count(genre[n]) for n in range(len(genre))]
    order = sorted(range(len(heard)), key=lambda n: (turn[n], n))
    return np.array([heard[n] for n in order[:items]], int)


def codec_run(own: Mapping[str, Kept]) -> str | None:
    """Return the finished run of the VQ-VAE whose tokens the systems learnt, None where it is gone.

    What those without tokens name there (a vocabulary of notes) is no run.
    """
    for one in own.values():
        name = f"runs/cdcd/{_config(one.run.run)['settings'].get('codec')}"
        if all((paths.root() / name / file).is_file() for file in ("config.json", CHECKPOINT)):
            return name
    return None


def reconstructed(
    run: str, sound: Float[np.ndarray, "N S"], settings: CodecSettings
) -> Float[np.ndarray, "N S"] | None:
    """Return what the VQ-VAE of the folder `run` makes of `sound`, in [-1, 1].

    None where it is unfinished or of other settings: nothing is trained for a test.
    """
    told, asked = _config(run)["settings"], json.loads(json.dumps(asdict(settings)))
    if any(told.get(name) != asked[name] for name in asked.keys() - {"device"}):
        return None
    folder = paths.root() / run
    state = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    if state["done"] < settings.steps:
        return None
    average = Average(cdcd_codec.Codec(settings), decay=settings.average)
    average.load_state_dict(state["modules"]["average"])
    codec = average.inner.eval()
    codes = cdcd_codec.tokens(codec, sound)
    heard = cdcd_codec.heard(codec, codes).clip(-1, 1)
    return np.pad(heard, ((0, 0), (0, sound.shape[1] - heard.shape[1])))
