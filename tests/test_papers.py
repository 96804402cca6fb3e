"""Every system at tiny size: it trains, every parameter moves, and it can be resumed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from pasdedeux.baselines import gan, held_out, mixing, mle, swap
from pasdedeux.data.melodies import Domain, MelodyPair, MelodySettings
from pasdedeux.music.melody import Vocabulary
from pasdedeux.papers import PAPERS, fusion, fusion_tables
from pasdedeux.training import loop, phases, sequences

T, V = 11, 7


def windows(count, low, high, seed):
    """Windows whose symbols lie in [low, high), with holds and rests between them."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(low, high, (count, T))
    drawn[rng.random((count, T)) < 0.4] = 1
    drawn[:, 5][rng.random(count) < 0.2] = 0
    return drawn


def domain(name, low, high, seed):
    parts = {
        part: windows(count, low, high, seed + place)
        for place, (part, count) in enumerate((("train", 53), ("valid", 19), ("test", 17)))
    }
    return Domain(
        name=name,
        corpus="made by a test",
        songs={},
        skipped=(),
        remarks=(),
        licence="",
        citation="",
        **parts,
    )


@pytest.fixture
def pair():
    return MelodyPair(
        a=domain("low", 2, 5, 0),
        b=domain("high", 4, 7, 100),
        vocabulary=Vocabulary((60, 62, 64, 65, 67)),
        settings=MelodySettings(window=T),
        checksum="made by a test",
        notice="Made by a test.",
    )


@pytest.fixture
def settings():
    return fusion.FusionSettings(
        melody=MelodySettings(window=T),
        samples=23,
        embedding=3,
        hidden=5,
        batch=13,
        likelihood_epochs=1,
        widths=(1, 3),
        filters=(2, 5),
        critic_embedding=3,
        critic_warmup=2,
        critic_steps=2,
        gan_updates=2,
        rollouts=3,
        prefix_stride=4,
        blend_updates=2,
        rounds=2,
        block_updates=2,
        validation_samples=17,
        device="cpu",
    )


SYSTEMS = {
    "RM": mixing.random_mixing,
    "MC": mixing.monte_carlo,
    "MLE": mle.train,
    "GAN": gan.train,
    "RL": swap.train,
    "fusion": fusion.train,
    "kept": fusion.train_kept,
    "held out": held_out.train,
}


def test_every_paper_is_tested_here():
    assert set(PAPERS) <= set(SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_plays_what_can_be_measured_and_plays_it_again(name, settings, pair, project):
    run, sample = SYSTEMS[name](settings, pair, 0)
    drawn = sample(23)
    assert drawn.shape == (23, T)
    assert run.folder.is_relative_to(project / "runs")
    assert (run.folder / "config.json").exists()
    assert np.array_equal(SYSTEMS[name](settings, pair, 0).sample(23), drawn)
    other = SYSTEMS[name](settings, pair, 1).sample(23)
    assert not np.array_equal(other, drawn), "the seed changes nothing"
    numbers = fusion.evaluate(drawn, pair)
    assert all(np.isfinite(value) for value in numbers.values())


def weights(parts):
    return {
        f"{name}.{key}": value.clone()
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }


def trains(learner, steps):
    before = weights(learner.modules)
    for index in range(steps):
        numbers = learner.step(index)
        assert all(np.isfinite(value) for value in numbers.values())
    after = weights(learner.modules)
    trained = [name for name in before if not name.startswith("kept")]  # that one only remembers
    still = [name for name in trained if torch.equal(before[name], after[name])]
    assert not still, f"never trained: {still}"


def parts(settings, pair):
    players = {f"G_{p}": sequences.new_policy(settings, V, 0, p) for p in "ABF"}
    return players | {f"D_{p}": sequences.new_critic(settings, V, 0, p) for p in "ABF"}


def test_fusion_moves_every_parameter_of_all_six_networks(settings, pair):
    learner = fusion.Fusion(settings, pair, parts(settings, pair), 0)
    trains(learner, fusion.steps(settings))


def test_the_kept_generator_is_the_best_on_validation(settings, pair):
    learner = fusion.Fusion(settings, pair, parts(settings, pair), 0)
    seen = []
    for index in range(fusion.steps(settings)):
        numbers = learner.step(index)
        if "validation" in numbers:
            seen.append((numbers["validation"], weights({"G": learner.live["F"]})))
    assert len(seen) == 3
    score, best = min(seen, key=lambda pair: pair[0])
    assert float(learner.kept.score) == pytest.approx(score)
    kept = weights({"G": learner.kept})
    assert all(torch.equal(kept[name], value) for name, value in best.items())


@pytest.mark.parametrize(
    "change",
    [
        {"balance": "add", "order": "printed", "generator_rule": "printed"},
        {"balance": "none", "order": "telescoped", "generator_rule": "release"},
        {"normalisation": "sum", "lipschitz": "clip", "critic_rate": 5e-5},
    ],
    ids=["printed", "release", "raw sums with clipping"],
)
def test_fusion_trains_under_every_named_alternative(change, settings, pair):
    changed = dataclasses.replace(settings, **change)
    learner = fusion.Fusion(changed, pair, parts(changed, pair), 0)
    trains(learner, fusion.steps(changed))
    if change.get("lipschitz") == "clip":
        largest = max(
            p.abs().max().item() for c in learner.critics.values() for p in c.parameters()
        )
        assert largest <= changed.clip


def test_likelihood_duel_and_swap_move_every_parameter(settings, pair):
    data = phases.windows(pair, "both", settings)
    trains(sequences.Likelihood(settings, data, V, seed=0, name="both"), 3)
    duels = {
        g: sequences.Duel(settings, data, sequences.new_policy(settings, V, 0, g), seed=0, name=g)
        for g in "ab"
    }
    trains(duels["a"], 4)
    trains(swap.Swap(settings, duels, 0), 3)


def test_steps_follow_the_blocks_of_algorithm_1(settings, pair):
    learner = fusion.Fusion(settings, pair, parts(settings, pair), 0)
    played = [learner.step(index) for index in range(fusion.steps(settings))]
    warm, blocks = played[:2], played[2:]
    assert all("player" not in numbers for numbers in warm)
    assert ["ABF"[int(numbers["player"])] for numbers in blocks] == list("FFAABBFF")
    assert [i for i, numbers in enumerate(blocks) if "validation" in numbers] == [1, 7]
    assert ["validation" in numbers for numbers in warm] == [False, True]


def test_only_the_block_owner_learns(settings, pair):
    learner = fusion.Fusion(settings, pair, parts(settings, pair), 0)
    for index in range(2):
        learner.step(index)
    owners = {0: "F", 2: "A", 4: "B"}
    for place, owner in owners.items():
        before = weights({**learner.live, **{f"D{k}": v for k, v in learner.critics.items()}})
        learner.step(2 + place)
        after = weights({**learner.live, **{f"D{k}": v for k, v in learner.critics.items()}})
        moved = {
            name.split(".")[0] for name in before if not torch.equal(before[name], after[name])
        }
        assert moved == {owner, f"D{owner}"}


def test_a_killed_fusion_resumes_bit_for_bit(settings, pair, tmp_path):
    """Killed in the middle of a block, by an exception that no one catches."""

    class Killed(BaseException):
        pass

    class Dying(fusion.Fusion):
        def step(self, index):
            if index == 6:
                raise Killed
            return super().step(index)

    def learner(cls):
        return cls(settings, pair, parts(settings, pair), 0)

    total = {"steps": fusion.steps(settings), "task": "fusion", "checkpoint_seconds": 0.0}
    whole = learner(fusion.Fusion)
    loop.fit(whole, folder=tmp_path / "whole", log_every=1, **total)
    with pytest.raises(Killed):
        loop.fit(learner(Dying), folder=tmp_path / "broken", log_every=1, **total)
    resumed = learner(fusion.Fusion)
    assert loop.restore(resumed, tmp_path / "broken") == 6
    resumed = learner(fusion.Fusion)
    loop.fit(resumed, folder=tmp_path / "broken", log_every=1, **total)
    ours, theirs = weights(resumed.modules), weights(whole.modules)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    logs = [(tmp_path / name / loop.LOG).read_text() for name in ("whole", "broken")]
    assert logs[0] == logs[1]


def test_likelihood_learns_what_it_hears(settings, pair):
    data = phases.windows(pair, "a", settings)
    learner = sequences.Likelihood(settings, data, V, seed=0, name="a")
    losses = [learner.step(index)["likelihood"] for index in range(200)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3


def test_profiles_grow_and_paper_is_the_released_schedule():
    quick, laptop, gpu, paper = (
        getattr(fusion.FusionSettings, name)() for name in ("quick", "laptop", "gpu", "paper")
    )
    assert fusion.steps(quick) < fusion.steps(laptop) < fusion.steps(gpu) == fusion.steps(paper)
    assert len(laptop.seeds) >= 3
    assert (paper.rollouts, paper.prefix_stride, paper.likelihood_epochs) == (16, 1, 25)
    assert sum(paper.filters) == 1720
    assert paper.rounds * paper.block_updates == paper.blend_updates == 500


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"normalisation": "sum"}, "no finite optimum"),
        ({"widths": (2,)}, "equally long"),
        ({"widths": (2, 40), "filters": (3, 3)}, "width 40 does not fit a window of 11"),
        ({"seeds": ()}, "at least one seed"),
        ({"seeds": (1, 1)}, "distinct"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"delay": 1.0}, r"delay must be in \[0, 1\)"),
    ],
)
def test_inconsistent_settings_are_refused(change, told, settings):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(settings, **change)


@pytest.mark.parametrize("name", ["balance", "order", "generator_rule", "lipschitz"])
def test_an_unknown_choice_is_refused_by_name(name):
    """In a process of its own: while tests run, the type checks would refuse it before us."""
    script = f"from pasdedeux.papers.fusion import FusionSettings; FusionSettings({name}='hing')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert f"ValueError: {name} must be one of" in done.stderr


def test_mixing_counts_events_by_hand():
    song = np.array([[1, 2, 1, 1, 0, 1, 3], [4, 4, 1, 0, 5, 6, 1]])
    found = mixing.marginals(song, V)
    assert found.symbols * 8 == pytest.approx([2, 0, 1, 1, 2, 1, 1])
    assert found.note_lengths * 6 == pytest.approx([3, 2, 1, 0, 0, 0, 0])
    assert found.rest_lengths * 2 == pytest.approx([1, 1, 0, 0, 0, 0, 0])


def test_monte_carlo_draws_the_marginals_and_random_mixing_flattens_them(settings, pair, project):
    pooled = np.concatenate([pair.a.train, pair.b.train])
    wanted = mixing.marginals(pooled, V)
    drawn = mixing.drawn(wanted, 20_000, T, np.random.default_rng(0))
    seen = np.bincount(drawn[:, 0], minlength=V) / 20_000
    assert seen == pytest.approx(wanted.symbols, abs=0.02)
    flat = mixing.random_mixing(settings, pair, 0).sample(20_000)
    first = np.bincount(flat[:, 0], minlength=V) / 20_000
    assert first[[0, 2, 3, 4, 5, 6]] == pytest.approx([1 / 6] * 6, abs=0.02)


def test_landmarks_are_local_peaks_and_valleys():
    wave = np.array([9, 1, 5, 5, 6, 5, 2, 8, 5, 5, 5, 5.0])
    assert fusion_tables.landmarks(wave) == set(fusion_tables.LANDMARKS)
    assert fusion_tables.landmarks(wave[::-1]) < set(fusion_tables.LANDMARKS)
    assert fusion_tables.landmarks(np.ones(12)) == set()
