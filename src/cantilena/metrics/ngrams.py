"""The n-grams of melodies: what numbers of diversity count.

A pair is a note's duration in steps and the interval from its (top) pitch to the next note's. The last note of a melody
makes none: where an excerpt is cut its duration is not known. Pairs do not change when a melody is transposed.

How many different things two sets say, over many ways to deal melodies to them; compiled when it first runs.

How many different things melodies say, melodies and n-grams: one tune for ever keeps every rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.metrics.intervals import Interval, half_sets, interval_of_halves
from cantilena.music import HOLD, Line
from cantilena.rules import lengths, tones
from cantilena.runtime import compiled


@dataclass(frozen=True, slots=True)
class Ngrams:
    """All n-grams of a set of melodies, in order.

    Args:
        number: `(ngrams,)`: equal numbers for equal n-grams.
        melody: `(ngrams,)`: the melody that each is from.
    """

    number: NDArray[np.int64]
    melody: NDArray[np.int64]


def note_ngrams(line: Line, n: int) -> Ngrams:
    """Every n consecutive (interval, duration) pairs of each melody."""
    if n < 1:
        raise UsageError(f"n-grams of {n} notes", "give 1 or more")
    melody, step = np.nonzero(tones(line))
    pitch = line.pitch[melody, step].astype(np.int64)
    duration = _ends(line)[melody, step] - step
    follows = melody[1:] == melody[:-1]
    pair, melody = _joined(np.diff(pitch)[follows], duration[:-1][follows]), melody[:-1][follows]
    number = pair
    for ahead in range(1, n):
        number = _joined(number[:-1], pair[ahead:])
    begins = melody[: len(number)]
    inside = begins == melody[n - 1 :]  # melodies come one after the other: those between are the same
    return Ngrams(number[inside], begins[inside])


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """How often each melody says each of its n-grams, by melody.

    Args:
        ngram: `(entries,)`: the n-grams, numbered from 0.
        melody: `(entries,)`: who says it, ascending.
        count: `(entries,)`: how often, 1 or more.
    """

    ngram: NDArray[np.int64]
    melody: NDArray[np.int64]
    count: NDArray[np.int64]


def ngram_counts(line: Line, n: int) -> NgramCounts:
    """Count the n-grams of each melody.

    Args:
        line: the melodies.
        n: how many (interval, duration) pairs in a row, 1 or more.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> counts = ngram_counts(GridEncoding().line(np.array([[14, 16, 18, 1], [14, 19, 21, 23]])), 1)
        >>> counts.ngram.tolist(), counts.melody.tolist(), counts.count.tolist()
        ([0, 0, 1], [0, 1, 1], [2, 2, 1])
    """
    found = note_ngrams(line, n)
    numbers, ngram = np.unique(found.number, return_inverse=True)
    kinds = max(len(numbers), 1)
    entry, count = np.unique(found.melody * kinds + ngram, return_counts=True)
    melody, ngram = np.divmod(entry, kinds)
    return NgramCounts(ngram, melody, count.astype(np.int64))


def _ends(line: Line) -> NDArray[np.int64]:
    """The step at which what begins at each step ends: the next that is no hold, or the end of the melody."""
    steps, length = np.arange(line.steps), lengths(line)[:, None]
    changes = np.where((line.event != HOLD) & (steps < length), steps, length)
    upcoming = np.minimum.accumulate(changes[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([upcoming[:, 1:], length], axis=1)[:, : line.steps]


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of numbers as one number each, 0 or more, equal for equal pairs."""
    if not len(first):
        return first
    first, second = first - first.min(), second - second.min()
    size = int(second.max()) + 1
    if int(first.max()) + 1 > 2**62 // size:  # too large to join as they are: number them from 0 on
        first = np.unique(first, return_inverse=True)[1].astype(np.int64)
    return first * size + second


Numbers = NDArray[np.int64]


def distinct_in_deals(number: Numbers, melody: Numbers, dealt: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of different ones among what the first set says, and the second, in each deal, `(permutations, 2)`.

    What one melody alone says is different wherever that melody falls: only what several say is looked at deal by deal.

    Args:
        number: `(things,)`: equal numbers from 0 for equal things.
        melody: `(things,)`: who says each.
        dealt: `(permutations, melodies)`: which melodies fall to the first set.

    Returns:
        NaN for a set that says nothing.

    Example:
        >>> thing, who = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
        >>> distinct_in_deals(thing, who, np.array([[True, True, False], [True, False, False]])).tolist()
        [[0.6666666666666666, 1.0], [1.0, 1.0]]
    """
    melodies = dealt.shape[1]
    entry = np.unique(number * melodies + melody)
    thing, who = np.divmod(entry, melodies) if melodies else (entry, entry)
    begins = np.flatnonzero(np.diff(thing, prepend=-1))
    speakers = np.diff(begins, append=len(entry))
    of_one = begins[speakers == 1]
    weights = np.stack([np.bincount(those, minlength=melodies) for those in (melody, who[of_one])], axis=1)
    first = dealt.astype(np.float64) @ weights
    said, alone = np.stack([first, weights.sum(axis=0) - first]).transpose(2, 1, 0)
    several = np.repeat(speakers > 1, speakers)
    ends = np.cumsum(speakers[speakers > 1])
    different = alone + _said_by_several(ends, who[several], dealt)
    shares = np.full(said.shape, np.nan)
    np.divide(different, said, out=shares, where=said > 0)
    return shares


@compiled
def _said_by_several(ends: Numbers, who: Numbers, dealt: NDArray[np.bool_]) -> Numbers:
    """How many things each side says in each deal, `(permutations, 2)`.

    Args:
        ends: `(things,)`: where the melodies that say each thing end in `who`.
        who: `(entries,)`: melodies, those of one thing together.
        dealt: `(permutations, melodies)`: which melodies fall to the first set.
    """
    different = np.zeros((dealt.shape[0], 2), np.int64)
    for deal in range(dealt.shape[0]):
        entry = 0
        for end in ends:
            here = dealt[deal, who[entry]]
            different[deal, 0 if here else 1] += 1
            entry += 1
            while entry < end and dealt[deal, who[entry]] == here:
                entry += 1
            if entry < end:  # the other side says it too
                different[deal, 1 if here else 0] += 1
            entry = end
    return different


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


def different_melodies_interval(line: Line, rng: np.random.Generator, *, draws: int = 200) -> Interval:
    """`different_melodies` with its interval from half sets (`intervals.subsample_interval`).

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> different_melodies_interval(line, np.random.default_rng(1)).value
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
