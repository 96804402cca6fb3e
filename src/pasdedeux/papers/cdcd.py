"""Contrastive discrete diffusion from dance to music (Zhu et al., ICLR 2023): train, generate.

Tokens of the music VQ-VAE are masked little by little; a network that knows the dance learns to
undo each step (L_vb), and, where the contrast asks for it, not to arrive at negatives: the same
music in another order (intra), or music to dances of another genre (inter).

    L_vb + 5e-4 L_aux + lambda L_CDCD       (5), `diffusion.contrast`

First weights, batches, steps, noise and negatives are drawn by the seed, their use and the number
of the update alone: methods compared under one seed differ in their losses only. (Which step a
drawn number stands for follows the losses once each step has been seen more than ten times.)
`B` batch, `L` tokens, `N` negatives, `M` clips asked for, `S` samples.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from pasdedeux.base import device
from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest
from pasdedeux.base.seeding import generator, number
from pasdedeux.diffusion.contrast import Noised, contrasted, objective
from pasdedeux.diffusion.discrete import corrupted
from pasdedeux.diffusion.importance import StepSampler
from pasdedeux.diffusion.negative import OtherLabel, released_shuffled, shuffled
from pasdedeux.diffusion.sampling import sample
from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.nn.seeded import seeded
from pasdedeux.papers.cdcd_networks import Asked, Network, Sizes, visual_features
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.average import Average
from pasdedeux.training.loop import CHECKPOINT, fit, update
from pasdedeux.training.musics import Material, Trained, drawn, opened

SYSTEM, CODE = "cdcd", "pasdedeux.papers.cdcd"
AT_ONCE = 16  # clips denoised or decoded together


def sizes(material: Material) -> Sizes:
    """Return what the data decide; refuses tokens that are no code of the VQ-VAE."""
    clips, tokens, codes = material.clips, material.tokens, material.codec.codes
    refuse(
        len(tokens) != len(clips),
        f"material has tokens of {len(tokens)} clips but {len(clips)} clips; encode them anew.",
    )
    refuse(
        bool(tokens.min() < 0 or tokens.max() >= codes),
        f"tokens must be codes from 0 to {codes - 1}, got {tokens.min()} to {tokens.max()}; encode "
        "the clips with this VQ-VAE.",
    )
    _, frames, features = clips.motion(clips.rows("train")[:1]).shape
    return Sizes(frames, tokens.shape[1], len(clips.genres), codes, features)


class Dances:
    """The dances of clips as the condition reads them; it never touches the clips' sound."""

    def __init__(self, settings: CdcdSettings, material: Material) -> None:
        self.clips, self.genre = material.clips, material.clips.genre
        self.visual = visual_features(settings, len(material.clips))
        self.where = device.pick(settings.device)

    def asked(self, rows: Int[np.ndarray, " M"]) -> Asked:
        """Return the dances, genres and video features of `rows` on the device."""
        motion = torch.from_numpy(self.clips.motion(rows)).float()
        visual = None if self.visual is None else torch.from_numpy(self.visual[rows])
        genre = torch.from_numpy(self.genre[rows]).long()
        return Asked(*(None if x is None else x.to(self.where) for x in (motion, genre, visual)))


class Cdcd:
    """The network and one update of it: a `training.loop.Learner`."""

    def __init__(self, settings: CdcdSettings, material: Material, *, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.dances = Dances(settings, material)
        self.where, found = self.dances.where, sizes(material)
        self.rows = material.clips.rows("train")
        self.tokens = torch.from_numpy(material.tokens[self.rows]).to(self.where)
        self.asked = self.dances.asked(self.rows)
        self.labels = self._labels(material)
        self.schedule = Schedule(found.codes, settings.diffusion_steps)
        with seeded(number(seed, "weights")):
            self.network = Network(settings, found)
        self.network.to(self.where)
        self.sampler = StepSampler(settings.diffusion_steps).to(self.where)
        self.average = Average(self.network, decay=settings.average)
        self.modules = {
            "network": self.network, "sampler": self.sampler, "average": self.average,
        }  # fmt: skip
        learnt = [p for p in self.network.parameters() if p.requires_grad]
        adam = torch.optim.AdamW(
            learnt, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
        )
        self.optimizers = {"network": adam}

    def _labels(self, material: Material) -> OtherLabel | None:
        """Return what inter negatives differ in: the song, if all that is learnt is one genre."""
        if "inter" not in self.settings.contrast.kinds:
            return None
        clips = material.clips
        genre = clips.genre[self.rows]
        by_song = self.settings.inter == "song" or len(np.unique(genre)) == 1
        return OtherLabel(torch.from_numpy(clips.song[self.rows] if by_song else genre))

    def step(self, index: int) -> dict[str, float]:
        """Do update `index` and return its losses, unweighted, in nats for each token."""
        settings, adam = self.settings, self.optimizers["network"]
        for group in adam.param_groups:
            group["lr"] = settings.rate_at(index)
        rows = drawn(self.rows, settings.batch, self.seed, index)
        places = torch.from_numpy(np.searchsorted(self.rows, rows))
        noised = self.noised(places, index)
        logits = self.network(noised.noisy, noised.t, self.asked.at(places.to(self.where)))
        active = contrasted(
            noised.t, self.schedule, settings.contrast, generator(self.seed, "contrasted", index)
        )
        found = objective(
            self.schedule,
            logits,
            noised,
            settings.contrast,
            self.negatives(noised.start, places, index),
            active=active,
        )
        numbers = update(adam, found.losses, clip=settings.clip, weights=found.weights)
        self.sampler.follow(noised.t, found.bound)
        self.average.follow(self.network)
        return numbers

    def noised(self, places: Int[Tensor, " B"], index: int) -> Noised:
        """Return the clips at `places` of the training set, each at a step of its own."""
        start = self.tokens[places.to(self.where)].long()
        t, probability = self.sampler.steps(len(start), generator(self.seed, "t", index))
        noisy = corrupted(self.schedule, start, t, generator(self.seed, "noise", index))
        return Noised(start, noisy, t, probability)

    def negatives(
        self, start: Int[Tensor, "B L"], places: Int[Tensor, " B"], index: int
    ) -> Mapping[str, Int[Tensor, "B N L"]]:
        """Return the negatives that the contrast asks for, drawn afresh for each update."""
        contrast, made = self.settings.contrast, {}
        if "intra" in contrast.kinds:
            shuffle = shuffled if contrast.shuffle == "own" else released_shuffled
            draw = generator(self.seed, "intra", index)
            made["intra"] = shuffle(
                start, draw, negatives=contrast.negatives, chunks_of_each=contrast.chunks
            )
        if self.labels is not None:
            draw = generator(self.seed, "inter", index)
            others = self.labels.drawn(places, draw, negatives=contrast.negatives)
            made["inter"] = self.tokens[others.to(self.where)].long()
        return made


class Composer:
    """A trained network that makes music to clips: a `training.musics.Generate`.

    Of the clips it reads dance, genre and video features, never sound or tokens.
    """

    def __init__(self, settings: CdcdSettings, material: Material, network: Network) -> None:
        self.settings, self.codec, self.network = settings, material.codec, network.eval()
        self.dances = Dances(settings, material)
        self.samples = material.clips.settings.samples
        self.schedule = Schedule(network.sizes.codes, settings.diffusion_steps)

    def __call__(self, rows: Int[np.ndarray, " M"], seed: int) -> Float32[np.ndarray, "M S"]:
        """Return music for the clips `rows`, clipped to [-1, 1]; silence fills what is short."""
        made = np.zeros((len(rows), self.samples), np.float32)
        codes = self.tokens(rows, seed)
        for begin in range(0, len(rows), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            heard = self.codec.decode(codes[part].to(self.dances.where))[:, : self.samples]
            refuse(
                not bool(torch.isfinite(heard).all()), "the VQ-VAE made sound that is not finite."
            )
            made[part, : heard.shape[1]] = heard.float().clamp(-1, 1).cpu().numpy()
        return made

    @torch.no_grad()
    def tokens(self, rows: Int[np.ndarray, " M"], seed: int) -> Int[Tensor, "M L"]:
        """Return the tokens of music for the clips `rows`, denoised from all MASK.

        The noise depends on the seed and on the clip's place in `rows`, not on the clip.
        """
        made = [torch.zeros(0, self.network.sizes.tokens, dtype=torch.long)]
        for place, begin in enumerate(range(0, len(rows), AT_ONCE)):
            asked = self.dances.asked(rows[begin : begin + AT_ONCE])
            read = self.network.read(asked)
            codes = sample(
                lambda noisy, t, read=read: self.network.denoiser(noisy, t, read),
                self.schedule,
                (len(asked.genre), self.network.sizes.tokens),
                generator(seed, "generated", place),
                truncation=self.settings.truncation,
                device=self.dances.where,
            )
            made.append(codes.cpu())
        return torch.cat(made)


def by_content(settings: CdcdSettings) -> CdcdSettings:
    """Return `settings` with the user's files named by what is in them, for the key of a run."""
    told: dict[str, Any] = {}
    for name in ("jukebox", "visual_file"):
        path = getattr(settings, name)
        if path is not None:
            refuse(not Path(path).is_file(), f"{name} {path} is not a file.")
            told[name] = digest(Path(path))
    return replace(settings, **told)


def train(settings: CdcdSettings, material: Material, seed: int) -> Trained:
    """Return the diffusion with averaged weights, after all updates, as a system of the tables.

    Raises `ValueError` for a checkpoint of another shape, naming it.
    """
    run = opened(SYSTEM, by_content(settings), material, seed, code=CODE)
    learner = Cdcd(settings, material, seed=seed)
    check_shapes(learner, run.folder / CHECKPOINT)
    task = f"seed {seed}: diffusion"
    fit(learner, steps=settings.steps, folder=run.folder, task=task, threads=settings.threads)
    return Trained(run, Composer(settings, material, learner.average.inner))


def check_shapes(learner: Cdcd, path: Path) -> None:
    """Refuse a checkpoint whose tensors are not those of `learner`, one for one."""
    if not path.exists():
        return
    kept = torch.load(path, weights_only=True, map_location="cpu", mmap=True)["modules"]
    for name, module in learner.modules.items():
        ours = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        its = {key: tuple(value.shape) for key, value in kept.get(name, {}).items()}
        apart = sorted(key for key in ours.keys() | its if ours.get(key) != its.get(key))
        if apart:
            key = apart[0]
            raise ValueError(
                f"{path} is of another shape: {len(apart)} tensors of {name} differ, the first is "
                f"{key}, {its.get(key)} where {ours.get(key)} is needed; delete the run's folder."
            )
