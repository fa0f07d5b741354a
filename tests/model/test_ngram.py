"""The n-gram against a plain one made of dictionaries, and what tuning its copy model is for."""

import time
from collections import Counter, defaultdict

import numpy as np
import pytest

from cantilena.errors import CorpusError, UsageError
from cantilena.model import NGram, SequenceModel, TopTokens

RNG = np.random.default_rng(0)
VOCABULARY = 5
PIECES = [RNG.integers(0, VOCABULARY, length) for length in (40, 30, 1, 25)]


def witten_bell(counters, contexts, lower):
    for context in contexts:
        counter = counters.get(context)
        if not counter:
            break
        total, kinds = sum(counter.values()), len(counter)
        lower = [(counter[token] + kinds * p) / (total + kinds) for token, p in enumerate(lower)]
    return lower


def counted(pieces, order, start):
    counters = defaultdict(Counter)
    for piece in pieces:
        line = [*start, *piece]
        for place in range(len(start), len(line)):
            for length in range(min(order - 1, place) + 1):
                counters[tuple(line[place - length : place])][line[place]] += 1
    return counters


def plainly(pieces, order, heard, weight):
    """p of the next token, from the definitions."""
    line = ["start", *heard]
    contexts = [tuple(line[len(line) - k :]) for k in range(min(order - 1, len(line)) + 1)]
    by_training = witten_bell(counted(pieces, order, ["start"]), contexts, [1 / VOCABULARY] * VOCABULARY)
    own = [tuple(heard[len(heard) - k :]) for k in range(len(heard) + 1)]
    by_piece = witten_bell(counted([heard], len(heard) + 1, []), own, by_training)
    return [(1 - weight) * a + weight * b for a, b in zip(by_training, by_piece, strict=True)]


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_probabilities_are_those_of_the_definition(order, weight):
    model = NGram.fit(PIECES, VOCABULARY, order)
    model = NGram(VOCABULARY, order, model.tree, np.full_like(model.weights, weight))
    assert isinstance(model, SequenceModel)
    tokens = np.concatenate([RNG.integers(0, VOCABULARY, (2, 10)), np.tile([0, 1, 1, 2], (2, 3))], axis=1)
    whole = model.log_probs(tokens)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0)
    log_p, state = model.start(2)
    for step in range(tokens.shape[1]):
        for melody in range(2):
            expected = plainly(PIECES, order, tokens[melody, :step].tolist(), weight)
            np.testing.assert_allclose(np.exp(whole[melody, step]), expected, atol=1e-12)
        np.testing.assert_allclose(log_p, whole[:, step], atol=1e-12)
        log_p, state = model.step(tokens[:, step], state)


def test_a_state_can_be_continued_twice():
    model = NGram.fit(PIECES, VOCABULARY, 3).tune(PIECES)
    _, state = model.start(1)
    for token in (1, 2, 1, 2):
        _, state = model.step(np.array([token]), state)
    once, _ = model.step(np.array([1]), state)
    model.step(np.array([4]), state)
    again, _ = model.step(np.array([1]), state)
    np.testing.assert_array_equal(once, again)


def repeating(pieces, rng):
    """Pieces that say a random phrase of twelve tokens three times."""
    return [np.tile(rng.integers(0, VOCABULARY, 12), 3) for _ in range(pieces)]


def test_tuning_finds_that_pieces_repeat_themselves():
    rng = np.random.default_rng(1)
    train, valid, test = (repeating(count, rng) for count in (20, 10, 10))
    tuned = NGram.fit(train, VOCABULARY, 4).tune(valid)
    assert tuned.weights[12] > 0.9
    nats = [
        -np.mean([np.take_along_axis(m.log_probs(p[None]), p[None, :, None], 2) for p in test])
        for m in (tuned, tuned.plain())
    ]
    assert nats[0] < 0.75 * nats[1]


def test_a_thousand_melodies_take_a_second_or_two():
    model = NGram.fit([RNG.integers(0, 38, 200) for _ in range(200)], 38, 6)
    model.log_probs(np.zeros((1, 4), dtype=np.int64))  # compiled
    started = time.perf_counter()
    log_p, state = model.start(1000)
    drawn = []
    for _ in range(32):
        drawn.append((np.exp(log_p).cumsum(1) < RNG.random((1000, 1))).sum(1).clip(max=37))
        log_p, state = model.step(drawn[-1], state)
    model.log_probs(np.stack(drawn, axis=1))
    assert time.perf_counter() - started < 4.0


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError):
        NGram.fit(PIECES, VOCABULARY, 0)
    with pytest.raises(UsageError):
        NGram.fit(PIECES, 3)
    with pytest.raises(CorpusError):
        NGram.fit([], VOCABULARY)
    with pytest.raises(UsageError):
        NGram.fit(PIECES, VOCABULARY).log_probs(np.array([[9]]))


def test_top_tokens_are_the_most_frequent_with_equal_chances():
    counts = Counter(np.concatenate(PIECES).tolist())
    model = TopTokens.fit(PIECES, VOCABULARY, k=3)
    assert isinstance(model, SequenceModel)
    assert sorted(counts[token] for token in model.tokens) == sorted(sorted(counts.values())[-3:])
    log_p, state = model.start(4)
    again, _ = model.step(np.zeros(4, dtype=np.int64), state)
    np.testing.assert_array_equal(log_p, again)
    np.testing.assert_allclose(np.exp(log_p)[:, list(model.tokens)], 1 / 3)
    np.testing.assert_allclose(np.exp(model.log_probs(np.zeros((2, 7), dtype=np.int64))).sum(-1), 1.0)
    with pytest.raises(CorpusError):
        TopTokens.fit([], VOCABULARY)
