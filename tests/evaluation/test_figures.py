"""The figures show the numbers they are given, take any words, and are the same each time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from cantilena.evaluation import figures
from cantilena.evaluation.gallery import drawings, longest_repetition, shown_scores
from cantilena.evaluation.report_data import NoteProbabilities, ReportData, RewardHistory, TrainingCurve
from cantilena.music import Melody

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def svgs(report_data: ReportData) -> dict[str, str]:
    return {drawing.name: drawing.svg for drawing in drawings(report_data)}


def test_the_papers_figures_and_more_are_drawn(svgs: dict[str, str]) -> None:
    assert list(svgs) == ["figure-8", "figure-9", "figure-10", "rules-and-diversity", "metrics", "learning"]


def test_every_svg_is_well_formed_and_its_ids_are_its_own(svgs: dict[str, str]) -> None:
    seen: set[str] = set()
    for name, svg in svgs.items():
        root = ElementTree.fromstring(svg)
        ids = {element.get("id") for element in root.iter()} - {None}
        assert root.tag == f"{SVG}svg"
        assert all(identity.startswith(f"{name}-") for identity in ids)
        assert not ids & seen
        seen |= ids
        references = [value[1:] for element in root.iter() for key, value in element.items() if key.endswith("href")]
        assert {reference for reference in references if not reference.startswith("ata:")} <= ids


def test_ink_and_grid_take_the_colours_of_the_page(svgs: dict[str, str]) -> None:
    for svg in svgs.values():
        assert "currentColor" in svg
        assert "#1f2430" not in svg
        assert "#d4d7dd" not in svg.replace("var(--line, #d4d7dd)", "")
        assert not ElementTree.fromstring(svg).findall(f".//{SVG}script")


def test_words_from_outside_stay_words(svgs: dict[str, str]) -> None:
    words = "".join(ElementTree.fromstring(svgs["figure-10"]).itertext())
    assert "<script>alert(1)</script>" in words
    assert "<script" not in svgs["figure-10"]
    assert "<img" not in svgs["figure-10"]


def test_the_same_numbers_give_the_same_bytes(report_data: ReportData) -> None:
    first, second = drawings(report_data), drawings(report_data)
    assert [one.svg for one in first] == [one.svg for one in second]
    assert [figures.png_bytes(one.figure) for one in first[:2]] == [figures.png_bytes(one.figure) for one in second[:2]]
    assert b"Software" not in figures.png_bytes(first[0].figure)


def test_drawing_leaves_no_trace_in_matplotlibs_settings(report_data: ReportData) -> None:
    before = dict(matplotlib.rcParams)
    figures.png_bytes(drawings(report_data)[2].figure)
    assert dict(matplotlib.rcParams) == before


def test_the_heat_map_shows_each_probability_where_it_belongs() -> None:
    table = np.array([[0.7, 0.2, 0.1], [0.0, 0.1, 0.9]])
    axes = figures.note_probabilities(NoteProbabilities("m", table, ["off", "hold", "C4"], [0, 2])).axes[0]
    shown = axes.images[0].get_array()
    assert np.allclose(shown, table.T)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["off", "hold", "C4"]
    assert np.array_equal(axes.lines[0].get_xydata(), [[0, 0], [1, 2]])


def test_a_large_vocabulary_is_shown_by_its_most_probable_tokens() -> None:
    table = np.full((4, 500), 1e-4)
    table[:, 123] = 1.0
    axes = figures.note_probabilities(
        NoteProbabilities("m", table, [f"t{n}" for n in range(500)], [123, 7, 7, 7])
    ).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == 48
    assert {"t123", "t7"} <= set(labels)


def test_rewards_are_split_by_rule_and_added_up() -> None:
    history = RewardHistory("m", [0, 10, 20], {"key": [-1.0, -2.0, 0.0], "tonic": [3.0, 3.0, 6.0]}, kl=[0.0, 0.1, 0.2])
    rules = figures.reward_history(history).axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in rules.lines}
    assert lines["key"] == [-1.0, -2.0, 0.0]
    assert lines["all rules"] == [2.0, 1.0, 6.0]


def test_a_panel_shows_value_interval_and_the_human_line(results: dict) -> None:
    panel = figures.metric_panels(results["systems"], ["in_motif"]).axes[0]
    points = [container.lines[0].get_xdata()[0] for container in panel.containers]
    assert points == [0.28, 0.19, 0.65]
    bars = [container.lines[2][0].get_segments()[0][:, 0] for container in panel.containers]
    assert np.allclose(bars[1], [0.18, 0.20])
    assert panel.lines[0].get_xdata()[0] == 0.28


def test_nothing_measured_draws_nothing() -> None:
    assert drawings(ReportData(results={})) == ()
    assert drawings(ReportData(results={"systems": {"lstm": {"melodies": 0, "metrics": {}}}})) == ()
    assert (
        drawings(ReportData(results={}, rewards=[RewardHistory("m", [], {})], curves=[TrainingCurve("m", [], [])]))
        == ()
    )


def test_a_history_without_rules_and_one_update_can_be_drawn() -> None:
    data = ReportData(results={}, rewards=[RewardHistory("m", [5], {}, [-1.0])], curves=[TrainingCurve("m", [1.0], [])])
    assert all("<svg" in drawing.svg for drawing in drawings(data))


def test_the_papers_scores_are_chosen_by_rule(report_data: ReportData) -> None:
    flat = Melody.of([(60, 12)] * 9)
    lstm = replace(report_data.melodies[1], melodies=[report_data.melodies[1].melodies[0], flat])
    chosen = shown_scores(replace(report_data, melodies=[lstm, report_data.melodies[2]]))
    assert [score.name for score in chosen] == ["figure-4", "figure-5", "figure-7"]
    assert chosen[1].melody is flat
    assert "9 in a row" in chosen[1].caption
    assert chosen[2].melody is report_data.melodies[2].melodies[0]
    assert longest_repetition(Melody(())) == 0
