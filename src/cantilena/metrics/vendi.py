"""The Vendi score: how many different melodies a set is worth.

D. Friedman and A. B. Dieng, The Vendi Score: A Diversity Evaluation Metric for Machine Learning, TMLR 2023
(arXiv:2210.02410): with K the likeness of each of n melodies to each other, 1 on its diagonal, and l the eigenvalues of
K / n,

    VS = exp(-sum l log l)

Here two melodies are as alike as the cosine of their counts of n-grams of (interval, duration) pairs (`ngrams`), the
counts of 1-grams to 4-grams being one vector: 1 if they say the same n-grams equally often, in whatever key, and 0 if
they share none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.metrics.ngrams import ngram_counts
from cantilena.music import Line
from cantilena.rules import tones

LONGEST = 4
"""N-grams of 1 pair to so many are compared."""

LARGEST = 10_000
"""More melodies are refused: their likenesses would fill the memory, their eigenvalues take hours."""


def vendi_score(line: Line) -> float:
    """The effective number of different melodies: 1 where all are the same, n where n have nothing in common.

    A melody of fewer than two notes has no n-gram and is left out. The score rises as a set grows: compare sets of
    equal size.

    Args:
        line: the melodies.

    Returns:
        1 to the number of melodies; NaN where none has two notes.

    Raises:
        UsageError: more than 10,000 melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> up, up_again, down = [14, 16, 18, 1], [19, 21, 23, 1], [23, 21, 19, 1]
        >>> round(vendi_score(GridEncoding().line(np.array([up, up_again, down, down]))), 9)
        2.0
    """
    return _of_kernel(ngram_likeness(line))


def vendi_interval(line: Line, rng: np.random.Generator, *, draws: int = 200, level: float = 0.95) -> Interval:
    """The Vendi score with its interval from half sets (`subsample_interval`).

    Half a set has a much lower score, and a spread to match, so that the score's logarithm is compared. Likenesses are
    computed once; what takes its time are the eigenvalues of the halves, some 2 s for 200 halves of 1,000 melodies.

    Args:
        line: the melodies.
        rng: where the draws come from.
        draws: how many half sets.
        level: how much of the deviations lies between the bounds.

    Raises:
        UsageError: more than 10,000 melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> found = vendi_interval(line, np.random.default_rng(1))
        >>> [round(number, 1) for number in (found.value, found.low, found.high)]
        [68.5, 67.4, 69.9]
    """
    speaks = np.flatnonzero(tones(line).sum(axis=1) > 1)
    kernel = ngram_likeness(line)
    value = _of_kernel(kernel)
    place = np.full(line.melodies, -1)
    place[speaks] = np.arange(len(speaks))
    logarithms = []
    for half in half_sets(line.melodies, rng, draws):
        rows = place[half]
        rows = rows[rows >= 0]
        logarithms.append(math.log(_of_kernel(kernel[np.ix_(rows, rows)])) if len(rows) else math.nan)
    found = interval_of_halves(
        math.log(value) if value > 0 else math.nan, logarithms, line.melodies, level=level, within=(0.0, math.inf)
    )
    return Interval(*(math.exp(number) for number in (found.value, found.low, found.high)))


def _of_kernel(kernel: NDArray[np.float64]) -> float:
    if not len(kernel):
        return math.nan
    share = np.linalg.eigvalsh(kernel) / len(kernel)
    share = share[share > 0.0]  # zeros come out a little below or above
    return float(np.exp(-(share * np.log(share)).sum()))


def ngram_likeness(line: Line) -> NDArray[np.float64]:
    """How alike melodies are, 0 to 1: `(k, k)` for the k melodies that have two notes, in order.

    Args:
        line: the melodies.

    Raises:
        UsageError: more than 10,000 melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ngram_likeness(GridEncoding().line(np.array([[14, 16, 18, 1], [14, 16, 13, 1]]))).round(2).tolist()
        [[1.0, 0.52], [0.52, 1.0]]
    """
    if line.melodies > LARGEST:
        raise UsageError(f"the likeness of {line.melodies} melodies", f"draw {LARGEST} of them or fewer at random")
    by_length = [ngram_counts(line, n) for n in range(1, LONGEST + 1)]
    melody = np.concatenate([counts.melody for counts in by_length])
    count = np.concatenate([counts.count for counts in by_length])
    norm = np.sqrt(np.bincount(melody, weights=count * count, minlength=line.melodies))
    place = np.cumsum(norm > 0) - 1
    ngram = np.concatenate([counts.ngram * LONGEST + n for n, counts in enumerate(by_length)])  # none twice
    order = np.argsort(ngram, kind="stable")
    likeness = _products(ngram[order], place[melody[order]], (count / norm[melody])[order], int((norm > 0).sum()))
    np.fill_diagonal(likeness, 1.0)
    return likeness


def _products(
    ngram: NDArray[np.int64], row: NDArray[np.int64], value: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """The products of all pairs of rows of a sparse matrix, `(rows, rows)`, but for the diagonal.

    The few n-grams that many melodies say are multiplied as a matrix, the many that few say, pair by pair.

    Args:
        ngram: `(entries,)` columns, ascending.
        row: `(entries,)` rows, ascending within a column.
        value: `(entries,)`.
        rows: how many rows.
    """
    products = np.zeros((rows, rows))
    _, column, melodies = np.unique(ngram, return_inverse=True, return_counts=True)
    few = max(rows // 32, 2)
    is_rare = melodies[column] <= few
    rare, row_of, value_of = ngram[is_rare], row[is_rare], value[is_rare]
    for ahead in range(1, few):
        same = rare[ahead:] == rare[:-ahead]
        pairs = row_of[:-ahead][same], row_of[ahead:][same]
        np.add.at(products, pairs, value_of[:-ahead][same] * value_of[ahead:][same])
    products += products.T
    _, column = np.unique(ngram[~is_rare], return_inverse=True)
    table = np.zeros((rows, int(column.max(initial=-1)) + 1))
    table[row[~is_rare], column] = value[~is_rare]
    return np.asarray(products + table @ table.T)
