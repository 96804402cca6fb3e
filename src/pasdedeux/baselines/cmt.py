"""CMT, the Controllable Music Transformer (Di et al., ACM MM 2021), simplified.

It learns from music alone: a causal Transformer over events of several fields at once,

    genre;    bar: how many chords begin in it;    chord: place in the bar, how many notes;
    note: pitch class, slots it lasts

The kind of the next event is drawn first, then its fields given the kind. To play for a dance,
fields are told instead of drawn. The faster the dance in a bar, the more chords; where the dance
changes speed more than just before and after, the more, the more notes. "Told" means by rank: the
share of bars of training that are danced slower is the share of bars with fewer chords. The grid is
that of time: a bar is 0.4 s.

| original                             | here                                                 |
|--------------------------------------|------------------------------------------------------|
| MIDI files of several instruments    | transcripts of the clips (`music.transcribed`)       |
| optical flow of any video            | speed of the joints                                  |
| a beat of the video is where the     | peaks of the change of speed, each slot alone        |
| change of the flow peaks             |                                                      |
| 12 layers of 512, linear attention   | 4 of 128, full attention                             |

A re-implementation on transcribed audio. `B` clips, `T` events, `F` fields, `N` frames, `S` slots.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.seeding import number
from pasdedeux.baselines import transcripts
from pasdedeux.baselines.cmt_events import (
    BAR,
    BAR_SLOTS,
    CHORD,
    FIELDS,
    NOTE,
    OF_KIND,
    START,
    Told,
    event,
    events,
    most_events,
    roll_of,
    sizes,
)  # fmt: skip
from pasdedeux.baselines.transcripts import EventTraining, chances, padded, picked
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.transformer import Cache, Transformer, TransformerConfig
from pasdedeux.training.loop import fit, update
from pasdedeux.training.musics import Material, Trained, drawn

SYSTEM = "cmt"
DRAWS = 3  # of an event: its kind and two fields


@dataclass(frozen=True)
class CmtSettings(EventTraining):
    """What is chosen for CMT."""


class Network(nn.Module):
    """The Transformer over events; the fields of an event are embedded and added."""

    def __init__(self, settings: CmtSettings, *, genres: int, slots: int) -> None:
        super().__init__()
        self.sizes = sizes(genres)
        width = settings.width
        self.kind = nn.Embedding(NOTE + 1, width)
        self.fields = nn.ModuleList(nn.Embedding(size, width) for size in self.sizes.values())
        self.place = nn.Embedding(most_events(slots, settings.transcript.voices), width)
        config = TransformerConfig(width, settings.heads, settings.layers, causal=True)
        self.transformer = Transformer(config)
        self.next_kind = nn.Linear(width, NOTE + 1)
        self.drawn = nn.Embedding(NOTE + 1, width)
        told = {name: size for name, size in self.sizes.items() if name != "genre"}
        self.writes = nn.ModuleDict({name: nn.Linear(width, size) for name, size in told.items()})

    def forward(
        self, made: Int[Tensor, "B T F"], *, caches: list[Cache] | None = None
    ) -> Float[Tensor, "B T D"]:
        """Return what is known after each event; `caches` hold those before them."""
        begin = caches[0].filled if caches else 0
        x = self.kind(made[..., 0]) + self.place.weight[begin : begin + made.shape[1]]
        for place, embedding in enumerate(self.fields):
            x = x + embedding(made[..., place + 1])
        return self.transformer(x, caches=caches)

    def field(self, name: str, known: Tensor, kind: Tensor) -> Tensor:
        """Return the logits of a field of the next event, whose kind is known."""
        return self.writes[name](known + self.drawn(kind))


def losses(net: Network, made: Int[Tensor, "B T F"]) -> dict[str, Tensor]:
    """Return the cross-entropy of kinds and of each field where the next event has it."""
    known, wanted = net(made[:, :-1].clamp(min=0)), made[:, 1:]
    there = wanted[..., 0] >= 0
    kinds = wanted[..., 0][there]
    named = {"kind": F.cross_entropy(net.next_kind(known[there]), kinds)}
    for name in net.writes:
        value = wanted[..., 1 + FIELDS.index(name)][there]
        logits = net.field(name, known[there], kinds)
        # the bar that ends a clip has no density: that is a value to learn, for other events not
        here = value > 0 if name != "density" else kinds == BAR
        each = F.cross_entropy(logits, value, reduction="none")
        named[name] = (each * here).sum() / here.sum().clamp(min=1)
    return named


class Cmt:
    """The learner: it sees the music and genre of training, never a dance."""

    def __init__(self, settings: CmtSettings, material: Material, seed: int) -> None:
        self.settings, self.material, self.seed = settings, material, seed
        self.where = device.pick(settings.device)
        self.rows = material.clips.rows("train")
        self.written: list[Int[np.ndarray, "T F"]] | None = None
        genres = len(material.clips.genres)
        with seeded(number(seed, "weights", SYSTEM)):
            made = Network(settings, genres=genres, slots=transcripts.slots(material))
        self.net = made.to(self.where)
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.Adam(self.net.parameters(), settings.rate)}

    def step(self, index: int) -> dict[str, float]:
        """Do one update on a batch of clips."""
        if self.written is None:
            rolls = transcripts.of_training(self.material, self.settings.transcript)
            genre = self.material.clips.genre[self.rows]
            self.written = [events(roll, int(g)) for roll, g in zip(rolls, genre, strict=True)]
        rows = drawn(self.rows, self.settings.batch, self.seed, index)
        made = padded([self.written[place] for place in np.searchsorted(self.rows, rows)])
        named = losses(self.net, made.to(self.where))
        return update(self.optimizers["net"], named, clip=self.settings.clip)


class Score:
    """What has been written for each of M clips, and what may follow.

    densities: chords that each bar is told to have. notes: how many the chord at a slot is told to
    have, 0 where it is not told.
    """

    def __init__(
        self, densities: Int[np.ndarray, "M K"], notes: Int[np.ndarray, "M S"], voices: int
    ) -> None:
        M = len(densities)
        self.densities, self.notes, self.voices = densities, notes, voices
        self.bar, self.over = np.full(M, -1), np.zeros(M, bool)
        self.place, self.left, self.pitch = (np.full(M, value) for value in (-1, 0, -1))

    def kinds(self) -> Bool[np.ndarray, "M 4"]:
        """Return which kinds may follow: all notes of a chord first; at the end, bars."""
        made = np.zeros((len(self.bar), NOTE + 1), bool)
        inside = (self.left > 0) & ~self.over
        made[:, NOTE] = inside
        made[:, BAR] = ~inside
        made[:, CHORD] = ~inside & ~self.over & (self.bar >= 0) & (self.place < BAR_SLOTS - 1)
        return made

    def values(self, name: str, size: int) -> Bool[np.ndarray, "M V"]:
        """Return which values of a field may follow; what is told leaves one."""
        value, M = np.arange(size), len(self.bar)
        if name == "density":
            bar = self.bar + 1
            last = self.densities.shape[1] - 1
            told = np.where(bar > last, 0, self.densities[np.arange(M), bar.clip(max=last)] + 1)
            return value == told[:, None]
        if name == "place":
            return (value > 0) & (value - 1 > self.place[:, None])
        if name == "pitch":
            after, room = value - 1 > self.pitch[:, None], value <= 13 - self.left[:, None]
            return (value > 0) & (after & room | (self.left == 0)[:, None])
        if name == "notes":
            slot = (self.bar * BAR_SLOTS + self.place).clip(0, self.notes.shape[1] - 1)
            told = self.notes[np.arange(M), slot].clip(max=self.voices)[:, None]
            free = (value > 0) & (value <= self.voices)
            return np.where(told > 0, value == told, free)
        return np.broadcast_to(value > 0, (M, size))

    def follow(self, name: str, value: Int[np.ndarray, " M"], here: Bool[np.ndarray, " M"]) -> None:
        """Take over the value of a field where the event has it."""
        if name == "density":
            self.bar = np.where(here, self.bar + 1, self.bar)
            self.over |= here & (self.bar >= self.densities.shape[1])
            self.place = np.where(here, -1, self.place)
        elif name == "place":
            self.place = np.where(here, value - 1, self.place)
        elif name == "notes":
            self.left = np.where(here, value, self.left)
            self.pitch = np.where(here, -1, self.pitch)
        elif name == "pitch":
            self.pitch = np.where(here, value - 1, self.pitch)
            self.left = np.where(here, self.left - 1, self.left)


@torch.no_grad()
def composed(
    learner: Cmt, told: Told, rows: Int[np.ndarray, " M"], seed: int
) -> Int[np.ndarray, "M S 12"]:
    """Return the rolls that are written for the dances of clips."""
    settings, net = learner.settings, learner.net.eval()
    slots, voices = transcripts.slots(learner.material), settings.transcript.voices
    if not len(rows):
        return np.zeros((0, slots, 12), int)
    score = Score(*told.of(rows), voices)
    most = most_events(slots, voices)
    chance = chances(rows, DRAWS * most, seed=seed, name=SYSTEM).reshape(len(rows), most, DRAWS)
    genre = learner.material.clips.genre[rows]
    written = np.array([[event(START, genre=int(g) + 1)] for g in genre])
    caches = [Cache() for _ in net.transformer.blocks]
    for place in range(most - 1):
        last = torch.from_numpy(written[:, -1:]).to(learner.where)
        known = net(last, caches=caches)[:, 0]
        following = _following(learner, known, score, chance[:, place])
        written = np.concatenate([written, following[:, None]], axis=1)
        if score.over.all():
            break
    return np.stack([roll_of(row, slots) for row in written])


def _following(
    learner: Cmt, known: Tensor, score: Score, chance: np.ndarray
) -> Int[np.ndarray, "M F"]:
    """Return the next event of each clip."""
    net = learner.net
    kind = picked(net.next_kind(known), score.kinds(), chance[:, 0])
    made = np.zeros((len(kind), 1 + len(FIELDS)), int)
    made[:, 0] = kind
    as_tensor = torch.from_numpy(kind).to(learner.where)
    for each, names in OF_KIND.items():
        here = kind == each
        for place, name in enumerate(names):
            logits = net.field(name, known, as_tensor)
            allowed = score.values(name, logits.shape[1])
            allowed = np.where(here[:, None], allowed, True)
            value = np.where(here, picked(logits, allowed, chance[:, 1 + place]), 0)
            made[:, 1 + FIELDS.index(name)] = value
            score.follow(name, value, here)
    return made


def train(settings: CmtSettings, material: Material, seed: int) -> Trained:
    """Train CMT (or load the finished run)."""
    run = transcripts.open_run(
        SYSTEM, settings, material, seed, code=__name__, transcript=settings.transcript
    )
    learner = Cmt(settings, material, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, task=f"seed {seed}: CMT",
        threads=settings.threads,
    )  # fmt: skip
    told = Told(material, transcripts.of_training(material, settings.transcript))

    def compose(rows: Int[np.ndarray, " M"], seed: int) -> Int[np.ndarray, "M S 12"]:
        return composed(learner, told, rows, seed)

    return Trained(run, transcripts.sounding(compose, material.clips.settings.samples))


def parameters(settings: CmtSettings, *, genres: int = 10, slots: int = 50) -> int:
    """Return how many numbers are learned."""
    with torch.device("meta"):
        made = Network(settings, genres=genres, slots=slots)
    return sum(p.numel() for p in made.parameters())
