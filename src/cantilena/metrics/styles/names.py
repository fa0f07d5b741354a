"""A cluster of melodies in plain words: those of the features in which it differs most from the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.features import STYLE_COLUMNS, STYLE_FEATURES

MOST_WORDS = 5
"""Features that a description names."""

TELLING = 0.4
"""Standard deviations by which a cluster must differ from the rest for a feature to be named."""

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
"""What is said where a cluster has more of a number than the rest, and where it has less."""

_SHARES = {name: name.replace("_", " ") for name in STYLE_FEATURES["lengths"]} | {
    "halves": "long notes",
    "steps": "steps",
}
"""Shares of notes or moves, of which a cluster can have mostly one."""

_SAID_TOGETHER = {name: feature for feature, names in STYLE_FEATURES.items() for name in names} | {
    **dict.fromkeys(("notes_per_quarter", *STYLE_FEATURES["lengths"]), "speed"),
    **dict.fromkeys(("mean_interval", "steps", "leaps"), "motion"),
    "repeated": "repeated",
}
"""Numbers of which one says what the others would: the first that differs speaks for all."""

_NEARLY_ALL, _MOST = 0.9, 0.5
_AXIS = 2  # numbers that name an axis of a map


@dataclass(frozen=True)
class StyleFeature:
    """One number of a cluster beside the rest.

    Args:
        mean: over its melodies; NaN where none of them tells.
        rest: over all others.
        difference: of the two, in standard deviations of all melodies.
    """

    mean: float
    rest: float
    difference: float

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values, undefined ones with a reason."""
        numbers = {"mean": self.mean, "rest": self.rest, "difference": self.difference}
        if not any(np.isnan(value) for value in numbers.values()):
            return {name: round(value, 6) for name, value in numbers.items()}
        told = {name: None if np.isnan(value) else round(value, 6) for name, value in numbers.items()}
        return told | {"reason": "too few notes or bars to tell"}


def cluster_features(features: NDArray[np.float64], inside: NDArray[np.bool_]) -> dict[str, StyleFeature]:
    """Every number of a cluster beside the rest, by name.

    Args:
        features: `(melodies, numbers)` of `style_features`, of all melodies.
        inside: `(melodies,)`: which of them are in the cluster.

    Example:
        >>> features = np.full((4, len(STYLE_COLUMNS)), 1.0)
        >>> features[2:, 0] = 3.0
        >>> cluster_features(features, np.array([False, False, True, True]))["notes_per_quarter"]
        StyleFeature(mean=3.0, rest=1.0, difference=2.0)
    """
    found = {}
    for name, values in zip(STYLE_COLUMNS, features.T, strict=True):
        spread = _spread(values)
        mean, rest = _mean(values[inside]), _mean(values[~inside])
        apart = (mean - rest) / spread if spread > 1e-9 else 0.0 * (mean - rest)
        found[name] = StyleFeature(mean, rest, apart)
    return found


def describe_cluster(features: Mapping[str, StyleFeature], meters: Sequence[str]) -> str:
    """What a cluster is like, the most telling first.

    Args:
        features: what `cluster_features` gave.
        meters: the meter of each melody of the cluster, such as `6/8`.

    Returns:
        At most five words or so, with commas.

    Example:
        >>> fast, compound = StyleFeature(3.0, 1.5, 1.4), StyleFeature(1.0, 0.1, 2.6)
        >>> describe_cluster({"notes_per_quarter": fast, "compound": compound}, ["6/8", "6/8"])
        '6/8, fast'
    """
    told = {name: one for name, one in features.items() if abs(one.difference) >= TELLING}  # NaN tells nothing
    said: dict[str, str] = {}
    for name, one in sorted(told.items(), key=lambda pair: -abs(pair[1].difference)):
        words = _words(name, one, meters)
        if words and words not in said.values():
            said.setdefault(_SAID_TOGETHER[name], words)
    return ", ".join(list(said.values())[:MOST_WORDS]) or "like the rest"


def describe_axis(direction: Mapping[str, float]) -> str:
    """The two numbers that a direction among melodies changes most, in words: what its positive side is like.

    Args:
        direction: by number, how much of it the direction has.

    Example:
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
            return ""  # what a meter is not says little
        commonest, count = Counter(meters).most_common(1)[0]
        return _mostly(commonest, count / len(meters)) if count >= _MOST * len(meters) else _mostly(name, one.mean)
    return _WORDS[name][0 if is_more else 1]


def _mostly(words: str, share: float) -> str:
    return words if share >= _NEARLY_ALL else f"mostly {words}" if share >= _MOST else f"often {words}"


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _spread(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.std()) if len(known) else 0.0
