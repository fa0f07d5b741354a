"""Measure between which bounds a set of melodies keeps its features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import ANY_METER, Band, Bands
from cantilena.rules.context import Context
from cantilena.rules.reading import lengths
from cantilena.rules.rule_set import RuleSet
from cantilena.rules.two_sided import features_of

LOW, HIGH = 10, 90
"""The percentiles that bound a band."""


def measure_bands(rules: RuleSet, excerpts: Iterable[tuple[Line, Context]], *, least: int = 200) -> Bands:
    """The bands of all features that the rules of a set judge two-sidedly, by meter and number of bars.

    Args:
        rules: the set.
        excerpts: lines of whole bars; all melodies of one are of one length, meter and key.
        least: how many excerpts of one meter and length it takes to give them bands of their own; all count in the
            bands over all meters.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tunes = GridEncoding().line(np.array([[14] + [1] * 7 + [21] + [1] * 7] * 2))
        >>> from cantilena.rules import RULE_SETS
        >>> measure_bands(RULE_SETS["cantilena"], [(tunes, Context())], least=3).found["range"]
        {'any': {1: Band(low=7.0, high=7.0, spread=0.0)}}
    """
    features = features_of(rules)
    values: dict[tuple[str, str, int], list[NDArray[np.float64]]] = {}
    for line, context in excerpts:
        if not line.melodies:
            continue
        bars = max(round(int(lengths(line).max()) / context.steps_per_bar), 1)
        for name, feature in features.items():
            found = feature(line, context)
            for meter in (ANY_METER, str(context.meter)):
                values.setdefault((name, meter, bars), []).append(found[~np.isnan(found)])
    order = list(features)
    bands: dict[str, dict[str, dict[int, Band]]] = {}
    for (name, meter, bars), parts in sorted(
        values.items(), key=lambda item: (order.index(item[0][0]), item[0][1] != ANY_METER, item[0][1:])
    ):
        together = np.concatenate(parts)
        if len(together) and (meter == ANY_METER or len(together) >= least):
            low, high = np.percentile(together, (LOW, HIGH))
            band = Band(float(low), float(high), float(together.std()))
            bands.setdefault(name, {}).setdefault(meter, {})[bars] = band
    return Bands(bands)
