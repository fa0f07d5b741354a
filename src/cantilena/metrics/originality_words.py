"""Originality in words: how much of melodies is copied from the corpus, and how much it has nowhere."""

from __future__ import annotations

from cantilena.metrics.metric_words import ORIGINALITY, MetricWords

ORIGINALITY_WORDS = (
    MetricWords(
        "copied_notes",
        "Longest copied run",
        "How many notes the longest run of a melody has that the corpus has too, in any key: the same intervals, the "
        "same time from note to note. People borrow as well: what counts is how much more or less than they.",
        "none",
        "number",
        ORIGINALITY,
    ),
    MetricWords(
        "copied_share",
        "Covered by the longest copy",
        "Which share of a melody's notes the longest run covers that the corpus has too; 1 where all of it is copied.",
        "none",
        "share",
        ORIGINALITY,
    ),
    MetricWords(
        "copied_beyond_people",
        "Copy more than people do",
        "How many melodies copy a longer run than 95 % of people's excerpts of equal length do; of people's own it is "
        "5 % or less.",
        "none",
        "share",
        ORIGINALITY,
    ),
    *(
        MetricWords(
            f"novel_{n}",
            f"New runs of {n + 1} notes",
            f"Of all runs of {n} (interval, time to the next note) pairs, the share that the corpus has nowhere.",
            "none",
            "share",
            ORIGINALITY,
        )
        for n in (4, 8)
    ),
)
"""What is copied from the corpus (`originality.originality_counts`)."""
