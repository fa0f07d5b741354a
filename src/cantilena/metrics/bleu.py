"""Self-BLEU: how much of each melody could be assembled from the others.

Y. Zhu et al., Texygen: A Benchmarking Platform for Text Generation Models, SIGIR 2018: the mean BLEU of each text with
all others as references. Here the words are the (interval, duration) pairs of `ngrams`. BLEU as in K. Papineni et al.,
BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002, for a melody of c pairs:

    BLEU = min(1, exp(1 - r / c)) exp(mean over k = 1..n of log p_k)

where p_k is the share of its k-grams that occur in another melody, each counted at most as often as in the other melody
with most of it, and r is the number of pairs of the other melody nearest in length, the shorter of two.

BLEU was made for whole corpora; single melodies are smoothed: where none of its k-grams occurs elsewhere, a tenth of
one is counted (method 1 of B. Chen and C. Cherry, A Systematic Comparison of Smoothing Techniques for Sentence-Level
BLEU, WMT 2014, with epsilon 0.1), and a melody of fewer than n pairs is scored by the n-grams that it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.metrics.ngrams import NgramCounts, Numbers, ngram_counts
from cantilena.music import Line
from cantilena.rules import Metric
from cantilena.runtime import compiled

METRICS = (
    Metric(
        "self_bleu_4",
        "Self-BLEU-4",
        "How much of a melody could be assembled from the others: its mean BLEU against them, over runs of one to four "
        "(interval, duration) pairs; 1 where all are the same; it rises as a set grows.",
        unit="number",
    ),
)

_EPSILON = 0.1
"""The count where no k-gram occurs elsewhere."""


def self_bleu(line: Line, n: int = 4) -> float:
    """The mean BLEU of each melody against all others: 1 where all are the same, near 0 where all are new.

    A melody of fewer than two notes has no pair: it is neither scored nor a reference. It rises as a set grows: compare
    sets of equal size.

    Returns:
        0 to 1; NaN where fewer than two melodies have two notes.

    Raises:
        UsageError: n is below 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> round(self_bleu(GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))), 3)
        0.129
    """
    return _SortedNgrams.from_line(line, n).bleu(np.ones(line.melodies, np.bool_))


def self_bleu_interval(line: Line, rng: np.random.Generator, *, n: int = 4, draws: int = 200) -> Interval:
    """`self_bleu` with its interval from half sets (`intervals.subsample_interval`); n-grams are counted once.

    Raises:
        UsageError: n is below 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> interval = self_bleu_interval(line, np.random.default_rng(1))
        >>> interval.low < interval.value < interval.high
        True
    """
    ngrams = _SortedNgrams.from_line(line, n)
    value = ngrams.bleu(np.ones(line.melodies, np.bool_))
    halves = [ngrams.bleu(half) for half in half_sets(line.melodies, rng, draws)]
    return interval_of_halves(value, halves, line.melodies)


@dataclass(frozen=True)
class _SortedNgrams:
    """The n-grams of a set of melodies.

    Args:
        counts: of 1-grams to n-grams, each sorted by n-gram, melodies with most of it first.
        out_of: `(n, melodies)`: the number of k-grams of each melody.
    """

    counts: tuple[NgramCounts, ...]
    out_of: Numbers

    @classmethod
    def from_line(cls, line: Line, n: int) -> _SortedNgrams:
        if n < 1:
            raise UsageError(f"self-BLEU-{n}", "n must be at least 1")
        counts = []
        out_of = np.zeros((n, line.melodies), np.int64)
        for k in range(n):
            ngrams = ngram_counts(line, k + 1)
            order = np.lexsort((-ngrams.count, ngrams.ngram))
            counts.append(NgramCounts(ngrams.ngram[order], ngrams.melody[order], ngrams.count[order]))
            np.add.at(out_of[k], ngrams.melody, ngrams.count)
        return cls(tuple(counts), out_of)

    def bleu(self, inside: NDArray[np.bool_]) -> float:
        """The mean over some of the melodies, as if there were no others."""
        scored = inside & (self.out_of[0] > 0)
        if np.count_nonzero(scored) < 2:
            return float("nan")
        log_p, orders = np.zeros(len(inside)), np.zeros(len(inside))
        for counts, out_of in zip(self.counts, self.out_of, strict=True):
            matches = _matches_elsewhere(counts.ngram, counts.melody, counts.count, inside)
            has = scored & (out_of > 0)
            log_p[has] += np.log(np.maximum(matches[has], _EPSILON) / out_of[has])
            orders += has
        bleu = _brevity(self.out_of[0][scored]) * np.exp(log_p[scored] / orders[scored])
        return float(bleu.mean())


@compiled
def _matches_elsewhere(ngram: Numbers, melody: Numbers, count: Numbers, inside: NDArray[np.bool_]) -> Numbers:
    """The number of n-grams of each melody that occur in another one of those inside, `(melodies,)`.

    Each is clipped to its count in the other melody with most of it. Only the melody with most of an n-gram can have
    more than the others do: there the second count applies.

    Args:
        ngram: `(entries,)`, ascending.
        melody: `(entries,)`: where it occurs.
        count: `(entries,)`: how often, descending within an n-gram.
        inside: `(melodies,)`: which melodies are in the set.
    """
    matches = np.zeros(len(inside), np.int64)
    first = -1
    pending = False  # whether the melody with most of it still waits for the second count
    for entry in range(len(ngram)):
        if not inside[melody[entry]]:
            continue
        if first < 0 or ngram[entry] != ngram[first]:
            first, pending = entry, True
            continue
        if pending:
            matches[melody[first]] += count[entry]
            pending = False
        matches[melody[entry]] += count[entry]
    return matches


def _brevity(length: Numbers) -> NDArray[np.float64]:
    """min(1, exp(1 - r / c)) of each melody, `(melodies,)`, from their numbers of pairs."""
    lengths, place, melodies = np.unique(length, return_inverse=True, return_counts=True)
    neighbours = np.concatenate([[-np.inf], lengths, [np.inf]])
    shorter, longer = neighbours[place], neighbours[place + 2]
    nearest = np.where(length - shorter <= longer - length, shorter, longer)
    reference = np.where(melodies[place] > 1, length, nearest)
    return np.asarray(np.exp(np.minimum(0.0, 1.0 - reference / length)))
