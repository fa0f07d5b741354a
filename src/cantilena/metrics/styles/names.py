"""Descriptions of clusters of melodies: the features in which they differ most from the rest, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.features import STYLE_COLUMNS, STYLE_FEATURES

MOST_WORDS = 5
"""The most features that a description names."""

TELLING = 0.4
"""The difference of a cluster from the rest, in standard deviations, from which a feature is named."""

_WORDS: Mapping[str, tuple[str, str]] = {
    "notes_per_quarter": ("fast", "slow"),
    "rhythm_entropy": ("varied in rhythm", "even in rhythm"),
    "syncopation": ("syncopated", "on the beat"),
    "silence": ("more rests", "fewer rests"),
    "range": ("wide", "narrow"),
    "mean_interval": ("larger intervals", "smaller intervals"),
    "repeated": ("more repeated notes", "fewer repeated notes"),
    "leaps": ("more leaps", "fewer leaps"),
    "pitch_class_entropy": ("more different tones", "fewer different tones"),
    "returns_1": ("bars alike", "bars unlike each other"),
    "returns_2": ("returning after 2 bars", "seldom returning after 2 bars"),
    "returns_4": ("returning after 4 bars", "seldom returning after 4 bars"),
}
"""The words for a higher and for a lower number than the rest's."""

_SHARES = {name: name.replace("_", " ") for name in STYLE_FEATURES["lengths"]} | {
    "halves": "long notes",
    "steps": "steps",
}
"""Shares of notes or moves, of which a cluster can have mostly one."""

_TOPICS = {name: feature for feature, names in STYLE_FEATURES.items() for name in names} | {
    **dict.fromkeys(("notes_per_quarter", *STYLE_FEATURES["lengths"]), "speed"),
    **dict.fromkeys(("mean_interval", "steps", "leaps"), "motion"),
    "repeated": "repeated",
}
"""Numbers of one topic are redundant: only the one that differs most is named."""

_NEARLY_ALL, _MOST = 0.9, 0.5
_AXIS = 2  # numbers that name an axis of a map


@dataclass(frozen=True)
class StyleFeature:
    """One number of a cluster compared with the rest.

    Args:
        mean: over its melodies; NaN where it is undefined for all.
        rest: over all others.
        difference: of the two, in standard deviations of all melodies.
    """

    mean: float
    rest: float
    difference: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values, undefined ones with a reason."""
        numbers = {"mean": self.mean, "rest": self.rest, "difference": self.difference}
        known = {name: None if np.isnan(value) else round(value, 6) for name, value in numbers.items()}
        return known | ({"reason": "too few notes or bars to tell"} if None in known.values() else {})


def cluster_features(features: NDArray[np.float64], inside: NDArray[np.bool_]) -> dict[str, StyleFeature]:
    """Compare every number of a cluster with the rest, by name.

    Args:
        features: `(melodies, numbers)` of `style_features`, of all melodies.
        inside: `(melodies,)`: which of them are in the cluster.

    Examples:
        >>> features = np.full((4, len(STYLE_COLUMNS)), 1.0)
        >>> features[2:, 0] = 3.0
        >>> cluster_features(features, np.array([False, False, True, True]))["notes_per_quarter"]
        StyleFeature(mean=3.0, rest=1.0, difference=2.0)
    """
    compared = {}
    for name, values in zip(STYLE_COLUMNS, features.T, strict=True):
        known = values[~np.isnan(values)]
        spread = float(known.std()) if len(known) else 0.0
        mean, rest = _mean(values[inside]), _mean(values[~inside])
        difference = (mean - rest) / spread if spread > 1e-9 else 0.0 * (mean - rest)
        compared[name] = StyleFeature(mean, rest, difference)
    return compared


def describe_cluster(features: Mapping[str, StyleFeature], meters: Sequence[str]) -> str:
    """Describe a cluster in words, the largest difference first.

    Args:
        features: from `cluster_features`.
        meters: the meter of each melody of the cluster, such as `6/8`.

    Returns:
        At most five phrases, separated by commas.

    Examples:
        >>> fast, compound = StyleFeature(3.0, 1.5, 1.4), StyleFeature(1.0, 0.1, 2.6)
        >>> describe_cluster({"notes_per_quarter": fast, "compound": compound}, ["6/8", "6/8"])
        '6/8, fast'
    """
    telling = {name: one for name, one in features.items() if abs(one.difference) >= TELLING}  # NaN does not compare
    by_topic: dict[str, str] = {}
    for name, one in sorted(telling.items(), key=lambda pair: -abs(pair[1].difference)):
        words = _words(name, one, meters)
        if words and words not in by_topic.values():
            by_topic.setdefault(_TOPICS[name], words)
    return ", ".join(list(by_topic.values())[:MOST_WORDS]) or "like the rest"


def describe_axis(direction: Mapping[str, float]) -> str:
    """Describe the positive end of an axis by the two numbers with the largest loadings.

    Examples:
        >>> describe_axis({"steps": -0.8, "range": 0.5, "minor": 0.1})
        'fewer steps, wide'
    """
    chosen = sorted(direction, key=lambda name: -abs(direction[name]))[:_AXIS]
    ends = (StyleFeature(float("nan"), float("nan"), direction[name]) for name in chosen)
    return ", ".join(_axis_words(name, one) for name, one in zip(chosen, ends, strict=True))


def _axis_words(name: str, one: StyleFeature) -> str:
    if name in STYLE_FEATURES["meter"]:
        return name if one.difference > 0 else f"not {name}"
    if name == "minor":
        return "minor" if one.difference > 0 else "major"
    return _words(name, one, [])


def _words(name: str, one: StyleFeature, meters: Sequence[str]) -> str:
    is_more = one.difference > 0
    if name == "minor":
        return _mostly("minor", one.mean) if is_more else _mostly("major", 1 - one.mean)
    if name in _SHARES:
        return f"{'fewer' if not is_more else 'mostly' if one.mean >= _MOST else 'more'} {_SHARES[name]}"
    if name in STYLE_FEATURES["meter"]:
        if not is_more or not meters:
            return ""  # the absence of a meter is not informative
        commonest, count = Counter(meters).most_common(1)[0]
        return _mostly(commonest, count / len(meters)) if count >= _MOST * len(meters) else _mostly(name, one.mean)
    return _WORDS[name][0 if is_more else 1]


def _mostly(words: str, share: float) -> str:
    return words if share >= _NEARLY_ALL else f"mostly {words}" if share >= _MOST else f"often {words}"


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
