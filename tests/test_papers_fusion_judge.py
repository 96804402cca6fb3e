"""The machine listener for melodies: planted genres are told apart, the rule does what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pasdedeux.base import paths
from pasdedeux.data.melodies import Domain, MelodyPair, MelodySettings
from pasdedeux.metrics.listening import GENRE_ANSWERS
from pasdedeux.metrics.ngram import fit_ngram
from pasdedeux.music.melody import Vocabulary
from pasdedeux.papers import fusion_judge
from pasdedeux.papers.fusion_judge import Heard, JudgeSettings, Question

T, HOLD = 13, 1
VOCABULARY = Vocabulary((60, 62, 64, 65, 67))  # ids 2 to 6
SMALL = JudgeSettings(
    seeds=(0, 3), widths=(2, 3), filters=(5, 7), embedding=11, updates=60, batch=17, rate=0.01,
    held_out=211,
)  # fmt: skip


def tunes(count, step, seed):
    """Scales that go up (step 1) or down (-1) through the five pitches, each held for a while."""
    rng = np.random.default_rng(seed)
    start = rng.integers(5, size=(count, 1))
    moves = (rng.random((count, T)) < 0.6).cumsum(axis=1)
    pitch = (start + step * moves) % 5 + 2
    held = np.diff(moves, axis=1, prepend=-1) == 0
    return np.where(held, HOLD, pitch).astype(np.int64)


def domain(name, step, seed):
    parts = [tunes(count, step, seed + k) for k, count in enumerate((307, 223, 199))]
    songs = {"train": 3, "valid": 2, "test": 2}
    return Domain(name, "made by a test", *parts, songs, (), (), "none", "none")


@pytest.fixture(scope="module")
def pair():
    a, b = domain("up", 1, 10), domain("down", -1, 20)
    return MelodyPair(a, b, VOCABULARY, MelodySettings(window=T), "planted", "Made by a test.")


@pytest.fixture(scope="module")
def panel(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judges")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "root", lambda: folder)
        return fusion_judge.panel(SMALL, pair)


def test_the_answers_are_those_of_fl():
    names = ("jazz", "folk", "mixture", "neither")
    assert names == GENRE_ANSWERS
    assert (fusion_judge.MIXTURE, fusion_judge.NEITHER) == (2, 3)


def test_planted_genres_are_told_apart(panel, pair):
    held = fusion_judge.held_out(panel, pair, SMALL)
    assert held.right.value > 85
    assert held.right.low <= held.right.value <= held.right.high
    assert list(held.by_judge) == [0, 3]
    assert np.mean(list(held.by_judge.values())) == pytest.approx(held.right.value, abs=1.0)
    for name, place in (("up", 0), ("down", 1)):
        assert int(np.argmax(held.answers[name])) == place
        assert held.answers[name].sum() == pytest.approx(100.0)


def test_real_windows_lose_their_genre_no_more_often_than_promised(panel, pair):
    """Test windows come from where validation windows come from, so the promise is kept."""
    held = fusion_judge.held_out(panel, pair, SMALL)
    for line, notes in held.struck.values():
        assert line <= 100 * SMALL.risk / 2 + 4.5  # three standard errors of 199 windows
        assert notes <= 100 * SMALL.risk / 2 + 4.5


def test_leaps_that_neither_genre_has_are_neither(panel):
    leaps = np.tile([2, 4, 6, 2, 5, 3, 5, 2, 4, 2, 5, 2, 4], (7, 1))
    counts = fusion_judge.counted(fusion_judge.hear(panel, leaps), SMALL.risk)
    assert counts.tolist() == [0, 0, 0, 14]


def test_a_window_without_a_note_is_neither(panel):
    silent = np.full((3, T), HOLD)
    assert fusion_judge.hear(panel, silent)[0].answers(SMALL.risk).tolist() == [3, 3, 3]


def test_half_up_half_down_is_more_often_a_mixture_than_real_music(panel, pair):
    real = np.concatenate([pair.a.test, pair.b.test])
    half = np.where(np.arange(T) < T // 2, tunes(400, 1, 5), tunes(400, -1, 6))
    shares = []
    for windows in (real, half):
        counts = fusion_judge.counted(fusion_judge.hear(panel, windows), SMALL.risk)
        shares.append(counts[:2].sum() / counts.sum())
    assert shares[1] < shares[0] - 0.2


def test_a_finished_judge_is_loaded_and_answers_the_same(panel, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    one = replace(SMALL, seeds=(3,))
    first = fusion_judge.panel(one, pair)[0]
    again = fusion_judge.panel(one, pair)[0]
    assert first.run == again.run
    for judge in (first, again):
        heard = judge.hears(pair.a.test)
        assert np.array_equal(heard.score, panel[1].hears(pair.a.test).score)


def test_p_is_the_share_of_validation_windows_that_score_no_better():
    scores = np.sort(np.random.default_rng(0).normal(size=29))
    asked = np.array([-9.0, scores[3], scores[3] + 1e-9, 0.0, 9.0])
    brute = [(1 + sum(one <= x for one in scores)) / 30 for x in asked]
    assert Question(scores).p(asked) == pytest.approx(brute)
    assert Question(scores).p(asked)[-1] == 1.0


def test_p_of_windows_like_those_of_validation_is_uniform():
    """P(p <= limit) <= limit, over draws of both: the promise of the rule."""
    rng, limit, found = np.random.default_rng(1), 0.1, []
    for _ in range(400):
        drawn = rng.normal(size=59)
        found.append(Question(np.sort(drawn[:-1])).p(drawn[-1:])[0] <= limit)
    assert np.mean(found) == pytest.approx(limit, abs=0.05)


def test_the_rule_by_hand():
    line = np.array([[0.9, 0.01], [0.01, 0.9], [0.3, 0.4], [0.01, 0.02], [0.9, 0.01]])
    notes = np.array([[0.5, 0.5], [0.01, 0.5], [0.5, 0.5], [0.5, 0.5], [0.05, 0.01]])
    heard = Heard(np.array([1.0, -1.0, -0.1, 0.1, 2.0]), line, notes)
    assert heard.answers(0.1).tolist() == [0, 1, 2, 2, 3]  # p must be above 0.05
    assert heard.qualification(0.1).tolist() == [0, 1, 1, 0, 3]
    assert heard.answers(0.04).tolist() == [0, 1, 2, 2, 0]


def test_how_expected_notes_are_is_a_mean_over_onsets():
    model = fit_ngram(tunes(50, 1, 0), VOCABULARY.size, order=2)
    window = tunes(1, 1, 7)
    chance = model.probability(window)[0]
    onsets = [k for k in range(T) if window[0, k] >= 2]
    assert 1 < len(onsets) < T
    brute = np.mean([np.log(chance[k]) for k in onsets])
    assert fusion_judge.expected(model, VOCABULARY, window)[0] == pytest.approx(brute)


def test_the_judge_learns(pair):
    genres = [torch.from_numpy(side.train) for side in (pair.a, pair.b)]
    learner = fusion_judge.Telling(SMALL, genres, VOCABULARY.size, 0)
    before = {n: p.detach().clone() for n, p in learner.critic.named_parameters()}
    first = learner.step(0)
    for index in range(1, 40):
        last = learner.step(index)
    still = [n for n, p in learner.critic.named_parameters() if torch.equal(before[n], p)]
    assert not still, f"never trained: {still}"
    assert last["loss"] < first["loss"]


def test_spread_keeps_the_order_and_reaches_both_ends():
    windows = np.arange(101)[:, None]
    assert fusion_judge.spread(windows, 5).ravel().tolist() == [0, 25, 50, 75, 100]
    assert len(fusion_judge.spread(windows, 500)) == 101


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (np.zeros((0, T), dtype=np.int64), "not empty"),
        (np.full((2, T), 7), "ids 7 to 7, the judge knows 0 to 6"),
        (np.full((2, T), -1), "ids -1 to -1"),
        (np.full((2, 2), 3), "2 tokens, the judge needs 3"),
    ],
)
def test_windows_that_no_judge_can_hear_are_refused(panel, windows, message):
    with pytest.raises(ValueError, match=message):
        fusion_judge.hear(panel, windows)


def test_an_empty_panel_and_too_few_songs_are_refused(panel, pair):
    with pytest.raises(ValueError, match="the panel is empty"):
        fusion_judge.hear([], pair.a.test)
    strict = replace(SMALL, risk=0.001)
    with pytest.raises(ValueError, match="up has 211 validation windows, a risk of 0.001 needs"):
        fusion_judge.calibrated(panel[0].critic, panel[0].model, pair, strict, run="runs/x")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seeds": ()}, "at least one judge"),
        ({"seeds": (1, 1)}, "seeds must differ"),
        ({"risk": 1.0}, "risk must lie"),
        ({"updates": 0}, "updates must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changed)
