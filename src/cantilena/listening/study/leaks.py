"""Whether an arm can be told by what is no music: a trivial classifier listens to the files before people do.

It hears length, loudness, silence, pace and register, measured in the sound. Each is tested alone (Mann and Whitney),
and all of them together by ridge regression on their ranks, judged on clips that it has not heard, against labels that
were swapped at random.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
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
"""What the classifier hears, by the name under which an author may accept it."""

FEATURES = tuple(feature for group in GROUPS.values() for feature in group)
"""Columns of `features`."""

ALPHA = 0.01
"""A leak is found by chance this often, for each arm."""

FAR = 0.65
"""And only where the arm is told this well: area under the ROC, 1/2 is chance."""

_FRAME = 0.02
_QUIET = 10 ** (-45 / 20)
_ROUND = {"seconds": 0.05, "loudness": 0.05, "silent before": 0.02, "longest silence": 0.02}
"""What nobody hears: values are rounded so before they are compared."""


@dataclass(frozen=True)
class Leak:
    """How well an arm is told from people's clips.

    Args:
        arm: which.
        by: by what: a group, or `all together`.
        area: under the ROC.
        p: how often that happens by chance; for one group times the number of features.
    """

    arm: str
    by: str
    area: float
    p: float

    @property
    def leaks(self) -> bool:
        """Whether it is too well."""
        return self.p < ALPHA and self.area >= FAR


def features(sound: NDArray[np.float32], rate: int) -> Array:
    """What the trivial classifier hears in one file.

    Args:
        sound: `(samples,)`.
        rate: samples a second.

    Returns:
        `(8,)`, in the order of `FEATURES`.

    Example:
        >>> heard = features(np.zeros(44_100, np.float32), 44_100)
        >>> dict(zip(FEATURES, heard.tolist()))["silent share"]
        1.0
    """
    frame = round(_FRAME * rate)
    frames = len(sound) // frame
    level = np.sqrt((sound[: frames * frame].astype(np.float64).reshape(frames, frame) ** 2).mean(axis=1))
    quiet = level < _QUIET * max(float(level.max(initial=0.0)), 1e-9)
    runs = np.diff(np.flatnonzero(np.concatenate([[True], ~quiet, [True]]))) - 1
    before = int(np.argmin(quiet)) if not quiet.all() else frames
    # An onset: the weighted level, which hammers raise, is half as high again as 40 ms before.
    weighted = k_weighted(np.diff(sound, prepend=0.0).astype(np.float64)[:, None], rate)[: frames * frame, 0]
    bright = np.sqrt((weighted.reshape(frames, frame) ** 2).mean(axis=1)) + 1e-9
    rises = bright[2:] > 1.5 * bright[:-2]
    onsets = np.count_nonzero(rises[1:] & ~rises[:-1])
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    centroid = float(spectrum @ np.fft.rfftfreq(len(sound), 1 / rate) / max(float(spectrum.sum()), 1e-12))
    seconds = len(sound) / rate
    loud = max(loudness(sound, rate), -100.0)
    return np.array(
        [seconds, loud, float(np.abs(sound).max(initial=0.0)), before * _FRAME, float(quiet.mean()) if frames else 0.0,
         float(runs.max(initial=0)) * _FRAME, onsets / seconds, centroid]
    )  # fmt: skip


def find_leaks(
    heard: Mapping[str, Array], rng: np.random.Generator, *, accepted: Collection[str] = (), swaps: int = 499
) -> list[Leak]:
    """How well every arm is told from people's clips, by each group alone and by all that are not accepted.

    Args:
        heard: for each arm, people's first, `(clips, 8)` features; row i of every arm is of the same matched set.
        rng: the randomness.
        accepted: groups by which arms may differ.
        swaps: random relabellings; those of a matched set are swapped with each other.
    """
    people, *others = heard
    columns = {name: place for place, name in enumerate(FEATURES)}
    found = []
    for arm in others:
        both = np.concatenate([heard[people], heard[arm]])
        for name, step in _ROUND.items():
            both[:, columns[name]] = np.round(both[:, columns[name]] / step) * step
        label = np.repeat([False, True], [len(heard[people]), len(heard[arm])])
        for group, names in GROUPS.items():
            found.append(
                min((_alone(both[:, columns[name]], label, arm, group) for name in names), key=lambda one: one.p)
            )
        kept = [columns[name] for group, names in GROUPS.items() if group not in accepted for name in names]
        if kept:
            found.append(_together(both[:, kept], label, arm, rng, swaps))
    return found


def refuse_leaks(found: Sequence[Leak], accepted: Collection[str]) -> None:
    """Refuse a design in which an arm is told by something that was not accepted.

    Raises:
        InputError: it is; the text says by what.
    """
    bad = [one for one in found if one.leaks and one.by not in accepted]
    if not bad:
        return
    worst = max(bad, key=lambda one: (one.by != "all together", one.area))
    by = sorted({one.by for one in bad if one.arm == worst.arm and one.by != "all together"})
    what = f"the {listed(by)} of the sound alone" if by else "what is no music, taken all together"
    flag = " ".join(by) if by else "GROUP"
    raise InputError(
        f"{worst.arm} is told from people's clips by {what} (area under the ROC {worst.area:.2f}, p = {worst.p:.2g})",
        f"give melodies that are alike in it, or say that it may differ: --accept {flag}",
    )


def leaks_record(found: Sequence[Leak], accepted: Collection[str]) -> dict[str, Any]:
    """What the check found, for the study file."""
    return {"accepted": sorted(accepted), "found": [asdict(one) for one in found]}


def area(score: Array, label: NDArray[np.bool_]) -> float:
    """How often one with the label has the higher score; ties count half."""
    ranks = rankdata(score)
    positive = int(label.sum())
    return float((ranks[label].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive)))


def _alone(values: Array, label: NDArray[np.bool_], arm: str, group: str) -> Leak:
    if np.ptp(values) == 0:
        return Leak(arm, group, 0.5, 1.0)
    told = area(values, label)
    p = float(mannwhitneyu(values[label], values[~label]).pvalue)
    return Leak(arm, group, max(told, 1 - told), min(p * len(FEATURES), 1.0))


def _together(values: Array, label: NDArray[np.bool_], arm: str, rng: np.random.Generator, swaps: int) -> Leak:
    """Ridge regression on ranks and on squares of ranks, judged on the half of the sets that it has not learned."""
    ranks = np.stack([rankdata(column) / len(column) - 0.5 for column in values.T], axis=1)
    design = np.hstack([ranks, ranks**2 - 1 / 12])
    sets = len(label) // 2
    half = rng.permutation(np.arange(sets) % 2).astype(np.bool_)
    fold = np.concatenate([half, half])

    def told(swapped: NDArray[np.bool_]) -> float:
        target = np.where(np.concatenate([swapped, swapped]), ~label, label)
        areas = []
        for side in (fold, ~fold):
            x, y = design[side], target[side] - 0.5
            slope = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
            areas.append(area(design[~side] @ slope, target[~side]))
        return float(np.mean(areas))

    real = told(np.zeros(sets, np.bool_))
    chance = np.array([told(rng.random(sets) < 0.5) for _ in range(swaps)])
    return Leak(arm, "all together", real, float((1 + np.count_nonzero(chance >= real)) / (1 + swaps)))
