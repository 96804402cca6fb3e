"""CDCD at tiny size: what moves, what is shared between methods, exact runs, sound, refusals."""

from dataclasses import replace

import musics
import numpy as np
import pytest
import torch

from pasdedeux.base.profiles import PROFILES
from pasdedeux.base.profiles import settings as of_profile
from pasdedeux.base.seeding import generator
from pasdedeux.diffusion import contrast as contrasts
from pasdedeux.diffusion.contrast import Contrast
from pasdedeux.papers import cdcd
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.training.loop import CHECKPOINT, fit
from pasdedeux.training.musics import drawn

FEW = {"negatives": 3, "chunks": 4}
TINY = CdcdSettings(
    batch=3, steps=5, width=12, layers=2, heads=3, diffusion_steps=6, genre_width=5,
    motion_width=7, motion_length=41, motion_channels=(3, 2, 4, 2, 1), rate=1e-2, warmup=2,
    average=0.5, contrast=replace(Contrast.system("step-intra", 0.1), **FEW), device="cpu",
)  # fmt: skip
NAMES = ("vanilla", "step-intra", "step-inter", "sample-intra", "sample-inter", "both")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return musics.material(folder)


def _system(name, weight=0.1):
    return replace(TINY, contrast=replace(Contrast.system(name, weight), **FEW))


def _state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def _trained(settings, material, updates=4, seed=0):
    learner = cdcd.Cdcd(settings, material, seed=seed)
    return learner, [learner.step(index) for index in range(updates)]


@pytest.mark.parametrize("layout", ["token", "temporal"])
def test_every_parameter_moves_in_both_layouts(material, layout):
    """None is left out: what a condition of one position would not move is not there."""
    settings = replace(_system("both"), layout=layout, weight_decay=0.0, batch=7)
    learner = cdcd.Cdcd(settings, material, seed=0)
    before = dict(learner.network.named_parameters())
    before = {name: value.detach().clone() for name, value in before.items()}
    numbers = [learner.step(index) for index in range(6)]
    still = [name for name, p in learner.network.named_parameters() if torch.equal(p, before[name])]
    assert not still, f"never moved: {still}"
    assert set(numbers[-1]) == {"bound", "auxiliary", "step_intra", "sample_inter", "norm"}


def test_queries_and_keys_exist_in_the_temporal_layout_only(material):
    for layout, there in (("token", False), ("temporal", True)):
        learner = cdcd.Cdcd(replace(TINY, layout=layout), material, seed=0)
        names = [name for name, _ in learner.network.named_parameters()]
        assert any("attend_memory.queries" in name for name in names) is there
        assert any("attend_memory.out" in name for name in names)


def test_a_frozen_condition_learns_its_fusion_alone(material):
    learner = cdcd.Cdcd(replace(TINY, condition="frozen"), material, seed=0)
    before = _state(learner.network.conditioning)
    for index in range(3):
        learner.step(index)
    after = learner.network.conditioning.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fusion.weight", "fusion.bias"}


def test_it_learns_what_music_belongs_to_which_genre(material):
    """The codes of each genre are another constant here: with the condition they are certain."""
    tokens = (2 * material.clips.genre[:, None] + np.ones((1, 14))).astype(np.int16)
    told = replace(material, tokens=tokens)
    settings = replace(TINY, contrast=Contrast(), batch=9, steps=150, average=0.9)
    learner, numbers = _trained(settings, told, updates=150)
    first, last = (np.mean([n["bound"] for n in part]) for part in (numbers[:9], numbers[-9:]))
    assert last < 0.2 * first
    made = cdcd.Composer(settings, told, learner.average.inner)
    rows = told.clips.rows("train")[::5]
    assert (made.tokens(rows, 0).numpy() == tokens[rows]).mean() > 0.9


@pytest.mark.parametrize("name", NAMES[1:])
def test_lambda_0_equals_vanilla_bit_for_bit_through_the_whole_training(material, name, tmp_path):
    learners = []
    for place, settings in enumerate((_system("vanilla"), _system(name, 0.0), _system(name))):
        learners.append(cdcd.Cdcd(settings, material, seed=0))
        fit(learners[-1], steps=5, folder=tmp_path / str(place), task="test")
    states = [
        {f"{part} {key}": value for part, module in learner.modules.items()
         for key, value in module.state_dict().items()}
        for learner in learners
    ]  # fmt: skip
    apart = [
        [key for key in state if not torch.equal(state[key], states[0][key])] for state in states
    ]
    assert apart[1] == []
    assert apart[2] != [], "the contrast must count where lambda is not 0"


def _drawn_by(name, material, monkeypatch):
    """Return the first weights, and what `objective` is given in three updates."""
    found = []

    def kept(schedule, logits, noised, contrast, negatives, **options):
        found.append((noised, {kind: codes.clone() for kind, codes in negatives.items()}))
        return contrasts.objective(schedule, logits, noised, contrast, negatives, **options)

    monkeypatch.setattr(cdcd, "objective", kept)
    learner = cdcd.Cdcd(_system(name), material, seed=0)
    begun = _state(learner.network)
    for index in range(3):
        learner.step(index)
    return begun, found


def test_methods_share_first_weights_batches_steps_and_noise(material, monkeypatch):
    seen = {name: _drawn_by(name, material, monkeypatch) for name in NAMES}
    begun, found = seen["vanilla"]
    for name in NAMES[1:]:
        assert all(torch.equal(begun[key], value) for key, value in seen[name][0].items())
        for (one, _), (other, _) in zip(found, seen[name][1], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), name
    rows = material.clips.rows("train")
    for index, (noised, _) in enumerate(found):
        expected = material.tokens[drawn(rows, TINY.batch, 0, index)]
        assert np.array_equal(noised.start.numpy(), expected)
    assert not torch.equal(found[0][0].noisy, found[1][0].noisy)


def test_methods_share_their_negatives(material, monkeypatch):
    for kind in ("intra", "inter"):
        one, other = (
            _drawn_by(f"{mode}-{kind}", material, monkeypatch)[1] for mode in ("step", "sample")
        )
        for (_, mine), (_, its) in zip(one, other, strict=True):
            assert torch.equal(mine[kind], its[kind])


def test_negatives_are_rearrangements_and_music_of_another_genre(material):
    learner = cdcd.Cdcd(_system("both"), material, seed=0)
    genre = material.clips.genre[learner.rows]
    places = torch.arange(len(learner.rows))
    start = learner.tokens.long()
    made = learner.negatives(start, places, 0)
    assert made["intra"].shape == made["inter"].shape == (len(places), 3, 14)
    alike = made["intra"].sort(-1).values == start.sort(-1).values[:, None]
    assert alike.all()
    changed = (made["intra"] != start[:, None]).any(-1)
    assert changed[start.amin(1) != start.amax(1)].all()
    others = learner.labels.drawn(places, generator(0, "inter", 0), negatives=3)
    assert (genre[others.numpy()] != genre[:, None]).all()
    assert torch.equal(made["inter"], start[others])
    assert not torch.equal(learner.negatives(start, places, 1)["inter"], made["inter"])


def test_with_one_genre_or_when_asked_negatives_are_of_another_song(project):
    alone = musics.material(project, genres=("Waltz",) * 8)
    learner = cdcd.Cdcd(_system("step-inter"), alone, seed=0)
    song = alone.clips.song[learner.rows]
    places = torch.arange(len(song))
    others = learner.labels.drawn(places, generator(0, "inter", 0), negatives=5)
    assert (song[others.numpy()] != song[:, None]).all()
    many = musics.material(project)
    asked = cdcd.Cdcd(replace(_system("step-inter"), inter="song"), many, seed=0)
    assert torch.equal(asked.labels.labels, torch.from_numpy(many.clips.song[asked.rows]))


def test_released_orders_are_drawn_when_asked(material):
    settings = replace(TINY, contrast=replace(TINY.contrast, shuffle="released", chunks=3))
    learner = cdcd.Cdcd(settings, material, seed=0)
    start = torch.arange(11).repeat(4, 2)[:, :14]
    made = learner.negatives(start, torch.arange(4), 0)["intra"]
    assert (made == made[:1]).all(), "one order serves the whole batch"
    assert torch.equal(made[..., 12:], start[:, None, 12:].expand(-1, 3, -1))


def test_the_contrast_is_left_out_of_updates_as_t_c_says(material):
    none = replace(_system("step-intra").contrast, contrasted_steps=0)
    learner, numbers = _trained(replace(TINY, contrast=none), material)
    plain, others = _trained(_system("vanilla"), material)
    assert [n["step_intra"] for n in numbers] == [0.0] * 4
    for key, value in plain.network.state_dict().items():
        assert torch.equal(value, learner.network.state_dict()[key])


def test_a_run_interrupted_goes_on_to_the_same_bits(material, tmp_path):
    whole = cdcd.Cdcd(_system("both"), material, seed=0)
    rows = fit(whole, steps=5, folder=tmp_path / "whole", task="whole", log_every=1)
    fit(cdcd.Cdcd(_system("both"), material, seed=0), steps=3, folder=tmp_path / "cut", task="cut")
    again = cdcd.Cdcd(_system("both"), material, seed=0)
    rest = fit(again, steps=5, folder=tmp_path / "cut", task="again", log_every=1)
    assert rest[-2:] == rows[-2:]
    for name, module in whole.modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, again.modules[name].state_dict()[key]), (name, key)


def test_another_seed_is_another_training(material):
    one, other = (_trained(TINY, material, updates=1, seed=seed)[1] for seed in (0, 1))
    assert one != other


def test_music_is_of_the_right_shape_finite_clipped_and_repeatable(material, project, monkeypatch):
    monkeypatch.setattr(cdcd, "AT_ONCE", 3)
    made = cdcd.train(TINY, material, 0)
    rows = np.tile(material.clips.rows("test"), 2)[:7]
    sound = made.generate(rows, 3)
    assert sound.shape == (7, 44_100)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == 1.0, "`musics.Tones` goes beyond 1 and must be clipped"
    assert np.array_equal(made.generate(rows, 3), sound)
    assert not np.array_equal(made.generate(rows, 4), sound)
    assert made.generate(rows[:0], 3).shape == (0, 44_100)
    assert cdcd.train(TINY, material, 0).run == made.run
    assert cdcd.train(replace(TINY, truncation=0.5), material, 0).run != made.run
    assert cdcd.train(replace(TINY, workers=5, samples=3), material, 0).run == made.run


def test_silence_fills_what_the_codec_leaves_short(material, project, monkeypatch):
    whole = musics.Tones.decode
    monkeypatch.setattr(musics.Tones, "decode", lambda self, codes: whole(self, codes)[:, :44_032])
    sound = cdcd.train(TINY, material, 0).generate(material.clips.rows("test")[:2], 0)
    assert sound.shape == (2, 44_100)
    assert not sound[:, 44_032:].any()
    assert sound[:, :44_032].any()


def test_neither_training_nor_music_touches_the_sound_of_clips(material, project, monkeypatch):
    """Clips give no sound here, the VQ-VAE encodes none, and held-out tokens may be anything."""

    def touched(*_, **__):
        raise AssertionError("sound was asked for")

    rows = material.clips.rows("test")[:3]
    expected = cdcd.train(TINY, material, 0).generate(rows, 0)
    monkeypatch.setattr(type(material.clips), "sound", touched)
    monkeypatch.setattr(musics.Tones, "encode", touched)
    tokens = material.tokens.copy()
    tokens[material.clips.rows("test", most_copied=1.0)] = 0
    settings = replace(TINY, rate=9e-3)  # another run, so that it is trained
    cdcd.train(settings, material, 0)
    hidden = replace(material, tokens=tokens)
    assert np.array_equal(cdcd.train(TINY, hidden, 0).generate(rows, 0), expected)


def test_music_follows_the_dance_and_the_genre(material):
    learner, _ = _trained(replace(TINY, contrast=Contrast()), material)
    composer = cdcd.Composer(TINY, material, learner.network)
    rows = material.clips.rows("test")[:3]
    asked = composer.dances.asked(rows)
    noisy, t = torch.full((3, 14), 11), torch.tensor([6, 6, 6])
    made = learner.network(noisy, t, asked)
    turned = asked._replace(motion=asked.motion.flip(1))
    renamed = asked._replace(genre=(asked.genre + 1) % 3)
    for other in (turned, renamed):
        assert (learner.network(noisy, t, other) - made).abs().max() > 0


def _video(material, folder, shape=None, value=None):
    shape = shape or (len(material.clips), 17)
    features = np.random.default_rng(0).normal(size=shape)
    if value is not None:
        features[0, 0] = value
    np.save(folder / "i3d.npy", features)
    return replace(TINY, visual=17, visual_file=str(folder / "i3d.npy"))


def test_the_users_video_features_are_part_of_the_condition(material, project):
    settings = _video(material, project)
    learner = cdcd.Cdcd(settings, material, seed=0)
    asked = learner.dances.asked(np.array([5, 2]))
    assert np.allclose(asked.visual.numpy(), np.load(project / "i3d.npy")[[5, 2]])
    assert learner.network.conditioning.fusion.in_features == 7 + 17 + 5
    before = learner.network.conditioning.fusion.weight[:, 7:24].clone()
    learner.step(0)
    assert (learner.network.conditioning.fusion.weight[:, 7:24] != before).any(0).all()
    made = cdcd.train(settings, material, 0)
    assert np.isfinite(made.generate(material.clips.rows("test")[:2], 0)).all()
    np.save(project / "i3d.npy", np.load(project / "i3d.npy") + 1)
    assert cdcd.train(settings, material, 0).run != made.run, "a run is named by the file's content"


@pytest.mark.parametrize(
    ("shape", "value", "told"),
    [
        ((3, 17), None, r"i3d.npy must have one row for each clip, \(\d+, 17\), got \(3, 17\)"),
        ((3, 16), None, r"i3d.npy must have one row for each clip, \(\d+, 17\), got \(3, 16\)"),
        (None, np.nan, "i3d.npy must be finite"),
    ],
)
def test_video_features_that_do_not_fit_are_refused(material, project, shape, value, told):
    settings = _video(material, project, shape, value)
    with pytest.raises(ValueError, match=told):
        cdcd.train(settings, material, 0)


def test_video_features_that_are_no_array_are_refused(material, project):
    settings = _video(material, project)
    path = project / "i3d.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"i3d.npy is not a whole .npy of numbers"):
        cdcd.train(settings, material, 0)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match=r"i3d.npy is not a whole .npy of numbers"):
        cdcd.train(settings, material, 0)
    path.unlink()
    with pytest.raises(ValueError, match=r"visual_file .*i3d.npy is not a file"):
        cdcd.train(settings, material, 0)


def test_tokens_of_another_codebook_are_refused(material, project):
    wrong = material.tokens.copy()
    wrong[wrong < 3], wrong[3, 2] = 3, 11
    with pytest.raises(ValueError, match="tokens must be codes from 0 to 10, got 3 to 11; encode"):
        cdcd.train(TINY, replace(material, tokens=wrong), 0)
    with pytest.raises(ValueError, match=r"tokens of 4 clips but \d+ clips; encode them anew"):
        cdcd.train(TINY, replace(material, tokens=wrong[:4]), 0)


def test_motion_that_is_no_window_is_refused(material):
    learner = cdcd.Cdcd(TINY, material, seed=0)
    asked = learner.dances.asked(np.array([0, 1]))
    noisy, t = torch.zeros(2, 14, dtype=torch.long), torch.tensor([1, 2])
    with pytest.raises(ValueError, match="motion must have 50 frames of 219 features, got 49"):
        learner.network(noisy, t, asked._replace(motion=asked.motion[:, :49]))
    with pytest.raises(ValueError, match="motion must be finite"):
        learner.network(noisy, t, asked._replace(motion=asked.motion * float("nan")))


def test_a_checkpoint_of_another_shape_is_refused_and_kept(material, project):
    run = cdcd.train(TINY, material, 0).run
    path = run.folder / CHECKPOINT
    other = cdcd.Cdcd(replace(TINY, width=15), material, seed=0)
    fit(other, steps=1, folder=project / "other", task="test")
    path.write_bytes((project / "other" / CHECKPOINT).read_bytes())
    with pytest.raises(ValueError, match=r"checkpoint.pt is of another shape: \d+ tensors of netw"):
        cdcd.train(TINY, material, 0)
    assert path.exists()


def test_sound_that_is_not_finite_is_refused(material, project, monkeypatch):
    monkeypatch.setattr(
        musics.Tones, "decode", lambda self, codes: torch.full((len(codes), 44_100), float("nan"))
    )
    made = cdcd.train(TINY, material, 0)
    with pytest.raises(ValueError, match="sound that is not finite"):
        made.generate(material.clips.rows("test")[:1], 0)


def test_the_profiles_say_what_they_are():
    paper = of_profile(CdcdSettings, "paper")
    assert (paper.width, paper.layers, paper.heads, paper.diffusion_steps) == (1024, 19, 16, 80)
    assert (paper.rate, paper.betas, paper.weight_decay) == (4.5e-4, (0.9, 0.96), 0.045)
    assert (paper.contrast.negatives, paper.contrast.step_intra) == (10, 5e-5)
    assert (paper.clip, paper.truncation, paper.codec.codes) == (0.5, 0.86, 2048)
    laptop = of_profile(CdcdSettings, "laptop")
    assert (laptop.width, laptop.layers, laptop.diffusion_steps) == (96, 3, 20)
    assert (laptop.batch, laptop.steps, laptop.codec.codes) == (4, 1000, 256)
    for profile in PROFILES:
        chosen = of_profile(CdcdSettings, profile)
        assert chosen.rate_at(0) < chosen.rate_at(chosen.warmup - 1) == chosen.rate
        assert 0 < chosen.rate_at(chosen.steps - 1) <= chosen.rate
    assert laptop.rate_at(999) < 1e-3 * laptop.rate


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"visual": 2048}, "visual and visual_file belong together"),
        ({"visual_file": "x.npy"}, "visual and visual_file belong together"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        replace(TINY, **wrong)
