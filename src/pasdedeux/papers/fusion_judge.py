"""A machine listener for FusionGAN's question: jazz, folk, a mixture, or neither?

It stands in nobody's place. Its rows are called "machine listener" and are never those of people:
it hears what tells the two corpora apart, which need not be what people hear.

How it answers. A TextCNN that was trained on real windows puts each window on a line from the one
genre to the other. An n-gram model of both genres together says how much its notes are to be
expected. Each of the two scores is compared with those of real validation windows of a genre: p is
the share of these that score no better. With `risk` / 2 as the limit of p (two questions):

| question | p of the first genre | p of the second | answer                                   |
|----------|----------------------|-----------------|------------------------------------------|
| notes    | below                | below           | "neither": its notes belong nowhere      |
| line     | above                | below           | the first genre                          |
| line     | below                | above           | the second genre                         |
| line     | both above, or both below |            | "mixture": between the genres            |

So nobody chooses a threshold but `risk`: by each question a real window loses its own genre with a
chance of at most `risk` / 2, if new songs are like those of validation (conformal prediction, Vovk
et al. 2005). `engine.judged` shows what other values do.

Blind spots. Genres that are never confused leave little between them for "mixture". Notes more
ordinary than any real ones pass. `N` windows, `T` tokens, `M` validation windows; genre 0 is the
first of the pair, 1 the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import generator, numpy_generator
from pasdedeux.data.melodies import MelodyPair
from pasdedeux.metrics.listening import Estimate, over_listeners
from pasdedeux.metrics.ngram import NGram, fit_ngram
from pasdedeux.music.melody import Vocabulary
from pasdedeux.nn.textcnn import TextCNN
from pasdedeux.training.loop import fit, update
from pasdedeux.training.run import Run, open_run
from pasdedeux.training.sequences import batches

MACHINE = "machine listener"
NEITHER, MIXTURE = 3, 2  # places in `metrics.listening.GENRE_ANSWERS`; 0 and 1 are the genres
NEIGHBOURS = 40  # held-out windows in a row that are drawn together: about a solo, several songs


@dataclass(frozen=True)
class JudgeSettings:
    """How the judges are made; all of it is ours, the paper has no machine listener."""

    seeds: tuple[int, ...] = (0, 1, 2)  # a judge for each; they answer as a panel
    widths: tuple[int, ...] = (2, 3, 4, 6, 8, 12)
    filters: tuple[int, ...] = (24,) * 6
    embedding: int = 32
    updates: int = 600
    batch: int = 64  # windows of each genre in an update
    rate: float = 1e-3  # Adam
    order: int = 4  # of the n-gram models
    risk: float = 0.1  # chance that a real window loses its own genre by either question
    held_out: int = 2000  # windows of each genre that calibrate, and as many that test

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        refuse(not self.seeds, "seeds must name at least one judge, got ().")
        refuse(len(set(self.seeds)) < len(self.seeds), f"seeds must differ, got {self.seeds}.")
        refuse(not 0 < self.risk < 1, f"risk must lie between 0 and 1, got {self.risk}.")
        for name in ("updates", "batch", "held_out"):
            refuse(getattr(self, name) < 1, f"{name} must be at least 1, got {getattr(self, name)}")

    @classmethod
    def quick(cls) -> "JudgeSettings":
        """Three small judges: seconds on one CPU core."""
        return cls(widths=(3, 5, 8), filters=(16,) * 3, updates=120, held_out=800)

    @classmethod
    def laptop(cls) -> "JudgeSettings":
        """The defaults: a minute on one CPU core."""
        return cls()

    @classmethod
    def gpu(cls) -> "JudgeSettings":
        """The same judges: systems of every size are to be heard by the same ears."""
        return cls()

    @classmethod
    def paper(cls) -> "JudgeSettings":
        """The same judges; the paper has none."""
        return cls()


class Question(NamedTuple):
    """Scores of one genre's validation windows, ascending; what scores lower is less like it."""

    scores: Float[np.ndarray, " M"]

    def p(self, scores: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the share of validation windows that are no more like the genre, above 0.

        (1 + number of those with a score at most as high) / (M + 1): uniform, or larger, for
        windows that come from where validation windows came from.
        """
        below = np.searchsorted(self.scores, scores, side="right")
        return (1.0 + below) / (len(self.scores) + 1.0)


class Heard(NamedTuple):
    """What one judge hears in windows: the line's score, and p of both genres by each question."""

    score: Float[np.ndarray, " N"]  # above 0: rather the first genre
    line: Float[np.ndarray, "N 2"]
    notes: Float[np.ndarray, "N 2"]

    def answers(self, risk: float) -> Int[np.ndarray, " N"]:
        """Return each window's answer, a place in `metrics.listening.GENRE_ANSWERS`."""
        left = self.line > risk / 2
        single = np.where(left[:, 0], 0, 1)
        found = np.where(left.sum(axis=1) == 1, single, MIXTURE)
        return np.where((self.notes > risk / 2).any(axis=1), found, NEITHER)

    def qualification(self, risk: float) -> Int[np.ndarray, " N"]:
        """Return 0, 1 or `NEITHER`, as step 1 of the test asks: without "mixture"."""
        preferred = np.where(self.score > 0, 0, 1)
        return np.where(self.answers(risk) == NEITHER, NEITHER, preferred)


class Judge(NamedTuple):
    """One trained and calibrated judge; `line` and `notes` hold a question for each genre."""

    critic: TextCNN
    model: NGram
    vocabulary: Vocabulary
    line: tuple[Question, Question]
    notes: tuple[Question, Question]
    run: str

    def hears(self, windows: Int[np.ndarray, "N T"]) -> Heard:
        """Return what the judge hears; raises `ValueError` for what is no window of its tokens."""
        _validate(windows, self.critic)
        score = scores(self.critic, windows)
        told = expected(self.model, self.vocabulary, windows)
        line = [self.line[0].p(score), self.line[1].p(-score)]
        notes = [one.p(told) for one in self.notes]
        return Heard(score, np.stack(line, axis=1), np.stack(notes, axis=1))


def _validate(windows: Int[np.ndarray, "N T"], critic: TextCNN) -> None:
    refuse(windows.ndim != 2 or not windows.size, "windows must be (N, T) and not empty.")
    known = critic.embedding.num_embeddings
    longest = max(layer.kernel_size[0] for layer in critic.convolutions)
    low, high = int(windows.min()), int(windows.max())
    told = f"windows hold ids {low} to {high}, the judge knows 0 to {known - 1}"
    refuse(low < 0 or high >= known, f"{told}; give windows of the same vocabulary.")
    short = f"windows have {windows.shape[1]} tokens, the judge needs {longest}"
    refuse(windows.shape[1] < longest, f"{short}; give whole windows.")


def scores(critic: TextCNN, windows: Int[np.ndarray, "N T"]) -> Float[np.ndarray, " N"]:
    """Return the TextCNN's scores: above 0 for the first genre."""
    ids = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.int64))
    return np.concatenate([critic.score(part).double().numpy() for part in ids.split(512)])


def expected(
    model: NGram, vocabulary: Vocabulary, windows: Int[np.ndarray, "N T"]
) -> Float[np.ndarray, " N"]:
    """Return the mean log-probability of each window's notes, in nats; -inf where there is none.

    Only tokens at which a note begins count: most tokens hold a note, and are expected anyhow.
    """
    begins = vocabulary.is_onset(windows)
    told = np.where(begins, np.log(model.probability(windows)), 0.0).sum(axis=1)
    count = begins.sum(axis=1)
    return np.where(count > 0, told / np.maximum(count, 1), -np.inf)


class Telling:
    """The `Learner` of a judge: logistic loss, the same number of windows of each genre."""

    def __init__(
        self,
        settings: JudgeSettings,
        genres: Sequence[Int[Tensor, "N T"]],
        vocabulary: int,
        seed: int,
    ) -> None:
        self.critic = TextCNN(
            vocabulary,
            widths=settings.widths,
            filters=settings.filters,
            embedding=settings.embedding,
        ).initialise(generator(seed, "weights", "judge"))
        self.modules: Mapping[str, nn.Module] = {"judge": self.critic}
        optimizer = torch.optim.Adam(self.critic.parameters(), lr=settings.rate)
        self.optimizers = {"judge": optimizer}
        self._batches = [
            batches(windows, settings.batch, seed, "judge", place)
            for place, windows in enumerate(genres)
        ]

    def step(self, index: int) -> dict[str, float]:
        """Do one update and return its loss, nats a window, and the share of right answers."""
        first, second = (self.critic(batch(index)) for batch in self._batches)
        signed = torch.cat([first, -second])
        loss = functional.softplus(-signed).mean()
        told = update(self.optimizers["judge"], {"loss": loss})
        return told | {"right": float((signed > 0).float().mean())}


def panel(settings: JudgeSettings, pair: MelodyPair) -> list[Judge]:
    """Return a trained judge for each seed; finished ones are loaded from their runs."""
    size = pair.vocabulary.size
    genres = [torch.from_numpy(side.train.astype(np.int64)) for side in (pair.a, pair.b)]
    both = np.concatenate([pair.a.train, pair.b.train])
    model = fit_ngram(both, size, order=settings.order)
    judges = []
    for seed in settings.seeds:
        learner = Telling(settings, genres, size, seed)
        run = _opened(settings, pair, seed)
        fit(learner, steps=settings.updates, folder=run.folder, task=f"judge {seed}", log_every=25)
        judges.append(calibrated(learner.critic, model, pair, settings, run=run.name))
    return judges


def _opened(settings: JudgeSettings, pair: MelodyPair, seed: int) -> Run:
    told = {k: v for k, v in asdict(settings).items() if k not in ("seeds", "risk", "held_out")}
    data, code = pair.checksum, "pasdedeux.papers.fusion_judge"
    return open_run("judge", "fusion-judge", seed=seed, settings=told, data=data, code=code)


def calibrated(
    critic: TextCNN, model: NGram, pair: MelodyPair, settings: JudgeSettings, *, run: str
) -> Judge:
    """Return the judge whose limits come from validation windows of both genres.

    Raises `ValueError` where a genre has too few of them for the risk: no p could be as small.
    """
    valid = [spread(side.valid, settings.held_out) for side in (pair.a, pair.b)]
    least = int(np.ceil(2 / settings.risk)) - 1
    for side, windows in zip((pair.a, pair.b), valid, strict=True):
        told = f"{side.name} has {len(windows)} validation windows, a risk of {settings.risk}"
        refuse(len(windows) < least, f"{told} needs {least}; take a larger risk or more songs.")
    line = [Question(np.sort(s * scores(critic, w))) for s, w in zip((1, -1), valid, strict=True)]
    notes = [Question(np.sort(expected(model, pair.vocabulary, windows))) for windows in valid]
    asked = (line[0], line[1]), (notes[0], notes[1])
    return Judge(critic, model, pair.vocabulary, *asked, run)


def spread(windows: Int[np.ndarray, "N T"], most: int) -> Int[np.ndarray, "M T"]:
    """Return at most so many windows, evenly from all and in their order."""
    places = np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int)
    return windows[places]


def hear(judges: Sequence[Judge], windows: Int[np.ndarray, "N T"]) -> list[Heard]:
    """Return what each judge hears; raises `ValueError` for an empty panel, and as `hears` does."""
    refuse(not judges, "the panel is empty; train a judge first.")
    return [judge.hears(windows) for judge in judges]


def counted(heard: Sequence[Heard], risk: float) -> Int[np.ndarray, " 4"]:
    """Return how often each answer was given, all judges together."""
    return np.sum([np.bincount(one.answers(risk), minlength=4) for one in heard], axis=0)


# ------------------------------------------------------------------------------ how good


@dataclass(frozen=True)
class HeldOut:
    """What the panel says of real test windows, in percent.

    right: of both genres, each counted half, with an interval over runs of neighbouring windows
    (neighbours share notes, so single windows would make it too narrow). by_judge: the same of each
    seed. struck: how many of each genre's windows lose their own genre by the line, and how many
    have notes of no genre; the rule promises at most `risk` / 2. answers: of step 2, by genre.
    """

    right: Estimate
    by_judge: Mapping[int, float]
    struck: Mapping[str, tuple[float, float]]
    answers: Mapping[str, Float[np.ndarray, " 4"]]


def held_out(judges: Sequence[Judge], pair: MelodyPair, settings: JudgeSettings) -> HeldOut:
    """Return how the panel does on test windows that neither training nor limits have seen."""
    said, struck, answers = [], {}, {}
    for place, side in enumerate((pair.a, pair.b)):
        windows = spread(side.test, settings.held_out)
        heard = hear(judges, windows)
        said.append(np.array([h.qualification(settings.risk) == place for h in heard]))
        line = np.mean([h.line[:, place] <= settings.risk / 2 for h in heard])
        notes = np.mean([(h.notes <= settings.risk / 2).all(axis=1) for h in heard])
        struck[side.name] = (100.0 * float(line), 100.0 * float(notes))
        answers[side.name] = 100.0 * counted(heard, settings.risk) / (len(windows) * len(judges))
    blocks = [_blocks(right.sum(axis=0), len(judges)) for right in said]
    counts = np.zeros((sum(map(len, blocks)), 4), dtype=int)
    counts[: len(blocks[0]), :2], counts[len(blocks[0]) :, 2:] = blocks
    right = over_listeners(counts, _balanced, generator=numpy_generator(0, "held-out windows"))
    each = [50.0 * (a.mean() + b.mean()) for a, b in zip(*said, strict=True)]
    by_judge = {seed: float(value) for seed, value in zip(settings.seeds, each, strict=True)}
    return HeldOut(right, by_judge, struck, answers)


def _blocks(right: Int[np.ndarray, " N"], judges: int) -> Int[np.ndarray, "L 2"]:
    """Return right and all answers of each run of neighbouring windows."""
    edges = np.arange(0, len(right), NEIGHBOURS)
    asked = np.full(len(right), judges)
    return np.stack([np.add.reduceat(x, edges) for x in (right, asked)], axis=1)


def _balanced(counts: Float[np.ndarray, "D 4"]) -> Float[np.ndarray, " D"]:
    a, b = (counts[:, k] / np.maximum(counts[:, k + 1], 1) for k in (0, 2))
    return 50.0 * (a + b)
