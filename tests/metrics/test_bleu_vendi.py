"""Self-BLEU and the Vendi score against plain Python and by hand."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics import (
    matched_notes,
    ngram_counts,
    ngram_similarity,
    self_bleu,
    subsample_interval,
    vendi_interval,
    vendi_score,
)
from cantilena.metrics.vendi import LARGEST
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

grids = st.integers(1, 14).flatmap(
    lambda steps: st.lists(
        st.lists(st.sampled_from([0, 1, 14, 14, 16, 18]), min_size=steps, max_size=steps), min_size=1, max_size=7
    )
)
Pair = tuple[int, int]


def line_of(*melodies: list[int]) -> Line:
    return GridEncoding().line(np.array(melodies))


def pairs_of(melody: list[int]) -> list[Pair]:
    grid = GridEncoding()
    notes = grid.decode(melody).sounding
    return [(after.top - before.top, before.duration // grid.ticks_per_step) for before, after in pairwise(notes)]


def runs(pairs: list[Pair], n: int) -> Counter[tuple[Pair, ...]]:
    return Counter(tuple(pairs[start : start + n]) for start in range(len(pairs) - n + 1))


def plain_bleu(melody: list[Pair], others: list[list[Pair]], n: int) -> float:
    logarithms = []
    for k in range(1, min(n, len(melody)) + 1):
        met = sum(min(count, max(runs(other, k)[run] for other in others)) for run, count in runs(melody, k).items())
        logarithms.append(math.log((met or 0.1) / (len(melody) - k + 1)))
    nearest = min((abs(len(other) - len(melody)), len(other)) for other in others)[1]
    brevity = 1.0 if nearest <= len(melody) else math.exp(1 - nearest / len(melody))
    return brevity * math.exp(sum(logarithms) / len(logarithms))


def plain_self_bleu(melodies: list[list[int]], n: int) -> float:
    spoken = [pairs for melody in melodies if (pairs := pairs_of(melody))]
    if len(spoken) < 2:
        return math.nan
    each = [plain_bleu(pairs, spoken[:row] + spoken[row + 1 :], n) for row, pairs in enumerate(spoken)]
    return sum(each) / len(each)


def plain_likeness(melodies: list[list[int]]) -> list[list[float]]:
    spoken = [pairs for melody in melodies if (pairs := pairs_of(melody))]
    vectors = [sum((runs(pairs, n) for n in range(1, 5)), Counter()) for pairs in spoken]
    lengths = [math.sqrt(sum(count**2 for count in vector.values())) for vector in vectors]
    return [
        [sum(a[run] * b[run] for run in a) / (lengths[i] * lengths[j]) for j, b in enumerate(vectors)]
        for i, a in enumerate(vectors)
    ]


def singular_vendi(kernel: NDArray[np.float64]) -> float:
    """The same by singular values; those of a kernel are its eigenvalues."""
    values = np.linalg.svd(np.array(kernel) / len(kernel), compute_uv=False)
    return math.exp(-sum(value * math.log(value) for value in values.tolist() if value > 1e-12))


@settings(max_examples=40, deadline=None)
@given(melodies=grids, n=st.integers(1, 5))
def test_ngrams_are_counted_by_melody(melodies: list[list[int]], n: int) -> None:
    found = ngram_counts(line_of(*melodies), n)
    plain = [(row, count) for row, melody in enumerate(melodies) for count in runs(pairs_of(melody), n).values()]
    assert sorted(zip(found.melody.tolist(), found.count.tolist(), strict=True)) == sorted(plain)
    kinds = {run for melody in melodies for run in runs(pairs_of(melody), n)}
    assert sorted(set(found.ngram.tolist())) == list(range(len(kinds)))


@settings(max_examples=40, deadline=None)
@given(melodies=grids, n=st.integers(1, 5))
def test_self_bleu_equals_a_plain_count(melodies: list[list[int]], n: int) -> None:
    assert self_bleu(line_of(*melodies), n) == pytest.approx(plain_self_bleu(melodies, n), nan_ok=True)


def test_self_bleu_by_hand() -> None:
    # Pairs: +2 +2 +1, and +2 +2 -5; the first of them two pairs, +2 +2, the third +7.
    line = line_of([14, 16, 18, 19], [14, 16, 18, 13], [14, 21, 1, 1])
    alike = (Fraction(2, 3) * Fraction(1, 2) * Fraction(1, 10)) ** (1 / 3)  # no 3-gram is met: a tenth of one
    alone = math.exp(1 - 3 / 1) * 0.1
    assert self_bleu(line) == pytest.approx((2 * float(alike) + alone) / 3)
    assert self_bleu(line[:2], n=2) == pytest.approx(math.sqrt(2 / 3 * 1 / 2))


def test_a_reference_lends_a_run_as_often_as_it_says_it() -> None:
    often, once = [14] * 5, [14, 14, 21, 9, 23]
    # +0 is said four times and once: of the first melody one is met, of the second one in four.
    assert self_bleu(line_of(often, once), n=1) == pytest.approx(1 / 4)


@settings(max_examples=40, deadline=None)
@given(melodies=grids)
def test_the_vendi_score_equals_a_plain_count(melodies: list[list[int]]) -> None:
    line, plain = line_of(*melodies), np.array(plain_likeness(melodies))
    assert ngram_similarity(line).shape == (len(plain), len(plain))
    if not len(plain):
        assert math.isnan(vendi_score(line))
        return
    np.testing.assert_allclose(ngram_similarity(line), plain, atol=1e-12)
    assert vendi_score(line) == pytest.approx(singular_vendi(plain))
    assert 1 - 1e-9 <= vendi_score(line) <= len(plain) + 1e-9


def test_rare_and_frequent_ngrams_are_multiplied_alike() -> None:
    melodies = walks(100, steps=12, seed=1).tolist()
    np.testing.assert_allclose(ngram_similarity(line_of(*melodies)), plain_likeness(melodies), atol=1e-12)


def test_the_vendi_score_by_hand() -> None:
    half = line_of([14, 14, 16, 1], [14, 14, 13, 1])  # one 1-gram of two, no 2-gram: cosine 1 / 3
    low, high = (1 - 1 / 3) / 2, (1 + 1 / 3) / 2
    assert vendi_score(half) == pytest.approx(math.exp(-low * math.log(low) - high * math.log(high)))
    unlike = line_of([14, 15, 1, 1], [14, 16, 1, 1], [14, 17, 1, 1], [14, 18, 1, 1])
    assert vendi_score(unlike) == pytest.approx(4.0)


@pytest.mark.parametrize("melody", [[14, 16, 18, 19, 21, 1, 14, 1], [14, 16, 1, 1, 1, 1, 1, 1]])
def test_one_tune_for_ever_is_seen(melody: list[int]) -> None:
    line = line_of(*[melody] * 300)
    assert self_bleu(line) == 1.0
    assert vendi_score(line) == pytest.approx(1.0)
    moved = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + np.arange(300)[:, None] % 20, -1))
    assert self_bleu(moved) == 1.0
    assert vendi_score(moved) == pytest.approx(1.0)


def test_melodies_without_notes_say_nothing() -> None:
    silence, one_note = [0] * 8, [14, *[1] * 7]
    tune, other = [14, 16, 18, 1, 14, 1, 0, 1], [14, 21, 9, 1, 14, 1, 0, 1]
    nothing = GridEncoding().line(np.zeros((0, 8), dtype=int))
    for line in (nothing, line_of(silence), line_of(silence, one_note), line_of(silence)[:0]):
        assert math.isnan(self_bleu(line))
        assert math.isnan(vendi_score(line))
        assert ngram_similarity(line).shape == (0, 0)
        assert math.isnan(vendi_interval(line, np.random.default_rng(1)).value)
    assert math.isnan(self_bleu(GridEncoding().line(np.zeros((3, 0), dtype=int))))
    assert math.isnan(self_bleu(line_of(tune)))
    assert math.isnan(self_bleu(line_of(tune, silence)))
    assert vendi_score(line_of(tune)) == vendi_score(line_of(silence, tune)) == pytest.approx(1.0)
    assert self_bleu(line_of(tune, silence, other, one_note)) == self_bleu(line_of(tune, other))
    assert vendi_score(line_of(tune, silence, other, one_note)) == pytest.approx(vendi_score(line_of(tune, other)))


def test_padding_does_not_count() -> None:
    tokens = np.array([[14, 16, 18, 33, 2], [14, 16, 18, 2, 9]])
    padded = GridEncoding().line(tokens, length=np.array([3, 3]))
    assert self_bleu(padded) == 1.0
    assert vendi_score(padded) == pytest.approx(1.0)


def test_wrong_questions_are_answered() -> None:
    with pytest.raises(UsageError):
        self_bleu(line_of([14, 16]), 0)
    with pytest.raises(UsageError, match="10001 melodies"):
        vendi_score(GridEncoding().line(np.zeros((LARGEST + 1, 1), dtype=int)))


def walks(melodies: int, *, steps: int, seed: int) -> NDArray[np.int64]:
    """Melodies that move by small steps, with holds."""
    rng = np.random.default_rng(seed)
    pitch = 20 + rng.integers(-2, 3, (melodies, steps)).cumsum(axis=1)
    return np.where(rng.random((melodies, steps)) < 0.4, 1, np.clip(pitch, 2, 37)).astype(np.int64)


def test_intervals_are_as_wide_as_numbers_of_other_sets_differ() -> None:
    grid, size = GridEncoding(), 120
    sets = [grid.line(walks(size, steps=24, seed=100 + seed)) for seed in range(40)]
    rng = np.random.default_rng(3)
    for value, interval in (
        (self_bleu, lambda line: subsample_interval(self_bleu, line, rng, draws=50)),
        (vendi_score, lambda line: vendi_interval(line, rng, draws=50)),
    ):
        spread = float(np.std([value(line) for line in sets], ddof=1))
        said = np.mean([(found.high - found.low) / 3.92 for found in map(interval, sets[:6])])
        assert 0.7 < said / spread < 1.4


def test_equal_sets_are_compared() -> None:
    grid = GridEncoding()
    many, few = grid.line(walks(400, steps=24, seed=4)), grid.line(walks(100, steps=24, seed=5))
    ours, theirs = matched_notes(many, few, rng=np.random.default_rng(6))
    assert vendi_score(ours) == pytest.approx(vendi_score(theirs), rel=0.15)
    assert self_bleu(ours) == pytest.approx(self_bleu(theirs), rel=0.15)
    assert vendi_score(many) > 1.5 * vendi_score(few)
    assert self_bleu(many) > self_bleu(few)
