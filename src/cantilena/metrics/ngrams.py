"""N-grams of notes, and the share of different melodies and n-grams in a set.

A pair is the duration of a note in steps and the interval from its top pitch to that of the next note. The last note of
a melody has no pair, since an excerpt may cut it short. Pairs are invariant under transposition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves, ratios
from cantilena.music import HOLD, Line
from cantilena.rules import Metric, lengths, tones
from cantilena.runtime import compiled

METRICS = (
    Metric(
        "different_melodies",
        "Different melodies",
        "The number of different melodies, as a share of all: near 0 for a model that found one good melody and always "
        "plays it.",
        better="more",
    ),
    *(
        Metric(
            f"distinct_{n}",
            f"Distinct-{n}",
            f"The share of different ones among all {'runs of ' + str(n) + ' ' if n > 1 else ''}(interval, duration) "
            "pairs; it falls as a set grows.",
        )
        for n in (1, 2, 3, 4)
    ),
)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ngrams:
    """All n-grams of a set of melodies, in order.

    Args:
        number: `(ngrams,)`: equal numbers for equal n-grams.
        melody: `(ngrams,)`: the melody that each is from.
    """

    number: Numbers
    melody: Numbers


def note_ngrams(line: Line, n: int) -> Ngrams:
    """Every n consecutive (interval, duration) pairs of each melody.

    Raises:
        UsageError: n is below 1.
    """
    if n < 1:
        raise UsageError(f"n-grams of {n} pairs", "n must be at least 1")
    melody, step = np.nonzero(tones(line))
    pitch = line.pitch[melody, step].astype(np.int64)
    duration = _ends(line)[melody, step] - step
    follows = melody[1:] == melody[:-1]
    pair, melody = _joined(np.diff(pitch)[follows], duration[:-1][follows]), melody[:-1][follows]
    number = pair
    for ahead in range(1, n):
        number = _joined(number[:-1], pair[ahead:])
    begins = melody[: len(number)]
    inside = begins == melody[n - 1 :]  # melodies are contiguous: the pairs between are of the same one
    return Ngrams(number[inside], begins[inside])


def _ends(line: Line) -> Numbers:
    """The step at which what begins at each step ends: the next that is not a hold, or the end of the melody."""
    steps, length = np.arange(line.steps), lengths(line)[:, None]
    changes = np.where((line.event != HOLD) & (steps < length), steps, length)
    upcoming = np.minimum.accumulate(changes[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([upcoming[:, 1:], length], axis=1)[:, : line.steps]


def _joined(first: Numbers, second: Numbers) -> Numbers:
    """Pairs of numbers as one number each, 0 or more, equal for equal pairs."""
    if not len(first):
        return first
    first, second = first - first.min(), second - second.min()
    size = int(second.max()) + 1
    if int(first.max()) + 1 > 2**62 // size:  # avoid overflow: renumber from 0
        first = np.unique(first, return_inverse=True)[1].astype(np.int64)
    return first * size + second


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """How often each n-gram occurs in each melody, by melody.

    Args:
        ngram: `(entries,)`: the n-grams, numbered from 0.
        melody: `(entries,)`: the melody, ascending.
        count: `(entries,)`: how often it occurs there, 1 or more.
    """

    ngram: Numbers
    melody: Numbers
    count: Numbers


def ngram_counts(line: Line, n: int) -> NgramCounts:
    """Count the n-grams of consecutive (interval, duration) pairs in each melody.

    Raises:
        UsageError: n is below 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> counts = ngram_counts(GridEncoding().line(np.array([[14, 16, 18, 1], [14, 19, 21, 23]])), 1)
        >>> counts.ngram.tolist(), counts.melody.tolist(), counts.count.tolist()
        ([0, 0, 1], [0, 1, 1], [2, 2, 1])
    """
    ngrams = note_ngrams(line, n)
    numbers, ngram = np.unique(ngrams.number, return_inverse=True)
    kinds = max(len(numbers), 1)
    entry, count = np.unique(ngrams.melody * kinds + ngram, return_counts=True)
    melody, ngram = np.divmod(entry, kinds)
    return NgramCounts(ngram, melody, count.astype(np.int64))


def different_melodies(melodies: Line | NDArray[np.integer[Any]]) -> float:
    """The number of distinct melodies over that of all; NaN if there are none.

    Args:
        melodies: a line, without its padding, or tokens `(melodies, steps)`.

    Examples:
        >>> different_melodies(np.array([[14, 1], [14, 1], [16, 1], [0, 1]]))
        0.75
    """
    number = melody_numbers(melodies)
    return len(np.unique(number)) / len(number) if len(number) else float("nan")


def melody_numbers(melodies: Line | NDArray[np.integer[Any]]) -> Numbers:
    """`(melodies,)`: equal numbers from 0 for equal melodies, in order of appearance.

    Examples:
        >>> melody_numbers(np.array([[14, 1], [16, 1], [14, 1]])).tolist()
        [0, 1, 0]
    """
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in _rows(melodies)], dtype=np.int64)


def _rows(melodies: Line | NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Melodies as rows, equal for equal melodies."""
    if isinstance(melodies, Line):
        rows = np.stack([melodies.event, melodies.pitch, melodies.pitch_classes], axis=2)
        rows[~melodies.valid] = -2  # unlike any event, so that melodies of different lengths differ
        return rows
    tokens = np.asarray(melodies)
    if tokens.ndim != 2:
        raise UsageError(f"tokens have shape {tokens.shape}", "give tokens of shape (melodies, steps)")
    return tokens


def distinct_n(line: Line, n: int) -> float:
    """The number of distinct n-grams of (interval, duration) pairs over that of all in the set; NaN without any.

    J. Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, NAACL 2016, over notes
    instead of words; n-grams do not span melodies. It falls as a set grows: compare sets of equal size.

    Raises:
        UsageError: n is below 1.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> up_twice = GridEncoding().line(np.array([[14, 16, 18, 1], [19, 21, 23, 0]]))
        >>> distinct_n(up_twice, 1), distinct_n(up_twice, 2)
        (0.25, 0.5)
    """
    numbers = note_ngrams(line, n).number
    return len(np.unique(numbers)) / len(numbers) if len(numbers) else float("nan")


def different_melodies_interval(line: Line, rng: np.random.Generator, *, draws: int = 200) -> Interval:
    """`different_melodies` with its interval from half sets (`intervals.subsample_interval`).

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> different_melodies_interval(line, np.random.default_rng(1)).value
        0.75
    """
    return _interval(melody_numbers(line), np.arange(line.melodies), line.melodies, rng, draws)


def distinct_interval(line: Line, n: int, rng: np.random.Generator, *, draws: int = 200) -> Interval:
    """`distinct_n` with its interval from half sets; the n-grams are counted once.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(1, 18, (100, 16)))
        >>> interval = distinct_interval(line, 1, np.random.default_rng(1))
        >>> round(interval.value, 3), interval.low < interval.value < interval.high
        (0.04, True)
    """
    ngrams = note_ngrams(line, n)
    number = np.unique(ngrams.number, return_inverse=True)[1].astype(np.int64)
    return _interval(number, ngrams.melody, line.melodies, rng, draws)


def _interval(number: Numbers, melody: Numbers, melodies: int, rng: np.random.Generator, draws: int) -> Interval:
    if not melodies:
        return Interval(math.nan, math.nan, math.nan)
    everything = np.ones((1, melodies), np.bool_)
    value = float(distinct_shares(number, melody, everything)[0, 0])
    shares = distinct_shares(number, melody, half_sets(melodies, rng, draws))[:, 0]
    return interval_of_halves(value, shares, melodies)


def distinct_shares(number: Numbers, melody: Numbers, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of distinct items in two sets of melodies, for many ways to split the melodies, `(splits, 2)`.

    An item of one melody only is distinct in whichever set that melody is: only shared items are counted by split.

    Args:
        number: `(items,)`: equal numbers from 0 for equal items, such as n-grams.
        melody: `(items,)`: the melody of each.
        first: `(splits, melodies)`: which melodies are in the first set.

    Returns:
        NaN for a set without items.

    Examples:
        >>> item, melody = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
        >>> distinct_shares(item, melody, np.array([[True, True, False], [True, False, False]])).tolist()
        [[0.6666666666666666, 1.0], [1.0, 1.0]]
    """
    melodies = first.shape[1]
    entry = np.unique(number * melodies + melody)
    item, owner = np.divmod(entry, melodies) if melodies else (entry, entry)
    begins = np.flatnonzero(np.diff(item, prepend=-1))
    owners = np.diff(begins, append=len(entry))
    unshared = begins[owners == 1]
    weights = np.stack([np.bincount(those, minlength=melodies) for those in (melody, owner[unshared])], axis=1)
    sums = first.astype(np.float64) @ weights
    total, alone = np.stack([sums, weights.sum(axis=0) - sums]).transpose(2, 1, 0)
    shared = np.repeat(owners > 1, owners)
    ends = np.cumsum(owners[owners > 1])
    distinct = alone + _count_shared(ends, owner[shared], first)
    return ratios(distinct, total)


@compiled
def _count_shared(ends: Numbers, owner: Numbers, first: NDArray[np.bool_]) -> Numbers:
    """The number of shared items that occur in each set, for each split, `(splits, 2)`.

    Args:
        ends: `(items,)`: where the owners of each item end in `owner`.
        owner: `(entries,)`: melodies, grouped by item.
        first: `(splits, melodies)`: which melodies are in the first set.
    """
    distinct = np.zeros((first.shape[0], 2), np.int64)
    for split in range(first.shape[0]):
        entry = 0
        for end in ends:
            here = first[split, owner[entry]]
            distinct[split, 0 if here else 1] += 1
            entry += 1
            while entry < end and first[split, owner[entry]] == here:
                entry += 1
            if entry < end:  # it occurs in the other set too
                distinct[split, 1 if here else 0] += 1
            entry = end
    return distinct
