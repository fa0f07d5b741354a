"""Rule statistics against the reference's own counts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.metrics import RL_TUNER_METRICS, paper_statistics, rl_tuner_counts, rl_tuner_statistics
from cantilena.music import Key, Line
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding

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
    assert set(counts.out_of["not_in_key"]) == {32}


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
