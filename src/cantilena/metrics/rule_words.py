"""The published metrics of rules in words: as RL Tuner counts them, and as the paper words its rules."""

from __future__ import annotations

from dataclasses import replace

from cantilena.metrics.metric_words import PAPER_PREFIX, RULES, RULES_BY_PAPER, MetricWords

RL_TUNER_WORDS = (
    MetricWords(
        "excessively_repeated",
        "Notes excessively repeated",
        "Share of steps that repeat an event too often: for the fifth time in a row, for the seventh where rests or "
        "holds came between, or a rest for the second; a hold counts as an event like any other.",
        "less",
        "share",
        RULES,
    ),
    MetricWords(
        "not_in_key",
        "Notes not in key",
        "Share of steps that strike a pitch class outside the key's scale.",
        "less",
        "share",
        RULES,
    ),
    MetricWords(
        "starts_on_tonic",
        "Starts on the tonic",
        "Share of melodies whose very first step strikes the tonic in the octave of middle C.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "ends_on_tonic",
        "Ends on the tonic",
        "Share of melodies whose last note that sounds has the tonic's pitch class.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "leaps_resolved",
        "Leaps resolved",
        "Of the leaps of a fifth or more that were followed up, the share that turned back to or past the pitch leapt "
        "from, rather than leapt again the same way.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "unique_max",
        "Unique highest note",
        "Share of melodies in which the highest note occurs once.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "unique_min",
        "Unique lowest note",
        "Share of melodies in which the lowest note occurs once.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "in_motif",
        "Notes in a motif",
        "Share of steps at which the last eight events hold three different pitches or more; with 32 steps it cannot "
        "exceed 78.1 %.",
        "more",
        "share",
        RULES,
    ),
    MetricWords(
        "in_repeated_motif",
        "Notes in a repeated motif",
        "Share of steps at which those eight events equal eight earlier ones exactly; with 32 steps it cannot exceed "
        "53.1 %.",
        "more",
        "share",
        RULES,
    ),
    *(
        MetricWords(
            f"autocorrelation_{lag}",
            f"Autocorrelation, lag {lag}",
            f"Mean correlation of a melody with itself {lag} step{'s' if lag > 1 else ''} later, over the encoding's "
            "class numbers, rests and holds included; melodies that never change have none.",
            "none",
            "correlation",
            RULES,
        )
        for lag in (1, 2, 3)
    ),
)
"""What RL Tuner prints, and the close on the tonic."""

_BY_PAPER = {
    "excessively_repeated": "Share of steps that repeat a tone for the fifth time in a row or more; a tone that "
    "is held, or returns after a rest, is no repetition.",
    "not_in_key": "The same share as RL Tuner's: the paper asks that all notes belong to one key.",
    "starts_on_tonic": "Share of melodies whose first note that sounds is the tonic, in any octave.",
    "ends_on_tonic": "Share of melodies whose last note that sounds is the tonic, in any octave.",
    "in_motif": "Share of steps at which the last eight events hold three different tones or more.",
    "in_repeated_motif": "Share of steps at which those eight events equal eight earlier ones exactly.",
}

PAPER_WORDS = tuple(
    replace(words, name=PAPER_PREFIX + words.name, meaning=_BY_PAPER[words.name], group=RULES_BY_PAPER)
    for words in RL_TUNER_WORDS
    if words.name in _BY_PAPER
)
"""The paper's own rules, by the same names with a prefix."""
