"""All metrics by name, in the order of tables."""

from __future__ import annotations

from collections.abc import Iterable

from cantilena.metrics.metric_words import MetricWords
from cantilena.metrics.musical_words import MUSICAL_WORDS
from cantilena.metrics.originality_words import ORIGINALITY_WORDS
from cantilena.metrics.overlap_words import OVERLAP_WORDS, PITCH_WORDS
from cantilena.metrics.rule_words import PAPER_WORDS, RL_TUNER_WORDS
from cantilena.metrics.set_words import SET_WORDS
from cantilena.metrics.similarity_words import SIMILARITY_WORDS

METRICS: dict[str, MetricWords] = {
    words.name: words
    for words in (
        *RL_TUNER_WORDS,
        *PAPER_WORDS,
        *MUSICAL_WORDS,
        *SIMILARITY_WORDS,
        *SET_WORDS,
        *PITCH_WORDS,
        *OVERLAP_WORDS,
        *ORIGINALITY_WORDS,
    )
}
"""All metrics of results.json by name, in the order of tables."""


def words_of(name: str) -> MetricWords:
    """A metric's words; one that we do not know speaks for itself.

    Example:
        >>> words_of("in_motif").label, words_of("swing").label
        ('Notes in a motif', 'swing')
    """
    plain = MetricWords(name, name.replace("_", " "), "A metric of this run's own.", "none", "share", "Other")
    return METRICS.get(name, plain)


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order of tables, strangers last.

    Example:
        >>> in_order({"swing", "distinct_4", "not_in_key"})
        ['not_in_key', 'distinct_4', 'swing']
    """
    found = dict.fromkeys(names)
    return [name for name in METRICS if name in found] + sorted(name for name in found if name not in METRICS)
