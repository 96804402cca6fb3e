"""From the numbers of `papers.cdcd_evaluate` to the cells of the diffusion paper's music tables.

Columns map the name that a table prints to the key under which a system was measured. The paper's
"Accuracy" is put beside genre accuracy in database B: its own true music scores 88.5, so it looks
for other clips among all originals. What was recorded is a fact of the data: its seed is None.
Mean opinion scores have no measurement here, so their cells are "not run".
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise

from pasdedeux.data.tiktok import VISUAL
from pasdedeux.nn.motion_encoder import SHAPES
from pasdedeux.papers import cdcd_cost
from pasdedeux.papers.cdcd_evaluate import DATABASES
from pasdedeux.papers.cdcd_networks import Sizes
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.report.reference import reference
from pasdedeux.report.table import Measurement
from pasdedeux.training.run import Measured

Columns = Mapping[str, str]  # what a table prints -> key of `cdcd_evaluate.evaluate`
COVERAGE, HIT, GENRE = "Coverage", "Hit", "Accuracy"
BEATS: Columns = {COVERAGE: "coverage (%)", HIT: "hit (%)"}
PRINTED: Columns = {**BEATS, GENRE: "genre B (%)"}
TRUE_ROW = {"GT Music": "ground truth"}  # what the tables print -> a row of `trivial`
CEILING = "VQ reconstruction"  # of `trivial`: the true tokens, played
SHORTEST = 2  # seconds of a clip in all tables but 7
RHYTHM = ("coverage (%)", "hit (%)", "capped (%)", "flags F1 (%)", "onset F1 (%)")
GENRES = tuple(f"{what} {name} (%)" for name in DATABASES for what in ("genre", "balanced"))
SOUND = ("level (dBFS)", "silent (%)")
RHYTHM_COLUMNS: Columns = {name: name for name in RHYTHM}
GENRE_COLUMNS: Columns = {name: name for name in (*GENRES, *SOUND)}


def identity(seconds: int, genres: Mapping[str, int]) -> str:
    """Return which clips the numbers of a table were measured on, in words for a caption."""
    each = ", ".join(f"{count} {name}" for name, count in genres.items())
    return (
        f"{sum(genres.values())} test clips of {seconds} s ({each}), none with a near copy in "
        "training."
    )


def measures() -> str:
    """Return the parameters of the measures, in words for a caption."""
    return (
        "Coverage (not capped) and hit: flags of onsets, one a second, means over clips. Accuracy: "
        "genre of the nearest original in database B (pooled spectra and pulse, all but what "
        "shares sound; the embedding is ours). Where a small VQ-VAE colours all sound alike, "
        "everything that plays its tokens, the row VQ reconstruction too, is nearest to one genre "
        "there: such rows are told apart in database C only, in table_genre."
    )


def printed_spread() -> str:
    """Return the standard deviations that Tables 1 and 6 print, in words for a caption."""
    held = reference("cdcd", "6 spread")
    each = "; ".join(
        f"{row.removeprefix('Ours ')} {', '.join(cells.values())}"
        for row, cells in held.text.items()
    )
    return f"Printed ± over three samplings of one model ({', '.join(held.columns)}): {each}."


def measurements(
    measured: Iterable[Measured], columns: Columns, rows: Mapping[str, str]
) -> list[Measurement]:
    """Return one measurement for each row, seed and column; `rows` maps a row to its system."""
    held: dict[str, list[Measured]] = {}
    for one in measured:
        held.setdefault(one.system, []).append(one)
    return [
        Measurement(row, column, one.seed, one.numbers[key], one.run)
        for row, system in rows.items()
        for one in held.get(system, [])
        for column, key in columns.items()
        if key in one.numbers
    ]


def facts(
    trivial: Mapping[str, Mapping[str, float]],
    columns: Columns,
    *,
    corpus: str,
    rows: Mapping[str, str] | None = None,
) -> list[Measurement]:
    """Return the rows of `cdcd_evaluate.trivial`, the same for every seed.

    `rows` maps the rows of the table to those of `trivial`; all under their names unless given.
    One that was not measured is left out.
    """
    wanted = {name: name for name in trivial} if rows is None else rows
    return [
        Measurement(row, column, None, trivial[name][key], corpus)
        for row, name in wanted.items()
        for column, key in columns.items()
        if key in trivial.get(name, {})
    ]


def ceilings(
    trivial: Mapping[int, Mapping[str, Mapping[str, float]]],
    columns: Columns,
    *,
    corpus: str,
    every: bool = False,
) -> list[Measurement]:
    """Return what the VQ-VAE makes of the true music: for clips of 2 s, or for `every` length."""
    found = []
    for seconds, rows in trivial.items():
        name = f"{seconds}s {CEILING} (ours)" if every else f"{CEILING} (ours)"
        if every or seconds == SHORTEST:
            found += facts(rows, columns, corpus=corpus, rows={name: CEILING})
    return found


def by_length(
    trivial: Mapping[int, Mapping[str, Mapping[str, float]]], *, corpus: str
) -> list[Measurement]:
    """Return the rows of `cdcd_evaluate.trivial` of each length of clips, one below the other."""
    columns = {name: name for name in (*RHYTHM, *GENRES)}
    return [
        one._replace(row=f"{seconds} s: {one.row}")
        for seconds, rows in trivial.items()
        for one in facts(rows, columns, corpus=corpus)
    ]


def diffusion_curves(
    measured: Iterable[Measured], rows: Mapping[tuple[str, int], str], paper_steps: int, steps: int
) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Return for coverage and hit a line of each method over T, means over seeds (Figure 4, left).

    `rows` maps method and the paper's T to a system; T of `steps` stands for `paper_steps`.
    """
    held: dict[str, list[Measured]] = {}
    for one in measured:
        held.setdefault(one.system, []).append(one)
    panels: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for column, key in BEATS.items():
        for (method, paper_T), system in rows.items():
            found = [one.numbers[key] for one in held.get(system, [])]
            if found:
                line = panels.setdefault(f"{column} (%)", {}).setdefault(method, ([], []))
                line[0].append(paper_T * steps // paper_steps)
                line[1].append(sum(found) / len(found))
    return panels


def table_5() -> list[Measurement]:
    """Return the layers of the motion encoder as it is built from Table 5.

    The stride is read off the lengths: (in - taps) / (out - 1).
    """
    layers, rows = cdcd_cost.table_5(), iter(reference("cdcd", "5").rows)
    found = []
    for before, layer in pairwise(layers):
        if layer.name == "linear":
            continue
        row = next(rows)
        told = {"channels": float(layer.channels)}
        if layer.taps is not None:
            stride = (before.places - layer.taps) / (layer.places - 1)
            told |= {"kernel": float(layer.taps), "stride": stride}
        found += [Measurement(row, column, None, value, "module") for column, value in told.items()]
    return found


def encoders() -> list[Measurement]:
    """Return the parameters, in millions, of the motion encoder by each source of its shape."""
    return [
        Measurement(source, layer_name, None, value, "module")
        for source in SHAPES
        for layer_name, value in _encoder(source).items()
    ]


def _encoder(source: str) -> dict[str, float]:
    layers = cdcd_cost.table_5(source)
    convolved = [layer for layer in layers if layer.name == "convolution"]
    return {
        "parameters (M)": sum(layer.parameters for layer in layers) / 1e6,
        "convolutions": float(len(convolved)),
        "widest": float(max(layer.channels for layer in convolved)),
    }


@cache
def _cost(settings: CdcdSettings, sizes: Sizes, form: str) -> cdcd_cost.Cost:
    return cdcd_cost.table_8(settings, sizes, form=form)


COSTS = (
    "learned (M)", "motion encoder (M)", "operations an update (T)", "memory (GB)", "V100 days",
)  # fmt: skip


def costs(profiles: Mapping[str, CdcdSettings]) -> list[Measurement]:
    """Return what a training costs at each of some profiles, on clips of 2 s as of AIST++."""
    rows = []
    for name, settings in profiles.items():
        cost = _cost(settings, cdcd_cost.AIST, "built")
        told = (
            cost.parameters / 1e6, cost.motion / 1e6, cost.operations / 1e12, cost.bytes / 1e9,
            cost.v100_days,
        )  # fmt: skip
        rows += [
            Measurement(name, column, None, value, "module")
            for column, value in zip(COSTS, told, strict=True)
        ]
    return rows


EPOCHS = 100  # of the released music settings
TIKTOK_CLIPS, TIKTOK_BATCH = 2384, 48  # the authors' list of train; 12 on each of 4 GPUs, released
ROWS_8: Mapping[str, Sizes] = {
    "AIST++, Ours CDCD": cdcd_cost.AIST,
    "TikTok, Ours CDCD": cdcd_cost.TIKTOK,
}
BUILT_8 = {row: f"{row}, as built here" for row in ROWS_8}  # to stand below the printed rows


def paper_settings(sizes: Sizes) -> CdcdSettings:
    """Return the paper's training on AIST++, or on TikTok, which has no genres.

    Updates: 100 epochs, as released for both.
    """
    if sizes == cdcd_cost.AIST:
        return CdcdSettings.paper()
    updates = math.ceil(EPOCHS * TIKTOK_CLIPS / TIKTOK_BATCH)
    return replace(
        CdcdSettings.paper(), genre=False, inter="song", batch=TIKTOK_BATCH, steps=updates
    )


def table_8() -> list[Measurement]:
    """Return size and estimated time of the paper's trainings in the form of the release.

    Counted on its modules, with video features: what the printed numbers are about.
    """
    rows = []
    for row, sizes in ROWS_8.items():
        seen = replace(paper_settings(sizes), visual=VISUAL, visual_file="counted, not read")
        rows += _size_and_time(row, _cost(seen, sizes, "released"))
    return rows


def built_8() -> list[Measurement]:
    """Return the same as it is built here, in the rows `BUILT_8`: nothing idle, and no video."""
    rows = []
    for row, sizes in ROWS_8.items():
        rows += _size_and_time(BUILT_8[row], _cost(paper_settings(sizes), sizes, "built"))
    return rows


def _size_and_time(row: str, cost: cdcd_cost.Cost) -> list[Measurement]:
    told = {"Param. (M)": cost.parameters / 1e6, "V100 days": cost.v100_days}
    return [Measurement(row, column, None, value, "module") for column, value in told.items()]


def caption_8() -> str:
    """Return what Table 8 counts and what its days assume, in words for a caption."""
    updates = " and ".join(f"{paper_settings(sizes).steps:,}" for sizes in ROWS_8.values())
    return (
        "Table 8 of CDCD, counted on the modules; nothing was trained. Beside the printed numbers: "
        "the form of the release, whose attention to one position has idle queries and keys, with "
        "a table of steps for each normalisation and video features; the motion encoder is that of "
        "Table 5. As built here: without these. Our days are an estimate: the arithmetic of "
        f"{updates} updates ({EPOCHS} epochs) at an assumed {100 * cdcd_cost.SHARE:.0f} % of "
        f"{cdcd_cost.V100_PEAK / 1e12:.1f} Tflop/s, a V100's peak in float32. The printed days are "
        "as many as appendix C.1 tells of RTX A5000."
    )
