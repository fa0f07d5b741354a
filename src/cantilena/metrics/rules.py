"""How often melodies follow the rules: the events that rewards are given for, counted.

Each metric is a sum over melodies divided by another, so that the value of any set of melodies, and of any resample of
it, follows from the counts of its melodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules import (
    RULE_SETS,
    Band,
    Bands,
    Context,
    Metric,
    RuleSet,
    Share,
    deviations,
    features_of,
    human_bands,
)
from cantilena.rules.bands import INSIDE

Counts = NDArray[np.float64]

PAPER_PREFIX = "paper."
"""Prefix of the metrics of the set `paper`."""

CANTILENA_PREFIX = "cantilena."
"""Prefix of the metrics of the set `cantilena`."""

RL_TUNER_METRICS = (
    "excessively_repeated",
    "not_in_key",
    "starts_on_tonic",
    "leaps_resolved",
    "unique_max",
    "unique_min",
    "in_motif",
    "in_repeated_motif",
    "autocorrelation_1",
    "autocorrelation_2",
    "autocorrelation_3",
)
"""What RL Tuner prints of a set of compositions, in its order."""


@dataclass(frozen=True)
class RuleCounts:
    """Counts of metrics in each melody: numerators and denominators.

    Args:
        counted: by metric, `(melodies,)`: the numerators.
        out_of: by metric, `(melodies,)`: the denominators; 0 where a metric does not apply.

    Examples:
        >>> counts = RuleCounts({"x": np.array([1.0, 0.0])}, {"x": np.array([2.0, 2.0])})
        >>> counts.statistics()
        {'x': 0.25}
    """

    counted: Mapping[str, Counts]
    out_of: Mapping[str, Counts]

    @classmethod
    def from_pairs(cls, counts: Mapping[str, tuple[NDArray[np.generic], NDArray[np.generic]]]) -> RuleCounts:
        """Build from pairs of numerators and denominators by metric."""
        return cls(
            {name: np.asarray(counted, dtype=np.float64) for name, (counted, _) in counts.items()},
            {name: np.asarray(out_of, dtype=np.float64) for name, (_, out_of) in counts.items()},
        )

    @classmethod
    def merged(cls, several: Iterable[RuleCounts]) -> RuleCounts:
        """Merge counts of the same melodies; for a metric in several of them, the last wins."""
        parts = list(several)
        return cls(
            {name: values for part in parts for name, values in part.counted.items()},
            {name: values for part in parts for name, values in part.out_of.items()},
        )

    def select(self, names: Iterable[str]) -> RuleCounts:
        """Return some of the metrics."""
        kept = list(names)
        return RuleCounts({name: self.counted[name] for name in kept}, {name: self.out_of[name] for name in kept})

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(self.counted)

    def statistics(self) -> dict[str, float]:
        """The value of each metric over all melodies: sum over sum, NaN where the denominator is 0."""
        totals = {name: float(out_of.sum()) for name, out_of in self.out_of.items()}
        return {
            name: float(counted.sum()) / totals[name] if totals[name] > 0 else float("nan")
            for name, counted in self.counted.items()
        }


def rule_metrics(rule_set: str) -> tuple[Metric, ...]:
    """The metrics of a built-in set of rules without their prefix, in the order of tables.

    Those of RL Tuner come in its own order; of other sets, the rules on bands come last. The paper's motif metrics, for
    which it has no rule, are RL Tuner's.

    Examples:
        >>> [metric.name for metric in rule_metrics("paper")][-3:]
        ['ends_on_tonic', 'in_motif', 'in_repeated_motif']
    """
    return _metrics_of(RULE_SETS[rule_set])


def harmony_rule_metrics() -> tuple[str, ...]:
    """The names of the metrics of the set `cantilena` that only melodies with chords have, without their prefix.

    Examples:
        >>> harmony_rule_metrics()
        ('chord_tones', 'chord_tones_inside', 'non_chord_tones', 'harmonic_cadence', 'full_cadence')
    """
    rules = RULE_SETS["cantilena"].rules
    return tuple(metric.name for rule in rules if rule.needs_chords for metric in rule.metrics)


def _metrics_of(rules: RuleSet) -> tuple[Metric, ...]:
    metrics = [metric for rule in rules.rules for metric in rule.metrics]
    if rules.name == "paper":
        metrics += [metric for metric in rule_metrics("rl-tuner") if metric.name in ("in_motif", "in_repeated_motif")]
    return tuple(sorted(metrics, key=lambda metric: (metric.count is None, _ORDER.get(metric.name, len(_ORDER)))))


_ORDER = {name: place for place, name in enumerate((*RL_TUNER_METRICS[:3], "ends_on_tonic", *RL_TUNER_METRICS[3:]))}


def _count(rule_set: str, line: Line, context: Context | None) -> RuleCounts:
    where = context or Context()
    pairs: dict[str, tuple[NDArray[np.generic], NDArray[np.generic]]] = {}
    rules = RULE_SETS[rule_set] if line.chord is not None else RULE_SETS[rule_set].without_chords()
    for metric in _metrics_of(rules):
        if metric.count is not None:
            counted, out_of = metric.count(line, where)
            pairs[metric.name] = _in_each(counted), _in_each(out_of)
    for name, feature in features_of(rules).items():
        values = feature(line, where)
        defined = ~np.isnan(values)
        pairs[name] = np.nan_to_num(values), defined
        pairs[name + INSIDE] = defined & (deviations(name, values, line, where) == 0), defined
    return RuleCounts.from_pairs(pairs)


def _in_each(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Sum over the steps of each melody, `(melodies,)`."""
    return np.asarray(values.sum(axis=1)) if values.ndim > 1 else values


def rl_tuner_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """Count RL Tuner's metrics and `ends_on_tonic` in each melody; C major if no context is given."""
    return _count("rl-tuner", line, context)


def rl_tuner_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """Compute what RL Tuner prints of a set of compositions, by the same definitions; fractions, NaN where undefined.

    RL Tuner divides the notes that are not in the key by all steps; the metric `not_in_key` elsewhere is the share of
    notes. The key is C major if no context is given.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> statistics = rl_tuner_statistics(GridEncoding().line(np.array([[14, 16, 1, 15], [16, 14, 0, 0]])))
        >>> statistics["starts_on_tonic"], statistics["not_in_key"], statistics["leaps_resolved"]
        (0.5, 0.125, nan)
    """
    counts = rl_tuner_counts(line, context).select(RL_TUNER_METRICS)
    steps = {"not_in_key": line.valid.sum(axis=1).astype(np.float64)}
    return RuleCounts(counts.counted, {**counts.out_of, **steps}).statistics()


def paper_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """Count the paper's metrics in each melody, as its rules are worded.

    A tone that is held, or struck again after a rest, is no repetition; the tonic counts in any octave, as the first
    and the last note; a motif is three distinct tones in eight events. All but the tonic and the key are per step.
    """
    return _count("paper", line, context)


def paper_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """Compute the metrics of the paper's section IX.C and of its tonic rule, by `paper_counts`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> paper_statistics(GridEncoding().line(np.array([[26] + [1] * 31])))["excessively_repeated"]
        0.0
    """
    return paper_counts(line, context).statistics()


def cantilena_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """Count the metrics of the set `cantilena` in each melody, by the names of the rules.

    For a rule on a band: the feature over the melodies for which it is defined, and with the suffix `_inside` whether
    it lies inside the band. Rules that need chords are counted in lines with chords alone.
    """
    return _count("cantilena", line, context)


def cantilena_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """Compute the metrics of the set `cantilena` over all melodies, NaN where undefined.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 1, 1, 16, 1, 1, 1, 14, 1, 1, 1]]))
        >>> statistics = cantilena_statistics(line)
        >>> statistics["opening"], statistics["range"], statistics["motion"], statistics["phrase_8"]
        (1.0, 4.0, 1.0, nan)
    """
    return cantilena_counts(line, context).statistics()


def human_band(metric: str, context: Context, steps: int, bands: Bands | None = None) -> Band | None:
    """The range of a metric in human melodies of so many steps, in the built-in corpus if no bands are given.

    None for a metric that is not the mean of a feature with a band; its name may have the prefix.

    Examples:
        >>> band = human_band("cantilena.range", Context(), 128)
        >>> band.low < 12 < band.high, human_band("cantilena.key", Context(), 128)
        (True, None)
    """
    return (bands or human_bands()).lookup(metric.removeprefix(CANTILENA_PREFIX), context, steps)


def human_share(metric: str, context: Context, steps: int, bands: Bands | None = None) -> Share | None:
    """The share of human melodies of so many steps that have an event, in the built-in corpus if no bands are given.

    What a set of melodies should reach and not exceed. None for a metric that is not the share of melodies with an
    event, or of which more is better; its name may have the prefix.

    Examples:
        >>> share = human_share("cantilena.opening", Context(), 128)
        >>> 0.2 < share.mean < 0.8, share.count > 100, human_share("cantilena.key", Context(), 128)
        (True, True, None)
    """
    return (bands or human_bands()).share(metric.removeprefix(CANTILENA_PREFIX), context, steps)
