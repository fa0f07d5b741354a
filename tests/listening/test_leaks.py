"""The check for leaks finds simulated differences, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.errors import InputError
from cantilena.io import read_sound
from cantilena.listening.study.clips import RATE, TARGET, TOLERANCE, render_clip
from cantilena.listening.study.leaks import FEATURES, GROUPS, area_under_roc, features, find_leaks, refuse_leaks
from cantilena.music import Melody, Tempo


def random_features(seed: int, clips: int = 30, **shifts: float) -> np.ndarray:
    """Random features, some of them shifted by so many standard deviations."""
    values = np.random.default_rng(seed).normal(10, 1, (clips, len(FEATURES)))
    for name, shift in shifts.items():
        values[:, FEATURES.index(name.replace("_", " "))] += shift
    return values


@pytest.mark.parametrize(
    ("feature", "group"),
    [("seconds", "length"), ("loudness", "loudness"), ("silent_before", "silence"), ("onsets_a_second", "pace"),
     ("centroid", "register")],
)  # fmt: skip
def test_a_difference_is_refused_by_the_name_of_its_property(feature: str, group: str) -> None:
    arms = {"human": random_features(1), "lstm": random_features(2), "tuned": random_features(3, **{feature: 2.0})}
    leaks = find_leaks(arms, np.random.default_rng(1), permutations=99)
    with pytest.raises(InputError, match=rf"tuned can be told from human clips by {group} alone"):
        refuse_leaks(leaks, ())
    refuse_leaks(find_leaks(arms, np.random.default_rng(1), accepted=[group], permutations=99), [group])


def test_equal_arms_have_no_leaks() -> None:
    found = 0
    for seed in range(10):
        arms = {"human": random_features(2 * seed), "lstm": random_features(2 * seed + 1)}
        found += any(leak.is_leak for leak in find_leaks(arms, np.random.default_rng(seed), permutations=99))
    assert found <= 1


def test_small_differences_are_found_together() -> None:
    shifts = {name.replace(" ", "_"): 0.8 for name in FEATURES}
    arms = {"human": random_features(1, 60), "lstm": random_features(2, 60, **shifts)}
    leaks = find_leaks(arms, np.random.default_rng(1), permutations=199)
    assert leaks[-1].by == "all together"
    assert leaks[-1].is_leak


def test_inaudible_differences_do_not_count() -> None:
    arms = {name: np.full((30, len(FEATURES)), 10.0) for name in ("human", "lstm")}
    arms["lstm"][:, FEATURES.index("seconds")] += 0.001
    assert not any(leak.is_leak for leak in find_leaks(arms, np.random.default_rng(1), permutations=99))


def test_the_area_counts_ties_half() -> None:
    assert area_under_roc(np.array([1.0, 1.0, 2.0, 0.0]), np.array([True, False, True, False])) == 0.875
    assert sum(len(names) for names in GROUPS.values()) == len(FEATURES)


def test_features_are_those_of_the_sound() -> None:
    slow, fast = (
        render_clip(
            Melody.from_pitches([(pitch, ticks) for pitch in (60, 64, 67, 72)] * repeats, tempo=Tempo.constant(120))
        )
        for ticks, repeats in ((24, 2), (12, 4))
    )
    one, two = (dict(zip(FEATURES, features(read_sound(clip.content)[0], RATE), strict=True)) for clip in (slow, fast))
    assert one["seconds"] == pytest.approx(slow.seconds)
    assert one["loudness"] == pytest.approx(TARGET, abs=TOLERANCE)
    assert one["onsets a second"] * one["seconds"] == pytest.approx(8, abs=1.5)
    assert two["onsets a second"] > 1.5 * one["onsets a second"]
