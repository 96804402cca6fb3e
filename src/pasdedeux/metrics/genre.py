"""Genre accuracy: whether the real clip most like a generated one is of the dance's genre.

Task. Dance2Music-GAN (Zhu et al., ECCV 2022) retrieves for each generated clip the nearest original
clip, Euclidean in the space of a network that was trained to tell sounds apart, and counts a
success when that clip has the genre of the dance. The code was never released, and the paper's own
ground truth scores 88.5, so the true clip itself cannot be in the database. Here the database is
one of two, and both are reported:

| database | holds                                                                            |
|----------|----------------------------------------------------------------------------------|
| A        | the clips of training: no song of a query is in it                               |
| B        | all original clips but what shares sound with the query's true clip              |

In B other seconds of the query's own song remain: knowing the song is rewarded there.

Embedding. Anything that turns sounds into vectors may be put in (`Embedder`), for instance a
network of the user's. `statistics` needs no weights and is the default: means and spreads of mel
bands and cepstrum, and the pulse. So scores compare with each other, not with the printed ones.
Vectors are brought to mean 0 and spread 1 in each channel of the clips of training.

What it is blind to. Genres are unequal: of the dances of Tang et al. two thirds are waltzes, and
who always says waltz is right for their share of the queries. `majority`, `chance` (a clip of the
database at random) and `balanced`, the mean over genres of their accuracies, stand beside it. A
copy of any training song of the right genre is a success. `N` queries, `M` originals, `D` channels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base import quiet
from pasdedeux.base.checks import refuse
from pasdedeux.data.scale import Scale

RATE_HZ = 22_050
MEL_BANDS, CEPSTRUM, PULSES = 40, 20, 16
SLOWEST_SECONDS, FASTEST_SECONDS = 1.5, 0.2  # of the pulse: 40 to 300 a minute
Embedder = Callable[[Float[np.ndarray, "N S"]], Float[np.ndarray, "N D"]]


class Database(NamedTuple):
    """Original clips: their vectors, as the embedder gives them, and their genres."""

    vectors: Float[np.ndarray, "M D"]
    genre: Int[np.ndarray, " M"]


class Row(NamedTuple):
    """One row of a table, in percent; `chance` and `majority` are of the same database."""

    accuracy: float
    balanced: float
    chance: float
    majority: float
    queries: int


def statistics(
    sounds: Float[np.ndarray, "N S"], rate_hz: int = RATE_HZ
) -> Float[np.ndarray, "N D"]:
    """Return 138 numbers of each sound: how it is coloured, and how it pulses.

    Means and spreads over time of 40 mel bands in decibels and of 20 cepstral coefficients; mean
    and spread of the onset strength, and its autocorrelation at 16 lags from 0.2 to 1.5 s. Raises
    `ValueError` for what is not finite or shorter than 1.5 s.
    """
    refuse(not np.isfinite(sounds).all(), "sounds must be finite; listen to what was generated.")
    refuse(
        sounds.shape[1] < SLOWEST_SECONDS * rate_hz,
        f"sounds must last {SLOWEST_SECONDS} s or longer, got {sounds.shape[1] / rate_hz:.2f} s.",
    )
    made = [_statistics(sound, rate_hz) for sound in sounds]
    return np.stack(made) if made else np.zeros((0, 2 * (MEL_BANDS + CEPSTRUM + 1) + PULSES))


def retrieved(
    vectors: Float[np.ndarray, "N D"],
    database: Database,
    *,
    excluded: Bool[np.ndarray, "N M"] | None = None,
) -> Int[np.ndarray, " N"]:
    """Return for each vector the row of the nearest original that is not `excluded`.

    Of equally near ones the first. Raises `ValueError` when everything is excluded.
    """
    excluded = _excluded(len(vectors), database, excluded)
    found = np.zeros(len(vectors), int)
    for row, vector in enumerate(vectors):
        square = np.square(database.vectors - vector).sum(axis=1)
        found[row] = np.where(excluded[row], np.inf, square).argmin()
    return found


def right(
    vectors: Float[np.ndarray, "N D"],
    genre: Int[np.ndarray, " N"],
    database: Database,
    *,
    train: Float[np.ndarray, "K D"],
    excluded: Bool[np.ndarray, "N M"] | None = None,
) -> Bool[np.ndarray, " N"]:
    """Return for each clip whether its nearest original is of its genre; as in `evaluate`."""
    refuse(
        len(vectors) != len(genre) or not len(genre),
        f"vectors and genre must be equally many, and some, got {len(vectors)} and {len(genre)}.",
    )
    scale = Scale.fit([train], channels=slice(None))
    scaled = database._replace(vectors=scale.apply(database.vectors))
    return database.genre[retrieved(scale.apply(vectors), scaled, excluded=excluded)] == genre


def evaluate(
    vectors: Float[np.ndarray, "N D"],
    genre: Int[np.ndarray, " N"],
    database: Database,
    *,
    train: Float[np.ndarray, "K D"],
    excluded: Bool[np.ndarray, "N M"] | None = None,
) -> Row:
    """Return the row of a method: `vectors` of its clips, `genre` of the dances they are for.

    train: the vectors of the clips of training, which give the scale. excluded: originals that a
    query must not find; give every method the same, so that they answer the same question.
    """
    correct = right(vectors, genre, database, train=train, excluded=excluded)
    excluded = _excluded(len(vectors), database, excluded)
    each = [correct[genre == name].mean() for name in np.unique(genre)]
    same = (database.genre[None] == genre[:, None]) & ~excluded
    chance = (same.sum(axis=1) / (~excluded).sum(axis=1)).mean()
    most = np.bincount(database.genre).argmax()
    shares = (correct.mean(), np.mean(each), chance, (genre == most).mean())
    return Row(*(100 * float(share) for share in shares), len(genre))


def _excluded(
    queries: int, database: Database, excluded: Bool[np.ndarray, "N M"] | None
) -> Bool[np.ndarray, "N M"]:
    M = len(database.genre)
    refuse(
        len(database.vectors) != M or M == 0,
        f"a database needs as many vectors as genres, and some, got {len(database.vectors)} and "
        f"{M}.",
    )
    if excluded is None:
        return np.zeros((queries, M), bool)
    refuse(
        excluded.shape != (queries, M),
        f"excluded must have shape ({queries}, {M}), got {excluded.shape}.",
    )
    alone = np.flatnonzero(excluded.all(axis=1))
    refuse(len(alone), f"query {alone[:1]} has no original left; give a larger database.")
    return excluded


def _statistics(sound: Float[np.ndarray, " S"], rate_hz: int) -> Float[np.ndarray, " D"]:
    librosa = quiet.librosa()
    power = np.square(np.abs(librosa.stft(y=sound, n_fft=2048, hop_length=512)))
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=rate_hz, n_mels=MEL_BANDS))
    cepstrum = librosa.feature.mfcc(S=mel, sr=rate_hz, n_mfcc=CEPSTRUM)
    strength = librosa.onset.onset_strength(S=mel, sr=rate_hz)
    pulse = _pulse(strength, rate_hz / 512)
    pooled = [f(array, axis=1) for array in (mel, cepstrum) for f in (np.mean, np.std)]
    return np.concatenate([*pooled, [strength.mean(), strength.std()], pulse]).astype(float)


def _pulse(strength: Float[np.ndarray, " T"], rate_hz: float) -> Float[np.ndarray, " L"]:
    """Return the autocorrelation of the centred strength at 16 lags, even on a logarithmic scale.

    1 at lag 0 by definition; all 0 for a constant strength.
    """
    x = strength - strength.mean()
    energy = float(np.square(x).sum())
    every = np.correlate(x, x, mode="full")[len(x) - 1 :] / (energy or 1.0)
    lags = np.geomspace(FASTEST_SECONDS, SLOWEST_SECONDS, PULSES) * rate_hz
    return np.interp(lags, np.arange(len(every)), every)
