"""Form as the notes show it: how a melody ends, breathes between phrases, runs, and returns to earlier bars.

None has a good direction: compare them with those of human melodies of the same meter, mode and length.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.rules import RuleCounts
from cantilena.music import Form, Line
from cantilena.rules import Context, Metric, Notes, lengths
from cantilena.rules.meter import strong_places

BARS_PER_PHRASE = 4
"""The length of the phrases whose last notes are compared with the others."""

METRICS = (
    Metric(
        "ends_on_strong_tonic",
        "Ends on the tonic, on a strong beat",
        "Share of melodies whose last note is the tonic, begins on a strong beat and lasts a quarter note or more.",
    ),
    Metric(
        "phrase_end_lengthening",
        "Phrase ends are longer by",
        f"Mean time from the last note of every {BARS_PER_PHRASE} bars to the next one, divided by that of all notes.",
        unit="number",
    ),
    Metric(
        "scalar_runs",
        "Steps in scalar runs",
        "Share of pairs of successive intervals that are both steps, of one or two semitones, in one direction.",
    ),
    Metric(
        "exact_returns",
        "Bars that return exactly",
        "Share of bars, from the second on, with the rhythm and the pitches of an earlier bar.",
    ),
    Metric(
        "contour_returns",
        "Bars that return, also transposed",
        "Share of bars, from the second on, with the rhythm and the intervals of an earlier bar.",
    ),
)

Values = NDArray[np.float64]


def ends_on_strong_tonic(line: Line, context: Context) -> Values:
    """Whether the last note is the tonic on a strong beat for a quarter note or more, `(melodies,)`.

    Strong beats are those of `strong_places`. NaN without notes, and where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[16, 1, 1, 1, 14, 1, 1, 1], [16, 1, 1, 1, 1, 1, 14, 1]]))
        >>> ends_on_strong_tonic(line, Context(steps_per_bar=8)).tolist()
        [1.0, 0.0]
    """
    notes = Notes.from_line(line)
    last = notes.select(notes.is_last)
    quarter = context.steps_per_bar * context.meter.denominator / (4 * context.meter.numerator)
    strong = strong_places(context)[last.step % context.steps_per_bar]
    values = np.full(line.melodies, np.nan)
    if context.timed:
        values[last.melody] = strong & (last.pitch % 12 == context.key.tonic) & (last.sounding >= quarter)
    return values


def phrase_end_lengthening(line: Line, context: Context) -> Values:
    """How much longer the last notes of phrases are than all notes, `(melodies,)`.

    The time from the last note of every four bars to the next note, or to the end, divided by the mean of all notes: 2
    where phrases end on notes of twice the length. Final lengthening is the clearest mark of a phrase (N. Todd, A model
    of expressive timing in tonal music, Music Perception 3, 1985; here in the score itself).

    Returns:
        NaN for melodies without a whole phrase, and where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 14, 16, 14, 16, 14, 1]]))
        >>> phrase_end_lengthening(line, Context(steps_per_bar=2)).round(2).tolist()
        [1.75]
    """
    notes = Notes.from_line(line)
    phrase = notes.step // (BARS_PER_PHRASE * context.steps_per_bar)
    ends = np.append((np.diff(phrase) != 0) | (np.diff(notes.melody) != 0), True)[: len(notes)]
    # An incomplete phrase has no end.
    ends &= (phrase + 1) * BARS_PER_PHRASE * context.steps_per_bar <= lengths(line)[notes.melody]
    at_ends, count = notes.sums(notes.gap * ends), notes.sums(ends)
    total = notes.sums(notes.gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (at_ends / count) / (total / notes.counts())
    return np.where((count > 0) & context.timed, values, np.nan)


def scalar_run_share(line: Line, context: Context | None = None) -> Values:
    """The share of pairs of successive intervals that go on by step in one direction, `(melodies,)`.

    NaN for fewer than three notes.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> scalar_run_share(GridEncoding().line(np.array([[14, 16, 18, 16, 14]]))).round(2).tolist()
        [0.67]
    """
    notes = Notes.from_line(line)
    interval = notes.interval
    step = (np.abs(interval) > 0) & (np.abs(interval) <= 2)
    before = np.roll(interval, 1)
    runs = step & np.roll(step, 1) & (np.sign(before) == np.sign(interval)) & (notes.index >= 2)
    pairs = notes.sums(notes.index >= 2)
    values = np.full(line.melodies, np.nan)
    np.divide(notes.sums(runs), pairs, out=values, where=pairs > 0)
    return values


def bar_returns(line: Line, context: Context, *, transposed: bool) -> Values:
    """The share of whole bars, from the second on, that an earlier bar of the melody has already, `(melodies,)`.

    Two bars are equal if their notes begin at the same places with the same pitches or, `transposed`, the same
    intervals. Bars with fewer than two notes are not counted.

    Returns:
        NaN for melodies without a second bar that counts, and where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 20, 14, 16, 16, 18]]))
        >>> [bar_returns(line, Context(steps_per_bar=2), transposed=also).round(2).tolist() for also in (False, True)]
        [[0.33], [1.0]]
    """
    size = context.steps_per_bar
    whole = lengths(line) // size
    values = np.full(line.melodies, np.nan)
    if not context.timed:
        return values
    notes = Notes.from_line(line)
    bar, place = notes.step // size, notes.step % size
    is_new = np.append(True, (np.diff(bar) != 0) | (np.diff(notes.melody) != 0))
    starts = np.flatnonzero(is_new)[: len(notes)]
    seen: dict[int, set[bytes]] = {}
    found, counted = np.zeros(line.melodies), np.zeros(line.melodies)
    for start, end in pairwise([*starts, len(notes)]):
        melody = int(notes.melody[start])
        if end - start < 2 or bar[start] >= whole[melody]:
            continue
        pitch = notes.pitch[start:end] - (notes.pitch[start] if transposed else 0)
        key = np.concatenate([place[start:end], pitch]).tobytes()
        earlier = seen.setdefault(melody, set())
        if earlier:
            counted[melody] += 1
            found[melody] += key in earlier
        earlier.add(key)
    np.divide(found, counted, out=values, where=counted > 0)
    return values


def form_f1(found: Form, true: Form) -> float:
    """The agreement of two forms of one melody: F1 of the pairs of bars that return to each other, 0 to 1.

    Two bars are a pair if they lie at the same place in two sections of one letter, whether the return is literal or
    varied. This is the pairwise F-measure of M. Levy and M. Sandler, Structural segmentation of musical audio by
    constrained clustering, IEEE TASLP 16(2), 2008, of bars instead of frames, and of places in sections, so that a
    passage of the right length at the wrong place is wrong. It measures how well forms are found, not melodies, and is
    no column of results.

    Returns:
        1 if neither form has a pair. Bars that one of the forms lacks are in no pair of it.

    Examples:
        >>> form_f1(Form.parse("A4A4B4A4"), Form.parse("A4A4B8"))
        0.5
    """
    pairs_found, pairs_true = _returning_pairs(found), _returning_pairs(true)
    count = len(pairs_found) + len(pairs_true)
    return 2 * len(pairs_found & pairs_true) / count if count else 1.0


def _returning_pairs(form: Form) -> set[tuple[int, int]]:
    """The pairs of bars, the earlier one first, at the same place in two sections of one letter."""
    sections = combinations(form.sections, 2)
    return {
        (one.first + place, other.first + place)
        for one, other in sections
        if one.label == other.label
        for place in range(one.bars)
    }


def form_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The metrics of this module as counts: the value of a set is the mean over the melodies for which it is defined.

    C major and bars of 16 steps in 4/4 if no context is given.
    """
    where = context or Context()
    values = (
        ends_on_strong_tonic(line, where),
        phrase_end_lengthening(line, where),
        scalar_run_share(line),
        bar_returns(line, where, transposed=False),
        bar_returns(line, where, transposed=True),
    )
    return RuleCounts.from_pairs(
        {metric.name: (np.nan_to_num(each), ~np.isnan(each)) for metric, each in zip(METRICS, values, strict=True)}
    )
