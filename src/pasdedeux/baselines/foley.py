"""Foley Music (Gan et al., ECCV 2020), simplified: events of notes, read off a moving skeleton.

Graph convolutions over the joints and convolutions over time (`nn.graph`) make one vector of each
frame. A causal Transformer that attends to them writes events,

    begin class c,   end class c,   let k slots pass,   end of the clip

each drawn from what is possible: no note ends that does not sound, at most `voices` sound at once,
and time does not pass the end of the clip.

| original                               | here                                               |
|----------------------------------------|----------------------------------------------------|
| MIDI files of the performances         | transcripts of the clips (`music.transcribed`)     |
| body and hand key points in pictures   | 24 joints in space                                 |
| velocities; attention by distance      | neither; an embedding of the time that has passed  |
| one instrument a model                 | one model for all genres, which it is not told     |

A re-implementation on transcribed audio. `B` clips, `T` events, `N` frames, `J` joints, `V` kinds
of event, `S` slots.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.seeding import number
from pasdedeux.baselines import transcripts
from pasdedeux.baselines.transcripts import EventTraining, chances, padded, picked
from pasdedeux.motion import skeleton
from pasdedeux.nn.graph import GraphLayer
from pasdedeux.nn.seeded import seeded
from pasdedeux.nn.transformer import Cache, Transformer, TransformerConfig
from pasdedeux.training.loop import fit, update
from pasdedeux.training.musics import Material, Trained, drawn

SYSTEM = "foley"
LONGEST = 12  # slots that one event lets pass
START, END, PASS = 0, 1, 2  # PASS + k - 1 lets k slots pass
BEGIN = PASS + LONGEST
CEASE = BEGIN + 12
KINDS = CEASE + 12


@dataclass(frozen=True)
class FoleySettings(EventTraining):
    """What is chosen for Foley Music: as many graph layers as layers of the Transformer."""

    layers: int = 3


def events(roll: Int[np.ndarray, "S 12"]) -> Int[np.ndarray, " T"]:
    """Return the events of a roll, from `START` to `END`; at one moment notes end before others
    begin.
    """
    refuse((roll < 0).any(), "roll must hold lengths of 0 slots and more.")
    begun, ceased = [], []
    for slot, c in np.argwhere(roll).tolist():
        begun.append((slot, BEGIN + c))
        ceased.append((slot + int(roll[slot, c]), CEASE + c))
    within = [pair for pair in ceased if pair[0] < len(roll)]
    made, now = [START], 0
    for slot, event in sorted(begun + within, key=lambda pair: (pair[0], -(pair[1] >= CEASE))):
        while now < slot:
            passed = min(LONGEST, slot - now)
            made.append(PASS + passed - 1)
            now += passed
        made.append(event)
    return np.array([*made, END])


def roll_of(made: Int[np.ndarray, " T"], slots: int) -> Int[np.ndarray, "S 12"]:
    """Return the roll of events; what still sounds at the end lasts until then."""
    roll, since, now = np.zeros((slots, 12), int), {}, 0
    for event in made:
        if event == END:
            break
        if PASS <= event < BEGIN:
            now += int(event) - PASS + 1
        elif BEGIN <= event < CEASE:
            since[int(event) - BEGIN] = now
        elif event >= CEASE:
            begin = since.pop(int(event) - CEASE)
            roll[begin, int(event) - CEASE] = now - begin
    for pitch_class, begin in since.items():
        roll[begin, pitch_class] = slots - begin
    return roll


def passed(made: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """Return the slots that have passed once each event has happened."""
    slots = (made - PASS + 1).where((made >= PASS) & (made < BEGIN), 0)
    return slots.cumsum(1)


class Network(nn.Module):
    """Skeleton to vectors, and the Transformer that writes events to them."""

    def __init__(self, settings: FoleySettings, *, frames: int, slots: int) -> None:
        super().__init__()
        width, parents = settings.width, skeleton.smpl().parents
        self.norm = nn.BatchNorm1d(3 * len(parents))
        self.graph = nn.ModuleList(
            GraphLayer(width if place else 3, width, parents, first=not place)
            for place in range(settings.layers)
        )
        self.frame = nn.Embedding(frames, width)
        self.event = nn.Embedding(KINDS, width)
        self.time = nn.Embedding(slots + 1, width)
        self.place = nn.Embedding(most_events(slots), width)
        config = TransformerConfig(
            width, settings.heads, settings.layers, memory=width, causal=True
        )
        self.transformer = Transformer(config)
        self.writes = nn.Linear(width, KINDS)

    def seen(self, joints: Float[Tensor, "B N J 3"]) -> Float[Tensor, "B N D"]:
        """Return a vector for each frame."""
        x = self.norm(joints.flatten(2).mT).unflatten(1, joints.shape[2:]).permute(0, 2, 3, 1)
        for layer in self.graph:
            x = layer(x)
        return x.mean(3).mT + self.frame.weight

    def forward(
        self,
        made: Int[Tensor, "B T"],
        time: Int[Tensor, "B T"],
        memory: Tensor | list[tuple[Tensor, Tensor]],
        *,
        caches: list[Cache] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Return the logits of what follows each event; `caches` hold those before them."""
        begin = caches[0].filled if caches else 0
        place = self.place.weight[begin : begin + made.shape[1]]
        x = self.event(made) + self.time(time.clamp(max=self.time.num_embeddings - 1)) + place
        return self.writes(self.transformer(x, memory, caches=caches))


def most_events(slots: int) -> int:
    """Return the events that are written at most."""
    return 2 + 8 * slots


class Foley:
    """The learner: cross-entropy of each event after those before it."""

    def __init__(self, settings: FoleySettings, material: Material, seed: int) -> None:
        self.settings, self.material, self.seed = settings, material, seed
        self.where = device.pick(settings.device)
        self.rows = material.clips.rows("train")
        self.written: list[Int[np.ndarray, "T 1"]] | None = None
        frames, slots = material.clips.settings.frames, transcripts.slots(material)
        with seeded(number(seed, "weights", SYSTEM)):
            self.net = Network(settings, frames=frames, slots=slots).to(self.where)
        self.modules = {"net": self.net}
        self.optimizers = {"net": torch.optim.Adam(self.net.parameters(), settings.rate)}

    def joints(self, rows: Int[np.ndarray, " M"]) -> Float[Tensor, "M N J 3"]:
        """Return the moving skeletons of clips."""
        return torch.from_numpy(self.material.clips.joints(rows)).float().to(self.where)

    def step(self, index: int) -> dict[str, float]:
        """Do one update on a batch of clips."""
        if self.written is None:
            rolls = transcripts.of_training(self.material, self.settings.transcript)
            self.written = [events(roll)[:, None] for roll in rolls]
        rows = drawn(self.rows, self.settings.batch, self.seed, index)
        chosen = [self.written[place] for place in np.searchsorted(self.rows, rows)]
        made = padded(chosen)[..., 0].to(self.where)
        self.net.train()
        before, wanted = made[:, :-1].clamp(min=0), made[:, 1:]
        logits = self.net(before, passed(before), self.net.seen(self.joints(rows)))
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-1)
        return update(self.optimizers["net"], {"events": loss}, clip=self.settings.clip)

    @torch.no_grad()
    def composed(self, rows: Int[np.ndarray, " M"], seed: int) -> Int[np.ndarray, "M S 12"]:
        """Return the rolls that are written for the dances of clips."""
        self.net.eval()
        slots = transcripts.slots(self.material)
        if not len(rows):
            return np.zeros((0, slots, 12), int)
        score = _Score(len(rows), slots, self.settings.transcript.voices)
        memory = self.net.transformer.read(self.net.seen(self.joints(rows)))
        caches = [Cache() for _ in self.net.transformer.blocks]
        chance = chances(rows, most_events(slots), seed=seed, name=SYSTEM)
        written = np.full((len(rows), 1), START)
        for place in range(most_events(slots) - 1):
            last, now = (torch.from_numpy(x).to(self.where) for x in (written[:, -1:], score.now))
            logits = self.net(last, now[:, None], memory, caches=caches)[:, 0]
            event = picked(logits, score.allowed(), chance[:, place])
            score.follow(event)
            written = np.column_stack([written, event])
            if score.over.all():
                break
        return np.stack([roll_of(row, slots) for row in written])


class _Score:
    """What has been written for each of M clips, and what may follow."""

    def __init__(self, clips: int, slots: int, voices: int) -> None:
        self.slots, self.voices = slots, voices
        self.now, self.over = np.zeros(clips, int), np.zeros(clips, bool)
        self.since = np.full((clips, 12), -1)  # slot in which a class that sounds began

    def allowed(self) -> np.ndarray:
        made = np.zeros((len(self.now), KINDS), bool)
        made[:, END] = True
        lengths = 1 + np.arange(LONGEST)
        made[:, PASS:BEGIN] = self.now[:, None] + lengths < self.slots
        sounds = self.since >= 0
        made[:, BEGIN:CEASE] = ~sounds & (sounds.sum(1) < self.voices)[:, None]
        made[:, CEASE:] = sounds & (self.since < self.now[:, None])
        made[self.over, END + 1 :] = False
        return made

    def follow(self, event: Int[np.ndarray, " M"]) -> None:
        self.over |= event == END
        self.now += np.where((event >= PASS) & (event < BEGIN), event - PASS + 1, 0)
        for first, value in ((BEGIN, self.now), (CEASE, np.full_like(self.now, -1))):
            mine = np.flatnonzero((event >= first) & (event < first + 12))
            self.since[mine, event[mine] - first] = value[mine]


def parameters(settings: FoleySettings, *, frames: int = 50, slots: int = 50) -> int:
    """Return how many numbers are learned."""
    with torch.device("meta"):
        made = Network(settings, frames=frames, slots=slots)
    return sum(p.numel() for p in made.parameters())


def train(settings: FoleySettings, material: Material, seed: int) -> Trained:
    """Train Foley Music (or load the finished run)."""
    run = transcripts.open_run(
        SYSTEM, settings, material, seed, code=__name__, transcript=settings.transcript
    )
    learner = Foley(settings, material, seed)
    fit(
        learner, steps=settings.steps, folder=run.folder, task=f"seed {seed}: Foley Music",
        threads=settings.threads,
    )  # fmt: skip
    samples = material.clips.settings.samples
    return Trained(run, transcripts.sounding(learner.composed, samples))
