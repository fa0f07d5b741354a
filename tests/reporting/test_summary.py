"""The three sentences of the summary, for any set of systems."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cantilena.metrics.permutation import Difference
from cantilena.reporting.data import ReportData
from cantilena.reporting.summary import summary


def test_the_summary_follows_from_the_numbers(report_data: ReportData) -> None:
    measured, gained, cost = (sentence.replace("\xa0", " ") for sentence in summary(report_data))
    assert "2 systems composed 1,000 melodies each; 412 held-out human excerpts" in measured
    assert "trained on 900 melodies" in measured
    assert "notes excessively repeated went from 13.6 % to 2.0 %" in gained
    assert "melodies that start on the tonic went from 8.5 % to 95.0 %" in gained
    assert "all clearly better (the intervals do not overlap)" in gained
    assert "100.0 % of its melodies are different" in cost
    assert "99 % of the human value" in cost
    assert "0.55 nats a step from the untuned model" in cost
    assert "the improvement is not due to repetition" in cost


def changed(data: ReportData, system: str, **values: float) -> ReportData:
    systems = {name: {**entry, "metrics": {**entry["metrics"]}} for name, entry in data.systems.items()}
    for metric, value in values.items():
        systems[system]["metrics"][metric] = {"value": value, "low": value - 0.01, "high": value + 0.01}
    return replace(data, results={"systems": systems})


def test_the_summary_calls_collapse_by_its_name(report_data: ReportData) -> None:
    for collapsed in ({"different_melodies": 0.002}, {"distinct_4": 0.3}):
        assert "diversity was lost" in summary(changed(report_data, "lstm+rl", **collapsed))[2]


def test_the_summary_claims_no_gain_within_the_intervals(report_data: ReportData) -> None:
    same = changed(
        report_data, "lstm+rl", excessively_repeated=0.13, not_in_key=0.06, starts_on_tonic=0.09, in_motif=0.18
    )
    assert summary(same)[1].endswith("not clearly better.")
    one = changed(same, "lstm+rl", in_motif=0.4)
    assert "1 of these 4 clearly better" in summary(one)[1]


def test_the_summary_of_little_says_little() -> None:
    assert summary(ReportData(results={}))[0] == "Nothing was measured in this run."
    alone = ReportData(results={"systems": {"lstm": {"melodies": 5, "metrics": {}}}})
    assert summary(alone) == (
        "1 system has 5 melodies.",
        "There are no human melodies and no other system to compare lstm with.",
        "The diversity of lstm was not measured, so good values may be due to repetition.",
    )


def entry(value: float, width: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def of(**systems: dict[str, Any]) -> ReportData:
    rows = {name.replace("_", "-"): {"melodies": 50, "metrics": metrics} for name, metrics in systems.items()}
    return ReportData(results={"systems": rows}, corpus={"name": "tunes", "melodies": 5132})


def plain(sentences: tuple[str, ...]) -> list[str]:
    return [sentence.replace("\xa0", " ") for sentence in sentences]


def test_systems_are_compared_with_human_melodies() -> None:
    data = of(
        mine={
            "in_motif": entry(0.5),
            "not_in_key": entry(0.03),
            "distinct_4": entry(0.6),
            "different_melodies": entry(1),
        },
        human={"in_motif": entry(0.3), "not_in_key": entry(0.02), "distinct_4": entry(0.7)},
        other={
            "in_motif": entry(0.31),
            "not_in_key": entry(0.02),
            "distinct_4": entry(0.69),
            "leaps_resolved": entry(1),
        },
    )
    measured, different, diverse = plain(summary(data))
    assert measured == (
        "2 systems have 50 melodies each; 50 held-out human excerpts of the corpus tunes are the reference."
    )
    assert different == (
        "The intervals of mine and of human melodies do not overlap in 2 of 3 metrics, such as notes in a motif "
        "(50.0 % against 30.0 %). The intervals of other and of human melodies overlap in all of 3 metrics."
    )
    assert diverse == (
        "100.0 % different melodies and 86 % of the human distinct-4 in mine; 99 % of the human distinct-4 in other: "
        "mine lost diversity, so good values are at least partly due to repetition."
    )


def test_tested_differences_are_counted_after_correction() -> None:
    data = replace(
        of(a={"in_motif": entry(0.5)}, human={"in_motif": entry(0.3)}),
        differences=[
            Difference("human", "a", "in_motif", 0.2, 0.001, 0.01),
            Difference("human", "a", "not_in_key", 0.1, 0.04, 0.08),
            Difference("human", "a", "leaps_resolved", None),
        ],
    )
    assert summary(data)[1] == "After correction for multiple tests, a differs from human melodies in 1 of 2 metrics."


def test_without_human_melodies_systems_are_compared_with_the_first() -> None:
    data = of(a={"in_motif": entry(0.5)}, b={"in_motif": entry(0.3)})
    measured, different, diverse = plain(summary(data))
    assert measured == "2 systems have 50 melodies each."
    assert different == (
        "The intervals of b and of a do not overlap in 1 of 1 metric, such as notes in a motif (30.0 % against 50.0 %)."
    )
    assert diverse.startswith("The diversity of a and b was not measured")


def test_human_melodies_alone_are_not_compared() -> None:
    data = of(human={"distinct_4": entry(0.7)})
    assert plain(summary(data)) == [
        "50 held-out human excerpts of the corpus tunes.",
        "There is no system to compare with human melodies.",
        "There are no composed melodies, so their diversity is unknown.",
    ]


def test_a_single_system_that_repeats_itself_is_called_so() -> None:
    data = of(one={"different_melodies": entry(0.02)})
    assert plain(summary(data))[2] == (
        "2.0 % different melodies in one: one lost diversity, so good values are at least partly due to repetition."
    )
    assert "it does not repeat itself" in summary(of(one={"different_melodies": entry(1.0)}))[2]


def test_of_many_systems_the_nearest_and_the_furthest_are_named() -> None:
    people = {"in_motif": entry(0.3), "not_in_key": entry(0.02), "distinct_4": entry(0.7)}
    near, far = {**people, "in_motif": entry(0.305)}, {name: entry(0.9) for name in people}
    middle = {**people, "in_motif": entry(0.9)}
    data = of(human=people, far=far, near=near, **{f"m{number}": middle for number in range(6)})
    _, different, diverse = plain(summary(data))
    assert different == (
        "Of 8 systems, near is nearest to human melodies and far furthest, by the number of intervals that do not "
        "overlap."
    )
    assert diverse == "The diversity of 8 systems was measured: none of them repeats itself."


@pytest.mark.parametrize("value", [None, 0.5])
def test_values_without_bounds_are_not_compared(value: float | None) -> None:
    bare = {"value": value, "low": None, "high": None}
    data = of(a={"in_motif": bare}, human={"in_motif": entry(0.1)})
    assert summary(data)[1] == "No metric has intervals both for human melodies and for a."
