"""The Vendi score: how many different melodies a set is worth.

D. Friedman and A. B. Dieng, The Vendi Score: A Diversity Evaluation Metric for Machine Learning, TMLR 2023
(arXiv:2210.02410): with K the similarity matrix of n melodies, 1 on its diagonal, and l the eigenvalues of K / n,

    VS = exp(-sum l log l)

Here the similarity of two melodies is the cosine of their counts of n-grams of (interval, duration) pairs (`ngrams`),
1-grams to 4-grams in one vector: 1 if they have the same n-grams equally often, in any key, and 0 if they share none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.metrics.ngrams import ngram_counts
from cantilena.music import Line
from cantilena.rules import Metric, tones

METRICS = (
    Metric(
        "vendi",
        "Vendi score",
        "The number of melodies with nothing in common that would be as diverse: 1 where all are the same; similarity "
        "is the cosine of the counts of runs of one to four (interval, duration) pairs; it rises as a set grows.",
        unit="number",
    ),
)

LONGEST = 4
"""The longest n-grams that are compared."""

LARGEST = 10_000
"""The most melodies that are accepted: the matrix of more would fill the memory, its eigenvalues take hours."""


def vendi_score(line: Line) -> float:
    """The effective number of different melodies: 1 where all are the same, n where n have nothing in common.

    A melody of fewer than two notes has no n-gram and is left out. The score rises as a set grows: compare sets of
    equal size.

    Returns:
        1 to the number of melodies; NaN where none has two notes.

    Raises:
        UsageError: there are more than 10,000 melodies.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> up, up_again, down = [14, 16, 18, 1], [19, 21, 23, 1], [23, 21, 19, 1]
        >>> round(vendi_score(GridEncoding().line(np.array([up, up_again, down, down]))), 9)
        2.0
    """
    return _score(ngram_similarity(line))


def vendi_interval(line: Line, rng: np.random.Generator, *, draws: int = 200, level: float = 0.95) -> Interval:
    """The Vendi score with its interval from half sets (`subsample_interval`).

    Half a set has a much lower score with a smaller spread, so the interval is taken of its logarithm. The similarity
    matrix is computed once; the eigenvalues of the halves take most of the time, 2 s for 200 halves of 1,000 melodies.

    Raises:
        UsageError: there are more than 10,000 melodies.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> interval = vendi_interval(line, np.random.default_rng(1))
        >>> [round(number, 1) for number in (interval.value, interval.low, interval.high)]
        [68.5, 67.4, 69.9]
    """
    has_ngrams = np.flatnonzero(tones(line).sum(axis=1) > 1)
    kernel = ngram_similarity(line)
    value = _score(kernel)
    row_of = np.full(line.melodies, -1)
    row_of[has_ngrams] = np.arange(len(has_ngrams))
    logarithms = []
    for half in half_sets(line.melodies, rng, draws):
        rows = row_of[half]
        rows = rows[rows >= 0]
        logarithms.append(math.log(_score(kernel[np.ix_(rows, rows)])) if len(rows) else math.nan)
    interval = interval_of_halves(
        math.log(value) if value > 0 else math.nan, logarithms, line.melodies, level=level, within=(0.0, math.inf)
    )
    return Interval(*(math.exp(number) for number in (interval.value, interval.low, interval.high)))


def _score(kernel: NDArray[np.float64]) -> float:
    if not len(kernel):
        return math.nan
    share = np.linalg.eigvalsh(kernel) / len(kernel)
    share = share[share > 0.0]  # rounding makes zeros slightly negative or positive
    return float(np.exp(-(share * np.log(share)).sum()))


def ngram_similarity(line: Line) -> NDArray[np.float64]:
    """The similarity of melodies, 0 to 1: `(k, k)` for the k melodies with at least two notes, in order.

    Raises:
        UsageError: there are more than 10,000 melodies.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ngram_similarity(GridEncoding().line(np.array([[14, 16, 18, 1], [14, 16, 13, 1]]))).round(2).tolist()
        [[1.0, 0.52], [0.52, 1.0]]
    """
    if line.melodies > LARGEST:
        raise UsageError(f"the Vendi score of {line.melodies} melodies", f"draw at most {LARGEST} of them at random")
    by_length = [ngram_counts(line, n) for n in range(1, LONGEST + 1)]
    melody = np.concatenate([counts.melody for counts in by_length])
    count = np.concatenate([counts.count for counts in by_length])
    norm = np.sqrt(np.bincount(melody, weights=count * count, minlength=line.melodies))
    row = np.cumsum(norm > 0) - 1
    ngram = np.concatenate([counts.ngram * LONGEST + n for n, counts in enumerate(by_length)])  # distinct by length
    order = np.argsort(ngram, kind="stable")
    values = (count / norm[melody])[order]
    similarity = _row_products(ngram[order], row[melody[order]], values, int((norm > 0).sum()))
    np.fill_diagonal(similarity, 1.0)
    return similarity


def _row_products(
    ngram: NDArray[np.int64], row: NDArray[np.int64], value: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """The dot products of all pairs of rows of a sparse matrix, `(rows, rows)`, except the diagonal.

    Columns with many entries, which are few, are multiplied as a matrix, the many others pair by pair.

    Args:
        ngram: `(entries,)` columns, ascending.
        row: `(entries,)` rows, ascending within a column.
        value: `(entries,)`.
        rows: the number of rows.
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
