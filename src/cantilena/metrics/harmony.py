"""Harmony as numbers: how a melody lies over its chords, and how often they change.

These stand beside the metrics of the rules that need chords (`rules/harmony.py`). Only melodies with chord symbols
have them; compare them with those of human melodies that have chords, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.rules import RuleCounts
from cantilena.music import Line
from cantilena.rules import Context, Metric, chord_tones, over_chords, strong_beats

METRICS = (
    Metric(
        "notes_in_chord",
        "Notes in the chord",
        "Share of notes that are tones of the chord that sounds where they begin.",
    ),
    Metric(
        "chords_per_bar",
        "Chords a bar",
        "Number of chords in the time of a bar in which chords sound; a chord that is written again is no new one.",
        unit="number",
    ),
    Metric(
        "chord_changes_on_strong_beats",
        "Chords change on strong beats",
        "Share of changes from one chord to another that come on a strong beat of the meter.",
    ),
)


def chord_changes(line: Line) -> NDArray[np.bool_]:
    """Where a chord begins after another one or after none, `(melodies, steps)`; False in the padding.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1]])).with_chords(
        ...     [ChordTrack.parse("C C F C", Meter(4, 4))], ticks_per_step=24
        ... )
        >>> chord_changes(line).tolist()
        [[True, False, True, True]]
    """
    masks, roots = line.chord_arrays()
    changes: NDArray[np.bool_] = (masks != 0) & line.valid
    changes[:, 1:] &= (masks[:, 1:] != masks[:, :-1]) | (roots[:, 1:] != roots[:, :-1])
    return changes


def harmony_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The metrics of this module as counts in each melody; none for a line without chords.

    C major and bars of 16 steps in 4/4 if no context is given. Where steps are not timed, nothing is counted of bars
    and strong beats.
    """
    if line.chord is None:
        return RuleCounts({}, {})
    where = context or Context()
    changes = chord_changes(line)
    bars = ((line.chord != 0) & line.valid).sum(axis=1) / where.steps_per_bar * where.timed
    moves = changes & (np.cumsum(changes, axis=1) > 1) & where.timed  # the first chord is no change from another
    over = over_chords(line).sum(axis=1)
    pairs = (
        (chord_tones(line).sum(axis=1), over),
        (changes.sum(axis=1) * where.timed, bars),
        ((moves & strong_beats(line, where)).sum(axis=1), moves.sum(axis=1)),
    )
    return RuleCounts.from_pairs({metric.name: pair for metric, pair in zip(METRICS, pairs, strict=True)})
