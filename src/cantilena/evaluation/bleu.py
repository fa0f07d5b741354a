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
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.evaluation.ngrams import NgramCounts, ngram_counts
from cantilena.music import Line

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
        >>> from cantilena.encoding import GridEncoding
        >>> from cantilena.evaluation import subsample_interval
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> found = subsample_interval(self_bleu, line, np.random.default_rng(1))
        >>> [round(number, 3) for number in (found.value, found.low, found.high)]
        [0.129, 0.115, 0.142]
    """
    if n < 1:
        raise UsageError(f"self-BLEU-{n}", "give n-grams of 1 pair or more")
    pairs = ngram_counts(line, 1)
    length = _by_melody(pairs, pairs.count, line.melodies)
    judged = length > 0
    if np.count_nonzero(judged) < 2:
        return float("nan")
    log_p, orders = np.zeros(line.melodies), np.zeros(line.melodies)
    for k in range(1, n + 1):
        counts = ngram_counts(line, k)
        out_of = _by_melody(counts, counts.count, line.melodies)
        met = _by_melody(counts, _met(counts), line.melodies)
        has = out_of > 0
        log_p[has] += np.log(np.maximum(met[has], _EPSILON) / out_of[has])
        orders += has
    bleu = _brevity(length[judged]) * np.exp(log_p[judged] / orders[judged])
    return float(bleu.mean())


def _met(counts: NgramCounts) -> NDArray[np.int64]:
    """How many of a melody's k-grams of one kind are met in another melody, `(entries,)`.

    Only the melody that says a k-gram most often can say it more often than the others do: there the second counts.
    """
    if not len(counts.ngram):
        return counts.count
    order = np.lexsort((counts.count, counts.ngram))
    ngram, count = counts.ngram[order], counts.count[order]
    begins = np.append(True, ngram[1:] != ngram[:-1])
    says_most = np.append(begins[1:], True)
    second = np.where(begins, 0, np.append(0, count[:-1]))
    met = np.empty_like(count)
    met[order] = np.where(says_most, second, count)
    return met


def _brevity(length: NDArray[np.int64]) -> NDArray[np.float64]:
    """min(1, exp(1 - r / c)) of each melody, `(melodies,)`, from their numbers of pairs."""
    lengths, place, melodies = np.unique(length, return_inverse=True, return_counts=True)
    neighbours = np.concatenate([[-np.inf], lengths, [np.inf]])
    shorter, longer = neighbours[place], neighbours[place + 2]
    nearest = np.where(length - shorter <= longer - length, shorter, longer)
    reference = np.where(melodies[place] > 1, length, nearest)
    return np.asarray(np.exp(np.minimum(0.0, 1.0 - reference / length)))


def _by_melody(counts: NgramCounts, values: NDArray[np.int64], melodies: int) -> NDArray[np.int64]:
    """The sum of values over the entries of each melody, `(melodies,)`."""
    sums = np.zeros(melodies, np.int64)
    np.add.at(sums, counts.melody, values)
    return sums
