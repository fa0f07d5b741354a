"""The trivial classifier finds what is planted, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.errors import InputError
from cantilena.listening.study.clips import (
    RATE,
    TARGET,
    TOLERANCE,
    attention,
    headphone_trial,
    samples_of,
    shuffled,
    sounded,
)
from cantilena.listening.study.leaks import FEATURES, GROUPS, area, features, find_leaks, refuse_leaks
from cantilena.music import Melody, Tempo


def heard(seed: int, clips: int = 30, **shifted: float) -> np.ndarray:
    """Features of clips that do not differ, and of some that are shifted by so many standard deviations."""
    values = np.random.default_rng(seed).normal(10, 1, (clips, len(FEATURES)))
    for name, shift in shifted.items():
        values[:, FEATURES.index(name.replace("_", " "))] += shift
    return values


@pytest.mark.parametrize(
    ("feature", "group"),
    [("seconds", "length"), ("loudness", "loudness"), ("silent_before", "silence"), ("onsets_a_second", "pace"),
     ("centroid", "register")],
)  # fmt: skip
def test_an_arm_that_is_told_by_one_thing_is_refused_by_that_name(feature: str, group: str) -> None:
    rows = {"human": heard(1), "lstm": heard(2), "tuned": heard(3, **{feature: 2.0})}
    found = find_leaks(rows, np.random.default_rng(1), swaps=199)
    with pytest.raises(InputError, match=rf"tuned is told from people's clips by the {group} of the sound alone"):
        refuse_leaks(found, ())
    again = find_leaks(rows, np.random.default_rng(1), accepted=[group], swaps=199)
    refuse_leaks(again, [group])


def test_where_nothing_differs_nothing_is_refused() -> None:
    refused = 0
    for seed in range(20):
        rows = {"human": heard(2 * seed), "lstm": heard(2 * seed + 1)}
        refused += any(one.leaks for one in find_leaks(rows, np.random.default_rng(seed), swaps=199))
    assert refused <= 2


def test_small_things_together_are_found() -> None:
    shift = {name.replace(" ", "_"): 0.8 for name in FEATURES}
    found = find_leaks({"human": heard(1, 60), "lstm": heard(2, 60, **shift)}, np.random.default_rng(1), swaps=199)
    assert found[-1].by == "all together"
    assert found[-1].leaks


def test_inaudible_differences_do_not_count() -> None:
    rows = {"human": heard(1) * 0 + 10, "lstm": heard(1) * 0 + 10}
    rows["lstm"][:, FEATURES.index("seconds")] += 0.001
    assert not any(one.leaks for one in find_leaks(rows, np.random.default_rng(1), swaps=99))


def test_the_area_counts_ties_half() -> None:
    assert area(np.array([1.0, 1.0, 2.0, 0.0]), np.array([True, False, True, False])) == 0.875
    assert sum(len(names) for names in GROUPS.values()) == len(FEATURES)


def test_measured_features_are_what_was_played() -> None:
    tempo = Tempo.constant(120)
    slow = sounded(Melody.from_pitches([(60, 24), (64, 24), (67, 24), (72, 24)] * 4, tempo=tempo))
    fast = sounded(Melody.from_pitches([(60, 12), (64, 12), (67, 12), (72, 12)] * 8, tempo=tempo))
    one, two = (dict(zip(FEATURES, features(samples_of(clip.content), RATE), strict=True)) for clip in (slow, fast))
    assert one["seconds"] == pytest.approx(slow.seconds)
    assert one["loudness"] == pytest.approx(TARGET, abs=TOLERANCE)
    assert one["onsets a second"] * one["seconds"] == pytest.approx(16, abs=3)
    assert two["onsets a second"] > 1.5 * one["onsets a second"]


def test_every_clip_is_equally_loud_and_the_same_again() -> None:
    high, low = (Melody.from_pitches([(pitch, 24)] * 8) for pitch in (84, 48))
    for melody in (high, low, attention(120)):
        made = sounded(melody)
        assert abs(made.loudness - TARGET) <= TOLERANCE
        assert made.content == sounded(melody).content


def test_an_anchor_has_the_notes_and_the_length_of_its_melody_in_another_order() -> None:
    tune = Melody.from_pitches([(60 + place, 6 * (1 + place % 4)) for place in range(20)])
    made = shuffled(tune, np.random.default_rng(1))
    assert made.length == tune.length
    assert sorted(note.pitches for note in made.notes) == sorted(note.pitches for note in tune.notes)
    assert [note.pitches for note in made.notes] != [note.pitches for note in tune.notes]


def test_loudspeakers_cancel_the_turned_tone_and_headphones_do_not() -> None:
    sound = samples_of(headphone_trial(1).content)
    at = [slice(round(1.5 * RATE * place), round((1.5 * place + 1) * RATE)) for place in range(3)]
    left = [np.abs(sound[part, 0]).max() for part in at]
    mixed = [np.abs(sound[part].sum(axis=1)).max() for part in at]
    assert np.argmin(left) == 1
    assert np.argmin(mixed) == 2
