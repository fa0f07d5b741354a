"""What in a melody comes back, bar beside bar: likeness in rhythm and direction, its matrix and its echo over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.rules import RuleCounts
from cantilena.music import Line
from cantilena.rules import Context, lengths, tone_before, tones

DISTANCES = (1, 2, 4, 8)
"""Bars after which likeness is told as a number."""

MOST_BARS = 16
"""Bars of a melody that a matrix shows, and the largest distance of an echo."""

_TOGETHER = 4_000_000  # numbers of the matrices that are held at once: 32 MB
_NEITHER = 2  # the direction of a first note: reached from nowhere


def bar_likeness(line: Line, context: Context) -> NDArray[np.float64]:
    """How alike the bars of each melody are, each beside each, 0 to 1, `(melodies, bars, bars)`.

    Of two bars, at the places where a note begins in one or in the other,

        (places where one begins in both + those reached from the same direction) / (2 x places)

    where the directions are from above, from below, by repetition, and none for a first note. This is the definition of
    the rules `phrase_2`, `_4` and `_8` (`theory.phrases.similarity_after`), bar by bar: pitch counts by its direction
    alone, so that a phrase that returns on another degree is like itself. After J. Foote, Visualizing Music and Audio
    using Self-Similarity, ACM Multimedia 1999, over bars instead of sound.

    Args:
        line: the melodies.
        context: how many steps make a bar.

    Returns:
        NaN where a melody has no such bar, where nothing begins in either, and where steps tell no time. A last bar
        that is cut short is held beside as much of the others.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))  # C D E, D E D
        >>> bar_likeness(line, Context(steps_per_bar=4))[0].round(2).tolist()
        [[1.0, 0.67], [0.67, 1.0]]
    """
    alike, places = _compared(line, context)
    return _ratios(alike, places)


def similarity_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """How much of each melody comes back after 1, 2, 4 and 8 bars: `similarity_1`, `_2`, `_4` and `_8`.

    Counted are the places of `bar_likeness`, so that a set's number is the likeness of all its bars to those so many
    bars before; 0 out of 0 for melodies without a whole bar to compare, and where steps tell no time.

    Args:
        line: the melodies.
        context: how many steps make a bar; 16 where not given.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))
        >>> counts = similarity_counts(line, Context(steps_per_bar=4))
        >>> counts.counted["similarity_1"].tolist(), counts.out_of["similarity_1"].tolist()
        ([2.0], [3.0])
    """
    pairs = _after(line, context or Context(), DISTANCES)
    return RuleCounts.from_pairs({f"similarity_{bars}": pair for bars, pair in zip(DISTANCES, pairs, strict=True)})


@dataclass(frozen=True)
class SelfSimilarity:
    """How the melodies of one system are like themselves.

    Args:
        system: its name, as in the results.
        matrix: `(bars, bars)`: the mean likeness of each bar to each, NaN where no melody has both.
        after: `(distances,)`: the likeness of all bars to those 1, 2, .. bars before, NaN where there are none.
        low: `(distances,)`: what one in ten melodies lies below.
        high: `(distances,)`: what one in ten lies above.
        example: `(bars, bars)`: the matrix of one melody, to be shown beside.
        melodies: how many there are.
    """

    system: str
    matrix: NDArray[np.float64]
    after: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    example: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    melodies: int = 0


def self_similarity(system: str, line: Line, contexts: Context | Sequence[Context]) -> SelfSimilarity:
    """Measure how the melodies of a system are like themselves, within their first 16 bars.

    Args:
        system: its name.
        line: its melodies.
        contexts: the bars of each melody, or of all. The first melody is the example.

    Raises:
        ValueError: another number of contexts than of melodies.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))
        >>> self_similarity("lstm", line, Context(steps_per_bar=4)).after[:2].round(2).tolist()
        [0.67, nan]
    """
    sums, known = np.zeros((MOST_BARS, MOST_BARS)), np.zeros((MOST_BARS, MOST_BARS))
    counted = np.zeros((2, line.melodies, MOST_BARS))
    example = np.full((MOST_BARS, MOST_BARS), np.nan)
    for rows, context in _by_bars(line, contexts):
        part = line[rows]
        for bars, pair in enumerate(_after(part, context, range(1, MOST_BARS + 1))):
            counted[:, rows, bars] = pair
        for some in _portions(part, context):
            matrix = bar_likeness(_first_bars(part[some], context), context)
            size = matrix.shape[1]
            sums[:size, :size] += np.nansum(matrix, axis=0)
            known[:size, :size] += (~np.isnan(matrix)).sum(axis=0)
            if len(rows) and rows[some][:1].tolist() == [0]:
                example[:size, :size] = matrix[0]
    alike, places = counted
    each = _ratios(alike, places)
    low, high = _tenths(each)
    after = _ratios(alike.sum(axis=0), places.sum(axis=0))
    return SelfSimilarity(system, _trimmed(_ratios(sums, known)), after, low, high, _trimmed(example), line.melodies)


def _compared(line: Line, context: Context) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each pair of bars: places in common, of which half count for their direction, and all places."""
    size = context.steps_per_bar
    bars = -(-line.steps // size)
    shape = (line.melodies, bars, size)
    if not context.timed or not bars:
        return np.zeros((line.melodies, bars, bars)), np.zeros((line.melodies, bars, bars))
    missing = bars * size - line.steps

    def in_bars(values: NDArray[np.bool_]) -> NDArray[np.float32]:
        padded = np.pad(values & line.valid, ((0, 0), (0, missing)))
        return padded.reshape(shape).astype(np.float32)

    begins, there = in_bars(tones(line)), in_bars(line.valid)
    direction = _directions(line)
    both = begins @ begins.swapaxes(1, 2)
    alike = np.zeros_like(both)
    for which in (-1, 0, 1, _NEITHER):
        reached = in_bars(tones(line) & (direction == which))
        alike += reached @ reached.swapaxes(1, 2)
    count = begins @ there.swapaxes(1, 2)  # notes of one bar at places that the other has
    places = count + count.swapaxes(1, 2) - both
    return (both + alike).astype(np.float64) / 2, places.astype(np.float64)


def _after(
    line: Line, context: Context, distances: Sequence[int]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """What each melody has in common with itself so many bars before, and out of how many places, `(melodies,)`."""
    begins, direction, valid = tones(line), _directions(line), line.valid
    pairs = []
    for lag in (bars * context.steps_per_bar for bars in distances):
        long_enough = context.timed & (lengths(line) >= lag + context.steps_per_bar)
        if not np.any(long_enough):
            pairs.append((np.zeros(line.melodies), np.zeros(line.melodies)))
            continue
        now, then = begins[:, lag:], begins[:, :-lag]
        both = now & then
        alike = both & (direction[:, lag:] == direction[:, :-lag])
        places = ((now | then) & valid[:, lag:]).sum(axis=1)
        counted = (both.sum(axis=1) + alike.sum(axis=1)) / 2
        pairs.append((np.where(long_enough, counted, 0.0), np.where(long_enough, places, 0.0)))
    return pairs


def _directions(line: Line) -> NDArray[np.int8]:
    """From where a note that begins at a step is reached, `(melodies, steps)`."""
    before = tone_before(line)
    return np.where(before >= 0, np.sign(line.pitch - before), _NEITHER).astype(np.int8)


def _by_bars(line: Line, contexts: Context | Sequence[Context]) -> Iterator[tuple[NDArray[np.int64], Context]]:
    """Melodies whose bars have as many steps, together."""
    if isinstance(contexts, Context):
        yield np.arange(line.melodies), contexts
        return
    if len(contexts) != line.melodies:
        raise ValueError(f"{line.melodies} melodies need as many contexts, got {len(contexts)}")
    kinds: Mapping[tuple[int, bool], Context] = {(one.steps_per_bar, one.timed): one for one in contexts}
    for kind, context in kinds.items():
        yield np.flatnonzero([(one.steps_per_bar, one.timed) == kind for one in contexts]), context


def _portions(line: Line, context: Context) -> Iterator[slice]:
    bars = min(-(-line.steps // context.steps_per_bar), MOST_BARS)
    size = max(_TOGETHER // max(bars * max(bars, context.steps_per_bar), 1), 1)
    for begin in range(0, line.melodies, size):
        yield slice(begin, begin + size)


def _first_bars(line: Line, context: Context) -> Line:
    most = MOST_BARS * context.steps_per_bar
    return Line(line.event[:, :most], line.pitch[:, :most], line.pitch_classes[:, :most], np.minimum(line.length, most))


def _ratios(counted: NDArray[np.float64], out_of: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number over another, NaN over nothing."""
    ratios = np.full(counted.shape, np.nan)
    np.divide(counted, out_of, out=ratios, where=out_of > 0)
    return ratios


def _tenths(each: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 10th and 90th percentile of each column, NaN where no melody has a number."""
    low, high = np.full(each.shape[1], np.nan), np.full(each.shape[1], np.nan)
    known = ~np.isnan(each).all(axis=0) if len(each) else np.zeros(each.shape[1], dtype=np.bool_)
    if known.any():
        low[known], high[known] = np.nanquantile(each[:, known], (0.1, 0.9), axis=0)
    return low, high


def _trimmed(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part up to the last bar that any melody has."""
    known = np.flatnonzero(~np.isnan(matrix).all(axis=0)) if matrix.size else np.zeros(0, dtype=np.int64)
    size = int(known[-1]) + 1 if len(known) else 0
    return matrix[:size, :size]
