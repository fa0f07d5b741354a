"""How much of a melody comes back, in words."""

from __future__ import annotations

from cantilena.metrics.metric_words import RULES_BY_US, MetricWords

SIMILARITY_WORDS = tuple(
    MetricWords(
        f"similarity_{bars}",
        f"Comes back after {bars} bar{'' if bars == 1 else 's'}",
        f"Likeness of all bars to those {bars} before{' them' if bars > 1 else ''}: of the places where a note begins "
        "in one or the other, those where it begins in both count half, and whole if reached from the same direction.",
        "none",
        "share",
        RULES_BY_US,
    )
    for bars in (1, 2, 4, 8)
)
"""Likeness of the bars of melodies to those before them (`self_similarity.similarity_counts`)."""
