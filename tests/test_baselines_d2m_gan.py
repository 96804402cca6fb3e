"""D2M-GAN at tiny size: its losses by hand, what moves, the terms that teach nothing, the sound."""

import dataclasses

import dances
import numpy as np
import pytest
import rivals
import torch
from torch.nn import functional as F

from pasdedeux.baselines import d2m_gan
from pasdedeux.training import loop

TINY = d2m_gan.D2mGanSettings(
    batch=3, steps=4, rate=1e-3, channels=1, judged=1, genre_width=2, motion_width=5,
    motion_length=40, motion_channels=(2, 3, 2, 1), standardised=True, scale=10.0, start="kept",
    device="cpu",
)  # fmt: skip


@pytest.fixture
def material(project):
    return rivals.material(project)


def learner(material, settings=TINY, seed=0):
    return d2m_gan.D2mGan(settings, material, seed)


def test_every_parameter_moves(material):
    """The hinge moves no bias while all scores are within 1: they begin above it here."""
    made = learner(material, dataclasses.replace(TINY, judged=2))
    with torch.no_grad():
        for judge in made.judges.judges:
            judge.layers[-1].bias.fill_(2.0)
    assert not dances.moved(made, 4)


def judged(*scores):
    """What judges of one layer of features and a score say."""
    return [[torch.tensor([[0.5, -1.0]]), torch.tensor(score)] for score in scores]


def test_the_losses_by_hand():
    real = judged([0.5, 2.0], [-1.0])
    fake = judged([-3.0, 0.0], [1.0])
    fake[0][0] = torch.tensor([[1.5, -1.0]])
    # judge 1: (0.5 + 0) / 2 + (0 + 1) / 2; judge 2: 2 + 2
    assert float(d2m_gan.hinge(real, fake)) == pytest.approx(0.25 + 0.5 + 2 + 2)
    assert float(d2m_gan.matching(real, fake)) == pytest.approx(4 / 5 / 2 * 0.5)


def test_one_update_is_the_published_sum(material):
    """The judges learn first; features are compared with what they said before they learnt."""
    made = learner(material, dataclasses.replace(TINY, standardised=False))
    rows = d2m_gan.drawn(made.rows, 3, 0, 0)
    clips, codec = material.clips, material.codec
    told = torch.from_numpy(clips.motion(rows)), torch.from_numpy(clips.genre[rows])
    with torch.no_grad():
        true = codec.encoder(torch.from_numpy(clips.sound(rows)))
        codes = torch.from_numpy(material.tokens[rows].astype(np.int64))
        entries = codec.quantiser.embed(codes)
        frames = made.network(*told)
        real = made.judges(true)
        wanted = {
            "judges": d2m_gan.hinge(real, made.judges(frames)),
            "latents": (frames - true).abs().mean(),
            "codes": (frames - entries).abs().mean(),
        }
    before = [p.clone() for p in made.network.parameters()]
    numbers = made.step(0)
    for name, value in wanted.items():
        assert numbers[name] == pytest.approx(float(value), rel=1e-4), name
    again = learner(material, made.settings)
    again.judges.load_state_dict(made.judges.state_dict())  # as they are once they have learnt
    frames = again.network(*told)
    named = again.losses(frames, true, entries, real)
    told = {name: float(term.detach()) for name, term in named.items()}
    assert numbers["adversarial"] == pytest.approx(told["adversarial"], rel=1e-4)
    assert numbers["features"] == pytest.approx(told["features"], rel=1e-4)
    total = named["adversarial"] + 3 * named["features"] + 5 * named["latents"] + 8 * named["codes"]
    total.backward()
    norm = torch.cat([p.grad.flatten() for p in again.network.parameters()]).norm()
    assert numbers["norm"] == pytest.approx(float(norm), rel=1e-3)
    assert any(
        not torch.equal(a, b) for a, b in zip(before, made.network.parameters(), strict=True)
    )


def test_the_released_audio_terms_have_no_gradient(material):
    """They are finite numbers, but the loop refuses them: nothing leads back to a parameter."""
    made = learner(material)
    frames = made.network(*made.told(made.rows[:3]))
    true = made.encoded(made.rows[:3])
    sound = torch.from_numpy(material.clips.sound(made.rows[:3]))
    terms = d2m_gan.released_audio_terms(material.codec, frames * made.network.unit, sound)
    assert set(terms) == set(d2m_gan.RELEASED) == {"audio", "mel"}
    before = [p.clone() for p in made.network.parameters()]
    for name, term in terms.items():
        assert torch.isfinite(term)
        assert term > 0
        assert not term.requires_grad
        with pytest.raises(ValueError, match=f"loss '{name}' has no path to a parameter"):
            loop.update(made.optimizers["network"], {"latents": frames.abs().mean(), name: term})
    slopes = []
    for extra in (0.0, sum(d2m_gan.RELEASED[name] * term for name, term in terms.items())):
        total = (frames - true).abs().mean() + extra
        slopes.append(torch.autograd.grad(total, made.network.parameters(), retain_graph=True))
    assert all(torch.equal(a, b) for a, b in zip(*slopes, strict=True)), "they change no gradient"
    assert all(torch.equal(a, b) for a, b in zip(before, made.network.parameters(), strict=True))


def test_a_perfect_generator_would_still_pay_for_the_codebook(material):
    """Where y = x the audio terms are those of the reconstruction, the codes' the commitment's."""
    rows = material.clips.rows("train")[:2]
    sound = torch.from_numpy(material.clips.sound(rows))
    with torch.no_grad():
        frames = material.codec.encoder(sound)
    terms = d2m_gan.released_audio_terms(material.codec, frames, sound)
    again = material.codec.decode(material.codec.encode(sound))
    assert float(terms["audio"]) == pytest.approx(float(F.l1_loss(again, sound[:, :44_100])))


def test_log_mel_is_librosas():
    import librosa

    draw = np.random.default_rng(0)
    sound = draw.normal(size=(2, 5000)).astype(np.float32)
    found = d2m_gan.log_mel(torch.from_numpy(sound), 22_050)
    padded = np.pad(sound, ((0, 0), (384, 384)), mode="reflect")
    mel = librosa.feature.melspectrogram(
        y=padded, sr=22_050, n_fft=1024, hop_length=256, n_mels=128, center=False, power=1.0
    )
    np.testing.assert_allclose(found, np.log10(np.maximum(mel, 1e-5)), atol=1e-4)


def test_frames_are_standardised_where_that_is_chosen(material):
    made, raw = learner(material), learner(material, dataclasses.replace(TINY, standardised=False))
    made.step(0)
    raw.step(0)
    frames = material.codec.encoder(torch.from_numpy(material.clips.sound(made.rows)))
    assert float(made.network.unit) == pytest.approx(float(frames.detach().std()), rel=1e-4)
    assert float(raw.network.unit) == 1


def test_training_in_two_parts_ends_with_the_same_bits(material, tmp_path):
    whole, begun, resumed = (learner(material) for _ in range(3))
    loop.fit(whole, steps=4, folder=tmp_path / "whole", task="whole")
    loop.fit(begun, steps=2, folder=tmp_path / "parts", task="parts")
    loop.fit(resumed, steps=4, folder=tmp_path / "parts", task="parts")
    ours, theirs = dances.weights(resumed), dances.weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_it_learns_what_it_is_shown(material):
    settings = dataclasses.replace(TINY, channels=2, rate=1e-3, steps=30)
    made = learner(material, settings)
    losses = [made.step(index)["latents"] for index in range(settings.steps)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


def test_the_system_plays_dances_it_never_heard(project):
    made, again = rivals.check_system(d2m_gan.train, TINY, project)
    assert np.allclose(made[1:], again, atol=1e-5), "clips are played alone"
    given = rivals.material(project)
    other = rivals.check_music(d2m_gan.train(TINY, given, 1), given)
    assert not np.array_equal(made, other), "the seed draws the weights"


def test_dance_and_genre_decide_the_frames(material):
    network = learner(material).network
    motion = torch.from_numpy(material.clips.motion(np.arange(2))).float()
    frames = [network(motion, torch.tensor(genre)) for genre in ([0, 0], [1, 1])]
    assert not torch.equal(frames[0], frames[1])
    assert not torch.equal(frames[0][0], frames[0][1])


def test_parameters_are_counted():
    counts = d2m_gan.parameters(d2m_gan.D2mGanSettings.paper(), motion=(120, 219))
    without_video = 22_307_818 - 2048 * 2058 + 10 * 256
    assert counts == {"motion": 31_361_665, "generator": without_video, "judges": 9_212_358}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"features": -1.0}, "features is a weight and must not be negative"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(TINY, **change)


def test_profiles_grow():
    sizes = [getattr(d2m_gan.D2mGanSettings, n)() for n in ("quick", "laptop", "gpu", "paper")]
    assert [s.steps for s in sizes] == sorted(s.steps for s in sizes)
    paper = sizes[-1]
    assert (paper.rate, paper.betas, paper.batch, paper.scale) == (1e-4, (0.5, 0.9), 16, 100.0)
    assert (paper.features, paper.latents, paper.codes) == (3.0, 5.0, 8.0)
