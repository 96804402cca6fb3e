"""Every run of the diffusion paper's music tables as one list, and the studies that it needs.

`TABLES` says for each table which row is which training. Equal trainings are one: the 5e-5 of
Table 9 is the Step-Intra of Table 1. Numbers of diffusion steps are the paper's; a profile whose
T is smaller than 80 divides all of them alike.

| table      | what it needs                                                                |
|------------|------------------------------------------------------------------------------|
| 1, 2, 6    | all seeds of the profile for the diffusions, as for the rest for the others  |
| 7, 9, 10,  | the first seed, unless more are asked for; what these train has all        |
| "4 left"   |                                                                              |
| 2          | the TikTok data of the authors: run on that corpus, where nothing else is    |
| 5, 8       | no training: counted on the modules (`papers.cdcd_cost`)                     |
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.files import digest, whole
from pasdedeux.base.profiles import settings as profile_settings
from pasdedeux.baselines import cmt, d2m_gan, dance2music, foley
from pasdedeux.data import sources
from pasdedeux.data.tiktok import TikTokClips
from pasdedeux.diffusion.contrast import System
from pasdedeux.engine.study import study
from pasdedeux.papers import cdcd, cdcd_evaluate, cdcd_material
from pasdedeux.papers.cdcd_evaluate import Performed, genres_of, performed, tested
from pasdedeux.papers.cdcd_numbers import identity
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.musics import Material, MusicTraining, Trained
from pasdedeux.training.run import Measured, Run

PAPER_STEPS, PAPER_LAMBDA = 80, 5e-5
GRID = (20, 40, 60, 80, 100, 120)  # of Figure 4, left, whose ticks the text does not give
DIFFUSION = "diffusion"
REAL = ("tang", "aistpp")
SHARED = ("seeds", "samples", "workers", "device")
Train = Callable[[Any, Material, int], Trained]
RIVALS: Mapping[str, tuple[Train, type]] = {
    "Foley": (foley.train, foley.FoleySettings),
    "CMT": (cmt.train, cmt.CmtSettings),
    "Dance2Music": (dance2music.train, dance2music.Dance2MusicSettings),
    "D2M-GAN": (d2m_gan.train, d2m_gan.D2mGanSettings),
}


@dataclass(frozen=True)
class Fit:
    """One way to train one system; `diffusion_steps` and `contrasted_steps` are the paper's."""

    system: str = DIFFUSION
    contrast: System = "vanilla"
    weight: float = PAPER_LAMBDA
    diffusion_steps: int = PAPER_STEPS
    contrasted_steps: int | None = None
    seconds: int = 2

    @property
    def label(self) -> str:
        """A name that no other fit has: what it is, then what differs from Table 1."""
        name = self.contrast.title() if self.system == DIFFUSION else self.system
        changes = {
            f"lambda {self.weight:g}": self.weight != PAPER_LAMBDA,
            f"T {self.diffusion_steps}": self.diffusion_steps != PAPER_STEPS,
            f"T_c {self.contrasted_steps}": self.contrasted_steps is not None,
            f"{self.seconds} s": self.seconds != 2,
        }
        return ", ".join([name, *(told for told, differs in changes.items() if differs)])


def _rivals(*names: str, seconds: int = 2) -> dict[str, Fit]:
    return {name: Fit(name, seconds=seconds) for name in names}


def _ours(*names: System, **changes: Any) -> dict[str, Fit]:
    return {f"Ours {name.title()}": Fit(contrast=name, **changes) for name in names}


TABLES: Mapping[str, Mapping[str, Fit]] = {
    "1": {
        **_rivals("Foley", "Dance2Music", "CMT", "D2M-GAN"),
        **_ours("vanilla", "step-intra", "sample-inter"),
    },
    "2": {**_rivals("D2M-GAN"), **_ours("vanilla", "step-intra", "sample-inter")},
    "5": {},
    "6": {
        **_rivals("Foley", "Dance2Music", "CMT", "D2M-GAN"),
        **_ours("vanilla", "step-intra", "step-inter", "sample-intra", "sample-inter"),
    },
    "7": {
        f"{seconds}s {row}": fit
        for seconds in (2, 4, 6)
        for row, fit in {
            **(_rivals("D2M-GAN", seconds=seconds) if seconds < 6 else {}),
            **_ours("vanilla", "step-intra", "sample-inter", seconds=seconds),
        }.items()
    },
    "8": {},
    "9": {row: Fit(contrast="step-intra", weight=float(row)) for row in ("5e-4", "1e-5", "5e-5")},
    "10": {
        "Full (T_c = 100)": Fit(contrast="step-intra", diffusion_steps=100),
        "T_c = 80": Fit(contrast="step-intra", diffusion_steps=100, contrasted_steps=80),
        "T_c = 60": Fit(contrast="step-intra", diffusion_steps=100, contrasted_steps=60),
    },
    "4 left": {
        f"{row}, T = {T}": fit
        for T in GRID
        for row, fit in _ours("vanilla", "step-intra", "sample-inter", diffusion_steps=T).items()
    },
}
EVERY_SEED, ON_TIKTOK, TIKTOK = ("1", "2", "6"), ("2",), "tiktok"
DEFAULT: Mapping[str, tuple[str, ...]] = {"quick": ("1", "2", "5", "8")}  # elsewhere all


class Found(NamedTuple):
    """What was measured on clips of one length, and their material."""

    seconds: int
    material: Material
    measured: tuple[Measured, ...]


def music_settings(
    profile: str, *, corpus: str = "auto", seed: int = 0, device: str = "auto"
) -> CdcdSettings:
    """Return the diffusion's settings at `profile` on `corpus`, seeds moved by `seed`.

    Real dances are taken of all genres: the few of `quick` are those of the synthetic corpus. It
    has fewer updates and clips here: a codec and seven systems share three minutes.
    """
    chosen = profile_settings(CdcdSettings, profile, device=device)
    if profile == "quick":
        codec = replace(chosen.codec, steps=80, samples=4096, batch=4)
        few = replace(chosen.clips, most_clips=64)
        chosen = replace(chosen, steps=30, clips=few, codec=codec)
    real = any(sources.found(name) for name in REAL) if corpus == "auto" else corpus in REAL
    return replace(
        chosen,
        clips=replace(chosen.clips, corpus=corpus, genres=() if real else chosen.clips.genres),
        seeds=tuple(first + seed for first in chosen.seeds),
    )


def asked(tables: str, profile: str) -> tuple[str, ...]:
    """Return the tables that "1, 6" names; "all" and "auto" (few at quick) name several.

    Raises `ValueError` for a table that is not in the list.
    """
    names = [name.strip() for name in tables.split(",") if name.strip()]
    refuse(not names, f"tables must name one, 'all' or 'auto', got {tables!r}.")
    if names == ["all"]:
        return tuple(TABLES)
    if names == ["auto"]:
        return DEFAULT.get(profile, tuple(TABLES))
    return tuple(choice("tables", name, tuple(TABLES)) for name in names)


def rows_of(table: str, corpus: str = "auto") -> dict[str, str]:
    """Return for each row of `table` the label of its training; none where `corpus` is another's.

    A label is the same on every corpus, so only this keeps TikTok's runs out of the other tables.
    """
    choice("table", table, tuple(TABLES))
    mine = (table in ON_TIKTOK) == (corpus == TIKTOK)
    return {row: fit.label for row, fit in TABLES[table].items()} if mine else {}


def grid_rows(corpus: str = "auto") -> dict[tuple[str, int], str]:
    """Return for each method and T (the paper's) of Figure 4, left, the label of its training."""
    fits_of, labels = TABLES["4 left"], rows_of("4 left", corpus)
    return {
        (row.partition(",")[0], fits_of[row].diffusion_steps): label
        for row, label in labels.items()
    }


def fits(tables: Iterable[str], corpus: str = "auto") -> dict[str, Fit]:
    """Return every training that the tables need on `corpus`, once, by its label.

    Table 2 is that of TikTok, whose clips have one length and no genre; the others are of the rest.
    """
    on = [table for table in tables if (table in ON_TIKTOK) == (corpus == TIKTOK)]
    return {fit.label: fit for table in on for fit in TABLES[table].values()}


def steps_of(paper: int, like: CdcdSettings) -> int:
    """Return the diffusion steps that stand for `paper` where those of `like` stand for 80."""
    return max(1, round(paper * like.diffusion_steps / PAPER_STEPS))


def settings_of(fit: Fit, profile: str, like: CdcdSettings) -> MusicTraining:
    """Return the settings of one training; what `fit` leaves open is that of `like`."""
    clips = replace(like.clips, seconds=fit.seconds)
    if fit.system != DIFFUSION:
        shared = {name: getattr(like, name) for name in SHARED}
        rival = profile_settings(RIVALS[fit.system][1], profile, clips=clips, **shared)
        if profile == "quick":
            rival = replace(rival, steps=rival.steps // 3, batch=max(1, rival.batch // 2))
        return rival
    weights = dict.fromkeys(like.contrast.weights, 0.0)
    if fit.contrast != "vanilla":
        weights[fit.contrast.replace("-", "_")] = fit.weight
    most = fit.contrasted_steps
    contrasted = None if most is None else steps_of(most, like)
    return replace(
        like,
        clips=clips,
        contrast=replace(like.contrast, **weights, contrasted_steps=contrasted),
        diffusion_steps=steps_of(fit.diffusion_steps, like),
    )


class Study(NamedTuple):
    """Trainings that can be done in one study: they share the clips and have the same seeds."""

    seconds: int
    seeds: tuple[int, ...]
    fits: dict[str, Fit]


def studies(tables: Sequence[str], like: CdcdSettings, *, rest: int = 1) -> tuple[Study, ...]:
    """Return the studies that the tables need, the shortest clips and the most seeds first.

    The diffusions of Tables 1, 2 and 6 have every seed of `like`, the rest its first `rest`.
    """
    refuse(rest < 1, f"rest must be at least 1 seed, got {rest}.")
    corpus = like.clips.corpus
    most = fits((table for table in tables if table in EVERY_SEED), corpus)
    groups: dict[tuple[int, int], dict[str, Fit]] = {}
    for label, fit in fits(tables, corpus).items():
        whole = label in most and fit.system == DIFFUSION
        count = len(like.seeds) if whole else min(rest, len(like.seeds))
        groups.setdefault((fit.seconds, count), {})[label] = fit
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], -item[0][1]))
    return tuple(Study(seconds, like.seeds[:count], held) for (seconds, count), held in ordered)


def with_video(like: CdcdSettings, material: Material) -> CdcdSettings:
    """Return `like` with the video features that come with the clips of TikTok, where they do.

    They are written, a row for each clip, into a file of the cache that the settings then name. A
    file that `like` names already is kept.
    """
    clips = material.clips
    if not isinstance(clips, TikTokClips) or clips.visual is None or like.visual_file is not None:
        return like
    features = np.ascontiguousarray(clips.visual, np.float32)
    path = paths.cache() / "video" / f"{digest(repr(features.shape), features.tobytes())}.npy"
    with whole(path) as part, part.open("wb") as file:  # also when there: it may be damaged
        np.save(file, features, allow_pickle=False)
    return replace(like, visual=features.shape[1], visual_file=str(path))


def measured(
    tables: Sequence[str], profile: str, like: CdcdSettings, *, rest: int = 1
) -> tuple[Found, ...]:
    """Train, or load, everything that the tables need; returns it by the length of the clips.

    What was finished before a call was stopped is found again by the next one.
    """
    found: dict[int, Found] = {}
    for one in studies(tables, like, rest=rest):
        if one.seconds not in found:
            clips = replace(like.clips, seconds=one.seconds)
            found[one.seconds] = Found(
                one.seconds, cdcd_material.material(replace(like, clips=clips)), ()
            )
        held = found[one.seconds]
        shared = with_video(replace(like, seeds=one.seeds), held.material)
        systems = {
            label: (partial(_played, _train(fit)), settings_of(fit, profile, shared))
            for label, fit in one.fits.items()
        }
        rows = study(systems, held.material, cdcd_evaluate.evaluate)
        found[one.seconds] = held._replace(measured=(*held.measured, *rows))
    return tuple(found.values())


def notice(found: Sequence[Found], like: CdcdSettings, table: str) -> str:
    """Return which data `table` was measured on, how many clips of which genre, and what its rivals
    are, in words for its caption.
    """
    fits_of = TABLES[choice("table", table, tuple(TABLES))].values()
    lengths = {fit.seconds for fit in fits_of} if rows_of(table, like.clips.corpus) else set()
    used = [one for one in found if one.seconds in lengths]
    if not used:
        return "none; no row of ours was run."
    each = [
        identity(one.seconds, genres_of(one.material, tested(one.material, like.samples)))
        for one in used
    ]
    steps = f"T = {like.diffusion_steps} where the paper has 80, other T in proportion."
    names = ", ".join(dict.fromkeys(fit.system for fit in fits_of if fit.system != DIFFUSION))
    rivals = [f"{names}: re-implementations in a smaller form."] if names else []
    return " ".join([f"{used[0].material.clips.notice}.", *each, steps, *rivals])


def corpora(found: Sequence[Found]) -> str:
    """Return the names of the corpora that were measured on."""
    return "+".join(sorted({d.corpus for one in found for d in one.material.clips.dances}))


def _train(fit: Fit) -> Train:
    return cdcd.train if fit.system == DIFFUSION else RIVALS[fit.system][0]


def _played(
    train: Train, settings: MusicTraining, material: Material, seed: int
) -> tuple[Run, Callable[[int], Performed]]:
    """Return a trained system's run, and a call that lets it play to the test clips."""
    trained = train(settings, material, seed)
    return trained.run, partial(performed, trained, material, seed=seed)
