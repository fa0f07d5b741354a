"""Self-BLEU: how much of each melody could be put together from the others.

Y. Zhu et al., Texygen: A Benchmarking Platform for Text Generation Models, SIGIR 2018: the mean BLEU of each text with
all others as its references. Here the words are the (interval, duration) pairs of `ngrams`. BLEU as in K. Papineni et
al., BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002: of a melody of c pairs

    BLEU = min(1, exp(1 - r / c)) exp(mean over k = 1..n of log p_k)

where p_k is the share of its k-grams that are met in another melody, each as often at most as the other melody that
says it most often does, and r is the number of pairs of the other melody nearest in length, the shorter of two.

BLEU was made for whole texts. A single melody is smoothed: where none of its k-grams is met, a tenth of one is counted
(method 1 of B. Chen and C. Cherry, A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU, WMT 2014,
with epsilon 0.1), and a melody of fewer than n pairs is judged by the lengths of n-grams that it has.

How many n-grams of a melody are met in others: the loop of self-BLEU, compiled when it first runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.metrics.ngrams import NgramCounts, ngram_counts
from cantilena.music import Line
from cantilena.runtime import compiled

Numbers = NDArray[np.int64]


@compiled
def met_elsewhere(ngram: Numbers, melody: Numbers, count: Numbers, inside: NDArray[np.bool_]) -> Numbers:
    """How many n-grams of each melody are met in another one of those inside, `(melodies,)`.

    Each counts as often at most as the other melody that says it most often does. Only the melody that says an n-gram
    most often can say it more often than the others do: there the second counts.

    Args:
        ngram: `(entries,)`, ascending.
        melody: `(entries,)`: who says it.
        count: `(entries,)`: how often, falling within an n-gram.
        inside: `(melodies,)`: who is of the set.
    """
    met = np.zeros(len(inside), np.int64)
    first = -1
    waits = False  # whether the one who says it most often still waits for a second
    for entry in range(len(ngram)):
        if not inside[melody[entry]]:
            continue
        if first < 0 or ngram[entry] != ngram[first]:
            first, waits = entry, True
            continue
        if waits:
            met[melody[first]] += count[entry]
            waits = False
        met[melody[entry]] += count[entry]
    return met


_EPSILON = 0.1
"""What is counted where nothing is met."""


def self_bleu(line: Line, n: int = 4) -> float:
    """The mean BLEU of each melody against all others: 1 where all are the same, near 0 where all are new.

    A melody of fewer than two notes has no pair: it is neither judged nor a reference. It rises as a set grows: compare
    sets of equal size.

    Args:
        line: the melodies.
        n: up to how many pairs in a row, 1 or more.

    Returns:
        0 to 1; NaN where fewer than two melodies have two notes.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> round(self_bleu(GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))), 3)
        0.129
    """
    return _Spoken.by(line, n).bleu(np.ones(line.melodies, np.bool_))


def self_bleu_interval(line: Line, rng: np.random.Generator, *, n: int = 4, draws: int = 200) -> Interval:
    """`self_bleu` with its interval from half sets (`intervals.subsample_interval`); n-grams are counted once.

    Args:
        line: the melodies.
        rng: where the draws come from.
        n: up to how many pairs in a row, 1 or more.
        draws: how many half sets.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> found = self_bleu_interval(line, np.random.default_rng(1))
        >>> found.low < found.value < found.high
        True
    """
    spoken = _Spoken.by(line, n)
    value = spoken.bleu(np.ones(line.melodies, np.bool_))
    return interval_of_halves(
        value, [spoken.bleu(half) for half in half_sets(line.melodies, rng, draws)], line.melodies
    )


@dataclass(frozen=True)
class _Spoken:
    """What the melodies of a set say.

    Args:
        counts: of 1-grams to n-grams, each sorted by n-gram, those who say one most often first.
        out_of: `(n, melodies)`: how many k-grams each melody has.
    """

    counts: tuple[NgramCounts, ...]
    out_of: NDArray[np.int64]

    @classmethod
    def by(cls, line: Line, n: int) -> _Spoken:
        if n < 1:
            raise UsageError(f"self-BLEU-{n}", "give n-grams of 1 pair or more")
        counts = []
        out_of = np.zeros((n, line.melodies), np.int64)
        for k in range(n):
            found = ngram_counts(line, k + 1)
            order = np.lexsort((-found.count, found.ngram))
            counts.append(NgramCounts(found.ngram[order], found.melody[order], found.count[order]))
            np.add.at(out_of[k], found.melody, found.count)
        return cls(tuple(counts), out_of)

    def bleu(self, inside: NDArray[np.bool_]) -> float:
        """The mean over some of the melodies, as if there were no others."""
        judged = inside & (self.out_of[0] > 0)
        if np.count_nonzero(judged) < 2:
            return float("nan")
        log_p, orders = np.zeros(len(inside)), np.zeros(len(inside))
        for counts, out_of in zip(self.counts, self.out_of, strict=True):
            met = met_elsewhere(counts.ngram, counts.melody, counts.count, inside)
            has = judged & (out_of > 0)
            log_p[has] += np.log(np.maximum(met[has], _EPSILON) / out_of[has])
            orders += has
        bleu = _brevity(self.out_of[0][judged]) * np.exp(log_p[judged] / orders[judged])
        return float(bleu.mean())


def _brevity(length: NDArray[np.int64]) -> NDArray[np.float64]:
    """min(1, exp(1 - r / c)) of each melody, `(melodies,)`, from their numbers of pairs."""
    lengths, place, melodies = np.unique(length, return_inverse=True, return_counts=True)
    neighbours = np.concatenate([[-np.inf], lengths, [np.inf]])
    shorter, longer = neighbours[place], neighbours[place + 2]
    nearest = np.where(length - shorter <= longer - length, shorter, longer)
    reference = np.where(melodies[place] > 1, length, nearest)
    return np.asarray(np.exp(np.minimum(0.0, 1.0 - reference / length)))
