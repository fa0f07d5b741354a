"""What rules count in melodies that are each in a key and meter of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import RuleCounts, musical_counts, paper_counts, pitch_counts, rl_tuner_counts, similarity_counts
from cantilena.metrics.metric_words import MUSICAL_PREFIX, PAPER_PREFIX
from cantilena.music import Line
from cantilena.rules import Context

Counter = Callable[[Line, Context], RuleCounts]
"""Counts in melodies of one context."""

PUBLISHED_COUNTERS: tuple[tuple[str, Counter], ...] = (("", rl_tuner_counts), (PAPER_PREFIX, paper_counts))
"""RL Tuner's metrics and the paper's, with the prefix of their names."""

ALL_COUNTERS = (*PUBLISHED_COUNTERS, (MUSICAL_PREFIX, musical_counts))
"""Those, and what the rules of the set `cantilena` hear: seconds rather than moments."""

EVERY_COUNTER = (*ALL_COUNTERS, ("", pitch_counts), ("", similarity_counts))
"""Those, the pitch and groove statistics of the field, and self-similarity."""


def rule_counts(
    line: Line,
    contexts: Context | Sequence[Context],
    counters: Sequence[tuple[str, Counter]] = PUBLISHED_COUNTERS,
) -> RuleCounts:
    """Count in each melody what rules see, each in its own key and meter.

    Args:
        line: the melodies.
        contexts: of each melody, or of all.
        counters: what counts, with the prefix of its names.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[14, 20], [14, 20]]))  # C F sharp
        >>> counts = rule_counts(line, [Context(), Context(Key.parse("G major"))])
        >>> counts.counted["not_in_key"].tolist()
        [1.0, 0.0]
    """
    counts = [_named(prefix, _counts(counter, line, contexts)) for prefix, counter in counters]
    return RuleCounts.joined(counts)


def distinct_metrics(*several: RuleCounts) -> list[str]:
    """The metrics that all have, without those that count the same as an earlier one in each of them.

    The paper words some rules as RL Tuner counts them: to test them twice would tell one difference as two.

    Args:
        several: counts of two systems, or more.
    """
    kept: list[str] = []
    for name in several[0].names:
        if all(name in counts.counted for counts in several) and not any(
            all(_equal(counts, name, other) for counts in several) for other in kept
        ):
            kept.append(name)
    return kept


def _equal(counts: RuleCounts, one: str, other: str) -> bool:
    return np.array_equal(counts.counted[one], counts.counted[other]) and np.array_equal(
        counts.out_of[one], counts.out_of[other]
    )


def _named(prefix: str, counts: RuleCounts) -> RuleCounts:
    return RuleCounts(
        {prefix + name: values for name, values in counts.counted.items()},
        {prefix + name: values for name, values in counts.out_of.items()},
    )


def _counts(count: Counter, line: Line, contexts: Context | Sequence[Context]) -> RuleCounts:
    if isinstance(contexts, Context):
        return count(line, contexts)
    rows_of: dict[Context, list[int]] = {}
    for row, context in enumerate(contexts):
        rows_of.setdefault(context, []).append(row)
    counted: dict[str, NDArray[np.float64]] = {}
    out_of: dict[str, NDArray[np.float64]] = {}
    for context, rows in rows_of.items():
        part = count(line[rows], context)
        for name in part.names:
            counted.setdefault(name, np.zeros(line.melodies))[rows] = part.counted[name]
            out_of.setdefault(name, np.zeros(line.melodies))[rows] = part.out_of[name]
    return RuleCounts(counted, out_of)
