"""All metrics by name, in the order and the sections of tables.

The words of a metric stand where it is computed: at its `@rule`, or in the `METRICS` of its module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cantilena.metrics.bleu import METRICS as BLEU
from cantilena.metrics.copies import METRICS as COPIES
from cantilena.metrics.form import METRICS as FORM
from cantilena.metrics.harmony import METRICS as HARMONY_METRICS
from cantilena.metrics.likelihood import DISTANCES, ENTROPY
from cantilena.metrics.ngrams import METRICS as NGRAMS
from cantilena.metrics.overlap import METRICS as OVERLAPS
from cantilena.metrics.pitch import METRICS as PITCH
from cantilena.metrics.rules import CANTILENA_PREFIX as CANTILENA_PREFIX
from cantilena.metrics.rules import PAPER_PREFIX as PAPER_PREFIX
from cantilena.metrics.rules import harmony_rule_metrics, rule_metrics
from cantilena.metrics.self_similarity import METRICS as SELF_SIMILARITY
from cantilena.metrics.vendi import METRICS as VENDI
from cantilena.rules import Metric as Metric

RULES, RULES_BY_PAPER, RULES_BY_US = "Rules of RL Tuner", "Rules of the paper", "Rules of Cantilena"
FORM_SECTION, HARMONY = "Form", "Harmony"
DIVERSITY, DISTANCE, ORIGINALITY = "Diversity", "Distance to the data", "Originality"
"""The sections of tables of metrics."""

_OURS = tuple(replace(one, name=CANTILENA_PREFIX + one.name) for one in rule_metrics("cantilena"))
_NEED_CHORDS = {CANTILENA_PREFIX + name for name in harmony_rule_metrics()}

_SECTIONS: dict[str, tuple[Metric, ...]] = {
    RULES: rule_metrics("rl-tuner"),
    RULES_BY_PAPER: tuple(replace(one, name=PAPER_PREFIX + one.name) for one in rule_metrics("paper")),
    RULES_BY_US: (
        *(one for one in _OURS if one.name not in _NEED_CHORDS),
        *SELF_SIMILARITY,
    ),
    FORM_SECTION: FORM,
    HARMONY: (*(one for one in _OURS if one.name in _NEED_CHORDS), *HARMONY_METRICS),
    DIVERSITY: (*NGRAMS, *BLEU, *VENDI, ENTROPY),
    DISTANCE: (*DISTANCES, *PITCH, *OVERLAPS),
    ORIGINALITY: COPIES,
}

METRICS: dict[str, Metric] = {
    metric.name: replace(metric, group=section) for section, metrics in _SECTIONS.items() for metric in metrics
}
"""All metrics of results.json by name, in the order of tables."""


def get_metric(name: str) -> Metric:
    """The metric of that name; for an unknown one, a metric with its name as label.

    Examples:
        >>> get_metric("in_motif").label, get_metric("swing").label
        ('Notes in a motif', 'swing')
    """
    unknown = Metric(name, name.replace("_", " "), "A metric of this run's own.", group="Other")
    return METRICS.get(name, unknown)


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order of tables, unknown ones last.

    Examples:
        >>> in_order({"swing", "distinct_4", "not_in_key"})
        ['not_in_key', 'distinct_4', 'swing']
    """
    present = dict.fromkeys(names)
    return [name for name in METRICS if name in present] + sorted(name for name in present if name not in METRICS)
