"""Check for leaks: whether a classifier can tell an arm from human clips by properties that are not musical.

The properties are length, loudness, silence, pace and register, measured in the sound files. Each is tested alone (Mann
and Whitney), and all together by ridge regression on their ranks, evaluated on held-out clips and compared with
randomly swapped labels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, rankdata

from cantilena.errors import InputError
from cantilena.listening.study.loudness import k_weighted, loudness
from cantilena.reporting.text import listed

Array = NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "length": ("seconds",),
    "loudness": ("loudness", "peak"),
    "silence": ("silent before", "silent share", "longest silence"),
    "pace": ("onsets a second",),
    "register": ("centroid",),
}
"""The features of each property that `--accept` can name."""

FEATURES = tuple(feature for group in GROUPS.values() for feature in group)
"""Columns of `features`."""

ALL_TOGETHER = "all together"
"""The property of the test of all features."""

ALPHA = 0.01
"""Significance level for each arm."""

MIN_AUC = 0.65
"""A significant difference counts as a leak only from this area under the ROC on; 1/2 is chance."""

_FRAME = 0.02
_SILENCE_LEVEL = 10 ** (-45 / 20)
_RESOLUTION = {"seconds": 0.05, "loudness": 0.05, "silent before": 0.02, "longest silence": 0.02}
"""Values are rounded to these steps, which nobody can hear."""


@dataclass(frozen=True)
class Leak:
    """How well an arm can be told from human clips by one property.

    Args:
        arm: the arm.
        by: the property, or `all together`.
        auc: area under the ROC.
        p: p-value; that of a single property is corrected for the number of features.
    """

    arm: str
    by: str
    auc: float
    p: float

    @property
    def is_leak(self) -> bool:
        """Whether the difference is significant and large enough."""
        return self.p < ALPHA and self.auc >= MIN_AUC

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the study file."""
        return {"arm": self.arm, "by": self.by, "area": self.auc, "p": self.p}


def features(sound: NDArray[np.float32], rate: int) -> Array:
    """Measure the features `(8,)` of a sound `(samples,)`, in the order of `FEATURES`.

    Examples:
        >>> measured = features(np.zeros(44_100, np.float32), 44_100)
        >>> dict(zip(FEATURES, measured.tolist()))["silent share"]
        1.0
    """
    frame = round(_FRAME * rate)
    frames = len(sound) // frame
    level = np.sqrt((sound[: frames * frame].astype(np.float64).reshape(frames, frame) ** 2).mean(axis=1))
    silent = level < _SILENCE_LEVEL * max(float(level.max(initial=0.0)), 1e-9)
    runs = np.diff(np.flatnonzero(np.concatenate([[True], ~silent, [True]]))) - 1
    before = int(np.argmin(silent)) if not silent.all() else frames
    # An onset: the weighted level, which the noise of hammers raises, is 1.5 times that of 40 ms before.
    weighted = k_weighted(np.diff(sound, prepend=0.0).astype(np.float64)[:, None], rate)[: frames * frame, 0]
    bright = np.sqrt((weighted.reshape(frames, frame) ** 2).mean(axis=1)) + 1e-9
    rises = bright[2:] > 1.5 * bright[:-2]
    onsets = np.count_nonzero(rises[1:] & ~rises[:-1])
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    centroid = float(spectrum @ np.fft.rfftfreq(len(sound), 1 / rate) / max(float(spectrum.sum()), 1e-12))
    seconds = len(sound) / rate
    lufs = max(loudness(sound, rate), -100.0)
    return np.array(
        [seconds, lufs, float(np.abs(sound).max(initial=0.0)), before * _FRAME, float(silent.mean()) if frames else 0.0,
         float(runs.max(initial=0)) * _FRAME, onsets / seconds, centroid]
    )  # fmt: skip


def find_leaks(
    arms: Mapping[str, Array], rng: np.random.Generator, *, accepted: Collection[str] = (), permutations: int = 499
) -> list[Leak]:
    """Test how well every arm can be told from human clips, by each property and by all that are not accepted.

    Args:
        arms: `(clips, 8)` features of each arm, `human` first; row i of every arm belongs to the same matched set.
        rng: random generator.
        accepted: properties in which arms may differ.
        permutations: number of random relabellings, within matched sets.
    """
    human, *others = arms
    columns = {name: index for index, name in enumerate(FEATURES)}
    leaks = []
    for arm in others:
        both = np.concatenate([arms[human], arms[arm]])
        for name, step in _RESOLUTION.items():
            both[:, columns[name]] = np.round(both[:, columns[name]] / step) * step
        label = np.repeat([False, True], [len(arms[human]), len(arms[arm])])
        for group, names in GROUPS.items():
            tests = [_test_feature(both[:, columns[name]], label, arm, group) for name in names]
            leaks.append(min(tests, key=lambda leak: leak.p))
        kept = [columns[name] for group, names in GROUPS.items() if group not in accepted for name in names]
        if kept:
            leaks.append(_test_together(both[:, kept], label, arm, rng, permutations))
    return leaks


def refuse_leaks(leaks: Sequence[Leak], accepted: Collection[str]) -> None:
    """Raise an error that names the leaks, if there are any that were not accepted."""
    refused = [leak for leak in leaks if leak.is_leak and leak.by not in accepted]
    if not refused:
        return
    worst = max(refused, key=lambda leak: (leak.by != ALL_TOGETHER, leak.auc))
    by = sorted({leak.by for leak in refused if leak.arm == worst.arm and leak.by != ALL_TOGETHER})
    what = f"{listed(by)} alone" if by else "all non-musical properties together"
    raise InputError(
        f"{worst.arm} can be told from human clips by {what} (area under the ROC {worst.auc:.2f}, p = {worst.p:.2g})",
        f"give melodies that are more alike, or allow the difference: --accept {' '.join(by) if by else 'PROPERTY'}",
    )


def area_under_roc(score: Array, label: NDArray[np.bool_]) -> float:
    """Compute how often a positive has a higher score than a negative; ties count half."""
    ranks = rankdata(score)
    positives = int(label.sum())
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * (len(label) - positives)))


def _test_feature(values: Array, label: NDArray[np.bool_], arm: str, group: str) -> Leak:
    if np.ptp(values) == 0:
        return Leak(arm, group, 0.5, 1.0)
    auc = area_under_roc(values, label)
    p = float(mannwhitneyu(values[label], values[~label]).pvalue)
    return Leak(arm, group, max(auc, 1 - auc), min(p * len(FEATURES), 1.0))


def _test_together(
    values: Array, label: NDArray[np.bool_], arm: str, rng: np.random.Generator, permutations: int
) -> Leak:
    """Ridge regression on ranks and their squares, evaluated on the half of the sets that it was not fitted to."""
    ranks = np.stack([rankdata(column) / len(column) - 0.5 for column in values.T], axis=1)
    design = np.hstack([ranks, ranks**2 - 1 / 12])
    sets = len(label) // 2
    half = rng.permutation(np.arange(sets) % 2).astype(np.bool_)
    fold = np.concatenate([half, half])

    def held_out_auc(swapped: NDArray[np.bool_]) -> float:
        target = np.where(np.concatenate([swapped, swapped]), ~label, label)
        areas = []
        for side in (fold, ~fold):
            x, y = design[side], target[side] - 0.5
            slope = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
            areas.append(area_under_roc(design[~side] @ slope, target[~side]))
        return float(np.mean(areas))

    observed = held_out_auc(np.zeros(sets, np.bool_))
    permuted = np.array([held_out_auc(rng.random(sets) < 0.5) for _ in range(permutations)])
    p = float((1 + np.count_nonzero(permuted >= observed)) / (1 + permutations))
    return Leak(arm, ALL_TOGETHER, observed, p)
