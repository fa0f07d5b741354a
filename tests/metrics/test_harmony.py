"""Metrics of harmony, counted by hand and beside what the rules pay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.metrics import RuleCounts, cantilena_counts, chord_changes, harmony_counts
from cantilena.metrics.harmony import METRICS
from cantilena.metrics.registry import HARMONY, get_metric
from cantilena.music import HOLD, ON, ChordTrack, Line, Meter
from cantilena.rules import RULE_SETS, Context
from cantilena.rules.bands import INSIDE

EIGHTHS = Context(steps_per_bar=8)
TWO_BARS = [60, -1, 62, -1, 64, -1, 65, -1, 67, -1, -1, -1, 72, -1, -1, -1]  # C D E F | G  C


def over(chords: str, *rows: list[int], meter: Meter | None = None) -> Line:
    pitch = np.array(rows)
    line = Line.from_events(np.where(pitch >= 0, ON, HOLD), pitch)
    return line.with_chords([ChordTrack.parse(chords, meter or Meter())] * len(rows), 12)


def both(counts: RuleCounts, name: str) -> tuple[float, float]:
    return counts.counted[name][0], counts.out_of[name][0]


def test_two_bars_by_hand() -> None:
    line = over("C F | G C", TWO_BARS)
    counts = harmony_counts(line, EIGHTHS)
    assert both(counts, "notes_in_chord") == (4, 6)  # C D | E F | G | C over C F G C
    assert both(counts, "chords_per_bar") == (4, 2)
    assert both(counts, "chord_changes_on_strong_beats") == (3, 3)
    rules = cantilena_counts(line, EIGHTHS)
    assert both(rules, "chord_tones") == (0.75, 1)  # E over F
    assert both(rules, "non_chord_tones") == (2, 2)
    assert both(rules, "harmonic_cadence") == both(rules, "full_cadence") == (1, 1)


def test_changes_are_counted_where_another_chord_sounds() -> None:
    line = over("C C N.C. C | C C7 C7/E Am", TWO_BARS)
    assert np.flatnonzero(chord_changes(line)[0]).tolist() == [0, 6, 10, 14]  # the bass makes no other chord
    counts = harmony_counts(line, EIGHTHS)
    assert both(counts, "chord_changes_on_strong_beats") == (0, 3)
    assert both(counts, "chords_per_bar") == (4, 14 / 8)  # of the time in which chords sound


def test_padding_and_melodies_without_chords_count_nothing() -> None:
    line = replace(over("C F | G C", TWO_BARS, TWO_BARS), length=np.array([4, 16]))
    mixed = line.with_chords([ChordTrack.parse("C F | G C", Meter()), ChordTrack()], 12)
    counts = harmony_counts(mixed, EIGHTHS)
    assert both(counts, "notes_in_chord") == (1, 2)
    assert both(counts, "chords_per_bar") == (1, 0.5)
    for metric in METRICS:
        assert counts.out_of[metric.name][1] == 0
    rules = cantilena_counts(mixed, EIGHTHS)
    assert all(rules.out_of[name][1] == 0 for name in ("chord_tones", "non_chord_tones", "full_cadence"))


def test_a_line_without_chords_has_no_metrics_of_harmony() -> None:
    line = over("N.C.", TWO_BARS)
    assert harmony_counts(line, EIGHTHS).names == ()
    assert not any(get_metric("cantilena." + name).group == HARMONY for name in cantilena_counts(line).names)


def test_metrics_count_what_rewards_pay() -> None:
    rng = np.random.default_rng(5)
    walk = 64 + rng.integers(-3, 4, (60, 64)).cumsum(axis=1)
    line = over("C | Am | F G7 | C | Dm G7 | C", *np.where(rng.random((60, 64)) < 0.6, walk, -1).tolist())
    rules = RULE_SETS["cantilena"]
    counts, rewards = cantilena_counts(line, EIGHTHS), rules.rewards(line, EIGHTHS)
    in_each = {name: rewards[name].sum(axis=1) for name in ("chord_tones", "non_chord_tones", "harmonic_cadence")}
    unresolved = counts.out_of["non_chord_tones"] - counts.counted["non_chord_tones"]
    np.testing.assert_array_equal(-in_each["non_chord_tones"], unresolved)
    np.testing.assert_array_equal(counts.counted["harmonic_cadence"], in_each["harmonic_cadence"] > 0)
    np.testing.assert_array_equal(counts.counted["full_cadence"], in_each["harmonic_cadence"] == 2)
    defined = counts.out_of["chord_tones"] > 0
    np.testing.assert_array_equal(counts.counted["chord_tones" + INSIDE][defined], in_each["chord_tones"][defined] == 0)
    assert 0 < counts.statistics()["non_chord_tones"] < 1


@pytest.mark.parametrize("name", [metric.name for metric in METRICS])
def test_where_steps_are_not_timed_only_notes_are_counted(name: str) -> None:
    counts = harmony_counts(over("C F | G C", TWO_BARS), replace(EIGHTHS, timed=False))
    assert (counts.out_of[name][0] > 0) == (name == "notes_in_chord")
