"""How every system of the music tables is asked for music, and how that is measured (section 4.1).

All systems get the same test clips: those without a near copy in training (`data.clips`), at most
so many, evenly spread over the list so that every dance has its share. What each made is kept with
the scores of each clip, so that two systems can be compared clip by clip later (`cdcd_claims`).

| number           | what it is                                                                |
|------------------|---------------------------------------------------------------------------|
| coverage, hit    | flags of onsets, one a second, as the authors' script has them            |
| capped, flags F1 | the same flags; what coverage above 100 hides                             |
| onset F1         | onsets matched one to one within 70 ms                                    |
| genre A, B, C    | share of clips whose nearest original has the genre of the dance; the     |
|                  | originals are the training clips (A), all but what shares sound (B), or   |
|                  | those of B as the VQ-VAE plays them (C)                                   |
| balanced A, B, C | mean over genres of the same                                              |
| level, silent    | root mean square of everything in dB of full scale; clips below 0.001     |

What each is blind to stands in `metrics.beats` and `metrics.genre`. The authors reduce noise in
what was generated before its onsets are looked for; here nothing is changed. Sound is measured as
it is kept, in 16 bits.

A small VQ-VAE changes the colour of all sound alike, so in A and B whatever plays its tokens may be
nearest to one genre always. C asks what is left to ask: among originals changed in the same way,
is the nearest one of the right genre? Sound that no VQ-VAE made is out of place there.

`M` clips, `S` samples, `N` clips whose true music has an onset.
"""

import inspect
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int16
from torch import nn

from pasdedeux.base import stored
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.progress import report
from pasdedeux.base.seeding import numpy_generator
from pasdedeux.base.source import fingerprint
from pasdedeux.metrics import beats, genre
from pasdedeux.metrics.genre import Database, Embedder
from pasdedeux.training.musics import Material, Trained

PERCENT, FULL = 100.0, 32767
SILENT = 1e-3  # root mean square, as `data.clips` leaves out what was recorded
FLOOR_DB = -120.0  # told where nothing sounds at all
PASSES = 3  # over other clips, for the row of chance
AT_ONCE = 32  # clips whose sound is in memory
BEATS = ("coverage", "hit", "capped", "flags_f1", "onset_f1")
DATABASES = ("A", "B", "C")


class Performed(NamedTuple):
    """What a system made for the test clips `rows`, and each clip's scores as shares.

    scored: places in `rows` of the clips whose true music has an onset; the next five fields are
    about these alone. right_a, right_b, right_c: whether the nearest original in A, B or C is of
    the dance's genre.
    """

    rows: Int[np.ndarray, " M"]
    sound: Int16[np.ndarray, "M S"]
    scored: Int[np.ndarray, " N"]
    coverage: Float[np.ndarray, " N"]
    hit: Float[np.ndarray, " N"]
    capped: Float[np.ndarray, " N"]
    flags_f1: Float[np.ndarray, " N"]
    onset_f1: Float[np.ndarray, " N"]
    right_a: Bool[np.ndarray, " M"]
    right_b: Bool[np.ndarray, " M"]
    right_c: Bool[np.ndarray, " M"]


class Originals(NamedTuple):
    """Where a clip's nearest original is looked for, what each clip must not find there, and the
    vectors of training that give the scale.
    """

    database: Database
    excluded: Bool[np.ndarray, "M K"]
    train: Float[np.ndarray, "N D"]


def tested(material: Material, count: int) -> Int[np.ndarray, " M"]:
    """Return the test clips that every system is asked for: at most `count`, evenly spread.

    Raises `ValueError` when there is none.
    """
    rows = material.clips.rows("test")
    refuse(not len(rows), "no test clip is free of near copies; give more dances.")
    most = min(count, len(rows))
    return rows[np.arange(most) * len(rows) // most]


def genres_of(material: Material, rows: Int[np.ndarray, " M"]) -> dict[str, int]:
    """Return how many of the clips `rows` are of each genre that they have."""
    names, found = material.clips.genres, material.clips.genre[rows]
    return {names[number]: int((found == number).sum()) for number in np.unique(found)}


def performed(
    trained: Trained,
    material: Material,
    count: int,
    *,
    seed: int,
    embedder: Embedder = genre.statistics,
) -> Performed:
    """Return what a system makes for the test clips, measured clip by clip."""
    rows = tested(material, count)
    return scored(trained.generate(rows, seed), rows, material, embedder=embedder)


def scored(
    sound: Float[np.ndarray, "M S"],
    rows: Int[np.ndarray, " M"],
    material: Material,
    *,
    embedder: Embedder = genre.statistics,
) -> Performed:
    """Return the record of `sound`, made for the dances of the clips `rows`.

    Raises `ValueError` for sound of another length than the clips', not finite or beyond [-1, 1].
    """
    clips = material.clips
    shape = (len(rows), clips.settings.samples)
    refuse(sound.shape != shape, f"sound must have shape {shape}, got {sound.shape}.")
    refuse(not np.isfinite(sound).all(), "sound must be finite; listen to what was generated.")
    loudest = float(np.abs(sound).max())
    refuse(loudest > 1, f"sound must lie in [-1, 1], got up to {loudest:g}.")
    kept = np.round(sound * FULL).astype(np.int16)
    played = kept.astype(np.float32) / np.float32(FULL)
    true, made = (
        [beats.onset_seconds(one) for one in some] for some in (clips.sound(rows), played)
    )
    each = beats.scores(true, made, float(clips.settings.seconds))
    vectors = embedder(played)
    right = [
        genre.right(
            vectors, clips.genre[rows], found.database, train=found.train, excluded=found.excluded
        )
        for found in databases(material, rows, embedder).values()
    ]
    return Performed(rows, kept, each.rows, *(getattr(each, name) for name in BEATS), *right)


def _onsets(sounds: Float[np.ndarray, "M S"]) -> list[Float[np.ndarray, " _"]]:
    return [beats.onset_seconds(sound) for sound in sounds]


def databases(
    material: Material, rows: Int[np.ndarray, " M"], embedder: Embedder = genre.statistics
) -> dict[str, Originals]:
    """Return the originals of A, B and C, and what each of the clips `rows` must not find there.

    In A that is nothing: no song is on both sides of the split. In B and C it is every clip that
    shares sound with the true one, which is among them.
    """
    clips, every = material.clips, np.arange(len(material.clips))
    train = clips.rows("train", most_copied=1.0)
    recorded, coded = embedded(material, embedder), embedded(material, embedder, coded=True)
    each = {"A": (train, recorded), "B": (every, recorded), "C": (every, coded)}
    return {
        name: Originals(
            Database(vectors[originals], clips.genre[originals]),
            clips.overlap(rows, originals),
            vectors[train],
        )
        for name, (originals, vectors) in each.items()
    }


def embedded(
    material: Material, embedder: Embedder = genre.statistics, *, coded: bool = False
) -> Float[np.ndarray, "K D"]:
    """Return the vectors of all K clips, `coded` as the VQ-VAE plays them; computed once for clips,
    embedder and VQ-VAE.
    """
    clips, module = material.clips, inspect.getfile(embedder)
    by = (material.made_by,) if coded else ()
    key = digest(clips.checksum, embedder.__name__, fingerprint(module), *by)

    def made() -> dict[str, np.ndarray]:
        parts = []
        for begin in range(0, len(clips), AT_ONCE):
            rows = np.arange(begin, min(begin + AT_ONCE, len(clips)))
            sound = played(material, material.tokens[rows]) if coded else clips.sound(rows)
            parts.append(embedder(sound))
            report("listening to originals", int(rows[-1]) + 1, len(clips))
        return {"vectors": np.concatenate(parts)}

    return stored.arrays("embedded", key, made)["vectors"]


def evaluate(made: Performed, material: Material) -> dict[str, float]:
    """Return the numbers of one row of the music tables.

    Raises `ValueError` when no true clip has an onset.
    """
    refuse(not len(made.scored), "no true clip has an onset; are these recordings?")
    names = material.clips.genre[made.rows]
    told = zip(("coverage", "hit", "capped", "flags F1", "onset F1"), BEATS, strict=True)
    numbers = {f"{name} (%)": PERCENT * float(getattr(made, field).mean()) for name, field in told}
    for name, right in zip(DATABASES, (made.right_a, made.right_b, made.right_c), strict=True):
        each = [right[names == number].mean() for number in np.unique(names)]
        numbers[f"genre {name} (%)"] = PERCENT * float(right.mean())
        numbers[f"balanced {name} (%)"] = PERCENT * float(np.mean(each))
    power = np.square(made.sound / FULL, dtype=float).mean(axis=1)
    whole = float(power.mean())
    return numbers | {
        "level (dBFS)": 10 * float(np.log10(whole)) if whole > 0 else FLOOR_DB,
        "silent (%)": PERCENT * float((np.sqrt(power) < SILENT).mean()),
        "clips": float(len(made.rows)),
        "skipped": float(len(made.rows) - len(made.scored)),
    }


def truth(material: Material, count: int) -> Performed:
    """Return the true music of the test clips as if a system had made it."""
    rows = tested(material, count)
    return scored(material.clips.sound(rows), rows, material)


def reconstructed(material: Material, count: int) -> Performed:
    """Return what the VQ-VAE makes of the true tokens: the ceiling of all that plays tokens."""
    rows = tested(material, count)
    return scored(played(material, material.tokens[rows]), rows, material)


def played(material: Material, tokens: Int[np.ndarray, "M L"]) -> Float[np.ndarray, "M S"]:
    """Return the sound of tokens in [-1, 1], as long as a clip; silence fills what is short."""
    codec, samples = material.codec, material.clips.settings.samples
    learnt = codec.parameters() if isinstance(codec, nn.Module) else ()
    where = next((each.device for each in learnt), torch.device("cpu"))
    made = np.zeros((len(tokens), samples), np.float32)
    for begin in range(0, len(tokens), AT_ONCE):
        codes = torch.from_numpy(tokens[begin : begin + AT_ONCE]).long().to(where)
        heard = codec.decode(codes)[:, :samples].float().clamp(-1, 1).cpu().numpy()
        made[begin : begin + AT_ONCE, : heard.shape[1]] = heard
    return made


def others(material: Material, count: int) -> tuple[Performed, ...]:
    """Return real music of other songs for the test clips, drawn from training: some passes."""
    rows, draw = tested(material, count), numpy_generator(0, "other clips")
    found = material.clips.others(rows, PASSES, draw, by="song")
    return tuple(scored(material.clips.sound(column), rows, material) for column in found.T)


def trivial(material: Material, count: int) -> dict[str, dict[str, float]]:
    """Return the numbers of the rows that stand beside every system, by their names.

    "chance" draws an original of the database, "majority" names its most frequent genre always.
    """
    true = truth(material, count)
    passes = [evaluate(one, material) for one in others(material, count)]
    return {
        "ground truth": evaluate(true, material),
        "VQ reconstruction": evaluate(reconstructed(material, count), material),
        "random other clip": {
            name: float(np.mean([numbers[name] for numbers in passes])) for name in passes[0]
        },
        "always beat": _always(material, true.rows),
        **_blind(material, true.rows),
    }


def _always(material: Material, rows: Int[np.ndarray, " M"]) -> dict[str, float]:
    """Return the beats of who has an onset in the middle of every second."""
    seconds = float(material.clips.settings.seconds)
    true = _onsets(material.clips.sound(rows))
    row = beats.evaluate(true, [beats.always(seconds)] * len(rows), seconds)
    told = zip(("coverage", "hit", "capped", "flags F1", "onset F1"), row[:5], strict=True)
    return {f"{name} (%)": value for name, value in told}


def _blind(material: Material, rows: Int[np.ndarray, " M"]) -> dict[str, dict[str, float]]:
    """Return the genre accuracies of who does not listen: chance and majority."""
    clips = material.clips
    names = clips.genre[rows]
    found: dict[str, dict[str, float]] = {"chance": {}, "majority": {}}
    for name, (database, hidden, _) in databases(material, rows).items():
        same = (database.genre[None] == names[:, None]) & ~hidden
        right = same.sum(axis=1) / (~hidden).sum(axis=1)
        most = np.bincount(database.genre).argmax() == names
        for row, share in (("chance", right), ("majority", most)):
            each = [share[names == number].mean() for number in np.unique(names)]
            found[row][f"genre {name} (%)"] = PERCENT * float(share.mean())
            found[row][f"balanced {name} (%)"] = PERCENT * float(np.mean(each))
    return found
