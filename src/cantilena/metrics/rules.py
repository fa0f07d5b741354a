"""How often melodies keep the rules: the events that the rewards see, counted.

Each metric is a sum over melodies divided by another, so that any set of melodies, and any resample of it, has its
value from the counts of its melodies alone.

What the rules of the set `cantilena` count, by the functions that the rewards read.

Features that people keep within a band are told twice: their mean, and the share of melodies inside the band.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.registry import CANTILENA_PREFIX, INSIDE
from cantilena.music import Line
from cantilena.rules import (
    RULE_SETS,
    Band,
    Bands,
    Context,
    cadences,
    climaxes,
    deviations,
    features_of,
    final_autocorrelations,
    find_motifs,
    first_tone_is_tonic,
    foreign_tones,
    human_bands,
    last_tone_is_tonic,
    leap_outcomes,
    leap_recoveries,
    lengths,
    motif_returns,
    motif_tones,
    opens_on,
    out_of_key,
    paper_repeated,
    rl_tuner_repeated,
    starts_on_tonic,
    strikes_in_a_row,
    tones,
    unique_extremes,
    unresolved_degrees,
)
from cantilena.rules.contour import RECOVERED, RETURNED
from cantilena.rules.repetition import STRIKES

Counts = NDArray[np.float64]

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
"""What RL Tuner prints of a set of compositions."""


@dataclass(frozen=True)
class RuleCounts:
    """What was counted in each melody, and out of how many.

    Args:
        counted: by metric, `(melodies,)`: the numerators.
        out_of: by metric, `(melodies,)`: the denominators; 0 where a melody has nothing to say.

    Example:
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
        """Counts of the same melodies as one; of metrics that several have, the last counts."""
        parts = list(several)
        return cls(
            {name: values for part in parts for name, values in part.counted.items()},
            {name: values for part in parts for name, values in part.out_of.items()},
        )

    def select(self, names: Iterable[str]) -> RuleCounts:
        """Some of the metrics."""
        kept = list(names)
        return RuleCounts({name: self.counted[name] for name in kept}, {name: self.out_of[name] for name in kept})

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(self.counted)

    def statistics(self) -> dict[str, float]:
        """The metrics of all melodies together: sum over sum, NaN where nothing could be counted."""
        return {name: _ratio(self.counted[name], self.out_of[name]) for name in self.names}


def rl_tuner_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """RL Tuner's statistics in each melody, and `ends_on_tonic`.

    Per step: excessively repeated, not in key, in motif, in repeated motif. Per melody: starts on tonic (the first
    step strikes it in octave 4), ends on tonic (the last note struck has its pitch class), unique highest event and
    lowest tone. Leaps resolved: of those resolved or doubled. Autocorrelation: the mean over melodies that vary.
    """
    where = context or Context()
    steps, some = lengths(line), lengths(line) > 0
    outcome = leap_outcomes(line)
    highest, lowest = unique_extremes(line)
    rho = final_autocorrelations(line)
    return RuleCounts.from_pairs(
        {
            "excessively_repeated": (_in_each(rl_tuner_repeated(line)), steps),
            "not_in_key": (_in_each(out_of_key(line, where)), steps),
            "starts_on_tonic": (starts_on_tonic(line, where), some),
            "ends_on_tonic": (_in_each(last_tone_is_tonic(line, where)), some),
            "leaps_resolved": (_in_each(outcome > 0), _in_each(outcome != 0)),
            "unique_max": (highest, some),
            "unique_min": (lowest, some),
            "in_motif": (_in_each(motif_tones(line) > 0), steps),
            "in_repeated_motif": (_in_each(motif_returns(line)), steps),
            **{f"autocorrelation_{lag}": (np.nan_to_num(r), ~np.isnan(r)) for lag, r in enumerate(rho, start=1)},
        }
    )


def rl_tuner_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """What RL Tuner prints of a set of compositions, by the same definitions; fractions, NaN where undefined.

    Args:
        line: the melodies.
        context: their key; C major where not given.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> statistics = rl_tuner_statistics(GridEncoding().line(np.array([[14, 16, 1, 15], [16, 14, 0, 0]])))
        >>> statistics["starts_on_tonic"], statistics["not_in_key"], statistics["leaps_resolved"]
        (0.5, 0.125, nan)
    """
    statistics = rl_tuner_counts(line, context).statistics()
    return {name: statistics[name] for name in RL_TUNER_METRICS}


def paper_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The paper's metrics in each melody, as its rules read.

    A tone held, or struck again after a rest, is no repetition; the tonic counts in any octave, as the first and the
    last note that sound; a motif is three distinct tones in eight events. All but the tonic are per step.
    """
    where = context or Context()
    steps, some = lengths(line), lengths(line) > 0
    return RuleCounts.from_pairs(
        {
            "excessively_repeated": (_in_each(paper_repeated(line)), steps),
            "not_in_key": (_in_each(out_of_key(line, where)), steps),
            "starts_on_tonic": (_in_each(first_tone_is_tonic(line, where)), some),
            "ends_on_tonic": (_in_each(last_tone_is_tonic(line, where)), some),
            "in_motif": (_in_each(motif_tones(line) > 0), steps),
            "in_repeated_motif": (_in_each(motif_returns(line)), steps),
        }
    )


def paper_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """The metrics of the paper's section IX.C and its tonic rule, by `paper_counts`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> paper_statistics(GridEncoding().line(np.array([[26] + [1] * 31])))["excessively_repeated"]
        0.0
    """
    return paper_counts(line, context).statistics()


def _in_each(events: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many in each melody."""
    counts: NDArray[np.int64] = np.count_nonzero(events, axis=1)
    return counts


def _ratio(counted: Counts, out_of: Counts) -> float:
    total = float(out_of.sum())
    return float(counted.sum()) / total if total > 0 else float("nan")


def cantilena_counts(line: Line, context: Context | None = None) -> RuleCounts:
    """The metrics of the set `cantilena` in each melody.

    Per note: `key` (foreign, or a raised degree of minor found to go wrong), `repetition`. Per melody: `opening` (on
    the tonic), `cadence` (on the tonic, begun on a strong beat), `climax` (one, inside), `motif_return` (any). Per leap
    that is followed: `leap_recovery` (it turns back). Every feature of a two-sided rule by the rule's name: its sum
    over the melodies for which it is defined; and with `_inside`, how many keep it within people's band.
    """
    where = context or Context()
    notes, some = tones(line).sum(axis=1), lengths(line) > 0
    recovered, close = leap_recoveries(line), cadences(line, where)
    pairs: dict[str, tuple[NDArray[np.generic], NDArray[np.generic]]] = {
        "key": (_in_each(foreign_tones(line, where) | unresolved_degrees(line, where)), notes),
        "opening": (_in_each(opens_on(line, where)[0]), some),
        "cadence": (close.tonic & close.strong, some & where.timed),
        "repetition": (_in_each(strikes_in_a_row(line, where) > STRIKES), notes),
        "leap_recovery": (_in_each((recovered == RECOVERED) | (recovered == RETURNED)), _in_each(recovered > 0)),
        "climax": (climaxes(line)[1], some),
        "motif_return": (find_motifs(line, where).different > 0, some),
    }
    for name, feature in features_of(RULE_SETS["cantilena"]).items():
        values = feature(line, where)
        defined = ~np.isnan(values)
        pairs[name] = np.nan_to_num(values), defined
        pairs[name + INSIDE] = defined & (deviations(name, values, line, where) == 0), defined
    return RuleCounts.from_pairs(pairs)


def cantilena_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """The metrics of the set `cantilena` of all melodies together, NaN where undefined.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 1, 1, 16, 1, 1, 1, 14, 1, 1, 1]]))
        >>> statistics = cantilena_statistics(line)
        >>> statistics["opening"], statistics["range"], statistics["motion"], statistics["phrase_8"]
        (1.0, 4.0, 1.0, nan)
    """
    return cantilena_counts(line, context).statistics()


def human_band(metric: str, context: Context, steps: int, bands: Bands | None = None) -> Band | None:
    """Where people keep a metric that is the mean of a feature; None where it is none, or nobody was measured.

    Args:
        metric: its name, with the prefix or without.
        context: the meter of the melodies.
        steps: their length.
        bands: those of the built-in corpus if None.

    Example:
        >>> band = human_band("cantilena.range", Context(), 128)
        >>> band.low < 12 < band.high, human_band("cantilena.key", Context(), 128)
        (True, None)
    """
    return (bands or human_bands()).lookup(metric.removeprefix(CANTILENA_PREFIX), context, steps)
