"""What the rules of the set `cantilena` count, by the functions that the rewards read.

Features that people keep within a band are told twice: their mean, and the share of melodies inside the band.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.metric_words import INSIDE, MUSICAL_PREFIX
from cantilena.metrics.rules import RuleCounts
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
    find_motifs,
    foreign_tones,
    human_bands,
    leap_recoveries,
    lengths,
    opens_on,
    strikes_in_a_row,
    tones,
    unresolved_degrees,
)
from cantilena.rules.leap_recovery import RECOVERED, RETURNED
from cantilena.rules.repeated_strikes import STRIKES


def musical_counts(line: Line, context: Context | None = None) -> RuleCounts:
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
    return RuleCounts.of(pairs)


def musical_statistics(line: Line, context: Context | None = None) -> dict[str, float]:
    """The metrics of the set `cantilena` of all melodies together, NaN where undefined.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 1, 1, 16, 1, 1, 1, 14, 1, 1, 1]]))
        >>> statistics = musical_statistics(line)
        >>> statistics["opening"], statistics["range"], statistics["motion"], statistics["phrase_8"]
        (1.0, 4.0, 1.0, nan)
    """
    return musical_counts(line, context).statistics()


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
    return (bands or human_bands()).lookup(metric.removeprefix(MUSICAL_PREFIX), context, steps)


def _in_each(events: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many in each melody."""
    counts: NDArray[np.int64] = np.count_nonzero(events, axis=1)
    return counts
