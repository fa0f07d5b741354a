"""Metrics of rules: RL Tuner's against the reference implementation, ours by hand and against the rewards."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.metrics import (
    RL_TUNER_METRICS,
    cantilena_counts,
    cantilena_statistics,
    human_band,
    human_share,
    paper_statistics,
    rl_tuner_counts,
    rl_tuner_statistics,
)
from cantilena.metrics.registry import HARMONY, METRICS, RULES_BY_US, get_metric
from cantilena.metrics.rules import CANTILENA_PREFIX
from cantilena.music import Chord, ChordTrack, Key, Line, Melody, Meter
from cantilena.rules import RULE_SETS, Bands, Context, Share, events_of, features_of, human_bands
from cantilena.rules.bands import INSIDE
from cantilena.tokenizers import EventsEncoding, GridEncoding

COUNTED = {
    "excessively_repeated": "num_repeated_notes",
    "not_in_key": "notes_not_in_key",
    "starts_on_tonic": "num_starting_tonic",
    "leaps_resolved": "num_resolved_leaps",
    "unique_max": "num_high_unique",
    "unique_min": "num_low_unique",
    "in_motif": "notes_in_motif",
    "in_repeated_motif": "notes_in_repeated_motif",
}


@pytest.fixture(scope="session")
def compositions(shared: Path) -> list[dict[str, Any]]:
    return json.loads((shared / "oracle" / "rl_tuner_sample.json").read_text())["compositions"]


def line_of(compositions: list[dict[str, Any]]) -> Line:
    return GridEncoding().line(np.array([composition["notes"] for composition in compositions]))


def test_counts_of_each_melody_equal_the_reference(compositions: list[dict[str, Any]]) -> None:
    counts = rl_tuner_counts(line_of(compositions))
    for name, theirs in COUNTED.items():
        assert counts.counted[name].tolist() == [composition["stats"][theirs] for composition in compositions], name
    leaps = [c["stats"]["num_resolved_leaps"] + c["stats"]["num_leap_twice"] for c in compositions]
    assert counts.out_of["leaps_resolved"].tolist() == leaps
    struck = [sum(note > 1 for note in composition["notes"]) for composition in compositions]
    assert counts.out_of["not_in_key"].tolist() == struck  # RL Tuner divides by 32 steps


def test_statistics_of_each_melody_equal_the_reference(compositions: list[dict[str, Any]]) -> None:
    for composition in compositions:
        statistics, theirs = rl_tuner_statistics(line_of([composition])), composition["stats"]
        assert tuple(statistics) == RL_TUNER_METRICS
        assert all(type(value) is float for value in statistics.values())
        for lag in (1, 2, 3):
            assert statistics[f"autocorrelation_{lag}"] == pytest.approx(theirs[f"autocorrelation{lag}"], abs=1e-12)
        for name in ("excessively_repeated", "not_in_key", "in_motif", "in_repeated_motif"):
            assert statistics[name] == theirs[COUNTED[name]] / 32
        for name in ("starts_on_tonic", "unique_max", "unique_min"):
            assert statistics[name] == theirs[COUNTED[name]]
        resolved, doubled = theirs["num_resolved_leaps"], theirs["num_leap_twice"]
        if resolved + doubled:
            assert statistics["leaps_resolved"] == resolved / (resolved + doubled)
        else:
            assert math.isnan(statistics["leaps_resolved"])


def test_statistics_of_a_set_are_sums_over_sums(compositions: list[dict[str, Any]]) -> None:
    statistics = rl_tuner_statistics(line_of(compositions))
    total = {name: sum(c["stats"][theirs] for c in compositions) for name, theirs in COUNTED.items()}
    doubled = sum(c["stats"]["num_leap_twice"] for c in compositions)
    assert statistics["not_in_key"] == total["not_in_key"] / (40 * 32)
    assert statistics["unique_max"] == total["unique_max"] / 40
    assert statistics["leaps_resolved"] == total["leaps_resolved"] / (total["leaps_resolved"] + doubled)
    rho = np.array([[c["stats"][f"autocorrelation{lag}"] for c in compositions] for lag in (1, 2, 3)])
    for lag, mean in enumerate(rho.mean(axis=1), start=1):
        assert statistics[f"autocorrelation_{lag}"] == pytest.approx(mean, abs=1e-12)


def test_metrics_count_what_the_rewards_reward() -> None:
    line = GridEncoding().line(np.random.default_rng(2).choice([0, 1, 14, 16, 18, 21, 33, 3], (200, 32)))
    counts, rewards = rl_tuner_counts(line), RULE_SETS["rl-tuner"].rewards(line)
    events = {
        "not_in_key": rewards["key"] < 0,
        "excessively_repeated": rewards["repetition"] < 0,
        "in_motif": rewards["motif"] > 0,
        "in_repeated_motif": rewards["repeated_motif"] > 0,
        "leaps_resolved": rewards["leap"] > 0,
        "starts_on_tonic": rewards["tonic"][:, :1] > 0,
    }
    for name, event in events.items():
        np.testing.assert_array_equal(counts.counted[name], event.sum(axis=1), err_msg=name)
    np.testing.assert_array_equal(
        counts.counted["unique_max"] + counts.counted["unique_min"], rewards["extremes"][:, -1] / 3
    )


def test_ceilings_of_the_motif_metrics() -> None:
    statistics = rl_tuner_statistics(GridEncoding().line(np.array([[14, 16, 18, 19, 21, 1, 0, 1] * 4])))
    assert statistics["in_motif"] == 25 / 32
    assert statistics["in_repeated_motif"] == 17 / 32


def test_constant_melodies_have_no_autocorrelation_and_no_leaps() -> None:
    statistics = rl_tuner_statistics(GridEncoding().line(np.zeros((3, 32), dtype=int)))
    undefined = {name for name, value in statistics.items() if math.isnan(value)}
    assert undefined == {"leaps_resolved", "autocorrelation_1", "autocorrelation_2", "autocorrelation_3"}
    mixed = rl_tuner_statistics(GridEncoding().line(np.array([[14] * 4, [14, 16, 14, 16]])))
    alone = rl_tuner_statistics(GridEncoding().line(np.array([[14, 16, 14, 16]])))
    assert mixed["autocorrelation_1"] == alone["autocorrelation_1"]


def test_padding_counts_for_nothing() -> None:
    rng = np.random.default_rng(4)
    classes, length = rng.integers(0, 38, (30, 32)), rng.integers(1, 33, 30)
    together = rl_tuner_counts(GridEncoding().line(classes, length=length))
    for melody, steps in enumerate(length):
        alone = rl_tuner_counts(GridEncoding().line(classes[melody : melody + 1, :steps]))
        for name in alone.names:
            assert together.counted[name][melody] == pytest.approx(alone.counted[name][0], abs=1e-12), name
            assert together.out_of[name][melody] == alone.out_of[name][0], name


def test_nothing_at_all_is_undefined_everywhere() -> None:
    for line in (
        GridEncoding().line(np.zeros((0, 32), dtype=int)),
        GridEncoding().line(np.array([[14, 16]]), length=np.array([0])),
    ):
        assert all(math.isnan(value) for value in rl_tuner_statistics(line).values())
        assert all(math.isnan(value) for value in paper_statistics(line).values())


def test_ends_on_tonic_is_the_last_note_struck_in_any_octave() -> None:
    line = GridEncoding().line(np.array([[16, 2, 1, 0], [14, 16, 1, 1], [0, 0, 0, 0], [16, 26, 26, 14]]))
    assert rl_tuner_counts(line).counted["ends_on_tonic"].tolist() == [1, 0, 0, 1]
    assert rl_tuner_counts(line, Context(Key.parse("D minor"))).counted["ends_on_tonic"].tolist() == [0, 1, 0, 0]
    assert rl_tuner_counts(line).out_of["ends_on_tonic"].tolist() == [1, 1, 1, 1]


def test_the_papers_reading_differs_where_it_should() -> None:
    line = GridEncoding().line(np.array([[2] + [1] * 31, [0, 1, 26, 16] * 8]))
    ours, theirs = paper_statistics(line), rl_tuner_statistics(line)
    assert ours["excessively_repeated"] == 0.0
    assert theirs["excessively_repeated"] > 0.3  # holds, counted like any event
    assert ours["starts_on_tonic"] == 1.0  # any octave, and after a rest
    assert theirs["starts_on_tonic"] == 0.0
    assert ours["in_motif"] == theirs["in_motif"]


# The set cantilena

RULES = RULE_SETS["cantilena"].without_chords()  # test_harmony.py has the others
FEATURES = list(features_of(RULES))


@pytest.fixture(scope="module")
def melodies() -> np.ndarray:
    rng = np.random.default_rng(11)
    wander = np.clip(rng.integers(-4, 5, (200, 64)).cumsum(axis=1) + 20, 2, 37)
    return np.where(rng.random((200, 64)) < 0.5, rng.integers(0, 2, (200, 64)), wander)


def test_a_small_tune_counted_by_hand() -> None:
    # C4 quarter, D4 eighth, E4 eighth, G4 half | F#4 quarter, D4 quarter, C4 half
    row = [14, 1, 1, 1, 16, 1, 18, 1, 21] + [1] * 7 + [20, 1, 1, 1, 16, 1, 1, 1, 14] + [1] * 7
    counts = cantilena_counts(GridEncoding().line(np.array([row])))
    found = {name: (counts.counted[name][0], counts.out_of[name][0]) for name in counts.names}
    assert found["key"] == (1, 7)
    assert found["tonic_close"] == (1, 1)
    assert found["tonic_share"] == (12 / 32, 1)
    assert found["sixteenths"] == (0, 1)
    assert found["opening"] == found["cadence"] == found["climax"] == (1, 1)
    assert found["repetition"] == (0, 7)
    assert found["leap_recovery"] == (0, 0)  # no leap of a fourth
    assert found["motif_return"] == (0, 1)
    assert found["range"] == (7, 1)
    assert found["motion"] == (4 / 6, 1)
    assert found["meter"] == (1, 1)
    assert found["density"] == (7 / 8, 1)
    assert found["rests"] == (0, 1)
    assert found["phrase_2"] == (0, 0)
    assert found["range_inside"] == (1, 1)


def test_metrics_count_what_rewards_pay(melodies: np.ndarray) -> None:
    line = GridEncoding().line(melodies)
    counts, rewards = cantilena_counts(line), RULES.rewards(line)
    in_each = {name: term.sum(axis=1) for name, term in rewards.items()}
    np.testing.assert_array_equal(-counts.counted["key"], in_each["key"])  # in major
    np.testing.assert_array_equal(-counts.counted["repetition"], in_each["repetition"])
    np.testing.assert_array_equal(3 * counts.counted["motif_return"], in_each["motif_return"])
    np.testing.assert_array_equal(counts.counted["opening"], in_each["opening"] == 3)
    strong = RULES["cadence"].with_parameters(by_step=0.0, lasting=0.0).rewards(line).sum(axis=1)
    np.testing.assert_array_equal(counts.counted["cadence"], strong == 4)
    np.testing.assert_array_equal(counts.counted["climax"], in_each["climax"] == 3)
    for name in FEATURES:
        defined = counts.out_of[name] > 0
        np.testing.assert_array_equal(counts.counted[name + INSIDE][defined], in_each[name][defined] == 0)
        assert not in_each[name][~defined].any()


def test_the_sum_over_any_part_is_the_sum_of_parts(melodies: np.ndarray) -> None:
    grid, minor = GridEncoding(), Context(Key.parse("A minor"), Meter(3, 4), 12)
    whole = cantilena_counts(grid.line(melodies), minor)
    first, second = (cantilena_counts(grid.line(part), minor) for part in (melodies[:77], melodies[77:]))
    for name in whole.names:
        np.testing.assert_array_equal(
            whole.counted[name], np.concatenate([first.counted[name], second.counted[name]]), err_msg=name
        )
        assert (whole.counted[name] <= np.maximum(whole.out_of[name], 1) * 1e3).all()


def test_what_is_undefined_is_nan_and_nothing_warns() -> None:
    silence = cantilena_statistics(GridEncoding().line(np.zeros((3, 32), dtype=np.int64)))
    assert np.isnan(silence["key"])
    assert np.isnan(silence["leap_recovery"])
    assert silence["opening"] == 0
    assert silence["rests"] == 1
    assert all(np.isnan(value) for value in cantilena_statistics(GridEncoding().line(np.zeros((0, 32), int))).values())


def test_events_have_no_metrics_of_time() -> None:
    scale = Melody.from_pitches([(60 + 2 * step, 12) for step in range(8)])
    encoding = EventsEncoding.learned_from([scale])
    line = encoding.line(encoding.encode(scale)[None])
    statistics = cantilena_statistics(line, Context(timed=False))
    timed = ("meter", "syncopation", "breathing", "rhythm", "rests", "density", "phrase_2", "cadence", "tonic_share")
    for name in (*timed, "sixteenths"):
        assert np.isnan(statistics[name]), name
    assert statistics["range"] == 14


def test_every_metric_has_words_and_every_word_a_metric() -> None:
    line = GridEncoding().line(np.array([[14, 16]])).with_chords([ChordTrack(((0, Chord(0)),))], 6)
    counts = cantilena_counts(line)
    named = {name for name, words in METRICS.items() if words.group in (RULES_BY_US, HARMONY)}
    named = {name for name in named if CANTILENA_PREFIX in name}
    assert named == {CANTILENA_PREFIX + name for name in counts.names}
    assert set(RULE_SETS["cantilena"].names) <= set(counts.names)  # a rule and its metric share their name
    for name in named:
        words = get_metric(name)
        assert words.definition.endswith(".")
        assert len(words.label) < 30  # the column of a terminal
    assert len({get_metric(name).label for name in named}) == len(named)


def test_the_band_of_a_metric_is_that_of_the_rule() -> None:
    context = Context(meter=Meter(6, 8), steps_per_bar=12)
    for name in FEATURES:
        assert human_band(CANTILENA_PREFIX + name, context, 96) == human_bands().lookup(name, context, 96)
    assert human_band("cantilena.opening", context, 96) is None
    assert human_band("range_inside", context, 96) is None


def test_the_share_of_an_event_is_that_of_people() -> None:
    context = Context(meter=Meter(6, 8), steps_per_bar=12)
    for name in events_of(RULES):
        share = human_share(CANTILENA_PREFIX + name, context, 96)
        assert share == human_bands().share(name, context, 96)
        assert share is not None
        assert 0.05 < share.mean < 0.95
    for name in ("cantilena.range", "cantilena.key", "starts_on_tonic"):
        assert human_share(name, context, 96) is None
    airs = replace(context, style="aird")
    assert human_share("motif_return", airs, 96) != human_share("motif_return", context, 96)
    mine = Bands({}, {"opening": {"any": {8: Share(0.3, 50)}}})
    assert human_share("opening", context, 96, mine) == Share(0.3, 50)


def test_events_are_counted_as_their_metrics(melodies: np.ndarray) -> None:
    line = GridEncoding().line(melodies)
    counts = cantilena_counts(line)
    for name, happens in events_of(RULES).items():
        np.testing.assert_array_equal(happens(line, Context()), counts.counted[name], err_msg=name)
    assert np.isnan(events_of(RULES)["cadence"](line, Context(timed=False))).all()
