"""The n-gram by hand, against a plain one made of dictionaries, and what tuning its copy model is for."""

import time
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest

from cantilena.errors import CorpusError, UsageError
from cantilena.models import NGram, NGramOptions, SequenceModel, TopTokens
from cantilena.models.policy import LOG_ZERO
from cantilena.tokenizers import END, NotesEncoding, allowed_after

RNG = np.random.default_rng(0)
VOCABULARY = 5
PIECES = [RNG.integers(0, VOCABULARY, length) for length in (40, 30, 1, 25)]
LONGEST = 32


def weighted(model, weights):
    return NGram(model.vocabulary_size, model.options, model.tree, np.broadcast_to(weights, LONGEST + 1).astype(float))


def said(model, piece):
    """p of each token of a piece."""
    log_p = model.log_probs(np.array([piece]))[0]
    return np.exp(log_p[np.arange(len(piece)), piece])


HALF = Fraction(1, 2)


def test_a_tiny_corpus_by_hand_as_witten_and_bell_have_it():
    """Three tokens, two pieces, order 2, the piece itself trusted by a half, e = 1 everywhere.

    Counted: 0 three times, 1 and 2 once; at the start 0 twice; after 0 a 1 and a 2; after 1 a 0; after 2 nothing.
    """
    options = NGramOptions(order=2, caution=0.0, caution_in_piece=1.0)
    model = weighted(NGram.fit([np.array([0, 1, 0]), np.array([0, 2])], 3, options), 0.5)
    # The empty context: c = 5, T = 3, over an even chance of 1/3: (3 + 3/3) / 8 and (1 + 3/3) / 8.
    p0, p1 = Fraction(1, 2), Fraction(1, 4)
    at_start_0 = (2 + 1 * p0) / (2 + 1)  # c = 2, T = 1
    after_0_1 = (1 + 2 * p1) / (2 + 2)  # c = 2, T = 2
    after_1_0 = (1 + 1 * p0) / (1 + 1)  # c = 1, T = 1
    assert (at_start_0, after_0_1, after_1_0) == (Fraction(5, 6), Fraction(3, 8), Fraction(3, 4))
    np.testing.assert_allclose(said(model.plain(), [0, 1, 0, 1]), [5 / 6, 3 / 8, 3 / 4, 3 / 8])
    np.testing.assert_allclose(said(model.plain(), [2, 1]), [1 / 12, 1 / 4])  # after 2 nothing: the empty context
    # In the piece 0 1 0 1. Nothing sounded: the training's word. Then 0 alone sounded: c = 1, T = 1.
    second = HALF * after_0_1 + HALF * (0 + 1 * after_0_1) / (1 + 1)
    # 0 and 1 sounded: c = 2, T = 2; after 1 nothing came yet.
    third = HALF * after_1_0 + HALF * (1 + 2 * after_1_0) / (2 + 2)
    # 0 1 0 sounded: c = 3, T = 2; and after 0 there came a 1: c = 1, T = 1.
    fourth = HALF * after_0_1 + HALF * (1 + 1 * (1 + 2 * after_0_1) / (3 + 2)) / (1 + 1)
    assert (second, third, fourth) == (Fraction(9, 32), Fraction(11, 16), Fraction(21, 40))
    np.testing.assert_allclose(said(model, [0, 1, 0, 1]), [5 / 6, 9 / 32, 11 / 16, 21 / 40], rtol=1e-14)


def test_the_same_with_caution_by_hand():
    """e = 1 + 2 k for contexts of k tokens, and e = 4 in the piece."""
    options = NGramOptions(order=2, caution=2.0, caution_in_piece=4.0)
    model = weighted(NGram.fit([np.array([0, 1, 0]), np.array([0, 2])], 3, options), 0.5)
    at_start_0 = (2 + 3 * HALF) / (2 + 3)
    after_0_1 = (1 + 3 * 2 * Fraction(1, 4)) / (2 + 3 * 2)
    after_1_0 = (1 + 3 * HALF) / (1 + 3)
    assert (at_start_0, after_0_1, after_1_0) == (Fraction(7, 10), Fraction(5, 16), Fraction(5, 8))
    second = HALF * after_0_1 + HALF * (0 + 4 * after_0_1) / (1 + 4)
    third = HALF * after_1_0 + HALF * (1 + 4 * 2 * after_1_0) / (2 + 4 * 2)
    fourth = HALF * after_0_1 + HALF * (1 + 4 * (1 + 4 * 2 * after_0_1) / (3 + 4 * 2)) / (1 + 4)
    assert (second, third, fourth) == (Fraction(9, 32), Fraction(49, 80), Fraction(135, 352))
    np.testing.assert_allclose(said(model, [0, 1, 0, 1]), [7 / 10, 9 / 32, 49 / 80, 135 / 352], rtol=1e-14)


def interpolated(counters, contexts, lower, caution):
    """The formula, from the shortest context to the first that was not counted."""
    for context in contexts:
        counter = counters.get(context)
        if not counter:
            break
        total, doubt = sum(counter.values()), caution(len(context)) * len(counter)
        lower = [(counter[token] + doubt * p) / (total + doubt) for token, p in enumerate(lower)]
    return lower


def counted(pieces, order, start):
    counters = defaultdict(Counter)
    for piece in pieces:
        line = [*start, *piece]
        for place in range(len(start), len(line)):
            for length in range(min(order - 1, place) + 1):
                counters[tuple(line[place - length : place])][line[place]] += 1
    return counters


def plainly(pieces, options, heard, weights):
    """p of the next token, from the definitions."""
    line = ["start", *heard]
    contexts = [tuple(line[len(line) - k :]) for k in range(min(options.order - 1, len(line)) + 1)]
    even = [1 / VOCABULARY] * VOCABULARY
    by_training = interpolated(
        counted(pieces, options.order, ["start"]), contexts, even, lambda length: 1 + options.caution * length
    )
    own = [tuple(heard[len(heard) - k :]) for k in range(min(len(heard), LONGEST) + 1)]
    in_piece = counted([heard], len(heard) + 1, [])
    by_piece = interpolated(in_piece, own, by_training, lambda _: options.caution_in_piece)
    weight = weights[max((len(context) for context in own if context in in_piece), default=0)]
    return [(1 - weight) * a + weight * b for a, b in zip(by_training, by_piece, strict=True)]


@pytest.mark.parametrize(
    "options",
    [NGramOptions(1), NGramOptions(2, 0.0, 1.0), NGramOptions(4), NGramOptions(10, 0.5, 3.0)],
    ids=["1", "2", "4", "10"],
)
@pytest.mark.parametrize("weights", [np.zeros(33), np.full(33, 0.7), np.linspace(0.1, 1.0, 33)], ids=["0", ".7", "by"])
def test_probabilities_are_those_of_the_definition(options, weights):
    model = weighted(NGram.fit(PIECES, VOCABULARY, options), weights)
    assert isinstance(model, SequenceModel)
    tokens = np.concatenate([RNG.integers(0, VOCABULARY, (2, 10)), np.tile([0, 1, 1, 2], (2, 3))], axis=1)
    tokens[1, :] = PIECES[0][: tokens.shape[1]]  # a piece that was counted
    whole = model.log_probs(tokens)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0)
    log_p, state = model.start(2)
    for step in range(tokens.shape[1]):
        for melody in range(2):
            expected = plainly(PIECES, options, tokens[melody, :step].tolist(), weights)
            np.testing.assert_allclose(np.exp(whole[melody, step]), expected, atol=1e-12)
        np.testing.assert_allclose(log_p, whole[:, step], atol=1e-12)
        log_p, state = model.step(tokens[:, step], state)


def test_matches_longer_than_are_followed_count_as_the_longest():
    options, weights = NGramOptions(3), np.linspace(0.0, 0.9, 33)
    model = weighted(NGram.fit(PIECES, VOCABULARY, options), weights)
    heard = [3] * 45
    expected = plainly(PIECES, options, heard, weights)
    np.testing.assert_allclose(np.exp(model.log_probs(np.array([[*heard, 0]]))[0, -1]), expected, atol=1e-12)


def test_nothing_is_less_probable_than_a_number_can_say():
    model = weighted(NGram.fit([np.zeros(500_000, dtype=np.int64)], 2, NGramOptions(16, 0.0, 0.01)), 1.0)
    assert np.isfinite(model.log_probs(np.zeros((1, 400), dtype=np.int64))).all()


def test_a_state_can_be_continued_twice():
    model = NGram.fit(PIECES, VOCABULARY, NGramOptions(order=3)).tune(PIECES)
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
    tuned = NGram.fit(train, VOCABULARY, NGramOptions(order=4)).tune(valid)
    assert tuned.weights[12] > 0.9
    nats = [
        -np.mean([np.take_along_axis(m.log_probs(p[None]), p[None, :, None], 2) for p in test])
        for m in (tuned, tuned.plain())
    ]
    assert nats[0] < 0.75 * nats[1]


def test_a_thousand_melodies_take_a_second_or_two():
    model = NGram.fit([RNG.integers(0, 38, 200) for _ in range(200)], 38)
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
    for silly in ({"order": 0}, {"order": 17}, {"caution": -1.0}, {"caution": float("nan")}, {"caution_in_piece": 0.0}):
        with pytest.raises(UsageError) as refused:
            NGramOptions(**silly)
        assert refused.value.hint
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


NOTES = NotesEncoding(chords=((), (5, 9)))
STARTS = {part: first for part, (first, _) in enumerate(NOTES.parts)}


def some_notes(rng, notes):
    """Tokens of random notes, rests among them, with `end`."""
    tokens = []
    for _ in range(notes):
        pitch = int(rng.choice([NOTES.rest, 30, 32, 34, 35]))
        chord = STARTS[2] + int(rng.integers(0, 2)) * (pitch != NOTES.rest)
        tokens += [int(rng.integers(1, 5)), pitch, chord]
    return np.array([*tokens, END])


def test_of_notes_only_the_part_that_comes_next_is_probable():
    rng = np.random.default_rng(5)
    pieces = [some_notes(rng, int(rng.integers(0, 12))) for _ in range(12)]
    size = len(NOTES.vocabulary)
    model = NGram.fit(pieces[:9], size, NGramOptions(order=5), allowed_after(NOTES)).tune(pieces[9:])
    tokens = np.full((3, 42), END)
    for row, notes in zip(tokens, (13, 5, 0), strict=True):
        row[: 3 * notes] = some_notes(rng, notes)[:-1]
    whole = model.log_probs(tokens)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0)
    log_p, state = model.start(3)
    for step in range(tokens.shape[1]):
        np.testing.assert_allclose(log_p, whole[:, step], atol=1e-12)
        for melody in range(3):
            part, ended = step % 3, step >= 3 and tokens[melody, step // 3 * 3 - 1] == END
            first, after = NOTES.parts[part] if part else (END, NOTES.parts[0][1])
            if part and tokens[melody, step - part] == END:
                ended = True
            if part == 2 and tokens[melody, step - 1] == NOTES.rest:
                after = first + 1
            first, after = (END, END + 1) if ended else (first, after)
            inside = (np.arange(size) >= first) & (np.arange(size) < after)
            assert (whole[melody, step][~inside] == LOG_ZERO).all()
            assert (whole[melody, step][inside] > -700).all()
        log_p, state = model.step(tokens[:, step], state)


def test_counts_of_what_may_not_come_have_no_weight():
    """A file may hold them."""
    size = len(NOTES.vocabulary)
    pieces = [np.random.default_rng(6).integers(0, size, 60)]
    model = NGram.fit(pieces, size, NGramOptions(order=3), allowed_after(NOTES))
    tokens = np.array([[1, 20, STARTS[2], 2, NOTES.rest, STARTS[2], END, END, END]])
    np.testing.assert_allclose(np.exp(model.log_probs(tokens)).sum(-1), 1.0)
    assert (np.take_along_axis(model.log_probs(tokens), tokens[..., None], 2) > -20).all()
