import itertools

import numpy as np
import pytest

from pasdedeux.metrics.ngram import fit_ngram

HEARD = np.array([[0, 1, 0, 1, 2], [0, 1, 2, 2, 2], [1, 1, 0, 2, 0]])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_of_all_next_tokens_sum_to_one(order):
    model = fit_ngram(HEARD, 4, order=order)
    for context in itertools.product(range(4), repeat=2):
        nexts = np.array([[*context, token] for token in range(4)])
        assert model.probability(nexts)[:, 2].sum() == pytest.approx(1.0)


def test_witten_bell_by_hand():
    model = fit_ngram(HEARD, 4, order=2)
    kinds, total = 3, 15
    single = {0: 5, 1: 5, 2: 5}
    unigram = {t: (single.get(t, 0) + kinds / 4) / (total + kinds) for t in range(4)}
    after_one = {0: 2, 1: 1, 2: 2}  # what followed token 1
    for token in range(4):
        expected = (after_one.get(token, 0) + 3 * unigram[token]) / (5 + 3)
        assert model.probability(np.array([[1, token]]))[0, 1] == pytest.approx(expected)


def test_real_order_is_likelier_than_shuffled_order():
    rng = np.random.default_rng(0)
    song = np.tile(np.arange(6), (29, 3))
    model = fit_ngram(song[:17], 6)
    real, shuffled = song[17:], rng.permuted(song[17:], axis=1)
    gap = model.negative_log_likelihood(shuffled) - model.negative_log_likelihood(real)
    assert gap > 1.0


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"ids outside 0\.\.1"):
        fit_ngram(HEARD, 2)
