"""Self-similarity of melodies: each bar beside each, in rhythm and direction, and how much returns after some bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import ratios
from cantilena.metrics.rules import RuleCounts
from cantilena.music import Line
from cantilena.rules import Context, Metric, directions, lengths, tones
from cantilena.rules.rhythm import FIRST_NOTE

DISTANCES = (1, 2, 4, 8)
"""Distances in bars that have a metric."""

METRICS = tuple(
    Metric(
        f"similarity_{bars}",
        f"Comes back after {bars} bar{'' if bars == 1 else 's'}",
        f"Similarity of all bars to those {bars} before{' them' if bars > 1 else ''}: of the places where a note "
        "begins in either, those where it begins in both count half, and whole if reached from the same direction.",
    )
    for bars in DISTANCES
)

MOST_BARS = 16
"""The most bars that a matrix shows, and the largest distance."""

_CELLS = 4_000_000  # matrix cells in memory at once: 32 MB

Array = NDArray[np.float64]


def bar_similarity(line: Line, context: Context) -> Array:
    """The similarity of the bars of each melody, each beside each, 0 to 1, `(melodies, bars, bars)`.

    Of two bars, at the places where a note begins in one or in the other,

        (places where one begins in both + those reached from the same direction) / (2 x places)

    where the directions are from above, from below, by repetition, and none for a first note. This is the definition of
    the rules `phrase_2`, `_4` and `_8` (`rules.rhythm.similarity_after`), bar by bar: pitch counts by its direction
    only, so that a phrase that returns on another degree is similar. After J. Foote, Visualizing Music and Audio using
    Self-Similarity, ACM Multimedia 1999, over bars instead of sound.

    Returns:
        NaN where a melody has no such bar, where nothing begins in either, and where steps are not timed. An incomplete
        last bar is compared with as much of the others.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))  # C D E, D E D
        >>> bar_similarity(line, Context(steps_per_bar=4))[0].round(2).tolist()
        [[1.0, 0.67], [0.67, 1.0]]
    """
    size = context.steps_per_bar
    bars = -(-line.steps // size)
    if not context.timed or not bars:
        return np.full((line.melodies, bars, bars), np.nan)

    def in_bars(values: NDArray[np.bool_]) -> NDArray[np.float32]:
        padded = np.pad(values & line.valid, ((0, 0), (0, bars * size - line.steps)))
        return padded.reshape(line.melodies, bars, size).astype(np.float32)

    onsets, valid, direction = in_bars(tones(line)), in_bars(line.valid), directions(line)
    both = onsets @ onsets.swapaxes(1, 2)
    same = np.zeros_like(both)
    for which in (-1, 0, 1, FIRST_NOTE):
        reached = in_bars(tones(line) & (direction == which))
        same += reached @ reached.swapaxes(1, 2)
    count = onsets @ valid.swapaxes(1, 2)  # notes of one bar at places that the other has
    places = count + count.swapaxes(1, 2) - both
    return ratios((both + same).astype(np.float64) / 2, places.astype(np.float64))


def similarity_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """How much of each melody returns after 1, 2, 4 and 8 bars: `similarity_1`, `_2`, `_4` and `_8`.

    Counts the places of `bar_similarity`, so that the value of a set is the similarity of all its bars to those so many
    bars before; 0 out of 0 for melodies without a whole bar to compare, and where steps are not timed. Bars have 16
    steps if no context is given.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))
        >>> counts = similarity_counts(line, Context(steps_per_bar=4))
        >>> counts.counted["similarity_1"].tolist(), counts.out_of["similarity_1"].tolist()
        ([2.0], [3.0])
    """
    pairs = _counts_after(line, context or Context(), DISTANCES)
    return RuleCounts.from_pairs({metric.name: pair for metric, pair in zip(METRICS, pairs, strict=True)})


@dataclass(frozen=True)
class SelfSimilarity:
    """The self-similarity of the melodies of one system.

    Args:
        system: its name, as in the results.
        matrix: `(bars, bars)`: the mean similarity of each bar to each, NaN where no melody has both.
        after: `(distances,)`: the similarity of all bars to those 1, 2, .. bars before, NaN where there are none.
        low: `(distances,)`: the 10th percentile over melodies.
        high: `(distances,)`: the 90th percentile over melodies.
        example: `(bars, bars)`: the matrix of one melody.
        melodies: the number of melodies.
    """

    system: str
    matrix: Array
    after: Array
    low: Array
    high: Array
    example: Array = field(default_factory=lambda: np.zeros((0, 0)))
    melodies: int = 0


def self_similarity(system: str, line: Line, contexts: Context | Sequence[Context]) -> SelfSimilarity:
    """Measure the self-similarity of the melodies of a system within their first 16 bars; the first is the example.

    Raises:
        ValueError: the numbers of contexts and melodies differ.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))
        >>> self_similarity("lstm", line, Context(steps_per_bar=4)).after[:2].round(2).tolist()
        [0.67, nan]
    """
    sums, known = np.zeros((MOST_BARS, MOST_BARS)), np.zeros((MOST_BARS, MOST_BARS))
    counted = np.zeros((2, line.melodies, MOST_BARS))
    example = np.full((MOST_BARS, MOST_BARS), np.nan)
    for rows, context in _by_bar_length(line, contexts):
        part = line[rows]
        for bars, pair in enumerate(_counts_after(part, context, range(1, MOST_BARS + 1))):
            counted[:, rows, bars] = pair
        for portion in _portions(part, context):
            matrix = bar_similarity(_first_bars(part[portion], context), context)
            size = matrix.shape[1]
            sums[:size, :size] += np.nansum(matrix, axis=0)
            known[:size, :size] += (~np.isnan(matrix)).sum(axis=0)
            if len(rows) and rows[portion][:1].tolist() == [0]:
                example[:size, :size] = matrix[0]
    same, places = counted
    low, high = _percentiles(ratios(same, places))
    after = ratios(same.sum(axis=0), places.sum(axis=0))
    return SelfSimilarity(system, _trimmed(ratios(sums, known)), after, low, high, _trimmed(example), line.melodies)


def _counts_after(line: Line, context: Context, distances: Sequence[int]) -> list[tuple[Array, Array]]:
    """What each melody has in common with itself so many bars before, and out of how many places, `(melodies,)`."""
    onsets, direction, valid = tones(line), directions(line), line.valid
    pairs = []
    for lag in (bars * context.steps_per_bar for bars in distances):
        long_enough = context.timed & (lengths(line) >= lag + context.steps_per_bar)
        if not np.any(long_enough):
            pairs.append((np.zeros(line.melodies), np.zeros(line.melodies)))
            continue
        now, then = onsets[:, lag:], onsets[:, :-lag]
        both = now & then
        same = both & (direction[:, lag:] == direction[:, :-lag])
        places = ((now | then) & valid[:, lag:]).sum(axis=1)
        counted = (both.sum(axis=1) + same.sum(axis=1)) / 2
        pairs.append((np.where(long_enough, counted, 0.0), np.where(long_enough, places, 0.0)))
    return pairs


def _by_bar_length(line: Line, contexts: Context | Sequence[Context]) -> Iterator[tuple[NDArray[np.int64], Context]]:
    """Group melodies whose bars have the same number of steps."""
    if isinstance(contexts, Context):
        yield np.arange(line.melodies), contexts
        return
    if len(contexts) != line.melodies:
        raise ValueError(f"{line.melodies} melodies need as many contexts, got {len(contexts)}")
    kinds: Mapping[tuple[int, bool], Context] = {(one.steps_per_bar, one.timed): one for one in contexts}
    for kind, context in kinds.items():
        yield np.flatnonzero([(one.steps_per_bar, one.timed) == kind for one in contexts]), context


def _portions(line: Line, context: Context) -> Iterator[slice]:
    """Slices of melodies whose matrices fit the memory."""
    bars = min(-(-line.steps // context.steps_per_bar), MOST_BARS)
    size = max(_CELLS // max(bars * max(bars, context.steps_per_bar), 1), 1)
    for begin in range(0, line.melodies, size):
        yield slice(begin, begin + size)


def _first_bars(line: Line, context: Context) -> Line:
    most = MOST_BARS * context.steps_per_bar
    return Line(line.event[:, :most], line.pitch[:, :most], line.pitch_classes[:, :most], np.minimum(line.length, most))


def _percentiles(each: Array) -> tuple[Array, Array]:
    """The 10th and 90th percentile of each column, NaN where no melody has a number."""
    low, high = np.full(each.shape[1], np.nan), np.full(each.shape[1], np.nan)
    known = ~np.isnan(each).all(axis=0) if len(each) else np.zeros(each.shape[1], dtype=np.bool_)
    if known.any():
        low[known], high[known] = np.nanquantile(each[:, known], (0.1, 0.9), axis=0)
    return low, high


def _trimmed(matrix: Array) -> Array:
    """The part up to the last bar that any melody has."""
    known = np.flatnonzero(~np.isnan(matrix).all(axis=0)) if matrix.size else np.zeros(0, dtype=np.int64)
    size = int(known[-1]) + 1 if len(known) else 0
    return matrix[:size, :size]
