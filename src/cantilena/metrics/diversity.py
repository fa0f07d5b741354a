"""How many different things melodies say, melodies and n-grams: one tune for ever keeps every rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.distinct_kernels import distinct_in_deals
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.metrics.ngrams import note_ngrams
from cantilena.music import Line


def different_melodies(melodies: Line | NDArray[np.integer[Any]]) -> float:
    """The share of melodies that differ: distinct ones over all, NaN of none.

    Args:
        melodies: a line, whose padding does not count, or tokens `(melodies, steps)`.

    Example:
        >>> different_melodies(np.array([[14, 1], [14, 1], [16, 1], [0, 1]]))
        0.75
    """
    number = melody_numbers(melodies)
    return len(np.unique(number)) / len(number) if len(number) else float("nan")


def melody_numbers(melodies: Line | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """`(melodies,)`: equal numbers from 0 for equal melodies, in order of appearance.

    Example:
        >>> melody_numbers(np.array([[14, 1], [16, 1], [14, 1]])).tolist()
        [0, 1, 0]
    """
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in _rows(melodies)], dtype=np.int64)


def distinct_n(line: Line, n: int) -> float:
    """Distinct n-grams of (interval, duration) pairs over all n-grams of the set; NaN where there are none.

    J. Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, NAACL 2016, over notes
    instead of words. It falls as a set grows: compare sets of equal size.

    Args:
        line: the melodies.
        n: how many pairs in a row, 1 or more; n-grams do not run from one melody into the next.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> up_twice = GridEncoding().line(np.array([[14, 16, 18, 1], [19, 21, 23, 0]]))
        >>> distinct_n(up_twice, 1), distinct_n(up_twice, 2)
        (0.25, 0.5)
    """
    numbers = note_ngrams(line, n).number
    return len(np.unique(numbers)) / len(numbers) if len(numbers) else float("nan")


def different_interval(line: Line, rng: np.random.Generator, *, draws: int = 200) -> Interval:
    """`different_melodies` with its interval from half sets (`intervals.subsample_interval`).

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> different_interval(line, np.random.default_rng(1)).value
        0.75
    """
    return _interval(melody_numbers(line), np.arange(line.melodies), line.melodies, rng, draws)


def distinct_interval(line: Line, n: int, rng: np.random.Generator, *, draws: int = 200) -> Interval:
    """`distinct_n` with its interval from half sets; the n-grams are counted once.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> found = distinct_interval(line, 1, np.random.default_rng(1))
        >>> round(found.value, 3), found.low < found.value < found.high
        (0.04, True)
    """
    ngrams = note_ngrams(line, n)
    number = np.unique(ngrams.number, return_inverse=True)[1].astype(np.int64)
    return _interval(number, ngrams.melody, line.melodies, rng, draws)


def _interval(
    number: NDArray[np.int64], melody: NDArray[np.int64], melodies: int, rng: np.random.Generator, draws: int
) -> Interval:
    if not melodies:
        return Interval(math.nan, math.nan, math.nan)
    everything = np.ones((1, melodies), np.bool_)
    value = float(distinct_in_deals(number, melody, everything)[0, 0])
    shares = distinct_in_deals(number, melody, half_sets(melodies, rng, draws))[:, 0]
    return interval_of_halves(value, shares, melodies)


def _rows(melodies: Line | NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Melodies as rows, equal for equal melodies."""
    if isinstance(melodies, Line):
        rows = np.stack([melodies.event, melodies.pitch, melodies.pitch_classes], axis=2)
        rows[~melodies.valid] = -2  # unlike any event: melodies of different lengths differ
        return rows
    tokens = np.asarray(melodies)
    if tokens.ndim != 2:
        raise UsageError(f"tokens of shape {tokens.shape}", "give tokens of shape (melodies, steps)")
    return tokens
